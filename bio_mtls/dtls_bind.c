/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Contexts for the two connections, and what binds one to the other. */
#include "dtls_bind.h"

#include "defaults.h"
#include "err.h"

#include <mtls/mtls_provider.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int binding_index = -1; /* of an SSL: a client's binding */
static int waiting_index = -1; /* of an SSL_CTX: a server's table */

static void free_binding(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index,
                         long argl, void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    OPENSSL_clear_free(ptr, sizeof(struct mtls_binding));
}

static void free_waiting(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index,
                         long argl, void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    MTLS_dtls_waiting_free(ptr);
}

/* SSL_dup() has no key of its own. */
static int dup_binding(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from,
                       void **from_d, int index, long argl, void *argp)
{
    (void)to;
    (void)from;
    (void)index;
    (void)argl;
    (void)argp;
    *from_d = NULL;
    return 1;
}

static void make_indexes(void)
{
    binding_index =
        SSL_get_ex_new_index(0, NULL, NULL, dup_binding, free_binding);
    waiting_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_waiting);
}

static int has_indexes(void)
{
    return CRYPTO_THREAD_run_once(&once, make_indexes) && binding_index >= 0 &&
           waiting_index >= 0;
}

/* --- the derivation --------------------------------------------------------
 */

static int derive(EVP_KDF_CTX *k, const unsigned char *id, size_t id_len,
                  const unsigned char *secret, size_t secret_len,
                  struct mtls_binding *out)
{
    OSSL_PARAM in[] = {
        OSSL_PARAM_octet_string(MTLS_KDF_PARAM_SESSION_ID, (void *)id, id_len),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, (void *)secret,
                                secret_len),
        OSSL_PARAM_END,
    };
    OSSL_PARAM identity[] = {
        OSSL_PARAM_utf8_string(MTLS_KDF_PARAM_IDENTITY, out->identity,
                               sizeof(out->identity)),
        OSSL_PARAM_END,
    };

    return EVP_KDF_derive(k, out->psk, sizeof(out->psk), in) > 0 &&
           EVP_KDF_CTX_get_params(k, identity) > 0;
}

static EVP_KDF_CTX *new_kdf(void)
{
    EVP_KDF *kdf;
    EVP_KDF_CTX *k = NULL;

    if (mtls_provider() == NULL)
        return NULL;
    kdf = EVP_KDF_fetch(NULL, MTLS_KDF_NAME_PSK, NULL);
    if (kdf != NULL)
        k = EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    return k;
}

/*
 * Without the extended master secret (RFC 7627) somebody in the middle can
 * bring two sessions to have the same, and the binding would bind nothing.
 */
int mtls_binding_of(SSL *ssl, struct mtls_binding *binding)
{
    SSL_SESSION *session = SSL_get0_session(ssl);
    unsigned char secret[MTLS_PSK_SIZE];
    unsigned int id_len = 0;
    const unsigned char *id;
    EVP_KDF_CTX *k;
    size_t n;
    int ok;

    if (session == NULL || !SSL_is_init_finished(ssl) || !SSL_is_dtls(ssl)) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    if (SSL_get_extms_support(ssl) != 1) {
        MTLS_raise(MTLS_R_NO_EXTENDED_MASTER_SECRET);
        return 0;
    }
    k = new_kdf();
    if (k == NULL) {
        mtls_defaults_raise();
        return 0;
    }
    id = SSL_SESSION_get_id(session, &id_len);
    n = SSL_SESSION_get_master_key(session, secret, sizeof(secret));
    ok = derive(k, id, id_len, secret, n, binding);
    OPENSSL_cleanse(secret, sizeof(secret));
    EVP_KDF_CTX_free(k);
    return ok;
}

/* --- callbacks -------------------------------------------------------------
 */

static unsigned int on_client(SSL *ssl, const char *hint, char *identity,
                              unsigned int max_identity, unsigned char *psk,
                              unsigned int max_psk)
{
    const struct mtls_binding *b = SSL_get_ex_data(ssl, binding_index);

    (void)hint;
    if (b == NULL || strlen(b->identity) >= max_identity ||
        sizeof(b->psk) > max_psk)
        return 0;
    memcpy(identity, b->identity, strlen(b->identity) + 1);
    memcpy(psk, b->psk, sizeof(b->psk));
    return sizeof(b->psk);
}

static unsigned int on_server(SSL *ssl, const char *identity,
                              unsigned char *psk, unsigned int max_psk)
{
    MTLS_DTLS_WAITING *waiting =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), waiting_index);

    if (waiting == NULL || identity == NULL || max_psk < MTLS_PSK_SIZE ||
        !mtls_waiting_key(waiting, identity, psk))
        return 0;
    return MTLS_PSK_SIZE;
}

int MTLS_dtls_bind(SSL *control, SSL *datagrams)
{
    struct mtls_binding *b;

    if (!has_indexes() || (b = OPENSSL_zalloc(sizeof(*b))) == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    if (!mtls_binding_of(datagrams, b)) {
        OPENSSL_clear_free(b, sizeof(*b));
        return 0;
    }
    free_binding(NULL, SSL_get_ex_data(control, binding_index), NULL, 0, 0,
                 NULL);
    if (!SSL_set_max_proto_version(control, TLS1_2_VERSION) ||
        !SSL_set_ex_data(control, binding_index, b)) {
        OPENSSL_clear_free(b, sizeof(*b));
        return 0;
    }
    SSL_set_psk_client_callback(control, on_client);
    return 1;
}

/* --- contexts --------------------------------------------------------------
 */

/* 192 bits in 32 printable characters: a name, and no octet is zero. */
static int draw_id(SSL *ssl, unsigned char *id, unsigned int *len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    do {
        if (RAND_bytes(id, (int)*len) <= 0)
            return 0;
        for (unsigned int i = 0; i < *len; i++)
            id[i] = (unsigned char)digits[id[i] % 64];
    } while (SSL_has_matching_session_id(ssl, id, *len));
    return 1;
}

/*
 * With encrypt-then-MAC, OpenSSL 3.0 takes a forged record for the end of the
 * session, where DTLS should drop it (RFC 6347 4.1.2.7); AEAD suites and the
 * older order are not concerned.
 */
int MTLS_dtls_set_datagram_ctx(SSL_CTX *ctx)
{
    static const unsigned char name[] = "mtls";

    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_NO_ENCRYPT_THEN_MAC);
    /* off, a server would give out no ID */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER |
                                            SSL_SESS_CACHE_NO_INTERNAL);
    return SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) &&
           SSL_CTX_set_session_id_context(ctx, name, sizeof(name) - 1) &&
           SSL_CTX_set_generate_session_id(ctx, draw_id);
}

int MTLS_dtls_set_control_ctx(SSL_CTX *ctx, MTLS_DTLS_WAITING *waiting)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (!has_indexes() || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ctx, MTLS_DTLS_CONTROL_CIPHERS))
        return 0;
    if (waiting == NULL)
        return 1;
    MTLS_dtls_waiting_free(SSL_CTX_get_ex_data(ctx, waiting_index));
    if (!SSL_CTX_set_ex_data(ctx, waiting_index, waiting))
        return 0;
    mtls_waiting_up_ref(waiting);
    SSL_CTX_set_psk_server_callback(ctx, on_server);
    return 1;
}
