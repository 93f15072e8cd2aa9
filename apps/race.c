/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "race.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 8305's connection attempt delay. */
#define STAGGER_MS 250
/* How soon to ask again a UNIX socket whose backlog is full. */
#define AGAIN_MS 50

struct attempt {
    uv_poll_t poll;
    struct race *race;
    int fd;
};

struct race {
    uv_timer_t timer;
    race_done *done;
    void *arg;
    struct race_addr addrs[RACE_MAX];
    struct attempt *attempts[RACE_MAX];
    unsigned n, next, running;
    int error;
};

static void on_timer(uv_timer_t *timer);

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Ends an attempt and gives its socket back. */
static int take(struct race *r, unsigned i)
{
    struct attempt *a = r->attempts[i];
    int fd = a->fd;

    r->attempts[i] = NULL;
    r->running--;
    uv_close((uv_handle_t *)&a->poll, on_closed);
    return fd;
}

void race_cancel(struct race *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (r->attempts[i] != NULL)
            close(take(r, i));
    }
    uv_close((uv_handle_t *)&r->timer, on_closed);
}

static void finish(struct race *r, int fd)
{
    race_done *done = r->done;
    void *arg = r->arg;
    int error = r->error;

    race_cancel(r);
    done(arg, fd, error);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct attempt *a = poll->data;
    struct race *r = a->race;
    socklen_t len = sizeof(r->error);
    unsigned i = 0;

    (void)status;
    (void)events;
    while (r->attempts[i] != a)
        i++;
    r->error = EIO;
    getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &r->error, &len);
    if (r->error == 0) {
        finish(r, take(r, i));
        return;
    }
    close(take(r, i));
    uv_timer_start(&r->timer, on_timer, 0, 0);
}

/* On loopback the answer is there before connect() returns, to say that it is
 * under way. */
static int is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

/* A socket that is connected or on the way there, or -1. */
static int begin(const struct race_addr *to, int *error)
{
    const struct sockaddr *sa = (const void *)&to->addr;
    int fd =
        socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (connect(fd, sa, to->len) == 0 || errno == EINPROGRESS))
        return fd;
    *error = errno;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Waits for |fd|, which is on its way to address |i|. 0: no memory. */
static int await(struct race *r, unsigned i, int fd)
{
    struct attempt *a = calloc(1, sizeof(*a));

    if (a == NULL || uv_poll_init(r->timer.loop, &a->poll, fd) != 0) {
        r->error = ENOMEM;
        free(a);
        close(fd);
        return 0;
    }
    a->fd = fd;
    a->race = r;
    a->poll.data = a;
    r->attempts[i] = a;
    r->running++;
    uv_poll_start(&a->poll, UV_WRITABLE, on_writable);
    return 1;
}

/* 1: it is under way. 0: it failed. -1: it is done, and |r| is gone. */
static int start(struct race *r, unsigned i)
{
    int fd = begin(&r->addrs[i], &r->error);

    if (fd >= 0 && is_connected(fd)) {
        finish(r, fd);
        return -1;
    }
    return fd >= 0 && await(r, i, fd);
}

/* The next address, and soon the one after it. */
static void on_timer(uv_timer_t *timer)
{
    struct race *r = timer->data;
    int started = 0;

    while (!started && r->next < r->n) {
        started = start(r, r->next);
        if (started < 0)
            return;
        if (!started && r->error == EAGAIN) {
            uv_timer_start(&r->timer, on_timer, AGAIN_MS, 0);
            return;
        }
        r->next++;
    }
    if (r->running == 0)
        finish(r, -1);
    else if (r->next < r->n)
        uv_timer_start(&r->timer, on_timer, STAGGER_MS, 0);
}

static struct race *make(uv_loop_t *loop, const struct race_addr *addrs,
                         unsigned n, race_done *done, void *arg)
{
    struct race *r = calloc(1, sizeof(*r));

    if (r == NULL || uv_timer_init(loop, &r->timer) != 0) {
        free(r);
        return NULL;
    }
    r->timer.data = r;
    r->done = done;
    r->arg = arg;
    r->n = n < RACE_MAX ? n : RACE_MAX;
    memcpy(r->addrs, addrs, r->n * sizeof(*addrs));
    return r;
}

struct race *race_new(uv_loop_t *loop, const struct race_addr *addrs,
                      unsigned n, race_done *done, void *arg, int *fd)
{
    int error = 0, first = begin(&addrs[0], &error);
    struct race *r;

    *fd = -1;
    if (first >= 0 && is_connected(first)) {
        *fd = first;
        return NULL;
    }
    r = make(loop, addrs, n, done, arg);
    if (r == NULL) {
        if (first >= 0)
            close(first);
        return NULL;
    }
    r->error = error;
    r->next = error != EAGAIN;
    if (first < 0 || !await(r, 0, first))
        uv_timer_start(&r->timer, on_timer, error == EAGAIN ? AGAIN_MS : 0, 0);
    else if (r->next < r->n)
        uv_timer_start(&r->timer, on_timer, STAGGER_MS, 0);
    return r;
}
