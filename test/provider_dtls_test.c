/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What the KDF is for: both ends of a DTLS session derive an identity and a
 * key from it, each by itself, and a TLS-PSK handshake with them succeeds, in
 * the suite that MTLS-05 2.3 requires.
 */
#include "provider_load.h"

#include <check.h>
#include <mtls/mtls_provider.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct derived {
    char identity[33];
    unsigned char psk[48];
};

static struct derived client_has, server_has;
static int asked_for_unknown;

/* --- the DTLS session ----------------------------------------------------- */

/* Printable, so that no octet is zero. */
static int draw_id(SSL *ssl, unsigned char *id, unsigned int *len)
{
    (void)ssl;
    if (RAND_bytes(id, (int)*len) <= 0)
        return 0;
    for (unsigned int i = 0; i < *len; i++)
        id[i] = (unsigned char)('@' + id[i] % 32);
    return 1;
}

static SSL_CTX *dtls_ctx(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);

    ck_assert_ptr_nonnull(c);
    ck_assert(SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION));
    /* nobody is authenticated: no certificates are needed here */
    ck_assert(SSL_CTX_set_cipher_list(c, "AECDH-AES128-SHA:@SECLEVEL=0"));
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU);
    ck_assert(
        SSL_CTX_set_session_id_context(c, (const unsigned char *)"test", 4));
    ck_assert(SSL_CTX_set_generate_session_id(c, draw_id));
    return c;
}

static SSL *dtls_end(SSL_CTX *c, int fd)
{
    SSL *ssl = SSL_new(c);
    BIO *bio = BIO_new_dgram(fd, BIO_CLOSE);
    BIO_ADDR *peer = BIO_ADDR_new();

    ck_assert(ssl != NULL && bio != NULL && peer != NULL);
    BIO_ctrl_set_connected(bio, peer); /* the socket is; any address will do */
    BIO_ADDR_free(peer);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_mtu(ssl, 1400);
    return ssl;
}

static void shake_hands(SSL *client, SSL *server, int expected)
{
    int c = 0, s = 0;

    for (int i = 0; i < 100 && (c <= 0 || s <= 0); i++) {
        c = SSL_connect(client);
        s = SSL_accept(server);
    }
    ck_assert_int_eq(c > 0 && s > 0, expected);
}

/* Each end's own derivation, from what it knows of the session. */
static void derive(SSL *ssl, EVP_KDF *kdf, struct derived *out)
{
    SSL_SESSION *session = SSL_get0_session(ssl);
    unsigned int len;
    const unsigned char *id = SSL_SESSION_get_id(session, &len);
    unsigned char secret[48];
    EVP_KDF_CTX *k = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM in[] = {
        OSSL_PARAM_octet_string(MTLS_KDF_PARAM_SESSION_ID, (void *)id, len),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, secret, sizeof(secret)),
        OSSL_PARAM_END,
    };
    OSSL_PARAM identity[] = {
        OSSL_PARAM_utf8_string(MTLS_KDF_PARAM_IDENTITY, out->identity,
                               sizeof(out->identity)),
        OSSL_PARAM_END,
    };

    ck_assert_ptr_nonnull(k);
    ck_assert_uint_eq(
        SSL_SESSION_get_master_key(session, secret, sizeof(secret)), 48);
    ck_assert_int_gt(EVP_KDF_derive(k, out->psk, sizeof(out->psk), in), 0);
    ck_assert(EVP_KDF_CTX_get_params(k, identity));
    ck_assert_uint_eq(strlen(out->identity), 32);
    EVP_KDF_CTX_free(k);
}

static void run_dtls(EVP_KDF *kdf)
{
    SSL_CTX *cc = dtls_ctx(DTLS_client_method());
    SSL_CTX *sc = dtls_ctx(DTLS_server_method());
    SSL *client, *server;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds),
                     0);
    client = dtls_end(cc, fds[0]);
    server = dtls_end(sc, fds[1]);
    shake_hands(client, server, 1);
    ck_assert_int_eq(SSL_version(client), DTLS1_2_VERSION);
    derive(client, kdf, &client_has);
    derive(server, kdf, &server_has);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(cc);
    SSL_CTX_free(sc);
}

/* --- the TLS connection beside it ------------------------------------------
 */

static unsigned int on_client(SSL *ssl, const char *hint, char *identity,
                              unsigned int max_identity, unsigned char *psk,
                              unsigned int max_psk)
{
    (void)ssl;
    (void)hint;
    ck_assert_uint_gt(max_identity, strlen(client_has.identity));
    ck_assert_uint_ge(max_psk, sizeof(client_has.psk));
    memcpy(identity, client_has.identity, strlen(client_has.identity) + 1);
    memcpy(psk, client_has.psk, sizeof(client_has.psk));
    return sizeof(client_has.psk);
}

static unsigned int on_server(SSL *ssl, const char *identity,
                              unsigned char *psk, unsigned int max_psk)
{
    (void)ssl;
    ck_assert_uint_ge(max_psk, sizeof(server_has.psk));
    if (strcmp(identity, server_has.identity) != 0) {
        asked_for_unknown = 1;
        return 0;
    }
    memcpy(psk, server_has.psk, sizeof(server_has.psk));
    return sizeof(server_has.psk);
}

static void run_tls_psk(int expected)
{
    SSL_CTX *c = SSL_CTX_new(TLS_method());
    SSL *client, *server;
    BIO *a, *b;

    ck_assert_ptr_nonnull(c);
    ck_assert(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION));
    ck_assert(SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION));
    ck_assert(SSL_CTX_set_cipher_list(c, "PSK-AES128-CBC-SHA"));
    SSL_CTX_set_psk_client_callback(c, on_client);
    SSL_CTX_set_psk_server_callback(c, on_server);
    client = SSL_new(c);
    server = SSL_new(c);
    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    SSL_set_bio(client, a, a);
    SSL_set_bio(server, b, b);
    shake_hands(client, server, expected);
    if (expected)
        ck_assert_str_eq(SSL_get_cipher_name(server), "PSK-AES128-CBC-SHA");
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(c);
}

/* --- tests -------------------------------------------------------------------
 */

static OSSL_LIB_CTX *ctx;
static OSSL_PROVIDER *provider;

static void with_sessions(enum provider_kind kind)
{
    EVP_KDF *kdf;

    ctx = provider_context(kind);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
    kdf = EVP_KDF_fetch(ctx, MTLS_KDF_NAME_PSK, NULL);
    ck_assert_ptr_nonnull(kdf);
    run_dtls(kdf);
    EVP_KDF_free(kdf);
}

static void tear_down(void)
{
    ERR_clear_error();
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(ctx);
}

START_TEST(both_ends_derive_what_a_handshake_succeeds_with)
{
    with_sessions((enum provider_kind)_i);
    ck_assert_str_eq(client_has.identity, server_has.identity);
    ck_assert_mem_eq(client_has.psk, server_has.psk, sizeof(client_has.psk));
    run_tls_psk(1);
    ck_assert(!asked_for_unknown);
}
END_TEST

START_TEST(another_sessions_key_or_identity_does_not_do)
{
    with_sessions((enum provider_kind)_i);
    client_has.psk[47] ^= 1;
    run_tls_psk(0);
    client_has.psk[47] ^= 1;
    client_has.identity[31] ^= 1;
    run_tls_psk(0);
    ck_assert(asked_for_unknown);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_dtls");
    TCase *tests = tcase_create("dtls");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_loop_test(tests, both_ends_derive_what_a_handshake_succeeds_with,
                        0, PROVIDER_KINDS);
    tcase_add_loop_test(tests, another_sessions_key_or_identity_does_not_do, 0,
                        PROVIDER_KINDS);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
