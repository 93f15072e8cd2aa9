/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* MTLS over DTLS: both connections, and datagrams through channels. */
#include "dtls_ends.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <string.h>

static struct dtls_ends ends;

static void set_up(void)
{
    dtls_ends_new(&ends);
    ck_assert(dtls_ends_shake(&ends));
}

/* Reads one datagram that was written at the other end. */
static int receive(BIO *b, void *data, int room)
{
    for (int i = 0; i < 200; i++) {
        int n = BIO_read(b, data, room);

        if (n >= 0 || !BIO_should_retry(b))
            return n;
        dtls_ends_wait(&ends);
        dtls_ends_turn(&ends);
    }
    return -2;
}

START_TEST(one_write_is_one_read)
{
    BIO *c, *s;
    char got[100];

    set_up();
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_eq(BIO_write(c, "one", 3), 3);
    ck_assert_int_eq(BIO_write(c, "seven octets more", 17), 17);
    ck_assert_int_eq(BIO_write(c, "x", 1), 1);
    ck_assert_int_eq(receive(s, got, sizeof(got)), 3);
    ck_assert_int_eq(BIO_pending(s), 17);
    ck_assert_int_eq(receive(s, got, 5), 5); /* the rest is lost */
    ck_assert_int_eq(receive(s, got, sizeof(got)), 1);
    ck_assert_int_eq(BIO_puts(s, "answer"), 6);
    ck_assert_int_eq(receive(c, got, sizeof(got)), 6);
    ck_assert_mem_eq(got, "answer", 6);
    BIO_free(c);
    ck_assert_int_eq(receive(s, got, sizeof(got)), 0);
    ck_assert_int_eq(BIO_eof(s), 1);
    ck_assert_int_eq(BIO_mtls_was_reset(s), 0);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(both_handshakes_are_what_the_draft_asks_for)
{
    SSL *control, *beside;

    set_up();
    BIO_get_ssl(ends.server, &control);
    BIO_get_ssl(BIO_mtls_get_datagram_bio(ends.server), &beside);
    ck_assert_str_eq(SSL_get_version(beside), "DTLSv1.2");
    ck_assert_str_eq(SSL_get_version(control), "TLSv1.2");
    ck_assert_ptr_nonnull(strstr(SSL_get_cipher_name(control), "ECDHE-PSK"));
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 0);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(data_does_not_go_through_the_control_connection)
{
    MTLS_COUNTERS before, after;
    BIO *c, *s;
    char data[1000] = "";
    int fd;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    dtls_ends_turn(&ends);
    BIO_mtls_get_counters(ends.server, &before);
    fd = (int)BIO_get_fd(ends.server, NULL);
    ck_assert_int_ge(fd, 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(BIO_write(c, data, sizeof(data)), sizeof(data));
        ck_assert_int_eq(receive(s, data, sizeof(data)), sizeof(data));
    }
    BIO_mtls_get_counters(ends.server, &after);
    ck_assert_uint_eq(after.data_in - before.data_in, 10000);
    ck_assert_uint_eq(after.datagrams_dropped, 0);
    ck_assert_uint_eq(after.ignored, 0);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(a_datagram_too_long_for_the_path_says_the_limit)
{
    char data[16384] = "", text[32];
    const char *said;
    int flags;
    BIO *c, *s;
    long mtu;

    set_up();
    dtls_ends_open(&ends, &c, &s);
    mtu = BIO_ctrl(c, BIO_CTRL_DGRAM_GET_MTU, 0, NULL);
    ck_assert_int_gt(mtu, 1200);
    ck_assert_int_lt(mtu, 1400);
    ck_assert_int_eq(BIO_write(c, data, (int)mtu + 1), -1);
    ck_assert(!BIO_should_retry(c));
    snprintf(text, sizeof(text), "%ld at most", mtu);
    ERR_peek_error_all(NULL, NULL, NULL, &said, &flags);
    ck_assert_ptr_nonnull(strstr(said, text));
    ck_reason(MTLS_R_DATAGRAM_TOO_LONG);
    ck_assert_int_eq(BIO_write(c, data, (int)mtu), mtu);
    ck_assert_int_eq(receive(s, data, sizeof(data)), mtu);
    ck_assert_int_eq(BIO_ctrl(c, BIO_CTRL_DGRAM_SET_MTU, 100, NULL), 100);
    ck_assert_int_eq(BIO_write(c, data, 101), -1);
    ck_reason(MTLS_R_DATAGRAM_TOO_LONG);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_dtls");
    TCase *tc = tcase_create("dtls");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, one_write_is_one_read);
    tcase_add_test(tc, both_handshakes_are_what_the_draft_asks_for);
    tcase_add_test(tc, data_does_not_go_through_the_control_connection);
    tcase_add_test(tc, a_datagram_too_long_for_the_path_says_the_limit);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
