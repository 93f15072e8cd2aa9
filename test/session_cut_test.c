/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The stream may be cut anywhere: attacks F1 and F3, and any delivery size. */
#include "core_link.h"

#include <mtls/mtls_err.h>
#include <stdio.h>
#include <string.h>

static struct core_link link;

/* --- every type of packet, in one stream --- */

/* Our own halves are known: initiators 1, 3; the first acceptor 0. */
static size_t every_type(unsigned char *out)
{
    unsigned char *p = out;

    p += core_octets(p, "12 2244", CORE_SUCCESS, 15, 1, 9, 1000, 100);
    p += core_octets(p, "12 22 1111", CORE_ECHEC, 11, 3, 4, 'b', 'u', 's', 'y');
    p += core_request_octets(p, 4, 70000, 5000, "there", 80);
    p += core_octets(p, "144 11111", CORE_DATA, 5, 0x10009, 'h', 'e', 'l', 'l',
                     'o');
    p += core_octets(p, "124 4", CORE_ACK, 11, 0x10009, 77);
    p += core_octets(p, "124 4", CORE_NEW_MAX, 11, 0x10009, 50);
    p += core_octets(p, "12 1114", 200, 10, 1, 2, 3, 4); /* unknown (D11) */
    p += core_octets(p, "124", CORE_CLOSE, 7, 0x50005);
    p += core_octets(p, "124", CORE_CONFIRMATION, 7, 0x50006);
    p += core_octets(p, "144 111", CORE_DATA, 3, 0x50007, 1, 2,
                     3); /* nobody's */
    p += core_octets(p, "144", CORE_DATA, 0, 0x10009);
    p += core_octets(p, "124", CORE_CLOSE, 7, 0x10009);
    return (size_t)(p - out);
}

static struct mtls_channel *opened, *refused;

static void begin_stream(void)
{
    core_raw_open(&link, NULL);
    opened = core_open(&link.server, "a");
    refused = core_open(&link.server, "b");
    core_hear_only(&link, CORE_REQUEST);
    core_hear_only(&link, CORE_REQUEST);
}

static void expect_stream(void)
{
    struct mtls_session_stats stats;
    struct mtls_channel *asked;

    core_expect(opened, "hello");
    ck_assert(core_at_end(opened, MTLS_RX_ENDED));
    ck_assert_uint_eq(opened->out.credit, 1077);
    ck_assert_uint_eq(opened->out.max_packet, 50);
    ck_assert_int_eq(opened->tx_reason, MTLS_R_CLOSED_BY_PEER);
    ck_assert_str_eq(refused->echec, "busy");
    asked = core_accept(&link.server);
    ck_assert_str_eq(mtls_channel_host(asked), "there");
    ck_assert_uint_eq(asked->out.credit, 70000);
    mtls_session_stats(link.server.session, &stats);
    ck_assert_uint_eq(stats.packets_in, 12);
    ck_assert_uint_eq(stats.data_in, 5);
    ck_assert_uint_eq(stats.ignored, 3);
    ck_assert_uint_eq(stats.malformed, 0);
    ck_assert_uint_eq(core_hear_only(&link, CORE_CONFIRMATION).id, 0x50005);
    ck_assert_uint_eq(core_hear_only(&link, CORE_CONFIRMATION).id, 0x10009);
    ck_assert_uint_eq(core_hear_only(&link, CORE_SUCCESS).half, 4);
    core_silent(&link);
    mtls_session_release(opened);
    mtls_session_release(refused);
    mtls_session_release(asked);
    core_link_close(&link);
}

START_TEST(F3_all_types_in_one_record_or_each_octet_in_its_own)
{
    unsigned char octets[512];
    size_t len = every_type(octets);

    begin_stream();
    ck_assert_uint_eq(core_say_octets(&link, octets, len), len);
    expect_stream();
    begin_stream();
    link.piece = 1;
    ck_assert_uint_eq(core_say_octets(&link, octets, len), len);
    expect_stream();
}
END_TEST

START_TEST(F1_each_type_cut_at_each_octet)
{
    unsigned char octets[512];
    size_t len = every_type(octets);

    for (size_t cut = 1; cut < len; cut++) {
        begin_stream();
        core_say_octets(&link, octets, cut);
        core_say_octets(&link, octets + cut, len - cut);
        expect_stream();
    }
}
END_TEST

START_TEST(F1_two_cuts)
{
    unsigned char octets[512];
    size_t len = every_type(octets);

    for (size_t cut = 1; cut + 1 < len; cut += 3) {
        for (size_t next = cut + 1; next < len; next += 7) {
            begin_stream();
            core_say_octets(&link, octets, cut);
            core_say_octets(&link, octets + cut, next - cut);
            core_say_octets(&link, octets + next, len - next);
            expect_stream();
        }
    }
}
END_TEST

/* --- the end of the session, at any octet (D14) --- */

START_TEST(F2_an_end_amid_a_packet_is_a_truncation)
{
    unsigned char octets[64];
    size_t len = core_octets(octets, "144 11111", CORE_DATA, 5, 0x10009, 'h',
                             'e', 'l', 'l', 'o');

    for (size_t cut = 0; cut < len; cut++) {
        struct mtls_channel *c;
        uint32_t id;

        core_raw_open(&link, NULL);
        c = core_raw_opened(&link, 9, 1000, &id);
        core_say_octets(&link, octets, cut);
        mtls_session_end(link.server.session);
        ck_assert_uint_eq(core_discard(c), cut > 9 ? cut - 9 : 0);
        ck_assert(core_at_end(c, MTLS_RX_FAILED));
        ck_assert_int_eq(c->rx_reason, MTLS_R_TRUNCATED);
        mtls_session_release(c);
        core_link_close(&link);
    }
}
END_TEST

/* --- any size of deliveries --- */

static unsigned char octet_at(uint64_t place, int way)
{
    return (unsigned char)(place * 31 + place / 253 + (uint64_t)way * 100);
}

/* Writes what fits of |total| octets, then ends. */
static void feed(struct mtls_channel *c, int way, uint64_t total)
{
    unsigned char octets[5000];
    uint64_t left = total - c->data_out;
    size_t n = left < sizeof(octets) ? (size_t)left : sizeof(octets);

    for (size_t i = 0; i < n; i++)
        octets[i] = octet_at(c->data_out + i, way);
    mtls_session_write(c, octets, n);
    if (c->data_out == total && c->tx == MTLS_TX_OPEN)
        core_must(mtls_session_end_data(c));
}

static void eat(struct mtls_channel *c, int way, uint64_t *place)
{
    unsigned char octets[3000];
    size_t n = mtls_session_read(c, octets, sizeof(octets));

    for (size_t i = 0; i < n; i++)
        core_must(octets[i] == octet_at((*place)++, way));
}

static void transfer(size_t piece, struct core_random *random, uint64_t total)
{
    struct mtls_channel *a, *b;
    uint64_t at_a = 0, at_b = 0;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    link.piece = piece;
    link.random = random;
    for (int i = 0;
         !core_at_end(a, MTLS_RX_ENDED) || !core_at_end(b, MTLS_RX_ENDED);
         i++) {
        core_must(i < 100000);
        feed(a, 1, total);
        feed(b, 2, total);
        core_move(&link);
        eat(a, 2, &at_a);
        eat(b, 1, &at_b);
    }
    core_must(at_a == total);
    core_must(at_b == total);
    mtls_session_release(a);
    mtls_session_release(b);
    core_settle(&link);
    core_link_close(&link);
}

START_TEST(deliveries_of_any_size_carry_the_same)
{
    static const size_t pieces[] = {1,    3,    9,    10,    256,   265,  1023,
                                    1024, 1025, 1033, 16383, 16384, 16385};

    for (size_t i = 0; i < core_count(pieces); i++)
        transfer(pieces[i], NULL, 100000);
    transfer(0, NULL, 100000);
}
END_TEST

START_TEST(deliveries_of_random_sizes_carry_the_same)
{
    uint64_t seed = core_seed(3);
    struct core_random random = core_random_of(seed);

    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 8; i++)
        transfer(1 + core_below(&random, 5000), &random, 100000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        F3_all_types_in_one_record_or_each_octet_in_its_own,
        F1_each_type_cut_at_each_octet,
        F1_two_cuts,
        F2_an_end_amid_a_packet_is_a_truncation,
        deliveries_of_any_size_carry_the_same,
        deliveries_of_random_sizes_carry_the_same};

    return core_run("session_cut", tests, core_count(tests));
}
