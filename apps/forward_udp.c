/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "forward_udp.h"
#include "addr_map.h"
#include "datagrams.h"
#include "link.h"
#include "report.h"
#include "udp_ports.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Datagrams that one turn takes. */
#define AT_ONCE 128
/* Addresses at a time. */
#define MAX_FLOWS 16384
/* A note about what failed, at most so often. */
#define NOTE_MS 1000

struct door {
    uv_poll_t poll;
    struct forward_udp *forward;
    int fd;
};

/* One address, and its channel. */
struct flow {
    struct addr_node node; /* first: of the forward's map */
    struct door *door;
    struct datagrams *channel;
};

struct forward_udp {
    struct app *app;
    struct link *const *link;
    struct endpoint listen;
    char destination[ADDR_TEXT_MAX];
    struct addr_map flows;
    struct door doors[UDP_PORTS_MAX];
    unsigned n_doors;
    int running, draining, closed;
    uint64_t noted;
};

/* --- a flow -----------------------------------------------------------------
 */

static void to_source(void *arg, const void *p, size_t n)
{
    const struct flow *w = arg;

    if (w->door->fd >= 0)
        (void)!sendto(w->door->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL,
                      &w->node.addr.sa, addr_length(&w->node.addr));
}

static void on_ended(void *arg, enum chan_end how, const char *why)
{
    struct flow *w = arg;

    (void)how;
    (void)why; /* the channel's line has told */
    addr_map_remove(&w->door->forward->flows, &w->node);
    free(w);
}

static const struct datagrams_ops ops = {to_source, NULL, NULL, on_ended};

static void note_failure(struct forward_udp *f, const char *what)
{
    uint64_t now = uv_now(&f->app->loop);

    if (f->noted == 0 || now - f->noted >= NOTE_MS) {
        f->noted = now;
        report_error("%s to %s", what, f->destination);
    }
    ERR_clear_error();
}

static struct flow *flow_new(struct door *door, const union addr *from)
{
    struct forward_udp *f = door->forward;
    char source[ADDR_TEXT_MAX];
    struct flow *w;

    if (*f->link == NULL || f->draining)
        return NULL;
    if (f->flows.n >= MAX_FLOWS || (w = calloc(1, sizeof(*w))) == NULL) {
        note_failure(f, "too many addresses have a channel");
        return NULL;
    }
    w->door = door;
    w->node.addr = *from;
    addr_text(source, &from->sa, addr_length(from));
    w->channel = datagrams_open(*f->link, f->destination, source, &ops, w);
    if (w->channel == NULL) {
        note_failure(f, "can't open a channel");
        free(w);
        return NULL;
    }
    addr_map_add(&f->flows, &w->node);
    return w;
}

/* --- the port ---------------------------------------------------------------
 */

/* 0: none is there. */
static int take(struct door *door)
{
    static char octets[65536];
    union addr from;
    socklen_t len = sizeof(from);
    struct flow *w;
    ssize_t n;

    memset(&from, 0, sizeof(from));
    n = recvfrom(door->fd, octets, sizeof(octets), MSG_DONTWAIT, &from.sa,
                 &len);
    if (n < 0) /* or it is told that somebody does not listen any more */
        return errno == ECONNREFUSED || errno == EINTR;
    w = (struct flow *)addr_map_find(&door->forward->flows, &from);
    if (w == NULL)
        w = flow_new(door, &from);
    if (w != NULL)
        datagrams_send(w->channel, octets, (size_t)n);
    return 1;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct door *door = poll->data;

    (void)events;
    for (int i = 0; i < AT_ONCE && status == 0 && door->forward->running; i++) {
        if (!take(door))
            return;
    }
}

void forward_udp_start(struct forward_udp *f)
{
    f->running = 1;
    for (unsigned i = 0; i < f->n_doors; i++)
        uv_poll_start(&f->doors[i].poll, UV_READABLE, on_poll);
}

void forward_udp_stop(struct forward_udp *f)
{
    f->running = 0;
    for (unsigned i = 0; i < f->n_doors; i++)
        uv_poll_stop(&f->doors[i].poll);
}

void forward_udp_drain(struct forward_udp *f)
{
    f->draining = 1;
}

/* --- life -------------------------------------------------------------------
 */

static void tell(const struct door *door)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    char text[ADDR_TEXT_MAX] = "?";
    struct event e;

    if (getsockname(door->fd, (struct sockaddr *)&at, &len) == 0)
        addr_text(text, (struct sockaddr *)&at, len);
    event_begin(&e, "listening");
    event_text(&e, "address", text);
    event_text(&e, "for", door->forward->destination);
    event_flag(&e, "udp", 1);
    event_line(&e, "listening on %s for %s", text, door->forward->destination);
    event_end(&e);
}

static int add_door(struct forward_udp *f, int fd)
{
    struct door *door = &f->doors[f->n_doors];

    if (uv_poll_init(&f->app->loop, &door->poll, fd) != 0) {
        report_error("no event loop");
        close(fd);
        return 0;
    }
    door->poll.data = door;
    door->forward = f;
    door->fd = fd;
    f->n_doors++;
    tell(door);
    return 1;
}

struct forward_udp *forward_udp_new(struct app *app,
                                    const struct forward_spec *spec,
                                    struct link *const *link)
{
    struct forward_udp *f = calloc(1, sizeof(*f));

    if (f == NULL || !addr_map_init(&f->flows)) {
        report_error("out of memory");
        free(f);
        return NULL;
    }
    f->app = app;
    f->link = link;
    f->listen = spec->listen;
    text_copy(f->destination, sizeof(f->destination), spec->destination);
    return f;
}

int forward_udp_open(struct forward_udp *f)
{
    int fds[UDP_PORTS_MAX], ok;
    unsigned n = udp_ports_open(&f->listen, fds);

    ok = n > 0;
    for (unsigned i = 0; i < n; i++)
        ok = add_door(f, fds[i]) && ok;
    return ok;
}

void forward_udp_close(struct forward_udp *f)
{
    if (f == NULL || f->closed)
        return;
    f->closed = 1;
    f->running = 0;
    for (unsigned i = 0; i < f->n_doors; i++) {
        uv_close((uv_handle_t *)&f->doors[i].poll, NULL);
        close(f->doors[i].fd);
        f->doors[i].fd = -1;
    }
}

void forward_udp_free(struct forward_udp *f)
{
    if (f == NULL)
        return;
    addr_map_cleanup(&f->flows);
    free(f);
}
