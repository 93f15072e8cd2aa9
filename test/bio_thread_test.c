/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Threads on the channels of one session that blocks: each channel has a
 * writer and a reader at each end, of random sizes, and digests at the end.
 */
#include "stacks.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST 32

struct flow {
    BIO *b;
    size_t total;
    unsigned int seed;
    unsigned char digest[DIGEST];
    pthread_t thread;
};

static unsigned int next_random(unsigned int *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void *send_flow(void *arg)
{
    struct flow *f = arg;
    unsigned char data[20000];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned int seed = f->seed;

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    for (size_t done = 0; done < f->total;) {
        size_t n = next_random(&seed) % sizeof(data) + 1;

        if (n > f->total - done)
            n = f->total - done;
        memset(data, (int)(seed & 0xff), n);
        if (BIO_write(f->b, data, (int)n) != (int)n)
            break;
        EVP_DigestUpdate(md, data, n);
        done += n;
    }
    BIO_shutdown_wr(f->b);
    EVP_DigestFinal_ex(md, f->digest, NULL);
    EVP_MD_CTX_free(md);
    return NULL;
}

static void *receive_flow(void *arg)
{
    struct flow *f = arg;
    unsigned char data[20000];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned int seed = f->seed;
    int n;

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    do {
        n = BIO_read(f->b, data, (int)(next_random(&seed) % sizeof(data)) + 1);
        if (n > 0) {
            EVP_DigestUpdate(md, data, (size_t)n);
            f->total += (size_t)n;
        }
    } while (n > 0);
    EVP_DigestFinal_ex(md, f->digest, NULL);
    EVP_MD_CTX_free(md);
    return NULL;
}

/* One channel: both directions, from both ends. */
struct quad {
    struct flow c_out, c_in, s_out, s_in;
};

static void start(struct quad *q, BIO *c, BIO *s, size_t total,
                  unsigned int seed)
{
    q->c_out = (struct flow){.b = c, .total = total, .seed = seed};
    q->s_out = (struct flow){.b = s, .total = total / 2, .seed = seed + 1};
    q->c_in = (struct flow){.b = c, .seed = seed + 2};
    q->s_in = (struct flow){.b = s, .seed = seed + 3};
    pthread_create(&q->c_in.thread, NULL, receive_flow, &q->c_in);
    pthread_create(&q->s_in.thread, NULL, receive_flow, &q->s_in);
    pthread_create(&q->c_out.thread, NULL, send_flow, &q->c_out);
    pthread_create(&q->s_out.thread, NULL, send_flow, &q->s_out);
}

static void finish(struct quad *q)
{
    pthread_join(q->c_out.thread, NULL);
    pthread_join(q->s_out.thread, NULL);
    pthread_join(q->c_in.thread, NULL);
    pthread_join(q->s_in.thread, NULL);
    ck_assert_uint_eq(q->s_in.total, q->c_out.total);
    ck_assert_uint_eq(q->c_in.total, q->s_out.total);
    ck_assert_mem_eq(q->s_in.digest, q->c_out.digest, DIGEST);
    ck_assert_mem_eq(q->c_in.digest, q->s_out.digest, DIGEST);
    BIO_free(q->c_out.b);
    BIO_free(q->s_out.b);
}

#define CHANNELS 16

struct accepting {
    BIO *m, *got[CHANNELS];
};

static void *accept_all(void *arg)
{
    struct accepting *a = arg;

    for (int i = 0; i < CHANNELS; i++) {
        a->got[i] = BIO_mtls_accept_channel(a->m);
        if (a->got[i] == NULL || BIO_do_handshake(a->got[i]) != 1)
            break;
    }
    return NULL;
}

START_TEST(many_threads_on_many_channels)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct accepting accepting = {.m = st.server};
    struct quad quads[CHANNELS];
    pthread_t acceptor;
    BIO *c[CHANNELS];

    pthread_create(&acceptor, NULL, accept_all, &accepting);
    for (int i = 0; i < CHANNELS; i++) {
        c[i] = BIO_new_mtls_channel(st.client, "default");
        ck_assert_int_eq(BIO_do_connect(c[i]), 1);
    }
    pthread_join(acceptor, NULL);
    for (int i = 0; i < CHANNELS; i++)
        start(&quads[i], c[i], accepting.got[i], 4 * 1024 * 1024,
              (unsigned int)i * 17 + 1);
    for (int i = 0; i < CHANNELS; i++)
        finish(&quads[i]);
    BIO_free_all(st.client);
    BIO_free_all(st.server);
}
END_TEST

/* --- MTLS inside MTLS, blocking, in both directions at once --- */

struct taken {
    BIO *from, *got;
};

static void *accept_one(void *arg)
{
    struct taken *taken = arg;

    taken->got = BIO_mtls_accept_channel(taken->from);
    if (taken->got != NULL && BIO_do_handshake(taken->got) != 1)
        taken->got = NULL;
    return NULL;
}

/* A channel from |client| to |server|, both ends. */
static void connect_two(BIO *client, BIO *server, BIO **c, BIO **s)
{
    struct taken taken = {server, NULL};
    pthread_t thread;

    pthread_create(&thread, NULL, accept_one, &taken);
    *c = BIO_new_mtls_channel(client, "default");
    ck_assert_int_eq(BIO_do_connect(*c), 1);
    pthread_join(thread, NULL);
    ck_assert_ptr_nonnull(taken.got);
    *s = taken.got;
}

START_TEST(a_session_in_a_channel_blocks_as_its_own_does)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0), inner;
    struct quad quads[3];
    BIO *c, *s;

    connect_two(st.client, st.server, &c, &s);
    inner.client = BIO_push(BIO_new(BIO_f_mtls()), c);
    inner.server = BIO_push(BIO_new(BIO_f_mtls()), s);
    BIO_mtls_set_role(inner.server, MTLS_ROLE_SERVER);
    BIO_mtls_set_role(inner.client, MTLS_ROLE_CLIENT);
    for (int i = 0; i < 3; i++) {
        connect_two(inner.client, inner.server, &c, &s);
        start(&quads[i], c, s, 2 * 1024 * 1024, (unsigned int)i * 17 + 1);
    }
    for (int i = 0; i < 3; i++)
        finish(&quads[i]);
    stacks_free(&inner);
    stacks_free(&st);
}
END_TEST

/* --- open, echo, free, in many threads at once --- */

#define CLIENTS 8
#define ROUNDS 200

static void *echo_one(void *arg)
{
    BIO *c = arg;
    char piece[200];
    int n;

    while ((n = BIO_read(c, piece, sizeof(piece))) > 0)
        if (BIO_write(c, piece, n) != n)
            break;
    BIO_free(c);
    return NULL;
}

static void *serve_echo(void *arg)
{
    BIO *m = arg, *c;
    pthread_t threads[CLIENTS * ROUNDS];
    int count = 0;

    while (count < CLIENTS * ROUNDS && (c = BIO_mtls_accept_channel(m)) != NULL)
        pthread_create(&threads[count++], NULL, echo_one, c);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return NULL;
}

static void *open_and_ask(void *arg)
{
    intptr_t good = 0;

    for (int i = 0; i < ROUNDS; i++) {
        BIO *c = BIO_new_mtls_channel(arg, "echo:7");
        char piece[100];

        if (BIO_write(c, "0123456789", 10) == 10 &&
            BIO_read(c, piece, sizeof(piece)) == 10)
            good++;
        BIO_free(c);
    }
    return (void *)good;
}

START_TEST(open_and_free_in_many_threads)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    pthread_t server, clients[CLIENTS];
    MTLS_COUNTERS counters;

    pthread_create(&server, NULL, serve_echo, st.server);
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, open_and_ask, st.client);
    for (int i = 0; i < CLIENTS; i++) {
        void *good;

        pthread_join(clients[i], &good);
        ck_assert_int_eq((intptr_t)good, ROUNDS);
    }
    pthread_join(server, NULL);
    BIO_mtls_get_counters(st.client, &counters);
    ck_assert_uint_eq(counters.channels_opened, CLIENTS * ROUNDS);
    BIO_free_all(st.client);
    BIO_free_all(st.server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tc = tcase_create("threads");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 200);
    tcase_add_test(tc, many_threads_on_many_channels);
    tcase_add_test(tc, a_session_in_a_channel_blocks_as_its_own_does);
    tcase_add_test(tc, open_and_free_in_many_threads);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
