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
#include "driven_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        take_events();
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

    mtls_session_config_default(&config);
    config.session_memory = 100000;
    config.max_channels = 40;
    config.max_opening = 20;
    config.backlog = 10;
    session = mtls_session_new(&config, &hooks, NULL);
    must(session != NULL);
    mtls_session_set_client(session, 0);
    open_three();
    open_one(&held[3]); /* 5: not asked yet */
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
    release_all();
    check();
    end_session();
    return 0;
}
