/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation of data_multiplexing fails in turn (attack T2): a setting
 * fails and can be made again, a handshake fails or agrees, and nothing leaks.
 * So it is with those of OpenSSL's, of which some are tried here: a handshake
 * has more than 2,000; with STRIDE 1 all of them do no harm.
 *
 * Sessions are not cached. Where memory runs out as OpenSSL 3.0 puts one into
 * the cache of an SSL_CTX, the list there is left broken, and SSL_CTX_free()
 * aborts or does not end: so it does without the extension, too.
 */
#include "hello.h"

#include <check.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define STRIDE 41

static int armed; /* whether allocations are counted */
static unsigned int counted, fail_at;

static int only_ours; /* those of hello_ext_mux.c */

static int fails(const char *file)
{
    if (!armed || (only_ours && strstr(file, "hello_ext_mux") == NULL))
        return 0;
    return ++counted == fail_at;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)line;
    return fails(file) ? NULL : malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)line;
    return fails(file) ? NULL : realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* The nth allocation from now on fails, until disarm(). */
static void arm(unsigned int nth, int ours)
{
    only_ours = ours;
    counted = 0;
    fail_at = nth;
    armed = 1;
}

static int disarm(void)
{
    armed = 0;
    return counted >= fail_at;
}

START_TEST(T2_settings_fail_and_can_be_made_again)
{
    struct hello_ctx first = hello_ctx_new(HELLO_TLS13);
    unsigned int failed = 0;
    int met = 1;

    /* What is made once a process is made. */
    ck_assert(MTLS_ext_offer(first.client, "ALL"));
    hello_ctx_free(&first);
    for (unsigned int nth = 1; met; nth++) {
        struct hello_ctx ctx = hello_ctx_new(HELLO_TLS13);
        int offered, supported;

        arm(nth, 0);
        offered = MTLS_ext_offer(ctx.client, "a:1,b:2");
        supported = MTLS_ext_support(ctx.server, "a:1", MTLS_EXT_COMMON);
        met = disarm();
        if (!offered || !supported) {
            failed++;
            ck_assert_int_ne(ERR_peek_error(), 0);
        }
        ERR_clear_error();
        ck_assert(offered || MTLS_ext_offer(ctx.client, "a:1,b:2"));
        ck_assert(supported ||
                  MTLS_ext_support(ctx.server, "a:1", MTLS_EXT_COMMON));
        hello_ctx_free(&ctx);
    }
    ck_assert_uint_ge(failed, 6);
}
END_TEST

/* Whatever fails, what is agreed on is right or nothing. */
static unsigned int failures(int version, unsigned int stride, int ours)
{
    struct hello_ctx ctx = hello_ctx_new((enum hello_version)version);
    unsigned int nth, failed = 0;
    int met = 1;

    ck_assert(MTLS_ext_offer(ctx.client, "a:1,b:2"));
    ck_assert(MTLS_ext_support(ctx.server, "a:1", MTLS_EXT_COMMON));
    SSL_CTX_set_session_cache_mode(ctx.server, SSL_SESS_CACHE_OFF);
    for (nth = 1; met; nth += stride) {
        struct hello hello = hello_new(&ctx);

        arm(nth, ours);
        hello_shake(&hello);
        met = disarm();
        if (hello.done) {
            ck_assert_str_eq(hello_agreed(hello.client), "a:1");
            ck_assert_str_eq(hello_agreed(hello.server), "a:1");
        } else {
            failed++;
        }
        ERR_clear_error();
        hello_free(&hello);
    }
    hello_ctx_free(&ctx);
    return failed;
}

START_TEST(T2_a_handshake_fails_or_agrees)
{
    ck_assert_uint_eq(failures(_i, 1, 1), 5);
}
END_TEST

START_TEST(T2_so_it_does_where_openssl_has_no_memory)
{
    ck_assert_uint_gt(failures(_i, STRIDE, 0), 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hello_ext_alloc");
    TCase *tc = tcase_create("hello_ext_alloc");
    SRunner *runner;
    int failed;

    if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
        return 1;
    tcase_add_test(tc, T2_settings_fail_and_can_be_made_again);
    tcase_add_loop_test(tc, T2_a_handshake_fails_or_agrees, 0, HELLO_VERSIONS);
    tcase_add_loop_test(tc, T2_so_it_does_where_openssl_has_no_memory, 0,
                        HELLO_VERSIONS);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
