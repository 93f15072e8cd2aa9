/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Tables and bindings without memory (attack T2): nothing is lost or leaked. */
#include "dtls_ends.h"
#include "out_of_memory.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct dtls_ends ends;

static void arm(unsigned int nth)
{
    memory.counted = 0;
    memory.fail_from = nth;
    memory.fail_count = 1;
    memory.armed = 1;
}

START_TEST(T2_no_table_without_memory)
{
    arm(1);
    ck_assert_ptr_null(MTLS_dtls_waiting_new(8, 60));
    memory.armed = 0;
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
    memory.armed = 0;
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
        memory.armed = 0;
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
