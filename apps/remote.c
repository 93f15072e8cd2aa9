/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The client's end of remote forwards. */
#include "remote.h"
#include "link.h"
#include "report.h"
#include "tell.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct remote {
    remote_told *told;
    void *arg;
    struct wish *wish; /* while there is a channel */
    struct forward_spec spec;
    struct endpoint to;            /* the same as |spec.destination| */
    char where[ADDR_TEXT_MAX + 8]; /* "[listen:HOST]:PORT" */
};

/* The channel that keeps the server listening. */
struct wish {
    struct chan chan;
    struct remote *remote;
    char line[ADDR_TEXT_MAX]; /* what the server says of where it listens */
    size_t n;
    int open;
};

static void release(struct wish *w, enum chan_end how, const char *why)
{
    tell_channel_close(&w->chan, how, why);
    if (w->remote != NULL)
        w->remote->wish = NULL;
    chan_remove(&w->chan);
    BIO_free(w->chan.bio);
    ERR_clear_error();
    free(w);
}

static void fail(struct wish *w)
{
    struct remote *r = w->remote;
    const char *why;
    char text[256];
    enum chan_end how = chan_failure(&w->chan, &why);

    int lost = how == CHAN_TRUNCATED; /* with the session, which tells it */

    report_escape(text, sizeof(text), why);
    release(w, how, text);
    if (!lost)
        r->told(r->arg, text);
}

static void tell_line(const struct wish *w)
{
    const char *to = w->remote->spec.destination;
    struct event e;

    event_begin(&e, "remote-listening");
    event_text(&e, "address", w->line);
    event_text(&e, "for", to);
    event_line(&e, "the server listens on %s for %s", w->line, to);
    event_end(&e);
}

/* One line for each address; what is too long is cut. */
static void take(struct wish *w, const char *octets, int n)
{
    for (int i = 0; i < n; i++) {
        if (octets[i] != '\n') {
            if (w->n + 1 < sizeof(w->line))
                w->line[w->n++] = octets[i];
            continue;
        }
        w->line[w->n] = '\0';
        w->n = 0;
        tell_line(w);
    }
}

static void on_ready(struct chan *c, int events)
{
    struct wish *w = (struct wish *)c;
    char octets[512];
    int n;

    if (!w->open && (events & MTLS_EVENT_OPEN) != 0) {
        w->open = 1;
        tell_channel_open(c);
        w->remote->told(w->remote->arg, NULL);
    }
    if (w->open || (events & MTLS_EVENT_CLOSED) != 0) {
        while ((n = BIO_read(c->bio, octets, sizeof(octets))) > 0)
            take(w, octets, n);
        if (n < 0 && BIO_should_retry(c->bio))
            return;
        if (n < 0) {
            fail(w);
        } else {
            struct remote *r = w->remote;

            release(w, CHAN_ENDED, "");
            r->told(r->arg, "the server has ended it");
        }
    }
}

static void abandon(struct chan *c)
{
    release((struct wish *)c, CHAN_TRUNCATED, "given up");
}

static const char *state(const struct chan *c)
{
    return ((const struct wish *)c)->open ? "listening" : "asking";
}

static const struct chan_ops ops = {on_ready, abandon, state};

void remote_ask(struct remote *r, struct link *k)
{
    BIO *bio = BIO_new_mtls_channel(k->m, r->where);
    struct wish *w = calloc(1, sizeof(*w));

    if (bio == NULL || w == NULL ||
        !BIO_mtls_set_source(bio, r->spec.destination)) {
        report_error("can't ask for %s", r->where);
        BIO_free(bio);
        free(w);
        r->told(r->arg, "there is no channel for it");
        return;
    }
    w->remote = r;
    r->wish = w;
    chan_add(&w->chan, &ops, k, bio);
    link_changed(k);
    if (BIO_do_connect(bio) <= 0 && !BIO_should_retry(bio))
        fail(w);
}

void remote_end(struct remote *r)
{
    if (r->wish != NULL)
        release(r->wish, CHAN_ENDED, "");
}

/* "*" is every address, as -L has it; a port alone means loopback. */
static int spell(struct remote *r)
{
    const struct endpoint *at = &r->spec.listen;
    int n = snprintf(r->where, sizeof(r->where), "[listen:%s%s]:%u",
                     at->kind == ADDR_UNIX ? "unix:" : "",
                     at->host[0] != '\0' ? at->host : "*", at->port);

    return n > 0 && (size_t)n < sizeof(r->where);
}

struct remote *remote_new(const char *text, remote_told *told, void *arg)
{
    struct remote *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->told = told;
    r->arg = arg;
    if (!forward_spec_parse(&r->spec, text) || !spell(r) ||
        !endpoint_parse(&r->to, r->spec.destination, 0)) {
        free(r);
        return NULL;
    }
    return r;
}

void remote_free(struct remote *r)
{
    free(r);
}

int remote_wants(const struct remote *r, BIO *bio)
{
    const char *host = BIO_get_conn_hostname(bio);
    const char *text = BIO_get_conn_port(bio);
    int port = text != NULL ? parse_port(text) : 0;
    struct endpoint e;

    if (host == NULL || port < 0 || r->wish == NULL)
        return 0;
    endpoint_set(&e, host, (uint16_t)port);
    return e.kind == r->to.kind && e.port == r->to.port &&
           strcmp(e.host, r->to.host) == 0;
}
