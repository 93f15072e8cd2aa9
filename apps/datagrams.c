/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "datagrams.h"
#include "link.h"
#include "tell.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* What waits for an answer, for credit or for the socket. */
#define QUEUE_COUNT 64
#define QUEUE_OCTETS (64 * 1024)
/* What one channel moves before the others have their turn. */
#define AT_ONCE 64
/* No datagram is longer. */
#define LONGEST 16384
/* Of a program that ends, how many seconds nothing must have moved. */
#define DRAIN_S 1

struct waiting {
    STAILQ_ENTRY(waiting) next;
    size_t n;
    char octets[];
};

STAILQ_HEAD(waiting_list, waiting);

struct datagrams {
    struct chan chan;
    TAILQ_ENTRY(datagrams) node; /* of app->datagrams */
    const struct datagrams_ops *ops;
    void *arg;
    struct waiting_list queue;
    size_t n_queued, octets_queued;
    uint64_t active;      /* app->seconds at the last one, either way */
    unsigned opening : 1; /* no answer yet */
    unsigned kept : 1;    /* however idle */
    unsigned paused : 1;  /* what comes is left where it is */
};

/* --- the end ----------------------------------------------------------------
 */

static void drop_first(struct datagrams *d)
{
    struct waiting *w = STAILQ_FIRST(&d->queue);

    STAILQ_REMOVE_HEAD(&d->queue, next);
    d->n_queued--;
    d->octets_queued -= w->n;
    free(w);
}

static void destroy(struct datagrams *d, enum chan_end how, const char *why)
{
    tell_channel_close(&d->chan, how, why);
    while (d->n_queued > 0)
        drop_first(d);
    TAILQ_REMOVE(&d->chan.app->datagrams, d, node);
    chan_remove(&d->chan);
    BIO_free(d->chan.bio);
    ERR_clear_error();
    free(d);
}

static void end(struct datagrams *d, enum chan_end how, const char *why)
{
    const struct datagrams_ops *ops = d->ops;
    void *arg = d->arg;
    char text[256]; /* |why| may be the channel's own */

    text_copy(text, sizeof(text), "ended");
    text_copy(text, sizeof(text), why);
    destroy(d, how, why);
    ops->ended(arg, how, text);
}

void datagrams_close(struct datagrams *d)
{
    destroy(d, CHAN_ENDED, "");
}

static void fail(struct datagrams *d)
{
    const char *why;
    enum chan_end how = chan_failure(&d->chan, &why);

    end(d, how, why);
}

static void abandon(struct chan *c)
{
    end((struct datagrams *)c, CHAN_TRUNCATED, "given up");
}

/* --- time -------------------------------------------------------------------
 */

/* The list is in the order of the last datagrams. A program that was stopped
 * for a while has not heard what came meanwhile: so it counts seconds itself.
 */
static void touch(struct datagrams *d)
{
    struct app *app = d->chan.app;

    d->active = app->seconds;
    TAILQ_REMOVE(&app->datagrams, d, node);
    TAILQ_INSERT_TAIL(&app->datagrams, d, node);
}

void datagrams_second(struct app *app)
{
    uint64_t limit = app->datagrams_idle_s;
    struct datagrams *d, *next;

    if (app->drain_until != 0)
        limit = DRAIN_S;
    for (d = TAILQ_FIRST(&app->datagrams); d != NULL && limit > 0; d = next) {
        next = TAILQ_NEXT(d, node);
        if (app->seconds - d->active <= limit)
            return;
        if (!d->kept)
            end(d, CHAN_ENDED, "idle");
    }
}

void datagrams_keep(struct datagrams *d)
{
    d->kept = 1;
}

/* --- to the peer ------------------------------------------------------------
 */

/* 1 when it is done with, sent or lost; 0 when it may be tried again later. */
static int write_one(struct datagrams *d, const void *p, size_t n)
{
    size_t written;

    if (BIO_write_ex(d->chan.bio, p, n, &written)) {
        touch(d);
        return 1;
    }
    if (BIO_should_retry(d->chan.bio))
        return 0;
    ERR_clear_error(); /* reading will say, where it is more than this one */
    d->chan.dropped++;
    return 1;
}

static void flush(struct datagrams *d)
{
    const struct waiting *w;
    int full = d->n_queued > 0;

    while (!d->opening && (w = STAILQ_FIRST(&d->queue)) != NULL &&
           write_one(d, w->octets, w->n))
        drop_first(d);
    if (full && d->n_queued == 0 && d->ops->room != NULL)
        d->ops->room(d->arg);
}

static int queue(struct datagrams *d, const void *p, size_t n)
{
    struct waiting *w = NULL;

    if (n <= LONGEST && d->n_queued < QUEUE_COUNT &&
        d->octets_queued + n <= QUEUE_OCTETS)
        w = malloc(sizeof(*w) + n);
    if (w == NULL) {
        d->chan.dropped++;
        return 0;
    }
    w->n = n;
    if (n > 0)
        memcpy(w->octets, p, n);
    STAILQ_INSERT_TAIL(&d->queue, w, next);
    d->n_queued++;
    d->octets_queued += n;
    return 1;
}

int datagrams_send(struct datagrams *d, const void *p, size_t n)
{
    uint64_t dropped = d->chan.dropped;

    if (d->chan.link == NULL)
        return 0;
    link_changed(d->chan.link);
    if (d->opening || d->n_queued > 0)
        return queue(d, p, n);
    return write_one(d, p, n) ? d->chan.dropped == dropped : queue(d, p, n);
}

int datagrams_full(const struct datagrams *d)
{
    return d->n_queued > 0;
}

size_t datagrams_limit(const struct datagrams *d)
{
    long limit =
        d->opening ? 0 : BIO_ctrl(d->chan.bio, BIO_CTRL_DGRAM_GET_MTU, 0, NULL);

    return limit > 0 ? (size_t)limit : 0;
}

/* --- from the peer ----------------------------------------------------------
 */

/* 1: another may be there; 0: none now; -1: |d| is gone. */
static int read_one(struct datagrams *d)
{
    static char octets[LONGEST];
    size_t n;

    if (BIO_read_ex(d->chan.bio, octets, sizeof(octets), &n)) {
        touch(d);
        d->ops->datagram(d->arg, octets, n);
        return 1;
    }
    if (BIO_should_retry(d->chan.bio))
        return 0;
    if (ERR_peek_error() != 0)
        fail(d);
    else if (BIO_mtls_was_reset(d->chan.bio))
        end(d, CHAN_RESET, "given up by the peer");
    else
        end(d, CHAN_ENDED, "");
    return -1;
}

/* The peer's answer to our Request. 0 when |d| is gone. */
static int on_answer(struct datagrams *d, int events)
{
    if ((events & MTLS_EVENT_OPEN) != 0) {
        d->opening = 0;
        tell_channel_open(&d->chan);
        if (d->ops->opened != NULL)
            d->ops->opened(d->arg);
        flush(d);
    } else if ((events & MTLS_EVENT_CLOSED) != 0) {
        d->opening = 0;
        return read_one(d) >= 0; /* which says why */
    }
    return 1;
}

static void on_ready(struct chan *c, int events)
{
    struct datagrams *d = (struct datagrams *)c;
    int more = 1;

    if (d->opening && !on_answer(d, events))
        return;
    if (d->opening)
        return;
    for (int i = 0; i < AT_ONCE && more > 0 && !d->paused; i++)
        more = read_one(d);
    if (more < 0)
        return;
    if (c->link == NULL) {
        end(d, CHAN_TRUNCATED, "the session ended first");
        return;
    }
    flush(d);
    if (more > 0 && !d->paused)
        link_changed(c->link);
    else
        link_wrote(c->link);
}

static const char *state(const struct chan *c)
{
    const struct datagrams *d = (const struct datagrams *)c;

    return d->opening ? "opening" : d->n_queued > 0 ? "stalled" : "open";
}

static const struct chan_ops chan_ops = {on_ready, abandon, state};

/* --- life -------------------------------------------------------------------
 */

static struct datagrams *add(struct link *k, BIO *bio,
                             const struct datagrams_ops *ops, void *arg)
{
    struct datagrams *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->ops = ops;
    d->arg = arg;
    d->active = k->app->seconds;
    STAILQ_INIT(&d->queue);
    chan_add(&d->chan, &chan_ops, k, bio);
    TAILQ_INSERT_TAIL(&k->app->datagrams, d, node);
    link_changed(k);
    return d;
}

/* A peer that is quick may have refused already: the event will tell. */
static int is_under_way(BIO *bio)
{
    if (BIO_should_retry(bio))
        return 1;
    if (BIO_mtls_get_error_text(bio) == NULL)
        return 0;
    ERR_clear_error();
    return 1;
}

struct datagrams *datagrams_open(struct link *k, const char *destination,
                                 const char *source,
                                 const struct datagrams_ops *ops, void *arg)
{
    BIO *bio = BIO_new_mtls_channel(k->m, destination);
    struct datagrams *d = NULL;
    int open = 0;

    if (bio != NULL && (source == NULL || BIO_mtls_set_source(bio, source)) &&
        ((open = BIO_do_connect(bio) > 0) || is_under_way(bio)))
        d = add(k, bio, ops, arg);
    if (d == NULL) {
        BIO_free(bio);
        return NULL;
    }
    d->opening = 1;
    if (open)
        on_answer(d, MTLS_EVENT_OPEN);
    return d;
}

struct datagrams *datagrams_accept(struct link *k, BIO *bio,
                                   const struct datagrams_ops *ops, void *arg)
{
    struct datagrams *d =
        BIO_do_handshake(bio) > 0 ? add(k, bio, ops, arg) : NULL;

    if (d == NULL) {
        ERR_clear_error();
        BIO_free(bio);
        return NULL;
    }
    tell_channel_open(&d->chan);
    return d;
}

/* --- -echo ------------------------------------------------------------------
 */

struct echo {
    struct datagrams *d;
};

/* Those that find no room to go back wait where credit counts them. */
static void pause_reading(struct datagrams *d, int paused)
{
    int events = MTLS_EVENT_CLOSED | MTLS_EVENT_WRITABLE;

    d->paused = paused != 0;
    if (!paused)
        events |= MTLS_EVENT_READABLE;
    (void)BIO_mtls_set_events(d->chan.bio, events);
}

static void echo_back(void *arg, const void *p, size_t n)
{
    struct datagrams *d = ((struct echo *)arg)->d;

    datagrams_send(d, p, n);
    if (datagrams_full(d))
        pause_reading(d, 1);
}

static void echo_on(void *arg)
{
    struct datagrams *d = ((struct echo *)arg)->d;

    pause_reading(d, 0);
    if (d->chan.link != NULL)
        link_changed(d->chan.link);
}

static void echo_ended(void *arg, enum chan_end how, const char *why)
{
    (void)how;
    (void)why;
    free(arg);
}

static const struct datagrams_ops echo_ops = {echo_back, NULL, echo_on,
                                              echo_ended};

void datagrams_echo(struct link *k, BIO *bio)
{
    struct echo *e = calloc(1, sizeof(*e));

    if (e == NULL)
        BIO_free(bio); /* which refuses it too */
    else if ((e->d = datagrams_accept(k, bio, &echo_ops, e)) == NULL)
        free(e);
}
