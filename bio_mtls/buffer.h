/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A channel's receive buffer: a chain of chunks that exist only while octets
 * wait in them, so that an idle channel costs nothing here. Emptied chunks go
 * back to the session's pool.
 */
#ifndef MTLS_BUFFER_H
#define MTLS_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define MTLS_CHUNK_SMALL 512
#define MTLS_CHUNK_MEDIUM 4096
#define MTLS_CHUNK_LARGE 16384
#define MTLS_CHUNK_CLASSES 3
#define MTLS_POOL_SMALL 128 /* how many of each the pool keeps */
#define MTLS_POOL_MEDIUM 32
#define MTLS_POOL_LARGE 4

struct mtls_chunk {
    struct mtls_chunk *next;
    uint32_t capacity, start, end;
    /* So that data is where record.h wants it, behind a packet's header. */
    unsigned char unused[sizeof(void *) == 8 ? 13 : 1];
    unsigned char data[];
};

_Static_assert(offsetof(struct mtls_chunk, data) % 16 == (8 + 9) % 16,
               "as what is behind a header at the start of a TLS record");

struct mtls_pool {
    struct {
        struct mtls_chunk *chunks;
        unsigned int count;
    } kept[MTLS_CHUNK_CLASSES];
};

struct mtls_buffer {
    struct mtls_chunk *head, *tail;
    uint32_t length; /* octets that wait */
};

void mtls_pool_cleanup(struct mtls_pool *pool);

/*
 * mtls_buffer_room lends room behind the octets that wait, for 1 to |want|
 * more; *room tells for how many. |limit| bounds what the buffer may come to
 * hold, to size new chunks. NULL when out of memory.
 */
unsigned char *mtls_buffer_room(struct mtls_buffer *buffer,
                                struct mtls_pool *pool, size_t want,
                                size_t limit, size_t *room);

/* mtls_buffer_row is how much there is in a row, where room was just lent. */
static inline size_t mtls_buffer_row(const struct mtls_buffer *buffer)
{
    return buffer->tail->capacity - buffer->tail->end;
}

/* mtls_buffer_filled says that |n| octets were put where room was lent. */
static inline void mtls_buffer_filled(struct mtls_buffer *buffer, size_t n)
{
    buffer->tail->end += (uint32_t)n;
    buffer->length += (uint32_t)n;
}

/* mtls_buffer_peek lends the first octets that wait, *n of them in a row. */
const unsigned char *mtls_buffer_peek(const struct mtls_buffer *buffer,
                                      size_t *n);

/* mtls_buffer_peek_all lends up to |max| pieces of what waits; their number. */
int mtls_buffer_peek_all(const struct mtls_buffer *buffer, struct iovec *v,
                         int max);

/*
 * mtls_buffer_drop forgets the first |n| octets. Their memory stays valid
 * until mtls_buffer_trim() or mtls_buffer_clear().
 */
void mtls_buffer_drop(struct mtls_buffer *buffer, size_t n);
void mtls_buffer_trim(struct mtls_buffer *buffer, struct mtls_pool *pool);
void mtls_buffer_clear(struct mtls_buffer *buffer, struct mtls_pool *pool);

/* mtls_buffer_line returns the octets up to and with the first newline, or 0
 * when none is among the first |max|. */
size_t mtls_buffer_line(const struct mtls_buffer *buffer, size_t max);

#endif
