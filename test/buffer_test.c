/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A receive buffer: what goes in comes out, and memory follows what waits. */
#include "buffer.h"
#include "core_suite.h"

#include <string.h>

static struct mtls_pool pool;
static struct mtls_buffer buffer;

/* The octet at each place of the stream. */
static unsigned char octet_at(uint64_t place)
{
    return (unsigned char)(place * 7 + place / 251);
}

static void begin(void)
{
    memset(&pool, 0, sizeof(pool));
    memset(&buffer, 0, sizeof(buffer));
}

static void end(void)
{
    mtls_buffer_clear(&buffer, &pool);
    ck_assert_ptr_null(buffer.head);
    ck_assert_ptr_null(buffer.tail);
    mtls_pool_cleanup(&pool);
}

static void put(uint64_t place, size_t len, size_t limit)
{
    while (len > 0) {
        size_t room;
        unsigned char *p = mtls_buffer_room(&buffer, &pool, len, limit, &room);

        core_must(p != NULL);
        core_must(room >= 1 && room <= len);
        for (size_t i = 0; i < room; i++)
            p[i] = octet_at(place++);
        mtls_buffer_filled(&buffer, room);
        len -= room;
    }
}

/* Reads and drops |len| octets, which must be those from |place| on. */
static void take(uint64_t place, size_t len)
{
    while (len > 0) {
        size_t n;
        const unsigned char *p = mtls_buffer_peek(&buffer, &n);

        core_must(p != NULL);
        core_must(n >= 1 && n <= buffer.length);
        if (n > len)
            n = len;
        for (size_t i = 0; i < n; i++)
            core_must(p[i] == octet_at(place++));
        mtls_buffer_drop(&buffer, n);
        mtls_buffer_trim(&buffer, &pool);
        len -= n;
    }
}

static size_t held(void)
{
    size_t sum = 0;

    for (const struct mtls_chunk *c = buffer.head; c != NULL; c = c->next)
        sum += c->capacity;
    return sum;
}

START_TEST(an_empty_buffer_holds_no_memory)
{
    size_t n = 1;

    begin();
    ck_assert_ptr_null(mtls_buffer_peek(&buffer, &n));
    ck_assert_uint_eq(n, 0);
    put(0, 5, 65536);
    take(0, 5);
    ck_assert_ptr_null(mtls_buffer_peek(&buffer, &n));
    ck_assert_uint_eq(held(), 0);
    ck_assert_uint_eq(buffer.length, 0);
    end();
}
END_TEST

START_TEST(octets_come_out_as_they_went_in)
{
    struct core_random random = core_random_of(core_seed(2));
    uint64_t in = 0, out = 0;

    begin();
    for (int i = 0; i < 20000; i++) {
        size_t n = core_below(&random, core_chance(&random, 4) ? 20000 : 300);

        if (core_chance(&random, 2)) {
            if (n > 65536 - (in - out))
                n = (size_t)(65536 - (in - out));
            put(in, n, 65536);
            in += n;
        } else {
            if (n > in - out)
                n = (size_t)(in - out);
            take(out, n);
            out += n;
        }
        core_must(buffer.length == in - out);
        core_must(held() <= 65536 + MTLS_CHUNK_LARGE + MTLS_CHUNK_SMALL);
    }
    end();
}
END_TEST

START_TEST(a_chunk_is_as_large_as_what_it_is_for)
{
    begin();
    put(0, 512, 65536);
    ck_assert_uint_eq(held(), MTLS_CHUNK_SMALL);
    take(0, 512);
    put(0, 513, 65536);
    ck_assert_uint_eq(held(), MTLS_CHUNK_MEDIUM);
    take(0, 513);
    put(0, 4096, 65536);
    ck_assert_uint_eq(held(), MTLS_CHUNK_MEDIUM);
    take(0, 4096);
    put(0, 4097, 65536);
    ck_assert_uint_eq(held(), MTLS_CHUNK_LARGE);
    end();
}
END_TEST

START_TEST(a_small_window_is_not_given_a_large_chunk)
{
    begin();
    put(0, 1000, 1000);
    ck_assert_uint_eq(held(), 1000);
    end();
    begin();
    put(0, 100, 100);
    ck_assert_uint_eq(held(), MTLS_CHUNK_SMALL);
    end();
}
END_TEST

START_TEST(single_octets_fill_chunks_before_new_ones_come)
{
    begin();
    for (unsigned int i = 0; i < 65536; i++)
        put(i, 1, 65536);
    ck_assert_uint_le(held(), 65536 + MTLS_CHUNK_SMALL);
    take(0, 65536);
    ck_assert_uint_eq(held(), 0);
    end();
}
END_TEST

START_TEST(dropped_octets_stay_until_trim)
{
    const unsigned char *p;
    size_t n;

    begin();
    put(0, 300, 65536);
    p = mtls_buffer_peek(&buffer, &n);
    mtls_buffer_drop(&buffer, 300);
    for (size_t i = 0; i < n; i++) /* a use after free, had it been freed */
        core_must(p[i] == octet_at(i));
    core_must(held() == MTLS_CHUNK_SMALL);
    mtls_buffer_trim(&buffer, &pool);
    core_must(held() == 0);
    end();
}
END_TEST

START_TEST(a_drop_may_span_chunks)
{
    begin();
    put(0, 512, 65536);
    put(512, 20000, 65536);
    mtls_buffer_drop(&buffer, 15000);
    mtls_buffer_trim(&buffer, &pool);
    take(15000, 5512);
    ck_assert_uint_eq(buffer.length, 0);
    end();
}
END_TEST

START_TEST(new_octets_go_behind_dropped_ones_that_were_not_trimmed)
{
    begin();
    put(0, 512, 65536);
    mtls_buffer_drop(&buffer, 512);
    put(512, 10, 65536);
    take(512, 10);
    end();
}
END_TEST

START_TEST(the_pool_keeps_a_bounded_number_of_chunks)
{
    begin();
    put(0, 4 * 1024 * 1024, 4 * 1024 * 1024);
    mtls_buffer_clear(&buffer, &pool);
    ck_assert_uint_eq(pool.kept[2].count, MTLS_POOL_LARGE);
    for (unsigned int i = 0; i < MTLS_POOL_SMALL + 20; i++) {
        struct mtls_chunk *before = buffer.tail;

        put(i, 1, 512);
        while (buffer.tail == before || buffer.tail->end < 512)
            put(0, 1, 512);
    }
    mtls_buffer_clear(&buffer, &pool);
    ck_assert_uint_eq(pool.kept[0].count, MTLS_POOL_SMALL);
    end();
}
END_TEST

START_TEST(a_chunk_from_the_pool_is_as_good_as_new)
{
    begin();
    for (unsigned int round = 0; round < 5; round++) {
        put(round, 40000, 65536);
        take(round, 20000);
        mtls_buffer_clear(&buffer, &pool);
        ck_assert_uint_eq(buffer.length, 0);
    }
    end();
}
END_TEST

/* --- lines --- */

static void put_text(const char *text)
{
    while (*text != '\0') {
        size_t room;
        unsigned char *p =
            mtls_buffer_room(&buffer, &pool, strlen(text), 65536, &room);

        ck_assert_ptr_nonnull(p);
        memcpy(p, text, room);
        mtls_buffer_filled(&buffer, room);
        text += room;
    }
}

START_TEST(a_line_ends_with_its_newline)
{
    begin();
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 100), 0);
    put_text("one");
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 100), 0);
    put_text("\ntwo\n");
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 100), 4);
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 4), 4);
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 3), 0);
    mtls_buffer_drop(&buffer, 4);
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 100), 4);
    end();
}
END_TEST

START_TEST(a_line_may_span_chunks)
{
    static char text[3000];

    begin();
    memset(text, 'x', 600);
    put_text(text); /* a large chunk, as more than 512 come at once */
    mtls_buffer_clear(&buffer, &pool);
    for (int i = 0; i < 700; i++)
        put_text("y");
    ck_assert_ptr_ne(buffer.head, buffer.tail);
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 1000), 0);
    put_text("\n");
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 1000), 701);
    ck_assert_uint_eq(mtls_buffer_line(&buffer, 700), 0);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_empty_buffer_holds_no_memory,
        octets_come_out_as_they_went_in,
        a_chunk_is_as_large_as_what_it_is_for,
        a_small_window_is_not_given_a_large_chunk,
        single_octets_fill_chunks_before_new_ones_come,
        dropped_octets_stay_until_trim,
        a_drop_may_span_chunks,
        new_octets_go_behind_dropped_ones_that_were_not_trimmed,
        the_pool_keeps_a_bounded_number_of_chunks,
        a_chunk_from_the_pool_is_as_good_as_new,
        a_line_ends_with_its_newline,
        a_line_may_span_chunks};

    return core_run("buffer", tests, core_count(tests));
}
