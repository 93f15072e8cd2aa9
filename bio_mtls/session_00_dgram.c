/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00 over DTLS: every frame is a datagram, and may be lost, come late or
 * twice. So each that carries data may be the first of its stream, and nothing
 * waits for an answer (Q14 to Q17).
 */
#include "datagrams.h"
#include "session_dgram_local.h"

#define FORGOTTEN UINT64_C(300000000) /* microseconds without a frame (Q16) */

/* --- in --- */

/* The pair is free; what has arrived can still be read. */
static void end(struct mtls_channel *c)
{
    c->ended_in = 1;
    if (c->rx == MTLS_RX_OPEN)
        c->rx = MTLS_RX_ENDED;
    mtls_list_remove(&dgram_of(c)->in_use);
    mtls_session_00_forget(c);
    mtls_session_settle(c);
}

static void put(struct mtls_channel *c, const unsigned char *data, size_t len)
{
    struct mtls_session *s = c->session;

    mtls_session_00_used(c);
    if (!mtls_channel_receives(c) ||
        !mtls_datagrams_put(&c->buffer, &s->pool, data, len, c->in.window)) {
        mtls_dgram_dropped(s);
        return;
    }
    c->data_in += len;
    s->stats.data_in += len;
    mtls_session_changed(c);
}

static void on_frame(struct mtls_session *s, const struct mtls_frame *frame,
                     const unsigned char *data)
{
    uint32_t id = mtls_session_00_id(s, frame);
    const struct mtls_stream *stream = mtls_streams_find(&s->v00->streams, id);
    struct mtls_channel *c = stream == NULL ? NULL : stream->channel;

    if (c != NULL)
        c->packets_in++;
    if (c != NULL && frame->length == 0)
        end(c);
    else if (frame->length == 0) /* an end that came before */
        s->stats.ignored++;
    else if (c != NULL || (c = mtls_session_00_first(s, id, frame)) != NULL)
        put(c, data, frame->length);
    else
        mtls_dgram_dropped(s);
}

/* How many octets of it were one; 0: they are none. */
static size_t take_frame(struct mtls_session *s, const unsigned char *p,
                         size_t len)
{
    const unsigned char *data = p + MTLS_FRAME_HEADER;
    struct mtls_frame frame;

    if (!mtls_wire00_get(p, len, &frame) ||
        frame.length > len - MTLS_FRAME_HEADER)
        return 0;
    s->stats.packets_in++;
    if (s->hooks.message != NULL) {
        s->hooks.message(s->app, 0, MTLS_FRAME_HEAD, p, MTLS_FRAME_HEADER);
        s->hooks.message(s->app, 0, MTLS_DATA_OCTETS, data, frame.length);
    }
    on_frame(s, &frame, data);
    return MTLS_FRAME_HEADER + frame.length;
}

void mtls_session_00_datagram_in(struct mtls_session *s, const unsigned char *p,
                                 size_t len)
{
    size_t n;

    do {
        n = take_frame(s, p, len);
        p += n;
        len -= n;
    } while (n != 0 && len > 0);
    if (n == 0) {
        s->stats.malformed++;
        mtls_dgram_dropped(s);
    }
}

/* --- out --- */

/* The next stream of which it is to be said that it is over: 1, or 0. */
static int next_end(struct mtls_session *s, uint32_t *id)
{
    if (s->answers_count > 0) {
        *id = s->answers[s->answers_first].id;
        s->answers_first = (s->answers_first + 1) % MTLS_ANSWERS;
        s->answers_count--;
        return 1;
    }
    while (!mtls_list_empty(&s->owing)) {
        struct mtls_channel *c =
            mtls_list_item(s->owing.next, struct mtls_channel, owing);

        mtls_list_remove(&c->owing);
        if (c->owed == 0)
            continue;
        *id = c->stream;
        c->packets_out++;
        c->owed = 0;
        mtls_session_sent_owed(c);
        return 1;
    }
    return 0;
}

void mtls_session_00_owed_datagram(struct mtls_session *s)
{
    struct mtls_dgram *d = s->dgram;
    uint32_t id;

    if (!next_end(s, &id))
        return;
    d->out_len =
        (uint32_t)mtls_session_00_put_answer(s, id, d->out, sizeof(d->out));
    s->stats.packets_out++;
    mtls_session_say_sent(s, MTLS_FRAME_HEAD, d->out, d->out_len);
}

/* --- what is not used any more --- */

/* Of those that the peer opened, in the order of their last frame. */
void mtls_session_00_used(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct dgram_channel *dc = dgram_of(c);

    if (c->initiator)
        return;
    dc->used_at = s->hooks.now(s->app);
    mtls_list_remove(&dc->in_use);
    mtls_list_append(&s->dgram->in_use, &dc->in_use);
}

static struct dgram_channel *least_used(const struct mtls_session *s)
{
    const struct mtls_list *in_use = &s->dgram->in_use;

    return mtls_list_empty(in_use)
               ? NULL
               : mtls_list_item(in_use->next, struct dgram_channel, in_use);
}

uint64_t mtls_session_00_deadline(const struct mtls_session *s)
{
    const struct dgram_channel *dc = least_used(s);

    return dc == NULL ? MTLS_NEVER : dc->used_at + FORGOTTEN;
}

void mtls_session_00_tick(struct mtls_session *s, uint64_t now)
{
    struct dgram_channel *dc;

    while ((dc = least_used(s)) != NULL && dc->used_at + FORGOTTEN <= now)
        end(&dc->channel);
}
