/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "datagrams.h"

#include <stdlib.h>
#include <string.h>

static int append(struct mtls_buffer *buffer, struct mtls_pool *pool,
                  const unsigned char *p, size_t n, size_t limit)
{
    size_t room;

    while (n > 0) {
        unsigned char *to = mtls_buffer_room(buffer, pool, n, limit, &room);

        if (to == NULL)
            return 0;
        memcpy(to, p, room);
        mtls_buffer_filled(buffer, room);
        p += room;
        n -= room;
    }
    return 1;
}

/* Back to what it was when |tail| was the last chunk, and ended at |end|. */
static void cut_back(struct mtls_buffer *buffer, struct mtls_chunk *tail,
                     uint32_t end, uint32_t length)
{
    struct mtls_chunk *chunk = tail != NULL ? tail->next : buffer->head;

    while (chunk != NULL) {
        struct mtls_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    if (tail != NULL) {
        tail->next = NULL;
        tail->end = end;
    } else {
        buffer->head = NULL;
    }
    buffer->tail = tail;
    buffer->length = length;
}

int mtls_datagrams_put(struct mtls_buffer *buffer, struct mtls_pool *pool,
                       const unsigned char *data, size_t len, size_t limit)
{
    const unsigned char head[MTLS_DATAGRAM_HEAD] = {
        (unsigned char)(len >> 8 & 0xff), (unsigned char)(len & 0xff)};
    struct mtls_chunk *tail = buffer->tail;
    uint32_t end = tail != NULL ? tail->end : 0, length = buffer->length;

    if (len > MTLS_DATAGRAM_MAX ||
        (length != 0 && length + sizeof(head) + len > limit))
        return 0;
    if (append(buffer, pool, head, sizeof(head), limit) &&
        append(buffer, pool, data, len, limit))
        return 1;
    cut_back(buffer, tail, end, length);
    return 0;
}

/* The octets of the buffer from |at| on, without taking them. */
static unsigned char octet_at(const struct mtls_buffer *buffer, size_t at)
{
    const struct mtls_chunk *chunk = buffer->head;

    while (at >= chunk->end - chunk->start) {
        at -= chunk->end - chunk->start;
        chunk = chunk->next;
    }
    return chunk->data[chunk->start + at];
}

int mtls_datagrams_next(const struct mtls_buffer *buffer, size_t *len)
{
    if (buffer->length == 0)
        return 0;
    *len = (size_t)octet_at(buffer, 0) << 8 | octet_at(buffer, 1);
    return 1;
}

size_t mtls_datagrams_take(struct mtls_buffer *buffer, struct mtls_pool *pool,
                           unsigned char *out, size_t room)
{
    size_t len, left, n;

    if (!mtls_datagrams_next(buffer, &len))
        return 0;
    mtls_buffer_drop(buffer, MTLS_DATAGRAM_HEAD);
    mtls_buffer_trim(buffer, pool);
    for (left = len; left > 0; left -= n) {
        const unsigned char *p = mtls_buffer_peek(buffer, &n);

        if (n > left)
            n = left;
        if (room > 0) {
            size_t copied = n < room ? n : room;

            memcpy(out, p, copied);
            out += copied;
            room -= copied;
        }
        mtls_buffer_drop(buffer, n);
        mtls_buffer_trim(buffer, pool);
    }
    return len;
}
