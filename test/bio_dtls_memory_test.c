/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Tables and bindings without memory (attack T2): nothing is lost or leaked. */
#include "dtls_ends.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- memory that runs out: the linker puts these in the place of libc's --- */

static int armed; /* whether allocations are counted */
static unsigned int counted;
static unsigned int fail_from, fail_count;

/* NOLINTBEGIN(*-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

static int fails(void)
{
    if (!armed)
        return 0;
    counted++;
    return counted >= fail_from && counted < fail_from + fail_count;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* NOLINTEND(*-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp) */

static struct dtls_ends ends;

static void arm(unsigned int nth)
{
    counted = 0;
    fail_from = nth;
    fail_count = 1;
    armed = 1;
}

START_TEST(T2_no_table_without_memory)
{
    arm(1);
    ck_assert_ptr_null(MTLS_dtls_waiting_new(8, 60));
    armed = 0;
    ERR_clear_error();
}
END_TEST

START_TEST(T2_a_session_that_finds_no_memory_is_still_the_callers)
{
    BIO *datagrams;

    dtls_ends_new(&ends);
    ck_assert(dtls_ends_arrive(&ends));
    datagrams = ends.client_beside; /* it is one as well */
    arm(1);
    ck_assert(!MTLS_dtls_waiting_add(ends.waiting, datagrams));
    armed = 0;
    ERR_clear_error();
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 1);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(T2_a_filter_that_finds_no_memory_takes_nothing)
{
    BIO *bio = BIO_new(BIO_s_mem()), *m = BIO_new(BIO_f_mtls());

    for (unsigned int nth = 1; nth <= 2; nth++) {
        arm(nth);
        ck_assert_int_eq(BIO_mtls_set_datagram_bio(m, bio), 0);
        armed = 0;
        ERR_clear_error();
    }
    ck_assert_ptr_null(BIO_mtls_get_datagram_bio(m));
    ck_assert_int_eq(BIO_mtls_set_datagram_bio(m, bio), 1);
    ck_assert_ptr_eq(BIO_mtls_get_datagram_bio(m), bio);
    BIO_free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_dtls_memory");
    TCase *tc = tcase_create("memory");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, T2_no_table_without_memory);
    tcase_add_test(tc, T2_a_session_that_finds_no_memory_is_still_the_callers);
    tcase_add_test(tc, T2_a_filter_that_finds_no_memory_takes_nothing);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
