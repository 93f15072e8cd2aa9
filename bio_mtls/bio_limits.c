/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The session's limits, and its counters, as controls of the filter. */
#include "bio_local.h"

#include "err.h"

static long set_u32(uint32_t *value, long n, long least, long most)
{
    if (n < least || n > most) {
        MTLS_raise_data(MTLS_R_INVALID_VALUE, "%ld is not in %ld..%ld", n,
                        least, most);
        return 0;
    }
    *value = (uint32_t)n;
    return 1;
}

static long set_window(struct mtls_session_config *config, int cmd, long n)
{
    uint32_t *which =
        cmd == BIO_CTRL_MTLS_SET_WINDOW ? &config->window : &config->max_window;

    if (!set_u32(which, n, 1, INT32_MAX))
        return 0;
    if (config->max_window < config->window) {
        if (cmd == BIO_CTRL_MTLS_SET_WINDOW)
            config->max_window = config->window;
        else
            config->window = config->max_window;
    }
    return 1;
}

long mtls_bio_set_limit(struct mtls_mux *mux, int cmd, long n)
{
    struct mtls_session_config *config = mtls_session_config(mux->session);

    switch (cmd) {
    case BIO_CTRL_MTLS_SET_MAX_PACKET:
        return set_u32(&config->max_packet, n, 1, INT32_MAX);
    case BIO_CTRL_MTLS_SET_SESSION_MEMORY:
        if (n < 1) {
            MTLS_raise(MTLS_R_INVALID_VALUE);
            return 0;
        }
        config->session_memory = (uint64_t)n;
        return 1;
    case BIO_CTRL_MTLS_SET_MAX_CHANNELS:
        return set_u32(&config->max_channels, n, 1, 65536);
    case BIO_CTRL_MTLS_SET_MAX_OPENING:
        return set_u32(&config->max_opening, n, 0, 65536);
    case BIO_CTRL_MTLS_SET_BACKLOG:
        return set_u32(&config->backlog, n, 0, 65536);
    default:
        return set_window(config, cmd, n);
    }
}

long mtls_bio_session_counters(struct mtls_mux *mux, long size, void *ptr)
{
    struct mtls_session_stats s;
    MTLS_COUNTERS out;

    mtls_session_stats(mux->session, &s);
    out = (MTLS_COUNTERS){.data_in = s.data_in,
                          .data_out = s.data_out,
                          .packets_in = s.packets_in,
                          .packets_out = s.packets_out,
                          .octets_in = s.octets_in,
                          .octets_out = s.octets_out,
                          .ignored = s.ignored,
                          .malformed = s.malformed,
                          .refused = s.refused,
                          .channels_opened = s.channels_opened,
                          .channels_accepted = s.channels_accepted,
                          .channels_reset = s.channels_reset,
                          .channels = s.channels,
                          .closing = s.closing,
                          .window_memory = s.window_memory,
                          .datagrams_dropped = s.datagrams_dropped};
    return mtls_bio_give(&out, sizeof(out), size, ptr);
}

long mtls_bio_limits(struct mtls_mux *mux, long size, void *ptr)
{
    const struct mtls_session_config *c = mtls_session_config(mux->session);
    MTLS_LIMITS out = {.window = c->window,
                       .max_window = c->max_window,
                       .max_packet = c->max_packet,
                       .session_memory = c->session_memory,
                       .max_channels = c->max_channels,
                       .max_opening = c->max_opening,
                       .backlog = c->backlog};

    return mtls_bio_give(&out, sizeof(out), size, ptr);
}
