/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: the same TLS for both sides. */
#include "speed.h"

#include "report.h"
#include "tls_conf.h"

#include <mtls/bio_mtls.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define SUITE_1_3 "TLS_AES_128_GCM_SHA256"
#define SUITE_1_2 "ECDHE-ECDSA-AES128-GCM-SHA256"
#define NAME "localhost"
#define HOUR 3600L

static X509 *sign_certificate(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_NAME *name = cert != NULL ? X509_get_subject_name(cert) : NULL;

    if (cert == NULL || !X509_set_version(cert, X509_VERSION_3) ||
        !ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) ||
        X509_gmtime_adj(X509_getm_notBefore(cert), -HOUR) == NULL ||
        X509_gmtime_adj(X509_getm_notAfter(cert), 24 * HOUR) == NULL ||
        !X509_set_pubkey(cert, key) ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                    (const unsigned char *)NAME, -1, -1, 0) ||
        !X509_set_issuer_name(cert, name) ||
        !X509_sign(cert, key, EVP_sha256())) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

/* What the server shows, the client trusts. */
static int set_certificate(struct speed *s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key != NULL ? sign_certificate(key) : NULL;
    int ok = cert != NULL && SSL_CTX_use_certificate(s->server, cert) > 0 &&
             SSL_CTX_use_PrivateKey(s->server, key) > 0 &&
             X509_STORE_add_cert(SSL_CTX_get_cert_store(s->client), cert);

    SSL_CTX_set_verify(s->client, SSL_VERIFY_PEER, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

int speed_tls_init(struct speed *s)
{
    static const unsigned char context[] = "speed";

    s->client = SSL_CTX_new(TLS_client_method());
    s->server = SSL_CTX_new(TLS_server_method());
    if (s->client == NULL || s->server == NULL ||
        !SSL_CTX_set_ciphersuites(s->client, SUITE_1_3) ||
        !SSL_CTX_set_cipher_list(s->client, SUITE_1_2) || !set_certificate(s)) {
        report_error("no TLS contexts");
        return 0;
    }
    /* One can be used once; two would only make the raw side slower. */
    SSL_CTX_set_num_tickets(s->server, 1);
    SSL_CTX_set_session_id_context(s->server, context, sizeof(context) - 1);
    return tls_conf_versions(s->client, &s->o, 0) &&
           tls_conf_versions(s->server, &s->o, 1);
}

void speed_tls_free(struct speed *s)
{
    SSL_CTX_free(s->client);
    SSL_CTX_free(s->server);
}

BIO *speed_tls_bio(const struct speed *s, enum speed_side side, int server,
                   BIO *below)
{
    BIO *top = BIO_new_ssl(server ? s->server : s->client, !server);
    BIO *filter = side == SPEED_MTLS ? BIO_new(BIO_f_mtls()) : NULL;
    SSL *ssl = NULL;

    if (top == NULL || below == NULL ||
        (side == SPEED_MTLS && filter == NULL)) {
        report_error("no memory for a connection");
        BIO_free(filter);
        BIO_free(top);
        BIO_free(below);
        return NULL;
    }
    BIO_get_ssl(top, &ssl);
    if (!server)
        SSL_set1_host(ssl, NAME);
    top = BIO_push(top, below);
    return filter != NULL ? BIO_push(filter, top) : top;
}
