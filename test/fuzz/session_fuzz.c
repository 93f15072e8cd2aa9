/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A peer's octets into a session that has channels in all states. The input:
 * an octet n below 0xc0 is followed by n + 1 octets from the peer (n + 1 times
 * that many above 0x80), any other makes the program do something.
 *
 * The halves are known: ours by initiation 1, 3, 5, 7; by acceptance 0, 2, 4.
 */
#include "session_local.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)   \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

enum {
    HELD = 16
};

static struct mtls_session *session;
static struct mtls_channel *held[HELD];
static uint64_t now;

static uint64_t on_now(void *app)
{
    (void)app;
    return now++;
}

static void check(void)
{
    const struct mtls_session *s = session;
    uint64_t sum = 0;

    for (unsigned int half = 0; half < 512; half++) {
        const struct mtls_channel *c =
            mtls_channel_table_at(&s->table, (uint16_t)half);

        if (c == NULL)
            continue;
        sum += c->in.window;
        must(c->buffer.length <= mtls_flow_rx_waiting(&c->in));
        must(c->own_half == half && c->reserved);
    }
    must(sum <= s->stats.window_memory);
    must(s->stats.window_memory <= s->config.session_memory);
    must(s->stats.channels <= s->config.max_channels);
    must(s->asked <= s->config.max_opening);
    must(s->backlog_count <= s->config.backlog);
    must(s->answers_count <= MTLS_ANSWERS);
    must(s->out.count <= MTLS_QUEUE_CONTROL + MTLS_QUEUE_DATA);
}

static void say(const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t room;
        unsigned char *p = mtls_session_recv_buf(session, &room);

        if (p == NULL)
            return;
        must(room > 0);
        if (room > size)
            room = size;
        memcpy(p, data, room);
        mtls_session_recv_ack(session, room);
        data += room;
        size -= room;
    }
}

static void send_all(void)
{
    const unsigned char *p;
    size_t len;

    while ((p = mtls_session_send_buf(session, &len)) != NULL) {
        must(len > 0 && len <= MTLS_RECORD_SIZE);
        mtls_session_send_ack(session, len);
    }
}

static void open_one(struct mtls_channel **at)
{
    const struct mtls_address name = {"host", 4, 80};

    *at = mtls_channel_new(session, NULL);
    must(*at != NULL && mtls_channel_set_names(*at, &name, &name));
    if (mtls_session_open(*at) == 0)
        return;
    mtls_session_release(*at);
    *at = NULL;
}

static void release(struct mtls_channel **at)
{
    if (*at != NULL)
        mtls_session_release(*at);
    *at = NULL;
}

static void read_some(struct mtls_channel *c, size_t most)
{
    static unsigned char octets[4096];

    mtls_session_read(c, octets, most);
}

static void write_some(struct mtls_channel *c, int draft)
{
    static const unsigned char octets[40000];
    size_t room;
    unsigned char *p;

    if (!draft) {
        mtls_session_write(c, octets, sizeof(octets));
        return;
    }
    p = mtls_session_write_room(c, &room);
    if (p != NULL) {
        memset(p, 1, room);
        mtls_session_wrote(c, room);
    }
}

/* The high bits say what, the low ones with which channel. */
static void act(uint8_t what)
{
    struct mtls_channel **at = &held[what % HELD];
    unsigned int events;

    if (*at == NULL) {
        *at = mtls_session_next_asked(session);
        if (*at == NULL)
            open_one(at);
        else if (what & 0x10)
            mtls_session_accept(*at);
        return;
    }
    switch (what >> 4) {
    case 0xc:
        read_some(*at, 4096);
        mtls_session_end_data(*at);
        break;
    case 0xd:
        write_some(*at, what & 1);
        read_some(*at, 100);
        break;
    case 0xe:
        mtls_session_send_drafts(session);
        send_all();
        mtls_session_new_round(session);
        while (mtls_session_next_ready(session, &events) != NULL)
            must(events != 0);
        break;
    default:
        if (what & 1)
            mtls_session_reset(*at);
        else
            release(at);
    }
}

static void begin(void)
{
    const struct mtls_session_hooks hooks = {NULL, NULL, on_now};
    struct mtls_session_config config;
    const uint8_t success[] = {2, 0, 15, 0, 1, 0, 1, 0, 0, 8, 0, 0, 0, 4, 0};
    const uint8_t request[] = {1, 0, 23, 0,   0, 0, 0, 8, 0,   0, 0, 4,
                               0, 0, 1,  's', 0, 0, 0, 1, 'd', 0, 80};

    mtls_session_config_default(&config);
    config.session_memory = 100000;
    config.max_channels = 40;
    config.max_opening = 20;
    config.backlog = 10;
    session = mtls_session_new(&config, &hooks, NULL);
    must(session != NULL);
    mtls_session_set_client(session, 0);
    memset(held, 0, sizeof(held));
    now = 1;
    open_one(&held[0]); /* half 1: open, with the peer's half 1 */
    open_one(&held[1]); /* 3: opening */
    send_all();
    say(success, sizeof(success));
    say(request, sizeof(request)); /* the peer's half 0 with our 0: open */
    held[2] = mtls_session_next_asked(session);
    must(held[2] != NULL && mtls_session_accept(held[2]));
    send_all();
    open_one(&held[3]); /* 5: not asked yet */
}

static void end(void)
{
    struct mtls_session_stats stats;

    for (int i = 0; i < HELD; i++)
        release(&held[i]);
    check();
    mtls_session_end(session);
    mtls_session_stats(session, &stats);
    must(stats.channels == 0 && stats.window_memory == 0);
    must(stats.closing == 0 && session->asked == 0);
    must(session->backlog_count == 0 && session->draft_count == 0);
    mtls_session_free(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin();
    while (size > 0) {
        uint8_t what = *data++;
        size_t n;

        size--;
        if (what >= 0xc0) {
            act(what);
        } else {
            n = what < 0x80 ? what + 1U : (what - 0x7fU) * 128;
            if (n > size)
                n = size;
            say(data, n);
            data += n;
            size -= n;
        }
        check();
    }
    end();
    return 0;
}
