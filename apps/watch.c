/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Taken from the kernel in one call. */
#define EVENTS 128

/*
 * What is new goes first: it is more likely to be small than what had its turn
 * and was not done.
 */
static void queue(struct watch *w, int first)
{
    if (w->queued || ((w->has & w->wants) == 0 && !(w->has & WATCH_BROKEN)))
        return;
    w->queued = 1;
    if (first)
        TAILQ_INSERT_HEAD(&w->app->watch.ready, w, node);
    else
        TAILQ_INSERT_TAIL(&w->app->watch.ready, w, node);
}

/* An end, or urgent data, may follow what a short read has read. */
static void note(struct watch *w, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0)
        w->has |= WATCH_IN;
    if ((events & (EPOLLOUT | EPOLLHUP)) != 0)
        w->has |= WATCH_OUT;
    if ((events & EPOLLERR) != 0)
        w->has |= WATCH_BROKEN;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLPRI)) != 0)
        w->careful = 1;
    queue(w, 1);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct app *app = poll->data;
    struct epoll_event some[EVENTS];
    int n = EVENTS;

    (void)events;
    while (status == 0 && n == EVENTS) {
        n = epoll_wait(app->watch.fd, some, EVENTS, 0);
        for (int i = 0; i < n; i++)
            note(some[i].data.ptr, some[i].events);
    }
}

int watch_begin(struct app *app)
{
    TAILQ_INIT(&app->watch.ready);
    app->watch.fd = epoll_create1(EPOLL_CLOEXEC);
    if (app->watch.fd < 0)
        return 0;
    app->watch.poll.data = app;
    if (uv_poll_init(&app->loop, &app->watch.poll, app->watch.fd) == 0 &&
        uv_poll_start(&app->watch.poll, UV_READABLE, on_poll) == 0)
        return 1;
    close(app->watch.fd);
    return 0;
}

void watch_end(struct app *app)
{
    uv_close((uv_handle_t *)&app->watch.poll, NULL);
    close(app->watch.fd);
}

int watch_add(struct watch *w, struct app *app, int fd, int tcp,
              void (*ready)(struct watch *w, int events))
{
    struct epoll_event event = {
        EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, {.ptr = w}};

    w->app = app;
    w->ready = ready;
    w->fd = fd;
    w->has = w->wants = w->queued = 0;
    w->careful = !tcp;
    return epoll_ctl(app->watch.fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void watch_want(struct watch *w, int events)
{
    w->wants = (unsigned)events & (WATCH_IN | WATCH_OUT);
    queue(w, 0);
}

void watch_was_read(struct watch *w, ptrdiff_t n, size_t room)
{
    if (n < 0 ? errno == EAGAIN : n > 0 && (size_t)n < room && !w->careful)
        w->has &= ~(unsigned)WATCH_IN;
}

void watch_was_written(struct watch *w, ptrdiff_t n)
{
    if (n < 0 && errno == EAGAIN)
        w->has &= ~(unsigned)WATCH_OUT;
}

void watch_mended(struct watch *w)
{
    w->has &= ~(unsigned)WATCH_BROKEN;
}

void watch_drop(struct watch *w)
{
    if (w->queued)
        TAILQ_REMOVE(&w->app->watch.ready, w, node);
    w->queued = 0;
}

/* Those that have more to do are queued again meanwhile, for the next turn. */
void watch_turn(struct app *app)
{
    struct watch *w;
    size_t n = 0;

    TAILQ_FOREACH(w, &app->watch.ready, node)
    {
        n++;
    }
    while (n-- > 0 && (w = TAILQ_FIRST(&app->watch.ready)) != NULL) {
        int events = (int)(w->has & (w->wants | WATCH_BROKEN));

        TAILQ_REMOVE(&app->watch.ready, w, node);
        w->queued = 0;
        if (events == 0) /* that it was queued for is not wanted any more */
            continue;
        w->wants = 0;
        w->ready(w, events);
    }
}
