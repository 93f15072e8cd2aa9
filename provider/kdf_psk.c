/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The KDF "MTLS-PSK": from the session ID and the master_secret of a DTLS
 * session, the psk_identity and the psk of the TLS connection that belongs to
 * it. The draft takes both as they are (MTLS-05 2.3, P6); what is left to do is
 * to see that they can be used.
 */
#include "prov.h"

#include <openssl/params.h>
#include <string.h>
#include <strings.h>

struct kdf_psk {
    struct mtls_prov *prov;
    char session_id[MTLS_SESSION_ID_MAX + 1]; /* "": none yet */
    unsigned char secret[MTLS_MASTER_SECRET_SIZE];
    int has_secret;
    int gives_identity; /* instead of the psk */
};

static OSSL_FUNC_kdf_newctx_fn psk_newctx;
static OSSL_FUNC_kdf_dupctx_fn psk_dupctx;
static OSSL_FUNC_kdf_freectx_fn psk_freectx;
static OSSL_FUNC_kdf_reset_fn psk_reset;
static OSSL_FUNC_kdf_derive_fn psk_derive;
static OSSL_FUNC_kdf_settable_ctx_params_fn psk_settable_ctx_params;
static OSSL_FUNC_kdf_set_ctx_params_fn psk_set_ctx_params;
static OSSL_FUNC_kdf_gettable_ctx_params_fn psk_gettable_ctx_params;
static OSSL_FUNC_kdf_get_ctx_params_fn psk_get_ctx_params;

/* --- life --- */

static int is_running(struct mtls_prov *prov)
{
    const char *error = mtls_prov_error(prov);

    if (error != NULL)
        MTLS_PROV_raise(prov, MTLS_PROV_R_NOT_RUNNING, "%s", error);
    return error == NULL;
}

static void *psk_newctx(void *provctx)
{
    struct mtls_prov *prov = provctx;
    struct kdf_psk *k;

    if (!is_running(prov))
        return NULL;
    k = OPENSSL_zalloc(sizeof(*k));
    if (k != NULL)
        k->prov = prov;
    return k;
}

static void *psk_dupctx(void *src)
{
    return OPENSSL_memdup(src, sizeof(struct kdf_psk));
}

static void psk_freectx(void *ctx)
{
    OPENSSL_clear_free(ctx, sizeof(struct kdf_psk));
}

static void psk_reset(void *ctx)
{
    struct kdf_psk *k = ctx;
    struct mtls_prov *prov = k->prov;

    OPENSSL_cleanse(k, sizeof(*k));
    k->prov = prov;
}

/* --- what goes in --- */

/* It becomes a C string in OpenSSL's callbacks: a zero octet would cut it. */
static int set_session_id(struct kdf_psk *k, const void *id, size_t len)
{
    if (len == 0 || len > MTLS_SESSION_ID_MAX) {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_BAD_SESSION_ID,
                        "%zu octets, not 1 to %d", len, MTLS_SESSION_ID_MAX);
        return 0;
    }
    if (memchr(id, '\0', len) != NULL) {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_BAD_SESSION_ID,
                        "it has a zero octet");
        return 0;
    }
    memset(k->session_id, 0, sizeof(k->session_id));
    memcpy(k->session_id, id, len);
    return 1;
}

static int set_secret(struct kdf_psk *k, const void *secret, size_t len)
{
    if (len != MTLS_MASTER_SECRET_SIZE) {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_BAD_SECRET, "%zu octets, not %d",
                        len, MTLS_MASTER_SECRET_SIZE);
        return 0;
    }
    memcpy(k->secret, secret, len);
    k->has_secret = 1;
    return 1;
}

static int set_mode(struct kdf_psk *k, const char *mode)
{
    k->gives_identity = strcasecmp(mode, MTLS_KDF_MODE_IDENTITY) == 0;
    if (k->gives_identity || strcasecmp(mode, MTLS_KDF_MODE_PSK) == 0)
        return 1;
    MTLS_PROV_raise(k->prov, MTLS_PROV_R_BAD_MODE, "%.64s", mode);
    return 0;
}

static int wrong_type(const struct kdf_psk *k, const OSSL_PARAM *p)
{
    MTLS_PROV_raise(k->prov, MTLS_PROV_R_WRONG_TYPE, "%s", p->key);
    return 0;
}

/* The octets of |p|; an empty string has an address, too. */
static int get_octets(const struct kdf_psk *k, const OSSL_PARAM *p,
                      const void **octets, size_t *len)
{
    if (!OSSL_PARAM_get_octet_string_ptr(p, octets, len))
        return wrong_type(k, p);
    if (*octets == NULL) {
        *octets = "";
        *len = 0;
    }
    return 1;
}

static int psk_set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
    struct kdf_psk *k = ctx;
    const OSSL_PARAM *p;
    const void *octets;
    const char *mode;
    size_t len;

    if (params == NULL)
        return 1;
    p = OSSL_PARAM_locate_const(params, MTLS_KDF_PARAM_SESSION_ID);
    if (p != NULL &&
        (!get_octets(k, p, &octets, &len) || !set_session_id(k, octets, len)))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_SECRET);
    if (p == NULL)
        p = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_KEY);
    if (p != NULL &&
        (!get_octets(k, p, &octets, &len) || !set_secret(k, octets, len)))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_MODE);
    if (p == NULL)
        return 1;
    if (!OSSL_PARAM_get_utf8_string_ptr(p, &mode) || mode == NULL)
        return wrong_type(k, p);
    return set_mode(k, mode);
}

static const OSSL_PARAM *psk_settable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_octet_string(MTLS_KDF_PARAM_SESSION_ID, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)ctx;
    (void)provctx;
    return table;
}

/* --- what comes out --- */

static int is_complete(const struct kdf_psk *k)
{
    if (k->session_id[0] == '\0') {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_NO_SESSION_ID, NULL);
        return 0;
    }
    if (!k->has_secret && !k->gives_identity) {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_NO_SECRET, NULL);
        return 0;
    }
    return 1;
}

static size_t output_size(const struct kdf_psk *k)
{
    return k->gives_identity ? strlen(k->session_id) : sizeof(k->secret);
}

static int derive(const struct kdf_psk *k, unsigned char *key, size_t len)
{
    if (!is_complete(k))
        return 0;
    if (len != output_size(k)) {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_BAD_LENGTH, "%zu octets, not %zu",
                        len, output_size(k));
        return 0;
    }
    memcpy(key, k->gives_identity ? (const void *)k->session_id : k->secret,
           len);
    return 1;
}

static int psk_derive(void *ctx, unsigned char *key, size_t len,
                      const OSSL_PARAM params[])
{
    struct kdf_psk *k = ctx;

    return is_running(k->prov) && psk_set_ctx_params(k, params) &&
           derive(k, key, len);
}

static int psk_get_ctx_params(void *ctx, OSSL_PARAM params[])
{
    const struct kdf_psk *k = ctx;
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_KDF_PARAM_SIZE);

    if (p != NULL && !OSSL_PARAM_set_size_t(p, output_size(k)))
        return 0;
    p = OSSL_PARAM_locate(params, MTLS_KDF_PARAM_IDENTITY);
    if (p == NULL)
        return 1;
    if (k->session_id[0] == '\0') {
        MTLS_PROV_raise(k->prov, MTLS_PROV_R_NO_SESSION_ID, NULL);
        return 0;
    }
    return OSSL_PARAM_set_utf8_string(p, k->session_id) || wrong_type(k, p);
}

static const OSSL_PARAM *psk_gettable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_size_t(OSSL_KDF_PARAM_SIZE, NULL),
        OSSL_PARAM_utf8_string(MTLS_KDF_PARAM_IDENTITY, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)ctx;
    (void)provctx;
    return table;
}

int mtls_kdf_psk_once(struct mtls_prov *prov, const char *session_id,
                      const unsigned char secret[MTLS_MASTER_SECRET_SIZE],
                      char identity[MTLS_SESSION_ID_MAX + 1],
                      unsigned char psk[MTLS_MASTER_SECRET_SIZE])
{
    struct kdf_psk k = {.prov = prov};
    OSSL_PARAM asked[] = {
        OSSL_PARAM_utf8_string(MTLS_KDF_PARAM_IDENTITY, identity,
                               MTLS_SESSION_ID_MAX + 1),
        OSSL_PARAM_END,
    };
    int ok = set_session_id(&k, session_id, strlen(session_id)) &&
             set_secret(&k, secret, MTLS_MASTER_SECRET_SIZE) &&
             derive(&k, psk, MTLS_MASTER_SECRET_SIZE) &&
             psk_get_ctx_params(&k, asked);

    OPENSSL_cleanse(&k, sizeof(k));
    return ok;
}

#define FUNCTION(id, function)         \
    {                                  \
        id, (void (*)(void))(function) \
    }

const OSSL_DISPATCH mtls_kdf_psk[] = {
    FUNCTION(OSSL_FUNC_KDF_NEWCTX, psk_newctx),
    FUNCTION(OSSL_FUNC_KDF_DUPCTX, psk_dupctx),
    FUNCTION(OSSL_FUNC_KDF_FREECTX, psk_freectx),
    FUNCTION(OSSL_FUNC_KDF_RESET, psk_reset),
    FUNCTION(OSSL_FUNC_KDF_DERIVE, psk_derive),
    FUNCTION(OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, psk_settable_ctx_params),
    FUNCTION(OSSL_FUNC_KDF_SET_CTX_PARAMS, psk_set_ctx_params),
    FUNCTION(OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, psk_gettable_ctx_params),
    FUNCTION(OSSL_FUNC_KDF_GET_CTX_PARAMS, psk_get_ctx_params),
    {0, NULL},
};
