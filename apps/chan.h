/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A channel, as a link knows it; embedded in what uses it. When its link has
 * ended, |link| is NULL and what has arrived can still be read.
 */
#ifndef MTLS_APPS_CHAN_H
#define MTLS_APPS_CHAN_H

#include "addr.h"
#include "app.h"

#include <mtls/bio_mtls.h>

struct chan;
struct signing;

struct chan_ops {
    /* Told |events| of BIO_mtls_next_ready(). It may free the channel. */
    void (*ready)(struct chan *c, int events);
    /* Must free the channel now, whatever it still holds. */
    void (*abandon)(struct chan *c);
    /* What it is doing, in a word, for the table of channels. */
    const char *(*state)(const struct chan *c);
};

struct chan {
    TAILQ_ENTRY(chan) node;      /* of the link's channels, or app->orphans */
    TAILQ_ENTRY(chan) room_node; /* of link->for_room, while |waits| */
    const struct chan_ops *ops;
    struct app *app;
    struct link *link;
    BIO *bio;
    struct signing *signing; /* what is above it (sign.h), or NULL */
    uint64_t since;          /* uv_now() when it was made, or lost its link */
    int waits;               /* for room, see link_room() */
    uint64_t dropped;        /* datagrams, for want of room or as too long */
};

/* How a channel ended, as its lines and -json tell it. */
enum chan_end {
    CHAN_ENDED,
    CHAN_RESET,
    CHAN_TRUNCATED,
    CHAN_REFUSED
};

/* chan_add puts |bio| on a link's list; events come from then on. */
void chan_add(struct chan *c, const struct chan_ops *ops, struct link *k,
              BIO *bio);

/* chan_remove takes it off; the BIO is still the caller's. */
void chan_remove(struct chan *c);

/* chan_orphan is told that the link has ended. It may free the channel. */
void chan_orphan(struct chan *c);

/* chan_second gives orphans up that have waited too long. */
void chan_second(struct app *app);

/* chan_abandon_orphans gives all of them up, at the end of the program. */
void chan_abandon_orphans(struct app *app);

/*
 * chan_failure says why the last call on the channel failed, and takes the
 * reason off OpenSSL's queue.
 */
enum chan_end chan_failure(const struct chan *c, const char **why);

/* chan_counters: all 0 when it has none. */
MTLS_COUNTERS chan_counters(BIO *bio);

/* chan_id gives the channel's id as eight hexadecimal digits, or "-". */
const char *chan_id(BIO *bio, char out[9]);

/* chan_destination gives where it goes, as text. */
const char *chan_destination(BIO *bio, char out[ADDR_TEXT_MAX]);

#endif
