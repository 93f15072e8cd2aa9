/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a hostile or faulty peer may do when channels are opened. */
#include "core_link.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <string.h>

static struct core_link link;
static struct mtls_channel *ch; /* the one that is attacked */
static uint32_t id;

static void begin(void)
{
    core_raw_open(&link, NULL);
    ch = core_raw_accepted(&link, 0x100, &id);
}

static void end(void)
{
    mtls_session_release(ch);
    core_check(link.server.session);
    core_link_close(&link);
}

static struct mtls_session_stats stats(void)
{
    struct mtls_session_stats now;

    mtls_session_stats(link.server.session, &now);
    return now;
}

/* Outcome E: refused, with its word. */
static void refused(uint16_t half, const char *word)
{
    struct core_packet echec = core_hear_only(&link, CORE_ECHEC);

    ck_assert_uint_eq(echec.half, half);
    ck_assert_uint_gt(echec.len, strlen(word));
    ck_assert_mem_eq(echec.p, word, strlen(word));
}

/* --- opening --- */

START_TEST(O1_a_half_in_use)
{
    struct mtls_channel *other;

    begin(); /* 0x100 is open */
    core_say_request(&link, 0x100, 1000);
    refused(0x100, "collision:");
    ck_assert_int_eq(ch->life, MTLS_OPEN);
    core_say_request(&link, 0x102, 1000); /* this one waits */
    core_say_request(&link, 0x102, 1000);
    refused(0x102, "collision:");
    other = core_accept(&link.server);
    ck_assert_uint_eq(core_hear_only(&link, CORE_SUCCESS).half, 0x102);
    mtls_session_reset(other); /* this one is closing */
    core_hear_only(&link, CORE_CLOSE);
    core_say_request(&link, 0x102, 1000);
    refused(0x102, "collision:");
    core_write(ch, "fine");
    ck_assert_uint_eq(core_hear_only(&link, CORE_DATA).id, id);
    mtls_session_release(other);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O2_the_half_of_our_own_request)
{
    struct mtls_channel *ours;
    struct core_packet request;

    begin();
    ours = core_open(&link.server, "x");
    request = core_hear_only(&link, CORE_REQUEST);
    core_say_request(&link, request.half, 1000);
    refused(request.half, "collision:");
    core_say_success(&link, request.half, 77, 1000);
    ck_assert_int_eq(ours->life, MTLS_OPEN);
    core_say_request(&link, request.half, 1000); /* open by now */
    refused(request.half, "collision:");
    mtls_session_release(ours);
    core_hear_only(&link, CORE_DATA);
    core_hear_only(&link, CORE_CLOSE);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O3_a_success_that_answers_nothing)
{
    struct mtls_channel *ours;
    uint32_t its;

    begin();
    core_say_success(&link, 0x55, 1, 1000);         /* never asked */
    core_say_success(&link, (uint16_t)id, 1, 1000); /* an acceptor's half */
    ours = core_raw_opened(&link, 9, 1000, &its);
    core_say_success(&link, (uint16_t)(its >> 16), 9, 5000); /* twice */
    core_say_success(&link, (uint16_t)(its >> 16), 11, 5000);
    ck_assert_uint_eq(ours->out.credit, 1000);
    ck_assert_uint_eq(mtls_channel_id(ours), its);
    ck_assert_uint_eq(stats().ignored, 4);
    core_silent(&link);
    mtls_session_release(ours);
    core_hear_only(&link, CORE_DATA);
    core_hear_only(&link, CORE_CLOSE);
    ours = core_open(&link.server, "x");
    its = core_hear_only(&link, CORE_REQUEST).half;
    core_say(&link, "12 22", CORE_ECHEC, 7, its, 0);
    core_say_success(&link, (uint16_t)its, 13, 5000); /* after Echec */
    ck_assert_int_eq(ours->rx_reason, MTLS_R_CHANNEL_REFUSED);
    ck_assert_uint_eq(stats().ignored, 5);
    core_silent(&link);
    mtls_session_release(ours);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O4_an_echec_that_answers_nothing)
{
    struct mtls_channel *ours;
    uint32_t its;

    begin();
    ours = core_raw_opened(&link, 9, 1000, &its);
    core_say(&link, "12 22", CORE_ECHEC, 7, its >> 16, 0); /* it is open */
    ck_assert_int_eq(ours->life, MTLS_OPEN);
    core_say(&link, "12 22", CORE_ECHEC, 7, 0x55, 0);
    ck_assert_uint_eq(stats().ignored, 2);
    core_silent(&link);
    mtls_session_release(ours);
    core_hear_only(&link, CORE_DATA);
    core_hear_only(&link, CORE_CLOSE);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O4_texts_are_cut_and_escaped)
{
    static unsigned char octets[65535];
    struct mtls_channel *ours;

    begin();
    for (int i = 0; i < 2; i++) {
        size_t len = i == 0 ? 0 : 65528;

        ours = core_open(&link.server, "x");
        memset(octets, i == 0 ? 0 : 0x1b, sizeof(octets));
        core_octets(octets, "12 22", CORE_ECHEC, 7 + len,
                    core_hear_only(&link, CORE_REQUEST).half, len);
        ck_assert_uint_eq(core_say_octets(&link, octets, 7 + len), 7 + len);
        ck_assert_int_eq(ours->rx_reason, MTLS_R_CHANNEL_REFUSED);
        ck_assert_ptr_nonnull(ours->echec);
        ck_assert_uint_eq(strlen(ours->echec), i == 0 ? 0 : 4000);
        ck_assert(i == 0 || strncmp(ours->echec, "\\x1b\\x1b", 8) == 0);
        mtls_session_release(ours);
    }
    ours = core_open(&link.server, "x");
    core_say(&link, "12 22 1111111", CORE_ECHEC, 14,
             core_hear_only(&link, CORE_REQUEST).half, 7, 'a', 0, '\n', 0x7f,
             0xff, '\\', 'b');
    ck_assert_str_eq(ours->echec, "a\\x00\\x0a\\x7f\\xff\\x5cb");
    mtls_session_release(ours);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O5_a_success_with_a_half_that_stands_in_another_channel)
{
    struct mtls_channel *first, *second;
    struct core_packet request;
    uint32_t its;

    begin();
    first = core_raw_opened(&link, 9, 1000, &its);
    second = core_open(&link.server, "y");
    request = core_hear_only(&link, CORE_REQUEST);
    core_say_success(&link, request.half, 9, 1000);
    ck_assert_int_eq(second->rx_reason, MTLS_R_HALF_COLLISION);
    ck_assert_uint_eq(core_hear_only(&link, CORE_CLOSE).id,
                      (uint32_t)request.half << 16 | 9);
    core_say(&link, "124", CORE_CONFIRMATION, 7,
             (uint32_t)request.half << 16 | 9);
    ck_assert_int_eq(second->life, MTLS_CLOSED);
    mtls_session_release(second);
    ck_assert_int_eq(first->life, MTLS_OPEN);
    core_say(&link, "144 1", CORE_DATA, 1, its, 'x');
    core_expect(first, "x");
    second = core_open(&link.server, "z"); /* 9 is still first's alone */
    request = core_hear_only(&link, CORE_REQUEST);
    core_say_success(&link, request.half, 9, 1000);
    ck_assert_int_eq(second->rx_reason, MTLS_R_HALF_COLLISION);
    core_hear_only(&link, CORE_CLOSE);
    mtls_session_release(first);
    mtls_session_release(second);
    core_hear_only(&link, CORE_DATA);
    core_hear_only(&link, CORE_CLOSE);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O6_packets_for_a_channel_still_opening)
{
    struct mtls_channel *ours;
    struct core_packet request;
    uint32_t its;

    begin();
    ours = core_open(&link.server, "x");
    request = core_hear_only(&link, CORE_REQUEST);
    core_say_request(&link, 0x102, 1000); /* and one that waits */
    for (int i = 0; i < 2; i++) {
        its = i == 0 ? (uint32_t)request.half << 16 | 9 : 0x01020002;
        core_say(&link, "144 1", CORE_DATA, 1, its, 'x');
        core_say(&link, "124 4", CORE_ACK, 11, its, 10);
        core_say(&link, "124 4", CORE_NEW_MAX, 11, its, 10);
        core_say(&link, "124", CORE_CLOSE, 7, its);
        ck_assert_uint_eq(core_hear_only(&link, CORE_CONFIRMATION).id, its);
    }
    ck_assert_uint_eq(stats().ignored, 6);
    ck_assert_int_eq(ours->life, MTLS_OPENING);
    core_say_success(&link, request.half, 9, 1000);
    ck_assert_int_eq(ours->life, MTLS_OPEN);
    ck_assert_uint_eq(ours->out.credit, 1000);
    mtls_session_release(ours);
    core_hear_only(&link, CORE_DATA);
    core_hear_only(&link, CORE_CLOSE);
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O7_requests_without_reading_our_answers)
{
    unsigned char octets[64];
    size_t len, n, taken = 0;
    struct core_packet packet;
    int heard = 0;

    begin();
    len = core_request_octets(octets, 0x100, 1, 1, "to", 80); /* all collide */
    for (int i = 0; i < 100000; i++) {
        n = core_say_octets(&link, octets, len);
        core_must(link.server.session->answers_count <= MTLS_ANSWERS);
        taken += n;
        if (n == 0)
            break;
    }
    ck_assert(!mtls_session_can_receive(link.server.session));
    ck_assert_uint_le(taken, (MTLS_ANSWERS + 2) * len + MTLS_STAGING);
    while (core_hear(&link, &packet) != 0) /* at last it reads */
        heard += packet.type == CORE_ECHEC;
    ck_assert_int_eq(heard, MTLS_ANSWERS);
    ck_assert(mtls_session_can_receive(link.server.session));
    do { /* what had not been taken is delivered now */
        n = core_deliver(&link.client.out, link.server.session, SIZE_MAX);
        while (core_hear(&link, &packet) != 0)
            ;
    } while (n != 0);
    core_healthy(&link);
    end();
}
END_TEST

static void refused_over(struct mtls_session_config *config, int allowed)
{
    struct mtls_channel *c;

    core_raw_open(&link, config);
    for (int i = 0; i < allowed; i++)
        core_say_request(&link, (uint16_t)(i * 2), 1000);
    core_silent(&link);
    core_say_request(&link, 500, 1000);
    refused(500, "resource-shortage:");
    ck_assert_uint_eq(stats().refused, 1);
    while ((c = mtls_session_next_asked(link.server.session)) != NULL) {
        ck_assert(mtls_session_reject(c, "prohibited: x"));
        core_hear_only(&link, CORE_ECHEC);
        mtls_session_release(c);
    }
    core_healthy(&link);
    core_link_close(&link);
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
    core_raw_open(&link, &config);
    for (int i = 0; i < 3; i++) {
        core_say_request(&link, (uint16_t)(i * 2), 1000);
        c[i] = mtls_session_next_asked(link.server.session);
    }
    core_say_request(&link, 500, 1000);
    refused(500, "resource-shortage:");
    mtls_session_accept(c[0]);
    core_hear_only(&link, CORE_SUCCESS);
    mtls_session_release(c[1]);
    core_hear_only(&link, CORE_ECHEC);
    core_healthy(&link);
    mtls_session_release(c[0]);
    mtls_session_release(c[2]);
    core_link_close(&link);
}
END_TEST

START_TEST(O10_all_halves_in_use)
{
    static struct mtls_channel *all[32768];
    struct mtls_session_config config;
    struct mtls_address to = {"x", 1, 1};
    struct mtls_channel *one;

    mtls_session_config_default(&config);
    core_raw_open(&link, &config);
    for (size_t i = 0; i < core_count(all); i++) {
        all[i] = mtls_channel_new(link.server.session, NULL);
        core_must(mtls_channel_set_names(all[i], &to, &to));
        core_must(mtls_session_open(all[i]) == 0);
    }
    one = mtls_channel_new(link.server.session, NULL);
    mtls_channel_set_names(one, &to, &to);
    ck_assert_int_eq(mtls_session_open(one), MTLS_R_NO_HALF_FREE);
    mtls_session_release(all[77]);
    ck_assert_int_eq(mtls_session_open(one), 0);
    mtls_session_release(one);
    for (size_t i = 0; i < core_count(all); i++)
        if (i != 77)
            mtls_session_release(all[i]);
    ck_assert_uint_eq(stats().window_memory, 0);
    core_healthy(&link);
    core_link_close(&link);
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

    begin();
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char octets[64], data[1000] = {0};
        struct mtls_channel *c;
        struct core_packet packet;
        size_t sent;

        core_say_octets(&link, octets,
                        core_request_octets(octets, (uint16_t)(i * 2),
                                            rows[i].window, rows[i].max, "to",
                                            80));
        c = core_accept(&link.server);
        core_hear_only(&link, CORE_SUCCESS);
        sent = mtls_session_write(c, data, sizeof(data));
        ck_assert_uint_eq(sent, rows[i].window < 1000 ? rows[i].window : 1000);
        while (core_hear(&link, &packet) == CORE_DATA)
            ck_assert_uint_le(packet.len, rows[i].sends);
        mtls_session_reset(c);
        mtls_session_release(c);
        core_hear_only(&link, CORE_CLOSE);
    }
    core_healthy(&link);
    end();
}
END_TEST

START_TEST(O11_max_packet_0)
{
    unsigned char octets[64];
    struct mtls_channel *ours;
    struct core_packet request;

    begin();
    core_say_octets(&link, octets,
                    core_request_octets(octets, 8, 100, 0, "to", 80));
    refused(8, "malformed:");
    ours = core_open(&link.server, "x");
    request = core_hear_only(&link, CORE_REQUEST);
    core_say(&link, "12 2244", CORE_SUCCESS, 15, request.half, 5, 1000, 0);
    core_hear_only(&link, CORE_CLOSE);
    ck_assert_int_eq(ours->rx_reason, MTLS_R_MALFORMED_PACKET);
    mtls_session_release(ours);
    core_healthy(&link);
    end();
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

    begin();
    for (size_t i = 0; i < core_count(rows); i++) {
        core_say_octets(&link, octets,
                        core_request_octets(octets, (uint16_t)(i * 2), 1, 1,
                                            rows[i].host, 80));
        if (rows[i].ok)
            core_silent(&link);
        else
            refused((uint16_t)(i * 2), "malformed:");
    }
    memset(longest, 'l', 256);
    len = core_request_octets(octets, 60, 1, 1, longest, 80);
    core_say_octets(&link, octets, len);
    refused(60, "malformed:");
    len = core_request_octets(octets, 60, 1, 1, longest + 1, 80);
    core_say_octets(&link, octets, len);
    core_silent(&link);
    len = core_request_octets(octets, 62, 1, 1, "abc", 80);
    octets[len - 4] = '\0'; /* a NUL inside */
    core_say_octets(&link, octets, len);
    refused(62, "malformed:");
    core_healthy(&link);
    end();
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
