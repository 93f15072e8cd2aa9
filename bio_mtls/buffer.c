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

void mtls_pool_cleanup(struct mtls_pool *pool)
{
    free_all(pool->small);
    free_all(pool->large);
    memset(pool, 0, sizeof(*pool));
}

static struct mtls_chunk *take_from(struct mtls_chunk **list,
                                    unsigned int *count)
{
    struct mtls_chunk *chunk = *list;

    if (chunk != NULL) {
        *list = chunk->next;
        --*count;
    }
    return chunk;
}

static struct mtls_chunk *chunk_new(struct mtls_pool *pool, size_t capacity)
{
    struct mtls_chunk *chunk = NULL;

    if (capacity == MTLS_CHUNK_SMALL)
        chunk = take_from(&pool->small, &pool->small_count);
    else if (capacity == MTLS_CHUNK_LARGE)
        chunk = take_from(&pool->large, &pool->large_count);
    if (chunk == NULL)
        chunk = malloc(sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->capacity = (uint32_t)capacity;
    chunk->start = chunk->end = 0;
    return chunk;
}

static void chunk_free(struct mtls_pool *pool, struct mtls_chunk *chunk)
{
    struct mtls_chunk **list = NULL;

    if (chunk->capacity == MTLS_CHUNK_SMALL &&
        pool->small_count < MTLS_POOL_SMALL) {
        list = &pool->small;
        pool->small_count++;
    } else if (chunk->capacity == MTLS_CHUNK_LARGE &&
               pool->large_count < MTLS_POOL_LARGE) {
        list = &pool->large;
        pool->large_count++;
    }
    if (list == NULL) {
        free(chunk);
        return;
    }
    chunk->next = *list;
    *list = chunk;
}

/* Large for what is large already; never much more than the buffer may hold. */
static size_t capacity_for(const struct mtls_buffer *buffer, size_t want,
                           size_t limit)
{
    size_t need = want > buffer->length ? want : buffer->length;
    size_t left = limit > buffer->length ? limit - buffer->length : 0;

    if (need <= MTLS_CHUNK_SMALL || left <= MTLS_CHUNK_SMALL)
        return MTLS_CHUNK_SMALL;
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

void mtls_buffer_filled(struct mtls_buffer *buffer, size_t n)
{
    buffer->tail->end += (uint32_t)n;
    buffer->length += (uint32_t)n;
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
