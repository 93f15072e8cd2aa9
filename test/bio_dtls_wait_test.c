/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Calls that block over DTLS, where a transport takes no more for now. */
#include "dtls_ends.h"
#include "stacks.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

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
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
