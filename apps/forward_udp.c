/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "forward_udp.h"
#include "addr_map.h"
#include "datagrams.h"
#include "link.h"
#include "report.h"
#include "udp_door.h"
#include "udp_ports.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Addresses at a time. */
#define MAX_FLOWS 16384
/* How many seconds nothing is asked for an address whose channel was refused.
 */
#define REFUSED_S 1
/* A note about what failed, at most so often. */
#define NOTE_MS 1000

/* One address, and its channel. */
struct flow {
    struct addr_node node; /* first: of the forward's map */
    struct forward_udp *forward;
    struct udp_door *door;
    union addr local;          /* where it writes to */
    struct datagrams *channel; /* NULL: it was refused, in this second ... */
    uint64_t refused;
    STAILQ_ENTRY(flow) node_refused;
};

STAILQ_HEAD(flow_list, flow);

struct forward_udp {
    struct app *app;
    struct link *const *link;
    struct endpoint listen;
    char destination[ADDR_TEXT_MAX];
    struct addr_map flows;
    struct flow_list refused; /* the oldest first */
    struct udp_door *doors[UDP_PORTS_MAX];
    unsigned n_doors;
    int draining;
    uint64_t noted;
};

/* --- a flow -----------------------------------------------------------------
 */

static void to_source(void *arg, const void *p, size_t n)
{
    const struct flow *w = arg;

    (void)udp_door_send(w->door, &w->local, &w->node.addr, p, n);
}

static void flow_free(struct flow *w)
{
    addr_map_remove(&w->forward->flows, &w->node);
    free(w);
}

/* The channel's line has told why. */
static void on_ended(void *arg, enum chan_end how, const char *why)
{
    struct flow *w = arg;

    (void)why;
    if (how != CHAN_REFUSED) {
        flow_free(w);
        return;
    }
    w->channel = NULL;
    w->refused = w->forward->app->seconds;
    STAILQ_INSERT_TAIL(&w->forward->refused, w, node_refused);
}

/* Those may try again that were refused for long enough. */
static void forget_refused(struct forward_udp *f, int all)
{
    struct flow *w = STAILQ_FIRST(&f->refused), *next;

    for (; w != NULL && (all || f->app->seconds - w->refused > REFUSED_S);
         w = next) {
        next = STAILQ_NEXT(w, node_refused);
        STAILQ_REMOVE_HEAD(&f->refused, node_refused);
        flow_free(w);
    }
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

static struct flow *flow_new(struct udp_door *door, const union addr *from,
                             const union addr *to)
{
    struct forward_udp *f = udp_door_owner(door);
    char source[ADDR_TEXT_MAX];
    struct flow *w;

    if (*f->link == NULL || f->draining)
        return NULL;
    if (f->flows.n >= MAX_FLOWS || (w = calloc(1, sizeof(*w))) == NULL) {
        note_failure(f, "too many addresses have a channel");
        return NULL;
    }
    w->forward = f;
    w->door = door;
    w->local = *to;
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

static void on_datagram(struct udp_door *door, const union addr *from,
                        const union addr *to, const void *p, size_t n)
{
    struct forward_udp *f = udp_door_owner(door);
    struct flow *w;

    forget_refused(f, 0);
    w = (struct flow *)addr_map_find(&f->flows, from);
    if (w == NULL)
        w = flow_new(door, from, to);
    if (w != NULL && w->channel != NULL)
        datagrams_send(w->channel, p, n);
}

static const struct udp_door_ops door_ops = {on_datagram, NULL};

void forward_udp_start(struct forward_udp *f)
{
    for (unsigned i = 0; i < f->n_doors; i++)
        udp_door_start(f->doors[i]);
}

void forward_udp_stop(struct forward_udp *f)
{
    for (unsigned i = 0; i < f->n_doors; i++)
        udp_door_stop(f->doors[i]);
}

void forward_udp_drain(struct forward_udp *f)
{
    f->draining = 1;
}

/* --- life -------------------------------------------------------------------
 */

static void tell(const struct forward_udp *f, const struct udp_door *door)
{
    char text[ADDR_TEXT_MAX];
    struct event e;

    udp_door_address(door, text);
    event_begin(&e, "listening");
    event_text(&e, "address", text);
    event_text(&e, "for", f->destination);
    event_flag(&e, "udp", 1);
    event_line(&e, "listening on %s for %s", text, f->destination);
    event_end(&e);
}

static int add_door(struct forward_udp *f, int fd)
{
    struct udp_door *door = udp_door_new(f->app, fd, &door_ops, f);

    if (door == NULL)
        return 0;
    f->doors[f->n_doors++] = door;
    tell(f, door);
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
    STAILQ_INIT(&f->refused);
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
    for (unsigned i = 0; f != NULL && i < f->n_doors; i++)
        udp_door_close(f->doors[i]);
}

void forward_udp_free(struct forward_udp *f)
{
    if (f == NULL)
        return;
    for (unsigned i = 0; i < f->n_doors; i++)
        udp_door_free(f->doors[i]);
    forget_refused(f, 1);
    addr_map_cleanup(&f->flows);
    free(f);
}
