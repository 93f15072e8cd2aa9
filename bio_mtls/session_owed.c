/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The way out of what is owed: packets that follow from events, and answers. */
#include "session_local.h"

#include <string.h>

/* --- packets that are owed --- */

static size_t put_request(struct mtls_channel *c, unsigned char *p, size_t room)
{
    const struct mtls_names *names = c->names;
    struct mtls_request request = {
        .half = c->own_half,
        .window = c->in.window,
        .max_packet = c->in.max_packet,
        .source = {mtls_channel_source_host(c), 0, names->source_port},
        .destination = {mtls_channel_host(c), 0, names->destination_port}};

    request.source.host_len = strlen(request.source.host);
    request.destination.host_len = strlen(request.destination.host);
    return mtls_wire_put_request(p, room, &request);
}

static size_t put_success(struct mtls_channel *c, unsigned char *p, size_t room)
{
    struct mtls_success success = {.sender_half = c->peer_half,
                                   .receiver_half = c->own_half,
                                   .window = c->in.window,
                                   .max_packet = c->in.max_packet};

    return mtls_wire_put_success(p, room, &success);
}

static size_t put_echec(uint16_t half, const char *text, unsigned char *p,
                        size_t room)
{
    struct mtls_echec echec = {half, text, strlen(text)};

    if (echec.text_len > MTLS_RECORD_SIZE - MTLS_ECHEC_FIXED)
        echec.text_len = MTLS_RECORD_SIZE - MTLS_ECHEC_FIXED;
    return mtls_wire_put_echec(p, room, &echec);
}

static const char *echec_text(const struct mtls_channel *c)
{
    return c->echec != NULL ? c->echec : "prohibited: not accepted";
}

static size_t put_owed(struct mtls_channel *c, enum mtls_channel_owed owed,
                       unsigned char *p, size_t room)
{
    switch (owed) {
    case MTLS_OWE_REQUEST:
        return put_request(c, p, room);
    case MTLS_OWE_SUCCESS:
        return put_success(c, p, room);
    case MTLS_OWE_ECHEC:
        return put_echec(c->peer_half, echec_text(c), p, room);
    case MTLS_OWE_ACK:
        return mtls_wire_put_value(p, room, MTLS_ACK, mtls_channel_id(c),
                                   c->datagrams ? c->in.granted + c->in.freed
                                                : c->in.freed);
    case MTLS_OWE_NEW_MAX:
        return mtls_wire_put_value(p, room, MTLS_NEW_MAX, mtls_channel_id(c),
                                   c->in.max_packet);
    case MTLS_OWE_END:
        return mtls_wire_put_data_header(p, room, mtls_channel_id(c), 0);
    case MTLS_OWE_CLOSE:
        return mtls_wire_put_close(p, room, MTLS_CLOSE, mtls_channel_id(c));
    case MTLS_OWE_CONFIRMATION:
        return mtls_wire_put_close(p, room, MTLS_CONFIRMATION,
                                   mtls_channel_id(c));
    }
    return 0;
}

static size_t size_owed(const struct mtls_channel *c,
                        enum mtls_channel_owed owed)
{
    size_t text;

    if (owed == MTLS_OWE_REQUEST)
        return MTLS_REQUEST_FIXED + strlen(mtls_channel_host(c)) +
               strlen(mtls_channel_source_host(c));
    if (owed != MTLS_OWE_ECHEC)
        return MTLS_SUCCESS_SIZE;
    text = strlen(echec_text(c));
    return text < MTLS_RECORD_SIZE - MTLS_ECHEC_FIXED ? MTLS_ECHEC_FIXED + text
                                                      : MTLS_RECORD_SIZE;
}

/* What follows from having sent it. */
static void was_sent(struct mtls_channel *c, enum mtls_channel_owed owed)
{
    struct mtls_session *s = c->session;

    if (owed == MTLS_OWE_ACK)
        mtls_flow_rx_grant(&c->in);
    if (owed == MTLS_OWE_END)
        c->packets_out++;
    if (owed == MTLS_OWE_CLOSE)
        s->stats.closing++;
    if (owed == MTLS_OWE_ECHEC)
        s->stats.refused++;
    s->stats.packets_out++;
    mtls_channel_sent(c, owed);
}

int mtls_session_emit(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    for (unsigned int bit = 1; c->owed != 0 && bit <= MTLS_OWE_CONFIRMATION;
         bit <<= 1) {
        enum mtls_channel_owed owed = (enum mtls_channel_owed)bit;
        unsigned char *p;
        size_t room, n;

        if ((c->owed & bit) == 0)
            continue;
        p = mtls_records_room(&s->out, size_owed(c, owed), MTLS_QUEUE_CONTROL,
                              &room);
        if (p == NULL)
            return 0;
        if (owed == MTLS_OWE_ACK)
            mtls_session_grow(c);
        n = s->v00 != NULL ? mtls_session_00_put_owed(c, owed, p, room)
                           : put_owed(c, owed, p, room);
        mtls_records_filled(&s->out, n);
        mtls_session_say_sent(s, s->v00 != NULL ? MTLS_FRAME_HEAD : p[0], p, n);
        was_sent(c, owed);
    }
    return 1;
}

/* --- answers that belong to no channel --- */

static const char *const refusals[] = {
    [MTLS_REFUSE_MALFORMED] = "malformed: this Request is not valid",
    [MTLS_REFUSE_COLLISION] = "collision: this half is in use",
    [MTLS_REFUSE_SHORTAGE] = "resource-shortage: too many channels"};

void mtls_session_answer(struct mtls_session *s, uint8_t type, uint32_t id,
                         uint8_t word)
{
    unsigned int at = (s->answers_first + s->answers_count) % MTLS_ANSWERS;

    s->answers[at].type = type;
    s->answers[at].word = word;
    s->answers[at].id = id;
    s->answers_count++;
    if (type == MTLS_ECHEC)
        s->stats.refused++;
}

static int emit_answers(struct mtls_session *s)
{
    while (s->answers_count > 0) {
        const struct mtls_answer *answer = &s->answers[s->answers_first];
        size_t room, n;
        unsigned char *p = mtls_records_room(&s->out, MTLS_DIRECT_LEAST,
                                             MTLS_QUEUE_CONTROL, &room);

        if (p == NULL)
            return 0;
        if (s->v00 != NULL)
            n = mtls_session_00_put_answer(s, answer->id, p, room);
        else if (answer->type == MTLS_ECHEC)
            n = put_echec((uint16_t)answer->id, refusals[answer->word], p,
                          room);
        else
            n = mtls_wire_put_close(p, room, answer->type, answer->id);
        mtls_records_filled(&s->out, n);
        mtls_session_say_sent(s, s->v00 != NULL ? MTLS_FRAME_HEAD : p[0], p, n);
        s->stats.packets_out++;
        s->answers_first = (s->answers_first + 1) % MTLS_ANSWERS;
        s->answers_count--;
    }
    return 1;
}

void mtls_session_emit_all(struct mtls_session *s)
{
    if (s->v00 != NULL && s->dgram != NULL) /* they are datagrams (Q14) */
        return;
    if (!emit_answers(s))
        return;
    while (!mtls_list_empty(&s->owing)) {
        struct mtls_channel *c =
            mtls_list_item(s->owing.next, struct mtls_channel, owing);

        if (!mtls_session_emit(c))
            return;
        mtls_list_remove(&c->owing);
        mtls_session_sent_owed(c);
    }
}

/* --- the transport --- */

const unsigned char *mtls_session_send_buf(struct mtls_session *s, size_t *len)
{
    if (s->answers_count != 0 || !mtls_list_empty(&s->owing))
        mtls_session_emit_all(s);
    return mtls_records_peek(&s->out, len);
}

void mtls_session_send_ack(struct mtls_session *s, size_t n)
{
    mtls_records_sent(&s->out, n);
    mtls_session_room_freed(s);
}

int mtls_session_more(const struct mtls_session *s)
{
    return s->out.count > 1;
}

void mtls_session_held(struct mtls_session *s, size_t n)
{
    size_t before = s->held;

    s->held = n;
    if (n < before)
        mtls_session_room_freed(s);
}

int mtls_session_wants_write(const struct mtls_session *s)
{
    return s->out.head != NULL || s->answers_count != 0 ||
           !mtls_list_empty(&s->owing);
}

uint64_t mtls_session_queued(const struct mtls_session *s)
{
    return s->out.queued;
}

uint64_t mtls_session_sent(const struct mtls_session *s)
{
    return s->out.sent;
}
