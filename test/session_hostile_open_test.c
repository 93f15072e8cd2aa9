/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a hostile or faulty peer may do when channels are opened. */
#include "core_attacked.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <string.h>

/* --- opening --- */

START_TEST(O1_a_half_in_use)
{
    struct mtls_channel *other;

    core_attacked_begin(); /* 0x100 is open */
    core_say_request(&at.link, 0x100, 1000);
    core_attacked_refused(0x100, "collision:");
    ck_assert_int_eq(at.ch->life, MTLS_OPEN);
    core_say_request(&at.link, 0x102, 1000); /* this one waits */
    core_say_request(&at.link, 0x102, 1000);
    core_attacked_refused(0x102, "collision:");
    other = core_accept(&at.link.server);
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_SUCCESS).half, 0x102);
    mtls_session_reset(other); /* this one is closing */
    core_hear_only(&at.link, CORE_CLOSE);
    core_say_request(&at.link, 0x102, 1000);
    core_attacked_refused(0x102, "collision:");
    core_write(at.ch, "fine");
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_DATA).id, at.id);
    mtls_session_release(other);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O2_the_half_of_our_own_request)
{
    struct mtls_channel *ours;
    struct core_packet request;

    core_attacked_begin();
    ours = core_open(&at.link.server, "x");
    request = core_hear_only(&at.link, CORE_REQUEST);
    core_say_request(&at.link, request.half, 1000);
    core_attacked_refused(request.half, "collision:");
    core_say_success(&at.link, request.half, 77, 1000);
    ck_assert_int_eq(ours->life, MTLS_OPEN);
    core_say_request(&at.link, request.half, 1000); /* open by now */
    core_attacked_refused(request.half, "collision:");
    mtls_session_release(ours);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O3_a_success_that_answers_nothing)
{
    struct mtls_channel *ours;
    uint32_t its;

    core_attacked_begin();
    core_say_success(&at.link, 0x55, 1, 1000); /* never asked */
    core_say_success(&at.link, (uint16_t)at.id, 1,
                     1000); /* an acceptor's half */
    ours = core_raw_opened(&at.link, 9, 1000, &its);
    core_say_success(&at.link, (uint16_t)(its >> 16), 9, 5000); /* twice */
    core_say_success(&at.link, (uint16_t)(its >> 16), 11, 5000);
    ck_assert_uint_eq(ours->out.credit, 1000);
    ck_assert_uint_eq(mtls_channel_id(ours), its);
    ck_assert_uint_eq(core_attacked_stats().ignored, 4);
    core_silent(&at.link);
    mtls_session_release(ours);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    ours = core_open(&at.link.server, "x");
    its = core_hear_only(&at.link, CORE_REQUEST).half;
    core_say(&at.link, "12 22", CORE_ECHEC, 7, its, 0);
    core_say_success(&at.link, (uint16_t)its, 13, 5000); /* after Echec */
    ck_assert_int_eq(ours->rx_reason, MTLS_R_CHANNEL_REFUSED);
    ck_assert_uint_eq(core_attacked_stats().ignored, 5);
    core_silent(&at.link);
    mtls_session_release(ours);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O4_an_echec_that_answers_nothing)
{
    struct mtls_channel *ours;
    uint32_t its;

    core_attacked_begin();
    ours = core_raw_opened(&at.link, 9, 1000, &its);
    core_say(&at.link, "12 22", CORE_ECHEC, 7, its >> 16, 0); /* it is open */
    ck_assert_int_eq(ours->life, MTLS_OPEN);
    core_say(&at.link, "12 22", CORE_ECHEC, 7, 0x55, 0);
    ck_assert_uint_eq(core_attacked_stats().ignored, 2);
    core_silent(&at.link);
    mtls_session_release(ours);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O4_texts_are_cut_and_escaped)
{
    static unsigned char octets[65535];
    struct mtls_channel *ours;

    core_attacked_begin();
    for (int i = 0; i < 2; i++) {
        size_t len = i == 0 ? 0 : 65528;

        ours = core_open(&at.link.server, "x");
        memset(octets, i == 0 ? 0 : 0x1b, sizeof(octets));
        core_octets(octets, "12 22", CORE_ECHEC, 7 + len,
                    core_hear_only(&at.link, CORE_REQUEST).half, len);
        ck_assert_uint_eq(core_say_octets(&at.link, octets, 7 + len), 7 + len);
        ck_assert_int_eq(ours->rx_reason, MTLS_R_CHANNEL_REFUSED);
        ck_assert_ptr_nonnull(ours->echec);
        ck_assert_uint_eq(strlen(ours->echec), i == 0 ? 0 : 4000);
        ck_assert(i == 0 || strncmp(ours->echec, "\\x1b\\x1b", 8) == 0);
        mtls_session_release(ours);
    }
    ours = core_open(&at.link.server, "x");
    core_say(&at.link, "12 22 1111111", CORE_ECHEC, 14,
             core_hear_only(&at.link, CORE_REQUEST).half, 7, 'a', 0, '\n', 0x7f,
             0xff, '\\', 'b');
    ck_assert_str_eq(ours->echec, "a\\x00\\x0a\\x7f\\xff\\x5cb");
    mtls_session_release(ours);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O5_a_success_with_a_half_that_stands_in_another_channel)
{
    struct mtls_channel *first, *second;
    struct core_packet request;
    uint32_t its;

    core_attacked_begin();
    first = core_raw_opened(&at.link, 9, 1000, &its);
    second = core_open(&at.link.server, "y");
    request = core_hear_only(&at.link, CORE_REQUEST);
    core_say_success(&at.link, request.half, 9, 1000);
    ck_assert_int_eq(second->rx_reason, MTLS_R_HALF_COLLISION);
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_CLOSE).id,
                      (uint32_t)request.half << 16 | 9);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7,
             (uint32_t)request.half << 16 | 9);
    ck_assert_int_eq(second->life, MTLS_CLOSED);
    mtls_session_release(second);
    ck_assert_int_eq(first->life, MTLS_OPEN);
    core_say(&at.link, "144 1", CORE_DATA, 1, its, 'x');
    core_expect(first, "x");
    second = core_open(&at.link.server, "z"); /* 9 is still first's alone */
    request = core_hear_only(&at.link, CORE_REQUEST);
    core_say_success(&at.link, request.half, 9, 1000);
    ck_assert_int_eq(second->rx_reason, MTLS_R_HALF_COLLISION);
    core_hear_only(&at.link, CORE_CLOSE);
    mtls_session_release(first);
    mtls_session_release(second);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O6_packets_for_a_channel_still_opening)
{
    struct mtls_channel *ours;
    struct core_packet request;
    uint32_t its;

    core_attacked_begin();
    ours = core_open(&at.link.server, "x");
    request = core_hear_only(&at.link, CORE_REQUEST);
    core_say_request(&at.link, 0x102, 1000); /* and one that waits */
    for (int i = 0; i < 2; i++) {
        its = i == 0 ? (uint32_t)request.half << 16 | 9 : 0x01020002;
        core_say(&at.link, "144 1", CORE_DATA, 1, its, 'x');
        core_say(&at.link, "124 4", CORE_ACK, 11, its, 10);
        core_say(&at.link, "124 4", CORE_NEW_MAX, 11, its, 10);
        core_say(&at.link, "124", CORE_CLOSE, 7, its);
        ck_assert_uint_eq(core_hear_only(&at.link, CORE_CONFIRMATION).id, its);
    }
    ck_assert_uint_eq(core_attacked_stats().ignored, 6);
    ck_assert_int_eq(ours->life, MTLS_OPENING);
    core_say_success(&at.link, request.half, 9, 1000);
    ck_assert_int_eq(ours->life, MTLS_OPEN);
    ck_assert_uint_eq(ours->out.credit, 1000);
    mtls_session_release(ours);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O7_requests_without_reading_our_answers)
{
    unsigned char octets[64];
    size_t len, n, taken = 0;
    struct core_packet packet;
    int heard = 0;

    core_attacked_begin();
    len = core_request_octets(octets, 0x100, 1, 1, "to", 80); /* all collide */
    for (int i = 0; i < 100000; i++) {
        n = core_say_octets(&at.link, octets, len);
        core_must(at.link.server.session->answers_count <= MTLS_ANSWERS);
        taken += n;
        if (n == 0)
            break;
    }
    ck_assert(!mtls_session_can_receive(at.link.server.session));
    ck_assert_uint_le(taken, (MTLS_ANSWERS + 2) * len + MTLS_STAGING);
    while (core_hear(&at.link, &packet) != 0) /* at last it reads */
        heard += packet.type == CORE_ECHEC;
    ck_assert_int_eq(heard, MTLS_ANSWERS);
    ck_assert(mtls_session_can_receive(at.link.server.session));
    do { /* what had not been taken is delivered now */
        n = core_deliver(&at.link.client.out, at.link.server.session, SIZE_MAX);
        while (core_hear(&at.link, &packet) != 0)
            ;
    } while (n != 0);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

static void refused_over(struct mtls_session_config *config, int allowed)
{
    struct mtls_channel *c;

    core_raw_open(&at.link, config);
    for (int i = 0; i < allowed; i++)
        core_say_request(&at.link, (uint16_t)(i * 2), 1000);
    core_silent(&at.link);
    core_say_request(&at.link, 500, 1000);
    core_attacked_refused(500, "resource-shortage:");
    ck_assert_uint_eq(core_attacked_stats().refused, 1);
    while ((c = mtls_session_next_asked(at.link.server.session)) != NULL) {
        ck_assert(mtls_session_reject(c, "prohibited: x"));
        core_hear_only(&at.link, CORE_ECHEC);
        mtls_session_release(c);
    }
    core_healthy(&at.link);
    core_link_close(&at.link);
}

START_TEST(O8_more_than_the_limits)
{
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.max_channels = 5;
    refused_over(&config, 5);
    mtls_session_config_default(&config);
    config.max_opening = 5;
    refused_over(&config, 5);
    mtls_session_config_default(&config);
    config.backlog = 5;
    refused_over(&config, 5);
    mtls_session_config_default(&config);
    config.session_memory = 5 * 512 + 100;
    refused_over(&config, 4); /* the first has a little more than 512 */
}
END_TEST

/* Taken by the program, but not decided: opening still, not in the backlog. */
START_TEST(O8_undecided_requests_count_as_opening)
{
    struct mtls_session_config config;
    struct mtls_channel *c[3];

    mtls_session_config_default(&config);
    config.max_opening = 3;
    core_raw_open(&at.link, &config);
    for (int i = 0; i < 3; i++) {
        core_say_request(&at.link, (uint16_t)(i * 2), 1000);
        c[i] = mtls_session_next_asked(at.link.server.session);
    }
    core_say_request(&at.link, 500, 1000);
    core_attacked_refused(500, "resource-shortage:");
    mtls_session_accept(c[0]);
    core_hear_only(&at.link, CORE_SUCCESS);
    mtls_session_release(c[1]);
    core_hear_only(&at.link, CORE_ECHEC);
    core_healthy(&at.link);
    mtls_session_release(c[0]);
    mtls_session_release(c[2]);
    core_link_close(&at.link);
}
END_TEST

START_TEST(O10_all_halves_in_use)
{
    static struct mtls_channel *all[32768];
    struct mtls_session_config config;
    struct mtls_address to = {"x", 1, 1};
    struct mtls_channel *one;

    mtls_session_config_default(&config);
    core_raw_open(&at.link, &config);
    for (size_t i = 0; i < core_count(all); i++) {
        all[i] = mtls_channel_new(at.link.server.session, NULL);
        core_must(mtls_channel_set_names(all[i], &to, &to));
        core_must(mtls_session_open(all[i]) == 0);
    }
    one = mtls_channel_new(at.link.server.session, NULL);
    mtls_channel_set_names(one, &to, &to);
    ck_assert_int_eq(mtls_session_open(one), MTLS_R_NO_HALF_FREE);
    mtls_session_release(all[77]);
    ck_assert_int_eq(mtls_session_open(one), 0);
    mtls_session_release(one);
    for (size_t i = 0; i < core_count(all); i++)
        if (i != 77)
            mtls_session_release(all[i]);
    ck_assert_uint_eq(core_attacked_stats().window_memory, 0);
    core_healthy(&at.link);
    core_link_close(&at.link);
}
END_TEST

START_TEST(O11_extreme_windows)
{
    static const struct {
        uint32_t window, max, sends;
    } rows[] = {{0, 100, 0},
                {1, 100, 1},
                {UINT32_MAX, 100, 100},
                {10, 20, 10},
                {10, UINT32_MAX, 10},
                {10, 1, 1},
                {UINT32_MAX, UINT32_MAX, 1000}};

    core_attacked_begin();
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char octets[64], data[1000] = {0};
        struct mtls_channel *c;
        struct core_packet packet;
        size_t sent;

        core_say_octets(&at.link, octets,
                        core_request_octets(octets, (uint16_t)(i * 2),
                                            rows[i].window, rows[i].max, "to",
                                            80));
        c = core_accept(&at.link.server);
        core_hear_only(&at.link, CORE_SUCCESS);
        sent = mtls_session_write(c, data, sizeof(data));
        ck_assert_uint_eq(sent, rows[i].window < 1000 ? rows[i].window : 1000);
        while (core_hear(&at.link, &packet) == CORE_DATA)
            ck_assert_uint_le(packet.len, rows[i].sends);
        mtls_session_reset(c);
        mtls_session_release(c);
        core_hear_only(&at.link, CORE_CLOSE);
    }
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O11_max_packet_0)
{
    unsigned char octets[64];
    struct mtls_channel *ours;
    struct core_packet request;

    core_attacked_begin();
    core_say_octets(&at.link, octets,
                    core_request_octets(octets, 8, 100, 0, "to", 80));
    core_attacked_refused(8, "malformed:");
    ours = core_open(&at.link.server, "x");
    request = core_hear_only(&at.link, CORE_REQUEST);
    core_say(&at.link, "12 2244", CORE_SUCCESS, 15, request.half, 5, 1000, 0);
    core_hear_only(&at.link, CORE_CLOSE);
    ck_assert_int_eq(ours->rx_reason, MTLS_R_MALFORMED_PACKET);
    mtls_session_release(ours);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(O12_addresses_that_are_not_texts)
{
    static const struct {
        const char *host;
        int ok;
    } rows[] = {{"a", 1},    {"", 0},        {"a\nb", 0}, {"a\x7f", 0},
                {"\x1f", 0}, {"unix:/x", 1}, {"::1", 1},  {"\xc3\xa9", 1}};
    static char longest[257];
    unsigned char octets[600];
    size_t len;

    core_attacked_begin();
    for (size_t i = 0; i < core_count(rows); i++) {
        core_say_octets(&at.link, octets,
                        core_request_octets(octets, (uint16_t)(i * 2), 1, 1,
                                            rows[i].host, 80));
        if (rows[i].ok)
            core_silent(&at.link);
        else
            core_attacked_refused((uint16_t)(i * 2), "malformed:");
    }
    memset(longest, 'l', 256);
    len = core_request_octets(octets, 60, 1, 1, longest, 80);
    core_say_octets(&at.link, octets, len);
    core_attacked_refused(60, "malformed:");
    len = core_request_octets(octets, 60, 1, 1, longest + 1, 80);
    core_say_octets(&at.link, octets, len);
    core_silent(&at.link);
    len = core_request_octets(octets, 62, 1, 1, "abc", 80);
    octets[len - 4] = '\0'; /* a NUL inside */
    core_say_octets(&at.link, octets, len);
    core_attacked_refused(62, "malformed:");
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        O1_a_half_in_use,
        O2_the_half_of_our_own_request,
        O3_a_success_that_answers_nothing,
        O4_an_echec_that_answers_nothing,
        O4_texts_are_cut_and_escaped,
        O5_a_success_with_a_half_that_stands_in_another_channel,
        O6_packets_for_a_channel_still_opening,
        O7_requests_without_reading_our_answers,
        O8_more_than_the_limits,
        O8_undecided_requests_count_as_opening,
        O10_all_halves_in_use,
        O11_extreme_windows,
        O11_max_packet_0,
        O12_addresses_that_are_not_texts};

    return core_run("session_hostile_open", tests, core_count(tests));
}
