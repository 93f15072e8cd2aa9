/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What comes back: receipts and answers, each octet and each message of which
 * is changed, dropped, doubled, swapped or cut off between the filters and TLS:
 * row G6. Nobody is told of a receipt that is not there, or not the one.
 */
#include "core_suite.h"
#include "harm.h"
#include "sign_taps.h"

#include <mtls/tls_sign.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static struct sign_taps taps;

static void set_up(void)
{
    sign_taps_init(&taps);
}

static void tear_down(void)
{
    sign_taps_cleanup(&taps);
}

/* |orders| by the client, with receipts that the server sends; and its answer,
 * and its signed end. */
static void exchange(int orders, int answer)
{
    BIO *c, *s;
    char got[20];

    sign_taps_renew(&taps);
    c = taps.client.filter;
    s = taps.server.filter;
    BIO_tls_sign_set_receipt(c, 1);
    for (int i = 0; i < orders; i++)
        ck_assert_int_eq(BIO_puts(c, "an order"), 8);
    sign_tap_give(&taps.server, taps.client.out, taps.client.out_len);
    for (int i = 0; i < orders; i++)
        ck_assert_int_eq(BIO_read(s, got, sizeof(got)), 8);
    if (answer) {
        ck_assert_int_eq(BIO_puts(s, "thanks"), 6);
        ck_assert_int_eq(BIO_shutdown_wr(s), 1);
    }
}

/* Whether the client finds all in order: receipts, answer, the end. */
static int all_is_well(const unsigned char *in, size_t len, int answer)
{
    BIO *c = taps.client.filter;
    char got[20];
    int n, count = 0;

    sign_tap_give(&taps.client, in, len);
    while ((n = BIO_read(c, got, sizeof(got))) > 0) {
        ck_assert(n == 6 && memcmp(got, "thanks", 6) == 0);
        count++;
    }
    ck_assert(!BIO_should_retry(c));
    ck_assert_int_eq(n == 0, ERR_peek_error() == 0);
    ERR_clear_error();
    ck_assert_int_le(count, answer);
    ck_assert(n < 0 || BIO_tls_sign_receipts_missing(c) == 0);
    return n == 0 && count == answer;
}

/* --- octets --- */

START_TEST(G6_each_octet_of_a_receipt)
{
    static unsigned char harmed[TAP_MAX];
    size_t from = 0, len = 1, n;

    for (size_t at = 0; from + at < len; at++) {
        exchange(1, 0);
        from = sign_tap_message(&taps.server, 0);
        from = sign_tap_message(&taps.server, from);
        len = taps.server.out_len;
        if (from + at >= len ||
            !harm_octet(_i, taps.server.out, len, from + at, harmed, &n))
            continue;
        ck_assert_msg(!all_is_well(harmed, n, 0), "octet %zu of %zu %s", at,
                      len - from, harm_name(_i));
    }
    ck_assert_uint_gt(len - from, 700);
}
END_TEST

/* --- messages --- */

/* TLSSignOnOff, CertificateSign, two receipts, the answer, the end. */
enum {
    ON,
    CERTIFICATE,
    ONE,
    TWO,
    ANSWER,
    END,
    MESSAGES
};

static int try_order(const int *order)
{
    static unsigned char octets[2 * TAP_MAX];
    size_t ends[MESSAGES + 1] = {0}, n = 0;

    exchange(2, 1);
    for (int i = 0; i < MESSAGES; i++)
        ends[i + 1] = sign_tap_message(&taps.server, ends[i]);
    ck_assert_uint_eq(ends[MESSAGES], taps.server.out_len);
    for (; *order >= 0; order++) {
        memcpy(octets + n, taps.server.out + ends[*order],
               ends[*order + 1] - ends[*order]);
        n += ends[*order + 1] - ends[*order];
    }
    return all_is_well(octets, n, 1);
}

START_TEST(what_nobody_touched_is_well)
{
    const int order[] = {ON, CERTIFICATE, ONE, TWO, ANSWER, END, -1};

    ck_assert(try_order(order));
}
END_TEST

START_TEST(G6_each_message_dropped)
{
    for (int gone = 0; gone < END; gone++) {
        int order[MESSAGES], n = 0;

        for (int i = 0; i < MESSAGES; i++)
            if (i != gone)
                order[n++] = i;
        order[n] = -1;
        ck_assert_msg(!try_order(order), "message %d dropped", gone);
    }
}
END_TEST

START_TEST(G6_each_message_replayed)
{
    for (int which = 0; which < MESSAGES; which++) {
        for (int place = which; place < END; place++) {
            int order[MESSAGES + 2], n = 0;

            for (int i = 0; i < MESSAGES; i++) {
                order[n++] = i;
                if (i == place)
                    order[n++] = which;
            }
            order[n] = -1;
            ck_assert_msg(!try_order(order), "message %d behind %d", which,
                          place);
        }
    }
}
END_TEST

/* Receipts are in an order of their own, and messages too: see N11. */
static int is_the_same(const int *order)
{
    int receipt = ONE, message = ON;

    for (int i = 0; i < MESSAGES; i++)
        if (order[i] == ONE || order[i] == TWO) {
            if (order[i] != receipt++ || message <= CERTIFICATE)
                return 0;
        } else if (order[i] == message) {
            message += message == CERTIFICATE ? ANSWER - CERTIFICATE : 1;
        } else {
            return 0;
        }
    return 1;
}

START_TEST(G6_messages_swapped)
{
    for (int i = 0; i < MESSAGES; i++) {
        for (int j = i + 1; j < MESSAGES; j++) {
            int order[] = {ON, CERTIFICATE, ONE, TWO, ANSWER, END, -1};

            order[i] = j;
            order[j] = i;
            ck_assert_msg(try_order(order) == is_the_same(order),
                          "messages %d and %d swapped", i, j);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_receipts");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_checked_fixture(one, set_up, tear_down);
    tcase_add_test(one, what_nobody_touched_is_well);
    tcase_add_loop_test(one, G6_each_octet_of_a_receipt, 0, HARMS);
    tcase_add_test(one, G6_each_message_dropped);
    tcase_add_test(one, G6_each_message_replayed);
    tcase_add_test(one, G6_messages_swapped);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
