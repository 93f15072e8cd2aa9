/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Handshakes in memory, for tests of the extension data_multiplexing. */
#ifndef TEST_HELLO_H
#define TEST_HELLO_H

#include <mtls/mtls_ext.h>

enum hello_version {
    HELLO_TLS12,
    HELLO_TLS13,
    HELLO_DTLS12,
    HELLO_VERSIONS
};

/* A server's context and a client's, with stacks.h's certificate. */
struct hello_ctx {
    SSL_CTX *client, *server;
};
struct hello_ctx hello_ctx_new(enum hello_version version);
void hello_ctx_free(struct hello_ctx *ctx);

/* The two ends after a handshake, or as far as that came. */
struct hello {
    SSL *client, *server;
    int done; /* both have finished */
};
struct hello hello_new(const struct hello_ctx *ctx);
void hello_shake(struct hello *hello);
void hello_free(struct hello *hello);

/* A server's callback for ALPN: it takes the client's first wish. */
int hello_choose_alpn(SSL *ssl, const unsigned char **out,
                      unsigned char *out_len, const unsigned char *in,
                      unsigned int in_len, void *arg);

/* hello_agreed: what one end says was agreed on, "a:1,b:2", or "". */
const char *hello_agreed(const SSL *ssl);

#endif
