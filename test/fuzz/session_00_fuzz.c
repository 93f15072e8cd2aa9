/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Any octets from a peer that speaks mtls-00, to a server or a client, over TLS
 * or DTLS, while the program reads, writes and closes; and any extension_data.
 */
#include "ext00.h"
#include "session_00.h"
#include "session_dgram.h"

#include <stdlib.h>
#include <string.h>

#define CHANNELS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct mtls_session *session;
    struct mtls_channel *channels[CHANNELS];
};

/* Now and then a stream that is not used is forgotten (Q16). */
static uint64_t on_now(void *app)
{
    static uint64_t now;

    (void)app;
    return now += 1000000;
}

/* Nothing is stored beyond the windows, and none beyond the memory. */
static void check(const struct world *w)
{
    struct mtls_session_stats stats;

    mtls_session_stats(w->session, &stats);
    if (stats.window_memory > 65536 || stats.channels > CHANNELS)
        abort();
    for (int i = 0; i < CHANNELS; i++) {
        const struct mtls_channel *c = w->channels[i];

        if (c != NULL && c->buffer.length > (c->datagrams ? 16384 : 2000))
            abort();
    }
}

static void send_all(struct world *w)
{
    const unsigned char *p;
    size_t n;

    while (mtls_session_send_buf(w->session, &n) != NULL)
        mtls_session_send_ack(w->session, n);
    if (!mtls_session_has_datagrams(w->session))
        return;
    mtls_session_tick(w->session);
    while ((p = mtls_session_datagram_out(w->session, &n)) != NULL) {
        if (n < 6 || ((size_t)p[4] << 8 | p[5]) != n - 6)
            abort();
        mtls_session_datagram_sent(w->session);
    }
}

static void receive(struct world *w, const uint8_t **p, size_t *left, size_t n)
{
    size_t room = SIZE_MAX;
    unsigned char *to = NULL;

    if (n > *left)
        n = *left;
    if (mtls_session_has_datagrams(w->session))
        mtls_session_datagram_in(w->session, *p, n);
    else if ((to = mtls_session_recv_buf(w->session, &room)) == NULL)
        return;
    if (n > room)
        n = room;
    if (to != NULL) {
        memcpy(to, *p, n);
        mtls_session_recv_ack(w->session, n);
    }
    *p += n;
    *left -= n;
}

static void open_one(struct world *w, struct mtls_channel **c)
{
    const struct mtls_address to = {"x", 1, 80}, from = {"0.0.0.0", 7, 0};

    *c = mtls_session_next_asked(w->session);
    if (*c != NULL || !mtls_session_is_client(w->session))
        return;
    *c = mtls_channel_new(w->session, NULL);
    if (*c == NULL)
        return;
    if (!mtls_channel_set_names(*c, &to, &from) || mtls_session_open(*c) != 0) {
        mtls_session_release(*c);
        *c = NULL;
    }
}

static void write_some(struct mtls_channel *c, const void *p, size_t n)
{
    if (!mtls_session_has_datagrams(c->session))
        mtls_session_write(c, p, n);
    else
        mtls_session_write_datagram(c, p, n);
}

static void read_some(struct mtls_channel *c, void *p, size_t n)
{
    if (!mtls_session_has_datagrams(c->session))
        mtls_session_read(c, p, n);
    else
        mtls_session_read_datagram(c, p, n);
}

/* What the program does: |how| chooses the channel and the act. */
static void act(struct world *w, uint8_t how)
{
    struct mtls_channel **c = &w->channels[how % CHANNELS];
    unsigned char octets[700] = {0};

    if (*c == NULL) {
        open_one(w, c);
        return;
    }
    switch (how / CHANNELS % 8) {
    case 0:
        mtls_session_accept(*c);
        break;
    case 1:
        mtls_session_reject(*c, "no");
        break;
    case 2:
        mtls_session_end_data(*c);
        break;
    case 3:
        mtls_session_reset(*c);
        break;
    case 4:
        mtls_session_release(*c);
        *c = NULL;
        break;
    case 5:
        write_some(*c, octets, sizeof(octets));
        break;
    default:
        read_some(*c, octets, (size_t)how * 2 + 1);
    }
}

/* What decodes encodes to the same again. */
static void try_extension(const uint8_t *data, size_t size)
{
    static unsigned char out[MTLS_EXT00_MAX];
    static struct mtls_ext00_app apps[MTLS_EXT00_MAX / MTLS_EXT00_APP_MIN];
    long n = mtls_ext00_count(data, size);
    struct mtls_reader r = mtls_ext00_begin(data, size);

    if (n <= 0)
        return;
    for (long i = 0; i < n; i++)
        mtls_ext00_next(&r, &apps[i]);
    if (mtls_ext00_put(out, sizeof(out), apps, (size_t)n) != size ||
        memcmp(out, data, size) != 0)
        abort();
    mtls_ext00_sort(apps, (size_t)n);
    for (int policy = MTLS_EXT00_COMMON; policy <= MTLS_EXT00_ALL; policy++) {
        size_t len =
            mtls_ext00_answer(apps, (size_t)n, (enum mtls_ext00_policy)policy,
                              data, size, out, sizeof(out));

        if (len != 0 && mtls_ext00_count(out, len) <= 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mtls_session_hooks hooks = {NULL, NULL, on_now};
    struct mtls_session_config config;
    struct world w = {0};

    if (size < 1)
        return 0;
    try_extension(data, size);
    mtls_session_config_default(&config);
    config.window = 2000;
    config.session_memory = 65536;
    config.max_channels = CHANNELS;
    w.session = mtls_session_new(&config, &hooks, &w);
    if (w.session == NULL)
        return 0;
    mtls_session_set_client(w.session, data[0] & 1);
    if ((data[0] & 2) && !mtls_session_set_datagrams(w.session))
        abort();
    if (!mtls_session_speak_00(w.session) ||
        !mtls_session_allow_port(w.session, 80))
        abort();
    for (data++, size--; size > 2;) {
        uint8_t how = *data++, n = *data++;

        size -= 2;
        act(&w, how);
        receive(&w, &data, &size, n);
        if (how & 0x40)
            send_all(&w);
        check(&w);
    }
    for (int i = 0; i < CHANNELS; i++) {
        if (w.channels[i] != NULL)
            mtls_session_release(w.channels[i]);
    }
    mtls_session_end(w.session);
    mtls_session_free(w.session);
    return 0;
}
