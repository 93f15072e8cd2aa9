/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_relay.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* What one relay moves before the others have their turn. */
#define OCTETS (64 * 1024)
#define PIECE 16384

/* What was read and could not be written yet. */
struct rest {
    char *octets;
    size_t at, n;
};

struct relay {
    struct tlsmux *m;
    struct local *local;
    relay_done *done;
    void *arg;
    struct rest in, out;
    unsigned local_full : 1;  /* it takes no more for now */
    unsigned local_empty : 1; /* it has nothing for now */
    unsigned peer_full : 1;
    unsigned peer_ended : 1;  /* and the local end knows */
    unsigned local_ended : 1; /* and the peer knows, once |shut| */
    unsigned shut : 1;
};

/* Of octets for nobody in particular, between two calls. */
static char scratch[PIECE];

static void finish(struct relay *r, const char *why)
{
    if (*why != '\0')
        r->local->ops->reset(r->local);
    else
        r->local->ops->close(r->local);
    if (r->done != NULL)
        r->done(r->arg, why);
    free(r->in.octets);
    free(r->out.octets);
    free(r);
}

/* Both ends are given up, or over. Nothing of |r| is used after it. */
static int end(struct relay *r, const char *why)
{
    struct tlsmux *m = r->m;
    char text[128];

    text_copy(text, sizeof(text), "the connection failed");
    text_copy(text, sizeof(text), why);
    ERR_clear_error();
    finish(r, text);
    tlsmux_close(m, text);
    return 0;
}

static int keep(struct rest *rest, const char *octets, size_t n)
{
    rest->octets = malloc(n);
    if (rest->octets == NULL)
        return 0;
    memcpy(rest->octets, octets, n);
    rest->at = 0;
    rest->n = n;
    return 1;
}

static void advance(struct rest *rest, size_t n)
{
    rest->at += n;
    if (rest->at < rest->n)
        return;
    free(rest->octets);
    memset(rest, 0, sizeof(*rest));
}

/* --- from the peer: 1 go on, 0 |r| is gone, -1 nothing more for now ----------
 */

static int write_local(struct relay *r, const char *octets, size_t n,
                       size_t *done)
{
    ssize_t sent = r->local->ops->write(r->local, octets, n, 0);

    *done = sent > 0 ? (size_t)sent : 0;
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return end(r, strerror(errno));
    r->local_full = *done < n;
    return r->local_full ? -1 : 1;
}

static int push_in(struct relay *r)
{
    size_t done;
    int go = write_local(r, r->in.octets + r->in.at, r->in.n - r->in.at, &done);

    if (go != 0)
        advance(&r->in, done);
    return go;
}

static int pull_in(struct relay *r)
{
    int n = tlsmux_read(r->m, scratch, sizeof(scratch)), go;
    size_t done;

    if (n == TLSMUX_RETRY)
        return -1;
    if (n == TLSMUX_FAILED)
        return end(r, "the stream was cut short");
    if (n == TLSMUX_END) {
        r->peer_ended = 1;
        r->local->ops->end(r->local);
        return -1;
    }
    go = write_local(r, scratch, (size_t)n, &done);
    if (go != 0 && done < (size_t)n &&
        !keep(&r->in, scratch + done, (size_t)n - done))
        return end(r, "no memory");
    return go;
}

/* --- to the peer, likewise ---------------------------------------------------
 */

static int write_peer(struct relay *r, const char *octets, size_t n,
                      size_t *done)
{
    int sent = 1;

    for (*done = 0; *done < n && sent > 0; *done += sent > 0 ? (size_t)sent : 0)
        sent = tlsmux_write(r->m, octets + *done, n - *done);
    if (sent == TLSMUX_FAILED)
        return end(r, "the peer takes no more");
    r->peer_full = *done < n;
    return r->peer_full ? -1 : 1;
}

static int push_out(struct relay *r)
{
    size_t done;
    int go =
        write_peer(r, r->out.octets + r->out.at, r->out.n - r->out.at, &done);

    if (go != 0)
        advance(&r->out, done);
    return go;
}

static int shut(struct relay *r)
{
    int ok = tlsmux_shut(r->m);

    if (ok == TLSMUX_FAILED)
        return end(r, "the peer takes no more");
    r->shut = ok == 1;
    r->peer_full = !r->shut;
    return -1;
}

static int pull_out(struct relay *r)
{
    ssize_t n = r->local->ops->read(r->local, scratch, sizeof(scratch));
    size_t done;
    int go;

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        r->local_empty = 1;
        return -1;
    }
    if (n < 0)
        return end(r, strerror(errno));
    if (n == 0) {
        r->local_ended = 1;
        return shut(r);
    }
    go = write_peer(r, scratch, (size_t)n, &done);
    if (go != 0 && done < (size_t)n &&
        !keep(&r->out, scratch + done, (size_t)n - done))
        return end(r, "no memory");
    return go;
}

/* --- the loop ----------------------------------------------------------------
 */

/* 0 when |r| is gone, 1 when there may be more, -1 when not. */
static int from_peer(struct relay *r)
{
    int go = 1;

    for (size_t n = 0; n < OCTETS && go > 0; n += PIECE) {
        if (r->in.n != 0)
            go = push_in(r);
        else
            go = r->peer_ended ? -1 : pull_in(r);
    }
    return go;
}

static int to_peer(struct relay *r)
{
    int go = 1;

    for (size_t n = 0; n < OCTETS && go > 0; n += PIECE) {
        if (r->out.n != 0)
            go = push_out(r);
        else if (r->local_ended)
            go = r->shut ? -1 : shut(r);
        else
            go = pull_out(r);
    }
    return go;
}

/* What the SSL has decrypted no poll can see: then the local end, which can be
 * written, makes the next turn. */
static void settle(struct relay *r, int more_in)
{
    int want = 0;

    if (r->peer_ended && r->in.n == 0 && r->shut) {
        end(r, "");
        return;
    }
    if (r->local_full || more_in > 0)
        want |= LOCAL_OUT;
    if (!r->local_ended && !r->peer_full)
        want |= LOCAL_IN;
    r->local->ops->want(r->local, want);
    tlsmux_want(r->m, !r->peer_ended && !r->local_full, r->peer_full);
}

static int has_for_peer(const struct relay *r)
{
    return r->out.n != 0 || (r->local_ended ? !r->shut : !r->local_empty);
}

static void move(struct relay *r)
{
    int more_in = -1, more_out = -1;

    if (!r->local_full)
        more_in = from_peer(r);
    if (more_in == 0)
        return;
    if (!r->peer_full && has_for_peer(r))
        more_out = to_peer(r);
    if (more_out != 0)
        settle(r, more_in);
}

static void on_local(struct local *local, int events)
{
    struct relay *r = local->owner;

    if ((events & LOCAL_BROKEN) != 0) {
        end(r, "the local connection broke");
        return;
    }
    if ((events & LOCAL_OUT) != 0)
        r->local_full = 0;
    if ((events & LOCAL_IN) != 0)
        r->local_empty = 0;
    move(r);
}

static void on_moved(struct tlsmux *m)
{
    struct relay *r = m->owner;

    r->peer_full = 0;
    move(r);
}

static void on_ended(struct tlsmux *m, const char *why)
{
    finish(m->owner, why);
}

static const struct tlsmux_ops ops = {NULL,     NULL, NULL,
                                      on_moved, NULL, on_ended};

void relay_start(struct tlsmux *m, struct local *local, relay_done *done,
                 void *arg)
{
    struct relay *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        local->ops->reset(local);
        if (done != NULL)
            done(arg, "no memory");
        tlsmux_close(m, "no memory");
        return;
    }
    r->m = m;
    r->local = local;
    r->done = done;
    r->arg = arg;
    m->owner = r;
    m->ops = &ops;
    local->owner = r;
    local->ready = on_local;
    r->local_empty = 1; /* what it has is told */
    move(r);
}
