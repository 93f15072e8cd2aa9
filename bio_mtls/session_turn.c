/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Whose turn it is to write.
 *
 * Data may fill MTLS_QUEUE_DATA records; what waits there is what another
 * channel's packet has to wait for. A writer that finds no room stands in
 * |turns|. While somebody stands there, a writer gets one record's worth a
 * turn, and may not overtake; one that has room and does not use it goes to
 * the end after another came back in vain twice.
 */
#include "session_dgram.h"
#include "session_local.h"

#define SENT_BACK_MAX 2

struct mtls_channel *mtls_session_first_in_turn(const struct mtls_session *s)
{
    return mtls_list_empty(&s->turns)
               ? NULL
               : mtls_list_item(s->turns.next, struct mtls_channel, turn);
}

/* How many records data may fill: less what drafts will, or wait below. */
unsigned int mtls_session_data_limit(const struct mtls_session *s)
{
    size_t less =
        (s->draft_octets + s->held + MTLS_RECORD_SIZE - 1) / MTLS_RECORD_SIZE;

    if (s->draft_count >= MTLS_DRAFTS_MAX || less > MTLS_QUEUE_DATA)
        return 0;
    return MTLS_QUEUE_DATA - (unsigned int)less;
}

static int has_room(const struct mtls_session *s)
{
    return mtls_records_has_room(&s->out,
                                 MTLS_DATA_HEADER_SIZE + MTLS_LEAST_DATA,
                                 mtls_session_data_limit(s));
}

void mtls_session_room_freed(struct mtls_session *s)
{
    struct mtls_channel *c = mtls_session_first_in_turn(s);

    if (c != NULL && has_room(s))
        mtls_session_changed(c);
}

/* Who is first now is told, or nobody ever might be. */
void mtls_session_leave_turns(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    if (mtls_list_linked(&c->turn)) {
        s->turn += mtls_session_first_in_turn(s) == c;
        mtls_list_remove(&c->turn);
        c->offered = 0;
        mtls_session_room_freed(s);
    }
}

void mtls_session_join_turns(struct mtls_channel *c)
{
    if (c->wants_room && !c->datagrams && (c->interest & MTLS_WRITABLE) &&
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
        mtls_session_leave_turns(c);
        mtls_session_join_turns(c); /* at the end */
    }
    c->offered = !offered;
}

int mtls_session_wait_turn(struct mtls_channel *c)
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
int mtls_session_may_write(struct mtls_channel *c)
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
        return mtls_session_wait_turn(c);
    while ((first = mtls_session_first_in_turn(s)) != NULL && first != c) {
        /* The first time one just waits. */
        if (!mtls_list_linked(&c->turn) || !waits_in_vain(c))
            return mtls_session_wait_turn(c);
        mtls_session_leave_turns(first);
        mtls_session_join_turns(first); /* at the end */
    }
    mtls_session_leave_turns(c);
    if ((c->owed & MTLS_OWE_SUCCESS) && !mtls_session_emit(c))
        return mtls_session_wait_turn(c);
    c->wants_room = 0;
    return 1;
}

int mtls_session_claim_turn(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct mtls_channel *first;

    while (mtls_list_linked(&c->turn) && has_room(s) &&
           (first = mtls_session_first_in_turn(s)) != NULL && first != c &&
           first->waiters == NULL) {
        mtls_session_leave_turns(first);
        mtls_session_join_turns(first);
    }
    return mtls_session_guarantee(c) != 0;
}

size_t mtls_session_guarantee(const struct mtls_channel *c)
{
    const struct mtls_session *s = c->session;
    const struct mtls_channel *first = mtls_session_first_in_turn(s);
    size_t room;

    if (c->datagrams)
        return mtls_dgram_guarantee(c);
    if (!mtls_channel_sends(c) || mtls_flow_tx_limit(&c->out) == 0 ||
        !has_room(s) || (first != NULL && first != c))
        return 0;
    if (s->out.count < mtls_session_data_limit(s))
        room = MTLS_RECORD_SIZE;
    else
        room = MTLS_RECORD_SIZE - s->out.tail->end;
    room -= MTLS_DATA_HEADER_SIZE;
    if (room > c->out.max_packet)
        room = c->out.max_packet;
    else if (first == NULL && s->out.count < mtls_session_data_limit(s))
        room *= mtls_session_data_limit(s) - s->out.count;
    if (room > MTLS_LEAST_DATA && (c->owed & MTLS_OWE_SUCCESS))
        room -= MTLS_SUCCESS_SIZE; /* it goes first */
    return room < c->out.credit ? room : c->out.credit;
}
