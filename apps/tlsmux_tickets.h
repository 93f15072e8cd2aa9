/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * s_client -tlsmux: each connection resumes the TLS session of one before it,
 * as far as the server has given tickets for that.
 */
#ifndef MTLS_APPS_TLSMUX_TICKETS_H
#define MTLS_APPS_TLSMUX_TICKETS_H

#include <openssl/ssl.h>

/* Kept at a time; more connections than that seldom begin at once. */
#define TICKETS_MAX 16

/* Those that were not offered yet, the newest last. */
struct tickets {
    SSL_SESSION *at[TICKETS_MAX];
    unsigned n;
    /* Who was told of new sessions before, and is told still. */
    int (*other)(SSL *ssl, SSL_SESSION *session);
};

/* tickets_start keeps what connections of |ctx| get from now on. 0: no
 * memory. |t| must outlive them. */
int tickets_start(struct tickets *t, SSL_CTX *ctx);

/* tickets_offer has |ssl|, which has not begun, offer the newest, if any. */
void tickets_offer(struct tickets *t, SSL *ssl);

void tickets_clear(struct tickets *t);

#endif
