/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Memory that a channel lends: BIO_nread(), BIO_nwrite(), and all at once. */
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/uio.h>

static struct stacks st;

static void set_up(void)
{
    st = stacks_new(STACKS_PAIR, 0);
}

static void tear_down(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    stacks_free(&st); /* SSL_shutdown() may complain of the other end */
    ERR_clear_error();
}

static void free_both(struct channels *ch)
{
    BIO_free(ch->c);
    BIO_free(ch->s);
}

/* Its controls are numbers of their own: none is taken for another. */
START_TEST(a_filter_has_nothing_to_lend)
{
    struct iovec v[MTLS_VERSION_05];

    ck_assert_int_le(BIO_mtls_nread0v(st.client, v, MTLS_VERSION_05), 0);
    ERR_clear_error();
}
END_TEST

START_TEST(all_that_waits_is_lent_in_pieces)
{
    static char data[40000], got[40000];
    struct channels ch = stacks_open(&st, "default");
    struct iovec v[8];
    size_t all = 0;
    char *p;
    int n;

    ck_assert_int_eq(BIO_mtls_nread0v(ch.s, v, 8), 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i / 256 + i);
    for (size_t sent = 0; sent < sizeof(data);) {
        n = BIO_write(ch.c, data + sent, (int)(sizeof(data) - sent));
        sent += n > 0 ? (size_t)n : 0;
        stacks_turn(&st);
    }
    ck_assert_int_eq(BIO_pending(ch.s), sizeof(data));
    ck_assert_int_eq(BIO_mtls_nread0v(ch.s, v, 1), 1);
    n = BIO_mtls_nread0v(ch.s, v, 8);
    ck_assert_int_gt(n, 1);
    for (int i = 0; i < n; i++) {
        memcpy(got + all, v[i].iov_base, v[i].iov_len);
        all += v[i].iov_len;
    }
    ck_assert_uint_eq(all, sizeof(data));
    ck_assert_mem_eq(got, data, sizeof(data));
    ck_assert_int_eq(BIO_nread(ch.s, &p, 10), 10);
    ck_assert_int_eq(BIO_mtls_nread0v(ch.s, v, 8), n);
    ck_assert_mem_eq(v[0].iov_base, data + 10, v[0].iov_len);
    free_both(&ch);
}
END_TEST

START_TEST(zero_copy_calls_mean_what_bio_pairs_do)
{
    struct channels ch = stacks_open(&st, "default");
    char *p, *q;
    int n = BIO_nwrite0(ch.c, &p);

    ck_assert_int_eq(n, 16375);
    ck_assert_int_eq(BIO_nwrite(ch.c, &q, 5), 5);
    ck_assert_ptr_eq(p, q);
    memcpy(q, "after", 5); /* filled after the call, as bio_pair allows */
    ck_assert_int_eq(BIO_flush(ch.c), 1);
    ck_assert_int_eq(BIO_nread0(ch.s, &p), 5);
    ck_assert_int_eq(BIO_nread(ch.s, &q, 3), 3);
    ck_assert_ptr_eq(p, q);
    ck_assert_mem_eq(q, "aft", 3);
    ck_assert_int_eq(BIO_nread(ch.s, &q, 100), 2);
    ck_assert_mem_eq(q, "er", 2);
    ck_assert_int_eq(BIO_nread0(ch.s, &p), -1);
    ck_assert(BIO_should_read(ch.s));
    BIO_shutdown_wr(ch.c);
    ck_assert_int_eq(BIO_nread0(ch.s, &p), 0);
    ck_assert(!BIO_should_retry(ch.s));
    free_both(&ch);
}
END_TEST

START_TEST(zero_copy_draft_goes_before_what_is_written_next)
{
    struct channels ch = stacks_open(&st, "default");
    char *p, text[32];

    ck_assert_int_eq(BIO_nwrite(ch.c, &p, 3), 3);
    memcpy(p, "one", 3);
    ck_assert_int_eq(BIO_write(ch.c, "two", 3), 3);
    ck_assert_int_eq(BIO_nwrite(ch.c, &p, 5), 5);
    memcpy(p, "three", 5);
    BIO_free(ch.c);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 11);
    ck_assert_mem_eq(text, "onetwothree", 11);
    BIO_free(ch.s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lent");
    TCase *tc = tcase_create("lent");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_filter_has_nothing_to_lend);
    tcase_add_test(tc, all_that_waits_is_lent_in_pieces);
    tcase_add_test(tc, zero_copy_calls_mean_what_bio_pairs_do);
    tcase_add_test(tc, zero_copy_draft_goes_before_what_is_written_next);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
