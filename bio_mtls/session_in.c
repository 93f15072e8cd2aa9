/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The way in: octets to packets to events. The stream may be cut anywhere;
 * a packet's data goes to its channel as it comes, any other packet is
 * collected in the staging buffer first.
 */
#include "session_dgram.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

static void say_received(struct mtls_session *s, int type,
                         const unsigned char *p, size_t n)
{
    if (s->hooks.message != NULL)
        s->hooks.message(s->app, 0, type, p, n);
}

void mtls_session_break(struct mtls_session *s)
{
    s->broken = 1;
    mtls_session_end(s);
}

/* --- Request --- */

static uint8_t admit(struct mtls_session *s, struct mtls_channel *c,
                     const struct mtls_request *request)
{
    uint8_t reason = mtls_session_reserve(c, 0);

    if (reason != 0)
        return reason;
    if (!mtls_channel_set_names(c, &request->destination, &request->source) ||
        !mtls_half_set_add(&s->table.peer_initiator, request->half))
        return MTLS_R_RESOURCE_SHORTAGE;
    c->marked = 1;
    mtls_channel_asked(c, request);
    c->queued = 1;
    s->asked++;
    s->backlog_count++;
    mtls_list_append(&s->backlog, &c->turn);
    return 0;
}

/* Until the program takes it, nobody holds the channel: it is released. */
static void on_valid_request(struct mtls_session *s,
                             const struct mtls_request *request)
{
    const struct mtls_channel *same =
        mtls_channel_table_at(&s->table, request->half);
    struct mtls_channel *c;

    if ((same != NULL && same->initiator) ||
        mtls_half_set_has(&s->table.peer_initiator, request->half)) {
        mtls_session_answer(s, MTLS_ECHEC, request->half,
                            MTLS_REFUSE_COLLISION);
        return;
    }
    c = s->asked < s->config.max_opening && s->backlog_count < s->config.backlog
            ? mtls_channel_new(s, NULL)
            : NULL;
    if (c != NULL)
        c->released = 1;
    if (c == NULL || admit(s, c, request) != 0) {
        mtls_session_answer(s, MTLS_ECHEC, request->half, MTLS_REFUSE_SHORTAGE);
        if (c != NULL) {
            c->life = MTLS_CLOSED;
            mtls_session_settle(c);
        }
        return;
    }
    if (s->hooks.changed != NULL)
        s->hooks.changed(s->app, NULL);
}

static int on_request(struct mtls_session *s, const unsigned char *p,
                      size_t have)
{
    struct mtls_request request;
    int readable;

    if (mtls_wire_get_request(p, have, &request, &readable) &&
        request.max_packet != 0 && mtls_address_usable(&request.source) &&
        mtls_address_usable(&request.destination)) {
        on_valid_request(s, &request);
        return 1;
    }
    if (readable)
        mtls_session_answer(s, MTLS_ECHEC, request.half, MTLS_REFUSE_MALFORMED);
    return 0;
}

/* --- answers to our Requests --- */

/* The channel that we asked for with this half, and have no answer yet. */
static struct mtls_channel *find_opening(struct mtls_session *s, uint16_t half)
{
    struct mtls_channel *c = mtls_channel_table_at(&s->table, half);

    if (c == NULL || c->life != MTLS_OPENING || (c->owed & MTLS_OWE_REQUEST))
        return NULL;
    return c;
}

/*
 * The peer's half must be unique among its own (D2). One that stands in
 * another channel of ours fails this one, without a word where the id would
 * name both.
 */
static void on_collision(struct mtls_channel *c,
                         const struct mtls_success *success)
{
    uint32_t id = mtls_id(c->own_half, success->receiver_half);

    if (mtls_session_find(c->session, id) != NULL) {
        mtls_channel_refused(c, MTLS_R_HALF_COLLISION);
        return;
    }
    mtls_channel_success(c, success);
    mtls_channel_fail(c, MTLS_R_HALF_COLLISION);
}

static int on_success(struct mtls_session *s, const unsigned char *p,
                      size_t have)
{
    struct mtls_success success;
    int readable, good;
    struct mtls_channel *c;

    good = mtls_wire_get_success(p, have, &success, &readable);
    c = readable ? find_opening(s, success.sender_half) : NULL;
    if (c == NULL) {
        s->stats.ignored += (unsigned int)good;
        return good;
    }
    if (!good)
        success.max_packet = 0; /* which fails it as malformed */
    if (mtls_half_set_has(&s->table.peer_acceptor, success.receiver_half) ||
        mtls_session_find(s, mtls_id(c->own_half, success.receiver_half))) {
        on_collision(c, &success);
    } else {
        c->marked = (unsigned int)mtls_half_set_add(&s->table.peer_acceptor,
                                                    success.receiver_half) &
                    1;
        mtls_channel_success(c, &success);
        if (!c->marked)
            mtls_channel_fail(c, MTLS_R_RESOURCE_SHORTAGE);
    }
    if (c->tx_reason == 0)
        s->stats.channels_opened++;
    if (c->datagrams)
        mtls_dgram_opened(c, 1);
    mtls_session_settle(c);
    return good;
}

static int on_echec(struct mtls_session *s, const unsigned char *p, size_t have,
                    size_t size)
{
    struct mtls_echec echec;
    int readable, good;
    struct mtls_channel *c;

    good = mtls_wire_get_echec(p, have, size, &echec, &readable);
    c = readable ? find_opening(s, echec.half) : NULL;
    if (c == NULL) {
        s->stats.ignored += (unsigned int)good;
        return good;
    }
    free(c->echec);
    c->echec = good ? mtls_text_escape(echec.text, echec.text_len) : NULL;
    mtls_channel_refused(c, MTLS_R_CHANNEL_REFUSED);
    mtls_session_settle(c);
    return good;
}

/* --- packets about an open channel --- */

static int on_close(struct mtls_session *s, const unsigned char *p, size_t have)
{
    uint32_t id;
    int readable;
    struct mtls_channel *c;

    if (!mtls_wire_get_close(p, have, &id, &readable)) {
        c = readable ? mtls_session_find(s, id) : NULL;
        if (c != NULL) {
            mtls_channel_fail(c, MTLS_R_MALFORMED_PACKET);
            mtls_session_settle(c);
        }
        return 0;
    }
    c = mtls_session_find(s, id);
    if (p[0] == MTLS_CONFIRMATION) {
        if (c == NULL || !mtls_channel_confirmation(c))
            s->stats.ignored++;
        else
            mtls_session_settle(c);
    } else if (c == NULL || !mtls_channel_close_request(c)) {
        mtls_session_answer(s, MTLS_CONFIRMATION, id, 0); /* D9 */
    } else {
        mtls_session_settle(c);
    }
    return 1;
}

static int on_value(struct mtls_session *s, const unsigned char *p, size_t have)
{
    uint32_t id, value;
    int readable, used;
    struct mtls_channel *c;
    int good = mtls_wire_get_value(p, have, &id, &value, &readable);

    c = readable ? mtls_session_find(s, id) : NULL;
    if (c == NULL) {
        s->stats.ignored += (unsigned int)good;
        return good;
    }
    if (!good) {
        mtls_channel_fail(c, MTLS_R_MALFORMED_PACKET);
        used = 1;
    } else if (p[0] == MTLS_ACK) {
        used = c->datagrams ? mtls_dgram_ack(c, value)
                            : mtls_channel_ack(c, value);
        if (!c->datagrams)
            mtls_session_join_turns(c);
    } else {
        used = mtls_channel_new_max(c, value);
        if (c->datagrams)
            mtls_dgram_asked(c);
    }
    s->stats.ignored += used == 0;
    mtls_session_settle(c);
    return good;
}

/* --- data --- */

static void on_data_header(struct mtls_session *s, const struct mtls_head *head)
{
    struct mtls_input *in = &s->in;
    struct mtls_channel *c = mtls_session_find(s, head->id);
    uint32_t past = s->config.max_packet;

    in->left = head->length;
    in->bulk = head->length >= MTLS_LONG_DATA;
    in->channel = NULL;
    if (c == NULL || c->datagrams) { /* whose data does not come here (P9) */
        s->stats.ignored++;
    } else {
        past = c->in.granted > past ? c->in.granted : past;
        c->packets_in++;
        if (mtls_channel_packet(c, head->length))
            in->channel = c;
        else
            mtls_session_settle(c);
    }
    in->skip_limit =
        past < UINT32_MAX - MTLS_SKIP_PAST ? past + MTLS_SKIP_PAST : UINT32_MAX;
}

/* The reader's own memory was filled: as good as read. */
static void on_lent(struct mtls_session *s, size_t n)
{
    struct mtls_input *in = &s->in;

    in->lent += n;
    in->lent_left -= n;
    in->lent_filled += n;
    mtls_session_was_read(in->channel, n);
}

static void on_data(struct mtls_session *s, const unsigned char *to, size_t n)
{
    struct mtls_channel *c = s->in.channel;

    c->data_in += n;
    s->stats.data_in += n;
    s->in.left -= (uint32_t)n;
    if (mtls_flow_tune_waits(&s->tune, c, c->data_in))
        mtls_flow_tune_received(&s->tune, s->hooks.now(s->app));
    if (c->idling) {
        c->idling = 0;
        c->idle = (uint32_t)s->hooks.now(s->app) - c->acked_at;
    }
    if (s->in.lent_left > 0 && to == s->in.lent) {
        on_lent(s, n);
        return;
    }
    mtls_buffer_filled(&c->buffer, n);
    mtls_session_changed(c);
}

/* Where the next octets of a channel's packet go; on failure it is closed. */
static unsigned char *data_room(struct mtls_session *s, size_t *room)
{
    struct mtls_input *in = &s->in;
    struct mtls_channel *c = in->channel;
    unsigned char *p;

    if (c == in->lender && in->lent_left > 0 && c->buffer.length == 0) {
        *room = in->left < in->lent_left ? in->left : in->lent_left;
        return in->lent;
    }
    if (s->v00 != NULL)
        p = mtls_session_00_data_room(s, room);
    else
        p = mtls_buffer_room(&c->buffer, &s->pool, in->left, c->in.window,
                             room);
    if (p == NULL) {
        mtls_channel_fail(c, MTLS_R_RESOURCE_SHORTAGE);
        mtls_session_settle(c);
    }
    return p;
}

static void skip(struct mtls_session *s, size_t n)
{
    struct mtls_input *in = &s->in;

    in->left -= (uint32_t)n;
    in->skip_limit -= n < in->skip_limit ? (uint32_t)n : in->skip_limit;
    if (in->left > 0 && in->skip_limit == 0)
        mtls_session_break(s);
}

/* --- whole packets of short data, as most are --- */

/* How long the data is, of a packet for |id| that is all there; or 0. */
static inline size_t whole_data(const unsigned char *p, size_t have,
                                uint32_t id)
{
    size_t length;

    if (have <= MTLS_DATA_HEADER_SIZE || p[0] != MTLS_PLAINTEXT ||
        mtls_wire_get_u32(p + MTLS_DATA_ID) != id)
        return 0;
    length = mtls_wire_get_u32(p + MTLS_DATA_LENGTH);
    return length <= have - MTLS_DATA_HEADER_SIZE ? length : 0;
}

/* Room for such data in a row, as much as there is, the first |length| too. */
static unsigned char *run_room(struct mtls_session *s, struct mtls_channel *c,
                               size_t length, size_t *room)
{
    struct mtls_input *in = &s->in;
    unsigned char *p;

    if (c == in->lender && in->lent_left > 0 && c->buffer.length == 0) {
        *room = in->lent_left;
        return in->lent;
    }
    p = mtls_buffer_room(&c->buffer, &s->pool, length, c->in.window, room);
    if (p != NULL)
        *room = mtls_buffer_row(&c->buffer);
    return p;
}

/*
 * Takes the packets of one channel that follow each other, and accounts for
 * them once. 0 where there is none that it can take, if only for an error.
 */
static int parse_run(struct mtls_session *s)
{
    struct mtls_input *in = &s->in;
    const unsigned char *p = in->staging + in->start;
    size_t have = in->end - in->start, sum = 0, room, most, length;
    struct mtls_channel *c;
    uint32_t id, packets = 0;
    unsigned char *to;

    if (have <= MTLS_DATA_HEADER_SIZE || s->v00 != NULL ||
        s->hooks.message != NULL)
        return 0;
    id = mtls_wire_get_u32(p + MTLS_DATA_ID);
    length = whole_data(p, have, id);
    if (length == 0 || (c = mtls_session_find(s, id)) == NULL || c->datagrams ||
        c->life != MTLS_OPEN || c->rx != MTLS_RX_OPEN ||
        (to = run_room(s, c, length, &room)) == NULL)
        return 0;
    most = c->in.granted < room ? c->in.granted : room;
    while (length != 0 && length <= most - sum && length <= c->in.max_packet) {
        memcpy(to + sum, p + MTLS_DATA_HEADER_SIZE, length);
        sum += length;
        packets++;
        p += MTLS_DATA_HEADER_SIZE + length;
        have -= MTLS_DATA_HEADER_SIZE + length;
        in->bulk = length >= MTLS_LONG_DATA;
        length = whole_data(p, have, id);
    }
    if (packets == 0)
        return 0;
    in->start = in->end - (uint32_t)have;
    in->channel = c;
    in->left = (uint32_t)sum;
    c->in.granted -= (uint32_t)sum;
    c->packets_in += packets;
    s->stats.packets_in += packets;
    on_data(s, to, sum);
    return 1;
}

/* --- the parser --- */

/* 0: a reader has to make room first. */
static int parse_body(struct mtls_session *s)
{
    struct mtls_input *in = &s->in;
    size_t n = in->end - in->start, room;
    const unsigned char *from = in->staging + in->start;
    unsigned char *to;

    if (mtls_session_stalls(s))
        return 0;
    to = in->channel != NULL ? data_room(s, &room) : NULL;
    if (n > in->left)
        n = in->left;
    if (to != NULL && n > room)
        n = room;
    say_received(s, MTLS_DATA_OCTETS, from, n);
    in->start += (uint32_t)n;
    if (to == NULL) {
        skip(s, n);
        return 1;
    }
    memcpy(to, from, n);
    on_data(s, to, n);
    return 1;
}

static int dispatch(struct mtls_session *s, const unsigned char *p, size_t have,
                    size_t size)
{
    switch (p[0]) {
    case MTLS_REQUEST:
        return on_request(s, p, have);
    case MTLS_SUCCESS:
        return on_success(s, p, have);
    case MTLS_ECHEC:
        return on_echec(s, p, have, size);
    case MTLS_CLOSE:
    case MTLS_CONFIRMATION:
        return on_close(s, p, have);
    default:
        return on_value(s, p, have);
    }
}

/* Of a packet that does not fit, the part that does is what is looked at. */
static int parse_control(struct mtls_session *s, const struct mtls_head *head)
{
    struct mtls_input *in = &s->in;
    size_t have =
        head->size < MTLS_CONTROL_KEPT ? head->size : MTLS_CONTROL_KEPT;
    const unsigned char *p = in->staging + in->start;

    if (head->type > MTLS_ACK)
        have = MTLS_HEADER_SIZE; /* D11 */
    if (in->end - in->start < have)
        return 0;
    say_received(s, head->type, p, have);
    s->stats.packets_in++;
    if (head->type > MTLS_ACK)
        s->stats.ignored++;
    else if (!dispatch(s, p, have, head->size))
        s->stats.malformed++;
    in->start += (uint32_t)have;
    in->left = head->size - (uint32_t)have;
    in->channel = NULL;
    in->skip_limit = UINT32_MAX;
    return 1;
}

/* One packet's beginning; 0 when more octets are needed first. */
static int parse_head(struct mtls_session *s)
{
    struct mtls_input *in = &s->in;
    const unsigned char *p = in->staging + in->start;
    struct mtls_head head;

    if (s->v00 != NULL)
        return mtls_session_00_head(s);
    switch (mtls_wire_head(p, in->end - in->start, &head)) {
    case MTLS_WIRE_MORE:
        return 0;
    case MTLS_WIRE_BAD:
        mtls_session_break(s);
        return 0;
    case MTLS_WIRE_DONE:
        break;
    }
    if (head.type != MTLS_PLAINTEXT)
        return parse_control(s, &head);
    say_received(s, MTLS_PLAINTEXT, p, MTLS_DATA_HEADER_SIZE);
    s->stats.packets_in++;
    in->start += MTLS_DATA_HEADER_SIZE;
    on_data_header(s, &head);
    return 1;
}

static void parse(struct mtls_session *s)
{
    struct mtls_input *in = &s->in;

    while (!s->ended && in->start < in->end &&
           s->answers_count < MTLS_ANSWERS) {
        if (in->left == 0 && parse_run(s))
            continue;
        if (in->left > 0 ? !parse_body(s) : !parse_head(s))
            break;
    }
    if (in->start == in->end)
        in->start = in->end = 0;
}

int mtls_session_can_receive(const struct mtls_session *s)
{
    return !s->ended && s->answers_count < MTLS_ANSWERS &&
           !mtls_session_stalls(s);
}

unsigned char *mtls_session_recv_buf(struct mtls_session *s, size_t *room)
{
    struct mtls_input *in = &s->in;

    in->direct = NULL;
    parse(s);
    if (!mtls_session_can_receive(s))
        return NULL;
    if (in->left >= MTLS_DIRECT_LEAST && in->channel != NULL &&
        in->start == in->end) {
        in->direct = data_room(s, room);
        if (in->direct != NULL)
            return in->direct;
    }
    if (in->start != 0) {
        memmove(in->staging, in->staging + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    *room = (in->bulk && in->end < MTLS_SHORT_READ ? MTLS_SHORT_READ
                                                   : MTLS_STAGING) -
            in->end;
    return in->staging + in->end;
}

void mtls_session_lend(struct mtls_channel *c, void *data, size_t len)
{
    struct mtls_input *in = &c->session->in;

    in->lender = c;
    in->lent = data;
    in->lent_left = len;
    in->lent_filled = 0;
}

size_t mtls_session_lent(const struct mtls_channel *c)
{
    const struct mtls_input *in = &c->session->in;

    return in->lender == c ? in->lent_filled : 0;
}

size_t mtls_session_take_back(struct mtls_session *s)
{
    struct mtls_input *in = &s->in;
    size_t n = in->lent_filled;

    in->lender = NULL;
    in->lent = NULL;
    in->lent_left = in->lent_filled = 0;
    return n;
}

void mtls_session_recv_ack(struct mtls_session *s, size_t n)
{
    struct mtls_input *in = &s->in;

    s->stats.octets_in += n;
    if (in->direct != NULL) {
        say_received(s, MTLS_DATA_OCTETS, in->direct, n);
        on_data(s, in->direct, n);
        in->direct = NULL;
    } else {
        in->end += (uint32_t)n;
        parse(s);
    }
}
