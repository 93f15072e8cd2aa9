/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Datagrams in a receive buffer: what went in whole comes out whole. */
#include "core_suite.h"
#include "datagrams.h"

#include <string.h>

static struct mtls_pool pool;
static struct mtls_buffer buffer;
static unsigned char data[20000], got[20000];

static void begin(void)
{
    memset(&pool, 0, sizeof(pool));
    memset(&buffer, 0, sizeof(buffer));
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7 + i / 251);
}

static void end(void)
{
    mtls_buffer_clear(&buffer, &pool);
    ck_assert_ptr_null(buffer.head);
    mtls_pool_cleanup(&pool);
}

static int put(size_t len, size_t limit)
{
    return mtls_datagrams_put(&buffer, &pool, data, len, limit);
}

static void expect(size_t len)
{
    size_t next;

    ck_assert(mtls_datagrams_next(&buffer, &next));
    ck_assert_uint_eq(next, len);
    memset(got, 0, sizeof(got));
    ck_assert_uint_eq(mtls_datagrams_take(&buffer, &pool, got, sizeof(got)),
                      len);
    if (len != 0)
        ck_assert_mem_eq(got, data, len);
}

START_TEST(each_keeps_its_length)
{
    static const size_t lengths[] = {1, 0, 509, 510, 511, 1400, 16375, 2, 0};
    size_t n;

    begin();
    for (size_t i = 0; i < core_count(lengths); i++)
        ck_assert(put(lengths[i], 65536));
    for (size_t i = 0; i < core_count(lengths); i++)
        expect(lengths[i]);
    ck_assert(!mtls_datagrams_next(&buffer, &n));
    ck_assert_uint_eq(buffer.length, 0);
    end();
}
END_TEST

START_TEST(lengths_may_span_chunks)
{
    begin();
    for (size_t first = 1; first < 520; first++) {
        ck_assert(put(first, 65536));
        for (size_t i = 0; i < 5; i++)
            ck_assert(put(300 + i, 65536));
        expect(first);
        for (size_t i = 0; i < 5; i++)
            expect(300 + i);
    }
    end();
}
END_TEST

START_TEST(what_overruns_the_limit_is_not_taken)
{
    begin();
    ck_assert(put(1000, 500)); /* a single one is always taken */
    ck_assert(!put(0, 1000));
    expect(1000);
    ck_assert(put(498, 1000));
    ck_assert(!put(499, 1000));
    ck_assert(put(498, 1000));
    ck_assert(!put(0, 1000));
    ck_assert_uint_eq(buffer.length, 1000);
    expect(498);
    expect(498);
    ck_assert(!put(65536, 1000000));
    end();
}
END_TEST

START_TEST(the_rest_of_one_that_is_too_long_for_the_reader_is_lost)
{
    begin();
    ck_assert(put(1000, 65536));
    ck_assert(put(7, 65536));
    memset(got, 0, sizeof(got));
    ck_assert_uint_eq(mtls_datagrams_take(&buffer, &pool, got, 10), 1000);
    ck_assert_mem_eq(got, data, 10);
    ck_assert_uint_eq(got[10], 0);
    expect(7);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_keeps_its_length, lengths_may_span_chunks,
        what_overruns_the_limit_is_not_taken,
        the_rest_of_one_that_is_too_long_for_the_reader_is_lost};

    return core_run("datagrams", tests, core_count(tests));
}
