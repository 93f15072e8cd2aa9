/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Octets <-> messages of TLS Sign, whole, cut, and forbidden. */
#include "core_suite.h"
#include "sign_wire.h"

#include <stdlib.h>
#include <string.h>

#define OCTETS(literal) (const unsigned char *)(literal), sizeof(literal) - 1

START_TEST(requests)
{
    struct mtls_sign_request r;
    unsigned char out[MTLS_SIGN_REQUEST_SIZE];

    mtls_sign_put_request(out, 2);
    ck_assert_mem_eq(out, "\2\0\0\2\0\1", sizeof(out));
    ck_assert(mtls_sign_get_request(out, sizeof(out), &r));
    ck_assert(r.format == 2 && r.method == 0 && r.types_len == 2);
    ck_assert(mtls_sign_has_type(&r, MTLS_SIGN_WITH_PROOF));
    ck_assert(!mtls_sign_has_type(&r, 2));
    for (size_t i = 0; i < sizeof(out); i++)
        ck_assert(!mtls_sign_get_request(out, i, &r));
    ck_assert(mtls_sign_get_request(OCTETS("\1\1\0\4\0\2\0\1"), &r));
    ck_assert(mtls_sign_has_type(&r, 1) && mtls_sign_has_type(&r, 2));
    ck_assert(!mtls_sign_get_request(OCTETS("\0\0\0\2\0\1\0"), &r));
    ck_assert(!mtls_sign_get_request(OCTETS("\0\0\0\3\0\1\0"), &r));
    ck_assert(!mtls_sign_get_request(OCTETS("\0\0\0\0"), &r));
}
END_TEST

static const struct {
    const char *octets;
    int good;
} headers[] = {
    {"\x17\0\3\3\0\0", 1},   {"\x17\x80\3\3\0\1", 1},
    {"\x17\x40\3\3\0\1", 1}, {"\x17\xc0\3\3\xff\xff", 1},
    {"\x17\0\0\0\0\1", 1},   {"\x16\0\3\3\0\1", 1},
    {"\x16\x40\3\3\0\1", 1}, {"\x1b\0\3\3\0\1", 1},
    {"\x15\0\3\3\0\2", 1},   {"\x17\0\0\0\0\0", 0}, /* empty, unsigned */
    {"\x17\x40\0\0\0\1", 0}, {"\x17\x80\0\0\0\1", 0},
    {"\x17\x40\3\3\0\0", 0}, /* goes on, and is empty */
    {"\x17\x20\3\3\0\1", 0}, {"\x17\x01\3\3\0\1", 0},
    {"\x17\0\3\1\0\1", 0},   {"\x17\0\3\4\0\1", 0},
    {"\x16\0\0\0\0\1", 0},   {"\x16\x80\3\3\0\1", 0},
    {"\x1b\0\3\3\0\2", 0},   {"\x1b\x40\3\3\0\1", 0},
    {"\x15\0\3\3\0\1", 0},   {"\x15\x80\3\3\0\2", 0},
    {"\x14\0\3\3\0\1", 0},   {"\0\0\0\0\0\0", 0},
};

START_TEST(headers_that_may_be)
{
    for (size_t i = 0; i < core_count(headers); i++) {
        const unsigned char *in = (const unsigned char *)headers[i].octets;
        unsigned char out[MTLS_SIGN_HEADER];
        struct mtls_sign_header h;

        ck_assert_msg(mtls_sign_get_header(in, &h) == headers[i].good, "%zu",
                      i);
        mtls_sign_put_header(out, &h);
        ck_assert_mem_eq(out, in, sizeof(out));
    }
}
END_TEST

START_TEST(messages_in_pieces)
{
    static unsigned char data[3 * 65535 + 1], out[3 * 65535 + 100];
    const struct {
        size_t len, pieces;
    } rows[] = {{0, 1},     {1, 1},         {65535, 1},
                {65536, 2}, {2 * 65535, 2}, {sizeof(data), 4}};

    for (size_t i = 0; i < core_count(rows); i++) {
        size_t len = rows[i].len, size = mtls_sign_size(len), at = 0, got = 0;

        ck_assert_uint_eq(size, len + rows[i].pieces * MTLS_SIGN_HEADER);
        ck_assert_uint_eq(mtls_sign_put(out, size, MTLS_SIGN_DATA,
                                        MTLS_SIGN_RECEIPT, MTLS_SIGN_VERSION,
                                        data, len),
                          size);
        ck_assert_uint_eq(mtls_sign_put(out, size - 1, MTLS_SIGN_DATA, 0,
                                        MTLS_SIGN_VERSION, data, len),
                          0);
        mtls_sign_put(out, size, MTLS_SIGN_DATA, MTLS_SIGN_RECEIPT,
                      MTLS_SIGN_VERSION, data, len);
        for (size_t piece = 1; at < size; piece++) {
            struct mtls_sign_header h;

            ck_assert(mtls_sign_get_header(out + at, &h));
            ck_assert_uint_eq(
                h.flags, MTLS_SIGN_RECEIPT |
                             (piece < rows[i].pieces ? MTLS_SIGN_MORE : 0));
            got += h.length;
            at += MTLS_SIGN_HEADER + h.length;
        }
        ck_assert(at == size && got == len);
    }
}
END_TEST

START_TEST(lists_of_certificates)
{
    const unsigned char *list, *cert;
    size_t list_len, len;

    ck_assert(mtls_sign_get_certs(OCTETS("\0\0\x9\0\0\1a\0\0\2bc"), &list,
                                  &list_len));
    ck_assert_int_eq(mtls_sign_next_cert(&list, &list_len, &cert, &len), 1);
    ck_assert(len == 1 && *cert == 'a');
    ck_assert_int_eq(mtls_sign_next_cert(&list, &list_len, &cert, &len), 1);
    ck_assert(len == 2 && memcmp(cert, "bc", 2) == 0);
    ck_assert_int_eq(mtls_sign_next_cert(&list, &list_len, &cert, &len), 0);
    ck_assert(!mtls_sign_get_certs(OCTETS("\0\0\0"), &list, &list_len));
    ck_assert(!mtls_sign_get_certs(OCTETS("\0\0\1"), &list, &list_len));
    ck_assert(!mtls_sign_get_certs(OCTETS("\0\0\1ab"), &list, &list_len));
    ck_assert(mtls_sign_get_certs(OCTETS("\0\0\4\0\0\2a"), &list, &list_len));
    ck_assert_int_eq(mtls_sign_next_cert(&list, &list_len, &cert, &len), -1);
    ck_assert(mtls_sign_get_certs(OCTETS("\0\0\3\0\0\0"), &list, &list_len));
    ck_assert_int_eq(mtls_sign_next_cert(&list, &list_len, &cert, &len), -1);
}
END_TEST

START_TEST(contexts)
{
    struct mtls_sign_context c = {.binding = "0123456789abcdef0123456789abcde",
                                  .direction = 1,
                                  .flags = MTLS_SIGN_RECEIPT,
                                  .sequence = 0x0102030405060708},
                             back = {0};
    unsigned char out[MTLS_SIGN_CONTEXT], again[MTLS_SIGN_CONTEXT];

    mtls_sign_put_context(out, &c);
    ck_assert_mem_eq(out + 32, "\1\x80\1\2\3\4\5\6\7\x8", 10);
    ck_assert(mtls_sign_get_context(out, sizeof(out), &back));
    mtls_sign_put_context(again, &back);
    ck_assert_mem_eq(again, out, sizeof(out));
    ck_assert(!mtls_sign_get_context(out, sizeof(out) - 1, &back));
    out[32] = 2;
    ck_assert(!mtls_sign_get_context(out, sizeof(out), &back));
    out[32] = 0;
    for (int flags = 0; flags < 256; flags++) {
        out[33] = (unsigned char)flags;
        ck_assert(mtls_sign_get_context(out, sizeof(out), &back) ==
                  (flags == 0 || flags == 1 || flags == 0x80));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {requests, headers_that_may_be,
                                  messages_in_pieces, lists_of_certificates,
                                  contexts};

    return core_run("sign_wire", tests, core_count(tests));
}
