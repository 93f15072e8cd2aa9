/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "streams.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_CAPACITY 16

void mtls_streams_init(struct mtls_streams *streams, uint64_t seed)
{
    memset(streams, 0, sizeof(*streams));
    streams->mix = (seed * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

void mtls_streams_cleanup(struct mtls_streams *streams)
{
    free(streams->slots);
    streams->slots = NULL;
    streams->capacity = streams->count = streams->refused = 0;
}

/* Multiply and shift: the high bits depend on all of the id. */
static uint32_t home(const struct mtls_streams *streams, uint32_t id)
{
    uint64_t product = ((uint64_t)id + 1) * streams->mix;

    product ^= product >> 29;
    product *= streams->mix;
    return (uint32_t)(product >> 32) & (streams->capacity - 1);
}

/* The slot of |id|, or the free one where it would be. */
static struct mtls_stream *slot_of(const struct mtls_streams *streams,
                                   uint32_t id)
{
    uint32_t at = home(streams, id);

    while (streams->slots[at].used && streams->slots[at].id != id)
        at = (at + 1) & (streams->capacity - 1);
    return &streams->slots[at];
}

struct mtls_stream *mtls_streams_find(const struct mtls_streams *streams,
                                      uint32_t id)
{
    struct mtls_stream *slot;

    if (streams->capacity == 0)
        return NULL;
    slot = slot_of(streams, id);
    return slot->used ? slot : NULL;
}

/* Half of the slots stay free. */
static int make_room(struct mtls_streams *streams)
{
    struct mtls_streams wider = *streams;

    if (streams->count < streams->capacity / 2)
        return 1;
    wider.capacity =
        streams->capacity == 0 ? LEAST_CAPACITY : streams->capacity * 2;
    wider.slots = calloc(wider.capacity, sizeof(*wider.slots));
    if (wider.slots == NULL)
        return 0;
    for (uint32_t i = 0; i < streams->capacity; i++) {
        if (streams->slots[i].used)
            *slot_of(&wider, streams->slots[i].id) = streams->slots[i];
    }
    free(streams->slots);
    *streams = wider;
    return 1;
}

int mtls_streams_add(struct mtls_streams *streams, uint32_t id,
                     struct mtls_channel *channel)
{
    struct mtls_stream *slot;

    if (!make_room(streams))
        return 0;
    slot = slot_of(streams, id);
    slot->id = id;
    slot->used = 1;
    slot->channel = channel;
    streams->count++;
    streams->refused += channel == NULL;
    return 1;
}

/* Those behind it that belong further to the front move up. */
void mtls_streams_remove(struct mtls_streams *streams, uint32_t id)
{
    uint32_t mask = streams->capacity - 1, hole, at;
    struct mtls_stream *slot = mtls_streams_find(streams, id);

    if (slot == NULL)
        return;
    streams->count--;
    streams->refused -= slot->channel == NULL;
    hole = at = (uint32_t)(slot - streams->slots);
    for (;;) {
        at = (at + 1) & mask;
        if (!streams->slots[at].used)
            break;
        if (((at - home(streams, streams->slots[at].id)) & mask) >=
            ((at - hole) & mask)) {
            streams->slots[hole] = streams->slots[at];
            hole = at;
        }
    }
    memset(&streams->slots[hole], 0, sizeof(streams->slots[hole]));
}
