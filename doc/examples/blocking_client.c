/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A blocking client: one TLS connection, a channel to each destination, and
 * each line of standard input is said to all of them. All I/O is BIO_puts() and
 * BIO_gets(), as it would be on sockets.
 */
#include <mtls/bio_mtls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define MAX_CHANNELS 16

static SSL_CTX *new_ctx(const char *ca_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    static const unsigned char alpn[] = MTLS_ALPN;

    /* Without SSL_VERIFY_PEER, TLS would talk to anybody. The ALPN name tells
     * a server that has other protocols too. It returns 0 when it succeeds. */
    if (ctx == NULL || !SSL_CTX_load_verify_locations(ctx, ca_file, NULL) ||
        SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) != 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

/* The TLS connection, with the multiplexer on top. */
static BIO *connect_to(SSL_CTX *ctx, const char *host_port, const char *name)
{
    BIO *bio = BIO_new_ssl_connect(ctx), *mtls = BIO_new(BIO_f_mtls());
    SSL *ssl = NULL;

    if (bio == NULL || mtls == NULL) {
        BIO_free_all(bio);
        BIO_free(mtls);
        return NULL;
    }
    bio = BIO_push(mtls, bio);
    BIO_get_ssl(bio, &ssl);
    /* The name to check is the caller's, not what an address resolves to. */
    if (ssl != NULL && SSL_set_tlsext_host_name(ssl, name) &&
        SSL_set1_host(ssl, name) && BIO_set_conn_hostname(bio, host_port) > 0 &&
        BIO_do_handshake(bio) > 0)
        return bio;
    BIO_free_all(bio);
    return NULL;
}

/* I/O would open the channel too; by itself, a refusal is told by itself. */
static BIO *open_channel(BIO *mtls, const char *destination)
{
    BIO *channel = BIO_new_mtls_channel(mtls, destination);
    const char *text;

    if (channel != NULL && BIO_do_connect(channel) > 0)
        return channel;
    text = channel == NULL ? NULL : BIO_mtls_get_error_text(channel);
    fprintf(stderr, "%s: not open%s%s\n", destination, text == NULL ? "" : ": ",
            text == NULL ? "" : text);
    BIO_free(channel);
    return NULL;
}

/* 1 when there was an answer. */
static int converse(BIO *channel, const char *line)
{
    char answer[1024];

    if (BIO_puts(channel, line) <= 0 ||
        BIO_gets(channel, answer, sizeof(answer)) <= 0)
        return 0;
    printf("%s: %s", BIO_get_conn_hostname(channel), answer);
    return 1;
}

static int talk(BIO *channels[], int n)
{
    char line[1024];

    while (fgets(line, sizeof(line), stdin) != NULL)
        for (int i = 0; i < n; i++)
            if (!converse(channels[i], line)) {
                fprintf(stderr, "%s: no answer\n",
                        BIO_get_conn_hostname(channels[i]));
                return 0;
            }
    return 1;
}

static int run(BIO *mtls, char *destinations[], int count)
{
    BIO *channels[MAX_CHANNELS];
    int n = 0, ok;

    while (n < count &&
           (channels[n] = open_channel(mtls, destinations[n])) != NULL)
        n++;
    ok = n == count && talk(channels, n);
    /* Freeing a channel closes it, when all that it was given is sent. */
    while (n > 0)
        BIO_free(channels[--n]);
    return ok;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx;
    BIO *mtls;
    int ok;

    if (argc < 5 || argc > 4 + MAX_CHANNELS) {
        fprintf(stderr, "usage: %s HOST:PORT CAFILE NAME DESTINATION...\n",
                argv[0]);
        return 2;
    }
    ctx = new_ctx(argv[2]);
    mtls = ctx == NULL ? NULL : connect_to(ctx, argv[1], argv[3]);
    ok = mtls != NULL && run(mtls, argv + 4, argc - 4);
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(mtls);
    SSL_CTX_free(ctx);
    return ok ? 0 : 1;
}
