/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "session_dgram.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

void mtls_session_config_default(struct mtls_session_config *config)
{
    config->window = 64 * 1024;
    config->max_window = 16 * 1024 * 1024;
    config->max_packet = MTLS_RECORD_SIZE - MTLS_DATA_HEADER_SIZE;
    config->session_memory = 64 * 1024 * 1024;
    config->max_channels = MTLS_HALVES;
    config->max_opening = 4096;
    config->backlog = 4096;
}

struct mtls_session *mtls_session_new(const struct mtls_session_config *config,
                                      const struct mtls_session_hooks *hooks,
                                      void *app)
{
    struct mtls_session *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->config = *config;
    s->hooks = *hooks;
    s->app = app;
    s->is_client = 1;
    mtls_list_init(&s->owing);
    mtls_list_init(&s->turns);
    mtls_list_init(&s->drafts);
    mtls_list_init(&s->backlog);
    mtls_list_init(&s->early);
    mtls_list_init(&s->ready);
    mtls_list_init(&s->next_round);
    return s;
}

typedef void channel_visit(struct mtls_channel *c);

static void each_channel(struct mtls_session *s, channel_visit *visit)
{
    for (unsigned int half = 0; half < MTLS_HALVES; half++) {
        struct mtls_channel *c;

        if (s->table.pages[half / MTLS_TABLE_PAGE] == NULL) {
            half |= MTLS_TABLE_PAGE - 1;
            continue;
        }
        c = mtls_channel_table_at(&s->table, (uint16_t)half);
        if (c != NULL)
            visit(c);
    }
}

static void channel_free(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    mtls_list_remove(&c->owing);
    mtls_list_remove(&c->turn);
    mtls_list_remove(&c->ready);
    mtls_buffer_clear(&c->buffer, &s->pool);
    mtls_session_drop_draft(c);
    if (c->datagrams)
        mtls_dgram_freed(c);
    free(c->names);
    free(c->echec);
    free(c);
}

/* Channels that the program holds are its own to release, before this. */
void mtls_session_free(struct mtls_session *s)
{
    if (s == NULL)
        return;
    each_channel(s, channel_free);
    mtls_channel_table_cleanup(&s->table);
    mtls_records_cleanup(&s->out);
    mtls_pool_cleanup(&s->pool);
    mtls_dgram_free(s->dgram);
    mtls_session_00_free(s);
    free(s);
}

void mtls_session_set_client(struct mtls_session *s, int is_client)
{
    s->is_client = is_client;
}

int mtls_session_is_client(const struct mtls_session *s)
{
    return s->is_client;
}

struct mtls_session_config *mtls_session_config(struct mtls_session *s)
{
    return &s->config;
}

struct mtls_session_hooks *mtls_session_hooks(struct mtls_session *s)
{
    return &s->hooks;
}

void *mtls_session_app(struct mtls_session *s)
{
    return s->app;
}

void mtls_session_stats(const struct mtls_session *s,
                        struct mtls_session_stats *stats)
{
    *stats = s->stats;
    stats->octets_out = s->out.sent + s->stats.octets_out_beside;
}

int mtls_session_ended(const struct mtls_session *s)
{
    return s->ended;
}

int mtls_session_broken(const struct mtls_session *s)
{
    return s->broken;
}

uint32_t mtls_session_backlog(const struct mtls_session *s)
{
    return s->backlog_count;
}

/* --- ids and memory --- */

/* What is kept back, so that as many channels as are allowed can be had. */
static uint64_t memory_reserve(const struct mtls_session *s)
{
    uint64_t later = s->config.max_channels > s->stats.channels
                         ? s->config.max_channels - s->stats.channels
                         : 0;
    uint64_t reserve = later * MTLS_MIN_WINDOW;

    return reserve < s->config.session_memory / 2
               ? reserve
               : s->config.session_memory / 2;
}

uint64_t mtls_session_memory_free(const struct mtls_session *s)
{
    uint64_t left = mtls_session_memory_left(s), kept = memory_reserve(s);

    return left > kept ? left - kept : 0;
}

/*
 * Credit can't be taken back, so the sum of what was ever promised is what
 * must fit. New channels share what is free; protocol.md tells the curve.
 */
static uint32_t first_window(const struct mtls_session *s)
{
    uint64_t share = mtls_session_memory_free(s) / (s->stats.channels + 2);

    if (share < MTLS_MIN_WINDOW)
        share = MTLS_MIN_WINDOW;
    return share < s->config.window ? (uint32_t)share : s->config.window;
}

uint8_t mtls_session_reserve(struct mtls_channel *c, int initiator)
{
    struct mtls_session *s = c->session;
    int parity = s->is_client == initiator ? 0 : 1;
    uint32_t window = first_window(s);
    int r;

    if (s->v00 != NULL && s->dgram != NULL && window < MTLS_RECORD_SIZE)
        window = MTLS_RECORD_SIZE; /* no less than one datagram (Q17) */
    if (s->stats.channels >= s->config.max_channels ||
        window > mtls_session_memory_left(s))
        return MTLS_R_RESOURCE_SHORTAGE;
    r = mtls_channel_table_reserve(&s->table, c, parity, initiator,
                                   &c->own_half);
    if (r == 0 && s->v00 != NULL) /* the peer does not see halves */
        r = mtls_channel_table_reserve(&s->table, c, !parity, initiator,
                                       &c->own_half);
    if (r <= 0)
        return r == 0 ? MTLS_R_NO_HALF_FREE : MTLS_R_RESOURCE_SHORTAGE;
    c->reserved = 1;
    mtls_flow_rx_init(&c->in, window,
                      mtls_flow_max_packet(window, s->config.max_packet));
    s->stats.channels++;
    s->stats.window_memory += window;
    return 0;
}

static void unreserve(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    mtls_channel_table_release(&s->table, c->own_half);
    if (s->v00 != NULL)
        mtls_session_00_forget(c);
    if (c->marked)
        mtls_half_set_remove(c->initiator ? &s->table.peer_acceptor
                                          : &s->table.peer_initiator,
                             c->peer_half);
    if (c->close_sent)
        s->stats.closing--;
    mtls_flow_tune_forget(&s->tune, c);
    if (c->datagrams)
        mtls_dgram_opened(c, 0);
    c->reserved = 0;
    s->stats.channels--;
}

/* --- a channel's life --- */

struct mtls_channel *mtls_channel_new(struct mtls_session *s, void *app)
{
    struct mtls_channel *c =
        s->dgram != NULL ? mtls_dgram_channel_new() : calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->session = s;
    c->app = app;
    c->interest = UINT8_MAX;
    mtls_list_init(&c->owing);
    mtls_list_init(&c->turn);
    mtls_list_init(&c->ready);
    return c;
}

void mtls_session_changed(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    if (c->released)
        return;
    if (!mtls_list_linked(&c->ready))
        mtls_list_append(&s->ready, &c->ready);
    if (s->hooks.changed != NULL)
        s->hooks.changed(s->app, c);
}

void mtls_session_settle(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    int gone = c->released && !c->queued;

    if (s->v00 != NULL)
        mtls_session_00_settle(c);
    if (c->owed != 0 && !mtls_list_linked(&c->owing))
        mtls_list_append(&s->owing, &c->owing);
    s->stats.channels_reset += c->failed;
    c->failed = 0;
    if (c->life >= MTLS_CLOSING || c->tx != MTLS_TX_OPEN)
        mtls_session_stop_writing(c);
    if (gone)
        mtls_buffer_clear(&c->buffer, &s->pool);
    if (!mtls_channel_receives(c)) {
        if (s->in.channel == c) {
            s->in.channel = NULL; /* the rest of its packet is skipped */
            if (s->v00 != NULL && s->hooks.changed != NULL)
                s->hooks.changed(s->app, NULL); /* it may have stalled us */
        }
        s->stats.window_memory -= mtls_flow_rx_close(&c->in);
    }
    if (gone) /* what waited, too, and its memory is free */
        s->stats.window_memory -= mtls_flow_rx_drain(&c->in);
    if (mtls_channel_over(c) && c->reserved)
        unreserve(c);
    if (c->released && !c->reserved)
        channel_free(c);
    else
        mtls_session_changed(c);
}

void mtls_session_sent_owed(struct mtls_channel *c)
{
    if (c->session->v00 != NULL)
        mtls_session_00_settle(c);
    if (mtls_channel_over(c))
        mtls_session_settle(c);
}

void mtls_session_await_start(struct mtls_channel *c)
{
    if (c->life == MTLS_NEW && !mtls_list_linked(&c->turn))
        mtls_list_append(&c->session->early, &c->turn);
}

void mtls_session_start(struct mtls_session *s)
{
    while (!mtls_list_empty(&s->early)) {
        struct mtls_channel *c =
            mtls_list_item(s->early.next, struct mtls_channel, turn);

        mtls_list_remove(&c->turn);
        c->events |= MTLS_WRITABLE;
        mtls_session_changed(c);
    }
}

uint8_t mtls_session_open(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    uint8_t reason;

    if (s->ended)
        return MTLS_R_SESSION_ENDED;
    if (c->life != MTLS_NEW || c->names == NULL)
        return c->names == NULL ? MTLS_R_BAD_DESTINATION : MTLS_R_WRONG_STATE;
    if (s->v00 != NULL)
        return mtls_session_00_open(c);
    reason = mtls_session_reserve(c, 1);
    if (reason != 0)
        return reason;
    mtls_channel_request(c);
    mtls_session_settle(c);
    return 0;
}

static void leave_backlog(struct mtls_channel *c)
{
    mtls_list_remove(&c->turn);
    c->session->backlog_count--;
    c->queued = 0;
}

struct mtls_channel *mtls_session_next_asked(struct mtls_session *s)
{
    struct mtls_channel *c;

    if (mtls_list_empty(&s->backlog))
        return NULL;
    c = mtls_list_item(s->backlog.next, struct mtls_channel, turn);
    leave_backlog(c);
    c->released = 0;
    if (s->v00 != NULL) /* its first data is there already */
        mtls_session_changed(c);
    return c;
}

int mtls_session_accept(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;

    if (!mtls_channel_accept(c))
        return 0;
    s->asked--;
    s->stats.channels_accepted++;
    mtls_session_settle(c);
    return 1;
}

int mtls_session_reject(struct mtls_channel *c, const char *text)
{
    if (c->life != MTLS_ASKED)
        return 0;
    free(c->echec);
    c->echec = text == NULL ? NULL : strdup(text);
    mtls_channel_reject(c);
    c->session->asked--;
    mtls_session_settle(c);
    return 1;
}

int mtls_session_end_data(struct mtls_channel *c)
{
    mtls_session_flush_draft(c);
    mtls_session_drop_draft(c);
    if (!mtls_channel_end(c))
        return 0;
    mtls_session_settle(c);
    return 1;
}

void mtls_session_reset(struct mtls_channel *c)
{
    if (c->life == MTLS_ASKED)
        c->session->asked--;
    mtls_session_drop_draft(c);
    mtls_channel_reset(c, MTLS_R_CHANNEL_RESET);
    mtls_buffer_clear(&c->buffer, &c->session->pool);
    c->session->stats.window_memory -= mtls_flow_rx_drain(&c->in);
    mtls_session_settle(c);
}

void mtls_session_release(struct mtls_channel *c)
{
    if (c->life == MTLS_ASKED)
        c->session->asked--;
    mtls_session_flush_draft(c);
    mtls_session_drop_draft(c);
    mtls_list_remove(&c->ready);
    c->app = c->waiters = NULL;
    mtls_channel_release(c);
    mtls_session_settle(c);
}

/* --- the end --- */

/* A Request that the program will not be asked about, or not any more. */
static void undecided_no_more(struct mtls_channel *c)
{
    if (c->life == MTLS_ASKED)
        c->session->asked--;
    if (c->queued)
        leave_backlog(c);
}

static void cut(struct mtls_channel *c)
{
    undecided_no_more(c);
    mtls_list_remove(&c->owing);
    mtls_channel_cut(c, c->session->broken ? MTLS_R_SESSION_DESYNCHRONISED
                                           : MTLS_R_TRUNCATED);
    mtls_session_settle(c);
}

void mtls_session_end(struct mtls_session *s)
{
    size_t len;

    if (s->ended)
        return;
    mtls_session_send_buf(s, &len); /* what is owed may still get out */
    s->ended = 1;
    s->in.channel = NULL;
    s->answers_count = 0;
    each_channel(s, cut);
    if (s->hooks.changed != NULL)
        s->hooks.changed(s->app, NULL);
}

static void close_in_order(struct mtls_channel *c)
{
    undecided_no_more(c);
    mtls_session_flush_draft(c);
    mtls_channel_close(c);
    mtls_session_settle(c);
}

void mtls_session_close(struct mtls_session *s)
{
    if (!s->ended)
        each_channel(s, close_in_order);
}

/* --- readiness --- */

unsigned int mtls_session_events(const struct mtls_channel *c)
{
    unsigned int events = c->events;

    if (c->life == MTLS_NEW)
        return events;
    if (c->buffer.length != 0 || (c->rx != MTLS_RX_OPEN && !c->told_end))
        events |= MTLS_READABLE;
    if (c->wants_room && (c->tx_reason != 0 || mtls_session_guarantee(c) != 0))
        events |= MTLS_WRITABLE;
    return events;
}

void mtls_session_told(struct mtls_channel *c)
{
    c->told_end = 1;
}

void mtls_session_set_interest(struct mtls_channel *c, unsigned int events)
{
    c->interest = (uint8_t)events;
    mtls_session_join_turns(c);
    if (!mtls_list_linked(&c->ready))
        mtls_list_append(&c->session->ready, &c->ready);
}

void mtls_session_new_round(struct mtls_session *s)
{
    mtls_list_splice(&s->ready, &s->next_round);
}

/*
 * As epoll's level-triggered list: who has been told stays for the next
 * round, and leaves when it has nothing to tell any more.
 */
struct mtls_channel *mtls_session_next_ready(struct mtls_session *s,
                                             unsigned int *events)
{
    while (!mtls_list_empty(&s->ready)) {
        struct mtls_channel *c =
            mtls_list_item(s->ready.next, struct mtls_channel, ready);

        mtls_list_remove(&c->ready);
        *events = mtls_session_events(c);
        if ((*events & MTLS_WRITABLE) && c->life != MTLS_NEW)
            mtls_session_offer_turn(c);
        *events &= c->interest;
        if (*events == 0)
            continue;
        c->events &= (uint8_t)~c->interest;
        mtls_list_append(&s->next_round, &c->ready);
        return c;
    }
    return NULL;
}
