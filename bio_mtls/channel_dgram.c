/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A channel's I/O where it carries datagrams: one write, one packet; one read,
 * one packet. */
#include "channel_dgram.h"

#include "err.h"

#define AT_A_TIME (64 * 1024) /* octets beside, before others get a turn */

static void move(struct mtls_mux *mux, enum mtls_mux_want want,
                 const struct mtls_channel *c)
{
    mtls_mux_send(mux);
    mtls_mux_receive(mux, want, c, 0, SIZE_MAX);
    mtls_mux_send(mux);
}

/* 1 with one that waits, 0 end-of-file, -1. */
static int await_datagram(const struct mtls_io *io, size_t *len)
{
    struct mtls_channel *c = io->channel;

    while (!mtls_session_next_datagram(c, len)) {
        if (c->rx != MTLS_RX_OPEN)
            return mtls_io_at_end(io);
        if (c->life != MTLS_OPEN && mtls_io_open_first(io) <= 0)
            return -1;
        mtls_mux_receive(io->mux, MTLS_WANT_ALL, NULL, 0, AT_A_TIME);
        if (c->buffer.length != 0 || c->rx != MTLS_RX_OPEN)
            continue;
        mtls_mux_send(io->mux);
        /* It lets go of the lock, though there may be more at once. */
        if (!mtls_io_wait(io) && !io->mux->in_more)
            return mtls_io_retry_read(io);
    }
    return 1;
}

int mtls_dgram_read(const struct mtls_io *io, void *data, size_t room,
                    size_t *n)
{
    size_t len;
    int r;

    *n = 0;
    r = await_datagram(io, &len);
    if (r <= 0)
        return r;
    *n = mtls_session_read_datagram(io->channel, data, room);
    if (io->channel->owed != 0)
        mtls_mux_send(io->mux);
    return 1;
}

int mtls_dgram_gets(const struct mtls_io *io, char *line, size_t size,
                    size_t *n)
{
    int r = mtls_dgram_read(io, line, size - 1, n);

    if (r > 0)
        line[*n] = '\0';
    return r;
}

static int too_long(size_t len, uint32_t limit)
{
    MTLS_raise_data(MTLS_R_DATAGRAM_TOO_LONG,
                    "%zu octets, and one datagram here takes %lu at most", len,
                    (unsigned long)limit);
    return -1;
}

/* What a call that blocks has written is with the transport when it returns. */
static void await_sent(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;

    while (mtls_io_blocks(mux, io->channel) && mtls_mux_dgram_blocked(mux) &&
           !mtls_session_ended(mux->session) && mtls_mux_wait(mux, NULL))
        mtls_mux_send(mux);
}

/* Credit comes in; room in the transport is waited for out. */
static int retry_write(const struct mtls_io *io, size_t len)
{
    if (len > io->channel->out.credit)
        return mtls_io_retry_read(io);
    return mtls_io_retry_room(io);
}

int mtls_dgram_write(const struct mtls_io *io, const void *data, size_t len,
                     size_t *n)
{
    struct mtls_channel *c = io->channel;
    int asked = c->life == MTLS_ASKED;

    *n = 0;
    for (;;) {
        uint32_t limit;

        if (mtls_io_writable(io) <= 0)
            return -1;
        limit = mtls_session_datagram_limit(c);
        if (len > limit)
            return too_long(len, limit);
        if (mtls_session_write_datagram(c, data, len)) {
            *n = len;
            mtls_mux_send(io->mux);
            await_sent(io);
            if (asked)
                mtls_io_await_owed(io); /* the Success, beside */
            return 1;
        }
        move(io->mux, MTLS_WANT_ROOM, c);
        if (mtls_session_datagram_fits(c, len) || mtls_io_wait(io))
            continue;
        return retry_write(io, len);
    }
}

long mtls_dgram_pending(const struct mtls_channel *c)
{
    size_t len;

    return mtls_session_next_datagram(c, &len) ? (long)len : 0;
}
