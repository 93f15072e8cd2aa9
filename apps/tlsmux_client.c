/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_client.h"
#include "report.h"
#include "tls_conf.h"
#include "tlsmux_call.h"
#include "tlsmux_relay.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- a call -----------------------------------------------------------------
 */

static void forget(struct call *c)
{
    if (c->dial != NULL)
        dial_cancel(c->dial);
    c->dial = NULL;
    c->m = NULL;
    c->client->app->n_others--;
    TAILQ_REMOVE(&c->client->calls, c, node);
}

void call_complain(const struct call *c, const char *why)
{
    if (*c->destination != '\0')
        report_error("%s: %s", c->destination, why);
    else
        report_error("%s", why);
}

static void failed(struct call *c, int reply, const char *why)
{
    forget(c);
    c->ops->failed(c, reply, why);
}

struct tlsmux *call_take(struct call *c)
{
    struct tlsmux *m = c->m;

    forget(c);
    return m;
}

void call_drop(struct call *c, const char *why)
{
    struct tlsmux *m = call_take(c);

    if (m != NULL)
        tlsmux_close(m, why);
}

static void on_listens(struct tlsmux *m)
{
    struct call *c = m->owner;

    c->ops->listens(c, BIO_tlsmux_get_bound(m->b));
}

static void on_opened(struct tlsmux *m)
{
    struct call *c = m->owner;

    if (c->client->options->noverify)
        report_error("the server is NOT verified: anyone may be reading");
    c->ops->opened(c);
}

static void on_ended(struct tlsmux *m, const char *why)
{
    long reply = BIO_tlsmux_get_reply(m->b);

    failed(m->owner, reply > 0 && reply <= 8 ? (int)reply : MTLS_TLSMUX_FAILURE,
           why);
}

static const struct tlsmux_ops ops = {NULL, on_listens, on_opened,
                                      NULL, NULL,       on_ended};

static int set_request(const struct call *c)
{
    BIO *b = c->m->b;
    int udp = c->command == MTLS_TLSMUX_UDP_ASSOCIATE;

    return BIO_tlsmux_set_command(b, c->command) > 0 &&
           (*c->destination == '\0' ||
            BIO_set_conn_hostname(b, c->destination) > 0) &&
           (!udp || BIO_tlsmux_set_udp_header(b, 1) > 0);
}

static void on_dial(void *arg, int fd, const char *why)
{
    struct call *c = arg;
    struct tlsmux_client *client = c->client;
    char text[256];
    SSL *ssl;

    c->dial = NULL;
    if (fd < 0) {
        snprintf(text, sizeof(text), "can't connect to %s:%s",
                 client->options->connect, strchr(why, ' '));
        failed(c, MTLS_TLSMUX_FAILURE, text);
        return;
    }
    ssl = tls_conf_client(client->ctx, client->options, client->server.host);
    client->options->sess_in = NULL; /* once */
    if (ssl != NULL)
        tickets_offer(&client->tickets, ssl);
    if (ssl == NULL)
        close(fd);
    else
        c->m = tlsmux_new(client->app, fd, ssl, client->options, &ops, c);
    if (c->m == NULL || !set_request(c)) {
        struct tlsmux *m = c->m;

        failed(c, MTLS_TLSMUX_FAILURE, "the request can't be made");
        if (m != NULL)
            tlsmux_close(m, "the request can't be made");
        return;
    }
    tlsmux_start(c->m);
}

void call_start(struct call *c, struct tlsmux_client *client, int command,
                const char *destination, const struct call_ops *call_ops)
{
    c->client = client;
    c->command = command;
    c->ops = call_ops;
    text_copy(c->destination, sizeof(c->destination), destination);
    client->app->n_others++;
    TAILQ_INSERT_TAIL(&client->calls, c, node);
    if (client->pool != NULL)
        c->dial = dial_new(client->pool, &client->server, NULL, on_dial, c);
    if (c->dial == NULL)
        failed(c, MTLS_TLSMUX_FAILURE, "this client is ending");
}

void tlsmux_client_drain(struct tlsmux_client *client)
{
    struct call *c, *next;

    for (c = TAILQ_FIRST(&client->calls); c != NULL; c = next) {
        next = TAILQ_NEXT(c, node);
        if (c->m == NULL)
            failed(c, MTLS_TLSMUX_FAILURE, "this client is ending");
    }
    client->pool = NULL;
}

/* --- -L and -W --------------------------------------------------------------
 */

struct forward {
    struct call call;
    struct local *local;
    tlsmux_client_done *done;
    void *arg;
};

static void on_forward_opened(struct call *c)
{
    struct forward *f = (struct forward *)c;

    relay_start(call_take(c), f->local, f->done, f->arg);
    free(f);
}

static void on_forward_failed(struct call *c, int reply, const char *why)
{
    struct forward *f = (struct forward *)c;

    (void)reply;
    f->local->ops->reset(f->local);
    if (f->done != NULL)
        f->done(f->arg, why);
    else
        call_complain(c, why);
    free(f);
}

static const struct call_ops forward_ops = {NULL, on_forward_opened,
                                            on_forward_failed};

/* Nothing is asked of it until it is joined, but it may break. */
static void on_local(struct local *local, int events)
{
    static const char why[] = "the local connection broke";
    struct forward *f = local->owner;

    if ((events & LOCAL_BROKEN) == 0)
        return;
    call_drop(&f->call, why);
    local->ops->reset(local);
    if (f->done != NULL)
        f->done(f->arg, why);
    free(f);
}

int tlsmux_client_destination(const struct options *o, const char *option,
                              const char *destination)
{
    if (!o->tlsmux || strncmp(destination, "unix:", 5) != 0)
        return 1;
    return options_complain_of(o, option, destination,
                               ": with -tlsmux a host and its port");
}

void tlsmux_client_forward(struct tlsmux_client *client,
                           const char *destination, struct local *local,
                           tlsmux_client_done *done, void *arg)
{
    struct forward *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        report_error("out of memory");
        local->ops->reset(local);
        if (done != NULL)
            done(arg, "out of memory");
        return;
    }
    f->local = local;
    f->done = done;
    f->arg = arg;
    local->owner = f;
    local->ready = on_local;
    call_start(&f->call, client, MTLS_TLSMUX_CONNECT, destination,
               &forward_ops);
}
