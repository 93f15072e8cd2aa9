/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The STORE loader of "tlssign:FILE": the certificates of those who signed what
 * an evidence log holds, each once, in the order of their first entries. What
 * they signed, and whether the log is whole, is for mtls-audit(1) to tell.
 */
#include "evidence_entry.h"
#include "prov.h"

#include <openssl/bio.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <string.h>

#define SCHEME MTLS_STORE_SCHEME ":"

static OSSL_FUNC_store_open_fn store_open;
static OSSL_FUNC_store_settable_ctx_params_fn store_settable;
static OSSL_FUNC_store_set_ctx_params_fn store_set;
static OSSL_FUNC_store_load_fn store_load;
static OSSL_FUNC_store_eof_fn store_eof;
static OSSL_FUNC_store_close_fn store_close;

struct store {
    struct mtls_prov *prov;
    const char *path; /* lent, while it is opened */
    BIO *file;        /* NULL once it was read */
    STACK_OF(X509) * signers;
    int next;
    int expect;         /* an OSSL_STORE_INFO_ type; 0: anything */
    X509_NAME *subject; /* those of it alone; NULL: all */
};

static int raise_damaged(const struct store *store, uint64_t number)
{
    MTLS_PROV_raise(store->prov, MTLS_PROV_R_BAD_LOG, "%s: entry %llu",
                    store->path, (unsigned long long)number);
    return 0;
}

/* --- reading the log ------------------------------------------------------ */

static int is_listed(const struct store *store, X509 *signer)
{
    for (int i = 0; i < sk_X509_num(store->signers); i++)
        if (X509_cmp(sk_X509_value(store->signers, i), signer) == 0)
            return 1;
    return 0;
}

/* The first of an entry's certificates is the signer's. */
static int list_signer(struct store *store, const struct mtls_evidence *e)
{
    const unsigned char *der = e->certs;
    X509 *signer;

    if (e->certs_len == 0)
        return 1;
    signer = d2i_X509(NULL, &der, (long)e->certs_len);
    if (signer == NULL)
        return raise_damaged(store, e->number);
    if (is_listed(store, signer)) {
        X509_free(signer);
        return 1;
    }
    if (!sk_X509_push(store->signers, signer)) {
        X509_free(signer);
        return 0;
    }
    return 1;
}

static int read_exactly(BIO *in, unsigned char *out, size_t len)
{
    size_t n;

    return len == 0 || (BIO_read_ex(in, out, len, &n) && n == len);
}

static int read_entry(struct store *store,
                      const unsigned char start[MTLS_EVIDENCE_START],
                      uint64_t number)
{
    struct mtls_evidence e = {0};
    unsigned char *octets = NULL;
    size_t size;
    int ok = mtls_evidence_start(start, MTLS_EVIDENCE_START, &size) ==
                 MTLS_EVIDENCE_DONE &&
             (octets = OPENSSL_malloc(size)) != NULL;

    if (ok) {
        memcpy(octets, start, MTLS_EVIDENCE_START);
        ok = read_exactly(store->file, octets + MTLS_EVIDENCE_START,
                          size - MTLS_EVIDENCE_START) &&
             mtls_evidence_get(octets, size, &e) && e.number == number;
    }
    ok = ok ? list_signer(store, &e) : raise_damaged(store, number);
    OPENSSL_free(octets);
    return ok;
}

static int read_log(struct store *store)
{
    unsigned char header[MTLS_EVIDENCE_HEADER], start[MTLS_EVIDENCE_START];
    const unsigned char *id, *digest;
    size_t n = 0;

    if (!read_exactly(store->file, header, sizeof(header)) ||
        mtls_evidence_get_header(header, sizeof(header), &id, &digest) !=
            MTLS_EVIDENCE_DONE) {
        MTLS_PROV_raise(store->prov, MTLS_PROV_R_NOT_A_LOG, "%s", store->path);
        return 0;
    }
    for (uint64_t number = 1;; number++) {
        if (!BIO_read_ex(store->file, start, sizeof(start), &n))
            n = 0;
        if (n == 0)
            return BIO_eof(store->file) || raise_damaged(store, number);
        if (n != sizeof(start))
            return raise_damaged(store, number);
        if (!read_entry(store, start, number))
            return 0;
    }
}

/* --- the loader's functions ----------------------------------------------- */

static int store_close(void *loaderctx)
{
    struct store *store = loaderctx;

    BIO_free(store->file);
    sk_X509_pop_free(store->signers, X509_free);
    X509_NAME_free(store->subject);
    OPENSSL_free(store);
    return 1;
}

/* What is read when the certificates are asked for could not fail any more:
 * OpenSSL's commands take an error after the first object for the end. */
static void *store_open(void *provctx, const char *uri)
{
    struct store *store;

    if (OPENSSL_strncasecmp(uri, SCHEME, strlen(SCHEME)) != 0)
        return NULL;
    store = OPENSSL_zalloc(sizeof(*store));
    if (store == NULL)
        return NULL;
    store->prov = provctx;
    store->path = uri + strlen(SCHEME);
    store->signers = sk_X509_new_null();
    store->file = BIO_new_file(store->path, "rb");
    if (store->signers == NULL || store->file == NULL || !read_log(store)) {
        store_close(store);
        return NULL;
    }
    BIO_free(store->file);
    store->file = NULL;
    store->path = NULL;
    return store;
}

static const OSSL_PARAM *store_settable(void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL),
        OSSL_PARAM_octet_string(OSSL_STORE_PARAM_SUBJECT, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return table;
}

static int set_subject(struct store *store, const OSSL_PARAM *p)
{
    const void *der;
    const unsigned char *at;
    size_t len;

    if (!OSSL_PARAM_get_octet_string_ptr(p, &der, &len))
        return 0;
    at = der;
    X509_NAME_free(store->subject);
    store->subject = d2i_X509_NAME(NULL, &at, (long)len);
    return store->subject != NULL;
}

/* A search that is not known must fail, lest it find everything. */
static int store_set(void *loaderctx, const OSSL_PARAM params[])
{
    struct store *store = loaderctx;

    for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++) {
        if (strcmp(p->key, OSSL_STORE_PARAM_EXPECT) == 0) {
            if (!OSSL_PARAM_get_int(p, &store->expect))
                return 0;
        } else if (strcmp(p->key, OSSL_STORE_PARAM_SUBJECT) == 0) {
            if (!set_subject(store, p))
                return 0;
        } else if (strcmp(p->key, OSSL_STORE_PARAM_ISSUER) == 0 ||
                   strcmp(p->key, OSSL_STORE_PARAM_SERIAL) == 0 ||
                   strcmp(p->key, OSSL_STORE_PARAM_FINGERPRINT) == 0 ||
                   strcmp(p->key, OSSL_STORE_PARAM_ALIAS) == 0) {
            return 0;
        }
    }
    return 1;
}

/* The next that was asked for, or NULL. */
static X509 *next_signer(struct store *store)
{
    if (store->expect != 0 && store->expect != OSSL_STORE_INFO_CERT)
        store->next = sk_X509_num(store->signers);
    for (; store->next < sk_X509_num(store->signers); store->next++) {
        X509 *signer = sk_X509_value(store->signers, store->next);

        if (store->subject == NULL ||
            X509_NAME_cmp(X509_get_subject_name(signer), store->subject) == 0)
            return signer;
    }
    return NULL;
}

static int store_load(void *loaderctx, OSSL_CALLBACK *object_cb,
                      void *object_cbarg, OSSL_PASSPHRASE_CALLBACK *pw_cb,
                      void *pw_cbarg)
{
    static int type = OSSL_OBJECT_CERT;
    static char data_type[] = "CERTIFICATE";
    struct store *store = loaderctx;
    X509 *signer = next_signer(store);
    unsigned char *der = NULL;
    OSSL_PARAM params[4];
    int len, ok;

    (void)pw_cb;
    (void)pw_cbarg;
    if (signer == NULL || (len = i2d_X509(signer, &der)) < 0)
        return 0;
    store->next++;
    params[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                                 data_type, 0);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der,
                                                  (size_t)len);
    params[3] = OSSL_PARAM_construct_end();
    ok = object_cb(params, object_cbarg);
    OPENSSL_free(der);
    return ok;
}

static int store_eof(void *loaderctx)
{
    return next_signer(loaderctx) == NULL;
}

#define FUNCTION(id, function)         \
    {                                  \
        id, (void (*)(void))(function) \
    }

const OSSL_DISPATCH mtls_store_tlssign[] = {
    FUNCTION(OSSL_FUNC_STORE_OPEN, store_open),
    FUNCTION(OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS, store_settable),
    FUNCTION(OSSL_FUNC_STORE_SET_CTX_PARAMS, store_set),
    FUNCTION(OSSL_FUNC_STORE_LOAD, store_load),
    FUNCTION(OSSL_FUNC_STORE_EOF, store_eof),
    FUNCTION(OSSL_FUNC_STORE_CLOSE, store_close),
    {0, NULL},
};
