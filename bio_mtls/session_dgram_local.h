/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What sessions with datagrams have more, of either version. */
#ifndef MTLS_SESSION_DGRAM_LOCAL_H
#define MTLS_SESSION_DGRAM_LOCAL_H

#include "session_dgram.h"
#include "session_local.h"

struct mtls_keep {
    uint64_t interval;           /* microseconds; 0: nothing is asked */
    uint64_t heard_at, asked_at; /* 0: not yet */
    unsigned int unheard;        /* questions since something came */
    uint8_t owed;
    uint8_t answers; /* the peer has, once */
};

struct mtls_dgram {
    uint32_t limit;
    uint32_t out_len;          /* 0: nothing waits in |out| */
    struct mtls_list starving; /* channels without credit for what they have */
    uint64_t next_probe;       /* of one of those */
    struct mtls_list held;
    unsigned int held_count;
    size_t held_octets;
    struct mtls_list in_use; /* streams of mtls-00 that the peer opened (Q16) */
    struct mtls_keep keep;
    unsigned char out[MTLS_RECORD_SIZE];
};

/* What a channel has more in such a session. */
struct dgram_channel {
    struct mtls_channel channel; /* first: one is the other */
    struct mtls_list starving;
    uint64_t probe_at;
    uint64_t answered_at; /* when the peer asked last, and got an answer */
    uint64_t grown_at;    /* data_in when the window last grew */
    uint32_t probe_after;
    uint32_t need; /* credit that the write that was refused asks for */
    uint32_t most; /* the largest credit that was used or announced */
    struct mtls_list in_use;
    uint64_t used_at; /* by a frame, of either end */
};

static inline struct dgram_channel *dgram_of(struct mtls_channel *c)
{
    return (struct dgram_channel *)c;
}

/* mtls_dgram_dropped counts one that was no use. */
static inline void mtls_dgram_dropped(struct mtls_session *s)
{
    s->stats.datagrams_dropped++;
}

/* --- keep-alive (session_keep.c) --- */

/* Something came; was it a question, or an answer, of these? */
void mtls_keep_heard(struct mtls_session *session);
int mtls_keep_in(struct mtls_session *session, uint32_t id,
                 const unsigned char *data, size_t len);

/* What is owed, if anything, goes where datagrams wait to be sent. */
void mtls_keep_out(struct mtls_session *session);

uint64_t mtls_keep_deadline(const struct mtls_session *session);
void mtls_keep_tick(struct mtls_session *session, uint64_t now);

/* --- mtls-00 (session_00_dgram.c) --- */

/* The octets of one record: frames. */
void mtls_session_00_datagram_in(struct mtls_session *session,
                                 const unsigned char *p, size_t len);

/* An end that is owed, if any, goes where datagrams wait to be sent. */
void mtls_session_00_owed_datagram(struct mtls_session *session);

/* mtls_session_00_used: a frame went by. */
void mtls_session_00_used(struct mtls_channel *channel);

/* What was not used for long is over (Q16). */
uint64_t mtls_session_00_deadline(const struct mtls_session *session);
void mtls_session_00_tick(struct mtls_session *session, uint64_t now);

#endif
