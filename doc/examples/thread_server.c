/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A server with a thread for each TLS connection, and one for each channel.
 * The channel's destination says which service it is for: "echo" gives each
 * line back, "upper" does so in upper case. Everything blocks; that the threads
 * share a TLS connection is the multiplexer's business.
 */
#include <ctype.h>
#include <mtls/bio_mtls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors are a queue for each thread: whoever made them prints them. */
static void complain(const char *what)
{
    flockfile(stderr); /* the lines of one thread together */
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    funlockfile(stderr);
}

static void fail(const char *what)
{
    complain(what);
    exit(1);
}

static void start(void *(*run)(void *), BIO *bio)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, bio) == 0) {
        pthread_detach(thread);
    } else {
        complain("No thread");
        BIO_free_all(bio);
    }
}

/* --- a channel --- */

static int is_service(const char *name)
{
    return strcmp(name, "echo") == 0 || strcmp(name, "upper") == 0;
}

static void *serve_channel(void *arg)
{
    BIO *channel = arg;
    char line[1024];
    int n, upper = strcmp(BIO_get_conn_hostname(channel), "upper") == 0;

    /* The first I/O accepts the channel. */
    while ((n = BIO_gets(channel, line, sizeof(line))) > 0) {
        for (int i = 0; upper && i < n; i++)
            line[i] = (char)toupper((unsigned char)line[i]);
        if (BIO_write(channel, line, n) != n) {
            n = -1;
            break;
        }
    }
    if (n < 0) /* 0 is the end that the client made */
        complain("A channel failed");
    BIO_free(channel);
    return NULL;
}

static void take(BIO *channel)
{
    if (is_service(BIO_get_conn_hostname(channel))) {
        start(serve_channel, channel);
        return;
    }
    /* The first word is for programs (protocol.md, D13), the rest for people */
    BIO_mtls_reject_channel(channel, "unknown-host: no such service here");
    BIO_free(channel);
}

/* --- a connection --- */

static void *serve_connection(void *arg)
{
    BIO *mtls = arg, *channel;

    if (BIO_do_handshake(mtls) > 0) {
        while ((channel = BIO_mtls_accept_channel(mtls)) != NULL)
            take(channel);
    }
    if (ERR_peek_error() != 0)
        complain("A connection failed");
    /* Channels that are still served keep the connection for themselves. */
    BIO_free_all(mtls);
    return NULL;
}

static SSL_CTX *new_ctx(const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) <= 0 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) <= 0)
        fail("No certificate or key");
    return ctx;
}

int main(int argc, char *argv[])
{
    BIO *chain, *mtls, *in;
    SSL_CTX *ctx;

    if (argc != 4) {
        fprintf(stderr, "usage: %s [HOST:]PORT CERT KEY\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* a client may be gone while we write */
    ctx = new_ctx(argv[2], argv[3]);
    chain = BIO_new_ssl(ctx, 0);
    mtls = BIO_new(BIO_f_mtls());
    in = BIO_new_accept(argv[1]);
    if (chain == NULL || mtls == NULL || in == NULL)
        fail("No BIO");

    /* A thread is dear: a client gets 100. The limits are copied with the BIO,
     * and so is the chain, once for each connection. */
    BIO_mtls_set_max_channels(mtls, 100);
    BIO_set_accept_bios(in, BIO_push(mtls, chain));
    BIO_set_bind_mode(in, BIO_BIND_REUSEADDR);

    /* The first call binds and listens, each later one waits for a client. */
    if (BIO_do_accept(in) <= 0)
        fail("Can't listen");
    while (BIO_do_accept(in) > 0)
        start(serve_connection, BIO_pop(in));
    fail("Can't accept");
}
