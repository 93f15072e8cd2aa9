/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What stacks on a channel, and what the filter stacks on: every type of
 * OpenSSL's that programs push, none of which knows of channels.
 */
#include "fault_bio.h"
#include "stacks.h"

#include <check.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <string.h>

static struct stacks st;
static struct channels ch;

static void set_up(void)
{
    st = stacks_new(STACKS_TLS13_PAIR, 0);
    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
}

static void tear_down(void)
{
    BIO_free_all(ch.c);
    BIO_free_all(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}

START_TEST(buffer)
{
    char line[64];

    ch.c = BIO_push(BIO_new(BIO_f_buffer()), ch.c);
    ch.s = BIO_push(BIO_new(BIO_f_buffer()), ch.s);
    ck_assert_int_eq(BIO_printf(ch.c, "%d green\n", 10), 9);
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), -1);
    ck_assert(BIO_should_read(ch.s));
    ck_assert_int_eq(BIO_puts(ch.c, "bottles\n"), 8);
    ck_assert_int_eq(BIO_flush(ch.c), 1);
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 9);
    ck_assert_str_eq(line, "10 green\n");
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 8);
}
END_TEST

START_TEST(base64)
{
    char text[64];
    int n;

    ch.c = BIO_push(BIO_new(BIO_f_base64()), ch.c);
    ck_assert_int_eq(BIO_write(ch.c, "sixteen octets!!", 16), 16);
    ck_assert_int_eq(BIO_flush(ch.c), 1);
    n = BIO_read(ch.s, text, sizeof(text));
    ck_assert_int_eq(n, 25);
    ck_assert_mem_eq(text, "c2l4dGVlbiBvY3RldHMhIQ==\n", 25);
    ck_assert_int_eq(BIO_puts(ch.s, "c2l4dGVlbiBvY3RldHMhIQ==\n"), 25);
    BIO_shutdown_wr(ch.s);
    n = BIO_read(ch.c, text, sizeof(text));
    ck_assert_int_eq(n, 16);
    ck_assert_mem_eq(text, "sixteen octets!!", 16);
}
END_TEST

static void digests_equal(BIO *a, BIO *b)
{
    unsigned char x[EVP_MAX_MD_SIZE], y[EVP_MAX_MD_SIZE];

    ck_assert_int_eq(BIO_gets(a, (char *)x, sizeof(x)), 32);
    ck_assert_int_eq(BIO_gets(b, (char *)y, sizeof(y)), 32);
    ck_assert_mem_eq(x, y, 32);
}

START_TEST(message_digest_above)
{
    BIO *c = BIO_new(BIO_f_md()), *s = BIO_new(BIO_f_md());

    BIO_set_md(c, EVP_sha256());
    BIO_set_md(s, EVP_sha256());
    ch.c = BIO_push(c, ch.c);
    ch.s = BIO_push(s, ch.s);
    stacks_move(ch.c, ch.s, 100000);
    digests_equal(c, s);
}
END_TEST

START_TEST(message_digest_and_buffer_below)
{
    BIO *a, *b, *md[2] = {BIO_new(BIO_f_md()), BIO_new(BIO_f_md())};
    struct stacks plain = {BIO_new(BIO_f_mtls()), BIO_new(BIO_f_mtls())};
    struct channels pair;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    for (int i = 0; i < 2; i++)
        BIO_set_md(md[i], EVP_sha256());
    BIO_mtls_set_role(plain.client, MTLS_ROLE_CLIENT);
    BIO_mtls_set_role(plain.server, MTLS_ROLE_SERVER);
    BIO_push(plain.client, BIO_push(md[0], a));
    BIO_push(plain.server,
             BIO_push(md[1], BIO_push(BIO_new(BIO_f_buffer()), b)));
    ck_assert_ptr_null(BIO_mtls_accept_channel(plain.server));
    pair = stacks_open(&plain, "default");
    stacks_move(pair.c, pair.s, 100000);
    BIO_free(pair.c);
    BIO_free(pair.s);
    stacks_free(&plain);
}
END_TEST

/* TLS inside a channel, with a certificate check of its own. */
START_TEST(tls_in_a_channel)
{
    SSL_CTX *client = stacks_client_ctx(TLS1_3_VERSION);
    SSL_CTX *server = stacks_server_ctx(TLS1_3_VERSION);
    BIO *c = BIO_new_ssl(client, 1), *s = BIO_new_ssl(server, 0);
    SSL *inner = NULL;

    ch.c = BIO_push(c, ch.c);
    ch.s = BIO_push(s, ch.s);
    for (int i = 0; i < 20; i++) {
        BIO_do_handshake(ch.c);
        BIO_do_handshake(ch.s);
    }
    BIO_get_ssl(ch.c, &inner);
    ck_assert(SSL_is_init_finished(inner));
    ck_assert_int_eq(SSL_get_verify_result(inner), X509_V_OK);
    stacks_move(ch.c, ch.s, 200000);
    stacks_move(ch.s, ch.c, 200000);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}
END_TEST

START_TEST(ssl_set_bio_on_channels)
{
    SSL_CTX *client = stacks_client_ctx(TLS1_2_VERSION);
    SSL_CTX *server = stacks_server_ctx(TLS1_2_VERSION);
    SSL *c = SSL_new(client), *s = SSL_new(server);
    char text[8];

    SSL_set_bio(c, ch.c, ch.c);
    SSL_set_bio(s, ch.s, ch.s);
    ch.c = ch.s = NULL; /* theirs now */
    for (int i = 0; i < 20; i++) {
        SSL_connect(c);
        SSL_accept(s);
    }
    ck_assert_int_eq(SSL_write(c, "inner", 5), 5);
    ck_assert_int_eq(SSL_read(s, text, sizeof(text)), 5);
    SSL_shutdown(c);
    ck_assert_int_eq(SSL_read(s, text, sizeof(text)), 0);
    ck_assert_int_eq(SSL_get_error(s, 0), SSL_ERROR_ZERO_RETURN);
    SSL_free(c);
    SSL_free(s);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}
END_TEST

START_TEST(pem_over_a_channel)
{
    SSL_CTX *server = stacks_server_ctx(TLS1_3_VERSION);
    X509 *sent = SSL_CTX_get0_certificate(server), *got;

    ck_assert_int_eq(PEM_write_bio_X509(ch.c, sent), 1);
    got = PEM_read_bio_X509(ch.s, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(X509_cmp(sent, got), 0);
    X509_free(got);
    ck_assert_int_eq(i2d_X509_bio(ch.s, sent), 1);
    got = d2i_X509_bio(ch.c, NULL);
    ck_assert_ptr_nonnull(got);
    X509_free(got);
    SSL_CTX_free(server);
}
END_TEST

/* Signed while it is sent, and verified from what was received. */
START_TEST(cms_and_smime_over_a_channel)
{
    SSL_CTX *server = stacks_server_ctx(TLS1_3_VERSION);
    X509 *certificate = SSL_CTX_get0_certificate(server);
    EVP_PKEY *key = SSL_CTX_get0_privatekey(server);
    BIO *data = BIO_new_mem_buf("order 12 pumps", -1), *cont = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    unsigned int flags = CMS_STREAM | CMS_PARTIAL | (_i ? CMS_DETACHED : 0);
    CMS_ContentInfo *cms = CMS_sign(certificate, key, NULL, data, flags);

    ck_assert_ptr_nonnull(cms);
    if (_i)
        ck_assert_int_eq(SMIME_write_CMS(ch.c, cms, data, (int)flags), 1);
    else
        ck_assert_int_eq(i2d_CMS_bio_stream(ch.c, cms, data, (int)flags), 1);
    CMS_ContentInfo_free(cms);
    BIO_shutdown_wr(ch.c);
    cms = _i ? SMIME_read_CMS(ch.s, &cont) : d2i_CMS_bio(ch.s, NULL);
    ck_assert_ptr_nonnull(cms);
    ck_assert_int_eq(
        CMS_verify(cms, NULL, NULL, cont, out, CMS_NO_SIGNER_CERT_VERIFY), 1);
    ck_assert_int_ge(BIO_pending(out), 14);
    CMS_ContentInfo_free(cms);
    BIO_free(data);
    BIO_free(cont);
    BIO_free(out);
    SSL_CTX_free(server);
}
END_TEST

START_TEST(mtls_in_a_channel)
{
    struct stacks inner = {BIO_push(BIO_new(BIO_f_mtls()), ch.c),
                           BIO_push(BIO_new(BIO_f_mtls()), ch.s)};
    struct channels deep;

    ch.c = ch.s = NULL;
    ck_assert_ptr_null(BIO_mtls_accept_channel(inner.server));
    deep = stacks_open(&inner, "default");
    stacks_move(deep.c, deep.s, 300000);
    stacks_move(deep.s, deep.c, 300000);
    BIO_free(deep.c);
    BIO_free(deep.s);
    stacks_free(&inner);
}
END_TEST

START_TEST(faults_between_layers)
{
    struct fault_plan above = {.most = 100, .retry = 3};

    ch.c = BIO_push(fault_bio_new(&above), ch.c);
    stacks_move(ch.c, ch.s, 20000);
    stacks_move(ch.s, ch.c, 20000);
}
END_TEST

/* BIO_dup_chain: a channel is one BIO, a filter in front of it does not help.
 */
START_TEST(duplicates_are_refused_as_a_whole)
{
    ch.c = BIO_push(BIO_new(BIO_f_buffer()), ch.c);
    ck_assert_ptr_null(BIO_dup_chain(ch.c));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stack");
    TCase *tc = tcase_create("stack");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, buffer);
    tcase_add_test(tc, base64);
    tcase_add_test(tc, message_digest_above);
    tcase_add_test(tc, message_digest_and_buffer_below);
    tcase_add_test(tc, tls_in_a_channel);
    tcase_add_test(tc, ssl_set_bio_on_channels);
    tcase_add_test(tc, pem_over_a_channel);
    tcase_add_loop_test(tc, cms_and_smime_over_a_channel, 0, 2);
    tcase_add_test(tc, mtls_in_a_channel);
    tcase_add_test(tc, faults_between_layers);
    tcase_add_test(tc, duplicates_are_refused_as_a_whole);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
