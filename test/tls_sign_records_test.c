/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A signed exchange below TLS: each octet on the wire, and each record, is
 * changed, dropped, doubled, swapped or cut off. Whoever reads gets what was
 * signed, in order, and then an error: rows G1 and G2. A child of fork() tries
 * each, so that the handshake is done once.
 */
#include "core_suite.h"
#include "harm.h"
#include "sign_ends.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIRE_MAX 20000
#define RECORD_HEADER 5

static const char *const orders[] = {"pay 100 to Bob", "pay 200 to Carol"};

#define ORDERS ((int)core_count(orders))

static struct sign_ends ends;
static unsigned char wire[WIRE_MAX], harmed[2 * WIRE_MAX];
static size_t len;
static int said; /* how many of them */

static BIO *transport(BIO *filter)
{
    return BIO_next(BIO_next(filter));
}

/* Signs |count| of them, ends TLS, and keeps what would go to the server. */
static void set_up(int count)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    const struct pki_wish who = {.name = "who signs"};
    struct pki_id id = pki_make(&who);
    SSL *ssl;
    int n;

    ends = sign_ends_of(&wish);
    BIO_tls_sign_set1_certificate(ends.client, id.cert);
    BIO_tls_sign_set1_key(ends.client, id.key);
    sign_ends_shake(&ends);
    for (said = 0; said < count; said++)
        sign_say(ends.client, orders[said]);
    BIO_get_ssl(ends.client, &ssl);
    SSL_shutdown(ssl);
    len = 0;
    while ((n = BIO_read(transport(ends.server), wire + len,
                         (int)(WIRE_MAX - len))) > 0)
        len += (size_t)n;
    pki_free(&id);
}

static void set_up_one(void)
{
    set_up(1);
}

static void set_up_all(void)
{
    set_up(ORDERS);
}

static void tear_down(void)
{
    sign_ends_free(&ends);
}

/* --- a try --- */

enum {
    ERROR,
    GOOD,
    OTHER_DATA,
    NO_END
};

/* What the server makes of |n| octets, after which its peer is gone. */
static int hear(const unsigned char *in, size_t n)
{
    char got[100];
    int count = 0, r;

    if (BIO_write(transport(ends.client), in, (int)n) != (int)n)
        return NO_END;
    BIO_shutdown_wr(transport(ends.client));
    while ((r = BIO_read(ends.server, got, sizeof(got))) > 0) {
        if (count == ORDERS || (size_t)r != strlen(orders[count]) ||
            memcmp(got, orders[count], (size_t)r) != 0)
            return OTHER_DATA;
        count++;
    }
    if (BIO_should_retry(ends.server) || (r < 0 && ERR_peek_error() == 0))
        return NO_END;
    return r == 0 && count == said ? GOOD : r == 0 ? NO_END : ERROR;
}

static int try_it(size_t n)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(hear(harmed, n));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(what_nobody_touched_is_good)
{
    memcpy(harmed, wire, len);
    ck_assert_int_eq(try_it(len), GOOD);
}
END_TEST

/* --- octets --- */

START_TEST(G1_each_octet_on_the_wire)
{
    for (size_t at = 0, n; at < len; at++) {
        if (!harm_octet(_i, wire, len, at, harmed, &n) ||
            (_i == HARM_DOUBLED && at + 1 == len)) /* behind the end */
            continue;
        ck_assert_msg(try_it(n) == ERROR, "octet %zu of %zu %s", at, len,
                      harm_name(_i));
    }
}
END_TEST

/* --- records --- */

/* TLSSignOnOff and CertificateSign, the orders, and close_notify. */
#define RECORDS (ORDERS + 2)

static int try_order(const int *order)
{
    size_t at[RECORDS + 1] = {0}, n = 0;

    for (int i = 0; i < RECORDS; i++)
        at[i + 1] =
            at[i] + RECORD_HEADER + wire[at[i] + 3] * 256u + wire[at[i] + 4];
    ck_assert_uint_eq(at[RECORDS], len);
    for (; *order >= 0; order++) {
        memcpy(harmed + n, wire + at[*order], at[*order + 1] - at[*order]);
        n += at[*order + 1] - at[*order];
    }
    return try_it(n);
}

START_TEST(G2_each_record_dropped)
{
    for (int gone = 0; gone < RECORDS; gone++) {
        int order[RECORDS], n = 0;

        for (int i = 0; i < RECORDS; i++)
            if (i != gone)
                order[n++] = i;
        order[n] = -1;
        ck_assert_msg(try_order(order) == ERROR, "record %d dropped", gone);
    }
}
END_TEST

START_TEST(G2_each_record_replayed)
{
    for (int which = 0; which < RECORDS; which++) {
        for (int place = which; place < RECORDS - 1; place++) {
            int order[RECORDS + 2], n = 0;

            for (int i = 0; i < RECORDS; i++) {
                order[n++] = i;
                if (i == place)
                    order[n++] = which;
            }
            order[n] = -1;
            ck_assert_msg(try_order(order) == ERROR, "record %d behind %d",
                          which, place);
        }
    }
}
END_TEST

START_TEST(G2_records_swapped)
{
    for (int i = 0; i < RECORDS; i++) {
        for (int j = i + 1; j < RECORDS; j++) {
            int order[RECORDS + 1] = {0, 1, 2, 3, -1};

            order[i] = j;
            order[j] = i;
            ck_assert_msg(try_order(order) == ERROR,
                          "records %d and %d swapped", i, j);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_records");
    TCase *one = tcase_create("one"), *all = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_checked_fixture(one, set_up_one, tear_down);
    tcase_add_test(one, what_nobody_touched_is_good);
    for (int how = 0; how < HARMS; how++)
        if (how != HARM_INVERTED) /* AEAD: one bit is as good as eight */
            tcase_add_loop_test(one, G1_each_octet_on_the_wire, how, how + 1);
    suite_add_tcase(suite, one);
    tcase_set_timeout(all, 250);
    tcase_add_checked_fixture(all, set_up_all, tear_down);
    tcase_add_test(all, what_nobody_touched_is_good);
    tcase_add_test(all, G2_each_record_dropped);
    tcase_add_test(all, G2_each_record_replayed);
    tcase_add_test(all, G2_records_swapped);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
