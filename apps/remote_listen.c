/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The server's end of remote forwards. */
#include "forward.h"
#include "link.h"
#include "listen.h"
#include "remote.h"
#include "report.h"
#include "request.h"
#include "tell.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "listen:"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

struct outpost {
    struct chan chan;
    struct listener *listener;
    char destination[ADDR_TEXT_MAX]; /* of the channels that it opens */
    char said[4 * ADDR_TEXT_MAX];    /* where it listens; |left| of it to go */
    size_t left;
};

int remote_is_wish(BIO *bio)
{
    const char *host = BIO_get_conn_hostname(bio);

    return host != NULL && strncmp(host, PREFIX, PREFIX_LENGTH) == 0;
}

static void end(struct outpost *o, enum chan_end how, const char *why)
{
    tell_channel_close(&o->chan, how, why);
    listener_free(o->listener);
    chan_remove(&o->chan);
    BIO_free(o->chan.bio);
    ERR_clear_error();
    free(o);
}

static void on_accept(void *arg, int fd, const char *source)
{
    struct outpost *o = arg;
    struct local *local = local_sock_new(o->chan.app, fd);

    if (local == NULL)
        report_error("out of memory");
    else if (o->chan.link == NULL)
        local->ops->reset(local);
    else if (!forward_open(o->chan.link, o->destination,
                           *source != '\0' ? source : NULL, local, NULL, NULL))
        report_error("can't open a channel to %s", o->destination);
}

/* What the client says is not heard, but for its end. */
static void on_ready(struct chan *c, int events)
{
    struct outpost *o = (struct outpost *)c;
    const char *why;
    char scratch[512];
    int n;

    (void)events;
    while (o->left > 0) {
        n = BIO_write(c->bio, o->said + strlen(o->said) - o->left,
                      (int)o->left);
        if (n <= 0)
            break;
        o->left -= (size_t)n;
    }
    ERR_clear_error();
    while ((n = BIO_read(c->bio, scratch, sizeof(scratch))) > 0)
        continue;
    if (n < 0 && BIO_should_retry(c->bio))
        return;
    if (n == 0) {
        end(o, CHAN_ENDED, "");
    } else {
        enum chan_end how = chan_failure(c, &why);

        end(o, how, why);
    }
}

static void abandon(struct chan *c)
{
    end((struct outpost *)c, CHAN_TRUNCATED, "given up");
}

static const char *state(const struct chan *c)
{
    (void)c;
    return "listening";
}

static const struct chan_ops ops = {on_ready, abandon, state};

/* --- where it may listen ----------------------------------------------------
 */

/* The text is made from the very address that the rules are asked about. */
static int is_allowed(const struct allow *rules, struct endpoint *at)
{
    if (at->kind == ADDR_UNIX || at->kind == ADDR_NAME)
        return at->host[0] == '\0' ? allow_any(rules, at->port)
                                   : allow_endpoint(rules, at);
    inet_ntop(at->ip.sa.sa_family,
              at->ip.sa.sa_family == AF_INET
                  ? (const void *)&at->ip.v4.sin_addr
                  : (const void *)&at->ip.v6.sin6_addr,
              at->host, sizeof(at->host));
    return allow_addr(rules, &at->ip) ||
           (allow_never(rules, &at->ip) && allow_any(rules, at->port));
}

/* "localhost" is both loopbacks, or the one that may be. */
static int allow_localhost(const struct allow *rules, struct endpoint *at)
{
    struct endpoint v4, v6;
    int may4, may6;

    if (allow_endpoint(rules, at))
        return 1;
    endpoint_set(&v4, "127.0.0.1", at->port);
    endpoint_set(&v6, "::1", at->port);
    may4 = is_allowed(rules, &v4);
    may6 = is_allowed(rules, &v6);
    if (!may4 || !may6)
        *at = may4 ? v4 : v6;
    return may4 || may6;
}

/* NULL, or why not. */
static const char *read_wish(BIO *bio, const struct allow *rules,
                             struct endpoint *at)
{
    const char *host = BIO_get_conn_hostname(bio) + PREFIX_LENGTH;
    const char *text = BIO_get_conn_port(bio);
    int port = text != NULL ? parse_port(text) : 0, may;

    if (rules == NULL)
        return "prohibited: this server does not listen for clients";
    if (strcmp(host, "*") == 0) {
        memset(at, 0, sizeof(*at));
        at->kind = ADDR_NAME;
        at->port = (uint16_t)port;
    } else {
        endpoint_set(at, host, (uint16_t)port);
        if (port < 0 || at->kind == ADDR_INVALID || at->kind == ADDR_ODD ||
            (at->kind == ADDR_NAME && strcmp(at->host, "localhost") != 0))
            return "malformed: not an address to listen on";
    }
    may = at->kind == ADDR_NAME && at->host[0] != '\0'
              ? allow_localhost(rules, at)
              : is_allowed(rules, at);
    return may ? NULL : "prohibited: listening there is not allowed";
}

/* --- a wish -----------------------------------------------------------------
 */

static size_t count(const struct link *k)
{
    const struct chan *c;
    size_t n = 0;

    TAILQ_FOREACH(c, &k->channels, node)
    {
        n += c->ops == &ops;
    }
    return n;
}

void remote_drain(struct link *k)
{
    struct chan *c, *next;

    for (c = TAILQ_FIRST(&k->channels); c != NULL; c = next) {
        next = TAILQ_NEXT(c, node);
        if (c->ops == &ops)
            end((struct outpost *)c, CHAN_ENDED, "");
    }
}

static void describe(struct outpost *o)
{
    char at[ADDR_TEXT_MAX];
    size_t n = 0;

    for (unsigned i = 0; listener_address(o->listener, i, at); i++) {
        int more = snprintf(o->said + n, sizeof(o->said) - n, "%s\n", at);

        if (more < 0 || (size_t)more >= sizeof(o->said) - n)
            break;
        n += (size_t)more;
    }
    o->said[n] = '\0';
    o->left = n;
}

void remote_listen(struct link *k, BIO *bio, const struct allow *rules)
{
    struct endpoint at;
    const char *why = read_wish(bio, rules, &at);
    const char *source = BIO_mtls_get_source(bio);
    struct outpost *o = NULL;

    if (why == NULL && count(k) >= REMOTE_MAX)
        why = "resource-shortage: this session listens enough";
    if (why == NULL && (o = calloc(1, sizeof(*o))) == NULL)
        why = "resource-shortage: no memory";
    if (why == NULL &&
        (source == NULL ||
         !text_copy(o->destination, sizeof(o->destination), source)))
        why = "malformed: no source";
    if (why == NULL && (o->listener = listener_new(k->app, &at, o->destination,
                                                   on_accept, o)) == NULL)
        why = "connect-failed: the server can't listen there";
    if (why != NULL) {
        free(o);
        request_refuse(k, bio, why);
        return;
    }
    describe(o);
    if (BIO_do_handshake(bio) <= 0) {
        ERR_clear_error();
        listener_free(o->listener);
        free(o);
        BIO_free(bio);
        return;
    }
    chan_add(&o->chan, &ops, k, bio);
    tell_channel_open(&o->chan);
    listener_start(o->listener);
    on_ready(&o->chan, 0);
    link_changed(k);
}
