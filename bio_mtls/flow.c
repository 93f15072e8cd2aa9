/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "flow.h"

#define IDLE_MOST 2       /* the part of the time that may pass without data */
#define HURRY_ELAPSED 100 /* microseconds between two Acknowledgments */
#define SHORT_RTT 1000    /* microseconds: on a shorter way, if starving, ... */
#define SHORTEST_RTT 200  /* ... and on this one anyway ... */
/*
 * ... so many octets must do: an Acknowledgment is for 160 KiB then. More
 * would only wait in sockets, and small messages behind it.
 */
#define SHORT_WINDOW (320 * 1024)

uint32_t mtls_flow_max_packet(uint32_t window, uint32_t configured)
{
    if (window <= 1)
        return 1;
    return configured < window ? configured : window - 1;
}

void mtls_flow_rx_init(struct mtls_flow_rx *rx, uint32_t window,
                       uint32_t max_packet)
{
    rx->window = rx->granted = window;
    rx->freed = 0;
    rx->max_packet = max_packet;
}

void mtls_flow_rx_grow(struct mtls_flow_rx *rx, uint32_t more)
{
    rx->window += more;
    rx->freed += more;
}

uint32_t mtls_flow_rx_grant(struct mtls_flow_rx *rx)
{
    uint32_t n = rx->freed;

    rx->granted += n;
    rx->freed = 0;
    return n;
}

uint32_t mtls_flow_rx_close(struct mtls_flow_rx *rx)
{
    uint32_t unused = rx->granted + rx->freed;

    rx->window -= unused;
    rx->granted = rx->freed = 0;
    return unused;
}

uint32_t mtls_flow_rx_drain(struct mtls_flow_rx *rx)
{
    uint32_t waiting = mtls_flow_rx_waiting(rx);

    rx->window -= waiting;
    return waiting;
}

int mtls_flow_tx_add(struct mtls_flow_tx *tx, uint32_t free_space)
{
    if (free_space > UINT32_MAX - tx->credit)
        return 0;
    tx->credit += free_space;
    return 1;
}

void mtls_flow_tune_sent(struct mtls_flow_tune *tune, const void *channel,
                         uint64_t offset, uint64_t now)
{
    const uint64_t stale = 10 * 1000 * 1000;

    if (tune->watched != NULL && now - tune->since < stale)
        return;
    tune->watched = channel;
    tune->offset = offset;
    tune->since = now;
}

void mtls_flow_tune_received(struct mtls_flow_tune *tune, uint64_t now)
{
    uint64_t took = now - tune->since;

    if (took == 0)
        took = 1;
    if (tune->rtt == 0 || took < tune->rtt)
        tune->rtt = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
    tune->watched = NULL;
}

void mtls_flow_tune_forget(struct mtls_flow_tune *tune, const void *channel)
{
    if (tune->watched == channel)
        tune->watched = NULL;
}

int mtls_flow_tune_hurries(const struct mtls_flow_rx *rx, uint32_t elapsed)
{
    return elapsed < HURRY_ELAPSED && rx->window < SHORT_WINDOW;
}

int mtls_flow_tune_starves(uint32_t idle, uint32_t elapsed)
{
    return (uint64_t)idle * IDLE_MOST >= elapsed;
}

uint32_t mtls_flow_tune_most(const struct mtls_flow_tune *tune, uint32_t cap,
                             int starving)
{
    uint32_t rtt = starving ? SHORT_RTT : SHORTEST_RTT;

    return tune->rtt < rtt && cap > SHORT_WINDOW ? SHORT_WINDOW : cap;
}

/* Half a window read within a round trip is a whole one in two. */
int mtls_flow_tune_prompt(const struct mtls_flow_tune *tune,
                          const struct mtls_flow_rx *rx, uint32_t elapsed)
{
    return tune->rtt != 0 && (uint64_t)elapsed * (rx->window / 2) <=
                                 (uint64_t)tune->rtt * rx->freed;
}

uint32_t mtls_flow_rx_wanted(const struct mtls_flow_rx *rx, uint32_t cap,
                             int starving)
{
    int behind = !starving && mtls_flow_rx_waiting(rx) > rx->window / 4;
    uint32_t more = starving ? rx->window / 2 : rx->window;

    if (rx->window >= cap || behind)
        return 0;
    return more < cap - rx->window ? more : cap - rx->window;
}
