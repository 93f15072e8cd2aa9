/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00: opening, writing and ending streams. The channel's state machine is
 * that of draft 05; what it owes there and this version has no frame for is
 * turned into what there is: the opening, and the end of a direction.
 */
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SOURCE 49152 /* of the dynamic ports (RFC 6335 6) */

int mtls_session_speak_00(struct mtls_session *s)
{
    if (s->v00 != NULL)
        return 1;
    s->v00 = calloc(1, sizeof(*s->v00));
    if (s->v00 == NULL)
        return 0;
    mtls_streams_init(&s->v00->streams,
                      (uintptr_t)s->v00 ^ s->hooks.now(s->app));
    s->v00->next_source = FIRST_SOURCE;
    return 1;
}

void mtls_session_00_free(struct mtls_session *s)
{
    if (s->v00 == NULL)
        return;
    mtls_streams_cleanup(&s->v00->streams);
    mtls_half_set_cleanup(&s->v00->ports);
    free(s->v00);
}

int mtls_session_allow_port(struct mtls_session *s, uint16_t port)
{
    if (!mtls_half_set_add(&s->v00->ports, port))
        return 0;
    if (s->v00->first_port == 0)
        s->v00->first_port = port;
    return 1;
}

void mtls_session_allow_all(struct mtls_session *s)
{
    s->v00->all = 1;
}

int mtls_session_is_00(const struct mtls_session *s)
{
    return s->v00 != NULL;
}

uint16_t mtls_session_default_port(const struct mtls_session *s)
{
    return s->v00 == NULL || s->v00->all ? 0 : s->v00->first_port;
}

int mtls_session_stalled(const struct mtls_session *s)
{
    return mtls_session_stalls(s);
}

uint32_t mtls_session_id(const struct mtls_channel *c)
{
    return c->session->v00 != NULL ? c->stream : mtls_channel_id(c);
}

/* --- opening --- */

/* A source port that no other stream to that destination has: 1, 0 none. */
static int choose_source(struct mtls_session *s, uint16_t wish,
                         uint16_t destination, uint32_t *id)
{
    *id = mtls_id(wish, destination);
    if (wish != 0 && mtls_streams_find(&s->v00->streams, *id) == NULL)
        return 1;
    for (uint32_t i = 0; i < UINT16_MAX; i++) {
        *id = mtls_id(s->v00->next_source, destination);
        if (++s->v00->next_source == 0)
            s->v00->next_source = 1;
        if (mtls_streams_find(&s->v00->streams, *id) == NULL)
            return 1;
    }
    return 0;
}

/* The source as it will be seen: of the host that was named, with its port. */
static int name_source(struct mtls_channel *c, uint16_t port)
{
    struct mtls_address destination = {mtls_channel_host(c), 0,
                                       c->names->destination_port};
    struct mtls_address source = {mtls_channel_source_host(c), 0, port};

    destination.host_len = strlen(destination.host);
    source.host_len = strlen(source.host);
    return mtls_channel_set_names(c, &destination, &source);
}

/* Nobody answers: the stream is open when the first frame goes. */
uint8_t mtls_session_00_open(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    uint16_t port = c->names->destination_port;
    uint8_t reason;

    if (!s->is_client ||
        (!s->v00->all && !mtls_half_set_has(&s->v00->ports, port)))
        return MTLS_R_NOT_NEGOTIATED;
    if (!choose_source(s, c->names->source_port, port, &c->stream))
        return MTLS_R_NO_HALF_FREE;
    if (!name_source(c, (uint16_t)(c->stream >> 16)) ||
        !mtls_streams_add(&s->v00->streams, c->stream, c))
        return MTLS_R_RESOURCE_SHORTAGE;
    reason = mtls_session_reserve(c, 1);
    if (reason != 0) {
        mtls_streams_remove(&s->v00->streams, c->stream);
        return reason;
    }
    mtls_channel_request(c);
    c->life = MTLS_OPEN;
    c->out.credit = UINT32_MAX;
    c->out.max_packet = MTLS_FRAME_MAX;
    s->stats.channels_opened++;
    mtls_session_settle(c);
    return 0;
}

void mtls_session_00_forget(struct mtls_channel *c)
{
    struct mtls_streams *streams = &c->session->v00->streams;
    const struct mtls_stream *stream = mtls_streams_find(streams, c->stream);

    if (stream != NULL && stream->channel == c) /* not another's by now */
        mtls_streams_remove(streams, c->stream);
}

/* --- frames --- */

static size_t put_frame(const struct mtls_session *s, uint32_t id, size_t len,
                        unsigned char *p, size_t room)
{
    uint16_t opener = (uint16_t)(id >> 16), other = (uint16_t)(id & 0xffff);
    struct mtls_frame frame = {opener, other, (uint16_t)len};

    if (!s->is_client) {
        frame.source = other;
        frame.destination = opener;
    }
    return mtls_wire00_put(p, room, &frame);
}

/* The first data is the opening, too. There is no credit to use up. */
size_t mtls_session_00_put_header(struct mtls_channel *c, unsigned char *p,
                                  size_t len)
{
    c->owed &= (uint8_t)~MTLS_OWE_REQUEST;
    c->named = 1;
    c->out.credit = UINT32_MAX;
    return put_frame(c->session, c->stream, len, p, MTLS_FRAME_HEADER);
}

/* An opening (Q8) or an end (Q9): what is empty. */
size_t mtls_session_00_put_owed(struct mtls_channel *c,
                                enum mtls_channel_owed owed, unsigned char *p,
                                size_t room)
{
    if (owed == MTLS_OWE_REQUEST)
        c->named = 1;
    return put_frame(c->session, c->stream, 0, p, room);
}

size_t mtls_session_00_put_answer(const struct mtls_session *s, uint32_t id,
                                  unsigned char *p, size_t room)
{
    return put_frame(s, id, 0, p, room);
}

/* --- what an event leaves to do --- */

/* Closed by this end: its direction ends, and the peer is to end its own. */
static void close_stream(struct mtls_channel *c)
{
    c->owed &= (uint8_t) ~(MTLS_OWE_ECHEC | MTLS_OWE_CLOSE);
    c->life = MTLS_CLOSING;
    if (c->initiator && !c->named && !(c->owed & MTLS_OWE_END)) {
        c->life = MTLS_CLOSED; /* the peer has never heard of it */
        return;
    }
    if (c->initiator && !c->named)
        c->owed |= MTLS_OWE_REQUEST;
    if (c->tx != MTLS_TX_ENDED)
        c->owed |= MTLS_OWE_END;
    if (!c->close_sent) {
        c->close_sent = 1;
        c->session->stats.closing++;
    }
}

/* Of datagrams: one empty frame ends it, and nobody answers (Q16). */
static void settle_datagrams(struct mtls_channel *c)
{
    int closes = (c->owed & (MTLS_OWE_ECHEC | MTLS_OWE_CLOSE)) != 0;
    int known = !c->ended_in && (c->named || !c->initiator);

    c->owed = closes && known ? MTLS_OWE_CLOSE : 0;
    if (closes || c->life == MTLS_CLOSING)
        c->life = c->owed != 0 ? MTLS_CLOSING : MTLS_CLOSED;
    if (c->life != MTLS_OPEN || !c->ended_in)
        return;
    c->life = MTLS_CLOSED;
    c->events |= MTLS_OVER;
    if (c->tx_reason == 0)
        c->tx_reason = MTLS_R_CLOSED_BY_PEER;
}

static void settle_stream(struct mtls_channel *c)
{
    c->owed &= (uint8_t)~MTLS_OWE_SUCCESS;
    if (c->owed & (MTLS_OWE_ECHEC | MTLS_OWE_CLOSE))
        close_stream(c);
    if ((c->life == MTLS_OPEN || c->life == MTLS_CLOSING) && c->ended_in &&
        c->tx == MTLS_TX_ENDED)
        c->life = MTLS_CLOSED;
}

void mtls_session_00_settle(struct mtls_channel *c)
{
    if (c->owed & MTLS_OWE_SUCCESS)
        c->named = 1;
    if (c->owed & MTLS_OWE_ECHEC)
        c->session->stats.refused++;
    if (c->datagrams)
        settle_datagrams(c);
    else
        settle_stream(c);
    if (!mtls_channel_receives(c) && c->reserved) {
        c->in.granted = c->in.window > c->buffer.length
                            ? c->in.window - c->buffer.length
                            : 0;
        c->in.freed = 0;
    }
}
