/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "listen.h"
#include "report.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SOCKETS 8
#define BACKLOG 4096
/* Connections that are accepted in one turn of the loop. */
#define ACCEPTS 128
/* How long to wait when there are no descriptors left. */
#define SHORTAGE_MS 1000

struct door {
    uv_poll_t poll;
    struct listener *listener;
    int fd;
};

struct listener {
    struct app *app;
    listen_accept *accept;
    void *arg;
    struct door *doors[MAX_SOCKETS];
    unsigned n;
    uv_timer_t retry; /* after a shortage */
    int running;
    int complained;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* ours to unlink */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_retry(uv_timer_t *timer)
{
    listener_start(timer->data);
}

/* T5: what can't be accepted now waits in the backlog. */
static void on_shortage(struct listener *l)
{
    if (!l->complained)
        report_error("accept: %s; trying again every second", strerror(errno));
    l->complained = 1;
    listener_stop(l);
    uv_timer_start(&l->retry, on_retry, SHORTAGE_MS, 0);
}

static int accept_one(struct door *d)
{
    struct listener *l = d->listener;
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof(from);
    char source[ADDR_TEXT_MAX] = "";
    int fd = accept4(d->fd, (struct sockaddr *)&from, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
            errno == ENOMEM)
            on_shortage(l);
        return errno == EINTR || errno == ECONNABORTED;
    }
    if (l->complained)
        report_note("accepting again");
    l->complained = 0;
    if (from.ss_family != AF_UNIX)
        addr_text(source, (struct sockaddr *)&from, len);
    l->accept(l->arg, fd, source);
    return 1;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct door *d = poll->data;

    (void)events;
    for (int i = 0; status == 0 && i < ACCEPTS && d->listener->running; i++) {
        if (!accept_one(d))
            return;
    }
}

void listener_start(struct listener *l)
{
    if (l->running)
        return;
    l->running = 1;
    uv_timer_stop(&l->retry);
    for (unsigned i = 0; i < l->n; i++)
        uv_poll_start(&l->doors[i]->poll, UV_READABLE, on_poll);
}

void listener_stop(struct listener *l)
{
    l->running = 0;
    uv_timer_stop(&l->retry);
    for (unsigned i = 0; i < l->n; i++)
        uv_poll_stop(&l->doors[i]->poll);
}

void listener_free(struct listener *l)
{
    if (l == NULL)
        return;
    for (unsigned i = 0; i < l->n; i++) {
        uv_close((uv_handle_t *)&l->doors[i]->poll, on_closed);
        close(l->doors[i]->fd);
    }
    if (l->path[0] != '\0')
        unlink(l->path);
    uv_close((uv_handle_t *)&l->retry, on_closed);
}

static int add_door(struct listener *l, int fd)
{
    struct door *d = calloc(1, sizeof(*d));

    if (d == NULL || listen(fd, BACKLOG) != 0 ||
        uv_poll_init(&l->app->loop, &d->poll, fd) != 0) {
        free(d);
        close(fd);
        return 0;
    }
    d->poll.data = d;
    d->listener = l;
    d->fd = fd;
    l->doors[l->n++] = d;
    return 1;
}

/* A socket whose program has gone is only in the way. */
static int is_stale(const struct sockaddr_un *un)
{
    struct stat st;
    int fd, stale;

    if (stat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return 0;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    stale = fd >= 0 &&
            connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 &&
            errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return stale;
}

static int open_unix(struct listener *l, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t mask;
    int bound;

    if (fd < 0 || !text_copy(un.sun_path, sizeof(un.sun_path), path))
        return 0;
    if (is_stale(&un))
        unlink(path);
    mask = umask(0177); /* as ssh: for this user alone */
    bound = bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
    umask(mask);
    if (!bound || !add_door(l, fd)) {
        if (!bound)
            close(fd);
        return 0;
    }
    text_copy(l->path, sizeof(l->path), path);
    return 1;
}

/* Returns the port that it got, so that the next family takes the same. */
static int open_inet(struct listener *l, const struct addrinfo *ai,
                     uint16_t port)
{
    int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(union addr);
    union addr a;
    int one = 1;

    if (fd < 0)
        return -1;
    memset(&a, 0, sizeof(a));
    memcpy(&a, ai->ai_addr, ai->ai_addrlen);
    addr_set_port(&a, port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &a.sa, addr_length(&a)) != 0 ||
        getsockname(fd, &a.sa, &len) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return add_door(l, fd) ? addr_port(&a) : -1;
}

/* A hosts file may give the same address for a name more than once. */
static int is_repeated(const struct addrinfo *first, const struct addrinfo *ai)
{
    for (; first != ai; first = first->ai_next) {
        if (first->ai_addrlen == ai->ai_addrlen &&
            memcmp(first->ai_addr, ai->ai_addr, ai->ai_addrlen) == 0)
            return 1;
    }
    return 0;
}

/* Every address of a name; 0 when a port is in use, or not for us. */
static int open_name(struct listener *l, const char *host, int *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE};
    struct addrinfo *all = NULL;
    int error = getaddrinfo(host, host == NULL ? "0" : NULL, &hints, &all);
    int ok = 1;

    if (error != 0) {
        report_error("%s: %s", host, gai_strerror(error));
        errno = 0;
        return 0;
    }
    for (struct addrinfo *ai = all; ok && ai != NULL; ai = ai->ai_next) {
        int got;

        if (is_repeated(all, ai) || l->n == MAX_SOCKETS)
            continue;
        got = open_inet(l, ai, (uint16_t)*port);
        if (got > 0)
            *port = got;
        else
            ok = errno != EADDRINUSE && errno != EACCES;
    }
    error = errno;
    freeaddrinfo(all);
    errno = error;
    return ok;
}

/*
 * A family that the machine does not have is no mistake as long as another one
 * is there. "localhost" is both loopbacks, whatever the hosts file has.
 */
static int open_all(struct listener *l, const struct endpoint *where)
{
    const char *host = where->host[0] != '\0' ? where->host : NULL;
    int port = where->port;

    if (host == NULL || strcmp(host, "localhost") != 0)
        return open_name(l, host, &port) && l->n > 0;
    return open_name(l, "127.0.0.1", &port) && open_name(l, "::1", &port) &&
           l->n > 0;
}

int listener_address(const struct listener *l, unsigned i,
                     char out[ADDR_TEXT_MAX])
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    if (i >= l->n ||
        getsockname(l->doors[i]->fd, (struct sockaddr *)&at, &len) != 0)
        return 0;
    addr_text(out, (struct sockaddr *)&at, len);
    return 1;
}

static void tell(const struct listener *l, const char *purpose)
{
    for (unsigned i = 0; i < l->n; i++) {
        char text[ADDR_TEXT_MAX] = "?";
        struct event e;

        listener_address(l, i, text);
        event_begin(&e, "listening");
        event_text(&e, "address", text);
        event_text(&e, "for", purpose);
        event_line(&e, "listening on %s for %s", text, purpose);
        event_end(&e);
    }
}

static void complain(const struct endpoint *where)
{
    int error = errno;

    if (error == 0) /* it has been said */
        return;
    if (where->kind == ADDR_UNIX)
        report_error("can't listen on unix:%s: %s", where->host,
                     strerror(error));
    else
        report_error("can't listen on %s port %u: %s",
                     where->host[0] != '\0' ? where->host : "any address",
                     where->port, strerror(error));
}

struct listener *listener_new(struct app *app, const struct endpoint *where,
                              const char *purpose, listen_accept *accept,
                              void *arg)
{
    struct listener *l = calloc(1, sizeof(*l));
    int ok;

    if (l == NULL) {
        report_error("out of memory");
        return NULL;
    }
    l->app = app;
    l->accept = accept;
    l->arg = arg;
    uv_timer_init(&app->loop, &l->retry);
    l->retry.data = l;
    errno = 0;
    ok = where->kind == ADDR_UNIX ? open_unix(l, where->host)
                                  : open_all(l, where);
    if (!ok) {
        complain(where);
        listener_free(l);
        return NULL;
    }
    tell(l, purpose);
    return l;
}
