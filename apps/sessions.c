/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sessions.h"
#include "report.h"
#include "request.h"
#include "tls_conf.h"

#include <stdlib.h>
#include <unistd.h>

/* Until one that is lost, or refused, is tried again. */
#define RETRY_MS 2000

struct place {
    struct sessions *all;
    struct dial *dial;
    struct link *link;
    uv_timer_t retry;
};

struct sessions {
    struct app *app;
    SSL_CTX *ctx;
    const struct options *options;
    const struct endpoint *server;
    struct dial_pool *pool;
    sessions_changed *changed;
    void *arg;
    int stopped;
    size_t n;
    struct place places[];
};

static void start(struct place *p);

static void on_retry(uv_timer_t *timer)
{
    start(timer->data);
}

static void retry_later(struct place *p)
{
    if (!p->all->stopped)
        uv_timer_start(&p->retry, on_retry, RETRY_MS, 0);
}

static void on_opened(struct link *k)
{
    struct place *p = k->owner;

    p->all->changed(p->all->arg);
}

static void on_requested(struct link *k, BIO *bio)
{
    request_refuse(k, bio, "prohibited: this session offers nothing");
}

static void on_closed(struct link *k)
{
    struct place *p = k->owner;

    p->link = NULL;
    if (!p->all->stopped)
        report_error("lost %s: %s", p->all->options->connect,
                     *k->why != '\0' ? k->why : "the server ended it");
    retry_later(p);
    p->all->changed(p->all->arg);
}

static const struct link_ops ops = {on_opened, on_requested, on_closed};

static void on_dial(void *arg, int fd, const char *why)
{
    struct place *p = arg;
    struct sessions *all = p->all;
    SSL *ssl;

    p->dial = NULL;
    if (fd < 0) {
        report_note("%s: %s", all->options->connect, why);
        retry_later(p);
        return;
    }
    ssl = tls_conf_client(all->ctx, all->options, all->server->host);
    if (ssl == NULL)
        close(fd);
    else
        p->link = link_new(all->app, fd, ssl, all->options, &ops, p);
    if (p->link == NULL)
        retry_later(p);
}

static void start(struct place *p)
{
    struct sessions *all = p->all;

    if (all->stopped || p->dial != NULL || p->link != NULL)
        return;
    p->dial = dial_new(all->pool, all->server, NULL, on_dial, p);
    if (p->dial == NULL)
        retry_later(p);
}

struct sessions *sessions_new(struct app *app, SSL_CTX *ctx,
                              const struct options *o,
                              const struct endpoint *server,
                              struct dial_pool *pool, size_t n,
                              sessions_changed *changed, void *arg)
{
    struct sessions *all = calloc(1, sizeof(*all) + n * sizeof(all->places[0]));

    if (all == NULL)
        return NULL;
    all->app = app;
    all->ctx = ctx;
    all->options = o;
    all->server = server;
    all->pool = pool;
    all->changed = changed;
    all->arg = arg;
    all->n = n;
    for (size_t i = 0; i < n; i++) {
        all->places[i].all = all;
        uv_timer_init(&app->loop, &all->places[i].retry);
        all->places[i].retry.data = &all->places[i];
    }
    return all;
}

void sessions_start(struct sessions *all)
{
    for (size_t i = 0; i < all->n; i++)
        start(&all->places[i]);
}

struct link *sessions_least(const struct sessions *all, struct link *first)
{
    struct link *least = first;

    if (first != NULL && (first->state != LINK_OPEN || first->doomed))
        least = NULL;
    for (size_t i = 0; i < all->n; i++) {
        struct link *k = all->places[i].link;

        if (k != NULL && k->state == LINK_OPEN && !k->doomed &&
            (least == NULL || k->n_channels < least->n_channels))
            least = k;
    }
    return least;
}

void sessions_stop(struct sessions *all)
{
    if (all == NULL || all->stopped)
        return;
    all->stopped = 1;
    for (size_t i = 0; i < all->n; i++) {
        if (all->places[i].dial != NULL)
            dial_cancel(all->places[i].dial);
        all->places[i].dial = NULL;
        uv_close((uv_handle_t *)&all->places[i].retry, NULL);
    }
}

void sessions_free(struct sessions *all)
{
    free(all);
}
