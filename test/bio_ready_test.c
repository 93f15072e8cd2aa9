/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* One descriptor, many channels: what is told as ready, and how often. */
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>

static struct stacks st;
static struct channels ch;

static void set_up(void)
{
    st = stacks_new(STACKS_NBIO_SOCKETS, 0);
    ch = stacks_open(&st, "default");
    while (BIO_mtls_next_ready(st.client, &(int){0}) != NULL)
        ;
    while (BIO_mtls_next_ready(st.server, &(int){0}) != NULL)
        ;
}

static void tear_down(void)
{
    BIO_free(ch.c);
    BIO_free(ch.s);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    stacks_free(&st); /* SSL_shutdown() may complain of the other end */
    ERR_clear_error();
}

static void expect(BIO *m, BIO *b, int events)
{
    int got = -1;

    ck_assert_ptr_eq(BIO_mtls_next_ready(m, &got), b);
    ck_assert_int_eq(got, events);
}

START_TEST(readable_is_told_each_round_until_read)
{
    char text[4];

    expect(st.server, NULL, 0);
    BIO_write(ch.c, "abcd", 4);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(BIO_mtls_process(st.server), 1);
        expect(st.server, ch.s, MTLS_EVENT_READABLE);
        expect(st.server, NULL, 0);
    }
    ck_assert_int_eq(BIO_read(ch.s, text, 2), 2);
    BIO_mtls_process(st.server);
    expect(st.server, ch.s, MTLS_EVENT_READABLE);
    ck_assert_int_eq(BIO_read(ch.s, text, 2), 2);
    BIO_mtls_process(st.server);
    expect(st.server, NULL, 0);
}
END_TEST

START_TEST(some_is_taken_and_the_rest_told_as_waiting)
{
    char text[3000] = "";

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(BIO_write(ch.c, text, sizeof(text)), sizeof(text));
    ck_assert_int_eq(BIO_mtls_process_some(st.server, 10000), 2);
    ck_assert_int_ge(BIO_pending(ch.s), 9000);
    ck_assert_int_le(BIO_pending(ch.s), 30000);
    ck_assert_int_eq(BIO_mtls_process(st.server), 1);
    ck_assert_int_eq(BIO_pending(ch.s), 60000);
}
END_TEST

START_TEST(end_of_file_is_readable_until_it_was_read)
{
    char octet;

    BIO_shutdown_wr(ch.c);
    BIO_mtls_process(st.server);
    expect(st.server, ch.s, MTLS_EVENT_READABLE);
    ck_assert_int_eq(BIO_read(ch.s, &octet, 1), 0);
    BIO_mtls_process(st.server);
    expect(st.server, NULL, 0);
}
END_TEST

START_TEST(closed_is_told_once)
{
    char octet;

    BIO_mtls_reset_channel(ch.c);
    BIO_mtls_process(st.server);
    expect(st.server, ch.s, MTLS_EVENT_READABLE | MTLS_EVENT_CLOSED);
    ck_assert_int_eq(BIO_read(ch.s, &octet, 1), 0);
    ck_assert(BIO_mtls_was_reset(ch.s));
    BIO_mtls_process(st.server);
    expect(st.server, NULL, 0);
}
END_TEST

START_TEST(acceptable_open_and_refused)
{
    BIO *a = BIO_new_mtls_channel(st.client, "a:1");
    BIO *b = BIO_new_mtls_channel(st.client, "b:1"), *s;

    BIO_do_connect(a);
    BIO_do_connect(b);
    BIO_mtls_process(st.server);
    expect(st.server, st.server, MTLS_EVENT_ACCEPTABLE);
    expect(st.server, NULL, 0);
    BIO_mtls_process(st.server);
    expect(st.server, st.server, MTLS_EVENT_ACCEPTABLE);
    s = BIO_mtls_accept_channel(st.server);
    ck_assert_int_eq(BIO_do_handshake(s), 1);
    BIO_free(BIO_mtls_accept_channel(st.server));
    BIO_mtls_process(st.client);
    expect(st.client, a, MTLS_EVENT_OPEN);
    expect(st.client, b, MTLS_EVENT_CLOSED | MTLS_EVENT_READABLE);
    BIO_free(a);
    BIO_free(b);
    BIO_free(s);
}
END_TEST

START_TEST(writable_only_after_a_refusal)
{
    static char data[100000];

    BIO_mtls_process(st.client);
    expect(st.client, NULL, 0);
    while (BIO_write(ch.c, data, sizeof(data)) > 0)
        ;
    BIO_mtls_process(st.client);
    expect(st.client, NULL, 0);
    while (BIO_read(ch.s, data, sizeof(data)) > 0)
        BIO_mtls_process(st.client);
    BIO_mtls_process(st.client);
    expect(st.client, ch.c, MTLS_EVENT_WRITABLE);
    ck_assert_int_gt(BIO_write(ch.c, "x", 1), 0);
    BIO_mtls_process(st.client);
    expect(st.client, NULL, 0);
}
END_TEST

START_TEST(interest_masks_as_poll_does)
{
    ck_assert(BIO_mtls_set_events(ch.s, MTLS_EVENT_CLOSED));
    BIO_write(ch.c, "abcd", 4);
    BIO_mtls_process(st.server);
    expect(st.server, NULL, 0);
    ck_assert(BIO_mtls_set_events(ch.s, MTLS_EVENT_READABLE));
    BIO_mtls_process(st.server);
    expect(st.server, ch.s, MTLS_EVENT_READABLE);
}
END_TEST

START_TEST(the_sessions_end_is_told_at_each_channel)
{
    char octet;

    BIO_free_all(st.client); /* the session goes on: ch.c holds it */
    st.client = NULL;
    BIO_mtls_process(st.server);
    expect(st.server, NULL, 0);
    BIO_write(ch.c, "!", 1);
    BIO_free(ch.c);
    ch.c = NULL;
    ck_assert_int_eq(BIO_mtls_process(st.server), 0);
    expect(st.server, ch.s, MTLS_EVENT_READABLE | MTLS_EVENT_CLOSED);
    ck_assert_int_eq(BIO_read(ch.s, &octet, 1), 1);
    ck_assert_int_eq(BIO_read(ch.s, &octet, 1), 0);
}
END_TEST

START_TEST(a_channel_freed_while_ready_is_not_told)
{
    BIO_write(ch.c, "abcd", 4);
    BIO_mtls_process(st.server);
    BIO_free(ch.s);
    ch.s = NULL;
    expect(st.server, NULL, 0);
}
END_TEST

/* Both ends would sleep for ever if nothing told of it. */
START_TEST(a_write_before_the_handshake_is_told_after_it)
{
    struct stacks tls = stacks_new(STACKS_TLS13_PAIR, 0);
    BIO *c = BIO_new_mtls_channel(tls.client, "host:1");
    int told = 0, events;

    ck_assert_int_eq(BIO_write(c, "x", 1), -1);
    ck_assert(BIO_should_retry(c));
    for (int i = 0; i < 20 && !told; i++) {
        BIO_mtls_process(tls.server);
        BIO_mtls_process(tls.client);
        told = BIO_mtls_next_ready(tls.client, &events) == c;
    }
    ck_assert(told);
    ck_assert_int_eq(events, MTLS_EVENT_WRITABLE);
    BIO_mtls_process(tls.client);
    expect(tls.client, NULL, 0);
    BIO_free(c);
    stacks_free(&tls);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_ready");
    TCase *tc = tcase_create("ready");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, readable_is_told_each_round_until_read);
    tcase_add_test(tc, some_is_taken_and_the_rest_told_as_waiting);
    tcase_add_test(tc, end_of_file_is_readable_until_it_was_read);
    tcase_add_test(tc, closed_is_told_once);
    tcase_add_test(tc, acceptable_open_and_refused);
    tcase_add_test(tc, writable_only_after_a_refusal);
    tcase_add_test(tc, interest_masks_as_poll_does);
    tcase_add_test(tc, the_sessions_end_is_told_at_each_channel);
    tcase_add_test(tc, a_channel_freed_while_ready_is_not_told);
    tcase_add_test(tc, a_write_before_the_handshake_is_told_after_it);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
