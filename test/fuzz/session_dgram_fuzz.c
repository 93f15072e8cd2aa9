/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A peer's packets and datagrams into a session whose channels carry datagrams.
 * The input: an octet n below 0x60 is followed by n + 1 octets of the stream,
 * one below 0xc0 by a datagram of n - 0x60, any other makes the program do
 * something. Ours by initiation are 1 (open, with the peer's 1) and 3; by
 * acceptance 0.
 */
#include "driven_session.h"
#include "session_dgram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t on_now(void *app)
{
    (void)app;
    return now;
}

static void check(void)
{
    uint64_t sum = 0;

    for (unsigned int half = 0; half < 512; half++) {
        const struct mtls_channel *c =
            mtls_channel_table_at(&session->table, (uint16_t)half);

        if (c == NULL)
            continue;
        sum += c->in.window;
        must(c->datagrams && c->buffer.length <= c->in.window + 2);
        must((uint64_t)c->in.granted + c->in.freed <= c->in.window);
    }
    must(sum <= session->stats.window_memory);
    must(session->stats.window_memory <= session->config.session_memory);
    must(session->out.count <= MTLS_QUEUE_CONTROL + MTLS_QUEUE_DATA);
}

static void send_datagrams(void)
{
    size_t len;

    mtls_session_tick(session);
    send_all();
    if (mtls_session_datagram_out(session, &len) != NULL) {
        must(len >= 9 && len <= 9 + 1000);
        mtls_session_datagram_sent(session);
    }
}

static void read_one(struct mtls_channel *c)
{
    static unsigned char octets[16384];
    size_t len;

    if (mtls_session_next_datagram(c, &len))
        must(mtls_session_read_datagram(c, octets, 500) ==
             (len < 500 ? len : 500));
}

static void write_one(struct mtls_channel *c, size_t len)
{
    static const unsigned char octets[1000];
    int fits = mtls_session_datagram_fits(c, len);

    must(mtls_session_write_datagram(c, octets, len) == fits);
}

/* The high bits say what, the low ones with which channel. */
static void act(uint8_t what)
{
    struct mtls_channel **at = &held[what % 8];

    now += (uint64_t)(what & 0x18) * 20000;
    if (*at == NULL) {
        *at = mtls_session_next_asked(session);
        if (*at == NULL)
            open_one(at);
        else
            mtls_session_accept(*at);
        return;
    }
    switch (what >> 4) {
    case 0xc:
        read_one(*at);
        break;
    case 0xd:
        write_one(*at, what & 8 ? 1000 : 10);
        break;
    case 0xe:
        send_datagrams();
        take_events();
        break;
    default:
        if (what & 8)
            mtls_session_reset(*at);
        release(at);
    }
}

static void begin(void)
{
    const struct mtls_session_hooks hooks = {NULL, NULL, on_now};
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.session_memory = 100000;
    config.window = 2000;
    config.max_channels = 20;
    session = mtls_session_new(&config, &hooks, NULL);
    must(session != NULL && mtls_session_set_datagrams(session));
    mtls_session_set_path_limit(session, 1000);
    mtls_session_set_client(session, 0);
    open_three();
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
            n = what < 0x60 ? what + 1U : what - 0x60U;
            if (n > size)
                n = size;
            if (what < 0x60)
                say(data, n);
            else
                mtls_session_datagram_in(session, data, n);
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
