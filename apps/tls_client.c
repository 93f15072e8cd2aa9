/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* One connection of a client: whom it expects, what it resumes. */
#include "addr.h"
#include "report.h"
#include "tls_conf.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static int use_session(SSL *ssl, const char *file)
{
    BIO *in = BIO_new_file(file, "r");
    SSL_SESSION *session =
        in != NULL ? PEM_read_bio_SSL_SESSION(in, NULL, NULL, NULL) : NULL;
    int ok = session != NULL && SSL_set_session(ssl, session);

    BIO_free(in);
    SSL_SESSION_free(session);
    return ok;
}

/* What the certificate must hold: this name, or this address. */
static int expect(SSL *ssl, const char *name)
{
    struct endpoint e;

    switch (endpoint_set(&e, name, 0)) {
    case ADDR_IP:
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    case ADDR_NAME:
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        return SSL_set1_host(ssl, e.host) &&
               SSL_set_tlsext_host_name(ssl, e.host);
    default:
        return 0;
    }
}

SSL *tls_conf_client(SSL_CTX *ctx, const struct options *o, const char *host)
{
    const char *name = o->servername != NULL ? o->servername : host;
    SSL *ssl = SSL_new(ctx);

    if (ssl == NULL) {
        report_error("no TLS connection");
        return NULL;
    }
    SSL_set_connect_state(ssl);
    if (!expect(ssl, name)) {
        report_error("%s is no name that a server can be known by", name);
    } else if (o->sess_in != NULL && !use_session(ssl, o->sess_in)) {
        report_error("-sess_in %s can't be used", o->sess_in);
    } else {
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}
