/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A TLS client as there are many: sends the lines of standard input and prints
 * an answer for each. It knows nothing of MTLS; plain_client.diff is what makes
 * it speak it.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static SSL_CTX *new_ctx(const char *ca_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL || !SSL_CTX_load_verify_locations(ctx, ca_file, NULL))
        fail("No CA certificates");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static BIO *connect_to(SSL_CTX *ctx, const char *host_port, const char *name)
{
    BIO *bio = BIO_new_ssl_connect(ctx);
    SSL *ssl = NULL;

    if (bio == NULL)
        fail("No BIO");
    BIO_get_ssl(bio, &ssl);
    if (ssl == NULL || !SSL_set_tlsext_host_name(ssl, name) ||
        !SSL_set1_host(ssl, name))
        fail("No SSL");
    BIO_set_conn_hostname(bio, host_port);
    if (BIO_do_handshake(bio) <= 0)
        fail("Can't connect");
    return bio;
}

/* Reads up to the end of a line: one read may be less than that, or more. */
static int print_answer(BIO *bio)
{
    char octet;
    int n;

    while ((n = BIO_read(bio, &octet, 1)) > 0) {
        putchar(octet);
        if (octet == '\n')
            break;
    }
    return n;
}

int main(int argc, char *argv[])
{
    char line[1024];
    SSL_CTX *ctx;
    BIO *bio;

    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST:PORT CAFILE NAME\n", argv[0]);
        return 2;
    }
    ctx = new_ctx(argv[2]);
    bio = connect_to(ctx, argv[1], argv[3]);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (BIO_puts(bio, line) <= 0)
            fail("Can't send");
        if (print_answer(bio) <= 0)
            fail("No answer");
    }
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    return 0;
}
