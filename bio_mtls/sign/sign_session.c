/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* How a filter of TLS Sign begins, and how it ends. */
#include "sign_local.h"

#include "bio_local.h"
#include "err.h"
#include "sign_ssl.h"

#include <string.h>

#define LABEL "EXPORTER-tls-sign"

time_t mtls_sign_now(const struct mtls_sign_filter *f)
{
    return f->set.clock.now != NULL ? f->set.clock.now(f->set.clock.arg)
                                    : time(NULL);
}

/* --- the end --- */

void mtls_sign_forget(struct mtls_sign_filter *f)
{
    struct mtls_sign_settings set = f->set;

    SSL_free(f->ssl);
    X509_STORE_free(f->trust);
    X509_free(f->cert);
    EVP_PKEY_free(f->key);
    sk_X509_pop_free(f->chain, X509_free);
    OPENSSL_free(f->peer);
    OPENSSL_free(f->out.p);
    OPENSSL_free(f->later.p);
    OPENSSL_free(f->asked);
    mtls_sign_reader_cleanup(&f->reader);
    X509_free(f->peer_cert);
    sk_X509_pop_free(f->peer_chain, X509_free);
    X509_free(f->signer);
    OPENSSL_free(f->data);
    memset(f, 0, sizeof(*f));
    f->set = set;
}

int mtls_sign_failed(const struct mtls_sign_filter *f)
{
    if (f->why[0] != '\0')
        MTLS_raise_data(f->reason, "%s", f->why);
    else
        MTLS_raise(f->reason);
    return -1;
}

int mtls_sign_fail(BIO *b, struct mtls_sign_filter *f, int alert, int reason,
                   const char *why)
{
    const unsigned char octets[] = {MTLS_SIGN_ALERT_FATAL,
                                    (unsigned char)alert};

    f->reason = reason;
    BIO_snprintf(f->why, sizeof(f->why), "%s", why == NULL ? "" : why);
    if (alert != 0 &&
        mtls_sign_enqueue(f, MTLS_SIGN_ALERT, 0, MTLS_SIGN_VERSION, octets,
                          sizeof(octets))) {
        ERR_set_mark();
        if (mtls_sign_push(b, f) > 0)
            BIO_flush(BIO_next(b));
        ERR_pop_to_mark();
    }
    if (f->direct) /* as after a fatal alert of TLS (RFC 5246 7.2.2) */
        SSL_CTX_remove_session(SSL_get_SSL_CTX(f->ssl),
                               SSL_get_session(f->ssl));
    BIO_clear_retry_flags(b);
    return mtls_sign_failed(f);
}

/* --- the beginning --- */

/* Whether the next SSL below carries this stream and no other. */
static int is_direct(BIO *b)
{
    for (BIO *p = BIO_next(b); p != NULL; p = BIO_next(p)) {
        if (mtls_bio_mux(p) != NULL)
            return 0;
        if (BIO_method_type(p) == BIO_TYPE_SSL)
            return 1;
    }
    return 0;
}

/* Exporters of older sessions are not bound to one (RFC 7627 6.2). */
static int bind_to(struct mtls_sign_filter *f)
{
    int version = SSL_version(f->ssl);

    if (SSL_is_dtls(f->ssl) || version < TLS1_2_VERSION ||
        (version == TLS1_2_VERSION && SSL_get_extms_support(f->ssl) != 1))
        return 0;
    return SSL_export_keying_material(f->ssl, f->binding, sizeof(f->binding),
                                      LABEL, sizeof(LABEL) - 1, NULL, 0,
                                      0) == 1;
}

static int take_key(struct mtls_sign_filter *f)
{
    STACK_OF(X509) *chain = f->set.chain;
    X509 *cert = f->set.cert;
    EVP_PKEY *key = f->set.key;

    if (cert == NULL && key == NULL) {
        cert = SSL_get_certificate(f->ssl);
        key = SSL_get_privatekey(f->ssl);
        if (chain == NULL)
            SSL_get0_chain_certs(f->ssl, &chain);
        if (chain == NULL)
            SSL_CTX_get_extra_chain_certs(SSL_get_SSL_CTX(f->ssl), &chain);
    }
    if (cert == NULL || key == NULL)
        return 0;
    if (X509_check_private_key(cert, key) != 1 || !X509_up_ref(cert))
        return 0;
    f->cert = cert;
    if (!EVP_PKEY_up_ref(key))
        return 0;
    f->key = key;
    if (chain != NULL)
        f->chain = X509_chain_up_ref(chain);
    return chain == NULL || f->chain != NULL;
}

static int take_trust(struct mtls_sign_filter *f)
{
    X509_STORE *store = f->set.trust;

    if (store == NULL)
        SSL_get0_verify_cert_store(f->ssl, &store);
    if (store == NULL)
        store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(f->ssl));
    if (store == NULL || !X509_STORE_up_ref(store))
        return 0;
    f->trust = store;
    return 1;
}

/* Until a CertificateSign comes, the peer signs with what TLS has shown. */
static int take_peer(struct mtls_sign_filter *f)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(f->ssl);

    f->peer_cert = SSL_get1_peer_certificate(f->ssl);
    if (chain != NULL)
        f->peer_chain = X509_chain_up_ref(chain);
    return chain == NULL || f->peer_chain != NULL;
}

/* The most that an object can be larger than its data: base64, certificates. */
static size_t object_max(size_t data)
{
    return data + data / 2 + 2 * (size_t)MTLS_SIGN_CERTS_MAX;
}

static int begin_signing(BIO *b, struct mtls_sign_filter *f)
{
    uint32_t number;

    f->direction =
        SSL_is_server(f->ssl) ? MTLS_SIGN_FROM_SERVER : MTLS_SIGN_FROM_CLIENT;
    if (!mtls_sign_format_known(f->format))
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_FORMAT, NULL);
    if (!bind_to(f))
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_NO_BINDING, NULL);
    mtls_sign_reader_init(&f->reader, object_max(f->set.max));
    if (!mtls_sign_ssl_number(f->ssl, &number) || !take_trust(f) ||
        !take_peer(f) || !mtls_sign_name_peer(b, f))
        return mtls_sign_fail(b, f, 0, ERR_R_MALLOC_FAILURE, NULL);
    f->out_sequence = (uint64_t)number << 32;
    if (!take_key(f) && f->set.on)
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_NO_KEY, NULL);
    if (f->set.on && !mtls_sign_say_on(f, 1))
        return mtls_sign_fail(b, f, 0, ERR_R_MALLOC_FAILURE, NULL);
    return 1;
}

static int begin(BIO *b, struct mtls_sign_filter *f)
{
    int format = f->set.format;

    BIO_get_ssl(BIO_next(b), &f->ssl);
    if (f->ssl == NULL || !SSL_up_ref(f->ssl)) {
        f->ssl = NULL;
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_NO_BINDING, NULL);
    }
    f->direct = is_direct(b);
    if (format < 0)
        format = MTLS_sign_get_format(f->ssl);
    f->up = 1;
    if (format < 0 && f->set.require)
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_NOT_NEGOTIATED, NULL);
    f->plain = format < 0;
    f->format = (uint8_t)format;
    return f->plain ? 1 : begin_signing(b, f);
}

int mtls_sign_ready(BIO *b, struct mtls_sign_filter *f)
{
    if (f->reason != 0)
        return mtls_sign_failed(f);
    if (f->up)
        return 1;
    if (BIO_next(b) == NULL) {
        MTLS_raise(MTLS_R_NOT_ATTACHED);
        return -1;
    }
    if (BIO_do_handshake(BIO_next(b)) <= 0) {
        BIO_copy_next_retry(b);
        if (!BIO_should_retry(b) && ERR_peek_error() == 0)
            MTLS_raise(MTLS_R_TRANSPORT_FAILED);
        return -1;
    }
    return begin(b, f);
}
