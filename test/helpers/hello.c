/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "hello.h"

#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>

#define TURNS 50

/* DTLS contexts get what stacks.c puts into TLS ones. */
static SSL_CTX *as_dtls(SSL_CTX *tls, const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    ck_assert_ptr_nonnull(ctx);
    ck_assert(SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION));
    if (SSL_CTX_get0_certificate(tls) != NULL) {
        ck_assert(SSL_CTX_use_certificate(ctx, SSL_CTX_get0_certificate(tls)));
        ck_assert(SSL_CTX_use_PrivateKey(ctx, SSL_CTX_get0_privatekey(tls)));
    }
    SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(tls));
    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(tls), NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_free(tls);
    return ctx;
}

struct hello_ctx hello_ctx_new(enum hello_version version)
{
    int tls = version == HELLO_TLS13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    struct hello_ctx ctx = {stacks_client_ctx(tls), stacks_server_ctx(tls)};

    if (version == HELLO_DTLS12) {
        ctx.client = as_dtls(ctx.client, DTLS_client_method());
        ctx.server = as_dtls(ctx.server, DTLS_server_method());
    }
    return ctx;
}

void hello_ctx_free(struct hello_ctx *ctx)
{
    SSL_CTX_free(ctx->client);
    SSL_CTX_free(ctx->server);
}

static SSL *end(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);
    BIO *bio = BIO_new_socket(fd, BIO_CLOSE);

    ck_assert(ssl != NULL && bio != NULL);
    SSL_set_bio(ssl, bio, bio);
    if (SSL_is_dtls(ssl))
        SSL_set_mtu(ssl, 1400);
    return ssl;
}

struct hello hello_new(const struct hello_ctx *ctx)
{
    int dtls = SSL_CTX_get_min_proto_version(ctx->client) == DTLS1_2_VERSION;
    int type = (dtls ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK;
    struct hello hello = {NULL, NULL, 0};
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, type, 0, fds), 0);
    hello.client = end(ctx->client, fds[0]);
    hello.server = end(ctx->server, fds[1]);
    SSL_set_connect_state(hello.client);
    SSL_set_accept_state(hello.server);
    return hello;
}

static int wants(const SSL *ssl, int r)
{
    int error = SSL_get_error(ssl, r);

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* The error of the end that fails last stays on the queue: the client's. */
void hello_shake(struct hello *hello)
{
    int c = 0, s = 0;

    for (int i = 0; i < TURNS && (c != 1 || s != 1); i++) {
        ERR_clear_error();
        s = SSL_do_handshake(hello->server);
        ERR_clear_error();
        c = SSL_do_handshake(hello->client);
        if (c != 1 && !wants(hello->client, c))
            return;
    }
    hello->done = c == 1 && s == 1;
}

void hello_free(struct hello *hello)
{
    SSL_free(hello->client);
    SSL_free(hello->server);
}

const char *hello_agreed(const SSL *ssl)
{
    static char text[300];
    const MTLS_APPLICATION *apps;
    size_t n = MTLS_ext_get0_agreed(ssl, &apps), used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s:%u",
                                 i == 0 ? "" : ",", apps[i].name, apps[i].port);
    return text;
}

int hello_choose_alpn(SSL *ssl, const unsigned char **out,
                      unsigned char *out_len, const unsigned char *in,
                      unsigned int in_len, void *arg)
{
    (void)ssl, (void)in_len, (void)arg;
    *out = in + 1;
    *out_len = in[0];
    return SSL_TLSEXT_ERR_OK;
}
