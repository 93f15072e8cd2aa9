/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "local.h"

#include "watch.h"

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
    struct watch watch;
    int resets; /* lingers until its data has left, then resets */
    uint64_t until;
    TAILQ_ENTRY(local_sock) node; /* of app->linger */
};

static struct local_sock *of_watch(struct watch *w)
{
    return (struct local_sock *)(void *)((char *)w -
                                         offsetof(struct local_sock, watch));
}

static int fd_of(const struct local *l)
{
    return ((const struct local_sock *)l)->watch.fd;
}

static void destroy(struct local_sock *s)
{
    if (s->until != 0)
        TAILQ_REMOVE(&s->watch.app->linger, s, node);
    watch_drop(&s->watch);
    close(s->watch.fd);
    free(s);
}

/* With a linger time of 0, close() sends RST and drops what is queued. */
static void destroy_with_reset(struct local_sock *s)
{
    struct linger hard = {1, 0};

    setsockopt(s->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    destroy(s);
}

/* Octets that the other side's kernel does not have yet. */
static int unsent(const struct local_sock *s)
{
    int n = 0;

    return ioctl(s->watch.fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* Hears what still comes, so that close() has no reason to send RST. */
static void discard(struct local_sock *s)
{
    char scratch[16384];
    ssize_t n = 1;

    for (int i = 0; i < 8 && n > 0; i++) {
        n = recv(s->watch.fd, scratch, sizeof(scratch), MSG_DONTWAIT);
        watch_was_read(&s->watch, n, sizeof(scratch));
    }
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        watch_want(&s->watch, WATCH_IN);
    else
        destroy(s);
}

static void on_watch(struct watch *w, int events)
{
    struct local_sock *s = of_watch(w);

    if (s->until == 0)
        s->base.ready(&s->base, events);
    else if ((events & WATCH_BROKEN) != 0)
        destroy(s);
    else
        discard(s);
}

static ssize_t sock_read(struct local *l, void *p, size_t n)
{
    ssize_t r = recv(fd_of(l), p, n, MSG_DONTWAIT);

    watch_was_read(&((struct local_sock *)l)->watch, r, n);
    return r;
}

static ssize_t sock_write(struct local *l, const void *p, size_t n, int more)
{
    ssize_t r = send(fd_of(l), p, n,
                     MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));

    watch_was_written(&((struct local_sock *)l)->watch, r);
    return r;
}

static ssize_t sock_writev(struct local *l, struct iovec *v, int n)
{
    struct msghdr all = {.msg_iov = v, .msg_iovlen = (size_t)n};
    ssize_t r = sendmsg(fd_of(l), &all, MSG_DONTWAIT | MSG_NOSIGNAL);

    watch_was_written(&((struct local_sock *)l)->watch, r);
    return r;
}

static void sock_want(struct local *l, int events)
{
    watch_want(&((struct local_sock *)l)->watch, events);
}

static void sock_end(struct local *l)
{
    shutdown(fd_of(l), SHUT_WR);
}

static void sock_close(struct local *l)
{
    destroy((struct local_sock *)l);
}

static void start_linger(struct local_sock *s, uint64_t ms)
{
    s->until = uv_now(&s->watch.app->loop) + ms;
    TAILQ_INSERT_TAIL(&s->watch.app->linger, s, node);
}

static void sock_linger(struct local *l)
{
    struct local_sock *s = (struct local_sock *)l;

    shutdown(fd_of(l), SHUT_WR);
    start_linger(s, LINGER_MS);
    watch_want(&s->watch, WATCH_IN);
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
    watch_want(&s->watch, 0); /* local_second() looks whether all has left */
}

static const struct local_ops sock_ops = {
    sock_read, sock_write, sock_writev, sock_want,
    sock_end,  sock_close, sock_linger, sock_reset,
};

struct local *local_sock_new(struct app *app, int fd)
{
    struct local_sock *s = calloc(1, sizeof(*s));
    int one = 1;
    int tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0;

    if (s == NULL || !watch_add(&s->watch, app, fd, tcp, on_watch)) {
        free(s);
        close(fd);
        return NULL;
    }
    s->base.ops = &sock_ops;
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
    struct local_sock *s, *next;

    for (s = TAILQ_FIRST(&app->linger); s != NULL; s = next) {
        next = TAILQ_NEXT(s, node);
        destroy(s);
    }
}
