/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * 64 threads on one session: 32 open channels, write random sizes in random
 * pieces and ask for the digest of what arrived, or give up on the way; 32
 * answer. MTLS_TEST_MIB is how much is moved in all.
 */
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 32
#define DIGEST 32

static atomic_ullong moved, target;
static atomic_uint answered, given_up, wrong;
static BIO *client, *server;

static unsigned int next_random(unsigned int *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void wrong_at(const char *where)
{
    atomic_fetch_add(&wrong, 1);
    fprintf(stderr, "churn: %s\n", where);
    ERR_print_errors_fp(stderr);
}

/* --- the side that answers --- */

/* Reads to the end; then, unless the peer gave up, tells the digest. */
static void answer(BIO *c)
{
    static _Thread_local unsigned char piece[40000];
    unsigned char digest[DIGEST];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int n;

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    while ((n = BIO_read(c, piece, sizeof(piece))) > 0) {
        EVP_DigestUpdate(md, piece, (size_t)n);
        atomic_fetch_add(&moved, (unsigned int)n);
    }
    EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    if (n == 0 && !BIO_mtls_was_reset(c))
        BIO_write(c, digest, DIGEST);
    BIO_free(c);
    ERR_clear_error();
}

static void *answer_all(void *arg)
{
    BIO *c;

    while ((c = BIO_mtls_accept_channel(server)) != NULL)
        answer(c);
    return arg;
}

/* --- the side that asks --- */

/* 1 when all was written, 0 when it was given up on the way. */
static int write_some(BIO *c, EVP_MD_CTX *md, unsigned int *seed)
{
    static _Thread_local unsigned char piece[40000];
    size_t total = next_random(seed) % (1024 * 1024) + 1;
    int give_up = next_random(seed) % 8 == 0;

    for (size_t done = 0; done < total;) {
        size_t n = next_random(seed) % sizeof(piece) + 1;

        if (n > total - done)
            n = total - done;
        memset(piece, (int)(*seed & 0xff), n);
        if (BIO_write(c, piece, (int)n) != (int)n) {
            wrong_at("write");
            return 0;
        }
        EVP_DigestUpdate(md, piece, n);
        done += n;
        if (give_up && done > total / 2)
            return 0;
    }
    return 1;
}

static void ask(BIO *c, EVP_MD_CTX *md)
{
    unsigned char digest[DIGEST], told[DIGEST + 1];
    int got = 0, n;

    BIO_shutdown_wr(c);
    EVP_DigestFinal_ex(md, digest, NULL);
    while ((n = BIO_read(c, told + got, (int)sizeof(told) - got)) > 0)
        got += n;
    if (n == 0 && got == DIGEST && memcmp(told, digest, DIGEST) == 0)
        atomic_fetch_add(&answered, 1);
    else
        wrong_at("digest");
}

static void *ask_all(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg * 2654435761u + 1;

    while (atomic_load(&moved) < atomic_load(&target)) {
        BIO *c = BIO_new_mtls_channel(client, "digest:1");
        EVP_MD_CTX *md = EVP_MD_CTX_new();

        EVP_DigestInit_ex(md, EVP_sha256(), NULL);
        if (write_some(c, md, &seed)) {
            ask(c, md);
        } else {
            atomic_fetch_add(&given_up, 1);
            if (next_random(&seed) % 2)
                BIO_mtls_reset_channel(c);
        }
        EVP_MD_CTX_free(md);
        BIO_free(c);
    }
    return arg;
}

START_TEST(threads_open_move_and_close_at_random)
{
    const char *mib = getenv("MTLS_TEST_MIB");
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    pthread_t askers[THREADS], answerers[THREADS];
    MTLS_COUNTERS counters;

    target = strtoull(mib != NULL ? mib : "128", NULL, 10) << 20;
    client = st.client;
    server = st.server;
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&answerers[i], NULL, answer_all, (void *)i);
        pthread_create(&askers[i], NULL, ask_all, (void *)i);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(askers[i], NULL);
    ck_assert_int_eq((int)BIO_mtls_end(client), 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(answerers[i], NULL);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(answered, 0);
    ck_assert_uint_gt(given_up, 0);
    BIO_mtls_get_counters(client, &counters);
    ck_assert_uint_eq(counters.window_memory, 0);
    ck_assert_uint_eq(counters.channels, 0);
    printf("%llu MiB moved, %u digests equal, %u channels given up\n",
           (unsigned long long)moved >> 20, answered, given_up);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("churn");
    TCase *tc = tcase_create("churn");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, threads_open_move_and_close_at_random);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
