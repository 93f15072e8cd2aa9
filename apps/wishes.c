/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "wishes.h"
#include "dial.h"
#include "remote.h"
#include "report.h"
#include "request.h"

#include <stdlib.h>

/* Until the server is asked again for a port that it had refused. */
#define RETRY_MS 2000

/* One -R. */
struct wish {
    struct wishes *all;
    struct remote *remote;
    const char *text;
    int granted; /* the server has listened there for us */
    uv_timer_t retry;
};

struct wishes {
    struct app *app;
    struct link *link;        /* the session, or NULL */
    struct dial_pool *inward; /* of channels that the server opens */
    size_t n;
    struct wish at[];
};

static void on_retry(uv_timer_t *timer)
{
    struct wish *w = timer->data;

    if (w->all->link != NULL && w->all->app->drain_until == 0)
        remote_ask(w->remote, w->all->link);
}

static void on_told(void *arg, const char *why)
{
    struct wish *w = arg;
    struct app *app = w->all->app;

    if (why == NULL) {
        w->granted = 1;
        return;
    }
    if (app->drain_until != 0)
        return;
    report_error("-R %s: %s", w->text, why);
    if (w->granted) {
        uv_timer_start(&w->retry, on_retry, RETRY_MS, 0);
        return;
    }
    app->status = EXIT_FAILURE;
    app_drain(app);
}

struct wishes *wishes_new(const struct options *o)
{
    size_t n = o->remotes.n;
    struct wishes *w = calloc(1, sizeof(*w) + n * sizeof(w->at[0]));

    if (w == NULL) {
        report_error("out of memory");
        return NULL;
    }
    for (w->n = 0; w->n < n; w->n++) {
        struct wish *one = &w->at[w->n];

        one->all = w;
        one->text = o->remotes.at[w->n];
        one->remote = remote_new(one->text, on_told, one);
        if (one->remote == NULL) {
            options_complain_of(o, "-R", one->text,
                                ": not [BIND:]PORT:HOST:HPORT");
            wishes_free(w);
            return NULL;
        }
    }
    return w;
}

void wishes_start(struct wishes *w, struct app *app)
{
    w->app = app;
    for (size_t i = 0; i < w->n; i++) {
        uv_timer_init(&app->loop, &w->at[i].retry);
        w->at[i].retry.data = &w->at[i];
    }
}

void wishes_end(struct wishes *w)
{
    for (size_t i = 0; i < w->n; i++) {
        remote_end(w->at[i].remote);
        uv_close((uv_handle_t *)&w->at[i].retry, NULL);
    }
}

void wishes_free(struct wishes *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->n; i++)
        remote_free(w->at[i].remote);
    free(w);
}

void wishes_ask(struct wishes *w, struct link *k)
{
    w->link = k;
    w->inward = dial_pool_new(&w->app->loop);
    for (size_t i = 0; i < w->n && w->app->drain_until == 0; i++) {
        uv_timer_stop(&w->at[i].retry);
        remote_ask(w->at[i].remote, k);
    }
}

void wishes_lost(struct wishes *w)
{
    w->link = NULL;
    dial_pool_free(w->inward);
    w->inward = NULL;
}

int wishes_take(struct wishes *w, struct link *k, BIO *bio)
{
    for (size_t i = 0; i < w->n && w->inward != NULL; i++) {
        if (k == w->link && remote_wants(w->at[i].remote, bio)) {
            request_new(k, bio, w->inward, NULL);
            return 1;
        }
    }
    return 0;
}
