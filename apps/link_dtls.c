/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "link_dtls.h"

#include <openssl/err.h>
#include <stdlib.h>

struct link_dtls {
    struct link *link;
    uv_poll_t poll; /* a client's UDP socket, while |polled| */
    uv_timer_t timer;
    int polled, armed;
    int open_handles;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link_dtls *d = poll->data;

    (void)events;
    if (status < 0)
        d->armed = 0; /* libuv has stopped it; the socket will say why */
    link_changed(d->link);
}

static void on_timer(uv_timer_t *timer)
{
    struct link_dtls *d = timer->data;

    link_changed(d->link);
}

static void on_closed(uv_handle_t *handle)
{
    struct link_dtls *d = handle->data;

    if (--d->open_handles == 0)
        free(d);
}

static int begin(struct link *k)
{
    struct link_dtls *d = calloc(1, sizeof(*d));

    if (d == NULL || k->m == NULL) {
        free(d);
        link_close(k, LINK_NO_HANDSHAKE, "out of memory");
        return 0;
    }
    d->link = k;
    d->poll.data = d->timer.data = d;
    uv_timer_init(&k->app->loop, &d->timer);
    d->open_handles = 1;
    k->dtls = d;
    return 1;
}

static int poll_socket(struct link *k, BIO *dtls)
{
    int fd = -1;

    if (BIO_get_fd(dtls, &fd) <= 0 ||
        uv_poll_init(&k->app->loop, &k->dtls->poll, fd) != 0)
        return 0;
    k->dtls->polled = 1;
    k->dtls->open_handles++;
    return 1;
}

/* A server's has none: its door tells of what came. */
void link_dtls_watch(struct link *k)
{
    if (begin(k) && !SSL_is_server(k->ssl) && !poll_socket(k, k->m))
        link_close(k, LINK_NO_HANDSHAKE, "no UDP socket");
}

void link_dtls_attach(struct link *k, BIO *dtls)
{
    if (!begin(k) || !poll_socket(k, dtls)) {
        link_close(k, LINK_NO_HANDSHAKE, "no UDP socket");
        BIO_free_all(dtls);
        return;
    }
    if (!BIO_mtls_set_datagram_bio(k->m, dtls)) {
        ERR_clear_error();
        link_close(k, LINK_NO_HANDSHAKE, "no datagrams");
        BIO_free_all(dtls);
        return;
    }
    BIO_mtls_set_keepalive(k->m, k->app->keepalive_s);
}

void link_dtls_await(struct link *k, MTLS_DTLS_WAITING *waiting)
{
    if (!begin(k))
        return;
    if (!BIO_mtls_set_waiting(k->m, waiting)) {
        ERR_clear_error();
        link_close(k, LINK_NO_HANDSHAKE, "no datagrams");
        return;
    }
    BIO_mtls_set_keepalive(k->m, k->app->keepalive_s);
}

/* Rounded up, or it would have several turns for nothing. */
static void arm_timer(struct link *k)
{
    struct timeval left;

    if (BIO_mtls_get_timeout(k->m, &left) != 1)
        uv_timer_stop(&k->dtls->timer);
    else
        uv_timer_start(&k->dtls->timer, on_timer,
                       (uint64_t)left.tv_sec * 1000 +
                           (uint64_t)left.tv_usec / 1000 + 1,
                       0);
}

void link_dtls_arm(struct link *k)
{
    struct link_dtls *d = k->dtls;
    int events = UV_READABLE;

    arm_timer(k);
    if (BIO_mtls_datagram_should_write(k->m))
        events |= UV_WRITABLE;
    if (!d->polled || events == d->armed)
        return;
    d->armed = events;
    if (uv_poll_start(&d->poll, events, on_poll) != 0)
        d->armed = 0;
}

void link_dtls_end(struct link *k)
{
    struct link_dtls *d = k->dtls;

    if (d == NULL)
        return;
    if (d->polled)
        uv_close((uv_handle_t *)&d->poll, on_closed);
    uv_close((uv_handle_t *)&d->timer, on_closed);
    k->dtls = NULL;
}

SSL *link_dtls_ssl(const struct link *k)
{
    BIO *b = k->dtls != NULL && k->m != NULL ? BIO_mtls_get_datagram_bio(k->m)
                                             : NULL;
    SSL *ssl = NULL;

    if (b != NULL)
        BIO_get_ssl(b, &ssl);
    return ssl;
}
