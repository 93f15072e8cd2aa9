/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls-00 over DTLS, in the session: peers that mean harm, or are confused. */
#include "core_00.h"

#include "session_local.h"

/* --- octets of any kind --- */

START_TEST(U1_frames_that_are_cut_are_dropped_and_counted)
{
    unsigned char p[64];
    size_t n;

    core_00_open(NULL);
    n = core_octets(p, "222 111", 7, 53, 3, 'a', 'b', 'c');
    for (size_t len = 0; len < n; len++)
        mtls_session_datagram_in(core_00.server, p, len);
    p[5] = 4;
    mtls_session_datagram_in(core_00.server, p, n);
    ck_assert_uint_eq(core_00_stats(core_00.server).malformed, n + 1);
    ck_assert_uint_eq(core_00_stats(core_00.server).datagrams_dropped, n + 1);
    ck_assert_uint_eq(mtls_session_backlog(core_00.server), 0);
    core_00_silent();
    core_00_close();
}
END_TEST

/* We send one, the draft allows several in a record (Q14). */
START_TEST(F3_a_record_may_hold_more_than_one_frame)
{
    unsigned char p[64];
    struct mtls_channel *c[2];
    size_t n;

    core_00_open(NULL);
    n = core_octets(p, "222 1 222 11 222", 7, 53, 1, 'a', 8, 53, 2, 'b', 'c', 9,
                    53, 1);
    mtls_session_datagram_in(core_00.server, p, n); /* the third is cut */
    ck_assert_uint_eq(core_00_stats(core_00.server).malformed, 1);
    for (int i = 0; i < 2; i++) {
        c[i] = mtls_session_next_asked(core_00.server);
        ck_assert(mtls_session_accept(c[i]));
    }
    core_00_expect(c[0], "a");
    core_00_expect(c[1], "bc");
    mtls_session_release(c[0]);
    mtls_session_release(c[1]);
    core_00_hear(53, 7, "");
    core_00_hear(53, 8, "");
    core_00_close();
}
END_TEST

START_TEST(F12_empty_frames_open_nothing_and_are_not_answered)
{
    core_00_open(NULL);
    for (int i = 0; i < 1000; i++)
        core_00_say((uint16_t)(i / 2), 53, "");
    ck_assert_uint_eq(mtls_session_backlog(core_00.server), 0);
    ck_assert_uint_eq(core_00_stats(core_00.server).ignored, 1000);
    core_00_silent();
    core_00_close();
}
END_TEST

START_TEST(F11_random_octets_do_no_harm)
{
    struct core_random random = core_random_of(core_seed(11));
    unsigned char p[300];

    core_00_open(NULL);
    for (int i = 0; i < 20000; i++) {
        size_t len = core_below(&random, sizeof(p));
        struct mtls_channel *c;

        for (size_t at = 0; at < len; at++)
            p[at] = (unsigned char)core_next(&random);
        p[2] = 0; /* port 53 or so, and a length that may fit */
        p[3] = (unsigned char)(52 + core_below(&random, 4));
        p[4] = 0;
        mtls_session_datagram_in(core_00.server, p, len);
        while (core_chance(&random, 50) &&
               (c = mtls_session_next_asked(core_00.server)) != NULL) {
            mtls_session_accept(c);
            mtls_session_release(c);
        }
        core_path_send(&core_00.path);
        core_00.path.count = 0;
        core_check(core_00.server);
    }
    ck_assert(!mtls_session_ended(core_00.server));
    core_00_close();
}
END_TEST

/* --- refusals --- */

START_TEST(O12_a_port_that_was_not_agreed_on_is_refused_each_time)
{
    core_00_open(NULL);
    for (int i = 0; i < 3; i++) {
        core_00_say(7, 55, "query");
        core_00_hear(55, 7, "");
        core_00_silent();
    }
    ck_assert_uint_eq(core_00_stats(core_00.server).refused, 3);
    ck_assert_uint_eq(mtls_session_backlog(core_00.server), 0);
    core_00_close();
}
END_TEST

/* There is no middle of a stream, so nothing need be remembered. */
START_TEST(O8_over_the_limit_streams_are_refused_until_there_is_room)
{
    struct mtls_session_config config;
    struct mtls_channel *c;

    mtls_session_config_default(&config);
    config.max_channels = 1;
    core_00_open(&config);
    core_00_say(7, 53, "first");
    for (int i = 0; i < 10000; i++) {
        core_00_say((uint16_t)(1000 + i), 53, "more");
        core_00_hear(53, (uint16_t)(1000 + i), "");
    }
    ck_assert(!mtls_session_ended(core_00.server));
    c = mtls_session_next_asked(core_00.server);
    ck_assert(mtls_session_accept(c));
    core_00_expect(c, "first");
    mtls_session_release(c);
    core_00_hear(53, 7, "");
    core_00_say(1000, 53, "now");
    c = mtls_session_next_asked(core_00.server);
    ck_assert(mtls_session_accept(c));
    core_00_expect(c, "now");
    mtls_session_release(c);
    core_00_close();
}
END_TEST

/* When nobody takes them: what is over the bound is not said at all. */
START_TEST(O7_answers_that_can_not_be_sent_are_bounded)
{
    core_00_open(NULL);
    for (int i = 0; i < 100000; i++)
        core_00_say((uint16_t)i, 55, "query");
    ck_assert_uint_eq(core_00.server->answers_count, MTLS_ANSWERS);
    for (int i = 0; i < MTLS_ANSWERS; i++)
        core_00_hear(55, (uint16_t)i, "");
    core_00_silent();
    core_00_close();
}
END_TEST

START_TEST(O9_streams_that_open_and_end_at_once_leave_nothing)
{
    core_00_open(NULL);
    for (int i = 0; i < 100000; i++) {
        struct mtls_channel *c;

        core_00_say((uint16_t)(i % 1000), 53, "x");
        core_00_say((uint16_t)(i % 1000), 53, "");
        c = mtls_session_next_asked(core_00.server);
        core_must(mtls_session_accept(c));
        mtls_session_release(c);
    }
    ck_assert_uint_eq(core_00_stats(core_00.server).channels, 0);
    ck_assert(mtls_session_deadline(core_00.server) == MTLS_NEVER);
    core_00_silent();
    core_00_close();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        U1_frames_that_are_cut_are_dropped_and_counted,
        F3_a_record_may_hold_more_than_one_frame,
        F12_empty_frames_open_nothing_and_are_not_answered,
        F11_random_octets_do_no_harm,
        O12_a_port_that_was_not_agreed_on_is_refused_each_time,
        O8_over_the_limit_streams_are_refused_until_there_is_room,
        O7_answers_that_can_not_be_sent_are_bounded,
        O9_streams_that_open_and_end_at_once_leave_nothing};

    return core_run("session_00_dgram_hostile", tests, core_count(tests));
}
