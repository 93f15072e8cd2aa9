/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "echo.h"
#include "link.h"
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

/* 1: more may follow at once; 0: nothing for now; -1: |e| is gone. */
static int echo_piece(struct echo *e)
{
    BIO *bio = e->chan.bio;
    char *in, *out;
    int n = BIO_nread0(bio, &in), room;

    if (n > 0) {
        room = BIO_nwrite0(bio, &out);
        if (room > 0) {
            n = n < room ? n : room;
            memcpy(out, in, (size_t)n);
            if (BIO_nwrite(bio, &out, n) == n)
                BIO_nread(bio, &in, n);
            return BIO_pending(bio) > 0 || BIO_eof(bio);
        }
        if (BIO_should_retry(bio)) {
            set_full(e, 1);
            if (e->chan.link != NULL)
                link_changed(e->chan.link);
            return 0;
        }
    } else if (BIO_should_retry(bio)) {
        return 0;
    } else if (n == 0 && !BIO_mtls_was_reset(bio)) {
        finish(e, CHAN_ENDED, "");
        return -1;
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
    link_changed(k);
}
