/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Over DTLS: calls that block where a transport takes no more for now, that
 * meet another thread's handshake, or a flood. */
#include "dtls_ends.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define ECHOES 40

static struct dtls_ends ends;

static void shake_server(void)
{
    ck_assert_int_eq(BIO_do_handshake(ends.arriving), 1);
    ends.arrived = ends.arriving;
    ck_assert(MTLS_dtls_waiting_add(ends.waiting, ends.arriving));
    ends.arriving = NULL;
    ck_assert_int_eq(BIO_do_handshake(ends.server), 1);
}

static void *serve(void *arg)
{
    char data[200];
    BIO *s;
    int n;

    (void)arg;
    shake_server();
    s = BIO_mtls_accept_channel(ends.server);
    ck_assert_ptr_nonnull(s);
    while ((n = BIO_read(s, data, sizeof(data))) > 0)
        ck_assert_int_eq(BIO_write(s, data, n), n);
    ck_assert_int_eq(BIO_eof(s), 1);
    BIO_free(s);
    return NULL;
}

static sem_t was_read;

static void *read_and_say(void *arg)
{
    char data[200];
    BIO *c = arg;

    for (int i = 0; i < ECHOES; i++) {
        ck_assert_int_gt(BIO_read(c, data, sizeof(data)), 0);
        sem_post(&was_read);
    }
    return NULL;
}

/* The thread that polls, here the reader, has to look for room, too. */
START_TEST(writers_wait_for_a_full_socket_while_another_thread_polls)
{
    pthread_t server, reader;
    BIO *c;

    dtls_ends_contexts(&ends, 8, 60);
    dtls_ends_sockets(&ends, 1);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    ck_assert_int_eq(BIO_do_handshake(ends.client), 1);
    c = BIO_new_mtls_channel(ends.client, "localhost:7");
    ck_assert_int_eq(BIO_do_connect(c), 1);
    ends.to_server.full = 50;
    sem_init(&was_read, 0, 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_and_say, c), 0);
    for (int i = 0; i < ECHOES; i++) {
        ck_assert_int_eq(BIO_puts(c, "hello"), 5);
        while (sem_wait(&was_read) != 0)
            ;
    }
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    BIO_free(c);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    sem_destroy(&was_read);
    dtls_ends_free(&ends);
}
END_TEST

static struct lossy slow;

/* It accepts by its first write, and then calls no more. */
static void *write_once(void *arg)
{
    BIO *s;

    (void)arg;
    shake_server();
    slow.full = 97;
    s = BIO_mtls_accept_channel(ends.server);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(BIO_puts(s, "hello"), 5);
    return s;
}

START_TEST(a_write_that_accepts_sees_the_success_off)
{
    pthread_t thread;
    char got[10];
    BIO *c;
    void *s;

    dtls_ends_contexts(&ends, 8, 60);
    ends.control = &slow;
    dtls_ends_sockets(&ends, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_once, NULL), 0);
    ck_assert_int_eq(BIO_do_handshake(ends.client), 1);
    c = BIO_new_mtls_channel(ends.client, "localhost:7");
    ck_assert_int_eq(BIO_read(c, got, sizeof(got)), 5);
    ck_assert_int_eq(pthread_join(thread, &s), 0);
    slow.full = 0;
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

/* --- while another thread shakes hands --- */

static struct {
    struct timeval left;
    long timeout, mtu, fallback, processed;
    int should_read, ctrls, done;
} said;

static void *ask(void *arg)
{
    unsigned int ctrls = ends.to_server.ctrls;

    (void)arg;
    said.timeout = BIO_mtls_get_timeout(ends.client, &said.left);
    said.mtu = BIO_ctrl(ends.client, BIO_CTRL_DGRAM_QUERY_MTU, 0, NULL);
    said.fallback =
        BIO_ctrl(ends.client, BIO_CTRL_DGRAM_GET_FALLBACK_MTU, 0, NULL);
    BIO_mtls_set_cork(ends.client, 0);
    said.processed = BIO_mtls_process(ends.client);
    said.should_read = BIO_should_read(ends.client);
    said.ctrls = (int)(ends.to_server.ctrls - ctrls);
    return NULL;
}

/* By the thread that shakes hands, from within OpenSSL, when an answer could
 * come: its timer runs. */
static void have_another_ask(void)
{
    pthread_t other;

    if (said.done++ || ends.to_server.written == 0)
        return;
    ck_assert_int_eq(pthread_create(&other, NULL, ask, NULL), 0);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
}

static void *serve_nobody(void *arg)
{
    (void)arg;
    shake_server();
    return NULL;
}

START_TEST(controls_keep_off_what_another_thread_shakes_hands_with)
{
    pthread_t server;

    memset(&said, 0, sizeof(said));
    said.timeout = -1;
    dtls_ends_contexts(&ends, 8, 60);
    dtls_ends_sockets(&ends, 1);
    ends.to_server.on_read = have_another_ask;
    ck_assert_int_eq(pthread_create(&server, NULL, serve_nobody, NULL), 0);
    ck_assert_int_eq(BIO_do_handshake(ends.client), 1);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    ck_assert_int_eq(said.timeout, 0);
    ck_assert_int_eq(said.mtu, 16375); /* nothing is known yet */
    ck_assert_int_eq(said.fallback, 512 - 64 - 9);
    ck_assert_int_eq(said.processed, 1);
    ck_assert_int_eq(said.should_read, 1);
    ck_assert_int_eq(said.ctrls, 0);
    dtls_ends_free(&ends);
}
END_TEST

/* --- floods --- */

#define ENDLESS 3000000

static unsigned int watched;

static long watch(BIO *b, int oper, const char *data, size_t len, int argi,
                  long argl, int ret, size_t *done)
{
    (void)b;
    (void)data;
    (void)len;
    (void)argi;
    (void)argl;
    (void)done;
    watched += oper == BIO_CB_READ;
    return ret;
}

static void open_two(BIO *c[2], BIO *s[2], int with_callback)
{
    dtls_ends_new(&ends);
    if (with_callback)
        BIO_set_callback_ex(BIO_next(ends.arriving), watch);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c[0], &s[0]);
    dtls_ends_open(&ends, &c[1], &s[1]);
    dtls_ends_turn(&ends);
}

static void free_two(BIO *c[2], BIO *s[2])
{
    for (int i = 0; i < 2; i++) {
        BIO_free(c[i]);
        BIO_free(s[i]);
    }
    dtls_ends_free(&ends);
}

/* Also where the program has a callback of its own, which it keeps. */
START_TEST(a_read_takes_a_turn_of_others_datagrams_and_no_more)
{
    MTLS_COUNTERS before, after;
    BIO *c[2], *s[2];
    char got[10];

    open_two(c, s, _i);
    BIO_mtls_get_counters(ends.server, &before);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(BIO_write(c[0], "x", 1), 1);
    ck_assert_int_eq(BIO_write(c[1], "y", 1), 1);
    ck_assert_int_eq(BIO_read(s[1], got, sizeof(got)), -1);
    ck_assert(BIO_should_read(s[1]));
    BIO_mtls_get_counters(ends.server, &after);
    ck_assert_uint_eq(after.data_in - before.data_in, 64);
    ck_assert_int_eq(watched > 64, _i);
    ck_assert_int_eq(BIO_read(s[1], got, sizeof(got)), 1);
    free_two(c, s);
}
END_TEST

/* OpenSSL drops them itself, and goes on to the next. */
START_TEST(a_call_takes_a_turn_of_foreign_records_and_no_more)
{
    BIO *c[2], *s[2];
    char got[10];

    open_two(c, s, 0);
    ends.to_client.flood = ENDLESS;
    ck_assert_int_eq(BIO_read(s[1], got, sizeof(got)), -1);
    ck_assert(BIO_should_read(s[1]));
    ck_assert_uint_eq(ends.to_client.flood, ENDLESS - 64);
    ck_assert_int_eq(BIO_mtls_process(ends.server), 2);
    ck_assert_uint_eq(ends.to_client.flood, ENDLESS - 128);
    ends.to_client.flood = 0;
    ck_assert_int_eq(BIO_mtls_process(ends.server), 1);
    ck_assert_int_eq(BIO_write(c[1], "y", 1), 1);
    ck_assert_int_eq(BIO_read(s[1], got, sizeof(got)), 1);
    free_two(c, s);
}
END_TEST

START_TEST(a_session_that_waits_takes_a_turn_and_no_more)
{
    dtls_ends_new(&ends);
    ck_assert(dtls_ends_arrive(&ends));
    ends.to_client.flood = ENDLESS;
    ck_assert_int_eq(MTLS_dtls_waiting_receive(ends.waiting, ends.arrived), 1);
    ck_assert_uint_eq(ends.to_client.flood, ENDLESS - 64);
    ends.to_client.flood = 0;
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_free(&ends);
}
END_TEST

static void *read_one(void *arg)
{
    char got[10];

    ck_assert_int_eq(BIO_read(arg, got, sizeof(got)), 1);
    return NULL;
}

static sem_t flooded;

static void say_flooded(void)
{
    if (ends.to_server.flood == ENDLESS - 1000)
        sem_post(&flooded);
}

/* The lock is free in between: others get it long before the flood is over. */
START_TEST(a_reader_that_waits_amid_a_flood_lets_others_in)
{
    pthread_t server, reader;
    BIO *c;

    dtls_ends_contexts(&ends, 8, 60);
    dtls_ends_sockets(&ends, 1);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    ck_assert_int_eq(BIO_do_handshake(ends.client), 1);
    c = BIO_new_mtls_channel(ends.client, "localhost:7");
    ck_assert_int_eq(BIO_do_connect(c), 1);
    sem_init(&flooded, 0, 0);
    ends.to_server.on_read = say_flooded;
    ends.to_server.flood = ENDLESS;
    ck_assert_int_eq(pthread_create(&reader, NULL, read_one, c), 0);
    while (sem_wait(&flooded) != 0)
        ;
    ck_assert_int_eq(BIO_write(c, "x", 1), 1);
    ck_assert_uint_gt(ends.to_server.flood, 0);
    ends.to_server.flood = 0;
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    BIO_free(c);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    sem_destroy(&flooded);
    dtls_ends_free(&ends);
}
END_TEST

/* --- order --- */

/* Else it is held, or dropped, where the path is that fast. */
START_TEST(a_success_goes_before_the_first_datagram)
{
    static struct lossy control;
    static unsigned int clock;
    BIO *c, *s = NULL;

    dtls_ends_contexts(&ends, 8, 60);
    ends.control = &control;
    dtls_ends_sockets(&ends, 0);
    ck_assert(dtls_ends_shake(&ends));
    control.clock = ends.to_client.clock = &clock;
    c = BIO_new_mtls_channel(ends.client, "localhost:7");
    ck_assert_int_le(BIO_do_connect(c), 0);
    for (int i = 0; i < 200 && s == NULL; i++) {
        s = BIO_mtls_accept_channel(ends.server);
        dtls_ends_turn(&ends);
    }
    ck_assert_int_eq(BIO_puts(s, "hello"), 5);
    ck_assert_uint_gt(control.last, 0);
    ck_assert_uint_gt(ends.to_client.last, control.last);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

static void send_nothing(BIO *from, int times)
{
    int fd = -1;

    BIO_get_fd(from, &fd);
    for (int i = 0; i < times; i++)
        ck_assert_int_eq(send(fd, "", 0, 0), 0);
}

/* Anybody can send some, and DTLS reads one as an end. */
START_TEST(empty_datagrams_end_neither_a_handshake_nor_a_session)
{
    char got[10];
    BIO *c, *s;

    dtls_ends_contexts(&ends, 8, 60);
    dtls_ends_sockets(&ends, 0);
    send_nothing(ends.arriving, 3);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    send_nothing(ends.client_beside, 3);
    ck_assert_int_eq(BIO_puts(c, "hello"), 5);
    for (int i = 0; i < 100 && BIO_read(s, got, sizeof(got)) != 5; i++) {
        ck_assert_int_lt(i, 99);
        ck_assert(BIO_should_read(s));
        dtls_ends_wait(&ends);
    }
    ck_assert_mem_eq(got, "hello", 5);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

/* --- keep-alive --- */

START_TEST(a_keepalive_is_a_number_of_seconds_of_a_session_with_datagrams)
{
    BIO *plain = BIO_new(BIO_f_mtls());
    struct timeval left;

    ck_assert_int_eq(BIO_mtls_set_keepalive(plain, 15), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_free(plain);
    dtls_ends_new(&ends);
    ck_assert_int_eq(BIO_mtls_set_keepalive(ends.client, -1), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_eq(BIO_mtls_set_keepalive(ends.client, 86401), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_eq(BIO_mtls_set_keepalive(ends.client, 86400), 1);
    ck_assert_int_eq(BIO_mtls_set_keepalive(ends.server, 0), 1);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_turn(&ends);
    ck_assert_int_eq(BIO_mtls_get_timeout(ends.client, &left), 1);
    ck_assert_int_gt(left.tv_sec, 86000);
    ck_assert_int_eq(BIO_mtls_get_timeout(ends.server, &left), 0);
    ck_assert_int_eq(BIO_mtls_set_keepalive(ends.client, 0), 1);
    ck_assert_int_eq(BIO_mtls_get_timeout(ends.client, &left), 0);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(a_path_that_falls_silent_ends_the_session)
{
    MTLS_COUNTERS counters;
    unsigned int answered;
    const char *said_why;
    char got[10];
    int flags;
    BIO *c, *s;

    dtls_ends_new(&ends);
    ck_assert_int_eq(BIO_mtls_set_keepalive(ends.client, 1), 1);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    answered = ends.to_client.written;
    while (ends.to_client.written == answered) { /* by the server */
        dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
    }
    dtls_ends_turn(&ends);
    ends.to_client.lose = 100;
    while (BIO_mtls_process(ends.client) > 0) {
        BIO_mtls_process(ends.server);
        dtls_ends_wait(&ends);
    }
    ck_assert_int_gt(ends.to_client.lost, 3);
    ERR_clear_error();
    ck_assert_int_le(BIO_read(c, got, sizeof(got)), 0);
    ck_assert(!BIO_should_retry(c));
    ERR_peek_error_all(NULL, NULL, NULL, &said_why, &flags);
    ck_assert_ptr_nonnull(strstr(said_why, "no datagrams come any more"));
    BIO_mtls_get_counters(ends.server, &counters);
    ck_assert_uint_eq(counters.datagrams_dropped, 0);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_dtls_wait");
    TCase *tc = tcase_create("wait");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc,
                   writers_wait_for_a_full_socket_while_another_thread_polls);
    tcase_add_test(tc, a_write_that_accepts_sees_the_success_off);
    tcase_add_test(tc, controls_keep_off_what_another_thread_shakes_hands_with);
    tcase_add_loop_test(tc, a_read_takes_a_turn_of_others_datagrams_and_no_more,
                        0, 2);
    tcase_add_test(tc, a_call_takes_a_turn_of_foreign_records_and_no_more);
    tcase_add_test(tc, a_session_that_waits_takes_a_turn_and_no_more);
    tcase_add_test(tc, a_reader_that_waits_amid_a_flood_lets_others_in);
    tcase_add_test(tc, a_success_goes_before_the_first_datagram);
    tcase_add_test(tc, empty_datagrams_end_neither_a_handshake_nor_a_session);
    tcase_add_test(
        tc, a_keepalive_is_a_number_of_seconds_of_a_session_with_datagrams);
    tcase_add_test(tc, a_path_that_falls_silent_ends_the_session);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
