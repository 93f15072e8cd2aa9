/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The SSL below is called without its BIO, and nobody notices. */
#include "stacks.h"

#include <check.h>
#include <mtls/mtls_err.h>
#include <openssl/err.h>
#include <string.h>

static struct stacks st;
static struct channels ch;

/* TLS 1.3, which is called so, and 1.2, which is not. */
static const enum stacks_kind kinds[] = {STACKS_TLS13_PAIR, STACKS_TLS12_PAIR};

static void begin(int i)
{
    st = stacks_new(kinds[i], 0);
    ch = stacks_open(&st, "default");
}

static void end(void)
{
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}

static int is_stale(unsigned long e)
{
    return ERR_GET_LIB(e) == ERR_LIB_USER && ERR_GET_REASON(e) == 17;
}

START_TEST(a_callers_error_is_no_failure)
{
    static char data[100000];

    begin(_i);
    ERR_raise(ERR_LIB_USER, 17);
    ck_assert_int_eq(BIO_read(ch.s, data, 10), -1);
    ck_assert(BIO_should_read(ch.s));
    ERR_raise(ERR_LIB_USER, 17);
    ck_assert_int_eq(BIO_write(ch.c, "hello", 5), 5);
    ck_assert(is_stale(ERR_peek_last_error()));
    ck_assert_int_eq(BIO_read(ch.s, data, 10), 5);
    while (BIO_write(ch.c, data, sizeof(data)) > 0)
        ;
    ERR_raise(ERR_LIB_USER, 17); /* the transport is full */
    ck_assert_int_eq(BIO_write(ch.c, data, 100), -1);
    ck_assert(BIO_should_retry(ch.c));
    ck_assert_int_eq(BIO_flush(st.client), -1);
    ck_assert(BIO_should_write(st.client));
    ck_assert_int_gt(BIO_read(ch.s, data, sizeof(data)), 0);
    end();
}
END_TEST

static void not_tls(BIO *filter)
{
    SSL *ssl = NULL;

    BIO_get_ssl(filter, &ssl);
    ck_assert_int_eq(BIO_write(SSL_get_wbio(ssl), "This is no record.", 18),
                     18);
}

/* What TLS says, not what the caller had on the queue. */
START_TEST(why_tls_failed_is_told)
{
    const char *why = NULL;
    char text[10];
    int flags = 0;

    begin(_i);
    not_tls(st.client);
    ERR_raise(ERR_LIB_USER, 17);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), -1);
    ck_assert(!BIO_should_retry(ch.s));
    ERR_peek_last_error_all(NULL, NULL, NULL, &why, &flags);
    ck_assert_msg(strstr(why, "wrong version number") != NULL ||
                      strstr(why, "packet length") != NULL,
                  "%s", why);
    ck_reason(MTLS_R_TRUNCATED);
    end();
}
END_TEST

static int reads, writes;

static long watch(BIO *b, int oper, const char *p, size_t len, int i, long l,
                  int ret, size_t *processed)
{
    (void)b, (void)p, (void)len, (void)i, (void)l, (void)processed;
    reads += oper == (BIO_CB_READ | BIO_CB_RETURN) && ret > 0;
    writes += oper == (BIO_CB_WRITE | BIO_CB_RETURN) && ret > 0;
    return ret;
}

START_TEST(callbacks_of_the_bio_are_called)
{
    char text[10];

    begin(_i);
    BIO_set_callback_ex(BIO_next(st.client), watch);
    BIO_set_callback_ex(BIO_next(st.server), watch);
    reads = writes = 0;
    ck_assert_int_eq(BIO_write(ch.c, "hello", 5), 5);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 5);
    ck_assert_int_eq(reads, 1);
    ck_assert_int_eq(writes, 1);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("direct");
    TCase *tc = tcase_create("direct");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, a_callers_error_is_no_failure, 0, 2);
    tcase_add_loop_test(tc, why_tls_failed_is_told, 0, 2);
    tcase_add_loop_test(tc, callbacks_of_the_bio_are_called, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
