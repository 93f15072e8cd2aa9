/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Signing filters on the channels of one session, each in a thread of its own,
 * at both ends; those of an end share their settings and an evidence log.
 */
#include "evidence_log.h"
#include "sign_ends.h"

#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHANNELS 6
#define ORDERS 20

static pthread_barrier_t all_are_here;

/* The filter that each end's are copies of. */
static BIO *model(const char *log)
{
    BIO *b = BIO_new(BIO_f_tls_sign());

    ck_assert_ptr_nonnull(b);
    BIO_tls_sign_set_receipt(b, 1);
    ck_assert_int_gt(BIO_tls_sign_set_log(b, evidence_file(log)), 0);
    return b;
}

static BIO *signing(BIO *of, BIO *channel)
{
    BIO *b = BIO_dup_chain(of);

    return b == NULL ? NULL : BIO_push(b, channel);
}

/* What a thread has and comes to; NULL: all went well. */
struct job {
    BIO *model, *channel;
    int number;
    const char *wrong;
    pthread_t thread;
};

static int exchange(BIO *b, const struct job *job, int i, int first)
{
    char said[64], heard[64];
    int n =
        snprintf(said, sizeof(said), "order %d of thread %d", i, job->number);

    if (first && BIO_write(b, said, n) != n)
        return 0;
    if (BIO_read(b, heard, sizeof(heard)) != n ||
        memcmp(heard, said, (size_t)n) != 0)
        return 0;
    return first || BIO_write(b, said, n) == n;
}

/* The client's says, and hears the same; the server's the reverse. */
static const char *work(const struct job *job, int first)
{
    BIO *b = signing(job->model, job->channel);
    const char *wrong = NULL;
    char c;

    pthread_barrier_wait(&all_are_here);
    if (b == NULL)
        return "no filter";
    if (BIO_do_handshake(b) != 1)
        wrong = "no handshake";
    for (int i = 0; wrong == NULL && i < ORDERS; i++)
        if (!exchange(b, job, i, first))
            wrong = "no exchange";
    if (wrong == NULL && BIO_tls_sign_wait_receipts(b) != 1)
        wrong = "no receipts";
    if (wrong == NULL && BIO_shutdown_wr(b) != 1)
        wrong = "no end";
    if (wrong == NULL && BIO_read(b, &c, 1) != 0)
        wrong = "no end of the other";
    if (wrong != NULL)
        ERR_print_errors_fp(stderr);
    BIO_free_all(b);
    return wrong;
}

static void *client_thread(void *arg)
{
    struct job *job = arg;

    job->wrong = work(job, 1);
    return NULL;
}

static void *server_thread(void *arg)
{
    struct job *job = arg;

    job->wrong = work(job, 0);
    return NULL;
}

/* Channels are accepted in the order in which they were opened. */
static void *accept_all(void *arg)
{
    struct job *jobs = arg;
    BIO *m = jobs[0].channel;

    for (int i = 0; i < CHANNELS; i++) {
        jobs[i].channel = BIO_mtls_accept_channel(m);
        if (jobs[i].channel == NULL || BIO_do_handshake(jobs[i].channel) != 1)
            jobs[i].wrong = "not accepted";
    }
    return NULL;
}

static void open_all(const struct stacks *st, struct job *c, struct job *s)
{
    pthread_t acceptor;

    s[0].channel = st->server;
    ck_assert_int_eq(pthread_create(&acceptor, NULL, accept_all, s), 0);
    for (int i = 0; i < CHANNELS; i++) {
        c[i].channel = BIO_new_mtls_channel(st->client, "default");
        ck_assert_int_eq(BIO_do_connect(c[i].channel), 1);
    }
    pthread_join(acceptor, NULL);
    for (int i = 0; i < CHANNELS; i++)
        ck_assert_ptr_null(s[i].wrong);
}

static struct stacks over_sockets(void)
{
    struct stacks st;
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    st.client =
        BIO_push(BIO_new(BIO_f_mtls()),
                 BIO_push(sign_tls(0), BIO_new_socket(fds[0], BIO_CLOSE)));
    st.server =
        BIO_push(BIO_new(BIO_f_mtls()),
                 BIO_push(sign_tls(1), BIO_new_socket(fds[1], BIO_CLOSE)));
    return st;
}

START_TEST(each_channel_in_threads_of_its_own)
{
    struct job c[CHANNELS] = {0}, s[CHANNELS] = {0};
    struct stacks st = over_sockets();
    BIO *models[2];

    evidence_memory_folder();
    models[0] = model("client.log");
    models[1] = model("server.log");
    open_all(&st, c, s);
    pthread_barrier_init(&all_are_here, NULL, 2 * CHANNELS);
    for (int i = 0; i < CHANNELS; i++) {
        c[i].number = s[i].number = i;
        c[i].model = models[0];
        s[i].model = models[1];
        pthread_create(&s[i].thread, NULL, server_thread, &s[i]);
        pthread_create(&c[i].thread, NULL, client_thread, &c[i]);
    }
    for (int i = 0; i < CHANNELS; i++) {
        pthread_join(c[i].thread, NULL);
        pthread_join(s[i].thread, NULL);
    }
    for (int i = 0; i < CHANNELS; i++) {
        ck_assert_pstr_eq(c[i].wrong, NULL);
        ck_assert_pstr_eq(s[i].wrong, NULL);
    }
    pthread_barrier_destroy(&all_are_here);
    BIO_free(models[0]);
    BIO_free(models[1]);
    stacks_free(&st);
    /* each message and its receipt, both ways, and the ends */
    ck_assert_uint_eq(evidence_walk(evidence_file("client.log"), NULL, NULL),
                      CHANNELS * (4 * ORDERS + 2));
    ck_assert_uint_eq(evidence_walk(evidence_file("server.log"), NULL, NULL),
                      CHANNELS * (4 * ORDERS + 2));
    evidence_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_tls_sign_thread");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_test(one, each_channel_in_threads_of_its_own);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
