/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "mux.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mtls/bio_mtls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CIPHER "TLS_AES_128_GCM_SHA256"

_Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s failed (%s)\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* --- channels --- */

struct peer *peer_new(struct peer *ring, BIO *channel)
{
    struct peer *p = calloc(1, sizeof(*p));

    if (p == NULL || channel == NULL || !BIO_set_app_data(channel, p))
        fail("a channel");
    p->channel = channel;
    p->next = ring->next;
    p->prev = ring;
    p->next->prev = p->prev->next = p;
    return p;
}

void peer_free(struct peer *p)
{
    p->next->prev = p->prev;
    p->prev->next = p->next;
    BIO_free(p->channel);
    free(p);
}

/* --- TLS --- */

static SSL_CTX *context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(ctx, CIPHER))
        fail("TLS");
    return ctx;
}

SSL_CTX *server_context(const char *cert, const char *key)
{
    SSL_CTX *ctx = context(TLS_server_method());

    if (SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        fail("the certificate");
    return ctx;
}

SSL_CTX *client_context(const char *cert)
{
    SSL_CTX *ctx = context(TLS_client_method());

    if (SSL_CTX_load_verify_file(ctx, cert) != 1)
        fail("the certificate");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

/* --- sockets --- */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a;

    memset(&a, 0, sizeof(a));
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    return a;
}

int listen_somewhere(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 ||
        listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        fail("listening");
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int accept_from(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        fail("accepting");
    return fd;
}

int connect_to(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        fail("connecting");
    return fd;
}

void await(BIO *mtls)
{
    struct pollfd fd = {.fd = (int)BIO_get_fd(mtls, NULL)};

    if (BIO_should_read(mtls))
        fd.events |= POLLIN;
    if (BIO_should_write(mtls))
        fd.events |= POLLOUT;
    if (poll(&fd, 1, -1) < 0 && errno != EINTR)
        fail("poll");
}

BIO *stack(int fd, SSL_CTX *ctx, int is_client)
{
    BIO *tls = BIO_new_ssl(ctx, is_client);
    BIO *mtls = BIO_new(BIO_f_mtls());
    SSL *ssl = NULL;
    int on = 1;

    if (tls == NULL || mtls == NULL || BIO_get_ssl(tls, &ssl) <= 0 ||
        (is_client && !SSL_set1_host(ssl, "localhost")) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        fail("a session");
    BIO_push(mtls, BIO_push(tls, BIO_new_socket(fd, BIO_CLOSE)));
    /* Small writes of a round share records, which process() sends. */
    BIO_mtls_set_cork(mtls, 1);
    BIO_mtls_set_default_channel_mode(mtls, MTLS_DEFAULT_CHANNEL_OFF);
    while (BIO_do_handshake(mtls) <= 0) {
        if (!BIO_should_retry(mtls))
            fail("the handshake");
        await(mtls);
    }
    return mtls;
}
