/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The way out of data: into records, by copying or in place. */
#include "session_local.h"

#include <string.h>

/* --- data --- */

static inline void count_data(struct mtls_channel *c, size_t n)
{
    struct mtls_session *s = c->session;

    c->out.credit -= (uint32_t)n;
    c->data_out += n;
    c->packets_out++;
    s->stats.data_out += n;
    s->stats.packets_out++;
}

static inline void fill_packet(struct mtls_channel *c, unsigned char *p,
                               const void *data, size_t len)
{
    struct mtls_session *s = c->session;
    size_t head = mtls_session_put_header(c, p, len);

    memcpy(p + head, data, len);
    mtls_records_filled(&s->out, head + len);
    count_data(c, len);
    mtls_session_say_data(s, p, head, len);
}

/* One packet; returns its data's octets, 0 when there is no room. */
static size_t put_packet(struct mtls_channel *c, const unsigned char *data,
                         size_t len)
{
    struct mtls_session *s = c->session;
    size_t limit = mtls_flow_tx_limit(&c->out), room;
    size_t least = len < MTLS_LEAST_DATA ? len : MTLS_LEAST_DATA;
    unsigned char *p = mtls_records_room(&s->out, MTLS_DATA_HEADER_SIZE + least,
                                         mtls_session_data_limit(s), &room);

    if (p == NULL)
        return 0;
    if (len > limit)
        len = limit;
    if (len > room - MTLS_DATA_HEADER_SIZE)
        len = room - MTLS_DATA_HEADER_SIZE;
    fill_packet(c, p, data, len);
    return len;
}

/* No new record, unless it is the first: those are counted elsewhere. */
static unsigned char *room_for_one(struct mtls_session *s, size_t size)
{
    size_t room;

    if (s->out.count <= MTLS_QUEUE_DATA &&
        mtls_records_tail_fits(&s->out, size))
        return s->out.tail->data + s->out.tail->end;
    if (s->out.count != 0 || size > MTLS_RECORD_SIZE)
        return NULL;
    return mtls_records_new_room(&s->out, MTLS_QUEUE_DATA, &room);
}

int mtls_session_put(struct mtls_channel *c, const void *data, size_t len)
{
    struct mtls_session *s = c->session;
    unsigned char *p;

    if (len == 0 || len > mtls_flow_tx_limit(&c->out) ||
        !mtls_channel_sends(c) || (c->owed & MTLS_OWE_SUCCESS) ||
        c->draft != NULL || s->draft_count != 0 || s->held != 0 ||
        s->v00 != NULL || s->hooks.message != NULL ||
        !mtls_list_empty(&s->turns))
        return 0;
    p = room_for_one(s, MTLS_DATA_HEADER_SIZE + len);
    if (p == NULL)
        return 0;
    c->offered = c->wants_room = 0;
    mtls_wire_put_data_header(p, MTLS_DATA_HEADER_SIZE, mtls_channel_id(c),
                              (uint32_t)len);
    memcpy(p + MTLS_DATA_HEADER_SIZE, data, len);
    mtls_records_filled(&s->out, MTLS_DATA_HEADER_SIZE + len);
    count_data(c, len);
    return 1;
}

size_t mtls_session_write(struct mtls_channel *c, const void *data, size_t len)
{
    struct mtls_session *s = c->session;
    const unsigned char *p = data;
    size_t done = 0, n, most = len;

    if (len == 0)
        return 0;
    if (mtls_session_put(c, data, len))
        return len;
    if (!mtls_session_may_write(c))
        return 0;
    if (mtls_session_first_in_turn(s) != NULL && most > MTLS_RECORD_SIZE)
        most = MTLS_RECORD_SIZE;
    while (done < most && mtls_flow_tx_limit(&c->out) != 0) {
        n = put_packet(c, p + done, most - done);
        if (n == 0)
            break;
        done += n;
    }
    if (done < len) /* what is left waits for credit, or for its turn */
        c->wants_room = 1;
    mtls_session_join_turns(c);
    mtls_session_room_freed(s);
    return done;
}

/* --- drafts --- */

unsigned char *mtls_session_write_room(struct mtls_channel *c, size_t *room)
{
    struct mtls_session *s = c->session;

    /* What was lent stays lent: it may have been filled meanwhile. */
    if ((c->draft == NULL || c->draft->end != 0 || !mtls_channel_sends(c) ||
         mtls_flow_tx_limit(&c->out) == 0) &&
        !mtls_session_may_write(c))
        return NULL;
    if (c->draft == NULL)
        c->draft = mtls_records_take(&s->out);
    if (c->draft == NULL) { /* out of memory: to be tried again */
        mtls_session_wait_turn(c);
        mtls_session_room_freed(s);
        return NULL;
    }
    *room = MTLS_RECORD_SIZE - MTLS_DATA_HEADER_SIZE;
    if (*room > mtls_flow_tx_limit(&c->out))
        *room = mtls_flow_tx_limit(&c->out);
    return c->draft->data + MTLS_DATA_HEADER_SIZE;
}

void mtls_session_wrote(struct mtls_channel *c, size_t n)
{
    struct mtls_session *s = c->session;

    if (n == 0 || c->draft == NULL || !mtls_channel_sends(c))
        return;
    mtls_session_leave_turns(c);
    c->draft->end = (uint32_t)(MTLS_DATA_HEADER_SIZE + n);
    count_data(c, n);
    mtls_list_append(&s->drafts, &c->turn);
    s->draft_count++;
    s->draft_octets += c->draft->end;
}

/* A short one is copied behind what is there; a long one goes as it is. */
static void queue_draft(struct mtls_session *s, struct mtls_record *draft)
{
    size_t room, n = draft->end - draft->start;
    unsigned char *p;

    p = n > MTLS_RECORD_SIZE / 4
            ? NULL
            : mtls_records_room(&s->out, n, MTLS_QUEUE_DATA, &room);
    if (p == NULL) {
        mtls_records_add(&s->out, draft);
        return;
    }
    memcpy(p, draft->data + draft->start, n);
    mtls_records_filled(&s->out, n);
    mtls_records_give_back(&s->out, draft);
}

/* Whatever becomes of it, it is not one of those that wait any more. */
static void uncount_draft(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    if (c->draft->end == 0)
        return;
    mtls_list_remove(&c->turn);
    s->draft_count--;
    s->draft_octets -= c->draft->end;
}

/* Right in front of the data; that of mtls-00 is shorter than its room. */
static void fill_header(struct mtls_channel *c, struct mtls_record *draft)
{
    struct mtls_session *s = c->session;
    size_t len = draft->end - MTLS_DATA_HEADER_SIZE;

    draft->start =
        s->v00 == NULL ? 0 : MTLS_DATA_HEADER_SIZE - MTLS_FRAME_HEADER;
    mtls_session_put_header(c, draft->data + draft->start, len);
    mtls_session_say_data(s, draft->data + draft->start,
                          MTLS_DATA_HEADER_SIZE - draft->start, len);
}

void mtls_session_flush_draft(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct mtls_record *draft = c->draft;

    if (draft == NULL || draft->end == 0)
        return;
    uncount_draft(c);
    c->draft = NULL;
    fill_header(c, draft);
    queue_draft(s, draft);
}

void mtls_session_stop_writing(struct mtls_channel *c)
{
    if (c->draft != NULL && c->draft->end != 0) {
        uncount_draft(c);
        c->draft->end = 0;
        mtls_session_room_freed(c->session);
    }
    mtls_session_leave_turns(c);
}

void mtls_session_drop_draft(struct mtls_channel *c)
{
    if (c->draft == NULL)
        return;
    uncount_draft(c);
    mtls_records_give_back(&c->session->out, c->draft);
    c->draft = NULL;
}

void mtls_session_no_draft(struct mtls_channel *c)
{
    if (c->draft != NULL && c->draft->end == 0)
        mtls_session_drop_draft(c);
}

void mtls_session_send_drafts(struct mtls_session *s)
{
    while (!mtls_list_empty(&s->drafts))
        mtls_session_flush_draft(
            mtls_list_item(s->drafts.next, struct mtls_channel, turn));
}
