/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tls_sign() where what is below takes but a part at a time. */
#include "sign_ends.h"

#include "core_suite.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 50000

struct end {
    BIO *b;
    char got[3 * SIZE];
    size_t done;
};

static struct sign_ends narrow(void)
{
    const struct sign_wish wish = {
        .client = "pkcs7", .server = "pkcs7", .pair_size = 1000};
    struct sign_ends e = sign_ends_of(&wish);

    sign_ends_shake(&e);
    return e;
}

static void say_much(BIO *b, int c)
{
    char data[SIZE];

    memset(data, c, sizeof(data));
    ck_assert_int_eq(BIO_write(b, data, sizeof(data)), SIZE);
    ck_assert_int_gt(BIO_wpending(b), SIZE / 2); /* it is still here */
}

static void hear(struct end *end)
{
    int n = BIO_read(end->b, end->got + end->done,
                     (int)(sizeof(end->got) - end->done));

    if (n <= 0 && !BIO_should_retry(end->b))
        ERR_print_errors_fp(stderr);
    ck_assert(n > 0 || BIO_should_retry(end->b));
    end->done += n > 0 ? (size_t)n : 0;
}

static void check(const struct end *end, int c)
{
    ck_assert_uint_eq(end->done, SIZE);
    for (size_t i = 0; i < end->done; i++)
        ck_assert_int_eq(end->got[i], c);
}

/* Both have more to send than is taken, and do nothing from now on but read. */
START_TEST(who_reads_hears_what_comes)
{
    static struct end client, server;
    struct sign_ends e = narrow();

    client = (struct end){.b = e.client};
    server = (struct end){.b = e.server};
    BIO_tls_sign_set_receipt(e.client, _i);
    BIO_tls_sign_set_receipt(e.server, _i);
    say_much(e.client, 'c');
    say_much(e.server, 's');
    for (int i = 0; (client.done < SIZE || server.done < SIZE ||
                     BIO_tls_sign_receipts_missing(e.client) ||
                     BIO_tls_sign_receipts_missing(e.server)) &&
                    i < 10000;
         i++) {
        hear(&client);
        hear(&server);
    }
    check(&client, 's');
    check(&server, 'c');
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 0);
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.server), 0);
    sign_ends_free(&e);
}
END_TEST

/* While nothing comes, both ways are waited for. */
START_TEST(waits_for_both)
{
    struct sign_ends e = narrow();
    char c;

    say_much(e.client, 'c');
    ck_assert_int_eq(BIO_read(e.client, &c, 1), -1);
    ck_assert(BIO_should_read(e.client) && BIO_should_write(e.client));
    sign_ends_free(&e);
}
END_TEST

/* What is said while a message is on its way comes after it. */
START_TEST(signing_goes_off_behind_a_message)
{
    static struct end server;
    struct sign_ends e = narrow();

    server = (struct end){.b = e.server};
    BIO_tls_sign_set_require(e.server, 0);
    say_much(e.client, 'c');
    ck_assert(BIO_tls_sign_set_on(e.client, 0));
    for (int i = 0; server.done < SIZE && i < 10000; i++) {
        ck_assert(BIO_flush(e.client) > 0 || BIO_should_retry(e.client));
        hear(&server);
    }
    check(&server, 'c');
    ck_assert(BIO_tls_sign_is_signed(e.server));
    sign_say(e.client, "chat");
    sign_hear(e.server, "chat");
    ck_assert(!BIO_tls_sign_is_signed(e.server));
    sign_ends_free(&e);
}
END_TEST

/* --- the end of a channel --- */

struct over {
    struct stacks st;
    struct channels ch;
};

static struct over over_a_channel(void)
{
    struct over o;
    BIO *a, *b;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    o.st.client = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(sign_tls(0), a));
    o.st.server = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(sign_tls(1), b));
    o.ch = stacks_open(&o.st, "one:1");
    o.ch.c = BIO_push(BIO_new(BIO_f_tls_sign()), o.ch.c);
    o.ch.s = BIO_push(BIO_new(BIO_f_tls_sign()), o.ch.s);
    return o;
}

static int flush(BIO *b)
{
    return BIO_flush(b) > 0;
}

static int write_nothing(BIO *b)
{
    size_t n;

    return BIO_write_ex(b, "", 0, &n) && !BIO_should_retry(b);
}

/* |send| sends what waits; what is left of |due| octets is read, and the end.
 */
static void until_over(const struct over *o, int (*send)(BIO *b), int due)
{
    static char got[3 * SIZE];
    int n = -1, sent = 0;

    for (int i = 0; n != 0 && i < 1000; i++) {
        sent = sent || send(o->ch.c);
        ck_assert(sent || BIO_should_retry(o->ch.c));
        stacks_turn(&o->st);
        n = BIO_read(o->ch.s, got, sizeof(got));
        ck_assert(n >= 0 || BIO_should_retry(o->ch.s));
        due -= n > 0 ? n : 0;
    }
    ck_assert(sent && n == 0 && due == 0);
}

/* The other end has ended already: when the rest is out, the channel ends. */
START_TEST(an_end_that_has_to_wait_goes_with_the_rest)
{
    static char data[3 * SIZE];
    struct over o = over_a_channel();
    char c;

    ck_assert_int_eq(BIO_shutdown_wr(o.ch.s), 1);
    stacks_turn(&o.st);
    ck_assert_int_eq(BIO_read(o.ch.c, &c, 1), 0);
    ck_assert_int_eq(BIO_write(o.ch.c, data, sizeof(data)), sizeof(data));
    ck_assert_int_eq(BIO_shutdown_wr(o.ch.c), -1);
    ck_assert(BIO_should_retry(o.ch.c));
    ck_assert_int_le(BIO_puts(o.ch.c, "more"), 0);
    ERR_clear_error();
    until_over(&o, _i == 0 ? flush : write_nothing, sizeof(data));
    ck_assert_int_eq(BIO_read(BIO_next(o.ch.s), &c, 1), 0);
    ck_assert(!BIO_should_retry(BIO_next(o.ch.s)));
    BIO_free_all(o.ch.c);
    BIO_free_all(o.ch.s);
    stacks_free(&o.st);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_full");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_loop_test(one, who_reads_hears_what_comes, 0, 2);
    tcase_add_test(one, waits_for_both);
    tcase_add_test(one, signing_goes_off_behind_a_message);
    tcase_add_loop_test(one, an_end_that_has_to_wait_goes_with_the_rest, 0, 2);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
