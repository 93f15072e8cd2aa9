/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* MTLS over DTLS: both connections, and datagrams through channels. */
#include "dtls_ends.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static struct dtls_ends ends;

static void set_up(void)
{
    dtls_ends_new(&ends);
    ck_assert(dtls_ends_shake(&ends));
}

/* Reads one datagram that was written at the other end. */
static int receive(BIO *b, void *data, int room)
{
    for (int i = 0; i < 200; i++) {
        int n = BIO_read(b, data, room);

        if (n >= 0 || !BIO_should_retry(b))
            return n;
        dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
    }
    return -2;
}

START_TEST(one_write_is_one_read)
{
    BIO *c, *s;
    char got[100];

    set_up();
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_eq(BIO_write(c, "one", 3), 3);
    ck_assert_int_eq(BIO_write(c, "seven octets more", 17), 17);
    ck_assert_int_eq(BIO_write(c, "x", 1), 1);
    ck_assert_int_eq(receive(s, got, sizeof(got)), 3);
    ck_assert_int_eq(BIO_pending(s), 17);
    ck_assert_int_eq(receive(s, got, 5), 5); /* the rest is lost */
    ck_assert_int_eq(receive(s, got, sizeof(got)), 1);
    ck_assert_int_eq(BIO_puts(s, "answer"), 6);
    ck_assert_int_eq(receive(c, got, sizeof(got)), 6);
    ck_assert_mem_eq(got, "answer", 6);
    BIO_free(c);
    ck_assert_int_eq(receive(s, got, sizeof(got)), 0);
    ck_assert_int_eq(BIO_eof(s), 1);
    ck_assert_int_eq(BIO_mtls_was_reset(s), 0);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(both_handshakes_are_what_the_draft_asks_for)
{
    SSL *control, *beside;

    set_up();
    BIO_get_ssl(ends.server, &control);
    BIO_get_ssl(BIO_mtls_get_datagram_bio(ends.server), &beside);
    ck_assert_str_eq(SSL_get_version(beside), "DTLSv1.2");
    ck_assert_str_eq(SSL_get_version(control), "TLSv1.2");
    ck_assert_ptr_nonnull(strstr(SSL_get_cipher_name(control), "ECDHE-PSK"));
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 0);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(data_does_not_go_through_the_control_connection)
{
    MTLS_COUNTERS before, after;
    BIO *c, *s;
    char data[1000] = "";
    int fd;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    dtls_ends_turn(&ends);
    BIO_mtls_get_counters(ends.server, &before);
    fd = (int)BIO_get_fd(ends.server, NULL);
    ck_assert_int_ge(fd, 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(BIO_write(c, data, sizeof(data)), sizeof(data));
        ck_assert_int_eq(receive(s, data, sizeof(data)), sizeof(data));
    }
    BIO_mtls_get_counters(ends.server, &after);
    ck_assert_uint_eq(after.data_in - before.data_in, 10000);
    ck_assert_uint_eq(after.datagrams_dropped, 0);
    ck_assert_uint_eq(after.ignored, 0);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(a_datagram_too_long_for_the_path_says_the_limit)
{
    char data[16384] = "", text[32];
    const char *said;
    int flags;
    BIO *c, *s;
    long mtu;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    mtu = BIO_ctrl(c, BIO_CTRL_DGRAM_GET_MTU, 0, NULL);
    ck_assert_int_gt(mtu, 1200);
    ck_assert_int_lt(mtu, 1400);
    ck_assert_int_eq(BIO_write(c, data, (int)mtu + 1), -1);
    ck_assert(!BIO_should_retry(c));
    snprintf(text, sizeof(text), "%ld at most", mtu);
    ERR_peek_error_all(NULL, NULL, NULL, &said, &flags);
    ck_assert_ptr_nonnull(strstr(said, text));
    ck_reason(MTLS_R_DATAGRAM_TOO_LONG);
    ck_assert_int_eq(BIO_write(c, data, (int)mtu), mtu);
    ck_assert_int_eq(receive(s, data, sizeof(data)), mtu);
    ck_assert_int_eq(BIO_ctrl(c, BIO_CTRL_DGRAM_SET_MTU, 100, NULL), 100);
    ck_assert_int_eq(BIO_write(c, data, 101), -1);
    ck_reason(MTLS_R_DATAGRAM_TOO_LONG);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

/* --- paths that lose --- */

/* OpenSSL falls back to 548 octets when three flights in a row were lost. */
START_TEST(U1_a_handshake_that_was_lost_does_not_shorten_datagrams)
{
    BIO *c, *s;

    dtls_ends_contexts(&ends, 8, 60);
    SSL_CTX_clear_options(ends.client_dtls, SSL_OP_NO_QUERY_MTU);
    dtls_ends_sockets(&ends, 0);
    ends.to_server.lose = 100;
    while (ends.to_server.lost < 5) {
        ck_assert_int_le(BIO_do_handshake(ends.client), 0);
        ck_assert(BIO_should_retry(ends.client));
        dtls_ends_wait(&ends);
    }
    ends.to_server.lose = 0;
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_gt(BIO_ctrl(c, BIO_CTRL_DGRAM_GET_MTU, 0, NULL), 1200);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

/* Whether what was read is a whole datagram of those that are written. */
static void must_be_whole(const char *data, int n)
{
    ck_assert_int_ge(n, 1);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(data[i], (char)n);
}

/* Writes and reads until |wanted| have arrived; 0 when that takes for ever. */
static int deliver(BIO *from, BIO *to, int wanted)
{
    char data[120], got[200];
    int n, at = 1;

    for (int turn = 0; turn < 3000 && wanted > 0; turn++) {
        do {
            at = at % 119 + 1;
            memset(data, at, (size_t)at);
            n = BIO_write(from, data, at);
        } while (n > 0);
        ck_assert(BIO_should_retry(from));
        while ((n = BIO_read(to, got, sizeof(got))) > 0) {
            must_be_whole(got, n);
            wanted--;
        }
        ck_assert(BIO_should_retry(to));
        if (wanted > 0)
            dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
    }
    return wanted <= 0;
}

static void set_losses(struct lossy *l)
{
    l->lose = 30;
    l->twice = l->late = 10;
}

/* Not before the keys are there: nothing shows that it was changed on its way.
 */
static void set_changes(struct lossy *l)
{
    l->corrupt = l->truncate = 10;
}

START_TEST(U1_on_a_bad_path_handshakes_and_channels_do_not_wedge)
{
    BIO *c, *s;

    dtls_ends_new(&ends);
    set_losses(&ends.to_server);
    set_losses(&ends.to_client);
    ends.to_server.random += (uint64_t)_i;
    BIO_mtls_set_max_window(ends.client, 2000);
    BIO_mtls_set_max_window(ends.server, 2000);
    ck_assert(dtls_ends_shake(&ends));
    set_changes(&ends.to_server);
    set_changes(&ends.to_client);
    dtls_ends_open(&ends, &c, &s);
    ck_assert(deliver(c, s, 100));
    ck_assert(deliver(s, c, 100));
    ck_assert_uint_gt(ends.to_server.lost, 0);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(U1_after_an_outage_traffic_flows_again)
{
    char data[120] = "";
    BIO *c, *s;

    dtls_ends_new(&ends);
    BIO_mtls_set_max_window(ends.client, 2000);
    BIO_mtls_set_max_window(ends.server, 2000);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    ck_assert(deliver(c, s, 20));
    ends.to_server.lose = ends.to_client.lose = 100;
    for (int i = 0; i < 5; i++) {
        while (BIO_write(c, data, sizeof(data)) > 0)
            ;
        dtls_ends_turn(&ends);
        dtls_ends_wait(&ends);
    }
    ends.to_server.lose = ends.to_client.lose = 0;
    while (BIO_read(s, data, sizeof(data)) > 0)
        ;
    ck_assert(deliver(c, s, 20));
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(a_refused_writer_is_told_when_to_come_back)
{
    char data[1000] = "";
    struct timeval left;
    BIO *c, *s;

    dtls_ends_new(&ends);
    BIO_mtls_set_window(ends.server, 4000);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_eq(BIO_mtls_get_timeout(ends.client, &left), 0);
    ends.to_server.lose = 100;
    while (BIO_write(c, data, sizeof(data)) > 0)
        ;
    ck_assert(BIO_should_read(c)); /* credit comes in */
    ck_assert(!BIO_should_write(c));
    ck_assert_int_eq(BIO_mtls_get_timeout(ends.client, &left), 1);
    ck_assert_int_eq(left.tv_sec, 0);
    ck_assert_int_le(left.tv_usec, 200000);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

/* --- calls that block --- */

#define ECHOES 40

static void *serve(void *arg)
{
    char data[200];
    BIO *s;
    int n;

    (void)arg;
    ck_assert_int_eq(BIO_do_handshake(ends.arriving), 1);
    ends.arrived = ends.arriving;
    ck_assert(MTLS_dtls_waiting_add(ends.waiting, ends.arriving));
    ends.arriving = NULL;
    ck_assert_int_eq(BIO_do_handshake(ends.server), 1);
    s = BIO_mtls_accept_channel(ends.server);
    ck_assert_ptr_nonnull(s);
    while ((n = BIO_read(s, data, sizeof(data))) > 0)
        ck_assert_int_eq(BIO_write(s, data, n), n);
    ck_assert_int_eq(BIO_eof(s), 1);
    BIO_free(s);
    return NULL;
}

/* The last write finds no credit: it waits, and asks for it meanwhile. */
START_TEST(calls_that_block_wait_and_ask_for_credit)
{
    char data[200], got[200];
    pthread_t thread;
    BIO *c;

    dtls_ends_contexts(&ends, 8, 60);
    dtls_ends_sockets(&ends, 1);
    BIO_mtls_set_max_window(ends.server, 500);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
    ck_assert_int_eq(BIO_do_handshake(ends.client), 1);
    c = BIO_new_mtls_channel(ends.client, "localhost:7");
    for (int i = 1; i <= ECHOES; i++) {
        memset(data, i, sizeof(data));
        ck_assert_int_eq(BIO_write(c, data, i), i);
        ck_assert_int_eq(BIO_read(c, got, sizeof(got)), i);
        ck_assert_mem_eq(got, data, (size_t)i);
    }
    ends.to_server.lose = 100;
    while (BIO_get_write_guarantee(c) >= (int)sizeof(data))
        ck_assert_int_eq(BIO_write(c, data, sizeof(data)), sizeof(data));
    ends.to_server.lose = 0;
    ck_assert_int_eq(BIO_write(c, data, sizeof(data)), sizeof(data));
    ck_assert_int_eq(BIO_read(c, got, sizeof(got)), sizeof(data));
    BIO_free(c);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    dtls_ends_free(&ends);
}
END_TEST

/* One thread reads, another writes, a third has a channel of its own. */
static void *read_all(void *arg)
{
    char data[200];
    BIO *c = arg;

    for (int i = 0; i < ECHOES; i++)
        ck_assert_int_gt(BIO_read(c, data, sizeof(data)), 0);
    return NULL;
}

START_TEST(two_threads_share_a_channel)
{
    pthread_t server, reader;
    BIO *c;

    dtls_ends_contexts(&ends, 8, 60);
    dtls_ends_sockets(&ends, 1);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    ck_assert_int_eq(BIO_do_handshake(ends.client), 1);
    c = BIO_new_mtls_channel(ends.client, "localhost:7");
    ck_assert_int_eq(BIO_do_connect(c), 1);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, c), 0);
    for (int i = 0; i < ECHOES; i++)
        ck_assert_int_eq(BIO_puts(c, "hello"), 5);
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    BIO_free(c);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    dtls_ends_free(&ends);
}
END_TEST

/* --- the rest of the interface --- */

/* Else data would be gathered into records of the control connection. */
START_TEST(a_cork_that_came_first_holds_no_datagram_back)
{
    char got[100];
    BIO *c, *s;

    dtls_ends_contexts(&ends, 8, 60);
    ends.corked = 1;
    dtls_ends_sockets(&ends, 0);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_eq(BIO_write(c, "one", 3), 3);
    ck_assert_int_eq(receive(s, got, sizeof(got)), 3);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(the_default_channel_carries_datagrams_too)
{
    char line[20];

    int said = -1;

    set_up();
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 200 && BIO_gets(ends.server, line, 20) <= 0; i++) {
        if (said <= 0)
            said = BIO_puts(ends.client, "ping");
        dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
    }
    ck_assert_str_eq(line, "ping");
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(empty_datagrams_and_what_streams_have)
{
    char *p, got[10];
    size_t n = 9;
    BIO *c, *s;
    int r = 0;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_eq(BIO_write_ex(c, "", 0, &n), 1);
    n = 9;
    for (int i = 0; i < 200 && (r = BIO_read_ex(s, got, 10, &n)) != 1; i++) {
        dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
    }
    ck_assert_int_eq(r, 1);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(BIO_eof(s), 0);
    ck_assert_int_le(BIO_shutdown_wr(c), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_eq(BIO_nread0(s, &p), -2);
    ck_assert_int_eq(BIO_nwrite0(c, &p), -2);
    ck_assert_int_eq(BIO_write(c, "ok", 2), 2);
    ck_assert_int_eq(receive(s, got, sizeof(got)), 2);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(mtu_controls_answer)
{
    long mtu, path;
    BIO *c, *s;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    path = BIO_ctrl(ends.client, BIO_CTRL_DGRAM_QUERY_MTU, 0, NULL);
    mtu = BIO_ctrl(c, BIO_CTRL_DGRAM_GET_MTU, 0, NULL);
    ck_assert_int_eq(mtu, path);
    ck_assert_int_gt(mtu, 1300);
    ck_assert_int_eq(BIO_ctrl(c, BIO_CTRL_DGRAM_SET_MTU, 0, NULL), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_eq(BIO_ctrl(c, BIO_CTRL_DGRAM_SET_MTU, 16376, NULL), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_eq(BIO_ctrl(ends.client, BIO_CTRL_DGRAM_SET_MTU, 500, NULL),
                     500);
    ck_assert_int_eq(BIO_ctrl(c, BIO_CTRL_DGRAM_GET_MTU, 0, NULL), 500);
    ck_assert_int_eq(BIO_get_write_guarantee(c), 500);
    ck_assert_int_eq(BIO_ctrl(c, BIO_CTRL_DGRAM_SET_MTU, 16375, NULL), mtu);
    mtu = BIO_ctrl(c, BIO_CTRL_DGRAM_GET_FALLBACK_MTU, 0, NULL);
    ck_assert_int_gt(mtu, 400);
    ck_assert_int_lt(mtu, 548);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

/* SSL_get_error() sees a failure in what a caller has left on the queue. */
START_TEST(errors_that_the_caller_left_do_no_harm)
{
    char got[10];
    BIO *c, *s;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    for (int i = 0; i < 3; i++) {
        ERR_raise(ERR_LIB_SSL, SSL_R_UNKNOWN_PROTOCOL);
        ck_assert_int_eq(BIO_write(c, "x", 1), 1);
        ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                         SSL_R_UNKNOWN_PROTOCOL);
        ERR_raise(ERR_LIB_SSL, SSL_R_UNKNOWN_PROTOCOL);
        BIO_read(c, got, sizeof(got)); /* finds nothing */
        ck_assert(BIO_should_retry(c));
        ck_assert_int_eq(receive(s, got, sizeof(got)), 1);
    }
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(a_poll_loop_hears_of_datagrams_and_of_credit)
{
    char data[1000] = "";
    int events = 0, told = 0;
    BIO *c, *s;

    dtls_ends_new(&ends);
    BIO_mtls_set_max_window(ends.server, 2500);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    while (BIO_write(c, data, sizeof(data)) > 0)
        ;
    for (int i = 0; i < 200 && !(told & MTLS_EVENT_READABLE); i++) {
        dtls_ends_wait(&ends);
        BIO_mtls_process(ends.server);
        while (BIO_mtls_next_ready(ends.server, &events) == s)
            told |= events;
    }
    ck_assert_int_eq(told & MTLS_EVENT_READABLE, MTLS_EVENT_READABLE);
    while (BIO_read(s, data, sizeof(data)) > 0)
        ;
    told = 0;
    for (int i = 0; i < 200 && !(told & MTLS_EVENT_WRITABLE); i++) {
        dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
        while (BIO_mtls_next_ready(ends.client, &events) == c)
            told |= events;
    }
    ck_assert_int_eq(told & MTLS_EVENT_WRITABLE, MTLS_EVENT_WRITABLE);
    ck_assert_int_eq(BIO_write(c, data, sizeof(data)), sizeof(data));
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(the_datagram_bio_is_set_before_all_else)
{
    BIO *late = BIO_new(BIO_s_mem());

    set_up();
    ck_assert_int_eq(BIO_mtls_set_datagram_bio(ends.client, late), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_eq(BIO_mtls_set_waiting(ends.client, ends.waiting), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_free(late);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(an_end_in_good_order_is_one_at_the_other_end)
{
    int r = 0;

    set_up();
    for (int i = 0; i < 100 && BIO_mtls_end(ends.client) <= 0; i++)
        dtls_ends_wait(&ends);
    for (int i = 0; i < 100 && (r = (int)BIO_mtls_process(ends.server)) > 0;
         i++)
        dtls_ends_wait(&ends);
    ck_assert_int_eq(r, 0);
    dtls_ends_free(&ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_dtls");
    TCase *tc = tcase_create("dtls");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, one_write_is_one_read);
    tcase_add_test(tc, both_handshakes_are_what_the_draft_asks_for);
    tcase_add_test(tc, data_does_not_go_through_the_control_connection);
    tcase_add_test(tc, a_datagram_too_long_for_the_path_says_the_limit);
    tcase_add_test(tc, U1_a_handshake_that_was_lost_does_not_shorten_datagrams);
    tcase_add_loop_test(
        tc, U1_on_a_bad_path_handshakes_and_channels_do_not_wedge, 0, 2);
    tcase_add_test(tc, U1_after_an_outage_traffic_flows_again);
    tcase_add_test(tc, a_refused_writer_is_told_when_to_come_back);
    tcase_add_test(tc, calls_that_block_wait_and_ask_for_credit);
    tcase_add_test(tc, two_threads_share_a_channel);
    tcase_add_test(tc, a_cork_that_came_first_holds_no_datagram_back);
    tcase_add_test(tc, the_default_channel_carries_datagrams_too);
    tcase_add_test(tc, empty_datagrams_and_what_streams_have);
    tcase_add_test(tc, mtu_controls_answer);
    tcase_add_test(tc, errors_that_the_caller_left_do_no_harm);
    tcase_add_test(tc, a_poll_loop_hears_of_datagrams_and_of_credit);
    tcase_add_test(tc, the_datagram_bio_is_set_before_all_else);
    tcase_add_test(tc, an_end_in_good_order_is_one_at_the_other_end);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
