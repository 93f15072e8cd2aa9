/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "forward.h"
#include "link.h"
#include "sign.h"
#include "tell.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/*
 * What one forward moves before the others have their turn: what fits four
 * records, and with what TLS adds, one segment of 64 KiB. A second one for what
 * is left over would cost the kernel as much.
 */
#define OCTETS ((size_t)65280)
#define SHORT 1024 /* octets: most likely a message by itself */
#define CHUNKS 10  /* of at most 16 KiB */

#define ALL_EVENTS                                                 \
    (MTLS_EVENT_READABLE | MTLS_EVENT_WRITABLE | MTLS_EVENT_OPEN | \
     MTLS_EVENT_CLOSED)

struct forward {
    struct chan chan;
    struct local *local;
    forward_done *done;
    void *arg;
    unsigned opening : 1;     /* no Success yet */
    unsigned local_full : 1;  /* its reader is slow: READABLE is not asked */
    unsigned chan_ended : 1;  /* all was delivered, and the end too */
    unsigned local_ended : 1; /* the local end has said all */
    unsigned chan_full : 1;   /* a write was refused: wait for WRITABLE */
    unsigned deaf : 1;        /* the peer has closed: it takes no more */
    unsigned muted : 1;       /* READABLE is off */
    unsigned greedy : 1;      /* its last turn took all that it was given */
};

/* --- the end ---------------------------------------------------------------
 */

/*
 * The last step, whatever it was: nothing of |f| is used after it. In order
 * the local end closes at once if it has said all, else it is heard out.
 */
static void finish(struct forward *f, enum chan_end how, const char *why)
{
    struct local *local = f->local;

    tell_channel_close(&f->chan, how, why);
    if (how == CHAN_ENDED)
        (f->local_ended ? local->ops->close : local->ops->linger)(local);
    else
        local->ops->reset(local);
    if (f->done != NULL)
        f->done(f->arg, how, why);
    sign_remove(&f->chan);
    chan_remove(&f->chan);
    BIO_free(f->chan.bio);
    ERR_clear_error();
    free(f);
}

/* The local side broke: the peer is told by CloseRequest alone (D8). */
static void give_up(struct forward *f, const char *why)
{
    if (!BIO_mtls_reset_channel(f->chan.bio))
        ERR_clear_error();
    finish(f, CHAN_RESET, why);
}

static void chan_failed(struct forward *f)
{
    const char *why;
    enum chan_end how = chan_failure(&f->chan, &why);

    finish(f, how, why);
}

static void abandon(struct chan *c)
{
    struct forward *f = (struct forward *)c;

    if (!BIO_mtls_reset_channel(c->bio))
        ERR_clear_error();
    finish(f, CHAN_TRUNCATED, "given up");
}

/* --- moving ----------------------------------------------------------------
 */

/* The end of the channel's data: in order, or given up by the peer. */
static int take_end(struct forward *f)
{
    if (BIO_mtls_was_reset(f->chan.bio)) {
        finish(f, CHAN_RESET, "given up by the peer");
        return 0;
    }
    f->chan_ended = 1;
    if (!f->local_ended) /* else it will be closed at once */
        f->local->ops->end(f->local);
    return 1;
}

/* The channel has nothing more just now, or ever. 0 when |f| is gone. */
static int take_nothing(struct forward *f, int n)
{
    if (sign_retry(&f->chan))
        return 1;
    if (n == 0)
        return take_end(f);
    chan_failed(f);
    return 0;
}

/* Whether there is more in the channel, the end or, once its session is gone,
 * the error included, without asking the transport for it. */
static int has_more(const struct forward *f)
{
    return sign_more(&f->chan) || f->chan.link == NULL;
}

/* The pieces to be sent, of which the first is |n| octets at |p|. */
static int lent(const struct forward *f, struct iovec *v, char *p, int n)
{
    if (f->chan.signing == NULL)
        return BIO_mtls_nread0v(f->chan.bio, v, CHUNKS);
    v[0].iov_base = p;
    v[0].iov_len = (size_t)n;
    return 1;
}

/* Says that so many octets of the pieces that were lent are done with. */
static void consume(const struct forward *f, size_t octets)
{
    char *p;
    int n;

    if (f->chan.signing != NULL) {
        sign_take(&f->chan, (int)octets);
        return;
    }
    for (; octets > 0 && (n = BIO_nread(f->chan.bio, &p, (int)octets)) > 0;)
        octets -= (size_t)n;
}

/*
 * Sends out of the channel's receive buffer, all by one call: the reader, if
 * it is on this processor, is woken by each. 0 when |f| is gone.
 */
static int to_local(struct forward *f)
{
    struct iovec v[CHUNKS];
    size_t all = 0;
    ssize_t sent;
    char *p;
    int n = sign_peek(&f->chan, &p);

    if (n <= 0)
        return take_nothing(f, n);
    n = lent(f, v, p, n);
    for (int i = 0; i < n; i++)
        all += v[i].iov_len;
    sent = f->local->ops->writev(f->local, v, n);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        give_up(f, strerror(errno));
        return 0;
    }
    f->chan.app->n_short += sent > 0 && sent < SHORT;
    consume(f, sent > 0 ? (size_t)sent : 0);
    if (sent < (ssize_t)all) {
        f->local_full = 1;
        return 1;
    }
    if (!has_more(f))
        return 1;
    if (f->chan.link != NULL)
        link_changed(f->chan.link);
    else
        f->local_full = 1; /* POLLOUT takes the place of READABLE */
    return 1;
}

/* The channel takes no more: now, or ever. 0 when |f| is gone. */
static int take_refusal(struct forward *f)
{
    if (f->chan.link != NULL)
        link_changed(f->chan.link);
    if (sign_retry(&f->chan)) {
        f->chan_full = 1;
        return 1;
    }
    /* Reading will say why; until then what has arrived is delivered. */
    ERR_clear_error();
    f->deaf = 1;
    if (f->chan.signing != NULL && !f->local_full && !f->chan_ended)
        return to_local(f); /* it may be the filter that has given up */
    return 1;
}

static size_t room_of(const struct forward *f)
{
    return BIO_ctrl_get_write_guarantee(f->chan.bio);
}

/*
 * Whether what waits should leave first, for there is no room. Nor is it much
 * use to bulk data to fill up what another channel has left: two pieces would
 * come of what can be one.
 */
static int is_cramped(const struct forward *f, size_t room)
{
    if (f->chan.link == NULL)
        return 0;
    return room == 0 || (f->greedy && room < OCTETS &&
                         link_waiting(f->chan.link) > OCTETS / 2);
}

/*
 * How much a turn may write. If nothing, the flags tell what it waits for: the
 * socket that all channels share, credit, or nothing since it has failed.
 */
static size_t find_room(struct forward *f)
{
    size_t room = room_of(f);
    char *p;

    if (is_cramped(f, room)) {
        if (!link_room(f->chan.link, &f->chan, !f->greedy)) {
            f->chan_full = 1;
            return 0;
        }
        room = room_of(f);
    }
    if (room == 0 && BIO_nwrite0(f->chan.bio, &p) <= 0) {
        take_refusal(f);
        return 0;
    }
    if (room == 0) { /* some has come meanwhile */
        link_changed(f->chan.link);
        BIO_nwrite(f->chan.bio, &p, 0);
        room = room_of(f);
    }
    return room < OCTETS ? room : OCTETS;
}

/* The local end has said all. 0 when |f| is gone. */
static int end_channel(struct forward *f)
{
    f->local_ended = 1;
    return sign_end(&f->chan) > 0 || take_refusal(f);
}

/* The same as from_local(), with what is read for one message. */
static int sign_local(struct forward *f)
{
    char *p;
    int room = sign_room(&f->chan, &p);
    ssize_t n;

    if (room <= 0)
        return take_refusal(f);
    n = f->local->ops->read(f->local, p, (size_t)room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (n < 0) {
        give_up(f, strerror(errno));
        return 0;
    }
    if (n == 0)
        return end_channel(f);
    if (sign_put(&f->chan, (int)n) != n) {
        chan_failed(f);
        return 0;
    }
    if (f->chan.link != NULL)
        link_changed(f->chan.link);
    return 1;
}

/*
 * Receives as much as fills four records by one system call. A copy costs less
 * than three calls, each with an acknowledgment to the sender that wakes it. 0
 * when |f| is gone.
 */
static int from_local(struct forward *f)
{
    static char octets[OCTETS];
    BIO *bio = f->chan.bio;
    size_t room;
    ssize_t n;
    int written;

    if (f->chan.signing != NULL)
        return sign_local(f);
    room = find_room(f);
    if (room == 0)
        return 1;
    n = f->local->ops->read(f->local, octets, room);
    f->greedy = n == (ssize_t)room;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (n < 0) {
        give_up(f, strerror(errno));
        return 0;
    }
    if (n == 0) {
        f->local_ended = 1;
        return BIO_shutdown_wr(bio) > 0 || take_refusal(f);
    }
    written = BIO_write(bio, octets, (int)n);
    if (written <= 0 && !BIO_should_retry(bio)) /* the session has failed */
        return take_refusal(f);
    if (written != n) {
        give_up(f, "the channel lost what it was given");
        return 0;
    }
    return 1;
}

/* What the channel did not take before goes first. 0 when |f| is gone. */
static int go_on(struct forward *f)
{
    if (f->deaf)
        return 1;
    return f->local_ended ? end_channel(f) : from_local(f);
}

/*
 * Whether something is to be sent, or receipts are to come: 1, 0; -1 failed. To
 * read may have sent what a write had left, of which no event tells.
 */
static int owes(struct forward *f)
{
    int r;

    if (f->opening || f->chan.signing == NULL)
        return 0;
    if (!f->deaf)
        f->chan_full = (unsigned)sign_unsent(&f->chan) & 1;
    if (!f->deaf && !f->chan_full && f->local_ended &&
        sign_end(&f->chan) <= 0) {
        if (!sign_retry(&f->chan))
            return -1;
        f->chan_full = 1;
    }
    if (!f->chan_ended)
        return 0;
    r = sign_receipts(&f->chan);
    return r < 0 ? -1 : r == 0 || (f->chan_full && !f->deaf);
}

/* Looks at where things stand: over, or what to wait for. */
static void settle(struct forward *f)
{
    int owed = owes(f); /* by either side, under signatures */
    int mute = f->local_full || (f->chan_ended && !owed);
    int want = f->local_full ? LOCAL_OUT : 0;

    if (owed < 0) {
        chan_failed(f);
        return;
    }
    if (f->chan_ended && !owed && (f->local_ended || f->deaf)) {
        if (f->local_ended || f->chan.link != NULL)
            finish(f, CHAN_ENDED, "");
        else
            finish(f, CHAN_TRUNCATED, "the session ended first");
        return;
    }
    if (!f->opening && !f->local_ended && !f->chan_full && !f->deaf)
        want |= LOCAL_IN;
    if (f->chan.link != NULL)
        link_wrote(f->chan.link);
    if (mute != f->muted) {
        f->muted = (unsigned)mute & 1;
        (void)BIO_mtls_set_events(
            f->chan.bio, mute ? ALL_EVENTS & ~MTLS_EVENT_READABLE : ALL_EVENTS);
    }
    f->local->ops->want(f->local, want);
}

/* --- events ----------------------------------------------------------------
 */

/* The local end: readable, writable, or broken. */
static void on_local(struct local *local, int events)
{
    struct forward *f = local->owner;

    if ((events & LOCAL_BROKEN) != 0) {
        give_up(f, "the local connection broke");
        return;
    }
    if ((events & LOCAL_OUT) != 0 && f->local_full) {
        f->local_full = 0;
        if (!to_local(f))
            return;
    }
    if ((events & LOCAL_IN) != 0 && !f->opening && !f->chan_full &&
        !f->local_ended && !f->deaf && !from_local(f))
        return;
    settle(f);
}

/* The peer's answer to our Request. 0 when |f| is gone. */
static int on_answer(struct forward *f, int events)
{
    if ((events & MTLS_EVENT_OPEN) != 0) {
        f->opening = 0;
        tell_channel_open(&f->chan);
        if (!sign_begin(&f->chan)) {
            chan_failed(f);
            return 0;
        }
    } else if ((events & MTLS_EVENT_CLOSED) != 0) {
        char *p;

        BIO_nread0(f->chan.bio, &p); /* puts the reason on the queue */
        chan_failed(f);
        return 0;
    }
    return 1;
}

static void on_ready(struct chan *c, int events)
{
    struct forward *f = (struct forward *)c;

    if (f->opening && !on_answer(f, events))
        return;
    if ((events & MTLS_EVENT_CLOSED) != 0)
        f->deaf = 1;
    if ((events & MTLS_EVENT_READABLE) != 0 && !f->local_full &&
        !f->chan_ended && !f->opening && !to_local(f))
        return;
    if ((events & MTLS_EVENT_WRITABLE) != 0 && f->chan_full) {
        f->chan_full = 0;
        if (!go_on(f))
            return;
    }
    settle(f);
}

static const char *state(const struct chan *c)
{
    const struct forward *f = (const struct forward *)c;

    if (f->opening)
        return "opening";
    if (f->chan_ended)
        return "in-ended";
    if (f->local_ended)
        return "out-ended";
    return f->local_full ? "stalled" : "open";
}

static const struct chan_ops ops = {on_ready, abandon, state};

static struct forward *forward_new(struct link *k, BIO *bio,
                                   struct local *local)
{
    struct forward *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->local = local;
    local->owner = f;
    local->ready = on_local;
    chan_add(&f->chan, &ops, k, bio);
    if (!sign_add(&f->chan)) {
        chan_remove(&f->chan);
        free(f);
        return NULL;
    }
    return f;
}

int forward_open(struct link *k, const char *destination, const char *source,
                 struct local *local, forward_done *done, void *arg)
{
    BIO *bio = BIO_new_mtls_channel(k->m, destination);
    struct forward *f;
    int answer;

    if (bio == NULL || (source != NULL && !BIO_mtls_set_source(bio, source)) ||
        (f = forward_new(k, bio, local)) == NULL) {
        local->ops->reset(local);
        BIO_free(bio);
        return 0;
    }
    f->done = done;
    f->arg = arg;
    f->opening = 1;
    answer = BIO_do_connect(bio);
    if (answer <= 0 && !BIO_should_retry(bio)) {
        chan_failed(f);
        return 1;
    }
    if (answer > 0 && !on_answer(f, MTLS_EVENT_OPEN))
        return 1;
    link_changed(k);
    settle(f);
    return 1;
}

int forward_accept(struct link *k, BIO *bio, struct local *local)
{
    struct forward *f;

    if (BIO_do_handshake(bio) <= 0 ||
        (f = forward_new(k, bio, local)) == NULL) {
        ERR_clear_error();
        local->ops->reset(local);
        BIO_free(bio);
        return 0;
    }
    tell_channel_open(&f->chan);
    link_changed(k);
    if (sign_begin(&f->chan))
        settle(f);
    else
        chan_failed(f);
    return 1;
}
