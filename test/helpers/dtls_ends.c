/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dtls_ends.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Nobody is authenticated: no certificates are needed here. */
#define ANONYMOUS "AECDH-AES128-SHA:@SECLEVEL=0"

/* --- contexts --- */

static SSL_CTX *dtls_ctx(const SSL_METHOD *m)
{
    SSL_CTX *ctx = SSL_CTX_new(m);

    ck_assert_ptr_nonnull(ctx);
    ck_assert(MTLS_dtls_set_datagram_ctx(ctx));
    ck_assert(SSL_CTX_set_cipher_list(ctx, ANONYMOUS));
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
    return ctx;
}

void dtls_ends_contexts(struct dtls_ends *e, size_t most, unsigned int seconds)
{
    memset(e, 0, sizeof(*e));
    e->to_server.random = 7;
    e->to_client.random = 11;
    e->waiting = MTLS_dtls_waiting_new(most, seconds);
    ck_assert_ptr_nonnull(e->waiting);
    e->client_dtls = dtls_ctx(DTLS_client_method());
    e->server_dtls = dtls_ctx(DTLS_server_method());
    e->client_tls = SSL_CTX_new(TLS_client_method());
    e->server_tls = SSL_CTX_new(TLS_server_method());
    ck_assert(MTLS_dtls_set_control_ctx(e->client_tls, NULL));
    ck_assert(MTLS_dtls_set_control_ctx(e->server_tls, e->waiting));
}

/* --- sockets --- */

static void udp_pair(int fds[2])
{
    struct sockaddr_in at[2];

    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof(at[i]);

        memset(&at[i], 0, sizeof(at[i]));
        at[i].sin_family = AF_INET;
        at[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        ck_assert_int_ge(fds[i], 0);
        ck_assert_int_eq(bind(fds[i], (struct sockaddr *)&at[i], len), 0);
        ck_assert_int_eq(getsockname(fds[i], (struct sockaddr *)&at[i], &len),
                         0);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            connect(fds[i], (struct sockaddr *)&at[1 - i], sizeof(at[i])), 0);
}

static void set_blocking(const int fds[2], int blocking)
{
    for (int i = 0; !blocking && i < 2; i++)
        ck_assert_int_eq(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
}

/* Before a flight of the handshake is sent again; OpenSSL waits for a second.
 */
static unsigned int soon(SSL *ssl, unsigned int microseconds)
{
    (void)ssl;
    return microseconds == 0 ? 50000 : microseconds * 2;
}

static BIO *ssl_bio(SSL_CTX *ctx, BIO *below, int client)
{
    BIO *b = BIO_new_ssl(ctx, client);
    SSL *ssl;

    ck_assert_ptr_nonnull(b);
    BIO_get_ssl(b, &ssl);
    if (SSL_is_dtls(ssl)) {
        SSL_set_mtu(ssl, 1400);
        DTLS_set_timer_cb(ssl, soon);
    }
    return BIO_push(b, below);
}

static BIO *dgram_bio(int fd, struct lossy *lossy)
{
    BIO *b = BIO_new_dgram(fd, BIO_CLOSE);
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);

    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    BIO_ctrl(b, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &peer);
    return BIO_push(lossy_new(lossy), b);
}

void dtls_ends_sockets(struct dtls_ends *e, int blocking)
{
    int udp[2], tcp[2];
    BIO *beside;

    udp_pair(udp);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, tcp), 0);
    set_blocking(udp, blocking);
    set_blocking(tcp, blocking);
    e->client_beside =
        ssl_bio(e->client_dtls, dgram_bio(udp[0], &e->to_server), 1);
    e->arriving = ssl_bio(e->server_dtls, dgram_bio(udp[1], &e->to_client), 0);
    e->client =
        BIO_push(BIO_new(BIO_f_mtls()),
                 ssl_bio(e->client_tls, BIO_new_socket(tcp[0], BIO_CLOSE), 1));
    beside = BIO_new_socket(tcp[1], BIO_CLOSE);
    if (e->control != NULL)
        beside = BIO_push(lossy_new(e->control), beside);
    e->server =
        BIO_push(BIO_new(BIO_f_mtls()), ssl_bio(e->server_tls, beside, 0));
    BIO_mtls_set_cork(e->client, e->corked);
    ck_assert_int_eq(BIO_mtls_set_datagram_bio(e->client, e->client_beside), 1);
    ck_assert_int_eq(BIO_mtls_set_waiting(e->server, e->waiting), 1);
}

void dtls_ends_new(struct dtls_ends *e)
{
    dtls_ends_contexts(e, 8, 60);
    dtls_ends_sockets(e, 0);
}

void dtls_ends_close(struct dtls_ends *e)
{
    BIO_free_all(e->client);
    BIO_free_all(e->server);
    BIO_free_all(e->arriving);
    e->client = e->server = e->arriving = e->client_beside = NULL;
    e->arrived = NULL;
}

void dtls_ends_free(struct dtls_ends *e)
{
    dtls_ends_close(e);
    SSL_CTX_free(e->client_dtls);
    SSL_CTX_free(e->server_dtls);
    SSL_CTX_free(e->client_tls);
    SSL_CTX_free(e->server_tls);
    MTLS_dtls_waiting_free(e->waiting);
}

/* --- moving --- */

static int time_left(BIO *b)
{
    struct timeval tv;

    if (b == NULL || BIO_mtls_get_timeout(b, &tv) <= 0)
        return 1000;
    return (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000) + 1;
}

static int fd_of(BIO *b)
{
    int fd = -1;

    if (b != NULL)
        BIO_get_fd(b, &fd);
    return fd;
}

/* A DTLS handshake's timer runs at the server as well. */
void dtls_ends_wait(struct dtls_ends *e)
{
    struct pollfd fds[5] = {
        {.fd = fd_of(e->client), .events = POLLIN},
        {.fd = fd_of(e->server), .events = POLLIN},
        {.fd = fd_of(e->arriving), .events = POLLIN},
        {.fd = fd_of(e->client_beside), .events = POLLIN},
        {.fd = fd_of(e->arrived), .events = POLLIN},
    };
    int c = time_left(e->client), s = time_left(e->server), least;

    least = c < s ? c : s;
    poll(fds, 5, least < 100 ? least : 100);
}

void dtls_ends_turn(struct dtls_ends *e)
{
    for (int i = 0; i < 4; i++) {
        BIO_mtls_process(e->client);
        BIO_mtls_process(e->server);
    }
    ERR_clear_error();
}

/* The server's DTLS handshake, and then into the table. */
static int arrive(struct dtls_ends *e)
{
    if (e->arriving == NULL) {
        MTLS_dtls_waiting_receive(e->waiting, e->arrived);
        return 1;
    }
    if (BIO_do_handshake(e->arriving) <= 0)
        return BIO_should_retry(e->arriving) ? 0 : -1;
    if (!MTLS_dtls_waiting_add(e->waiting, e->arriving))
        return -1;
    e->arrived = e->arriving;
    e->arriving = NULL;
    return 1;
}

int dtls_ends_arrive(struct dtls_ends *e)
{
    for (int i = 0; i < 2000; i++) {
        int a = arrive(e), c;

        if (a < 0)
            return 0;
        c = (int)BIO_do_handshake(e->client_beside);
        if (c <= 0 && !BIO_should_retry(e->client_beside))
            return 0;
        if (a > 0 && c > 0)
            return 1;
        dtls_ends_wait(e);
    }
    return 0;
}

int dtls_ends_shake(struct dtls_ends *e)
{
    int c = 0, s = 0, a = 0;

    for (int i = 0; i < 2000 && (c <= 0 || s <= 0); i++) {
        if ((a = arrive(e)) < 0)
            return 0;
        c = (int)BIO_do_handshake(e->client);
        if (c <= 0 && !BIO_should_retry(e->client))
            return 0;
        if (a > 0) {
            s = (int)BIO_do_handshake(e->server);
            if (s <= 0 && !BIO_should_retry(e->server))
                return 0;
        }
        if (c <= 0 || s <= 0)
            dtls_ends_wait(e);
    }
    return c > 0 && s > 0;
}

void dtls_ends_open(struct dtls_ends *e, BIO **c, BIO **s)
{
    *c = BIO_new_mtls_channel(e->client, "localhost:7");
    *s = NULL;
    ck_assert_ptr_nonnull(*c);
    for (int i = 0; i < 200; i++) {
        int r = (int)BIO_do_connect(*c);

        if (*s == NULL)
            *s = BIO_mtls_accept_channel(e->server);
        if (*s != NULL)
            BIO_do_handshake(*s);
        if (r > 0 && *s != NULL)
            return;
        dtls_ends_turn(e);
    }
    ck_abort_msg("no channel");
}
