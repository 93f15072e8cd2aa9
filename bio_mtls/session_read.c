/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The reader's side: what is read frees credit, and may earn a wider window. */
#include "session_local.h"

#include <string.h>

#define STARVING_LONG 3 /* in a row: once may be chance */

/*
 * Decided when the Acknowledgment goes, not when it falls due: a reader that
 * takes a whole window at once would seem to be half a window behind.
 */
void mtls_session_grow(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    uint64_t most = mtls_session_memory_free(s);
    int starving = c->starving == STARVING_LONG;
    uint32_t more = 0, cap = s->config.max_window, max_packet;

    if (c->prompt || starving) {
        cap = mtls_flow_tune_most(&s->tune, cap, !c->prompt);
        more = mtls_flow_rx_wanted(&c->in, cap, !c->prompt);
    }
    if (more > most)
        more = (uint32_t)most;
    if (more == 0)
        return;
    mtls_flow_rx_grow(&c->in, more);
    c->starving = 0;
    s->stats.window_memory += more;
    max_packet = mtls_flow_max_packet(c->in.window, s->config.max_packet);
    if (max_packet > c->in.max_packet) {
        c->in.max_packet = max_packet;
        c->owed |= MTLS_OWE_NEW_MAX;
    }
}

static void acknowledge(struct mtls_channel *c)
{
    struct mtls_session *s = c->session;
    uint32_t coming = s->in.channel == c ? s->in.left : 0;
    uint64_t now = s->hooks.now(s->app);
    uint32_t elapsed = (uint32_t)now - c->acked_at;

    mtls_flow_tune_sent(&s->tune, c, c->data_in + coming + c->in.granted, now);
    c->prompt = mtls_flow_tune_prompt(&s->tune, &c->in, elapsed) ||
                mtls_flow_tune_hurries(&c->in, elapsed);
    if (!c->starved || !mtls_flow_tune_starves(c->idle, elapsed))
        c->starving = 0;
    else if (c->starving < STARVING_LONG)
        c->starving++;
    c->starved = 0;
    c->idle = 0;
    c->spent_at = (uint32_t)(c->data_in + coming + c->in.granted);
    c->acked_at = (uint32_t)now;
    c->owed |= MTLS_OWE_ACK;
    if (!mtls_list_linked(&c->owing))
        mtls_list_append(&s->owing, &c->owing);
}

void mtls_session_was_read(struct mtls_channel *c, size_t n)
{
    struct mtls_session *s = c->session;
    int dry;

    if (s->v00 != NULL && mtls_channel_receives(c)) {
        mtls_session_00_was_read(c, n);
        return;
    }
    mtls_flow_rx_read(&c->in, (uint32_t)n);
    dry = c->buffer.length == 0 && (uint32_t)c->data_in == c->spent_at;
    if (dry)
        c->starved = 1;
    if (!mtls_channel_receives(c))
        s->stats.window_memory -= mtls_flow_rx_close(&c->in);
    else if (!(c->owed & MTLS_OWE_ACK) && mtls_flow_rx_due(&c->in))
        acknowledge(c);
    if (dry) /* until what this Acknowledgment brings */
        c->idling = 1;
}

void mtls_session_drop(struct mtls_channel *c, size_t n)
{
    mtls_buffer_trim(&c->buffer, &c->session->pool);
    if (n == 0)
        return;
    mtls_buffer_drop(&c->buffer, n);
    mtls_session_was_read(c, n);
}

size_t mtls_session_read(struct mtls_channel *c, void *data, size_t len)
{
    unsigned char *out = data;
    size_t done = 0, n;
    const unsigned char *p;

    while (done < len && (p = mtls_buffer_peek(&c->buffer, &n)) != NULL) {
        if (n > len - done)
            n = len - done;
        memcpy(out + done, p, n);
        mtls_session_drop(c, n);
        done += n;
    }
    mtls_buffer_trim(&c->buffer, &c->session->pool);
    return done;
}

int mtls_session_stuck(struct mtls_channel *c)
{
    if (c->session->v00 != NULL)
        return c->buffer.length >= c->in.window;
    if (c->in.granted != 0 || c->buffer.length == 0 ||
        (c->owed & MTLS_OWE_ACK) || !mtls_channel_receives(c))
        return 0;
    if (c->in.freed == 0)
        return 1;
    acknowledge(c);
    return 0;
}

int mtls_session_amid(const struct mtls_session *s,
                      const struct mtls_channel *c)
{
    return s->in.left != 0 && s->in.channel == c;
}
