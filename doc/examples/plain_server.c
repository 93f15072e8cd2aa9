/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A TLS server as there are many, in the manner of OpenSSL's demo "saccept":
 * sends back what it gets, one connection at a time. It knows nothing of MTLS;
 * plain_server.diff is what makes it speak it.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static SSL_CTX *new_ctx(const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) <= 0 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) <= 0)
        fail("No certificate or key");
    return ctx;
}

static void echo(BIO *bio)
{
    char data[4096];
    int n;

    if (BIO_do_handshake(bio) <= 0) {
        fprintf(stderr, "Handshake failed\n");
        ERR_print_errors_fp(stderr);
        return;
    }
    while ((n = BIO_read(bio, data, sizeof(data))) > 0)
        if (BIO_write(bio, data, n) != n)
            break;
    if (n < 0)
        ERR_print_errors_fp(stderr);
}

int main(int argc, char *argv[])
{
    BIO *ssl_bio, *in, *connection;
    SSL_CTX *ctx;

    if (argc != 4) {
        fprintf(stderr, "usage: %s [HOST:]PORT CERT KEY\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* a client may be gone while we write */
    ctx = new_ctx(argv[2], argv[3]);
    ssl_bio = BIO_new_ssl(ctx, 0);
    in = BIO_new_accept(argv[1]);
    if (ssl_bio == NULL || in == NULL)
        fail("No BIO");
    BIO_set_bind_mode(in, BIO_BIND_REUSEADDR);

    /* Each connection gets a copy of this chain between itself and |in|. */
    BIO_set_accept_bios(in, ssl_bio);

    /* The first call binds and listens, each later one waits for a client. */
    if (BIO_do_accept(in) <= 0)
        fail("Can't listen");
    while (BIO_do_accept(in) > 0) {
        connection = BIO_pop(in);
        echo(connection);
        BIO_free_all(connection);
    }
    fail("Can't accept");
}
