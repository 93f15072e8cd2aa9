/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Frames that a hostile or faulty peer may send, and the outcome that each
 * must have. In all cases but the fatal ones, other channels go on.
 */
#include "core_attacked.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

/* --- frames --- */

START_TEST(F4_type_0)
{
    core_attacked_begin();
    core_say(&at.link, "1", 0);
    core_attacked_broken(MTLS_R_SESSION_DESYNCHRONISED);
    core_attacked_end();
}
END_TEST

START_TEST(F5_length_below_the_header)
{
    for (unsigned int type = 1; type < 256; type += type == 5 ? 2 : 1) {
        for (unsigned int length = 0; length < 3; length++) {
            core_attacked_begin();
            core_say(&at.link, "12", type, length);
            core_attacked_broken(MTLS_R_SESSION_DESYNCHRONISED);
            core_attacked_end();
        }
    }
}
END_TEST

/* A packet of that type about our channel, as long as |length| says. */
static void say_sized(unsigned int type, unsigned int length)
{
    unsigned char *octets = calloc(1, length);

    ck_assert_ptr_nonnull(octets);
    core_octets(octets, "12", type, length);
    if (length >= 7)
        core_octets(octets + 3, "4", at.id);
    ck_assert_uint_eq(core_say_octets(&at.link, octets, length), length);
    free(octets);
}

START_TEST(F6_a_wrong_length_about_an_open_channel)
{
    static const struct {
        unsigned int type, size;
    } rows[] = {{CORE_CLOSE, 7},
                {CORE_CONFIRMATION, 7},
                {CORE_NEW_MAX, 11},
                {CORE_ACK, 11}};

    for (size_t i = 0; i < core_count(rows); i++) {
        core_attacked_begin();
        say_sized(rows[i].type, rows[i].size + 1);
        core_attacked_failed(MTLS_R_MALFORMED_PACKET);
        core_attacked_end();
        core_attacked_begin();
        say_sized(rows[i].type, 65535);
        core_attacked_failed(MTLS_R_MALFORMED_PACKET);
        core_attacked_end();
        core_attacked_begin();
        say_sized(rows[i].type, rows[i].size - 1);
        ck_assert_uint_eq(core_attacked_stats().malformed, 1);
        if (rows[i].size - 1 >= 7) {
            core_attacked_failed(MTLS_R_MALFORMED_PACKET);
        } else { /* it names nobody */
            core_silent(&at.link);
            ck_assert_int_eq(at.ch->life, MTLS_OPEN);
            core_healthy(&at.link);
        }
        core_attacked_end();
    }
}
END_TEST

START_TEST(F6_a_wrong_length_of_an_answer)
{
    static const unsigned int lengths[] = {14, 16, 65535, 7};

    for (size_t i = 0; i < core_count(lengths); i++) {
        struct mtls_channel *opening;
        struct core_packet request, close;
        unsigned char *octets = calloc(1, lengths[i]);

        core_attacked_begin();
        opening = core_open(&at.link.server, "x");
        request = core_hear_only(&at.link, CORE_REQUEST);
        core_octets(octets, "12 22", CORE_SUCCESS, lengths[i], request.half, 5);
        core_say_octets(&at.link, octets, lengths[i]);
        free(octets);
        close = core_hear_only(&at.link, CORE_CLOSE);
        ck_assert_uint_eq(close.id, (uint32_t)request.half << 16 | 5);
        ck_assert_int_eq(opening->rx_reason, MTLS_R_MALFORMED_PACKET);
        core_healthy(&at.link);
        mtls_session_release(opening);
        core_attacked_end();
    }
}
END_TEST

START_TEST(F6_an_echec_whose_text_disagrees_with_its_length)
{
    struct mtls_channel *opening;
    struct core_packet request;

    core_attacked_begin();
    opening = core_open(&at.link.server, "x");
    request = core_hear_only(&at.link, CORE_REQUEST);
    core_say(&at.link, "12 22 1", CORE_ECHEC, 8, request.half, 2, 'x');
    ck_assert_int_eq(opening->rx_reason, MTLS_R_CHANNEL_REFUSED);
    ck_assert_uint_eq(core_attacked_stats().malformed, 1);
    core_healthy(&at.link);
    mtls_session_release(opening);
    core_attacked_end();
}
END_TEST

START_TEST(F7_vectors_that_do_not_fill_the_request)
{
    static const unsigned int cut[] = {1, 2, 5, 7, 14};

    for (size_t i = 0; i < core_count(cut); i++) {
        unsigned char octets[64];
        size_t len = core_request_octets(octets, 8, 1000, 100, "to", 80);

        core_attacked_begin();
        core_octets(octets + 1, "2", (unsigned int)len - cut[i]);
        core_say_octets(&at.link, octets, len - cut[i]);
        core_attacked_refused(8, "malformed:");
        core_octets(octets + 1, "2", (unsigned int)len + cut[i]);
        core_say_octets(&at.link, octets,
                        sizeof(octets) < len + cut[i] ? len : len + cut[i]);
        core_attacked_refused(8, "malformed:");
        ck_assert_uint_eq(core_attacked_stats().malformed, 2);
        core_healthy(&at.link);
        core_attacked_end();
    }
}
END_TEST

START_TEST(F7_a_request_too_short_to_name_its_half)
{
    core_attacked_begin();
    core_say(&at.link, "12 1", CORE_REQUEST, 4, 0);
    core_silent(&at.link);
    core_say(&at.link, "12", CORE_REQUEST, 3);
    core_silent(&at.link);
    ck_assert_uint_eq(core_attacked_stats().malformed, 2);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(F7_a_request_over_1024_octets)
{
    static const unsigned int lengths[] = {1025, 2000, 65535};

    for (size_t i = 0; i < core_count(lengths); i++) {
        unsigned char *octets = calloc(1, lengths[i]);

        core_attacked_begin();
        core_octets(octets, "12 2 44 2", CORE_REQUEST, lengths[i], 8, 1000,
                    1000, lengths[i] - 22);
        core_say_octets(&at.link, octets, lengths[i]);
        core_attacked_refused(8, "malformed:");
        core_healthy(&at.link);
        free(octets);
        core_attacked_end();
    }
}
END_TEST

/* Says a packet's header, then |octets| of its data; how many were taken. */
static uint64_t say_endless(uint32_t length, uint64_t octets)
{
    static const unsigned char data[4096];
    uint64_t taken = 0, n;

    core_say(&at.link, "144", CORE_DATA, length, at.id);
    while (taken < octets) {
        n = core_say_octets(&at.link, data, sizeof(data));
        taken += n;
        core_must(core_held(at.link.server.session) == 0);
        if (n < sizeof(data))
            break;
    }
    return taken;
}

START_TEST(F8_a_packet_far_over_the_credit)
{
    static const uint32_t lengths[] = {0x80000000, 0xffffffff};

    for (size_t i = 0; i < core_count(lengths); i++) {
        uint64_t taken;

        core_attacked_begin();
        core_say(&at.link, "144", CORE_DATA, lengths[i], at.id);
        ck_assert_uint_eq(core_hear_only(&at.link, CORE_CLOSE).id, at.id);
        ck_assert_int_eq(at.ch->rx_reason, MTLS_R_PACKET_TOO_LONG);
        core_attacked_end();
        core_attacked_begin();
        taken = say_endless(lengths[i], 1024 * 1024);
        core_attacked_broken(MTLS_R_PACKET_TOO_LONG);
        ck_assert_uint_ge(taken, 65536 + 65536);
        ck_assert_uint_le(taken, 65536 + 65536 + 4096);
        core_attacked_end();
    }
}
END_TEST

START_TEST(F8_a_packet_a_little_over_the_credit_is_skipped)
{
    static const uint32_t over[] = {65537, 65536 + 65535, 65536 + 65536};
    static unsigned char data[65536 + 65536];

    for (size_t i = 0; i < core_count(over); i++) {
        core_attacked_begin();
        core_say(&at.link, "144", CORE_DATA, over[i], at.id);
        ck_assert_uint_eq(core_say_octets(&at.link, data, over[i]), over[i]);
        ck_assert_uint_eq(at.ch->buffer.length, 0);
        core_attacked_failed(MTLS_R_PACKET_TOO_LONG);
        core_attacked_end();
    }
}
END_TEST

START_TEST(F9_unknown_types)
{
    core_attacked_begin();
    for (unsigned int type = 9; type < 256; type++) {
        core_say(&at.link, "12", type, 3);
        core_say(&at.link, "12 1114", type, 10, 1, 2, 3, 4);
        core_say(&at.link, "144 1", CORE_DATA, 1, at.id, type);
    }
    ck_assert_uint_eq(core_attacked_stats().ignored, 2 * 247);
    ck_assert_uint_eq(at.ch->buffer.length, 247);
    core_silent(&at.link);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(F10_unknown_types_of_65535_octets)
{
    static unsigned char octets[65535];

    core_attacked_begin();
    core_octets(octets, "12", 99, 65535);
    for (int i = 0; i < 2000; i++)
        core_must(core_say_octets(&at.link, octets, 65535) == 65535);
    ck_assert_uint_eq(core_attacked_stats().ignored, 2000);
    ck_assert_uint_eq(core_held(at.link.server.session), 0);
    core_silent(&at.link);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(F11_random_octets)
{
    struct core_random random = core_random_of(core_seed(5));
    unsigned char octets[256];

    for (int i = 0; i < 5000; i++) {
        uint64_t taken = 0;

        core_attacked_begin();
        while (!mtls_session_ended(at.link.server.session) && taken < 20000) {
            size_t n = 1 + core_below(&random, sizeof(octets));
            struct core_packet packet;

            for (size_t k = 0; k < n; k++)
                octets[k] = (unsigned char)core_below(
                    &random, core_chance(&random, 2) ? 256 : 12);
            if (core_chance(&random, 3))
                core_octets(octets, "1", 1 + core_below(&random, 9));
            core_say_octets(&at.link, octets, n);
            while (core_hear(&at.link, &packet) != 0)
                ;
            taken += n;
        }
        core_attacked_end();
    }
}
END_TEST

START_TEST(F12_empty_packets)
{
    core_attacked_begin();
    core_say(&at.link, "144", CORE_DATA, 0, at.id);
    core_silent(&at.link);
    ck_assert_int_eq(at.ch->rx, MTLS_RX_ENDED);
    for (int i = 0; i < 100000; i++)
        core_say(&at.link, "144", CORE_DATA, 0, at.id);
    core_attacked_failed(MTLS_R_DATA_AFTER_END);
    core_attacked_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        F4_type_0,
        F5_length_below_the_header,
        F6_a_wrong_length_about_an_open_channel,
        F6_a_wrong_length_of_an_answer,
        F6_an_echec_whose_text_disagrees_with_its_length,
        F7_vectors_that_do_not_fill_the_request,
        F7_a_request_too_short_to_name_its_half,
        F7_a_request_over_1024_octets,
        F8_a_packet_far_over_the_credit,
        F8_a_packet_a_little_over_the_credit_is_skipped,
        F9_unknown_types,
        F10_unknown_types_of_65535_octets,
        F11_random_octets,
        F12_empty_packets};

    return core_run("session_hostile", tests, core_count(tests));
}
