/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dtls_call.h"
#include "dtls_conf.h"
#include "mtls00.h"
#include "tls_conf.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long one address is given, and how many there may be. */
#define PATIENCE_S 20
#define MAX_ADDRS 16

struct dtls_call {
    struct app *app;
    SSL_CTX *ctx;
    const struct options *options;
    const struct endpoint *server;
    struct dial_pool *pool;
    dtls_call_done *done; /* NULL: given up */
    void *arg;
    uv_getaddrinfo_t lookup;
    uv_timer_t timer;
    uv_poll_t *poll; /* of the socket of |dtls| */
    union addr addrs[MAX_ADDRS];
    unsigned n_addrs, next;
    int looking_up, closed;
    uint64_t until;
    BIO *dtls;
    struct dial *dial;
    char why[256];
};

/* --- the end ----------------------------------------------------------------
 */

static void release(struct dtls_call *c)
{
    if (c->closed && !c->looking_up)
        free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct dtls_call *c = handle->data;

    c->closed = 1;
    release(c);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void unpoll(struct dtls_call *c)
{
    if (c->poll != NULL)
        uv_close((uv_handle_t *)c->poll, on_poll_closed);
    c->poll = NULL;
}

static void hang_up(struct dtls_call *c)
{
    unpoll(c);
    BIO_free_all(c->dtls);
    c->dtls = NULL;
    ERR_clear_error();
}

void dtls_call_cancel(struct dtls_call *c)
{
    c->done = NULL;
    if (c->dial != NULL)
        dial_cancel(c->dial);
    hang_up(c);
    if (c->looking_up)
        uv_cancel((uv_req_t *)&c->lookup);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* What was reached, with |why| NULL, is the callee's from now on. */
static void finish(struct dtls_call *c, int fd, const char *why, int unverified)
{
    dtls_call_done *done = c->done;
    BIO *dtls = NULL;

    unpoll(c);
    if (why == NULL) {
        dtls = c->dtls;
        c->dtls = NULL;
    }
    done(c->arg, fd, dtls, why == NULL ? "" : why, unverified);
    c->dial = NULL;
    dtls_call_cancel(c);
}

/* --- TCP, to the same address -----------------------------------------------
 */

static void on_dial(void *arg, int fd, const char *why)
{
    struct dtls_call *c = arg;

    c->dial = NULL;
    finish(c, fd, fd < 0 ? strchr(why, ' ') + 1 : NULL, 0);
}

static void dial(struct dtls_call *c)
{
    struct endpoint at = {.kind = ADDR_IP};
    char text[ADDR_TEXT_MAX];

    addr_text(text, &c->addrs[c->next].sa, addr_length(&c->addrs[c->next]));
    if (endpoint_parse(&at, text, 0))
        c->dial = dial_new(c->pool, &at, NULL, on_dial, c);
    if (c->dial == NULL)
        finish(c, -1, "out of memory", 0);
}

/* --- the handshake over UDP -------------------------------------------------
 */

static void try_next(struct dtls_call *c);
static void step(struct dtls_call *c);

/* The next address, if there is one; |why| is for the last one. */
static void fail(struct dtls_call *c, const char *why)
{
    hang_up(c);
    snprintf(c->why, sizeof(c->why), "%s", why);
    c->next++;
    try_next(c);
}

static void on_timer(uv_timer_t *timer)
{
    step(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    step(poll->data);
}

/* DTLS says when it wants to repeat itself. */
static void wait_on(struct dtls_call *c, SSL *ssl)
{
    uint64_t now = uv_now(&c->app->loop), left = c->until - now;
    struct timeval t;

    if (DTLSv1_get_timeout(ssl, &t)) {
        uint64_t ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;

        left = ms + 1 < left ? ms + 1 : left;
    }
    uv_timer_start(&c->timer, on_timer, left, 0);
}

/* Draft 05 wants the TLS connection; mtls-00 is complete. */
static void shaken(struct dtls_call *c, const SSL *ssl)
{
    uv_timer_stop(&c->timer);
    unpoll(c);
    if (c->options->mtls00 && mtls00_agreed(ssl))
        finish(c, -1, NULL, 0);
    else if (c->options->mtls00 && c->options->no_fallback)
        finish(c, -1, "the server does not agree to data_multiplexing", 0);
    else
        dial(c);
}

/* The server's own word, or ours about it: another address has none other. */
static int is_answer(void)
{
    return ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL;
}

/* An empty datagram, which anybody can send in the server's name, reads as an
 * end; it is none. */
static int was_empty(const SSL *ssl)
{
    return errno == 0 && ERR_peek_error() == 0 &&
           SSL_get_error(ssl, 0) == SSL_ERROR_SYSCALL;
}

static void step(struct dtls_call *c)
{
    char why[sizeof(c->why)];
    int answered;
    SSL *ssl;

    BIO_get_ssl(c->dtls, &ssl);
    ERR_clear_error();
    errno = 0;
    if (BIO_do_handshake(c->dtls) > 0) {
        shaken(c, ssl);
        return;
    }
    if (BIO_should_retry(c->dtls) || was_empty(ssl)) {
        if (uv_now(&c->app->loop) < c->until)
            wait_on(c, ssl);
        else
            fail(c, "no DTLS handshake in time");
        return;
    }
    if (tls_verify_text(ssl, why, sizeof(why))) {
        hang_up(c);
        finish(c, -1, why, 1);
        return;
    }
    answered = is_answer();
    tls_error_text(why, sizeof(why), errno);
    if (answered) {
        hang_up(c);
        finish(c, -1, why, 0);
    } else {
        fail(c, why);
    }
}

static BIO *udp_to(const union addr *a)
{
    int fd =
        socket(a->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int size = 4 * 1024 * 1024;
    BIO *udp;

    if (fd < 0)
        return NULL;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (connect(fd, &a->sa, addr_length(a)) != 0 ||
        (udp = BIO_new_dgram(fd, BIO_CLOSE)) == NULL) {
        close(fd);
        return NULL;
    }
    BIO_ctrl_set_connected(udp, (void *)a);
    return udp;
}

static int set_up(struct dtls_call *c, const union addr *a)
{
    SSL *ssl;
    BIO *udp;
    int fd = -1;

    errno = 0;
    udp = udp_to(a);
    c->dtls = udp != NULL ? BIO_new(BIO_f_ssl()) : NULL;
    ssl = c->dtls != NULL ? tls_conf_client(c->ctx, c->options, c->server->host)
                          : NULL;
    if (ssl == NULL) {
        BIO_free(udp);
        return 0;
    }
    BIO_set_ssl(c->dtls, ssl, BIO_CLOSE);
    BIO_push(c->dtls, udp);
    dtls_conf_mtu(ssl, c->options);
    BIO_get_fd(udp, &fd);
    c->poll = calloc(1, sizeof(*c->poll));
    if (c->poll == NULL || uv_poll_init(&c->app->loop, c->poll, fd) != 0) {
        free(c->poll);
        c->poll = NULL;
        return 0;
    }
    c->poll->data = c;
    return uv_poll_start(c->poll, UV_READABLE, on_poll) == 0;
}

static void try_next(struct dtls_call *c)
{
    if (c->next >= c->n_addrs) {
        finish(c, -1, c->why, 0);
        return;
    }
    c->until = uv_now(&c->app->loop) + PATIENCE_S * 1000;
    if (set_up(c, &c->addrs[c->next]))
        step(c);
    else
        fail(c, errno != 0 ? strerror(errno) : "no UDP socket");
}

/* --- addresses --------------------------------------------------------------
 */

static void add(struct dtls_call *c, const struct sockaddr *sa, socklen_t len)
{
    union addr *a = &c->addrs[c->n_addrs];

    if (c->n_addrs == MAX_ADDRS || len > sizeof(*a) ||
        (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
        return;
    memset(a, 0, sizeof(*a));
    memcpy(a, sa, len);
    addr_set_port(a, c->server->port);
    c->n_addrs++;
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct dtls_call *c = req->data;

    c->looking_up = 0;
    for (const struct addrinfo *ai = res; ai != NULL; ai = ai->ai_next)
        add(c, ai->ai_addr, ai->ai_addrlen);
    uv_freeaddrinfo(res);
    if (c->done == NULL) {
        release(c);
        return;
    }
    snprintf(c->why, sizeof(c->why), "%s",
             status != 0 ? uv_strerror(status) : "no address");
    try_next(c);
}

static void on_start(uv_timer_t *timer)
{
    try_next(timer->data);
}

/* RFC 6761 6.3: what localhost is, no resolver need tell. */
static int look_up(struct dtls_call *c)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct endpoint loopback;

    if (c->server->kind == ADDR_NAME &&
        strcmp(c->server->host, "localhost") != 0) {
        c->looking_up = 1;
        return uv_getaddrinfo(&c->app->loop, &c->lookup, on_lookup,
                              c->server->host, NULL, &hints) == 0;
    }
    if (c->server->kind == ADDR_IP) {
        add(c, &c->server->ip.sa, addr_length(&c->server->ip));
    } else {
        endpoint_set(&loopback, "127.0.0.1", 0);
        add(c, &loopback.ip.sa, addr_length(&loopback.ip));
        endpoint_set(&loopback, "::1", 0);
        add(c, &loopback.ip.sa, addr_length(&loopback.ip));
    }
    return uv_timer_start(&c->timer, on_start, 0, 0) == 0;
}

struct dtls_call *dtls_call_new(struct app *app, SSL_CTX *ctx,
                                const struct options *o,
                                const struct endpoint *server,
                                struct dial_pool *pool, dtls_call_done *done,
                                void *arg)
{
    struct dtls_call *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->app = app;
    c->ctx = ctx;
    c->options = o;
    c->server = server;
    c->pool = pool;
    c->done = done;
    c->arg = arg;
    c->lookup.data = c;
    uv_timer_init(&app->loop, &c->timer);
    c->timer.data = c;
    snprintf(c->why, sizeof(c->why), "not a host");
    if (look_up(c))
        return c;
    c->looking_up = 0;
    dtls_call_cancel(c);
    return NULL;
}
