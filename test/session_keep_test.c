/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The keep-alive of sessions with datagrams (P15). */
#include "core_dgram.h"

#include "session_local.h"

#define SECOND 1000000ull
#define MS 1000ull
#define KEEP_ID 0xffff0000u

static struct core_path path;
static struct mtls_channel *a, *b;
static struct mtls_session *asks, *answers;

static void begin(void)
{
    core_path_open(&path, NULL);
    core_pair(&path.link, &a, &b);
    asks = path.link.client.session;
    answers = path.link.server.session;
    mtls_session_set_keepalive(asks, 15 * SECOND);
}

static void finish(void)
{
    mtls_session_release(a);
    mtls_session_release(b);
    core_settle(&path.link);
    core_path_close(&path);
}

START_TEST(silence_is_asked_about_and_answered)
{
    size_t len;

    begin();
    core_path_pass(&path, 15 * SECOND - 100 * MS);
    ck_assert_uint_eq(path.sent, 0);
    core_path_pass(&path, 60 * SECOND);
    ck_assert_uint_eq(path.sent, 8); /* a question and an answer, 4 times */
    ck_assert_uint_eq(mtls_session_unheard(asks), 0);
    ck_assert_uint_eq(asks->stats.datagrams_dropped, 0);
    ck_assert_uint_eq(answers->stats.datagrams_dropped, 0);
    ck_assert_uint_eq(answers->stats.ignored, 0);
    ck_assert(!mtls_session_next_datagram(a, &len));
    ck_assert(!mtls_session_next_datagram(b, &len));
    finish();
}
END_TEST

START_TEST(what_comes_is_as_good_as_an_answer)
{
    unsigned char got[16];

    begin();
    for (unsigned int i = 1; i < 30; i++) {
        ck_assert(mtls_session_write_datagram(b, "x", 1));
        core_path_pass(&path, 10 * SECOND);
        ck_assert_uint_eq(mtls_session_read_datagram(a, got, sizeof(got)), 1);
        ck_assert_uint_eq(path.sent, i);
    }
    finish();
}
END_TEST

/* What is sent shows nothing: it may be lost. */
START_TEST(what_goes_is_not)
{
    unsigned char got[16];

    begin();
    for (unsigned int i = 1; i <= 6; i++) {
        ck_assert(mtls_session_write_datagram(a, "x", 1));
        core_path_pass(&path, 10 * SECOND);
        ck_assert_uint_eq(mtls_session_read_datagram(b, got, sizeof(got)), 1);
    }
    ck_assert_uint_ge(path.sent, 6 + 6);
    finish();
}
END_TEST

START_TEST(questions_in_vain_are_counted_until_something_comes)
{
    begin();
    core_path_pass(&path, 20 * SECOND);
    path.lose = 100;
    core_path_pass(&path, 60 * SECOND);
    ck_assert_uint_eq(mtls_session_unheard(asks), 4);
    path.lose = 0;
    core_path_pass(&path, 15 * SECOND);
    ck_assert_uint_eq(mtls_session_unheard(asks), 0);
    finish();
}
END_TEST

/* A peer that knows nothing of this drops them: no more can be told of it. */
START_TEST(who_never_answered_is_not_missed)
{
    begin();
    path.lose = 100;
    core_path_pass(&path, 200 * SECOND);
    ck_assert_uint_ge(path.lost, 12);
    ck_assert_uint_eq(mtls_session_unheard(asks), 0);
    finish();
}
END_TEST

START_TEST(other_octets_there_are_dropped)
{
    unsigned char p[32];
    size_t len;

    begin();
    core_path_pass(&path, 20 * SECOND);
    len = core_octets(p, "1441", CORE_DATA, 1, KEEP_ID, 2);
    mtls_session_datagram_in(asks, p, len);
    len = core_octets(p, "14411", CORE_DATA, 2, KEEP_ID, 1, 1);
    mtls_session_datagram_in(asks, p, len);
    len = core_octets(p, "144", CORE_DATA, 0, KEEP_ID);
    mtls_session_datagram_in(asks, p, len);
    ck_assert_uint_eq(asks->stats.datagrams_dropped, 3);
    ck_assert_ptr_null(mtls_session_datagram_out(asks, &len));
    finish();
}
END_TEST

/* However many there are: there is one place for it. */
START_TEST(U6_a_flood_of_questions_gets_one_answer_a_turn)
{
    unsigned char p[32];
    size_t len;

    begin();
    len = core_octets(p, "1441", CORE_DATA, 1, KEEP_ID, 1);
    for (int i = 0; i < 1000; i++)
        mtls_session_datagram_in(answers, p, len);
    ck_assert_ptr_nonnull(mtls_session_datagram_out(answers, &len));
    ck_assert_uint_eq(len, 10);
    mtls_session_datagram_sent(answers);
    ck_assert_ptr_null(mtls_session_datagram_out(answers, &len));
    finish();
}
END_TEST

START_TEST(it_waits_for_a_datagram_that_waits)
{
    begin();
    core_path_pass(&path, 14 * SECOND);
    ck_assert(mtls_session_write_datagram(a, "x", 1));
    path.link.now += 2 * SECOND;
    mtls_session_tick(asks);
    core_path_send(&path);
    ck_assert_uint_eq(path.sent, 2);
    finish();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        silence_is_asked_about_and_answered,
        what_comes_is_as_good_as_an_answer,
        what_goes_is_not,
        questions_in_vain_are_counted_until_something_comes,
        who_never_answered_is_not_missed,
        other_octets_there_are_dropped,
        U6_a_flood_of_questions_gets_one_answer_a_turn,
        it_waits_for_a_datagram_that_waits};

    return core_run("session_keep", tests, core_count(tests));
}
