/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Which channel a pair of ports names, in mtls-00: a hash table, since a peer
 * may use any pairs. Those that were refused stand in it without a channel,
 * until the peer has ended them.
 */
#ifndef MTLS_STREAMS_H
#define MTLS_STREAMS_H

#include <stddef.h>
#include <stdint.h>

struct mtls_channel;

struct mtls_stream {
    struct mtls_channel *channel; /* NULL: refused */
    uint32_t id;                  /* the opener's port, the other port */
    uint32_t used;                /* else the slot is free */
};

struct mtls_streams {
    struct mtls_stream *slots;
    uint32_t capacity; /* a power of 2, or 0 */
    uint32_t count, refused;
    uint64_t mix; /* unknown to the peer, lest it choose ids that collide */
};

void mtls_streams_init(struct mtls_streams *streams, uint64_t seed);
void mtls_streams_cleanup(struct mtls_streams *streams);

struct mtls_stream *mtls_streams_find(const struct mtls_streams *streams,
                                      uint32_t id);

/* mtls_streams_add: 1, 0 out of memory. The id is not in the table. */
int mtls_streams_add(struct mtls_streams *streams, uint32_t id,
                     struct mtls_channel *channel);
void mtls_streams_remove(struct mtls_streams *streams, uint32_t id);

#endif
