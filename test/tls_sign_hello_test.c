/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The hello extension `signature`, and what follows when it is not agreed on.
 */
#include "core_suite.h"
#include "sign_ends.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* --- over each version of TLS and DTLS --- */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, DTLS1_2_VERSION};

static SSL_CTX *ctx_of(int server, int version, const char *formats, int refuse)
{
    SSL_CTX *ctx;

    if (version != DTLS1_2_VERSION)
        return sign_ctx(server, version, formats, refuse);
    ctx = SSL_CTX_new(server ? DTLS_server_method() : DTLS_client_method());
    ck_assert(SSL_CTX_use_cert_and_key(ctx, pki_server()->cert,
                                       pki_server()->key, NULL, 1));
    if (formats != NULL)
        ck_assert(MTLS_sign_offer(ctx, formats, refuse));
    return ctx;
}

struct pair {
    SSL *client, *server;
};

static struct pair pair_of(SSL_CTX *client, SSL_CTX *server)
{
    struct pair p = {SSL_new(client), SSL_new(server)};
    BIO *a, *b;

    ck_assert(BIO_new_bio_pair(&a, 65536, &b, 65536));
    SSL_set_bio(p.client, a, a);
    SSL_set_bio(p.server, b, b);
    SSL_set_connect_state(p.client);
    SSL_set_accept_state(p.server);
    return p;
}

/* 1, or the alert that ended it, below 0. */
static int shake(struct pair *p)
{
    for (int i = 0; i < 100; i++) {
        int c = SSL_do_handshake(p->client), s = SSL_do_handshake(p->server);

        if (c == 1 && s == 1)
            return 1;
        if ((c <= 0 && SSL_get_error(p->client, c) == SSL_ERROR_SSL) ||
            (s <= 0 && SSL_get_error(p->server, s) == SSL_ERROR_SSL)) {
            SSL_do_handshake(p->client);
            return -1;
        }
    }
    return 0;
}

static void pair_free(struct pair *p)
{
    SSL_free(p->client);
    SSL_free(p->server);
}

static void check_agreed(int version, const char *client, const char *server,
                         int format)
{
    SSL_CTX *c = ctx_of(0, version, client, 0),
            *s = ctx_of(1, version, server, 0);
    struct pair p = pair_of(c, s);

    ck_assert_int_eq(MTLS_sign_get_format(p.client), -1);
    ck_assert_int_eq(shake(&p), 1);
    ck_assert_int_eq(MTLS_sign_get_format(p.client), format);
    ck_assert_int_eq(MTLS_sign_get_format(p.server), format);
    pair_free(&p);
    SSL_CTX_free(c);
    SSL_CTX_free(s);
}

START_TEST(formats_are_agreed_on)
{
    const int v = versions[_i];

    check_agreed(v, "pkcs7", "pkcs7", MTLS_SIGN_PKCS7);
    check_agreed(v, "smime:pkcs7", "pkcs7:smime", MTLS_SIGN_SMIME);
    check_agreed(v, "smime", "pkcs7", -1);
    check_agreed(v, "pkcs7", NULL, -1);
    check_agreed(v, NULL, "pkcs7", -1);
    check_agreed(v, NULL, NULL, -1);
}
END_TEST

START_TEST(a_server_refuses_other_formats)
{
    SSL_CTX *c = ctx_of(0, versions[_i], "smime", 0),
            *s = ctx_of(1, versions[_i], "pkcs7", 1);
    struct pair p = pair_of(c, s);

    ck_assert_int_eq(shake(&p), -1);
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                     SSL_R_TLSV1_UNSUPPORTED_EXTENSION);
    ERR_clear_error();
    pair_free(&p);
    SSL_CTX_free(c);
    SSL_CTX_free(s);
}
END_TEST

/* Resumption negotiates anew, and an offer can be changed. */
START_TEST(resumption_and_new_offers)
{
    SSL_CTX *c = sign_ctx(0, TLS1_2_VERSION, "pkcs7", 0),
            *s = sign_ctx(1, TLS1_2_VERSION, "pkcs7:smime", 0);
    struct pair p;
    SSL_SESSION *session;

    SSL_CTX_set_session_id_context(s, (const unsigned char *)"t", 1);
    p = pair_of(c, s);
    ck_assert_int_eq(shake(&p), 1);
    session = SSL_get1_session(p.client);
    SSL_set_shutdown(p.client, SSL_SENT_SHUTDOWN); /* a good end */
    SSL_set_shutdown(p.server, SSL_SENT_SHUTDOWN);
    pair_free(&p);
    ck_assert(MTLS_sign_offer(c, "smime", 0));
    p = pair_of(c, s);
    SSL_set_session(p.client, session);
    ck_assert_int_eq(shake(&p), 1);
    ck_assert(SSL_session_reused(p.client));
    ck_assert_int_eq(MTLS_sign_get_format(p.client), MTLS_SIGN_SMIME);
    ck_assert_int_eq(MTLS_sign_get_format(p.server), MTLS_SIGN_SMIME);
    SSL_SESSION_free(session);
    pair_free(&p);
    SSL_CTX_free(c);
    SSL_CTX_free(s);
}
END_TEST

/* --- extensions made by hand --- */

struct by_hand {
    const unsigned char *octets;
    size_t len;
};

static int hand_add(SSL *ssl, unsigned int ext_type, unsigned int context,
                    const unsigned char **out, size_t *out_len, X509 *x,
                    size_t chain_index, int *alert, void *arg)
{
    const struct by_hand *hand = arg;

    (void)ssl, (void)ext_type, (void)context, (void)x, (void)chain_index,
        (void)alert;
    *out = hand->octets;
    *out_len = hand->len;
    return 1;
}

static int hand_parse(SSL *ssl, unsigned int ext_type, unsigned int context,
                      const unsigned char *in, size_t in_len, X509 *x,
                      size_t chain_index, int *alert, void *arg)
{
    (void)ssl, (void)ext_type, (void)context, (void)in, (void)in_len, (void)x,
        (void)chain_index, (void)alert, (void)arg;
    return 1;
}

/* 1, and the format that the other end takes it for; or -1. */
static int shake_by_hand(int server, const char *octets, size_t len,
                         int *format)
{
    struct by_hand hand = {(const unsigned char *)octets, len};
    SSL_CTX *ours = sign_ctx(!server, TLS1_3_VERSION, "pkcs7", 0),
            *theirs = sign_ctx(server, TLS1_3_VERSION, NULL, 0);
    struct pair p;
    int r;

    ck_assert(SSL_CTX_add_custom_ext(theirs, 65363,
                                     SSL_EXT_CLIENT_HELLO |
                                         SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                     hand_add, NULL, &hand, hand_parse, NULL));
    p = server ? pair_of(ours, theirs) : pair_of(theirs, ours);
    r = shake(&p);
    *format = MTLS_sign_get_format(server ? p.client : p.server);
    pair_free(&p);
    SSL_CTX_free(ours);
    SSL_CTX_free(theirs);
    ERR_clear_error();
    return r;
}

#define SHAKE(server, literal) \
    shake_by_hand((server), (literal), sizeof(literal) - 1, &format)

START_TEST(offers_by_hand)
{
    int format;

    ck_assert_int_eq(SHAKE(0, "\0\0\0\2\0\1"), 1);
    ck_assert_int_eq(format, MTLS_SIGN_PKCS7);
    ck_assert_int_eq(SHAKE(0, "\0\0\0\6\0\2\1\1\0\1"), 1); /* among others */
    ck_assert_int_eq(format, MTLS_SIGN_PKCS7);
    ck_assert_int_eq(SHAKE(0, "\0\0\0\2\0\2"), 1); /* without proof alone */
    ck_assert_int_eq(format, -1);
    ck_assert_int_eq(SHAKE(0, "\0\1\0\2\0\1"), 1); /* by URL */
    ck_assert_int_eq(format, -1);
    ck_assert_int_eq(SHAKE(0, "\xff\0\0\2\0\1"), 1); /* a format of none */
    ck_assert_int_eq(format, -1);
    ck_assert_int_eq(SHAKE(0, "\0\0\0\0"), -1); /* malformed */
    ck_assert_int_eq(SHAKE(0, "\0\0\0\3\0\1\0"), -1);
    ck_assert_int_eq(SHAKE(0, "\0\0\0\2\0\1\0"), -1);
    ck_assert_int_eq(SHAKE(0, ""), -1);
}
END_TEST

START_TEST(answers_by_hand)
{
    int format;

    ck_assert_int_eq(SHAKE(1, "\0\0\0\2\0\1"), 1);
    ck_assert_int_eq(format, MTLS_SIGN_PKCS7);
    ck_assert_int_eq(SHAKE(1, "\1\0\0\2\0\1"), -1); /* not what we offered */
    ck_assert_int_eq(SHAKE(1, "\0\1\0\2\0\1"), -1);
    ck_assert_int_eq(SHAKE(1, "\0\0\0\2\0\2"), -1);
    ck_assert_int_eq(SHAKE(1, "\0\0\0\4\0\1\0\2"), -1);
    ck_assert_int_eq(SHAKE(1, "\0\0\0\2\0"), -1);
}
END_TEST

/* --- filters whose ends did not agree --- */

START_TEST(G3_no_agreement_is_an_error)
{
    const struct sign_wish wish = {.client = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);
    long r = -1;

    for (int i = 0; i < 100 && r <= 0; i++) {
        BIO_do_handshake(e.server);
        r = BIO_do_handshake(e.client);
        if (r <= 0 && !BIO_should_retry(e.client))
            break;
        ERR_clear_error();
    }
    ck_assert_int_eq(r, -1);
    ck_reason(MTLS_R_SIGN_NOT_NEGOTIATED);
    sign_refused(e.client, MTLS_R_SIGN_NOT_NEGOTIATED);
    sign_refused(e.server, MTLS_R_SIGN_NOT_NEGOTIATED);
    ck_assert_int_le(BIO_puts(e.client, "unsigned"), 0);
    ck_reason(MTLS_R_SIGN_NOT_NEGOTIATED);
    sign_ends_free(&e);
}
END_TEST

START_TEST(an_ordinary_connection_where_that_will_do)
{
    const struct sign_wish wish = {.server = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);

    BIO_tls_sign_set_require(e.client, 0);
    BIO_tls_sign_set_require(e.server, 0);
    sign_ends_shake(&e);
    sign_say(e.client, "plain");
    sign_hear(BIO_next(e.server), "plain");
    sign_put(e.server, "as well", 7);
    sign_hear(e.client, "as well");
    ck_assert(!BIO_tls_sign_is_signed(e.client));
    ck_assert_int_eq(BIO_tls_sign_get_format(e.client), -1);
    sign_ends_free(&e);
}
END_TEST

/* Known by other means than the extension. */
START_TEST(a_format_that_was_set)
{
    const struct sign_wish wish = {0};
    struct sign_ends e = sign_ends_of(&wish);

    ck_assert(!BIO_tls_sign_set_format(e.client, 3));
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert(BIO_tls_sign_set_format(e.client, MTLS_SIGN_SMIME));
    ck_assert(BIO_tls_sign_set_format(e.server, MTLS_SIGN_SMIME));
    sign_ends_shake(&e);
    sign_say(e.client, "signed");
    sign_hear(e.server, "signed");
    ck_assert(BIO_tls_sign_is_signed(e.server));
    sign_ends_free(&e);
}
END_TEST

/* No TLS, or none that a signature can be bound to. */
START_TEST(sessions_that_bind_nothing)
{
    const struct sign_wish wish = {
        .client = "pkcs7", .server = "pkcs7", .version = TLS1_2_VERSION};
    struct sign_ends e = sign_ends_of(&wish);
    BIO *b = BIO_push(BIO_new(BIO_f_tls_sign()), BIO_new(BIO_s_mem()));
    SSL *ssl;

    ck_assert_int_le(BIO_puts(b, "signed"), 0);
    ERR_clear_error();
    BIO_free_all(b);
    BIO_get_ssl(e.client, &ssl);
    SSL_set_options(ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    for (int i = 0; i < 20; i++) {
        BIO_do_handshake(e.client);
        BIO_do_handshake(e.server);
    }
    ERR_clear_error();
    sign_refused(e.client, MTLS_R_SIGN_NO_BINDING);
    sign_refused(e.server, MTLS_R_SIGN_NO_BINDING);
    sign_ends_free(&e);
}
END_TEST

START_TEST(names_of_formats)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(MTLS_sign_format_by_name(MTLS_sign_format_name(i)), i);
    ck_assert_ptr_null(MTLS_sign_format_name(3));
    ck_assert_int_eq(MTLS_sign_format_by_name("PKCS7"), -1);
    ck_assert(!MTLS_sign_offer(ctx, "pkcs8", 0));
    ck_reason(MTLS_R_SIGN_FORMAT);
    ck_assert(!MTLS_sign_offer(ctx, "pkcs7:", 0));
    ck_reason(MTLS_R_SIGN_FORMAT);
    ck_assert(!MTLS_sign_offer(ctx, "", 0));
    ck_reason(MTLS_R_SIGN_FORMAT);
    ck_assert(!MTLS_sign_offer(ctx, "a name that is far too long for one", 0));
    ck_reason(MTLS_R_SIGN_FORMAT);
    SSL_CTX_free(ctx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_hello");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_loop_test(one, formats_are_agreed_on, 0, 3);
    tcase_add_loop_test(one, a_server_refuses_other_formats, 0, 2);
    tcase_add_test(one, resumption_and_new_offers);
    tcase_add_test(one, offers_by_hand);
    tcase_add_test(one, answers_by_hand);
    tcase_add_test(one, G3_no_agreement_is_an_error);
    tcase_add_test(one, an_ordinary_connection_where_that_will_do);
    tcase_add_test(one, a_format_that_was_set);
    tcase_add_test(one, sessions_that_bind_nothing);
    tcase_add_test(one, names_of_formats);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
