/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the files of the session share, and nobody else sees. */
#ifndef MTLS_SESSION_LOCAL_H
#define MTLS_SESSION_LOCAL_H

#include "channel_table.h"
#include "record.h"
#include "session.h"
#include "session_00.h"
#include "streams.h"
#include "wire00.h"

#define MTLS_STAGING 8192      /* octets that are read before they are parsed */
#define MTLS_CONTROL_KEPT 1024 /* the longest packet but data kept whole */
#define MTLS_LONG_DATA 6000    /* data worth another read to save a copy, ... */
#define MTLS_SHORT_READ 64     /* ... which this one leaves to it */
#define MTLS_ANSWERS 128     /* to what names no channel; then reading stops */
#define MTLS_QUEUE_DATA 4    /* records that data may fill */
#define MTLS_DRAFTS_MAX 64   /* filled by programs, not in records yet */
#define MTLS_LEAST_DATA 64   /* a shorter piece is not worth a header */
#define MTLS_QUEUE_CONTROL 6 /* and with what channels owe */
#define MTLS_MIN_WINDOW 512  /* below that a channel is not worth having */
#define MTLS_ECHEC_KEPT 1000 /* octets of a peer's text */
#define MTLS_SKIP_PAST 65536 /* octets past the credit, then fatal (D10) */
#define MTLS_DATA_OCTETS 0x100 /* MTLS_MSG_DATA of the message hook */
#define MTLS_FRAME_HEAD 0x101  /* MTLS_MSG_FRAME, likewise */
#define MTLS_DIRECT_LEAST 256  /* less goes through the staging buffer */

/* An answer to a packet that names no channel of ours. */
struct mtls_answer {
    uint8_t type; /* MTLS_CONFIRMATION or MTLS_ECHEC */
    uint8_t word; /* of an Echec: enum mtls_refusal */
    uint32_t id;  /* or half */
};

/* D13's words, for refusals that the session decides by itself. */
enum mtls_refusal {
    MTLS_REFUSE_MALFORMED,
    MTLS_REFUSE_COLLISION,
    MTLS_REFUSE_SHORTAGE
};

/* Where the parser stands. */
struct mtls_input {
    _Alignas(max_align_t) unsigned char unused[8]; /* see record.h */
    unsigned char staging[MTLS_STAGING];
    uint32_t start, end; /* octets not parsed yet */
    uint32_t left;       /* of a packet's body, still to come */
    uint32_t skip_limit; /* with |channel| NULL: more to skip is fatal */
    struct mtls_channel *channel; /* whose data is |left| */
    unsigned char *direct;        /* its buffer's room, where that was lent */
    int bulk;                     /* the last data was long: so will be more */
    struct mtls_channel *lender;  /* whose reader lent |lent|, ... */
    unsigned char *lent;
    size_t lent_left, lent_filled; /* ... with so much still free, and used */
};

/* What a session of mtls-00 has besides (session_00.c). */
struct mtls_session_00 {
    struct mtls_streams streams;
    struct mtls_half_set ports; /* that were negotiated */
    int all;                    /* all were */
    uint16_t first_port;        /* the first of them, 0 none */
    uint16_t next_source;       /* where to look for a free source port */
};

struct mtls_session {
    struct mtls_session_00 *v00; /* NULL: draft 05 */
    struct mtls_session_config config;
    struct mtls_session_hooks hooks;
    void *app;
    int is_client, ended, broken;
    struct mtls_channel_table table;
    struct mtls_pool pool;
    struct mtls_records out;
    struct mtls_input in;
    struct mtls_answer answers[MTLS_ANSWERS];
    unsigned int answers_first, answers_count;
    struct mtls_list owing;   /* channels with something owed */
    struct mtls_list turns;   /* writers that wait for room, first first */
    struct mtls_list drafts;  /* channels with a filled draft (turn link) */
    struct mtls_list backlog; /* Requests not taken yet (turn link) */
    struct mtls_list early;   /* tried before the handshake (turn link) */
    struct mtls_list ready, next_round;
    unsigned int draft_count;
    size_t draft_octets;
    size_t held;   /* octets that the transport took, and could not send */
    uint16_t turn; /* counts those who had it */
    uint32_t asked, backlog_count;
    struct mtls_flow_tune tune;
    struct mtls_session_stats stats;
    struct mtls_dgram *dgram; /* NULL: channels carry streams */
};

/*
 * mtls_session_settle does what an event at a channel leaves to do: queues
 * what is owed, gives back what is over, tells the layer above. The channel
 * may be freed by it.
 */
void mtls_session_settle(struct mtls_channel *channel);

/* mtls_session_changed: readiness may have changed. */
void mtls_session_changed(struct mtls_channel *channel);

/* mtls_session_reserve finds a half and the window's memory: 0 or a reason. */
uint8_t mtls_session_reserve(struct mtls_channel *channel, int initiator);

/* mtls_session_find is the channel that a whole id names, or NULL (D2). */
static inline struct mtls_channel *
mtls_session_find(const struct mtls_session *s, uint32_t id)
{
    uint16_t a = (uint16_t)(id >> 16), b = (uint16_t)(id & 0xffff);
    struct mtls_channel *c = mtls_channel_table_at(&s->table, a);

    if (c != NULL && c->initiator && c->named && c->peer_half == b)
        return c;
    c = mtls_channel_table_at(&s->table, b);
    if (c != NULL && !c->initiator && c->named && c->peer_half == a)
        return c;
    return NULL;
}

/* mtls_session_answer queues one; the caller made sure of the room. */
void mtls_session_answer(struct mtls_session *session, uint8_t type,
                         uint32_t id, uint8_t word);

/* mtls_session_say_sent tells the message hook. */
static inline void mtls_session_say_sent(struct mtls_session *s, int type,
                                         const unsigned char *p, size_t n)
{
    if (s->hooks.message != NULL)
        s->hooks.message(s->app, 1, type, p, n);
}

/* mtls_session_emit_all sends what is owed and answers, while there is room. */
void mtls_session_emit_all(struct mtls_session *session);

/*
 * Turns (session_turn.c). may_write: whether the channel may put data into
 * records now; if not, it is told when. wait_turn puts it in line, leave_turns
 * takes it out; data_limit is how many records data may fill now.
 */
int mtls_session_may_write(struct mtls_channel *channel);
int mtls_session_wait_turn(struct mtls_channel *channel);
void mtls_session_leave_turns(struct mtls_channel *channel);
struct mtls_channel *
mtls_session_first_in_turn(const struct mtls_session *session);
unsigned int mtls_session_data_limit(const struct mtls_session *session);

/* mtls_session_room_freed: the writer that waits longest has its turn. */
void mtls_session_room_freed(struct mtls_session *session);

/* mtls_session_emit sends one channel's owed packets; 0: no room for all. */
int mtls_session_emit(struct mtls_channel *channel);

/* mtls_address_usable: D12, as far as the octets tell. */
int mtls_address_usable(const struct mtls_address *address);

/* mtls_text_escape makes a peer's text fit to be shown; NULL: no memory. */
char *mtls_text_escape(const char *text, size_t len);

/* mtls_session_sent_owed: all that the channel owed is in records. */
void mtls_session_sent_owed(struct mtls_channel *channel);

/* mtls_session_join_turns: a refused writer that has credit waits for room. */
void mtls_session_join_turns(struct mtls_channel *channel);

/*
 * mtls_session_offer_turn: the channel is about to be told that it can write.
 * If it was told so before and did not, or does not want to be told, others
 * come first.
 */
void mtls_session_offer_turn(struct mtls_channel *channel);

/*
 * mtls_session_stop_writing: nothing more can be written; what write_room lent
 * stays the program's until its next call.
 */
void mtls_session_stop_writing(struct mtls_channel *channel);

/* mtls_session_drop_draft takes back what write_room lent. */
void mtls_session_drop_draft(struct mtls_channel *channel);

/* mtls_session_was_read: |n| octets that waited do so no more. */
void mtls_session_was_read(struct mtls_channel *channel, size_t n);

/* mtls_session_grow widens a window whose Acknowledgment is about to go. */
void mtls_session_grow(struct mtls_channel *channel);

/* mtls_session_memory_free: what windows may grow into. */
uint64_t mtls_session_memory_free(const struct mtls_session *session);

/* --- mtls-00 (session_00.c, session_00_in.c) --- */

void mtls_session_00_free(struct mtls_session *session);

/* mtls_session_00_open: as mtls_session_open(). */
uint8_t mtls_session_00_open(struct mtls_channel *channel);

/* mtls_session_00_settle makes of what an event leaves to do in draft 05 what
 * it leaves to do here. */
void mtls_session_00_settle(struct mtls_channel *channel);
void mtls_session_00_forget(struct mtls_channel *channel);

/* The header of |len| octets of data; returns its size. */
size_t mtls_session_00_put_header(struct mtls_channel *channel,
                                  unsigned char *p, size_t len);
size_t mtls_session_00_put_owed(struct mtls_channel *channel,
                                enum mtls_channel_owed owed, unsigned char *p,
                                size_t room);
size_t mtls_session_00_put_answer(const struct mtls_session *session,
                                  uint32_t id, unsigned char *p, size_t room);

/*
 * mtls_session_00_first: the channel of a stream that this frame opens, whose
 * data is to follow. NULL: there is none, and what there is to say was queued.
 */
struct mtls_channel *mtls_session_00_first(struct mtls_session *session,
                                           uint32_t id,
                                           const struct mtls_frame *frame);

/* mtls_session_00_id: which stream a frame from the peer names. */
static inline uint32_t mtls_session_00_id(const struct mtls_session *s,
                                          const struct mtls_frame *frame)
{
    return s->is_client ? mtls_id(frame->destination, frame->source)
                        : mtls_id(frame->source, frame->destination);
}

/* mtls_session_00_head parses a frame's header; 0 when octets are missing. */
int mtls_session_00_head(struct mtls_session *session);

/* mtls_session_00_room: how much of the frame's data can be stored now. */
size_t mtls_session_00_room(const struct mtls_session *session);

/* mtls_session_00_data_room lends that, or a part of it. */
unsigned char *mtls_session_00_data_room(struct mtls_session *session,
                                         size_t *room);

/* mtls_session_00_was_read: the reader made room; the session may go on. */
void mtls_session_00_was_read(struct mtls_channel *channel, size_t n);

/* mtls_session_break: the peer's octets can't be followed. */
void mtls_session_break(struct mtls_session *session);

static inline int mtls_session_stalls(const struct mtls_session *s)
{
    return s->v00 != NULL && s->in.left > 0 && s->in.channel != NULL &&
           mtls_session_00_room(s) == 0;
}

/* --- */

/* The header of a data packet; returns its size. */
static inline size_t mtls_session_put_header(struct mtls_channel *c,
                                             unsigned char *p, size_t len)
{
    if (c->session->v00 != NULL)
        return mtls_session_00_put_header(c, p, len);
    return mtls_wire_put_data_header(p, MTLS_DATA_HEADER_SIZE,
                                     mtls_channel_id(c), (uint32_t)len);
}

/* mtls_session_say_data tells the message hook of a data packet. */
static inline void mtls_session_say_data(struct mtls_session *s,
                                         const unsigned char *p, size_t head,
                                         size_t len)
{
    if (s->hooks.message == NULL)
        return;
    mtls_session_say_sent(s, s->v00 != NULL ? MTLS_FRAME_HEAD : MTLS_PLAINTEXT,
                          p, head);
    mtls_session_say_sent(s, MTLS_DATA_OCTETS, p + head, len);
}

static inline uint64_t mtls_session_memory_left(const struct mtls_session *s)
{
    return s->config.session_memory > s->stats.window_memory
               ? s->config.session_memory - s->stats.window_memory
               : 0;
}

#endif
