/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The records under construction: a queue of buffers, each of which becomes
 * one TLS record. Packets are packed into the last one until it is full or
 * its sending has begun.
 */
#ifndef MTLS_RECORD_H
#define MTLS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define MTLS_RECORD_SIZE 16384 /* a TLS record's plaintext (RFC 8446 5.1) */

/*
 * Some processors copy thirty times slower to where the address, modulo a page,
 * is 1 to 15 past that of the source (AMD's Zen 4, "rep movsb"). OpenSSL has a
 * record's content 8 octets past a multiple of 16; so have we what is copied
 * there, which keeps it from that. The same in struct mtls_chunk and
 * mtls_input.
 */
struct mtls_record {
    struct mtls_record *next;
    uint32_t start, end; /* what is still to be sent */
    uint32_t sealed;     /* nothing may be added: a retry needs the same */
    unsigned char unused[sizeof(void *) == 8 ? 4 : 8];
    unsigned char data[MTLS_RECORD_SIZE];
};

#define MTLS_COPY_ALIGN 16
_Static_assert(offsetof(struct mtls_record, data) % MTLS_COPY_ALIGN == 8,
               "as the content of a TLS record");

struct mtls_records {
    struct mtls_record *head, *tail;
    struct mtls_record *spare; /* one is kept, so that sending allocates not */
    unsigned int count;
    uint64_t queued; /* octets that were ever put in */
    uint64_t sent;   /* of those, given to the transport */
};

void mtls_records_cleanup(struct mtls_records *records);

/*
 * mtls_records_room lends room for at least |least| octets in the record under
 * construction, or in a new one; NULL when that would be more than |limit|
 * records, or out of memory.
 */
static inline void mtls_records_filled(struct mtls_records *records, size_t n)
{
    records->tail->end += (uint32_t)n;
    records->queued += n;
}

static inline int mtls_records_tail_fits(const struct mtls_records *records,
                                         size_t least)
{
    const struct mtls_record *tail = records->tail;

    return tail != NULL && !tail->sealed &&
           MTLS_RECORD_SIZE - tail->end >= least;
}

unsigned char *mtls_records_new_room(struct mtls_records *records,
                                     unsigned int limit, size_t *room);

static inline unsigned char *mtls_records_room(struct mtls_records *records,
                                               size_t least, unsigned int limit,
                                               size_t *room)
{
    struct mtls_record *tail = records->tail;

    if (records->count > limit || !mtls_records_tail_fits(records, least))
        return mtls_records_new_room(records, limit, room);
    *room = MTLS_RECORD_SIZE - tail->end;
    return tail->data + tail->end;
}

/* mtls_records_has_room asks, without taking memory. */
int mtls_records_has_room(const struct mtls_records *records, size_t least,
                          unsigned int limit);

/*
 * A record may also be filled outside the queue: mtls_records_take lends an
 * empty one (NULL: out of memory), which goes to the queue's end by
 * mtls_records_add or, unused, back by mtls_records_give_back.
 */
struct mtls_record *mtls_records_take(struct mtls_records *records);
void mtls_records_add(struct mtls_records *records, struct mtls_record *record);
void mtls_records_give_back(struct mtls_records *records,
                            struct mtls_record *record);

/*
 * mtls_records_peek lends what is to be sent next. It is the same until
 * mtls_records_sent(), as SSL_write() asks of a retry.
 */
const unsigned char *mtls_records_peek(struct mtls_records *records,
                                       size_t *len);
void mtls_records_sent(struct mtls_records *records, size_t n);

/* mtls_records_waiting is how many octets are still to be sent. */
static inline uint64_t mtls_records_waiting(const struct mtls_records *records)
{
    return records->queued - records->sent;
}

#endif
