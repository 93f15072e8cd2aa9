/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The way out: data and owed packets into records, and whose turn it is.
 *
 * Data may fill MTLS_QUEUE_DATA records; what waits there is what another
 * channel's packet has to wait for. A writer that finds no room stands in
 * |turns|. While somebody stands there, a writer gets one record's worth a
 * turn, and may not overtake; one that has room and does not use it loses its
 * place after another came back in vain twice.
 */
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <string.h>

#define LEAST_DATA 64 /* a shorter piece is not worth a header */
#define SENT_BACK_MAX 2

/* --- packets that are owed --- */

static void say_sent(struct mtls_session *s, int type, const unsigned char *p,
                     size_t n)
{
    if (s->hooks.message != NULL)
        s->hooks.message(s->app, 1, type, p, n);
}

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
                                   c->in.freed);
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
        n = put_owed(c, owed, p, room);
        mtls_records_filled(&s->out, n);
        say_sent(s, p[0], p, n);
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
        if (answer->type == MTLS_ECHEC)
            n = put_echec((uint16_t)answer->id, refusals[answer->word], p,
                          room);
        else
            n = mtls_wire_put_close(p, room, answer->type, answer->id);
        mtls_records_filled(&s->out, n);
        say_sent(s, p[0], p, n);
        s->stats.packets_out++;
        s->answers_first = (s->answers_first + 1) % MTLS_ANSWERS;
        s->answers_count--;
    }
    return 1;
}

static void emit_all(struct mtls_session *s)
{
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

/* --- turns --- */

static struct mtls_channel *first_in_turn(const struct mtls_session *s)
{
    return mtls_list_empty(&s->turns)
               ? NULL
               : mtls_list_item(s->turns.next, struct mtls_channel, turn);
}

/* How many records data may fill: less what drafts will. */
static unsigned int data_limit(const struct mtls_session *s)
{
    size_t drafts = (s->draft_octets + MTLS_RECORD_SIZE - 1) / MTLS_RECORD_SIZE;

    if (s->draft_count >= MTLS_DRAFTS_MAX || drafts > MTLS_QUEUE_DATA)
        return 0;
    return MTLS_QUEUE_DATA - (unsigned int)drafts;
}

static int has_room(const struct mtls_session *s)
{
    return mtls_records_has_room(&s->out, MTLS_DATA_HEADER_SIZE + LEAST_DATA,
                                 data_limit(s));
}

void mtls_session_room_freed(struct mtls_session *s)
{
    struct mtls_channel *c = first_in_turn(s);

    if (c != NULL && has_room(s))
        mtls_session_changed(c);
}

/* Who is first now is told, or nobody ever might be. */
static void leave_turns(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    if (mtls_list_linked(&c->turn)) {
        s->turn += first_in_turn(s) == c;
        mtls_list_remove(&c->turn);
        c->offered = 0;
        mtls_session_room_freed(s);
    }
}

void mtls_session_join_turns(struct mtls_channel *c)
{
    if (c->wants_room && (c->interest & MTLS_WRITABLE) &&
        mtls_channel_sends(c) && mtls_flow_tx_limit(&c->out) != 0 &&
        !mtls_list_linked(&c->turn))
        mtls_list_append(&c->session->turns, &c->turn);
}

void mtls_session_offer_turn(struct mtls_channel *c)
{
    int offered = c->offered;

    if (!mtls_list_linked(&c->turn))
        return;
    if (offered || !(c->interest & MTLS_WRITABLE)) {
        leave_turns(c);
        mtls_session_join_turns(c); /* at the end */
    }
    c->offered = !offered;
}

static int wait_for_turn(struct mtls_channel *c)
{
    c->wants_room = 1;
    if (!mtls_list_linked(&c->turn))
        mtls_list_append(&c->session->turns, &c->turn);
    return 0;
}

/* Whether |c| finds the same turn unused for the third time. */
static int waits_in_vain(struct mtls_channel *c)
{
    if (c->turn_seen != c->session->turn) {
        c->turn_seen = c->session->turn;
        c->sent_back = 0;
    }
    if (c->sent_back == SENT_BACK_MAX)
        return 1;
    c->sent_back++;
    return 0;
}

/* Whether |c| may put data into records now; if not, it is told when. */
static int may_write(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct mtls_channel *first;

    c->offered = 0;
    mtls_session_flush_draft(c);
    if (!mtls_channel_sends(c)) {
        mtls_session_drop_draft(c);
        return 0;
    }
    if (mtls_flow_tx_limit(&c->out) == 0) {
        c->wants_room = 1;
        return 0;
    }
    if (!has_room(s))
        return wait_for_turn(c);
    while ((first = first_in_turn(s)) != NULL && first != c) {
        /* The first time one just waits. */
        if (!mtls_list_linked(&c->turn) || !waits_in_vain(c))
            return wait_for_turn(c);
        leave_turns(first);
        mtls_session_join_turns(first); /* at the end */
    }
    leave_turns(c);
    if ((c->owed & MTLS_OWE_SUCCESS) && !mtls_session_emit(c))
        return wait_for_turn(c);
    c->wants_room = 0;
    return 1;
}

int mtls_session_claim_turn(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct mtls_channel *first;

    while (mtls_list_linked(&c->turn) && has_room(s) &&
           (first = first_in_turn(s)) != NULL && first != c &&
           first->waiters == NULL) {
        leave_turns(first);
        mtls_session_join_turns(first);
    }
    return mtls_session_guarantee(c) != 0;
}

size_t mtls_session_guarantee(const struct mtls_channel *c)
{
    const struct mtls_session *s = c->session;
    const struct mtls_channel *first = first_in_turn(s);
    size_t room;

    if (!mtls_channel_sends(c) || mtls_flow_tx_limit(&c->out) == 0 ||
        !has_room(s) || (first != NULL && first != c))
        return 0;
    if (s->out.count < data_limit(s))
        room = MTLS_RECORD_SIZE;
    else
        room = MTLS_RECORD_SIZE - s->out.tail->end;
    room -= MTLS_DATA_HEADER_SIZE;
    return room < mtls_flow_tx_limit(&c->out) ? room
                                              : mtls_flow_tx_limit(&c->out);
}

/* --- data --- */

static void count_data(struct mtls_channel *c, size_t n)
{
    struct mtls_session *s = c->session;

    c->out.credit -= (uint32_t)n;
    c->data_out += n;
    c->packets_out++;
    s->stats.data_out += n;
    s->stats.packets_out++;
}

/* One packet; returns its data's octets, 0 when there is no room. */
static size_t put_packet(struct mtls_channel *c, const unsigned char *data,
                         size_t len)
{
    struct mtls_session *s = c->session;
    size_t limit = mtls_flow_tx_limit(&c->out), room;
    size_t least = len < LEAST_DATA ? len : LEAST_DATA;
    unsigned char *p = mtls_records_room(&s->out, MTLS_DATA_HEADER_SIZE + least,
                                         data_limit(s), &room);

    if (p == NULL)
        return 0;
    if (len > limit)
        len = limit;
    if (len > room - MTLS_DATA_HEADER_SIZE)
        len = room - MTLS_DATA_HEADER_SIZE;
    mtls_wire_put_data_header(p, room, mtls_channel_id(c), (uint32_t)len);
    memcpy(p + MTLS_DATA_HEADER_SIZE, data, len);
    mtls_records_filled(&s->out, MTLS_DATA_HEADER_SIZE + len);
    count_data(c, len);
    say_sent(s, MTLS_PLAINTEXT, p, MTLS_DATA_HEADER_SIZE);
    say_sent(s, MTLS_DATA_OCTETS, p + MTLS_DATA_HEADER_SIZE, len);
    return len;
}

size_t mtls_session_write(struct mtls_channel *c, const void *data, size_t len)
{
    struct mtls_session *s = c->session;
    const unsigned char *p = data;
    size_t done = 0, n, most = len;

    if (len == 0 || !may_write(c))
        return 0;
    if (first_in_turn(s) != NULL && most > MTLS_RECORD_SIZE)
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
        !may_write(c))
        return NULL;
    if (c->draft == NULL)
        c->draft = mtls_records_take(&s->out);
    if (c->draft == NULL) { /* out of memory: to be tried again */
        wait_for_turn(c);
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
    leave_turns(c);
    c->draft->end = (uint32_t)(MTLS_DATA_HEADER_SIZE + n);
    count_data(c, n);
    mtls_list_append(&s->drafts, &c->turn);
    s->draft_count++;
    s->draft_octets += c->draft->end;
}

/* A short one is copied behind what is there; a long one goes as it is. */
static void queue_draft(struct mtls_session *s, struct mtls_record *draft)
{
    size_t room;
    unsigned char *p;

    p = draft->end > MTLS_RECORD_SIZE / 4
            ? NULL
            : mtls_records_room(&s->out, draft->end, MTLS_QUEUE_DATA, &room);
    if (p == NULL) {
        mtls_records_add(&s->out, draft);
        return;
    }
    memcpy(p, draft->data, draft->end);
    mtls_records_filled(&s->out, draft->end);
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

void mtls_session_flush_draft(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct mtls_record *draft = c->draft;

    if (draft == NULL || draft->end == 0)
        return;
    uncount_draft(c);
    c->draft = NULL;
    mtls_wire_put_data_header(draft->data, MTLS_DATA_HEADER_SIZE,
                              mtls_channel_id(c),
                              draft->end - MTLS_DATA_HEADER_SIZE);
    say_sent(s, MTLS_PLAINTEXT, draft->data, MTLS_DATA_HEADER_SIZE);
    say_sent(s, MTLS_DATA_OCTETS, draft->data + MTLS_DATA_HEADER_SIZE,
             draft->end - MTLS_DATA_HEADER_SIZE);
    queue_draft(s, draft);
}

void mtls_session_stop_writing(struct mtls_channel *c)
{
    if (c->draft != NULL && c->draft->end != 0) {
        uncount_draft(c);
        c->draft->end = 0;
        mtls_session_room_freed(c->session);
    }
    leave_turns(c);
}

void mtls_session_drop_draft(struct mtls_channel *c)
{
    if (c->draft == NULL)
        return;
    uncount_draft(c);
    mtls_records_give_back(&c->session->out, c->draft);
    c->draft = NULL;
}

void mtls_session_send_draft(struct mtls_channel *c)
{
    mtls_session_flush_draft(c);
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

/* --- the transport --- */

const unsigned char *mtls_session_send_buf(struct mtls_session *s, size_t *len)
{
    emit_all(s);
    return mtls_records_peek(&s->out, len);
}

void mtls_session_send_ack(struct mtls_session *s, size_t n)
{
    mtls_records_sent(&s->out, n);
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
