/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "local.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* As nginx's lingering_timeout: how long a peer may go on unheard. */
#define LINGER_MS 5000
/* How long it may take to get what comes before a reset. */
#define RESET_MS 30000

struct local_sock {
    struct local base;
    uv_poll_t poll;
    struct app *app;
    int fd;
    int armed;   /* what |poll| waits for */
    int hung_up; /* its other side has ended; UV_DISCONNECT would repeat it */
    int resets;  /* lingers until its data has left, then resets */
    uint64_t until;
    TAILQ_ENTRY(local_sock) node; /* of app->linger */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void arm(struct local_sock *s, int events)
{
    if (events == s->armed)
        return;
    s->armed = events;
    if (events == 0)
        uv_poll_stop(&s->poll);
    else if (uv_poll_start(&s->poll, events, on_poll) != 0)
        s->armed = 0;
}

static void destroy(struct local_sock *s)
{
    if (s->until != 0)
        TAILQ_REMOVE(&s->app->linger, s, node);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
}

/* With a linger time of 0, close() sends RST and drops what is queued. */
static void destroy_with_reset(struct local_sock *s)
{
    struct linger hard = {1, 0};

    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    destroy(s);
}

/* Octets that the other side's kernel does not have yet. */
static int unsent(const struct local_sock *s)
{
    int n = 0;

    return ioctl(s->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* Hears what still comes, so that close() has no reason to send RST. */
static void discard(struct local_sock *s)
{
    char scratch[16384];
    ssize_t n;

    for (int i = 0; i < 8; i++) {
        n = recv(s->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            destroy(s);
            return;
        }
        if (n < 0)
            return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct local_sock *s = poll->data;
    int what = 0;

    if (status < 0) {
        s->armed = 0; /* libuv has stopped it */
        what = LOCAL_BROKEN;
    }
    if (s->until != 0) {
        if (what == LOCAL_BROKEN)
            destroy(s);
        else
            discard(s);
        return;
    }
    if ((events & UV_DISCONNECT) != 0) {
        s->hung_up = 1;
        arm(s, s->armed & ~UV_DISCONNECT);
    }
    what |= (events & UV_READABLE) != 0 ? LOCAL_IN : 0;
    what |= (events & UV_WRITABLE) != 0 ? LOCAL_OUT : 0;
    if (what != 0)
        s->base.ready(&s->base, what);
}

static ssize_t sock_read(struct local *l, void *p, size_t n)
{
    return recv(((struct local_sock *)l)->fd, p, n, MSG_DONTWAIT);
}

static ssize_t sock_write(struct local *l, const void *p, size_t n, int more)
{
    return send(((struct local_sock *)l)->fd, p, n,
                MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

/*
 * UV_DISCONNECT is waited for always, since poll() reports errors only where
 * something is waited for: a reset must be seen while a forward is stalled.
 */
static void sock_want(struct local *l, int events)
{
    struct local_sock *s = (struct local_sock *)l;

    arm(s, ((events & LOCAL_IN) != 0 ? UV_READABLE : 0) |
               ((events & LOCAL_OUT) != 0 ? UV_WRITABLE : 0) |
               (s->hung_up ? 0 : UV_DISCONNECT));
}

static void sock_end(struct local *l)
{
    shutdown(((struct local_sock *)l)->fd, SHUT_WR);
}

static void sock_close(struct local *l)
{
    destroy((struct local_sock *)l);
}

static void start_linger(struct local_sock *s, uint64_t ms)
{
    s->until = uv_now(&s->app->loop) + ms;
    TAILQ_INSERT_TAIL(&s->app->linger, s, node);
}

static void sock_linger(struct local *l)
{
    struct local_sock *s = (struct local_sock *)l;

    shutdown(s->fd, SHUT_WR);
    start_linger(s, LINGER_MS);
    arm(s, UV_READABLE);
}

static void sock_reset(struct local *l)
{
    struct local_sock *s = (struct local_sock *)l;

    if (unsent(s) == 0) {
        destroy_with_reset(s);
        return;
    }
    s->resets = 1;
    start_linger(s, RESET_MS);
    arm(s, 0); /* local_second() looks whether all has left */
}

static const struct local_ops sock_ops = {
    sock_read,  sock_write,  sock_want,  sock_end,
    sock_close, sock_linger, sock_reset,
};

struct local *local_sock_new(struct app *app, int fd)
{
    struct local_sock *s = calloc(1, sizeof(*s));
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (s == NULL || uv_poll_init(&app->loop, &s->poll, fd) != 0) {
        free(s);
        close(fd);
        return NULL;
    }
    s->base.ops = &sock_ops;
    s->poll.data = s;
    s->app = app;
    s->fd = fd;
    return &s->base;
}

void local_second(struct app *app)
{
    uint64_t now = uv_now(&app->loop);
    struct local_sock *s, *next;

    for (s = TAILQ_FIRST(&app->linger); s != NULL; s = next) {
        next = TAILQ_NEXT(s, node);
        if (s->resets && (unsent(s) == 0 || now >= s->until))
            destroy_with_reset(s);
        else if (now >= s->until)
            destroy(s);
    }
}

void local_abandon(struct app *app)
{
    while (!TAILQ_EMPTY(&app->linger))
        destroy(TAILQ_FIRST(&app->linger));
}
