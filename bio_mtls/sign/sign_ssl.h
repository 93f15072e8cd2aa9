/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What TLS Sign keeps with an SSL. */
#ifndef MTLS_SIGN_SSL_H
#define MTLS_SIGN_SSL_H

#include <openssl/ssl.h>
#include <stdint.h>

/* mtls_sign_ssl_set_format: the content format agreed on: 1, 0 no memory. */
int mtls_sign_ssl_set_format(SSL *ssl, int format);
int mtls_sign_ssl_get_format(const SSL *ssl);

/*
 * Filters above one SSL, each on a channel of its own, number themselves, so
 * that no two messages of a session have the same sequence number (N6).
 * mtls_sign_ssl_number gives the next of ours; mtls_sign_ssl_claim takes one of
 * the peer's, which may come in any order, once each. 1, or 0: none left, not
 * the first time, no memory.
 */
#define MTLS_SIGN_NUMBERS (1u << 24)

int mtls_sign_ssl_number(SSL *ssl, uint32_t *number);
int mtls_sign_ssl_claim(SSL *ssl, uint32_t number);

#endif
