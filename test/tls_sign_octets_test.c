/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A small signed exchange, each octet and each message of which is changed,
 * dropped, doubled, swapped or cut off between the filters and TLS: rows G1 and
 * G2 of what hostile hands may try. Its reader gets what was signed, in order,
 * and then an error.
 */
#include "core_suite.h"
#include "harm.h"
#include "sign_taps.h"

#include <mtls/tls_sign.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static const char *const orders[] = {"pay 100 to Bob", "pay 200 to Carol"};

#define ORDERS ((int)core_count(orders))

static struct sign_taps taps;

static void set_up(void)
{
    sign_taps_init(&taps);
}

static void tear_down(void)
{
    sign_taps_cleanup(&taps);
}

/* What the client says of |count| orders, up to its signed end. */
static void say(int count)
{
    sign_taps_renew(&taps);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(BIO_puts(taps.client.filter, orders[i]),
                         (int)strlen(orders[i]));
    ck_assert_int_eq(BIO_shutdown_wr(taps.client.filter), 1);
}

/* How many orders the server reads; then *good: the end, and no error. */
static int hear(const unsigned char *in, size_t len, int *good)
{
    BIO *b = taps.server.filter;
    char got[100];
    int count = 0, n;

    sign_tap_give(&taps.server, in, len);
    while ((n = BIO_read(b, got, sizeof(got))) > 0) {
        ck_assert_int_lt(count, ORDERS);
        ck_assert_int_eq(n, (int)strlen(orders[count]));
        ck_assert_mem_eq(got, orders[count], (size_t)n);
        ck_assert_int_eq(X509_cmp(BIO_tls_sign_get0_signer(b), taps.id[0].cert),
                         0);
        count++;
    }
    ck_assert(!BIO_should_retry(b));
    *good = n == 0;
    ck_assert_int_eq(*good, ERR_peek_error() == 0);
    ERR_clear_error();
    return count;
}

START_TEST(what_nobody_touched_is_good)
{
    int good;

    say(ORDERS);
    ck_assert_int_eq(hear(taps.client.out, taps.client.out_len, &good), ORDERS);
    ck_assert(good);
}
END_TEST

/* Whether |at| is where a message ends: it is TLS that tells of a cut there. */
static int is_between(size_t at)
{
    size_t end = 0;

    while (end < at)
        end = sign_tap_message(&taps.client, end);
    return end == at;
}

/* Signatures differ in length: each round has octets of its own. */
START_TEST(G1_each_octet)
{
    static unsigned char harmed[TAP_MAX];
    size_t len = 1, n;
    int good, count;

    for (size_t at = 0; at < len; at++) {
        say(1);
        len = taps.client.out_len;
        if (at >= len || !harm_octet(_i, taps.client.out, len, at, harmed, &n))
            continue;
        count = hear(harmed, n, &good);
        ck_assert_int_le(count, 1);
        if ((_i == HARM_CUT && is_between(at)) ||
            (_i == HARM_DOUBLED && at + 1 == len)) /* behind the end */
            continue;
        ck_assert_msg(!good, "octet %zu of %zu %s", at, len, harm_name(_i));
    }
    ck_assert_uint_gt(len, 1500);
}
END_TEST

/* --- messages --- */

/* TLSSignOnOff, CertificateSign, ..., the end */
#define MESSAGES (ORDERS + 3)

/* Puts the client's messages |order|, up to -1, one after the other. */
static int hear_order(const int *order, int *good)
{
    static unsigned char octets[2 * TAP_MAX];
    size_t ends[MESSAGES + 1] = {0}, n = 0;

    say(ORDERS);
    for (int i = 0; i < MESSAGES; i++)
        ends[i + 1] = sign_tap_message(&taps.client, ends[i]);
    ck_assert_uint_eq(ends[MESSAGES], taps.client.out_len);
    for (; *order >= 0; order++) {
        size_t size = ends[*order + 1] - ends[*order];

        memcpy(octets + n, taps.client.out + ends[*order], size);
        n += size;
    }
    return hear(octets, n, good);
}

/* Of the last ones it is TLS that tells: see tls_sign_records_test.c. */
START_TEST(G2_each_message_dropped)
{
    for (int gone = 0; gone < MESSAGES - 1; gone++) {
        int order[MESSAGES], n = 0, good;

        for (int i = 0; i < MESSAGES; i++)
            if (i != gone)
                order[n++] = i;
        order[n] = -1;
        hear_order(order, &good);
        ck_assert_msg(!good, "message %d dropped", gone);
    }
}
END_TEST

/* Nobody reads what comes behind the signed end. */
START_TEST(G2_each_message_replayed)
{
    for (int which = 0; which < MESSAGES; which++) {
        for (int place = which; place < MESSAGES - 1; place++) {
            int order[MESSAGES + 2], n = 0, good;

            for (int i = 0; i < MESSAGES; i++) {
                order[n++] = i;
                if (i == place)
                    order[n++] = which;
            }
            order[n] = -1;
            hear_order(order, &good);
            ck_assert_msg(!good, "message %d behind %d", which, place);
        }
    }
}
END_TEST

START_TEST(G2_messages_swapped)
{
    for (int i = 0; i < MESSAGES; i++) {
        for (int j = i + 1; j < MESSAGES; j++) {
            int order[MESSAGES + 1] = {0, 1, 2, 3, 4, -1}, good;

            order[i] = j;
            order[j] = i;
            hear_order(order, &good);
            ck_assert_msg(!good, "messages %d and %d swapped", i, j);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_octets");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_checked_fixture(one, set_up, tear_down);
    tcase_add_test(one, what_nobody_touched_is_good);
    tcase_add_loop_test(one, G1_each_octet, 0, HARMS);
    tcase_add_test(one, G2_each_message_dropped);
    tcase_add_test(one, G2_each_message_replayed);
    tcase_add_test(one, G2_messages_swapped);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
