/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00, the way in: frames to streams. There is no credit: what a reader
 * does not take fills its buffer, and then stalls the session (Q10).
 */
#include "session_local.h"

#include <mtls/mtls_err.h>

#define REFUSED_MAX 4096 /* streams that are remembered as such (Q11) */

/* --- the first frame of a stream --- */

static int negotiated(const struct mtls_session *s, uint16_t port)
{
    return s->v00->all || mtls_half_set_has(&s->v00->ports, port);
}

static int name(struct mtls_channel *c, const struct mtls_frame *frame)
{
    const struct mtls_address localhost = {"localhost", 9, frame->destination};
    const struct mtls_address own = {"default", 7, 0};
    const struct mtls_address source = {"0.0.0.0", 7, frame->source};

    return mtls_channel_set_names(
        c, frame->destination == 0 ? &own : &localhost, &source);
}

static int admit(struct mtls_session *s, struct mtls_channel *c,
                 const struct mtls_frame *frame)
{
    if (!name(c, frame) || !mtls_streams_add(&s->v00->streams, c->stream, c))
        return 0;
    if (mtls_session_reserve(c, 0) != 0) {
        mtls_streams_remove(&s->v00->streams, c->stream);
        return 0;
    }
    c->life = MTLS_ASKED;
    c->out.credit = UINT32_MAX;
    c->out.max_packet = MTLS_FRAME_MAX;
    c->queued = 1;
    s->asked++;
    s->backlog_count++;
    mtls_list_append(&s->backlog, &c->turn);
    return 1;
}

/* All there is to say no with is the end of this end's direction. */
static void refuse(struct mtls_session *s, uint32_t id)
{
    s->stats.refused++;
    if (s->answers_count < MTLS_ANSWERS) /* or it is a datagram that is lost */
        mtls_session_answer(s, MTLS_PLAINTEXT, id, 0);
}

/*
 * For want of something: what follows must not be taken for another stream's
 * beginning, so it is remembered until the peer ends it. Among datagrams each
 * is a beginning (Q15).
 */
static void refuse_and_remember(struct mtls_session *s, uint32_t id)
{
    if (s->dgram != NULL) {
        refuse(s, id);
        return;
    }
    if (s->v00->streams.refused >= REFUSED_MAX ||
        !mtls_streams_add(&s->v00->streams, id, NULL)) {
        mtls_session_break(s);
        return;
    }
    refuse(s, id);
}

struct mtls_channel *mtls_session_00_first(struct mtls_session *s, uint32_t id,
                                           const struct mtls_frame *frame)
{
    struct mtls_channel *c;

    if (s->is_client) { /* late, or for what it has not opened */
        s->stats.ignored++;
        return NULL;
    }
    if (!negotiated(s, frame->destination)) {
        refuse(s, id);
        return NULL;
    }
    c = s->asked < s->config.max_opening && s->backlog_count < s->config.backlog
            ? mtls_channel_new(s, NULL)
            : NULL;
    if (c != NULL) {
        c->released = 1; /* until the program takes it */
        c->stream = id;
    }
    if (c == NULL || !admit(s, c, frame)) {
        if (c != NULL) {
            c->life = MTLS_CLOSED;
            mtls_session_settle(c);
        }
        refuse_and_remember(s, id);
        return NULL;
    }
    c->packets_in++;
    if (s->hooks.changed != NULL)
        s->hooks.changed(s->app, NULL);
    return c;
}

/* --- the others --- */

static void on_refused(struct mtls_session *s, const struct mtls_stream *stream,
                       const struct mtls_frame *frame)
{
    s->stats.ignored++;
    if (frame->length == 0)
        mtls_streams_remove(&s->v00->streams, stream->id);
}

static void on_end(struct mtls_channel *c)
{
    if (c->ended_in) {
        c->session->stats.ignored++;
        return;
    }
    c->ended_in = 1;
    if (c->rx == MTLS_RX_OPEN)
        c->rx = MTLS_RX_ENDED;
    mtls_session_settle(c);
}

static void on_data(struct mtls_channel *c)
{
    if (c->ended_in) {
        mtls_channel_fail(c, MTLS_R_DATA_AFTER_END);
        mtls_session_settle(c);
    } else if (mtls_channel_receives(c)) {
        c->session->in.channel = c;
    } else {
        c->session->stats.ignored++; /* this end has closed it */
    }
}

static void on_frame(struct mtls_session *s, const struct mtls_frame *frame)
{
    uint32_t id = mtls_session_00_id(s, frame);
    const struct mtls_stream *stream = mtls_streams_find(&s->v00->streams, id);

    if (stream == NULL) {
        s->in.channel = mtls_session_00_first(s, id, frame);
    } else if (stream->channel == NULL) {
        on_refused(s, stream, frame);
    } else {
        stream->channel->packets_in++;
        if (frame->length == 0)
            on_end(stream->channel);
        else
            on_data(stream->channel);
    }
}

int mtls_session_00_head(struct mtls_session *s)
{
    struct mtls_input *in = &s->in;
    const unsigned char *p = in->staging + in->start;
    struct mtls_frame frame;

    if (!mtls_wire00_get(p, in->end - in->start, &frame))
        return 0;
    if (s->hooks.message != NULL)
        s->hooks.message(s->app, 0, MTLS_FRAME_HEAD, p, MTLS_FRAME_HEADER);
    s->stats.packets_in++;
    in->start += MTLS_FRAME_HEADER;
    in->left = frame.length;
    in->bulk = frame.length >= MTLS_LONG_DATA;
    in->channel = NULL;
    in->skip_limit = UINT32_MAX;
    on_frame(s, &frame);
    return 1;
}

/* --- the reader's room --- */

size_t mtls_session_00_room(const struct mtls_session *s)
{
    const struct mtls_input *in = &s->in;
    const struct mtls_channel *c = in->channel;
    size_t room = in->left;

    if (c == in->lender && in->lent_left > 0 && c->buffer.length == 0)
        return room;
    if (c->buffer.length >= c->in.window)
        return 0;
    return room < c->in.window - c->buffer.length
               ? room
               : c->in.window - c->buffer.length;
}

unsigned char *mtls_session_00_data_room(struct mtls_session *s, size_t *room)
{
    struct mtls_channel *c = s->in.channel;

    return mtls_buffer_room(&c->buffer, &s->pool, mtls_session_00_room(s),
                            c->in.window, room);
}

void mtls_session_00_was_read(struct mtls_channel *c, size_t n)
{
    struct mtls_session *s = c->session;

    if (c->life == MTLS_ASKED)
        mtls_session_accept(c);
    if (s->in.channel == c && s->in.left > 0 &&
        c->buffer.length + n >= c->in.window && s->hooks.changed != NULL)
        s->hooks.changed(s->app, NULL);
}
