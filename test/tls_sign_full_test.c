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
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
