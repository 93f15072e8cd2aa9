/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* How OpenSSL programs are written, where that has surprised us. */
#include "stacks.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <string.h>

static void no_blocking(BIO *b)
{
    int fd = (int)BIO_get_fd(b, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* EPIPE leaves SSL_want_write() true: that is no reason to try again. */
START_TEST(ending_when_the_peer_is_gone_ends)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct channels ch;
    SSL *ssl = NULL;
    int ended = 0;

    no_blocking(st.client);
    no_blocking(st.server);
    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    BIO_get_ssl(st.server, &ssl);
    SSL_set_quiet_shutdown(ssl, 1);
    BIO_free(ch.s);
    BIO_free_all(st.server);
    for (int i = 0; !ended && i < 100; i++)
        ended = BIO_mtls_end(st.client);
    ck_assert(ended);
    BIO_free(ch.c);
    BIO_free_all(st.client);
    ERR_clear_error();
}
END_TEST

START_TEST(errors_name_the_library)
{
    BIO *mtls = BIO_new(BIO_f_mtls());
    char text[200];

    ck_assert_int_eq(BIO_mtls_set_role(mtls, 7), 0);
    ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, ":MTLS routines:"));
    ck_reason(MTLS_R_INVALID_VALUE);
    BIO_free(mtls);
}
END_TEST

/* "goto err": what failed is often freed before the errors are printed. */
START_TEST(freeing_keeps_the_errors_of_the_caller)
{
    struct stacks st = stacks_new(STACKS_NBIO_SOCKETS, 0);
    struct channels ch;
    const char *text, *function;
    int flags, line;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    ERR_clear_error();
    ck_assert_int_eq(BIO_mtls_set_window(st.client, 0), 0);
    BIO_mtls_reset_channel(ch.c);
    BIO_free(ch.c);
    BIO_free_all(st.client);
    ERR_peek_error_all(NULL, &line, &function, &text, &flags);
    ck_assert_int_gt(line, 0);
    ck_assert_str_eq(function, "set_u32");
    ck_assert_ptr_nonnull(strstr(text, "0 is not in 1.."));
    ck_assert(flags & ERR_TXT_STRING);
    ck_reason(MTLS_R_INVALID_VALUE);
    BIO_free(ch.s);
    BIO_free_all(st.server);
    ERR_clear_error();
}
END_TEST

/* BIO_reset() disconnects; what comes next is a new session. */
START_TEST(reset_begins_anew)
{
    struct stacks st = stacks_new(STACKS_NBIO_SOCKETS, 0);
    MTLS_COUNTERS counters;
    char text[8];
    BIO *c;

    ck_assert(BIO_mtls_set_window(st.client, 1000));
    ck_assert_int_eq(BIO_write(st.client, "one", 3), -1);
    ck_assert_int_eq(BIO_read(st.server, text, sizeof(text)), -1);
    ck_assert_int_eq(BIO_write(st.client, "one", 3), 3);
    c = BIO_new_mtls_channel(st.client, "h:1");
    ck_assert_int_eq(BIO_do_connect(c), -1);
    BIO_reset(st.client);
    ck_assert(!BIO_should_retry(st.client));
    ck_assert_int_eq(BIO_do_connect(c), -1);
    ck_reason(MTLS_R_SESSION_ENDED);
    BIO_free(c);
    ck_assert_int_eq(BIO_read(st.server, text, sizeof(text)), 3);
    ck_assert_int_eq(BIO_read(st.server, text, sizeof(text)), 0);
    ck_assert(BIO_mtls_get_counters(st.client, &counters));
    ck_assert_uint_eq(counters.packets_out, 0);

    BIO_reset(st.server);
    ck_assert_int_eq(BIO_write(st.client, "two", 3), -1);
    ck_assert(BIO_should_retry(st.client));
    ck_assert_int_eq(BIO_read(st.server, text, sizeof(text)), -1);
    ck_assert_int_eq(BIO_write(st.client, "two", 3), 3);
    ck_assert_int_eq(BIO_read(st.server, text, sizeof(text)), 3);
    ck_assert(BIO_mtls_get_counters(st.client, &counters));
    ck_assert_uint_eq(counters.window_memory, 1000);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    stacks_free(&st);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idioms");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, ending_when_the_peer_is_gone_ends);
    tcase_add_test(tc, errors_name_the_library);
    tcase_add_test(tc, freeing_keeps_the_errors_of_the_caller);
    tcase_add_test(tc, reset_begins_anew);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
