/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "proxy_udp.h"
#include "datagrams.h"
#include "report.h"
#include "udp_header.h"
#include "udp_socks.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* A note about what failed, at most so often. */
#define NOTE_MS 1000

TAILQ_HEAD(flow_list, flow);

/* A SOCKS client, and its destinations, the last one used first. */
struct association {
    struct socks *socks;
    struct link *const *link;
    struct udp_socks *udp;
    struct flow_list flows;
    unsigned n;
    uint64_t opened, dropped;
    uint64_t noted; /* uv_now() of the last note */
};

struct flow {
    TAILQ_ENTRY(flow) node;
    struct association *association;
    struct datagrams *channel;
    size_t size;                          /* of |header| */
    unsigned char header[UDP_HEADER_MAX]; /* as the client writes it */
};

static char scratch[65536];

/* --- a destination ----------------------------------------------------------
 */

static void forget(struct flow *f)
{
    TAILQ_REMOVE(&f->association->flows, f, node);
    f->association->n--;
    free(f);
}

/* The client can tell by the header who answers. */
static void on_answer(void *arg, const void *p, size_t n)
{
    const struct flow *f = arg;

    if (n > sizeof(scratch) - f->size) {
        f->association->dropped++;
        return;
    }
    memcpy(scratch, f->header, f->size);
    memcpy(scratch + f->size, p, n);
    udp_socks_send(f->association->udp, scratch, f->size + n);
}

static void on_channel_ended(void *arg, enum chan_end how, const char *why)
{
    (void)how;
    (void)why; /* the channel's line has told */
    forget(arg);
}

static const struct datagrams_ops channel_ops = {on_answer, NULL, NULL,
                                                 on_channel_ended};

static void drop(struct flow *f)
{
    datagrams_close(f->channel);
    forget(f);
}

static struct flow *find(struct association *a, const void *header, size_t size)
{
    struct flow *f;

    TAILQ_FOREACH(f, &a->flows, node)
    {
        if (f->size == size && memcmp(f->header, header, size) == 0)
            return f;
    }
    return NULL;
}

static void note_failure(struct association *a, const char *to)
{
    uint64_t now = uv_now(&a->socks->app->loop);

    if (a->noted == 0 || now - a->noted >= NOTE_MS) {
        a->noted = now;
        report_error("can't open a channel to %s", to);
    }
    ERR_clear_error();
}

static struct flow *open_flow(struct association *a, const void *header,
                              size_t size, const char *to)
{
    struct flow *f;

    if (*a->link == NULL || (f = calloc(1, sizeof(*f))) == NULL)
        return NULL;
    if (a->n == PROXY_UDP_CHANNELS)
        drop(TAILQ_LAST(&a->flows, flow_list));
    f->association = a;
    f->size = size;
    memcpy(f->header, header, size);
    f->channel = datagrams_open(
        *a->link, to, *a->socks->source != '\0' ? a->socks->source : NULL,
        &channel_ops, f);
    if (f->channel == NULL) {
        note_failure(a, to);
        free(f);
        return NULL;
    }
    TAILQ_INSERT_HEAD(&a->flows, f, node);
    a->n++;
    a->opened++;
    return f;
}

/* --- the client -------------------------------------------------------------
 */

static int on_datagram(void *arg, const void *octets, size_t size)
{
    struct association *a = arg;
    char to[ADDR_TEXT_MAX];
    size_t n = udp_header_read(octets, size, to);
    struct flow *f = n > 0 ? find(a, octets, n) : NULL;

    if (n > 0 && f == NULL)
        f = open_flow(a, octets, n, to);
    if (f == NULL ||
        !datagrams_send(f->channel, (const char *)octets + n, size - n)) {
        a->dropped++;
        return 1;
    }
    TAILQ_REMOVE(&a->flows, f, node);
    TAILQ_INSERT_HEAD(&a->flows, f, node);
    return 1;
}

static void on_granted(struct socks *s, int fd)
{
    struct association *a = s->owner;

    (void)fd;
    udp_socks_want(a->udp, 1);
}

static void tell(const struct association *a)
{
    uint64_t dropped = a->dropped + udp_socks_dropped(a->udp);
    struct event e;

    event_begin(&e, "udp-close");
    event_text(&e, "source", a->socks->source);
    event_number(&e, "channels", a->opened);
    event_number(&e, "dropped", dropped);
    event_line(&e, "udp, from %s, ended; %llu channels, %llu dropped",
               a->socks->source, (unsigned long long)a->opened,
               (unsigned long long)dropped);
    event_end(&e);
}

static void on_ended(struct socks *s)
{
    struct association *a = s->owner;
    struct flow *f, *next;

    tell(a);
    for (f = TAILQ_FIRST(&a->flows); f != NULL; f = next) {
        next = TAILQ_NEXT(f, node);
        datagrams_close(f->channel);
        free(f);
    }
    udp_socks_free(a->udp);
    free(a);
}

static const struct socks_ops ops = {NULL, on_granted, on_ended};

void proxy_udp_start(struct socks *s, struct link *const *link)
{
    struct association *a = calloc(1, sizeof(*a));
    int reply = MTLS_TLSMUX_FAILURE;
    char from[ADDR_TEXT_MAX] = "";
    struct endpoint e = {0};

    if (a != NULL) {
        socks_destination(s, from); /* port 0 where it can't tell */
        endpoint_parse(&e, from, 1);
        a->udp = udp_socks_new(s->app, s->fd, &e, on_datagram, a, &reply);
    }
    if (a == NULL || a->udp == NULL) {
        free(a);
        socks_refuse(s, reply);
        return;
    }
    TAILQ_INIT(&a->flows);
    a->socks = s;
    a->link = link;
    s->ops = &ops;
    s->owner = a;
    socks_grant(s, udp_socks_address(a->udp));
}
