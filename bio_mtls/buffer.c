/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "buffer.h"

#include <stdlib.h>
#include <string.h>

static void free_all(struct mtls_chunk *chunk)
{
    while (chunk != NULL) {
        struct mtls_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* What chunks there are, and how many of each the pool keeps. */
static const struct {
    uint32_t capacity;
    unsigned int keep;
} classes[MTLS_CHUNK_CLASSES] = {{MTLS_CHUNK_SMALL, MTLS_POOL_SMALL},
                                 {MTLS_CHUNK_MEDIUM, MTLS_POOL_MEDIUM},
                                 {MTLS_CHUNK_LARGE, MTLS_POOL_LARGE}};

/* MTLS_CHUNK_CLASSES for what is none of them. */
static unsigned int class_of(size_t capacity)
{
    unsigned int i = 0;

    while (i < MTLS_CHUNK_CLASSES && classes[i].capacity != capacity)
        i++;
    return i;
}

void mtls_pool_cleanup(struct mtls_pool *pool)
{
    for (unsigned int i = 0; i < MTLS_CHUNK_CLASSES; i++)
        free_all(pool->kept[i].chunks);
    memset(pool, 0, sizeof(*pool));
}

static struct mtls_chunk *chunk_new(struct mtls_pool *pool, size_t capacity)
{
    unsigned int i = class_of(capacity);
    struct mtls_chunk *chunk;

    if (i < MTLS_CHUNK_CLASSES && pool->kept[i].chunks != NULL) {
        chunk = pool->kept[i].chunks;
        pool->kept[i].chunks = chunk->next;
        pool->kept[i].count--;
    } else {
        chunk = malloc(sizeof(*chunk) + capacity);
    }
    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->capacity = (uint32_t)capacity;
    chunk->start = chunk->end = 0;
    return chunk;
}

static void chunk_free(struct mtls_pool *pool, struct mtls_chunk *chunk)
{
    unsigned int i = class_of(chunk->capacity);

    if (i == MTLS_CHUNK_CLASSES || pool->kept[i].count == classes[i].keep) {
        free(chunk);
        return;
    }
    chunk->next = pool->kept[i].chunks;
    pool->kept[i].chunks = chunk;
    pool->kept[i].count++;
}

/* Large for what is large already; never much more than the buffer may hold. */
static size_t capacity_for(const struct mtls_buffer *buffer, size_t want,
                           size_t limit)
{
    size_t need = want > buffer->length ? want : buffer->length;
    size_t left = limit > buffer->length ? limit - buffer->length : 0;

    if (need <= MTLS_CHUNK_SMALL || left <= MTLS_CHUNK_SMALL)
        return MTLS_CHUNK_SMALL;
    if (need <= MTLS_CHUNK_MEDIUM && left >= MTLS_CHUNK_MEDIUM)
        return MTLS_CHUNK_MEDIUM;
    return left < MTLS_CHUNK_LARGE ? left : MTLS_CHUNK_LARGE;
}

unsigned char *mtls_buffer_room(struct mtls_buffer *buffer,
                                struct mtls_pool *pool, size_t want,
                                size_t limit, size_t *room)
{
    struct mtls_chunk *tail = buffer->tail;

    if (tail == NULL || tail->end == tail->capacity) {
        tail = chunk_new(pool, capacity_for(buffer, want, limit));
        if (tail == NULL)
            return NULL;
        if (buffer->tail == NULL)
            buffer->head = tail;
        else
            buffer->tail->next = tail;
        buffer->tail = tail;
    }
    *room = tail->capacity - tail->end;
    if (*room > want)
        *room = want;
    return tail->data + tail->end;
}

int mtls_buffer_peek_all(const struct mtls_buffer *buffer, struct iovec *v,
                         int max)
{
    int n = 0;

    for (struct mtls_chunk *c = buffer->head; c != NULL && n < max;
         c = c->next) {
        if (c->start == c->end)
            continue;
        v[n].iov_base = c->data + c->start;
        v[n++].iov_len = c->end - c->start;
    }
    return n;
}

const unsigned char *mtls_buffer_peek(const struct mtls_buffer *buffer,
                                      size_t *n)
{
    const struct mtls_chunk *chunk = buffer->head;

    while (chunk != NULL && chunk->start == chunk->end)
        chunk = chunk->next;
    if (chunk == NULL) {
        *n = 0;
        return NULL;
    }
    *n = chunk->end - chunk->start;
    return chunk->data + chunk->start;
}

void mtls_buffer_drop(struct mtls_buffer *buffer, size_t n)
{
    struct mtls_chunk *chunk = buffer->head;

    buffer->length -= (uint32_t)n;
    while (n > 0 && chunk != NULL) {
        size_t here = chunk->end - chunk->start;

        if (here > n)
            here = n;
        chunk->start += (uint32_t)here;
        n -= here;
        chunk = chunk->next;
    }
}

void mtls_buffer_trim(struct mtls_buffer *buffer, struct mtls_pool *pool)
{
    struct mtls_chunk *chunk;

    while ((chunk = buffer->head) != NULL && chunk->start == chunk->end) {
        buffer->head = chunk->next;
        if (buffer->head == NULL)
            buffer->tail = NULL;
        chunk_free(pool, chunk);
    }
}

void mtls_buffer_clear(struct mtls_buffer *buffer, struct mtls_pool *pool)
{
    mtls_buffer_drop(buffer, buffer->length);
    mtls_buffer_trim(buffer, pool);
}

size_t mtls_buffer_line(const struct mtls_buffer *buffer, size_t max)
{
    size_t before = 0;

    for (const struct mtls_chunk *c = buffer->head; c != NULL && before < max;
         c = c->next) {
        size_t here = c->end - c->start;
        const unsigned char *nl;

        if (here > max - before)
            here = max - before;
        nl = memchr(c->data + c->start, '\n', here);
        if (nl != NULL)
            return before + (size_t)(nl - (c->data + c->start)) + 1;
        before += here;
    }
    return 0;
}
