/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "link.h"
#include "link_dtls.h"
#include "mtls00.h"
#include "tell.h"
#include "tls_conf.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What may wait in the socket, so that a small channel is not far behind. */
#define SOCKET_QUEUE (128 * 1024)
/*
 * Octets that are received before channels hand them on. After what the other
 * end sends at once, or it would leave in pieces that no segment fits.
 */
#define AT_ONCE 65000
/* Channels that are accepted in one turn. */
#define ACCEPTS 256

static void on_poll(uv_poll_t *poll, int status, int events);

static void want_work(struct link *k)
{
    if (k->has_work)
        return;
    k->has_work = 1;
    TAILQ_INSERT_TAIL(&k->app->work, k, work_node);
}

void link_changed(struct link *k)
{
    k->looks = 1;
    want_work(k);
}

void link_wrote(struct link *k)
{
    want_work(k);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *k = poll->data;

    if (events != UV_WRITABLE)
        k->looks = 1;
    if (events != UV_READABLE)
        k->full = 0; /* as far as is known */
    if (status < 0)
        k->armed = 0; /* libuv has stopped it; the socket will say why */
    want_work(k);
}

static void arm(struct link *k, int events)
{
    if (events == k->armed || k->fd < 0)
        return;
    k->armed = events;
    if (events == 0)
        uv_poll_stop(&k->poll);
    else if (uv_poll_start(&k->poll, events, on_poll) != 0)
        k->armed = 0;
}

/* Only what does not fail for another reason: hints to the kernel. */
static void tune_socket(int fd)
{
    const struct {
        int level, name, value;
    } wishes[] = {{IPPROTO_TCP, TCP_NODELAY, 1},
                  {IPPROTO_TCP, TCP_NOTSENT_LOWAT, SOCKET_QUEUE},
                  {SOL_SOCKET, SO_KEEPALIVE, 1},
                  {IPPROTO_TCP, TCP_KEEPIDLE, 30},
                  {IPPROTO_TCP, TCP_KEEPINTVL, 10},
                  {IPPROTO_TCP, TCP_KEEPCNT, 3}};

    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
        setsockopt(fd, wishes[i].level, wishes[i].name, &wishes[i].value,
                   sizeof(wishes[i].value));
}

static int set_limits(BIO *m, const struct options *o)
{
    return BIO_mtls_set_default_channel_mode(m, MTLS_DEFAULT_CHANNEL_OFF) &&
           BIO_mtls_set_cork(m, 1) &&
           (o->channels < 0 || BIO_mtls_set_max_channels(m, o->channels)) &&
           (o->window < 0 || (BIO_mtls_set_window(m, o->window) &&
                              BIO_mtls_set_max_window(m, o->window))) &&
           (o->max_packet < 0 || BIO_mtls_set_max_packet(m, o->max_packet)) &&
           (o->session_memory < 0 ||
            BIO_mtls_set_session_memory(m, o->session_memory));
}

/* TLS above the socket. Takes |ssl|. */
static BIO *make_tls(int fd, SSL *ssl)
{
    BIO *socket = BIO_new_socket(fd, BIO_NOCLOSE);
    BIO *tls = BIO_new(BIO_f_ssl());

    if (tls != NULL)
        BIO_set_ssl(tls, ssl, BIO_CLOSE);
    else
        SSL_free(ssl);
    if (socket == NULL || tls == NULL) {
        BIO_free(tls);
        BIO_free(socket);
        return NULL;
    }
    return BIO_push(tls, socket);
}

/* The multiplexer above that. Takes |tls|. */
static BIO *make_stack(BIO *tls, const struct options *o)
{
    BIO *m = BIO_new(BIO_f_mtls());

    if (tls == NULL || m == NULL || !set_limits(m, o)) {
        BIO_free(m);
        BIO_free_all(tls);
        return NULL;
    }
    return BIO_push(m, tls);
}

static void learn_peer(struct link *k)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    text_copy(k->peer, sizeof(k->peer), "?");
    if (getpeername(k->fd, (struct sockaddr *)&addr, &len) == 0)
        addr_text(k->peer, (struct sockaddr *)&addr, len);
}

/* |fd| may be -1. NULL: out of memory. */
static struct link *make(struct app *app, int fd, const struct options *o,
                         const struct link_ops *ops, void *owner)
{
    struct link *k = calloc(1, sizeof(*k));

    if (k == NULL || (fd >= 0 ? uv_poll_init(&app->loop, &k->poll, fd)
                              : uv_timer_init(&app->loop, &k->no_poll)) != 0) {
        free(k);
        return NULL;
    }
    k->app = app;
    k->ops = ops;
    k->options = o;
    k->owner = owner;
    k->fd = fd;
    k->poll.data = k;
    k->started = k->active = k->answered = uv_now(&app->loop);
    k->reads = 1;
    TAILQ_INIT(&k->channels);
    TAILQ_INIT(&k->for_room);
    TAILQ_INSERT_TAIL(&app->links, k, node);
    return k;
}

/* Takes |tls|, which may be NULL. */
static void start(struct link *k, BIO *tls)
{
    k->m = make_stack(tls, k->options);
    if (k->m == NULL) {
        link_close(k, LINK_NO_HANDSHAKE, "out of memory");
    } else {
        BIO_get_ssl(k->m, &k->ssl);
        tell_trace(k->m, k->options);
    }
    link_changed(k);
}

struct link *link_new(struct app *app, int fd, SSL *ssl,
                      const struct options *o, const struct link_ops *ops,
                      void *owner)
{
    struct link *k = make(app, fd, o, ops, owner);

    if (k == NULL) {
        SSL_free(ssl);
        close(fd);
        return NULL;
    }
    tune_socket(fd);
    learn_peer(k);
    start(k, make_tls(fd, ssl));
    return k;
}

struct link *link_alone(struct app *app, BIO *dtls, const char *peer,
                        const struct options *o, const struct link_ops *ops,
                        void *owner)
{
    struct link *k = make(app, -1, o, ops, owner);

    if (k == NULL) {
        BIO_free_all(dtls);
        return NULL;
    }
    text_copy(k->peer, sizeof(k->peer), peer);
    start(k, dtls);
    if (k->m != NULL)
        link_dtls_watch(k);
    return k;
}

void link_close(struct link *k, enum link_end how, const char *why)
{
    if (k->doomed)
        return;
    k->doomed = 1;
    k->end = how;
    report_escape(k->why, sizeof(k->why), why);
    link_changed(k);
}

/* Why the last call failed: OpenSSL's queue, or what the system said. */
static void fail(struct link *k, enum link_end how, int error)
{
    char why[sizeof(k->why)];

    tls_error_text(why, sizeof(why), error);
    link_close(k, how, why);
}

static void handshake(struct link *k)
{
    char why[sizeof(k->why)];
    int ok;

    ERR_clear_error();
    errno = 0;
    ok = BIO_do_handshake(k->m) == 1;
    if (ok) {
        k->state = LINK_OPEN;
        tell_session_open(k);
        if (mtls00_opened(k))
            k->ops->opened(k);
        return;
    }
    if (BIO_should_retry(k->m)) {
        arm(k, (BIO_should_read(k->m) ? UV_READABLE : 0) |
                   (BIO_should_write(k->m) ? UV_WRITABLE : 0));
    } else if (tls_verify_text(k->ssl, why, sizeof(why))) {
        ERR_clear_error();
        link_close(k, LINK_UNVERIFIED, why);
    } else {
        fail(k, LINK_NO_HANDSHAKE, errno);
    }
}

static void accept_channels(struct link *k)
{
    BIO *c;

    for (int i = 0; i < ACCEPTS; i++) {
        c = BIO_mtls_accept_channel(k->m);
        if (c == NULL)
            return;
        k->ops->requested(k, c);
    }
}

/* Tells channels what became possible; returns how many were told. */
static size_t dispatch(struct link *k)
{
    size_t told = 0;
    int events;
    BIO *b;

    while ((b = BIO_mtls_next_ready(k->m, &events)) != NULL) {
        struct chan *c = (struct chan *)(void *)BIO_get_callback_arg(b);

        told++;
        if (b == k->m)
            accept_channels(k);
        else if (c != NULL)
            c->ops->ready(c, events);
    }
    return told;
}

/* 1: there may be more at once. 0: not now. -1: it is over. */
static int process(struct link *k)
{
    int rc, error;

    ERR_clear_error();
    errno = 0;
    rc = (int)BIO_mtls_process_some(k->m, AT_ONCE);
    error = errno;
    if (rc > 0) {
        k->reads = rc == 2 || BIO_should_read(k->m);
        return rc == 2;
    }
    if (rc == 0)
        link_close(k, LINK_ENDED, "");
    else
        fail(k, LINK_FAILED, error);
    return -1;
}

/* Sends what was written, as far as the socket takes it. */
static void flush(struct link *k)
{
    if (k->full)
        return;
    ERR_clear_error();
    k->full = BIO_flush(k->m) <= 0 && BIO_should_retry(k->m);
}

size_t link_waiting(const struct link *k)
{
    return BIO_ctrl_wpending(k->m);
}

int link_room(struct link *k, struct chan *c, int urgent)
{
    flush(k);
    if (!k->full)
        return 1;
    if (!c->waits && urgent)
        TAILQ_INSERT_HEAD(&k->for_room, c, room_node);
    else if (!c->waits)
        TAILQ_INSERT_TAIL(&k->for_room, c, room_node);
    c->waits = 1;
    link_wrote(k);
    return 0;
}

/* Lets those write who waited for room, as long as there is some, and sends
 * it. */
static void give_room(struct link *k)
{
    struct chan *c;

    flush(k);
    while (!k->full && (c = TAILQ_FIRST(&k->for_room)) != NULL) {
        TAILQ_REMOVE(&k->for_room, c, room_node);
        c->waits = 0;
        c->ops->ready(c, MTLS_EVENT_WRITABLE);
        if (TAILQ_EMPTY(&k->for_room))
            flush(k);
    }
}

/*
 * Moves octets both ways, some of them: then it is others' turn, and local
 * connections', which may have something short. To read or write a channel may
 * move others' octets too, and to flush may make room for them, so that there
 * is another turn until nobody has been told anything.
 */
static void move(struct link *k)
{
    int more = k->looks;

    k->looks = 0;
    if (more > 0) {
        more = process(k);
        flush(k);
        if (dispatch(k) > 0 && more == 0)
            more = 1;
    }
    give_room(k);
    if (dispatch(k) > 0 || more > 0)
        link_changed(k);
    arm(k, (k->reads ? UV_READABLE : 0) | (k->full ? UV_WRITABLE : 0));
    if (k->dtls != NULL)
        link_dtls_arm(k);
}

static void try_end(struct link *k)
{
    ERR_clear_error();
    if (BIO_mtls_end(k->m) == 1 || !BIO_should_retry(k->m)) {
        ERR_clear_error();
        link_close(k, LINK_ENDED, "");
    }
}

void link_end(struct link *k)
{
    if (k->state == LINK_HANDSHAKE) {
        link_close(k, LINK_ENDED, "");
    } else if (k->state == LINK_OPEN) {
        k->state = LINK_ENDING;
        k->started = uv_now(&k->app->loop);
        link_changed(k);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* What has arrived for channels can still be read once this has gone. */
static void finish(struct link *k)
{
    link_dtls_end(k);
    if (k->m != NULL) {
        if (k->state != LINK_HANDSHAKE)
            (void)BIO_mtls_end(k->m);
        tell_session_close(k);
        k->spoilt = k->state != LINK_HANDSHAKE &&
                    !SSL_SESSION_is_resumable(SSL_get0_session(k->ssl));
        BIO_free_all(BIO_pop(k->m));
    }
    while (!TAILQ_EMPTY(&k->channels))
        chan_orphan(TAILQ_FIRST(&k->channels));
    k->ops->closed(k);
    BIO_free(k->m);
    ERR_clear_error();
    TAILQ_REMOVE(&k->app->links, k, node);
    if (k->has_work)
        TAILQ_REMOVE(&k->app->work, k, work_node);
    uv_close((uv_handle_t *)&k->poll, on_closed);
    if (k->fd >= 0)
        close(k->fd);
}

void link_pump(struct link *k)
{
    if (!k->doomed) {
        if (k->state == LINK_HANDSHAKE)
            handshake(k);
        if (k->state != LINK_HANDSHAKE && !k->doomed)
            move(k);
        if (k->state == LINK_ENDING && !k->doomed)
            try_end(k);
    }
    if (k->app->drain_until != 0 && k->n_channels == 0)
        link_end(k);
    if (k->doomed)
        finish(k);
}
