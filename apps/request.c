/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "request.h"
#include "forward.h"
#include "link.h"
#include "target_udp.h"
#include "tell.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct chan chan;
    struct dial *dial;
};

/* The answer has been given, or nobody waits for it. */
static void end(struct request *r)
{
    if (r->dial != NULL)
        dial_cancel(r->dial);
    chan_remove(&r->chan);
    BIO_free(r->chan.bio);
    ERR_clear_error();
    free(r);
}

static void refuse(struct request *r, const char *why)
{
    if (BIO_mtls_reject_channel(r->chan.bio, why) <= 0)
        ERR_clear_error();
    tell_channel_close(&r->chan, CHAN_REFUSED, why);
    end(r);
}

static void on_ready(struct chan *c, int events)
{
    if (c->link == NULL || (events & MTLS_EVENT_CLOSED) != 0)
        end((struct request *)c);
}

static void abandon(struct chan *c)
{
    end((struct request *)c);
}

static const char *state(const struct chan *c)
{
    (void)c;
    return "connecting";
}

static const struct chan_ops ops = {on_ready, abandon, state};

static void on_dial(void *arg, int fd, const char *why)
{
    struct request *r = arg;
    struct link *k = r->chan.link;
    BIO *bio = r->chan.bio;
    struct local *local;

    r->dial = NULL;
    if (fd < 0) {
        refuse(r, why);
        return;
    }
    if (k->dtls != NULL) {
        chan_remove(&r->chan);
        free(r);
        target_udp_new(k, bio, fd);
        return;
    }
    local = local_sock_new(k->app, fd);
    if (local == NULL) {
        refuse(r, "resource-shortage: no memory");
        return;
    }
    chan_remove(&r->chan);
    free(r);
    forward_accept(k, bio, local);
}

static struct request *add(struct link *k, BIO *bio)
{
    struct request *r = calloc(1, sizeof(*r));

    if (r == NULL)
        BIO_free(bio); /* which refuses it too */
    else
        chan_add(&r->chan, &ops, k, bio);
    return r;
}

void request_refuse(struct link *k, BIO *bio, const char *why)
{
    struct request *r = add(k, bio);

    if (r != NULL)
        refuse(r, why);
}

/* D12, D15. NULL, or why it can't be. */
static const char *read_destination(BIO *bio, struct endpoint *e)
{
    const char *host = BIO_get_conn_hostname(bio);
    const char *text = BIO_get_conn_port(bio);
    int port = text != NULL ? parse_port(text) : 0;

    if (host == NULL || port < 0)
        return "malformed: no destination";
    if (strcmp(host, "default") == 0 && port == 0)
        return "prohibited: this server has no default channel";
    endpoint_set(e, host, (uint16_t)port);
    if (e->kind != ADDR_UNIX && port == 0)
        return "malformed: port 0";
    return NULL;
}

void request_new(struct link *k, BIO *bio, struct dial_pool *pool,
                 const struct allow *rules)
{
    struct request *r = add(k, bio);
    struct endpoint e;
    const char *why;

    if (r == NULL)
        return;
    why = read_destination(bio, &e);
    if (why == NULL && k->dtls != NULL && e.kind == ADDR_UNIX)
        why = "prohibited: datagrams go to UDP ports alone";
    if (why != NULL) {
        refuse(r, why);
        return;
    }
    r->dial = dial_new(pool, &e, rules, on_dial, r);
    if (r->dial == NULL)
        refuse(r, "resource-shortage: no memory");
    else if (k->dtls != NULL)
        dial_datagrams(r->dial);
}
