/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* TLS as the options say: contexts, connections, and why they fail. */
#ifndef MTLS_APPS_TLS_CONF_H
#define MTLS_APPS_TLS_CONF_H

#include "options.h"

#include <mtls/mtls_dtls.h>
#include <openssl/ssl.h>

/*
 * tls_conf_new loads providers, then certificates, keys and settings. NULL,
 * with a message, on failure. tls_conf_free frees it and what it has opened.
 */
SSL_CTX *tls_conf_new(const struct options *o, int server);
void tls_conf_free(SSL_CTX *ctx);

/*
 * tls_conf_control makes the other context of -dtls, where tls_conf_new() is
 * for DTLS: that of the TLS connections. A server's has |waiting|, a client's
 * NULL. NULL, with a message.
 */
SSL_CTX *tls_conf_control(const struct options *o, MTLS_DTLS_WAITING *waiting);
void tls_conf_control_free(SSL_CTX *ctx);

/*
 * tls_conf_versions applies the options that |conf| holds and those of TLS's
 * versions. 0, with a message, when that is not possible.
 */
int tls_conf_versions(SSL_CTX *ctx, const struct options *o, int server);

/*
 * tls_conf_client makes a client's connection to |host|, whose name or address
 * the certificate must hold unless -noverify. NULL, with a message.
 */
SSL *tls_conf_client(SSL_CTX *ctx, const struct options *o, const char *host);

/*
 * tls_verify_text tells why the peer's certificate was not good enough, in
 * OpenSSL's words. 0 when that is not what failed.
 */
int tls_verify_text(const SSL *ssl, char *out, size_t size);

/*
 * tls_error_text empties OpenSSL's queue into |out|; where there is nothing it
 * says what errno |error| means, or that the other end has closed.
 */
void tls_error_text(char *out, size_t size, int error);

/* tls_key_load puts -cert and -key into |ctx|; 0, with a message. */
int tls_key_load(SSL_CTX *ctx, const struct options *o);

#endif
