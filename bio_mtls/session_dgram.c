/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "datagrams.h"
#include "session_dgram_local.h"

#include <stdlib.h>
#include <string.h>

#define MILLISECOND 1000
#define PROBE_FIRST (200 * MILLISECOND)
#define PROBE_MAX (5000 * MILLISECOND)
#define PROBE_GRAIN                                          \
    (10 * MILLISECOND) /* so often at most all are looked at \
                        */
#define ANSWER_INTERVAL (100 * MILLISECOND) /* one a channel (P10) */
#define HELD_COUNT 64     /* datagrams before their Success ... */
#define HELD_OCTETS 65536 /* ... of a session */

/* One that came before the Success of its channel. */
struct held {
    struct mtls_list link;
    uint32_t id;
    uint32_t len;
    unsigned char data[];
};

/* --- life --- */

int mtls_session_set_datagrams(struct mtls_session *s)
{
    struct mtls_dgram *d;

    if (s->dgram != NULL)
        return 1;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return 0;
    d->limit = MTLS_RECORD_SIZE - MTLS_DATA_HEADER_SIZE;
    mtls_list_init(&d->starving);
    mtls_list_init(&d->held);
    mtls_list_init(&d->in_use);
    s->dgram = d;
    return 1;
}

int mtls_session_has_datagrams(const struct mtls_session *s)
{
    return s->dgram != NULL;
}

void mtls_session_set_path_limit(struct mtls_session *s, uint32_t limit)
{
    const uint32_t most =
        MTLS_RECORD_SIZE -
        (s->v00 != NULL ? MTLS_FRAME_HEADER : MTLS_DATA_HEADER_SIZE);

    s->dgram->limit = limit < 1 ? 1 : limit < most ? limit : most;
}

uint32_t mtls_session_path_limit(const struct mtls_session *s)
{
    return s->dgram->limit;
}

struct mtls_channel *mtls_dgram_channel_new(void)
{
    struct dgram_channel *dc = calloc(1, sizeof(*dc));

    if (dc == NULL)
        return NULL;
    dc->channel.datagrams = 1;
    mtls_list_init(&dc->starving);
    mtls_list_init(&dc->in_use);
    return &dc->channel;
}

static void drop_held(struct mtls_dgram *d, struct held *h)
{
    mtls_list_remove(&h->link);
    d->held_count--;
    d->held_octets -= h->len;
    free(h);
}

void mtls_dgram_free(struct mtls_dgram *d)
{
    struct mtls_list *at, *next;

    if (d == NULL)
        return;
    for (at = d->held.next; at != &d->held; at = next) {
        next = at->next;
        free(mtls_list_item(at, struct held, link));
    }
    free(d);
}

static void leave_starving(struct mtls_channel *c)
{
    mtls_list_remove(&dgram_of(c)->starving);
}

void mtls_dgram_freed(struct mtls_channel *c)
{
    leave_starving(c);
    mtls_list_remove(&dgram_of(c)->in_use);
}

/* --- credit: to the peer --- */

static void owe(struct mtls_channel *c, enum mtls_channel_owed what)
{
    c->owed |= (uint8_t)what;
    if (!mtls_list_linked(&c->owing))
        mtls_list_append(&c->session->owing, &c->owing);
}

/*
 * A sender that starves while the reader has read all, and a good part of a
 * window came since the last time: then it is the window that is too small.
 */
static void consider_growing(struct mtls_channel *c)
{
    c->prompt = c->buffer.length == 0 &&
                c->data_in - dgram_of(c)->grown_at >= c->in.window / 4;
    c->starving = 1;
    if (c->prompt)
        dgram_of(c)->grown_at = c->data_in;
}

/* --- credit: from the peer --- */

/* When the first of those without credit is to ask for it. */
static void plan_probe(struct mtls_channel *c, uint64_t now)
{
    struct mtls_dgram *d = c->session->dgram;

    dgram_of(c)->probe_at = now + dgram_of(c)->probe_after;
    if (dgram_of(c)->probe_at < d->next_probe)
        d->next_probe = dgram_of(c)->probe_at;
}

static void starve(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    struct mtls_dgram *d = s->dgram;

    if (mtls_list_linked(&dgram_of(c)->starving))
        return;
    if (mtls_list_empty(&d->starving))
        d->next_probe = MTLS_NEVER;
    mtls_list_append(&d->starving, &dgram_of(c)->starving);
    dgram_of(c)->probe_after = PROBE_FIRST;
    plan_probe(c, s->hooks.now(s->app));
}

/*
 * The first one that found no room is not told before the others: all are. Nor
 * does one wait that has become too long: the next try tells it so.
 */
static void wait_for_room(struct mtls_channel *c, size_t len)
{
    uint32_t limit = mtls_session_datagram_limit(c);

    c->wants_room = 1;
    dgram_of(c)->need = len < limit ? (uint32_t)len : limit;
    if (dgram_of(c)->need > c->out.credit) {
        starve(c);
        return;
    }
    leave_starving(c);
    if (c->session->dgram->out_len != 0 && !mtls_list_linked(&c->turn))
        mtls_list_append(&c->session->turns, &c->turn);
}

void mtls_dgram_asked(struct mtls_channel *c)
{
    uint64_t now = c->session->hooks.now(c->session->app);
    uint64_t last = dgram_of(c)->answered_at;

    if (c->wants_room) /* its value may be a lower one */
        wait_for_room(c, dgram_of(c)->need);
    if (!mtls_channel_receives(c) ||
        (last != 0 && now - last < ANSWER_INTERVAL))
        return;
    dgram_of(c)->answered_at = now != 0 ? now : 1;
    consider_growing(c);
    owe(c, MTLS_OWE_ACK);
}

int mtls_dgram_ack(struct mtls_channel *c, uint32_t free_space)
{
    if (c->life != MTLS_OPEN)
        return 0;
    c->out.credit = free_space;
    if (free_space > dgram_of(c)->most)
        dgram_of(c)->most = free_space;
    if (!c->wants_room)
        leave_starving(c);
    else
        wait_for_room(c, dgram_of(c)->need);
    return 1;
}

uint64_t mtls_session_deadline(const struct mtls_session *s)
{
    const struct mtls_dgram *d = s->dgram;
    uint64_t keep;

    if (d == NULL || s->ended)
        return MTLS_NEVER;
    if (s->v00 != NULL)
        return mtls_session_00_deadline(s);
    keep = mtls_keep_deadline(s);
    return !mtls_list_empty(&d->starving) && d->next_probe < keep
               ? d->next_probe
               : keep;
}

/* Those whose time has come ask for credit. */
static void probe(struct mtls_session *s, uint64_t now)
{
    struct mtls_dgram *d = s->dgram;
    struct mtls_list *at, *next;

    d->next_probe = MTLS_NEVER;
    for (at = d->starving.next; at != &d->starving; at = next) {
        struct dgram_channel *dc =
            mtls_list_item(at, struct dgram_channel, starving);
        struct mtls_channel *c = &dc->channel;

        next = at->next;
        if (!mtls_channel_sends(c)) {
            mtls_list_remove(&dc->starving);
            continue;
        }
        if (dc->probe_at <= now) {
            owe(c, MTLS_OWE_NEW_MAX);
            dc->probe_after *= 2;
            if (dc->probe_after > PROBE_MAX)
                dc->probe_after = PROBE_MAX;
            dc->probe_at = now + dc->probe_after;
        }
        if (dc->probe_at < d->next_probe)
            d->next_probe = dc->probe_at;
    }
    if (d->next_probe < now + PROBE_GRAIN)
        d->next_probe = now + PROBE_GRAIN;
}

void mtls_session_tick(struct mtls_session *s)
{
    uint64_t deadline = mtls_session_deadline(s), now;

    if (deadline == MTLS_NEVER || (now = s->hooks.now(s->app)) < deadline)
        return;
    if (s->v00 != NULL) {
        mtls_session_00_tick(s, now);
        return;
    }
    mtls_keep_tick(s, now);
    if (!mtls_list_empty(&s->dgram->starving) && now >= s->dgram->next_probe)
        probe(s, now);
}

/* --- out --- */

/* More than it ever announced can't get credit (P12); nothing: not yet. */
uint32_t mtls_session_datagram_limit(const struct mtls_channel *c)
{
    const struct dgram_channel *dc = (const struct dgram_channel *)c;
    uint32_t most = dc->most > c->out.credit ? dc->most : c->out.credit;
    uint32_t limit = c->session->dgram->limit;

    if (c->out.max_packet != 0 && c->out.max_packet < limit)
        limit = c->out.max_packet;
    return most != 0 && most < limit ? most : limit;
}

int mtls_session_datagram_fits(const struct mtls_channel *c, size_t len)
{
    return mtls_channel_sends(c) && len <= c->out.credit &&
           len <= mtls_session_datagram_limit(c) &&
           c->session->dgram->out_len == 0;
}

size_t mtls_dgram_guarantee(const struct mtls_channel *c)
{
    const struct dgram_channel *dc = (const struct dgram_channel *)c;
    uint32_t limit = mtls_session_datagram_limit(c);

    if (!mtls_channel_sends(c) || c->session->dgram->out_len != 0 ||
        (c->wants_room && c->out.credit < dc->need))
        return 0;
    return c->out.credit < limit ? c->out.credit : limit;
}

/* An empty one of mtls-00 would be an end (Q16): it is lost. */
static int lose_empty(struct mtls_session *s)
{
    mtls_dgram_dropped(s);
    return 1;
}

int mtls_session_write_datagram(struct mtls_channel *c, const void *data,
                                size_t len)
{
    struct mtls_session *s = c->session;
    struct mtls_dgram *d = s->dgram;
    size_t head;

    if (!mtls_session_datagram_fits(c, len)) {
        if (mtls_channel_sends(c) && len <= mtls_session_datagram_limit(c))
            wait_for_room(c, len);
        return 0;
    }
    c->wants_room = 0;
    leave_starving(c);
    mtls_list_remove(&c->turn);
    if (len == 0 && s->v00 != NULL)
        return lose_empty(s);
    head = mtls_session_put_header(c, d->out, len);
    if (len != 0)
        memcpy(d->out + head, data, len);
    d->out_len = (uint32_t)(head + len);
    if (c->out.credit > dgram_of(c)->most)
        dgram_of(c)->most = c->out.credit;
    c->out.credit -= (uint32_t)len;
    c->data_out += len;
    c->packets_out++;
    s->stats.data_out += len;
    s->stats.packets_out++;
    if (s->v00 != NULL)
        mtls_session_00_used(c);
    mtls_session_say_data(s, d->out, head, len);
    return 1;
}

const unsigned char *mtls_session_datagram_out(struct mtls_session *s,
                                               size_t *len)
{
    const struct mtls_dgram *d = s->dgram;

    if (d->out_len == 0 && s->v00 != NULL)
        mtls_session_00_owed_datagram(s);
    else if (d->out_len == 0)
        mtls_keep_out(s);
    *len = d->out_len;
    return d->out_len != 0 ? d->out : NULL;
}

void mtls_session_datagram_sent(struct mtls_session *s)
{
    s->stats.octets_out_beside += s->dgram->out_len;
    s->dgram->out_len = 0;
    while (!mtls_list_empty(&s->turns)) {
        struct mtls_channel *c =
            mtls_list_item(s->turns.next, struct mtls_channel, turn);

        mtls_list_remove(&c->turn);
        mtls_session_changed(c);
    }
}

/* --- in --- */

/* Where credit does not cover it, since some of ours was on its way when that
 * was sent, it uses what was freed meanwhile. */
static void take_credit(struct mtls_flow_rx *rx, uint32_t len)
{
    uint32_t n = len < rx->granted ? len : rx->granted;

    rx->granted -= n;
    rx->freed -= len - n;
}

static void deliver(struct mtls_channel *c, const unsigned char *data,
                    uint32_t len)
{
    struct mtls_session *s = c->session;

    c->packets_in++;
    if (!mtls_channel_receives(c) || len > c->in.max_packet ||
        !mtls_datagrams_put(&c->buffer, &s->pool, data, len, c->in.window)) {
        mtls_dgram_dropped(s);
        return;
    }
    take_credit(&c->in, len);
    c->data_in += len;
    s->stats.data_in += len;
    mtls_session_changed(c);
}

/* Whether it may be for a channel of ours whose Success has yet to come. */
static int is_early(const struct mtls_session *s, uint32_t id)
{
    const struct mtls_channel *c =
        mtls_channel_table_at(&s->table, (uint16_t)(id >> 16));

    return c != NULL && c->initiator && c->life == MTLS_OPENING &&
           !(c->owed & MTLS_OWE_REQUEST) && c->tx_reason == 0;
}

static int hold(struct mtls_session *s, uint32_t id, const unsigned char *data,
                uint32_t len)
{
    struct mtls_dgram *d = s->dgram;
    struct held *h;

    if (d->held_count == HELD_COUNT || d->held_octets + len > HELD_OCTETS ||
        (h = malloc(sizeof(*h) + len)) == NULL)
        return 0;
    mtls_list_init(&h->link);
    h->id = id;
    h->len = len;
    if (len != 0)
        memcpy(h->data, data, len);
    mtls_list_append(&d->held, &h->link);
    d->held_count++;
    d->held_octets += len;
    return 1;
}

void mtls_dgram_opened(struct mtls_channel *c, int opened)
{
    struct mtls_session *s = c->session;
    struct mtls_dgram *d = s->dgram;
    struct mtls_list *at, *next;

    if (!c->initiator)
        return;
    for (at = d->held.next; at != &d->held; at = next) {
        struct held *h = mtls_list_item(at, struct held, link);

        next = at->next;
        if (h->id >> 16 != c->own_half)
            continue;
        if (opened && c->named && h->id == mtls_channel_id(c))
            deliver(c, h->data, h->len);
        else
            mtls_dgram_dropped(s);
        drop_held(d, h);
    }
}

void mtls_session_datagram_in(struct mtls_session *s, const unsigned char *p,
                              size_t len)
{
    struct mtls_head head;
    struct mtls_channel *c;
    const unsigned char *data = p + MTLS_DATA_HEADER_SIZE;

    if (s->ended)
        return;
    s->stats.octets_in += len;
    if (s->v00 != NULL) {
        mtls_session_00_datagram_in(s, p, len);
        return;
    }
    s->stats.packets_in++;
    if (mtls_wire_head(p, len, &head) != MTLS_WIRE_DONE ||
        head.type != MTLS_PLAINTEXT ||
        head.length != len - MTLS_DATA_HEADER_SIZE) {
        s->stats.malformed++;
        mtls_dgram_dropped(s);
        return;
    }
    mtls_keep_heard(s);
    if (s->hooks.message != NULL) {
        s->hooks.message(s->app, 0, MTLS_PLAINTEXT, p, MTLS_DATA_HEADER_SIZE);
        s->hooks.message(s->app, 0, MTLS_DATA_OCTETS, data, head.length);
    }
    c = mtls_session_find(s, head.id);
    if (c != NULL) {
        deliver(c, data, head.length);
    } else if (mtls_keep_in(s, head.id, data, head.length)) {
        return;
    } else if (!is_early(s, head.id) || !hold(s, head.id, data, head.length)) {
        s->stats.ignored++;
        mtls_dgram_dropped(s);
    }
}

int mtls_session_next_datagram(const struct mtls_channel *c, size_t *len)
{
    return mtls_datagrams_next(&c->buffer, len);
}

size_t mtls_session_read_datagram(struct mtls_channel *c, void *data,
                                  size_t room)
{
    size_t len = mtls_datagrams_take(&c->buffer, &c->session->pool, data, room);

    mtls_session_was_read(c, len);
    return len < room ? len : room;
}
