/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A channel's I/O as BIO calls want it: retry flags, blocking by emulation,
 * errors on the queue. The filter (for its default channel) and the channel
 * BIOs share these. |b| is the BIO whose flags are set.
 *
 * Locked by the caller. Returns are BIO's: 1, or 0 at end-of-file, or -1 with
 * retry flags or an error.
 */
#ifndef MTLS_CHANNEL_IO_H
#define MTLS_CHANNEL_IO_H

#include "mux.h"

struct mtls_io {
    struct mtls_mux *mux;
    struct mtls_channel *channel;
    BIO *b;
};

/* channel->app_flags */
#define MTLS_IO_NBIO_SET 0x01   /* BIO_set_nbio() was called on the channel */
#define MTLS_IO_NBIO 0x02       /* with this */
#define MTLS_IO_SOURCE_SET 0x04 /* the program named the source */
#define MTLS_IO_SHARED 0x08     /* one thread reads it, another writes */
#define MTLS_IO_RETRY 0x10      /* this call asks for a retry */
#define MTLS_IO_FLAGS 0x20      /* the BIO's flags tell of a retry */

int mtls_io_open(const struct mtls_io *io);
int mtls_io_read(const struct mtls_io *io, void *data, size_t len, size_t *n);
int mtls_io_gets(const struct mtls_io *io, char *line, size_t size, size_t *n);
int mtls_io_write(const struct mtls_io *io, const void *data, size_t len,
                  size_t *n);
int mtls_io_flush(const struct mtls_io *io);

/* mtls_io_put: with the cork in, most writes are no more than this; or 0. */
static inline int mtls_io_put(const struct mtls_io *io, const void *data,
                              size_t len)
{
    return io->mux->corked && !io->mux->write_failed &&
           mtls_session_put(io->channel, data, len);
}
int mtls_io_end(const struct mtls_io *io);

/* BIO_s_bio's zero-copy calls: -1 or 0 as read and write, else octets. */
long mtls_io_nread0(const struct mtls_io *io, char **p);
long mtls_io_nread(const struct mtls_io *io, char **p, size_t len);
long mtls_io_nwrite0(const struct mtls_io *io, char **p);
long mtls_io_nwrite(const struct mtls_io *io, char **p, size_t len);

/* Steps of the above, for those calls where channels carry datagrams. */
int mtls_io_at_end(const struct mtls_io *io);
int mtls_io_open_first(const struct mtls_io *io);
int mtls_io_writable(const struct mtls_io *io);
int mtls_io_wait(const struct mtls_io *io);
void mtls_io_await_owed(const struct mtls_io *io);
int mtls_io_retry_room(const struct mtls_io *io);

int mtls_io_eof(const struct mtls_channel *channel);

/* mtls_io_blocks: whether calls on |channel| (NULL: the filter) wait. */
int mtls_io_blocks(const struct mtls_mux *mux,
                   const struct mtls_channel *channel);

/* mtls_io_ready does the handshake below: 1, or -1 with flags or an error. */
int mtls_io_ready(const struct mtls_io *io);

/* Retry flags, for: no Request waits; input; a reader that makes room;
 * whatever the BIO below wants. */
void mtls_io_retry_accept(BIO *b);
int mtls_io_retry_read(const struct mtls_io *io);
int mtls_io_retry_stalled(const struct mtls_io *io);
int mtls_io_retry_next(const struct mtls_io *io);

/* mtls_io_set_destination parses |host_port|, as BIO_s_connect does, of which
 * host or port may be missing; 0 with an error. The same for the source. */
int mtls_io_set_destination(struct mtls_channel *channel, const char *host_port,
                            int prefer_port);
int mtls_io_set_source(struct mtls_channel *channel, const char *host_port);

/* mtls_io_own_source names the session's own address (D15). */
int mtls_io_own_source(struct mtls_mux *mux, struct mtls_channel *channel);

/* mtls_io_address: "host:port" of one end of the session's socket, or NULL. */
const char *mtls_io_address(struct mtls_mux *mux, int peer);

#endif
