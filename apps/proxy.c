/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "proxy.h"
#include "chan.h"
#include "forward.h"
#include "link.h"
#include "local.h"
#include "proxy_udp.h"
#include "report.h"
#include "socks.h"
#include "tell.h"

#include <openssl/err.h>
#include <stdlib.h>

/* A channel that opens while its SOCKS client waits for the answer. */
struct proxy {
    struct chan chan;
    struct socks *socks;
    int open; /* the reply is on its way */
};

/* The channel is not wanted any more. */
static void discard(struct proxy *p, const char *why)
{
    tell_channel_close(&p->chan, CHAN_RESET, why);
    if (!BIO_mtls_reset_channel(p->chan.bio))
        ERR_clear_error();
    chan_remove(&p->chan);
    BIO_free(p->chan.bio);
    ERR_clear_error();
    free(p);
}

/* The channel has failed: the reply says what its Echec said. */
static void fail(struct proxy *p)
{
    struct socks *s = p->socks;
    const char *why;
    enum chan_end how = chan_failure(&p->chan, &why);
    int reply =
        how == CHAN_REFUSED ? socks_reply_for(why) : MTLS_TLSMUX_FAILURE;

    tell_channel_close(&p->chan, how, why);
    chan_remove(&p->chan);
    BIO_free(p->chan.bio);
    ERR_clear_error();
    free(p);
    socks_refuse(s, reply);
}

static void abandon(struct chan *c)
{
    struct proxy *p = (struct proxy *)c;
    struct socks *s = p->socks;

    s->owner = NULL;
    discard(p, "given up");
    socks_drop(s);
}

/* What comes behind Success, its end included, is for the forward. */
static void on_ready(struct chan *c, int events)
{
    struct proxy *p = (struct proxy *)c;
    char *octets;

    if (p->open && c->link == NULL) {
        abandon(c);
    } else if (!p->open && (events & MTLS_EVENT_OPEN) != 0) {
        p->open = 1;
        (void)BIO_mtls_set_events(c->bio, 0);
        socks_grant(p->socks, NULL);
    } else if (!p->open && (events & MTLS_EVENT_CLOSED) != 0) {
        BIO_nread0(c->bio, &octets); /* puts the reason on the queue */
        fail(p);
    }
}

static const char *state(const struct chan *c)
{
    (void)c;
    return "opening";
}

static const struct chan_ops chan_ops = {on_ready, abandon, state};

static int open_channel(struct proxy *p, struct link *k, const char *to)
{
    BIO *bio = BIO_new_mtls_channel(k->m, to);

    if (bio == NULL)
        return 0;
    if (*p->socks->source != '\0' &&
        !BIO_mtls_set_source(bio, p->socks->source))
        ERR_clear_error(); /* it goes without */
    (void)BIO_mtls_set_events(bio, MTLS_EVENT_OPEN | MTLS_EVENT_CLOSED);
    chan_add(&p->chan, &chan_ops, k, bio);
    link_changed(k);
    return BIO_do_connect(bio) > 0 || BIO_should_retry(bio);
}

static void on_requested(struct socks *s)
{
    struct link *const *link = s->owner;
    struct link *k = *link;
    int up = k != NULL && k->state == LINK_OPEN;
    int datagrams = up && k->dtls != NULL; /* its channels carry nothing else */
    char to[ADDR_TEXT_MAX];
    struct proxy *p;

    if (up &&
        BIO_tlsmux_get_command(s->b) !=
            (datagrams ? MTLS_TLSMUX_UDP_ASSOCIATE : MTLS_TLSMUX_CONNECT)) {
        socks_refuse(s, MTLS_TLSMUX_COMMAND_NOT_SUPPORTED);
        return;
    }
    if (datagrams) {
        proxy_udp_start(s, link);
        return;
    }
    if (!up || !socks_destination(s, to) ||
        (p = calloc(1, sizeof(*p))) == NULL) {
        socks_refuse(s, MTLS_TLSMUX_FAILURE);
        return;
    }
    p->socks = s;
    if (open_channel(p, k, to)) {
        s->owner = p;
    } else if (p->chan.bio != NULL) {
        fail(p);
    } else {
        report_error("can't open a channel to %s", to);
        free(p);
        socks_refuse(s, MTLS_TLSMUX_FAILURE);
    }
}

static void on_granted(struct socks *s, int fd)
{
    struct proxy *p = s->owner;
    struct link *k = p->chan.link;
    BIO *bio = p->chan.bio;
    struct local *local = local_sock_new(s->app, fd);

    if (local == NULL || k == NULL) {
        if (local != NULL)
            local->ops->reset(local);
        discard(p, "no memory");
        return;
    }
    chan_remove(&p->chan);
    free(p);
    (void)BIO_mtls_set_events(bio, MTLS_EVENT_READABLE | MTLS_EVENT_WRITABLE |
                                       MTLS_EVENT_OPEN | MTLS_EVENT_CLOSED);
    forward_accept(k, bio, local);
}

static void on_ended(struct socks *s)
{
    discard(s->owner, "the SOCKS client has gone");
}

static const struct socks_ops ops = {on_requested, on_granted, on_ended};

void proxy_new(struct app *app, struct link *const *link, int fd,
               const char *source)
{
    if (!socks_new(app, fd, source, &ops, (void *)(uintptr_t)link))
        report_error("out of memory");
}
