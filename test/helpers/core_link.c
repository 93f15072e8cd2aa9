/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_link.h"

#include "session_local.h"

#include <stdlib.h>
#include <string.h>

/* --- pipes and ends --- */

void core_pipe_put(struct core_pipe *pipe, const unsigned char *p, size_t n)
{
    if (pipe->start == pipe->end)
        pipe->start = pipe->end = 0;
    if (pipe->end + n > pipe->capacity) {
        pipe->capacity = 2 * (pipe->end + n);
        pipe->octets = realloc(pipe->octets, pipe->capacity);
        ck_assert_ptr_nonnull(pipe->octets);
    }
    memcpy(pipe->octets + pipe->end, p, n);
    pipe->end += n;
}

void core_pipe_cleanup(struct core_pipe *pipe)
{
    free(pipe->octets);
    memset(pipe, 0, sizeof(*pipe));
}

size_t core_collect(struct core_end *end)
{
    const unsigned char *p;
    size_t len, sum = 0;

    while ((p = mtls_session_send_buf(end->session, &len)) != NULL) {
        core_must(len <= MTLS_RECORD_SIZE);
        core_pipe_put(&end->out, p, len);
        mtls_session_send_ack(end->session, len);
        sum += len;
    }
    return sum;
}

size_t core_deliver(struct core_pipe *pipe, struct mtls_session *to, size_t n)
{
    size_t done = 0;

    if (n > pipe->end - pipe->start)
        n = pipe->end - pipe->start;
    while (done < n) {
        size_t room;
        unsigned char *p = mtls_session_recv_buf(to, &room);

        if (p == NULL)
            break;
        core_must(room > 0);
        if (room > n - done)
            room = n - done;
        memcpy(p, pipe->octets + pipe->start, room);
        pipe->start += room;
        done += room;
        mtls_session_recv_ack(to, room);
    }
    return done;
}

/* Calls |visit| with each channel that has a half, and adds up. */
static uint64_t sum_of(const struct mtls_session *session,
                       uint64_t (*visit)(const struct mtls_channel *c))
{
    uint64_t sum = 0;

    for (unsigned int half = 0; half < MTLS_HALVES; half++) {
        const struct mtls_channel *c;

        if (session->table.pages[half / MTLS_TABLE_PAGE] == NULL) {
            half += MTLS_TABLE_PAGE - 1;
            continue;
        }
        c = mtls_channel_table_at(&session->table, (uint16_t)half);
        sum += c != NULL ? visit(c) : 0;
    }
    return sum;
}

static uint64_t chunks_of(const struct mtls_channel *c)
{
    uint64_t sum = 0;

    for (const struct mtls_chunk *k = c->buffer.head; k != NULL; k = k->next)
        sum += k->capacity;
    return sum;
}

uint64_t core_held(const struct mtls_session *session)
{
    return sum_of(session, chunks_of);
}

static uint64_t window_of(const struct mtls_channel *c)
{
    if (c->datagrams) /* each with its length */
        core_must(c->buffer.length <= c->in.window + 2);
    else if (c->session->v00 != NULL) /* nothing is granted there */
        core_must(c->buffer.length <= c->in.window);
    else
        core_must(c->buffer.length <= mtls_flow_rx_waiting(&c->in));
    core_must((uint64_t)c->in.granted + c->in.freed <= c->in.window);
    return c->in.window;
}

void core_check(const struct mtls_session *session)
{
    struct mtls_session_stats stats;

    mtls_session_stats(session, &stats);
    core_must(stats.window_memory <= session->config.session_memory);
    core_must(sum_of(session, window_of) <= stats.window_memory);
    core_must(stats.channels <= session->config.max_channels);
    core_must(session->asked <= session->config.max_opening);
    core_must(session->backlog_count <= session->config.backlog);
    core_must(session->answers_count <= MTLS_ANSWERS);
    core_must(session->out.count <= MTLS_QUEUE_CONTROL + MTLS_QUEUE_DATA);
}

/* --- two sessions --- */

static void on_changed(void *app, struct mtls_channel *channel)
{
    struct core_end *end = app;

    end->changes++;
    end->changed = channel;
}

static uint64_t on_now(void *app)
{
    const struct core_end *end = app;

    return end->link->now;
}

static void end_open(struct core_link *link, struct core_end *end,
                     const struct mtls_session_config *config, int is_client)
{
    const struct mtls_session_hooks hooks = {on_changed, NULL, on_now};
    struct mtls_session_config own;

    mtls_session_config_default(&own);
    memset(end, 0, sizeof(*end));
    end->link = link;
    end->session =
        mtls_session_new(config != NULL ? config : &own, &hooks, end);
    ck_assert_ptr_nonnull(end->session);
    mtls_session_set_client(end->session, is_client);
}

void core_link_open(struct core_link *link,
                    const struct mtls_session_config *config)
{
    memset(link, 0, sizeof(*link));
    end_open(link, &link->client, config, 1);
    end_open(link, &link->server, config, 0);
}

void core_link_close(struct core_link *link)
{
    mtls_session_free(link->client.session);
    mtls_session_free(link->server.session);
    core_pipe_cleanup(&link->client.out);
    core_pipe_cleanup(&link->server.out);
}

static size_t deliver_all(struct core_link *link, struct core_pipe *pipe,
                          struct mtls_session *to)
{
    size_t sum = 0, n, took;

    do {
        n = link->piece == 0 ? SIZE_MAX : link->piece;
        if (link->random != NULL)
            n = 1 + core_below(link->random, (uint32_t)n);
        took = core_deliver(pipe, to, n);
        sum += took;
    } while (took != 0);
    core_check(to);
    return sum;
}

int core_move(struct core_link *link)
{
    size_t moved;

    link->now += 1000;
    moved = core_collect(&link->client);
    moved += core_collect(&link->server);
    moved += deliver_all(link, &link->client.out, link->server.session);
    moved += deliver_all(link, &link->server.out, link->client.session);
    return moved != 0;
}

void core_settle(struct core_link *link)
{
    for (int i = 0; core_move(link); i++)
        core_must(i < 100000);
}

struct mtls_channel *core_open(struct core_end *end, const char *host)
{
    const struct mtls_address to = {host, strlen(host), 80};
    const struct mtls_address from = {"0.0.0.0", 7, 0};
    struct mtls_channel *c = mtls_channel_new(end->session, NULL);

    ck_assert_ptr_nonnull(c);
    ck_assert(mtls_channel_set_names(c, &to, &from));
    ck_assert_int_eq(mtls_session_open(c), 0);
    return c;
}

struct mtls_channel *core_accept(struct core_end *end)
{
    struct mtls_channel *c = mtls_session_next_asked(end->session);

    ck_assert_ptr_nonnull(c);
    ck_assert(mtls_session_accept(c));
    return c;
}

void core_pair(struct core_link *link, struct mtls_channel **client,
               struct mtls_channel **server)
{
    *client = core_open(&link->client, "pair");
    core_settle(link);
    *server = core_accept(&link->server);
    core_settle(link);
    ck_assert_int_eq((*client)->life, MTLS_OPEN);
    ck_assert_int_eq((*server)->life, MTLS_OPEN);
}

size_t core_write(struct mtls_channel *channel, const char *text)
{
    return mtls_session_write(channel, text, strlen(text));
}

void core_expect(struct mtls_channel *channel, const char *text)
{
    size_t len = strlen(text);
    char *got = calloc(1, len + 2);

    ck_assert_ptr_nonnull(got);
    mtls_session_read(channel, got, len + 1);
    ck_assert_str_eq(got, text);
    free(got);
}

size_t core_discard(struct mtls_channel *channel)
{
    static unsigned char waste[65536];
    size_t sum = 0, n;

    while ((n = mtls_session_read(channel, waste, sizeof(waste))) != 0)
        sum += n;
    return sum;
}

int core_at_end(const struct mtls_channel *channel, enum mtls_channel_rx rx)
{
    return channel->buffer.length == 0 && channel->rx == rx;
}

/* --- one session against a raw peer --- */

void core_raw_open(struct core_link *link,
                   const struct mtls_session_config *config)
{
    memset(link, 0, sizeof(*link));
    end_open(link, &link->server, config, 0);
}

size_t core_say_octets(struct core_link *link, const void *octets, size_t len)
{
    core_pipe_put(&link->client.out, octets, len);
    link->now += 1000;
    return deliver_all(link, &link->client.out, link->server.session);
}

size_t core_say(struct core_link *link, const char *widths, ...)
{
    unsigned char octets[64];
    va_list values;
    size_t n;

    va_start(values, widths);
    n = core_octets_v(octets, widths, values);
    va_end(values);
    return core_say_octets(link, octets, n);
}

void core_say_request(struct core_link *link, uint16_t half, uint32_t window)
{
    unsigned char octets[64];

    core_say_octets(link, octets,
                    core_request_octets(octets, half, window, 16000, "to", 80));
}

void core_say_success(struct core_link *link, uint16_t half, uint16_t answer,
                      uint32_t window)
{
    core_say(link, "12 2244", CORE_SUCCESS, 15, half, answer, window, 16000);
}

void core_say_data(struct core_link *link, uint32_t id, size_t len)
{
    static const unsigned char data[1024];

    core_say(link, "144", CORE_DATA, (unsigned int)len, id);
    for (size_t n; len > 0; len -= n) {
        n = len < sizeof(data) ? len : sizeof(data);
        core_say_octets(link, data, n);
    }
}

unsigned int core_hear(struct core_link *link, struct core_packet *packet)
{
    struct core_end *end = &link->server;
    long size;

    core_collect(end);
    if (end->out.start == end->out.end)
        return 0;
    size = core_packet_read(end->out.octets + end->out.start,
                            end->out.end - end->out.start, packet);
    core_must(size >= 0);
    end->out.start += (size_t)size;
    return size == 0 ? 0 : packet->type;
}

void core_silent(struct core_link *link)
{
    struct core_packet packet;

    ck_assert_uint_eq(core_hear(link, &packet), 0);
}

struct core_packet core_hear_only(struct core_link *link, unsigned int type)
{
    struct core_packet packet;

    ck_assert_uint_eq(core_hear(link, &packet), type);
    return packet;
}

struct mtls_channel *core_raw_accepted(struct core_link *link, uint16_t half,
                                       uint32_t *id)
{
    struct mtls_channel *c;
    struct core_packet success;

    core_say_request(link, half, 65536);
    c = core_accept(&link->server);
    success = core_hear_only(link, CORE_SUCCESS);
    ck_assert_uint_eq(success.half, half);
    *id = (uint32_t)half << 16 | success.answer;
    return c;
}

struct mtls_channel *core_raw_opened(struct core_link *link, uint16_t answer,
                                     uint32_t window, uint32_t *id)
{
    struct mtls_channel *c = core_open(&link->server, "raw");
    struct core_packet request = core_hear_only(link, CORE_REQUEST);

    core_say_success(link, request.half, answer, window);
    ck_assert_int_eq(c->life, MTLS_OPEN);
    *id = (uint32_t)request.half << 16 | answer;
    return c;
}

void core_healthy(struct core_link *link)
{
    struct core_packet packet;
    struct mtls_channel *c;
    uint32_t id;

    ck_assert(!mtls_session_ended(link->server.session));
    while ((c = mtls_session_next_asked(link->server.session)) != NULL) {
        mtls_session_release(c);
        core_hear_only(link, CORE_ECHEC);
    }
    c = core_raw_accepted(link, 0xfff0, &id);
    core_say(link, "144 1 1", CORE_DATA, 2, id, 'h', 'i');
    core_expect(c, "hi");
    core_write(c, "ho");
    packet = core_hear_only(link, CORE_DATA);
    ck_assert_uint_eq(packet.id, id);
    ck_assert_uint_eq(packet.len, 2);
    ck_assert_mem_eq(packet.p, "ho", 2);
    mtls_session_reset(c);
    mtls_session_release(c);
    ck_assert_uint_eq(core_hear_only(link, CORE_CLOSE).id, id);
    core_say(link, "124", CORE_CONFIRMATION, 7, id);
    core_silent(link);
}
