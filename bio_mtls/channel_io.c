/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "channel_io.h"

#include "channel_dgram.h"
#include "err.h"
#include "session_00.h"

#include <string.h>

int mtls_io_blocks(const struct mtls_mux *mux, const struct mtls_channel *c)
{
    if (c != NULL && (c->app_flags & MTLS_IO_NBIO_SET))
        return mux->blocking && !(c->app_flags & MTLS_IO_NBIO);
    return mux->blocking;
}

/* --- retry flags --- */

static void retry(BIO *b, int flags, int reason)
{
    BIO_set_flags(b, flags | BIO_FLAGS_SHOULD_RETRY);
    BIO_set_retry_reason(b, reason);
}

void mtls_io_retry_accept(BIO *b)
{
    retry(b, BIO_FLAGS_IO_SPECIAL, BIO_RR_ACCEPT);
}

static void retry_call(const struct mtls_io *io, int flags, int reason)
{
    if (io->channel != NULL)
        io->channel->app_flags |= MTLS_IO_RETRY | MTLS_IO_FLAGS;
    retry(io->b, flags, reason);
}

/* What a reader waits for comes in; unless that needs something to go out. */
int mtls_io_retry_read(const struct mtls_io *io)
{
    int write = io->mux->out_blocked || io->mux->in_wants_write;

    retry_call(io, BIO_FLAGS_READ | (write ? BIO_FLAGS_WRITE : 0), 0);
    return -1;
}

int mtls_io_retry_stalled(const struct mtls_io *io)
{
    retry_call(io, io->mux->out_blocked ? BIO_FLAGS_WRITE : 0, 0);
    return -1;
}

int mtls_io_retry_next(const struct mtls_io *io)
{
    BIO *next = io->mux->next;

    if (io->mux->shaking) /* another thread, which may be at them */
        return mtls_io_retry_read(io);
    if (mtls_mux_dgram_shaking(io->mux))
        next = mtls_mux_dgram_bio(io->mux);
    retry_call(io, BIO_get_retry_flags(next), BIO_get_retry_reason(next));
    return -1;
}

/* Credit comes in, as bio_ssl.c's WANT_READ; only room is waited for out. */
static int retry_write(const struct mtls_io *io)
{
    int credit = mtls_flow_tx_limit(&io->channel->out) != 0;

    if (!credit)
        return mtls_io_retry_read(io);
    retry_call(io, BIO_FLAGS_WRITE, 0);
    return -1;
}

/* As BIO_s_connect says it, but what is waited for, the answer, comes in. */
static int retry_connect(const struct mtls_io *io)
{
    mtls_io_retry_read(io);
    retry_call(io, BIO_FLAGS_IO_SPECIAL, BIO_RR_CONNECT);
    return -1;
}

/* --- errors --- */

static int fail(const struct mtls_io *io, uint8_t reason)
{
    const char *text = NULL;

    if (reason == MTLS_R_CHANNEL_REFUSED)
        text = io->channel->echec;
    else if (mtls_session_ended(io->mux->session) || io->mux->write_failed)
        text = mtls_error_text(io->mux->lost_error);
    if (text != NULL)
        MTLS_raise_data(reason, "%s", text);
    else
        MTLS_raise(reason);
    return -1;
}

static int fail_write(const struct mtls_io *io)
{
    const struct mtls_channel *c = io->channel;

    if (c->tx_reason != 0)
        return fail(io, c->tx_reason);
    if (c->tx != MTLS_TX_OPEN)
        return fail(io, MTLS_R_WRITE_AFTER_SHUTDOWN);
    return fail(io, MTLS_R_TRANSPORT_FAILED);
}

/* --- waiting --- */

/* 1: look again. 0: the call is to be retried by the program. */
static int wait_or_retry(const struct mtls_io *io)
{
    return mtls_io_blocks(io->mux, io->channel) &&
           mtls_mux_wait(io->mux, io->channel);
}

static void send_now(const struct mtls_io *io)
{
    if (!io->mux->corked)
        mtls_mux_send(io->mux);
}

/* A call that waits sends what is corked; one that is to be retried does not.
 */
static void send_before_waiting(const struct mtls_io *io)
{
    if (!io->mux->corked || mtls_io_blocks(io->mux, io->channel))
        mtls_mux_send(io->mux);
}

/* After a read: credit to be returned, or a session that goes on. */
static void send_owed(const struct mtls_io *io)
{
    if (io->channel->owed != 0)
        send_now(io);
    if (io->mux->resumed)
        mtls_mux_resume(io->mux);
}

/*
 * What a call that blocks has sent is with the transport when it returns:
 * nobody else may come to send it.
 */
static void await_sent(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;
    uint64_t mark = mtls_session_queued(mux->session);

    while (mtls_io_blocks(mux, io->channel) && !mux->corked &&
           !mtls_mux_flushed(mux, mark) && !mux->write_failed &&
           !mtls_session_ended(mux->session) && mtls_mux_wait(mux, NULL))
        mtls_mux_send(mux);
}

/* The same of what the channel owes: control packets, ahead of the data. */
static void await_owed(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;

    while (mtls_io_blocks(mux, io->channel) && !mux->corked &&
           io->channel->owed != 0 && !mux->write_failed &&
           !mtls_session_ended(mux->session) && mtls_mux_wait(mux, NULL))
        mtls_mux_send(mux);
    await_sent(io);
}

/* --- opening --- */

/* 1 open, 0 not yet, -1 failed. */
static int open_step(const struct mtls_io *io)
{
    struct mtls_channel *c = io->channel;
    uint8_t reason;

    if (c->life <= MTLS_OPENING && io->mux->write_failed)
        return fail(io, MTLS_R_TRANSPORT_FAILED);
    switch (c->life) {
    case MTLS_NEW:
        if (!(c->app_flags & MTLS_IO_SOURCE_SET) &&
            !mtls_session_is_00(io->mux->session) &&
            !mtls_io_own_source(io->mux, c))
            return -1;
        reason = mtls_session_open(c);
        if (reason != 0)
            return fail(io, reason);
        if (c->life == MTLS_OPEN) /* mtls-00: nobody answers */
            return 1;
        send_now(io);
        return 0;
    case MTLS_ASKED:
        mtls_session_accept(c);
        send_now(io);
        return 1;
    case MTLS_OPENING:
        if (c->tx_reason != 0)
            return fail(io, c->tx_reason);
        return 0;
    default:
        return 1;
    }
}

int mtls_io_ready(const struct mtls_io *io)
{
    const struct mtls_channel *c = io->channel;
    int nbio = c != NULL && (c->app_flags & MTLS_IO_NBIO) != 0;
    int r = mtls_mux_ready(io->mux, !nbio);

    if (r == 0 && io->channel != NULL)
        mtls_session_await_start(io->channel);
    return r == 0 ? mtls_io_retry_next(io) : r;
}

/* As far as it takes to know whether the peer agreed: 1, or -1. */
static int open_channel(const struct mtls_io *io)
{
    int fresh = io->channel->life == MTLS_NEW;
    int r = mtls_io_ready(io);

    while (r > 0 && (r = open_step(io)) == 0) {
        if (fresh && io->mux->corked && !mtls_io_blocks(io->mux, io->channel))
            return retry_connect(io); /* it has not even been asked */
        mtls_mux_receive(io->mux, MTLS_WANT_ANSWER, io->channel, 0, SIZE_MAX);
        if ((r = open_step(io)) != 0)
            break;
        send_before_waiting(io);
        if (!wait_or_retry(io)) {
            return retry_connect(io);
        }
        r = 1;
    }
    return r;
}

int mtls_io_open(const struct mtls_io *io)
{
    const struct mtls_channel *c = io->channel;
    int asked = c->life == MTLS_ASKED;
    int r = open_channel(io);

    if (r <= 0)
        return -1;
    if (asked)
        await_owed(io);
    /* Opened, but perhaps over by now. */
    if (c->tx_reason != 0 && c->rx == MTLS_RX_FAILED)
        return fail(io, c->rx_reason);
    if (c->owed != 0) /* mtls-00: the frame that opens it */
        send_now(io);
    return 1;
}

/* --- reading --- */

int mtls_io_eof(const struct mtls_channel *c)
{
    return c->buffer.length == 0 &&
           (c->rx == MTLS_RX_ENDED || c->rx == MTLS_RX_CUT);
}

/* With nothing left to read: why. 0 end-of-file, -1 error. */
static int at_end(const struct mtls_io *io)
{
    struct mtls_channel *c = io->channel;

    mtls_session_told(c);
    return c->rx == MTLS_RX_FAILED ? fail(io, c->rx_reason) : 0;
}

/*
 * Waits until the channel has octets (1), is at its end (0, -1 with an error)
 * or is to be retried (-1). |enough| is what the caller would like to have:
 * where it lent memory for that, it may be there, *n octets of it, and not in
 * the buffer.
 */
static int await_octets(const struct mtls_io *io, void *lent, size_t enough,
                        size_t *n)
{
    struct mtls_channel *c = io->channel;

    mtls_session_flush_draft(c);
    while (c->buffer.length == 0) {
        if (c->rx != MTLS_RX_OPEN)
            return at_end(io);
        if (c->life != MTLS_OPEN && open_channel(io) <= 0)
            return -1;
        if (lent != NULL)
            mtls_session_lend(c, lent, enough);
        mtls_mux_receive(io->mux, MTLS_WANT_OCTETS, c, enough, SIZE_MAX);
        *n = mtls_session_take_back(io->mux->session);
        if (*n != 0)
            return 1;
        if (c->buffer.length != 0 || c->rx != MTLS_RX_OPEN)
            continue;
        send_before_waiting(io); /* the peer may wait for what we owe */
        if (!mtls_io_blocks(io->mux, c) || !mtls_mux_wait_octets(io->mux, c))
            return mtls_io_retry_read(io);
    }
    return 1;
}

int mtls_io_read(const struct mtls_io *io, void *data, size_t len, size_t *n)
{
    int r;

    if (io->mux->dgram != NULL)
        return mtls_dgram_read(io, data, len, n);
    *n = 0;
    if (len == 0)
        return 1;
    r = await_octets(io, data, len, n);
    if (r <= 0)
        return r;
    if (*n == 0)
        *n = mtls_session_read(io->channel, data, len);
    send_owed(io);
    return 1;
}

/*
 * A line is taken whole, or not at all: what a retry would have to be told
 * again is lost on a caller of BIO_gets(). Without a newline it ends where the
 * caller's room does, or the data, or the credit that could bring more.
 */
int mtls_io_gets(const struct mtls_io *io, char *line, size_t size, size_t *n)
{
    struct mtls_channel *c = io->channel;
    size_t max = size - 1, len, have;

    if (io->mux->dgram != NULL)
        return mtls_dgram_gets(io, line, size, n);
    *n = 0;
    for (;;) {
        int r = await_octets(io, NULL, max, n);

        if (r <= 0)
            return r;
        len = mtls_buffer_line(&c->buffer, max);
        if (len == 0 && c->buffer.length >= max)
            len = max;
        if (len == 0 && (c->rx != MTLS_RX_OPEN || mtls_session_stuck(c)))
            len = c->buffer.length;
        if (len != 0)
            break;
        have = c->buffer.length;
        mtls_mux_receive(io->mux, MTLS_WANT_ALL, NULL, 0, 0);
        if (io->mux->in_more || c->buffer.length != have ||
            c->rx != MTLS_RX_OPEN)
            continue;
        send_before_waiting(io);
        if (!wait_or_retry(io))
            return mtls_io_retry_read(io);
    }
    *n = mtls_session_read(c, line, len);
    line[*n] = '\0';
    send_owed(io);
    return 1;
}

long mtls_io_nread0(const struct mtls_io *io, char **p)
{
    size_t n;
    int r = await_octets(io, NULL, MTLS_CHUNK_LARGE, &n);

    if (r <= 0)
        return r;
    *p = (char *)mtls_buffer_peek(&io->channel->buffer, &n);
    return (long)n;
}

long mtls_io_nread(const struct mtls_io *io, char **p, size_t len)
{
    long n = mtls_io_nread0(io, p);

    if (n <= 0)
        return n;
    if ((size_t)n > len)
        n = (long)len;
    mtls_session_drop(io->channel, (size_t)n);
    send_owed(io);
    return n;
}

/* --- writing --- */

/* 1: may be tried. 0: retry flags are set. -1: it can't be written to. */
static int writable_state(const struct mtls_io *io)
{
    const struct mtls_channel *c = io->channel;
    int r;

    if (c->tx_reason != 0 || c->tx != MTLS_TX_OPEN || io->mux->write_failed)
        return fail_write(io);
    if (c->life == MTLS_OPEN)
        return 1;
    r = open_channel(io);
    if (r <= 0)
        return r;
    return mtls_channel_sends(c) ? 1 : fail_write(io);
}

/*
 * Nothing could be taken: the transport moves, in both directions, lest two
 * writers wait for each other to read. 1: try again, 0: retry flags are set.
 */
static int make_room(const struct mtls_io *io, int *tried)
{
    mtls_mux_send(io->mux);
    mtls_mux_receive(io->mux, MTLS_WANT_ROOM, io->channel, 0, SIZE_MAX);
    mtls_mux_send(io->mux);
    if (mtls_session_claim_turn(io->channel) && !*tried) {
        *tried = 1;
        return 1;
    }
    if (wait_or_retry(io))
        return 1;
    retry_write(io);
    return 0;
}

/*
 * Of a write that was taken in part: whether what the transport has by now,
 * credit most of all, lets the rest follow at once.
 */
static int room_came(const struct mtls_io *io, int *asked)
{
    if (*asked)
        return 0;
    *asked = 1;
    mtls_mux_receive(io->mux, MTLS_WANT_ROOM, io->channel, 0, SIZE_MAX);
    return mtls_session_guarantee(io->channel) != 0;
}

/*
 * Before a packet is cut where credit ends: more of it may have come. What is
 * left of a window is often a few octets, which would cost a record.
 */
static void look_for_credit(const struct mtls_io *io, size_t len)
{
    const struct mtls_channel *c = io->channel;
    size_t want = len < c->out.max_packet ? len : c->out.max_packet;

    if (c->out.credit != 0 && c->out.credit < want)
        mtls_mux_receive(io->mux, MTLS_WANT_CREDIT, c, want, SIZE_MAX);
}

int mtls_io_write(const struct mtls_io *io, const void *data, size_t len,
                  size_t *n)
{
    const unsigned char *p = data;
    int blocks, tried = 0, asked = 0;
    size_t took;

    if (io->mux->dgram != NULL)
        return mtls_dgram_write(io, data, len, n);
    *n = 0;
    do {
        int r = writable_state(io);

        if (r <= 0)
            return *n > 0 ? 1 : -1;
        blocks = mtls_io_blocks(io->mux, io->channel);
        look_for_credit(io, len - *n);
        took = mtls_session_write(io->channel, p + *n, len - *n);
        *n += took;
        if (took != 0) {
            tried = 0;
            send_now(io);
        } else if (len != 0 && !make_room(io, &tried)) {
            return *n > 0 ? 1 : -1;
        }
    } while (*n < len && (blocks || *n == 0 || room_came(io, &asked)));
    await_sent(io);
    return 1;
}

long mtls_io_nwrite0(const struct mtls_io *io, char **p)
{
    int tried = 0;

    for (;;) {
        int r = writable_state(io);
        size_t room;

        if (r <= 0)
            return -1;
        if (io->channel->draft == NULL)
            look_for_credit(io, SIZE_MAX);
        *p = (char *)mtls_session_write_room(io->channel, &room);
        send_now(io);
        if (*p != NULL)
            return (long)room;
        if (!make_room(io, &tried))
            return -1;
    }
}

/* Of 0 octets: what nwrite0 lent is given back, lest it stay lent. */
long mtls_io_nwrite(const struct mtls_io *io, char **p, size_t len)
{
    long n;

    if (len == 0) {
        mtls_session_no_draft(io->channel);
        return 0;
    }
    n = mtls_io_nwrite0(io, p);
    if (n <= 0)
        return n;
    if ((size_t)n > len)
        n = (long)len;
    mtls_session_wrote(io->channel, (size_t)n);
    return n;
}

int mtls_io_flush(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;
    uint64_t mark;

    if (io->channel != NULL)
        mtls_session_flush_draft(io->channel);
    else
        mtls_session_send_drafts(mux->session);
    mtls_mux_send(mux);
    mark = mtls_session_queued(mux->session);
    while (!mtls_mux_flushed(mux, mark)) {
        if (mux->write_failed || mtls_session_ended(mux->session)) {
            MTLS_raise(MTLS_R_TRANSPORT_FAILED);
            return -1;
        }
        if (!mtls_io_blocks(mux, io->channel) || !mtls_mux_wait(mux, NULL)) {
            retry_call(io, BIO_FLAGS_WRITE, 0);
            return -1;
        }
        mtls_mux_send(mux);
    }
    return 1;
}

int mtls_io_end(const struct mtls_io *io)
{
    struct mtls_channel *c = io->channel;

    if (c->life == MTLS_ASKED)
        mtls_session_accept(c);
    if (!mtls_session_end_data(c)) {
        if (c->life >= MTLS_CLOSING)
            return 1; /* nothing can be sent any more anyway */
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    send_now(io);
    await_owed(io);
    return 1;
}

/* --- for datagrams --- */

int mtls_io_at_end(const struct mtls_io *io)
{
    return at_end(io);
}

int mtls_io_open_first(const struct mtls_io *io)
{
    return open_channel(io);
}

int mtls_io_writable(const struct mtls_io *io)
{
    return writable_state(io);
}

int mtls_io_wait(const struct mtls_io *io)
{
    return wait_or_retry(io);
}

void mtls_io_await_owed(const struct mtls_io *io)
{
    await_owed(io);
}

int mtls_io_retry_room(const struct mtls_io *io)
{
    retry_call(io, BIO_FLAGS_WRITE, 0);
    return -1;
}
