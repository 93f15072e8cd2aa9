/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "echo.h"
#include "link.h"
#include "sign.h"
#include "tell.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* What one echo moves before the others have their turn. */
#define PIECES 8

struct echo {
    struct chan chan;
    int full; /* it waits to write, and reads nothing meanwhile */
};

static void finish(struct echo *e, enum chan_end how, const char *why)
{
    tell_channel_close(&e->chan, how, why);
    sign_remove(&e->chan);
    chan_remove(&e->chan);
    BIO_free(e->chan.bio);
    ERR_clear_error();
    free(e);
}

static void fail(struct echo *e)
{
    const char *why;
    enum chan_end how = chan_failure(&e->chan, &why);

    finish(e, how, why);
}

static void set_full(struct echo *e, int full)
{
    int events = MTLS_EVENT_CLOSED | MTLS_EVENT_WRITABLE;

    e->full = full;
    if (!full)
        events |= MTLS_EVENT_READABLE;
    (void)BIO_mtls_set_events(e->chan.bio, events);
}

static void wait_for_room(struct echo *e)
{
    set_full(e, 1);
    if (e->chan.link != NULL)
        link_changed(e->chan.link);
}

/* 1: more may follow at once; 0: nothing for now; -1: |e| is gone. */
static int echo_piece(struct echo *e)
{
    const struct chan *c = &e->chan;
    char *in, *out;
    int n = sign_peek(c, &in), room, retry = sign_retry(c);

    if (n > 0) {
        room = sign_room(c, &out);
        if (room > 0) {
            n = n < room ? n : room;
            memcpy(out, in, (size_t)n);
            if (sign_put(c, n) == n)
                sign_take(c, n);
            return sign_more(c);
        }
        if (sign_retry(c)) {
            wait_for_room(e);
            return 0;
        }
    } else if (sign_unsent(c)) {
        wait_for_room(e);
        return 0;
    } else if (n < 0 && retry) {
        return 0;
    } else if (n == 0 && !BIO_mtls_was_reset(c->bio)) {
        n = sign_finish(c);
        if (n == 0)
            return 0;
        if (n > 0) {
            finish(e, CHAN_ENDED, "");
            return -1;
        }
    }
    fail(e);
    return -1;
}

static void on_ready(struct chan *c, int events)
{
    struct echo *e = (struct echo *)c;
    int more = 1;

    (void)events;
    if (e->full)
        set_full(e, 0);
    for (int i = 0; i < PIECES && more > 0; i++)
        more = echo_piece(e);
    if (more > 0 && c->link != NULL)
        link_changed(c->link);
    else if (more > 0)
        finish(e, CHAN_TRUNCATED, "the session ended first");
}

static void abandon(struct chan *c)
{
    finish((struct echo *)c, CHAN_TRUNCATED, "given up");
}

static const char *state(const struct chan *c)
{
    return ((const struct echo *)c)->full ? "stalled" : "open";
}

static const struct chan_ops ops = {on_ready, abandon, state};

void echo_new(struct link *k, BIO *bio)
{
    struct echo *e = calloc(1, sizeof(*e));

    if (e == NULL || BIO_do_handshake(bio) <= 0) {
        ERR_clear_error();
        free(e);
        BIO_free(bio);
        return;
    }
    chan_add(&e->chan, &ops, k, bio);
    tell_channel_open(&e->chan);
    if (sign_add(&e->chan) && sign_begin(&e->chan))
        link_changed(k);
    else
        fail(e);
}
