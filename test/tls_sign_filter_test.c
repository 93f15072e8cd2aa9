/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tls_sign() between two ends that mean well. */
#include "sign_ends.h"

#include "core_suite.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const formats[] = {"pkcs7", "smime"};

static void both_ways(struct sign_ends *e)
{
    sign_say(e->client, "order: 3 apples");
    sign_hear(e->server, "order: 3 apples");
    ck_assert(BIO_tls_sign_is_signed(e->server));
    ck_assert_int_eq(
        X509_cmp(BIO_tls_sign_get0_signer(e->server), pki_client()->cert), 0);
    sign_say(e->server, "three apples ");
    sign_say(e->server, "are on their way");
    sign_hear(e->client, "three apples ");
    sign_hear(e->client, "are on their way");
    ck_assert_int_eq(
        X509_cmp(BIO_tls_sign_get0_signer(e->client), pki_server()->cert), 0);
}

START_TEST(messages_both_ways)
{
    struct sign_ends e = sign_ends_open(formats[_i]);

    ck_assert_int_eq(BIO_tls_sign_get_format(e.client), _i);
    ck_assert_int_eq(BIO_tls_sign_get_format(e.server), _i);
    both_ways(&e);
    sign_ends_free(&e);
}
END_TEST

START_TEST(over_TLS_1_2)
{
    const struct sign_wish wish = {
        .client = "pkcs7", .server = "pkcs7", .version = TLS1_2_VERSION};
    struct sign_ends e = sign_ends_of(&wish);

    sign_ends_shake(&e);
    both_ways(&e);
    sign_ends_free(&e);
}
END_TEST

START_TEST(receipts_both_ways)
{
    struct sign_ends e = sign_ends_open(formats[_i]);

    BIO_tls_sign_set_receipt(e.client, 1);
    sign_say(e.client, "one");
    sign_say(e.client, "two");
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 2);
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.client), -1);
    ck_assert(BIO_should_retry(e.client));
    sign_hear(e.server, "one");
    sign_hear(e.server, "two");
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.client), 1);
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 0);
    BIO_tls_sign_set_receipt(e.server, 1);
    sign_say(e.server, "three");
    sign_say(e.client, "four");
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.server), 0);
    sign_hear(e.server, "four");
    sign_hear(e.client, "three");
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.server), 1);
    sign_ends_free(&e);
}
END_TEST

/* A read takes what it has room for, and no more than one message. */
START_TEST(reads_and_lines)
{
    struct sign_ends e = sign_ends_open("pkcs7");
    char got[20];

    sign_say(e.client, "first\nsecond");
    sign_say(e.client, "\nthird\n");
    ck_assert_int_eq(BIO_read(e.server, got, 2), 2);
    ck_assert_int_eq(BIO_pending(e.server), 10);
    ck_assert_int_eq(BIO_gets(e.server, got, sizeof(got)), 4);
    ck_assert_str_eq(got, "rst\n");
    ck_assert_int_eq(BIO_gets(e.server, got, sizeof(got)), 6);
    ck_assert_str_eq(got, "second");
    ck_assert_int_eq(BIO_gets(e.server, got, 3), 1);
    ck_assert_str_eq(got, "\n");
    ck_assert_int_eq(BIO_gets(e.server, got, 3), 2);
    ck_assert_str_eq(got, "th");
    ck_assert_int_eq(BIO_gets(e.server, got, sizeof(got)), 4);
    ck_assert_int_eq(BIO_gets(e.server, got, sizeof(got)), -1);
    sign_ends_free(&e);
}
END_TEST

/* A message through a pair that holds but a part, and its receipt back. */
static void move(const struct sign_ends *e, size_t size)
{
    static char data[300000], got[300000];
    size_t done = 0;
    int n, missing = 1;

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / 256);
    ck_assert_int_eq(BIO_write(e->client, data, (int)size), (int)size);
    for (int i = 0; (done < size || missing) && i < 10000; i++) {
        ck_assert(BIO_flush(e->client) > 0 || BIO_should_retry(e->client));
        n = BIO_read(e->server, got + done, (int)(sizeof(got) - done));
        ck_assert(n > 0 || BIO_should_retry(e->server));
        done += n > 0 ? (size_t)n : 0;
        missing = BIO_tls_sign_wait_receipts(e->client) != 1;
        ck_assert(!missing || BIO_should_retry(e->client));
    }
    ck_assert(!missing);
    ck_assert_uint_eq(done, size);
    ck_assert_mem_eq(got, data, size);
}

START_TEST(G8_messages_of_every_size)
{
    static const size_t sizes[] = {1, 2, 60000, 65535, 70000, 300000};
    const struct sign_wish wish = {
        .client = "pkcs7", .server = "pkcs7", .pair_size = 1000};
    struct sign_ends e = sign_ends_of(&wish);

    sign_ends_shake(&e);
    for (size_t i = 0; i < core_count(sizes); i++) {
        BIO_tls_sign_set_receipt(e.client, i % 2);
        move(&e, sizes[i]);
    }
    sign_ends_free(&e);
}
END_TEST

/* Both write more than the pair holds, and neither had read before. */
START_TEST(both_write_at_once)
{
    const struct sign_wish wish = {
        .client = "pkcs7", .server = "pkcs7", .pair_size = 1000};
    struct sign_ends e = sign_ends_of(&wish);
    static char data[100000], got[100001];
    size_t c = 0, s = 0;

    sign_ends_shake(&e);
    BIO_tls_sign_set_receipt(e.client, 1);
    BIO_tls_sign_set_receipt(e.server, 1);
    ck_assert_int_eq(BIO_write(e.client, data, sizeof(data)), sizeof(data));
    ck_assert_int_eq(BIO_write(e.server, data, sizeof(data)), sizeof(data));
    for (int i = 0; i < 10000 && (c < sizeof(data) || s < sizeof(data)); i++) {
        int n = BIO_read(e.server, got, sizeof(got));

        c += n > 0 ? (size_t)n : 0;
        n = BIO_read(e.client, got, sizeof(got));
        s += n > 0 ? (size_t)n : 0;
    }
    ck_assert(c == sizeof(data) && s == sizeof(data));
    sign_ends_free(&e);
}
END_TEST

/* The end of one direction, signed; receipts still go against it. */
START_TEST(the_end_of_a_direction)
{
    struct sign_ends e = sign_ends_open("pkcs7");
    char c;

    BIO_tls_sign_set_receipt(e.server, 1);
    sign_say(e.client, "all");
    ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
    ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
    ck_assert_int_le(BIO_puts(e.client, "more"), 0);
    ck_reason(MTLS_R_WRITE_AFTER_SHUTDOWN);
    sign_hear(e.server, "all");
    ck_assert_int_eq(BIO_read(e.server, &c, 1), 0);
    ck_assert(!BIO_should_retry(e.server) && BIO_eof(e.server));
    sign_say(e.server, "answer");
    ck_assert_int_eq(BIO_shutdown_wr(e.server), 1);
    ck_assert_int_eq(BIO_read(e.server, &c, 1), -1); /* for its receipt */
    ck_assert(BIO_should_retry(e.server));
    sign_hear(e.client, "answer");
    ck_assert_int_eq(BIO_read(e.client, &c, 1), 0);
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.server), 1);
    ck_assert_int_eq(BIO_read(e.server, &c, 1), 0);
    sign_ends_free(&e);
}
END_TEST

START_TEST(G8_over_the_limit)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);
    char data[1001] = {0};

    BIO_tls_sign_set_max(e.client, 1000);
    ck_assert(!BIO_tls_sign_set_max(e.client, 0));
    sign_ends_shake(&e);
    ck_assert(!BIO_tls_sign_set_max(e.client, 10));
    ERR_clear_error();
    ck_assert_int_eq(BIO_write(e.client, data, 1001), -1);
    ck_reason(MTLS_R_SIGN_TOO_LONG);
    ck_assert_int_eq(BIO_write(e.client, data, 1000), 1000);
    ck_assert_int_eq(BIO_write(e.server, data, 1001), 1001);
    sign_refused(e.client, MTLS_R_SIGN_TOO_LONG);
    ck_assert_int_eq(BIO_read(e.server, data, sizeof(data)), 1000);
    sign_refused(e.server, MTLS_R_BAD_SIGN_ALERT);
    sign_ends_free(&e);
}
END_TEST

/* Signing goes off and on; who doesn't ask for it gets the rest too. */
START_TEST(off_and_on)
{
    struct sign_ends e = sign_ends_open("pkcs7");

    BIO_tls_sign_set_require(e.server, 0);
    ck_assert(BIO_tls_sign_set_on(e.client, 0));
    sign_say(e.client, "chat");
    ck_assert(BIO_tls_sign_set_on(e.client, 1));
    sign_say(e.client, "order");
    sign_hear(e.server, "chat");
    ck_assert(!BIO_tls_sign_is_signed(e.server));
    sign_hear(e.server, "order");
    ck_assert(BIO_tls_sign_is_signed(e.server));
    sign_ends_free(&e);
}
END_TEST

/* A certificate that TLS has not shown: CertificateSign brings it. */
START_TEST(other_certificates)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    const struct pki_wish who = {
        .name = "the clerk", .key = "RSA", .by_intermediate = 1};
    struct pki_id id = pki_make(&who);
    struct sign_ends e = sign_ends_of(&wish);

    BIO_tls_sign_set1_certificate(e.client, id.cert);
    BIO_tls_sign_set1_key(e.client, id.key);
    BIO_tls_sign_set1_chain(e.client, id.chain);
    sign_ends_shake(&e);
    sign_say(e.client, "signed by the clerk");
    sign_hear(e.server, "signed by the clerk");
    ck_assert_int_eq(X509_cmp(BIO_tls_sign_get0_signer(e.server), id.cert), 0);
    sign_ends_free(&e);
    pki_free(&id);
}
END_TEST

/* The URI of a file with all three, as that of a token would be. */
START_TEST(keys_by_URI)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);
    const struct pki_id *id = pki_client();
    char name[] = "/tmp/sign_uri_XXXXXX", uri[64];
    int fd = mkstemp(name);
    BIO *file = BIO_new_fd(fd, BIO_CLOSE);

    PEM_write_bio_X509(file, sk_X509_value(id->chain, 0));
    ck_assert(!BIO_tls_sign_load(e.client, name, NULL, NULL));
    ck_reason(MTLS_R_SIGN_NO_KEY);
    PEM_write_bio_PrivateKey(file, id->key, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_X509(file, id->cert);
    BIO_free(file);
    BIO_snprintf(uri, sizeof(uri), "file:%s", name);
    ck_assert(BIO_tls_sign_load(e.client, uri, NULL, NULL));
    unlink(name);
    ck_assert(!BIO_tls_sign_load(e.client, uri, NULL, NULL));
    ERR_clear_error();
    sign_ends_shake(&e);
    both_ways(&e);
    sign_ends_free(&e);
}
END_TEST

/* Above channels of one TLS connection, and in any order. */
START_TEST(above_channels)
{
    BIO *a, *b;
    struct stacks st;
    struct channels one, two;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    st.client = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(sign_tls(0), a));
    st.server = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(sign_tls(1), b));
    one = stacks_open(&st, "one:1");
    two = stacks_open(&st, "two:2");
    one.c = BIO_push(BIO_new(BIO_f_tls_sign()), one.c);
    two.c = BIO_push(BIO_new(BIO_f_tls_sign()), two.c);
    one.s = BIO_push(BIO_new(BIO_f_tls_sign()), one.s);
    two.s = BIO_push(BIO_new(BIO_f_tls_sign()), two.s);
    sign_say(two.c, "in two");
    sign_say(one.c, "in one");
    stacks_turn(&st);
    sign_hear(one.s, "in one");
    sign_hear(two.s, "in two");
    sign_say(two.s, "back");
    stacks_turn(&st);
    sign_hear(two.c, "back");
    BIO_free_all(one.c);
    stacks_turn(&st);
    BIO_free_all(one.s);
    BIO_free_all(two.c);
    BIO_free_all(two.s);
    stacks_free(&st);
}
END_TEST

/* A clean end is an end-of-file; a cut is none. */
START_TEST(ends)
{
    struct sign_ends e = sign_ends_open("pkcs7");
    SSL *ssl;
    char c;

    sign_say(e.client, "bye");
    BIO_get_ssl(e.client, &ssl);
    SSL_shutdown(ssl);
    sign_hear(e.server, "bye");
    ck_assert_int_eq(BIO_read(e.server, &c, 1), 0);
    ck_assert(!BIO_should_retry(e.server));
    ck_assert(BIO_eof(e.server));
    sign_ends_free(&e);
    for (int i = 0; i < 2; i++) { /* before a message, and within one */
        e = sign_ends_open("pkcs7");
        ck_assert_int_lt(BIO_read(e.server, &c, 1), 0);
        if (i > 0)
            sign_put(e.client, "\x17\0\3\3\0\5only", 10);
        BIO_shutdown_wr(BIO_next(BIO_next(e.client)));
        ck_assert_int_le(BIO_read(e.server, &c, 1), 0);
        ck_assert(!BIO_should_retry(e.server) && !BIO_eof(e.server));
        ck_assert_int_ne(ERR_peek_error(), 0);
        ERR_clear_error();
        sign_ends_free(&e);
    }
    e = sign_ends_open("pkcs7"); /* TLS ends, and a message does not */
    sign_put(e.client, "\x17\0\3\3\0\5only", 10);
    BIO_get_ssl(e.client, &ssl);
    SSL_shutdown(ssl);
    sign_refused(e.server, MTLS_R_SIGN_CUT);
    sign_ends_free(&e);
}
END_TEST

/* The settings are those of the BIO that a server copies for each client. */
START_TEST(copies)
{
    const struct pki_id *id = pki_client();
    BIO *b = BIO_new(BIO_f_tls_sign()), *copy;

    BIO_tls_sign_set1_certificate(b, id->cert);
    BIO_tls_sign_set1_key(b, id->key);
    BIO_tls_sign_set1_chain(b, id->chain);
    BIO_tls_sign_set_peer(b, "me");
    copy = BIO_dup_chain(b);
    ck_assert_ptr_nonnull(copy);
    BIO_free(b);
    BIO_free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_filter");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_loop_test(one, messages_both_ways, 0, 2);
    tcase_add_test(one, over_TLS_1_2);
    tcase_add_loop_test(one, receipts_both_ways, 0, 2);
    tcase_add_test(one, reads_and_lines);
    tcase_add_test(one, G8_messages_of_every_size);
    tcase_add_test(one, both_write_at_once);
    tcase_add_test(one, the_end_of_a_direction);
    tcase_add_test(one, G8_over_the_limit);
    tcase_add_test(one, off_and_on);
    tcase_add_test(one, other_certificates);
    tcase_add_test(one, keys_by_URI);
    tcase_add_test(one, above_channels);
    tcase_add_test(one, ends);
    tcase_add_test(one, copies);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
