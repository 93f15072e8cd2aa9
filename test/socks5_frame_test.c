/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Datagrams of RFC 1928 7, and their frames in a stream. */
#include "core_suite.h"
#include "socks5_frame.h"

#include <stdlib.h>
#include <string.h>

#define ADDRESS(type, port, literal)                 \
    {                                                \
        (type), sizeof(literal) - 1, (port), literal \
    }
#define OCTETS(literal) .octets = (literal), .size = sizeof(literal) - 1

/* The octets alone in memory, so that reading past them is seen. */
static unsigned char *alone(const void *octets, size_t len)
{
    unsigned char *copy = malloc(len == 0 ? 1 : len);

    ck_assert_ptr_nonnull(copy);
    if (len != 0)
        memcpy(copy, octets, len);
    return copy;
}

/* --- datagrams --- */

static const struct {
    struct mtls_socks5_address address;
    const char *octets;
    size_t size;
} headers[] = {
    {ADDRESS(1, 53, "\x7f\0\0\1"), OCTETS("\0\0\0\1\x7f\0\0\1\0\x35")},
    {ADDRESS(3, 53, "ns.example"), OCTETS("\0\0\0\3\x0ans.example\0\x35")},
    {ADDRESS(4, 65535, "abcdefghijklmnop"),
     OCTETS("\0\0\0\4abcdefghijklmnop\xff\xff")}};

START_TEST(datagrams_go_there_and_back)
{
    for (size_t i = 0; i < core_count(headers); i++) {
        for (size_t n = 0; n < 300; n += 37) {
            unsigned char whole[600], *in;
            struct mtls_socks5_udp udp;
            size_t size =
                mtls_socks5_put_udp(whole, sizeof(whole), &headers[i].address);

            ck_assert_uint_eq(size, headers[i].size);
            ck_assert_mem_eq(whole, headers[i].octets, size);
            memset(whole + size, 'd', n);
            in = alone(whole, size + n);
            ck_assert(mtls_socks5_get_udp(in, size + n, &udp));
            ck_assert_uint_eq(udp.len, n);
            ck_assert_ptr_eq(udp.data, in + size);
            ck_assert_uint_eq(udp.address.type, headers[i].address.type);
            ck_assert_uint_eq(udp.address.port, headers[i].address.port);
            ck_assert_uint_eq(udp.address.len, headers[i].address.len);
            ck_assert_mem_eq(udp.address.octets, headers[i].address.octets,
                             udp.address.len);
            free(in);
        }
    }
}
END_TEST

START_TEST(K5_a_datagram_without_a_whole_header_is_dropped)
{
    for (size_t i = 0; i < core_count(headers); i++) {
        for (size_t len = 0; len < headers[i].size; len++) {
            unsigned char *in = alone(headers[i].octets, len);
            unsigned char *out = alone(headers[i].octets, len);
            struct mtls_socks5_udp udp;

            ck_assert(!mtls_socks5_get_udp(in, len, &udp));
            ck_assert_uint_eq(
                mtls_socks5_put_udp(out, len, &headers[i].address), 0);
            free(in);
            free(out);
        }
    }
}
END_TEST

START_TEST(K5_fragments_and_reserved_octets_are_dropped)
{
    for (size_t at = 0; at < 3; at++) {
        for (unsigned int value = 0; value < 256; value++) {
            unsigned char in[] = "\0\0\0\1\x7f\0\0\1\0\x35query";
            struct mtls_socks5_udp udp;

            in[at] = (unsigned char)value;
            ck_assert_int_eq(mtls_socks5_get_udp(in, 15, &udp), value == 0);
        }
    }
}
END_TEST

START_TEST(K5_other_address_types_and_bad_names_are_dropped)
{
    unsigned char in[600] = "\0\0\0";
    struct mtls_socks5_udp udp;

    for (unsigned int type = 0; type < 256; type++) {
        in[3] = (unsigned char)type;
        memset(in + 4, 'n', sizeof(in) - 4);
        ck_assert_int_eq(mtls_socks5_get_udp(in, sizeof(in), &udp),
                         type == 1 || type == 3 || type == 4);
    }
    in[3] = 3;
    for (unsigned int len = 0; len < 256; len++) {
        in[4] = (unsigned char)len;
        ck_assert_int_eq(mtls_socks5_get_udp(in, sizeof(in), &udp),
                         len >= 1 && len <= 254);
    }
    in[4] = 10;
    in[9] = '\0';
    ck_assert(!mtls_socks5_get_udp(in, sizeof(in), &udp));
}
END_TEST

/* --- frames --- */

static const struct mtls_socks5_address to = ADDRESS(1, 53, "\x7f\0\0\1");

/* |f| reads from |in|, |piece| octets at a time: how many it took. */
static size_t feed(struct mtls_frame *f, const unsigned char *in, size_t len,
                   size_t piece)
{
    size_t taken = 0, room;
    unsigned char *p;

    while ((p = mtls_frame_in(f, &room)) != NULL && room != 0 && taken < len) {
        size_t n = room < piece ? room : piece;

        if (n > len - taken)
            n = len - taken;
        memcpy(p, in + taken, n);
        f->done += n;
        taken += n;
    }
    ck_assert_ptr_nonnull(p);
    return taken;
}

START_TEST(a_frame_is_its_length_a_header_and_data)
{
    struct mtls_frame out = {0};

    ck_assert_int_eq(mtls_frame_put(&out, &to, "query", 5), MTLS_FRAME_PUT);
    ck_assert_uint_eq(out.size, 17);
    ck_assert_uint_eq(out.done, 0);
    ck_assert_mem_eq(out.p, "\0\x0f\0\0\0\1\x7f\0\0\1\0\x35query", 17);
    ck_assert_int_eq(mtls_frame_put(&out, NULL, "as it is", 8), MTLS_FRAME_PUT);
    ck_assert_uint_eq(out.size, 10);
    ck_assert_mem_eq(out.p,
                     "\0\x08"
                     "as it is",
                     10);
    mtls_frame_cleanup(&out);
}
END_TEST

/* Frames of all sizes that matter, in pieces: each is whole at its end. */
START_TEST(frames_follow_one_another_in_any_pieces)
{
    static const size_t sizes[] = {0, 1, 255, 256, 500, 501, 502, 65524, 65525};
    static unsigned char data[65525];
    struct mtls_frame out = {0}, in = {0};

    for (size_t i = 0; i < core_count(sizes); i++) {
        for (size_t piece = 1; piece < 100000; piece *= 7) {
            struct mtls_socks5_udp udp;
            const unsigned char *whole;
            size_t len = 0;
            unsigned char *stream;

            memset(data, (int)i + 1, sizes[i]);
            ck_assert_int_eq(mtls_frame_put(&out, &to, data, sizes[i]),
                             MTLS_FRAME_PUT);
            stream = calloc(1, out.size + 1000);
            ck_assert_ptr_nonnull(stream);
            memcpy(stream, out.p, out.size);
            ck_assert_uint_eq(feed(&in, stream, out.size + 1000, piece),
                              out.size);
            whole = mtls_frame_whole(&in, &len);
            ck_assert_ptr_nonnull(whole);
            ck_assert_uint_eq(len, out.size - MTLS_FRAME_PREFIX);
            ck_assert(mtls_socks5_get_udp(whole, len, &udp));
            ck_assert_uint_eq(udp.len, sizes[i]);
            ck_assert_mem_eq(udp.data, data, sizes[i]);
            mtls_frame_next(&in);
            free(stream);
        }
    }
    mtls_frame_cleanup(&out);
    mtls_frame_cleanup(&in);
}
END_TEST

START_TEST(a_frame_is_not_whole_before_its_last_octet)
{
    const unsigned char octets[] = "\0\x0b\0\0\0\1\x7f\0\0\1\0\x35?";
    size_t size = sizeof(octets) - 1, n;

    for (size_t len = 0; len <= size; len++) {
        struct mtls_frame in = {0};

        ck_assert_uint_eq(feed(&in, octets, len, 1), len);
        ck_assert_int_eq(mtls_frame_whole(&in, &n) != NULL, len == size);
        mtls_frame_cleanup(&in);
    }
}
END_TEST

START_TEST(a_frame_may_be_empty)
{
    struct mtls_frame in = {0};
    size_t len = 1;

    ck_assert_uint_eq(feed(&in, (const void *)"\0\0\0\1", 4, 4), 2);
    ck_assert_ptr_nonnull(mtls_frame_whole(&in, &len));
    ck_assert_uint_eq(len, 0);
    mtls_frame_cleanup(&in);
}
END_TEST

START_TEST(K5_a_datagram_over_65535_octets_is_not_framed)
{
    static unsigned char data[65536];
    struct mtls_frame out = {0};

    ck_assert_int_eq(mtls_frame_put(&out, &to, data, 65525), MTLS_FRAME_PUT);
    ck_assert_uint_eq(out.size, 65537);
    ck_assert_int_eq(mtls_frame_put(&out, &to, data, 65526),
                     MTLS_FRAME_TOO_LONG);
    ck_assert_int_eq(mtls_frame_put(&out, NULL, data, 65535), MTLS_FRAME_PUT);
    ck_assert_int_eq(mtls_frame_put(&out, NULL, data, 65536),
                     MTLS_FRAME_TOO_LONG);
    ck_assert_int_eq(mtls_frame_put(&out, &to, data, SIZE_MAX),
                     MTLS_FRAME_TOO_LONG);
    mtls_frame_cleanup(&out);
}
END_TEST

/* A peer that only says that much is coming has not made us store it twice. */
START_TEST(memory_is_that_of_the_longest_frame)
{
    struct mtls_frame in = {0};

    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(feed(&in, (const void *)"\xff\xff", 2, 2), 2);
        ck_assert_uint_le(in.room, 65537);
        in.done = in.size;
        mtls_frame_next(&in);
    }
    mtls_frame_cleanup(&in);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        datagrams_go_there_and_back,
        K5_a_datagram_without_a_whole_header_is_dropped,
        K5_fragments_and_reserved_octets_are_dropped,
        K5_other_address_types_and_bad_names_are_dropped,
        a_frame_is_its_length_a_header_and_data,
        frames_follow_one_another_in_any_pieces,
        a_frame_is_not_whole_before_its_last_octet,
        a_frame_may_be_empty,
        K5_a_datagram_over_65535_octets_is_not_framed,
        memory_is_that_of_the_longest_frame};

    return core_run("socks5_frame", tests, core_count(tests));
}
