/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* T1: transports that take a little, ask for retries, or fail at any call. */
#include "fault_bio.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <string.h>

/* Two multiplexers over a BIO pair, the client's with a fault in between. */
static struct stacks stacks_with(struct fault_plan *plan)
{
    struct stacks st = {BIO_new(BIO_f_mtls()), BIO_new(BIO_f_mtls())};
    BIO *a, *b;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    BIO_mtls_set_role(st.client, MTLS_ROLE_CLIENT);
    BIO_mtls_set_role(st.server, MTLS_ROLE_SERVER);
    BIO_push(st.client, BIO_push(fault_bio_new(plan), a));
    BIO_push(st.server, b);
    return st;
}

START_TEST(T1_some_octets_and_retries)
{
    static const struct {
        size_t most;
        unsigned int retry;
    } rows[] = {{1, 0}, {0, 2}, {1, 2}, {7, 3}, {0, 1000}, {16383, 2}};
    struct fault_plan plan = {.most = rows[_i].most, .retry = rows[_i].retry};
    struct stacks st = stacks_with(&plan);
    struct channels ch = stacks_open(&st, "default");

    stacks_move(ch.c, ch.s, 30000);
    stacks_move(ch.s, ch.c, 30000);
    ck_assert(!plan.broken_retry);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

/* 1 when the call went well or asked for a retry; an error has a reason. */
static int went(BIO *b, int n)
{
    if (n > 0 || BIO_should_retry(b))
        return 1;
    ck_assert_int_eq(ERR_GET_LIB(ERR_peek_last_error()), MTLS_err_library());
    return 0;
}

/* A scenario that goes as far as it gets. */
static int runs_through(struct fault_plan *plan)
{
    struct stacks st = stacks_with(plan);
    BIO *c = BIO_new_mtls_channel(st.client, "default"), *s = NULL;
    static char data[40000];
    char piece[5000];
    int sent = 0, got = 0, n, good = 1;

    for (int i = 0; i < 200 && good && got < (int)sizeof(data); i++) {
        n = sent < (int)sizeof(data)
                ? BIO_write(c, data + sent, (int)sizeof(data) - sent)
                : BIO_flush(c);
        good = went(c, n);
        if (n > 0 && sent < (int)sizeof(data))
            sent += n;
        if (s == NULL)
            s = BIO_mtls_accept_channel(st.server);
        else if ((n = BIO_read(s, piece, sizeof(piece))) > 0)
            got += n;
        good = good && went(c, BIO_read(c, piece, sizeof(piece)));
    }
    if (!good) { /* and it stays so */
        ck_assert_int_eq(BIO_write(c, "x", 1), -1);
        ck_assert(!went(c, -1));
    }
    BIO_free(c);
    BIO_free(s);
    stacks_free(&st);
    ERR_clear_error();
    return good;
}

START_TEST(T1_fails_at_each_call)
{
    unsigned int through = 0;

    for (unsigned int call = 1; call < 60; call++) {
        struct fault_plan reads = {.most = 4000, .fail_read = call};
        struct fault_plan writes = {.most = 4000, .fail_write = call};

        through += (unsigned int)runs_through(&reads);
        through += (unsigned int)runs_through(&writes);
    }
    ck_assert_uint_gt(through, 0); /* the last ones come too late to matter */
}
END_TEST

/* What the peer sent before writing failed is still to be had. */
START_TEST(a_failed_write_does_not_lose_what_can_be_read)
{
    struct fault_plan plan = {0};
    struct stacks st = stacks_with(&plan);
    struct channels ch = stacks_open(&st, "default");
    char text[16];

    ck_assert_int_eq(BIO_write(ch.s, "answer", 6), 6);
    BIO_shutdown_wr(ch.s);
    plan.fail_write = 1;
    ck_assert_int_gt(BIO_write(ch.c, "question", 8), 0);
    ck_assert_int_eq(BIO_write(ch.c, "question", 8), -1);
    ck_reason(MTLS_R_TRANSPORT_FAILED);
    ck_assert_int_eq(BIO_read(ch.c, text, sizeof(text)), 6);
    ck_assert_int_eq(BIO_read(ch.c, text, sizeof(text)), 0);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

START_TEST(each_channel_hears_of_the_failure)
{
    struct fault_plan plan = {0};
    struct stacks st = stacks_with(&plan);
    struct channels ch[3];
    char octet;

    for (int i = 0; i < 3; i++)
        ch[i] = stacks_open(&st, "default");
    plan.fail_read = 1;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(BIO_read(ch[i].c, &octet, 1), -1);
        ck_assert(!BIO_should_retry(ch[i].c));
        ck_reason(MTLS_R_TRUNCATED);
    }
    for (int i = 0; i < 3; i++) {
        BIO_free(ch[i].c);
        BIO_free(ch[i].s);
    }
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

/* The request, or who asks for it, would wait for ever. */
START_TEST(opening_fails_once_writing_has)
{
    struct fault_plan plan = {0};
    struct stacks st = stacks_with(&plan);
    BIO *c = BIO_new_mtls_channel(st.client, "default");

    if (_i == 0)
        ck_assert_int_eq(BIO_do_connect(c), -1); /* the Request is sent */
    plan.fail_write = 1;
    if (_i == 0) { /* and no answer comes, but somebody else finds out */
        BIO *d = BIO_new_mtls_channel(st.client, "default");

        ck_assert(!went(d, (int)BIO_do_connect(d)));
        BIO_free(d);
        ERR_clear_error();
    }
    ck_assert(!went(c, (int)BIO_do_connect(c)));
    ERR_clear_error();
    ck_assert(!went(c, (int)BIO_do_connect(c)));
    BIO_free(c);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

/* Such a half is not even looked at: BIO_read() leaves its flags as they are.
 */
START_TEST(a_pair_whose_other_half_is_freed_has_failed)
{
    struct stacks st = stacks_new(STACKS_PAIR, 0);
    struct channels ch = stacks_open(&st, "default");
    char octet;
    int r = 0;

    ck_assert_int_eq(BIO_read(ch.s, &octet, 1), -1);
    ck_assert(BIO_should_retry(ch.s));
    BIO_free(BIO_pop(st.client));
    ERR_clear_error();
    if (_i == 0) {
        ck_assert_int_eq(BIO_read(ch.s, &octet, 1), -1);
        ck_assert(!BIO_should_retry(ch.s));
        ck_reason(MTLS_R_TRUNCATED);
    }
    ck_assert_int_le(BIO_mtls_process(st.server), 0);
    ERR_clear_error();
    for (int i = 0; i < 2; i++) /* the first may still be queued */
        r = BIO_write(ch.s, "x", 1);
    ck_assert_int_eq(r, -1);
    ck_assert(!BIO_should_retry(ch.s));
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *tc = tcase_create("fault");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, T1_some_octets_and_retries, 0, 6);
    tcase_add_test(tc, T1_fails_at_each_call);
    tcase_add_test(tc, a_failed_write_does_not_lose_what_can_be_read);
    tcase_add_test(tc, each_channel_hears_of_the_failure);
    tcase_add_loop_test(tc, opening_fails_once_writing_has, 0, 2);
    tcase_add_loop_test(tc, a_pair_whose_other_half_is_freed_has_failed, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
