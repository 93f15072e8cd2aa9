/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A stream of TLSSigntext, cut anywhere, put together to messages. */
#include "core_suite.h"
#include "sign_reader.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

/* Gives it octets, no more than |piece| at a time: those that it took. */
static size_t give(struct mtls_sign_reader *r, const unsigned char *in,
                   size_t len, size_t piece)
{
    size_t at = 0, room;

    while (at < len && !r->whole && r->reason == 0) {
        unsigned char *p = mtls_sign_reader_in(r, &room);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_gt(room, 0);
        room = room < piece ? room : piece;
        room = room < len - at ? room : len - at;
        memcpy(p, in + at, room);
        at += room;
        if (mtls_sign_reader_received(r, room) < 0)
            break;
    }
    return at;
}

START_TEST(messages_cut_anywhere)
{
    static const unsigned char stream[] =
        "\x1b\0\3\3\0\1\1"
        "\x17\x40\3\3\0\3abc\x17\x40\3\3\0\1d\x17\0\3\3\0\2ef"
        "\x17\x80\3\3\0\0"
        "\x17\0\0\0\0\2hi";
    static const struct {
        int type;
        const char *data;
    } expected[] = {{27, "\1"}, {23, "abcdef"}, {23, ""}, {23, "hi"}};

    for (size_t piece = 1; piece < sizeof(stream); piece++) {
        struct mtls_sign_reader r;
        size_t at = 0;

        mtls_sign_reader_init(&r, 100);
        for (size_t i = 0; i < core_count(expected); i++) {
            at += give(&r, stream + at, sizeof(stream) - 1 - at, piece);
            ck_assert(r.whole);
            ck_assert(!mtls_sign_reader_amid(&r));
            ck_assert_uint_eq(r.header.type, (unsigned)expected[i].type);
            ck_assert_uint_eq(r.len, strlen(expected[i].data));
            ck_assert(r.len == 0 ||
                      memcmp(r.data, expected[i].data, r.len) == 0);
            mtls_sign_reader_next(&r);
        }
        ck_assert_uint_eq(at, sizeof(stream) - 1);
        mtls_sign_reader_cleanup(&r);
    }
}
END_TEST

static const struct {
    const char *octets;
    size_t len;
    int reason;
} bad[] = {
    {"\x99\0\3\3\0\1", 6, MTLS_R_SIGN_MALFORMED},
    {"\x17\x40\3\3\0\1a\x16\0\3\3\0\1", 13, MTLS_R_SIGN_MALFORMED},
    {"\x17\x40\3\3\0\1a\x17\x80\3\3\0\1", 13, MTLS_R_SIGN_MALFORMED},
    {"\x17\x40\3\3\0\1a\x17\0\0\0\0\1", 13, MTLS_R_SIGN_MALFORMED},
    {"\x17\0\3\3\0\x65", 6, MTLS_R_SIGN_TOO_LONG},
    {"\x17\x40\3\3\0\1a\x17\0\3\3\0\x64", 13, MTLS_R_SIGN_TOO_LONG},
};

START_TEST(what_can_not_be_gone_on_with)
{
    for (size_t i = 0; i < core_count(bad); i++) {
        struct mtls_sign_reader r;

        mtls_sign_reader_init(&r, 100);
        ck_assert_uint_eq(
            give(&r, (const unsigned char *)bad[i].octets, bad[i].len, 1),
            bad[i].len);
        ck_assert_int_eq(r.reason, bad[i].reason);
        ck_assert_int_eq(mtls_sign_reader_received(&r, 1), -1);
        mtls_sign_reader_cleanup(&r);
    }
}
END_TEST

/* Data that is not signed is not put together, and has no other limit. */
START_TEST(limits)
{
    static unsigned char octets[6 + 65535] = {0x17, 0, 0, 0, 0xff, 0xff};
    struct mtls_sign_reader r;
    size_t room;

    mtls_sign_reader_init(&r, 100);
    give(&r, octets, sizeof(octets), sizeof(octets));
    ck_assert(r.whole && r.len == 65535);
    mtls_sign_reader_next(&r);
    octets[0] = 0x16;
    octets[1] = 0x40;
    octets[2] = octets[3] = 3;
    r.limit = (size_t)1 << 30;
    for (int i = 0; i < 3 && r.reason == 0; i++)
        give(&r, octets, sizeof(octets), sizeof(octets));
    ck_assert_int_eq(r.reason, MTLS_R_SIGN_TOO_LONG);
    mtls_sign_reader_cleanup(&r);
    ck_assert_ptr_nonnull(mtls_sign_reader_in(&r, &room)); /* as new */
    ck_assert_uint_eq(room, MTLS_SIGN_HEADER);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {messages_cut_anywhere,
                                  what_can_not_be_gone_on_with, limits};

    return core_run("sign_reader", tests, core_count(tests));
}
