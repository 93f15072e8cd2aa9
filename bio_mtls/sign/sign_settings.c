/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What programs choose for BIO_f_tls_sign(). */
#include "sign_local.h"

#include "err.h"

#include <openssl/store.h>
#include <string.h>

static int no_memory(void)
{
    MTLS_raise(ERR_R_MALLOC_FAILURE);
    return 0;
}

void mtls_sign_settings_init(struct mtls_sign_settings *set)
{
    memset(set, 0, sizeof(*set));
    set->require = 1;
    set->on = 1;
    set->format = -1;
    set->max = MTLS_SIGN_MAX_DEFAULT;
}

void mtls_sign_settings_cleanup(struct mtls_sign_settings *set)
{
    X509_free(set->cert);
    EVP_PKEY_free(set->key);
    sk_X509_pop_free(set->chain, X509_free);
    X509_STORE_free(set->trust);
    mtls_evidence_close(set->log);
    OPENSSL_free(set->peer);
    mtls_sign_settings_init(set);
}

int mtls_sign_settings_copy(struct mtls_sign_settings *to,
                            const struct mtls_sign_settings *from)
{
    struct mtls_sign_settings set = *from;

    set.chain = NULL;
    set.peer = NULL;
    if (from->chain != NULL)
        set.chain = X509_chain_up_ref(from->chain);
    if (from->peer != NULL)
        set.peer = OPENSSL_strdup(from->peer);
    if ((from->chain != NULL && set.chain == NULL) ||
        (from->peer != NULL && set.peer == NULL)) {
        sk_X509_pop_free(set.chain, X509_free);
        OPENSSL_free(set.peer);
        return no_memory();
    }
    if (set.cert != NULL)
        X509_up_ref(set.cert);
    if (set.key != NULL)
        EVP_PKEY_up_ref(set.key);
    if (set.trust != NULL)
        X509_STORE_up_ref(set.trust);
    if (set.log != NULL)
        mtls_evidence_up_ref(set.log);
    mtls_sign_settings_cleanup(to);
    *to = set;
    return 1;
}

/* --- each of them: 1, or 0 with a reason --- */

static long wrong_value(void)
{
    MTLS_raise(MTLS_R_INVALID_VALUE);
    return 0;
}

static long set_format(struct mtls_sign_settings *set, long format)
{
    if (format < -1 || format > MTLS_SIGN_XMLDSIG)
        return wrong_value();
    if (format >= 0 && !mtls_sign_format_known((uint8_t)format)) {
        MTLS_raise_data(MTLS_R_SIGN_FORMAT, "%s",
                        MTLS_sign_format_name((int)format));
        return 0;
    }
    set->format = (int)format;
    return 1;
}

static long set_cert(struct mtls_sign_settings *set, X509 *cert)
{
    if (cert != NULL && !X509_up_ref(cert))
        return 0;
    X509_free(set->cert);
    set->cert = cert;
    return 1;
}

static long set_key(struct mtls_sign_settings *set, EVP_PKEY *key)
{
    if (key != NULL && !EVP_PKEY_up_ref(key))
        return 0;
    EVP_PKEY_free(set->key);
    set->key = key;
    return 1;
}

static long set_chain(struct mtls_sign_settings *set, STACK_OF(X509) * chain)
{
    STACK_OF(X509) *own = chain == NULL ? NULL : X509_chain_up_ref(chain);

    if (chain != NULL && own == NULL)
        return no_memory();
    sk_X509_pop_free(set->chain, X509_free);
    set->chain = own;
    return 1;
}

static long set_trust(struct mtls_sign_settings *set, X509_STORE *trust)
{
    if (trust != NULL && !X509_STORE_up_ref(trust))
        return 0;
    X509_STORE_free(set->trust);
    set->trust = trust;
    return 1;
}

static long set_log(struct mtls_sign_settings *set, const char *file)
{
    struct mtls_evidence_log *log =
        file == NULL ? NULL : mtls_evidence_open(file);

    if (file != NULL && log == NULL)
        return 0;
    mtls_evidence_close(set->log);
    set->log = log;
    return 1;
}

static long set_peer(struct mtls_sign_settings *set, const char *text)
{
    char *own = NULL;

    if (text != NULL && strlen(text) > 65535)
        return wrong_value();
    if (text != NULL && (own = OPENSSL_strdup(text)) == NULL)
        return no_memory();
    OPENSSL_free(set->peer);
    set->peer = own;
    return 1;
}

static long set_max(struct mtls_sign_settings *set, long octets)
{
    if (octets < 1 || octets > MTLS_SIGN_MAX_MOST)
        return wrong_value();
    set->max = (size_t)octets;
    return 1;
}

static long set_clock(struct mtls_sign_settings *set,
                      const MTLS_SIGN_CLOCK *clock)
{
    const MTLS_SIGN_CLOCK none = {NULL, NULL};

    set->clock = clock == NULL ? none : *clock;
    return 1;
}

/* Once a session has begun, it goes on with what it has begun with. */
static int comes_late(const struct mtls_sign_filter *f, int cmd)
{
    switch (cmd) {
    case BIO_CTRL_MTLS_SIGN_SET_FORMAT:
    case BIO_CTRL_MTLS_SIGN_SET_CERT:
    case BIO_CTRL_MTLS_SIGN_SET_KEY:
    case BIO_CTRL_MTLS_SIGN_SET_CHAIN:
    case BIO_CTRL_MTLS_SIGN_SET_TRUST:
    case BIO_CTRL_MTLS_SIGN_SET_MAX:
        return f->up;
    default:
        return 0;
    }
}

long mtls_sign_set(struct mtls_sign_filter *f, int cmd, long num, void *ptr)
{
    struct mtls_sign_settings *set = &f->set;

    if (comes_late(f, cmd)) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    switch (cmd) {
    case BIO_CTRL_MTLS_SIGN_SET_REQUIRE:
        set->require = num != 0;
        return 1;
    case BIO_CTRL_MTLS_SIGN_SET_FORMAT:
        return set_format(set, num);
    case BIO_CTRL_MTLS_SIGN_SET_CERT:
        return set_cert(set, ptr);
    case BIO_CTRL_MTLS_SIGN_SET_KEY:
        return set_key(set, ptr);
    case BIO_CTRL_MTLS_SIGN_SET_CHAIN:
        return set_chain(set, ptr);
    case BIO_CTRL_MTLS_SIGN_SET_TRUST:
        return set_trust(set, ptr);
    case BIO_CTRL_MTLS_SIGN_SET_RECEIPT:
        set->receipt = num != 0;
        return 1;
    case BIO_CTRL_MTLS_SIGN_SET_LOG:
        return set_log(set, ptr);
    case BIO_CTRL_MTLS_SIGN_SET_PEER:
        return set_peer(set, ptr);
    case BIO_CTRL_MTLS_SIGN_SET_CLOCK:
        return set_clock(set, ptr);
    default: /* SET_MAX */
        return set_max(set, num);
    }
}

/* --- a key and certificates by their URI --- */

struct found {
    EVP_PKEY *key;
    STACK_OF(X509) * certs;
};

static void take_info(struct found *found, OSSL_STORE_INFO *info)
{
    X509 *cert;

    switch (OSSL_STORE_INFO_get_type(info)) {
    case OSSL_STORE_INFO_PKEY:
        if (found->key == NULL)
            found->key = OSSL_STORE_INFO_get1_PKEY(info);
        break;
    case OSSL_STORE_INFO_CERT:
        cert = OSSL_STORE_INFO_get1_CERT(info);
        if (cert != NULL && !sk_X509_push(found->certs, cert))
            X509_free(cert);
        break;
    default:
        break;
    }
}

static int read_store(const char *uri, const UI_METHOD *ui, void *ui_data,
                      struct found *found)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, ui, ui_data, NULL, NULL);

    if (store == NULL)
        return 0;
    while (!OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info == NULL && OSSL_STORE_error(store))
            break;
        if (info != NULL)
            take_info(found, info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return 1;
}

/* The certificate that is the key's; those left over are the chain. */
static X509 *take_own(struct found *found)
{
    for (int i = 0; i < sk_X509_num(found->certs); i++) {
        X509 *cert = sk_X509_value(found->certs, i);

        if (X509_check_private_key(cert, found->key) == 1)
            return sk_X509_delete(found->certs, i);
    }
    return NULL;
}

static int use(BIO *b, struct found *found)
{
    X509 *cert = found->key == NULL ? NULL : take_own(found);
    int r;

    if (cert == NULL) {
        MTLS_raise(MTLS_R_SIGN_NO_KEY);
        return 0;
    }
    r = BIO_tls_sign_set1_certificate(b, cert) > 0 &&
        BIO_tls_sign_set1_key(b, found->key) > 0 &&
        BIO_tls_sign_set1_chain(b, found->certs) > 0;
    X509_free(cert);
    return r;
}

int BIO_tls_sign_load(BIO *b, const char *uri, const UI_METHOD *ui,
                      void *ui_data)
{
    struct found found = {NULL, sk_X509_new_null()};
    int r = found.certs != NULL && read_store(uri, ui, ui_data, &found) &&
            use(b, &found);

    EVP_PKEY_free(found.key);
    sk_X509_pop_free(found.certs, X509_free);
    return r;
}
