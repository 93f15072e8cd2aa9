/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What names a DTLS session to the TLS connection beside it (P6). */
#ifndef MTLS_DTLS_BIND_H
#define MTLS_DTLS_BIND_H

#include <mtls/mtls_dtls.h>

#define MTLS_IDENTITY_MAX 32 /* a session ID (RFC 5246 7.4.1.2) */
#define MTLS_PSK_SIZE 48     /* a master_secret (RFC 5246 8.1) */

struct mtls_binding {
    char identity[MTLS_IDENTITY_MAX + 1];
    unsigned char psk[MTLS_PSK_SIZE];
};

/* mtls_binding_of derives it, by the provider's KDF; 0 with an error. */
int mtls_binding_of(SSL *ssl, struct mtls_binding *binding);

/* mtls_waiting_key copies the psk of the session of that name; 0: none. */
int mtls_waiting_key(MTLS_DTLS_WAITING *waiting, const char *identity,
                     unsigned char psk[MTLS_PSK_SIZE]);
int mtls_waiting_up_ref(MTLS_DTLS_WAITING *waiting);

#endif
