/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * OpenSSL's own HTTP client above channels of one session.
 *
 *     http_get SERVER CA.PEM DESTINATION PATH TIMEOUT COUNT
 *
 * gets http://DESTINATION/PATH so many times, a channel each, and prints what
 * came, all to standard output. With a TIMEOUT the client does not block.
 */
#include <mtls/bio_mtls.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

static BIO *connect_to(const char *server, const char *ca)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio;

    if (ctx == NULL || !SSL_CTX_load_verify_file(ctx, ca))
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    bio = BIO_new_ssl_connect(ctx);
    SSL_CTX_free(ctx);
    if (bio == NULL || BIO_set_conn_hostname(bio, server) <= 0)
        return NULL;
    return BIO_push(BIO_new(BIO_f_mtls()), bio);
}

/* The body is the rest of the channel, up to its end-of-file. */
static int copy(BIO *from, FILE *to)
{
    char piece[8192];
    int n;

    for (;;) {
        n = BIO_read(from, piece, sizeof(piece));
        if (n > 0)
            fwrite(piece, 1, (size_t)n, to);
        else if (!BIO_should_retry(from))
            return n == 0;
        else if (BIO_wait(from, 0, 0) <= 0)
            return 0;
    }
}

static int get(BIO *mtls, const char *destination, const char *path,
               int timeout)
{
    BIO *channel = BIO_new_mtls_channel(mtls, destination), *body;
    char url[1000];
    int good;

    if (channel == NULL)
        return 0;
    BIO_snprintf(url, sizeof(url), "http://%s/%s", destination, path);
    body = OSSL_HTTP_get(url, NULL, NULL, channel, NULL, NULL, NULL, 0, NULL,
                         NULL, 0, 0, timeout);
    good = body != NULL && copy(body, stdout);
    BIO_free(body);
    BIO_free(channel);
    return good;
}

int main(int argc, char *argv[])
{
    BIO *mtls;
    int good = 1, timeout, count;

    if (argc != 7)
        return 2;
    timeout = (int)strtol(argv[5], NULL, 10);
    count = (int)strtol(argv[6], NULL, 10);
    mtls = connect_to(argv[1], argv[2]);
    good = mtls != NULL;
    for (int i = 0; good && i < count; i++)
        good = get(mtls, argv[3], argv[4], timeout);
    BIO_free_all(mtls);
    if (!good)
        ERR_print_errors_fp(stderr);
    return !good;
}
