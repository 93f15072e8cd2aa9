/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "doors.h"
#include "dtls_conf.h"
#include "forward_udp.h"
#include "listen.h"
#include "mtls00.h"
#include "report.h"
#include "tlsmux_client.h"

#include <stdlib.h>

/* One -L, or one -D, which has no destination. */
struct door {
    struct doors *all;
    struct forward_spec spec;
    struct listener *listener; /* or */
    struct forward_udp *udp;   /* with -dtls */
};

struct doors {
    const struct options *options;
    doors_accept *accept;
    void *arg;
    size_t n;
    struct door at[];
};

/* --- what the options say ---------------------------------------------------
 */

/* -D's port alone is on loopback, as -L's. */
static int read_door(struct door *door, const char *text, int socks)
{
    struct forward_spec *spec = &door->spec;

    if (!socks)
        return forward_spec_parse(spec, text);
    if (!endpoint_parse(&spec->listen, text, 1))
        return 0;
    if (parse_port(text) >= 0)
        text_copy(spec->listen.host, sizeof(spec->listen.host), "localhost");
    return 1;
}

static int read_all(struct doors *d)
{
    const struct options *o = d->options;

    for (size_t i = 0; i < d->n; i++) {
        int socks = i >= o->forwards.n;
        const char *text =
            socks ? o->socks.at[i - o->forwards.n] : o->forwards.at[i];

        d->at[i].all = d;
        if (!read_door(&d->at[i], text, socks))
            return options_complain_of(o, socks ? "-D" : "-L", text,
                                       socks ? ": not [BIND:]PORT"
                                             : ": not [BIND:]PORT:HOST:HPORT");
        if (!socks &&
            (!tlsmux_client_destination(o, "-L", d->at[i].spec.destination) ||
             !mtls00_check_destination(o, text, d->at[i].spec.destination) ||
             !dtls_conf_destination(o, text, text)))
            return 0;
    }
    return 1;
}

struct doors *doors_new(const struct options *o)
{
    size_t n = o->forwards.n + o->socks.n;
    struct doors *d = calloc(1, sizeof(*d) + n * sizeof(d->at[0]));

    if (d == NULL) {
        report_error("out of memory");
        return NULL;
    }
    d->options = o;
    d->n = n;
    if (read_all(d))
        return d;
    free(d);
    return NULL;
}

/* --- the ports --------------------------------------------------------------
 */

static void on_accept(void *arg, int fd, const char *source)
{
    const struct door *door = arg;

    door->all->accept(door->all->arg, door->spec.destination, fd, source);
}

int doors_bind(struct doors *d, struct app *app, struct link *const *link,
               doors_accept *accept, void *arg)
{
    d->accept = accept;
    d->arg = arg;
    for (size_t i = 0; i < d->n; i++) {
        struct door *door = &d->at[i];
        const char *to = door->spec.destination;

        if (d->options->dtls && *to != '\0') {
            door->udp = forward_udp_new(app, &door->spec, link);
            if (door->udp == NULL || !forward_udp_open(door->udp))
                return 0;
            continue;
        }
        door->listener =
            listener_new(app, &door->spec.listen, *to != '\0' ? to : "SOCKS",
                         on_accept, door);
        if (door->listener == NULL)
            return 0;
    }
    return 1;
}

void doors_open(struct doors *d, int open)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->at[i].listener != NULL)
            (open ? listener_start : listener_stop)(d->at[i].listener);
        if (d->at[i].udp != NULL)
            (open ? forward_udp_start : forward_udp_stop)(d->at[i].udp);
    }
}

/* A UDP port is also where answers leave from: it stays. */
void doors_drain(struct doors *d)
{
    for (size_t i = 0; d != NULL && i < d->n; i++) {
        listener_free(d->at[i].listener);
        d->at[i].listener = NULL;
        if (d->at[i].udp != NULL)
            forward_udp_drain(d->at[i].udp);
    }
}

void doors_close(struct doors *d)
{
    for (size_t i = 0; d != NULL && i < d->n; i++)
        forward_udp_close(d->at[i].udp);
}

void doors_free(struct doors *d)
{
    for (size_t i = 0; d != NULL && i < d->n; i++)
        forward_udp_free(d->at[i].udp);
    free(d);
}
