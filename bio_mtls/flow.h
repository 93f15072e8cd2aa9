/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Flow control (MTLS-05 2.2): the credit arithmetic of one channel, alone.
 *
 * The receiver's invariant: window = granted + freed + what waits unread. The
 * peer may send |granted| more; |freed| octets were read and are not yet
 * acknowledged.
 */
#ifndef MTLS_FLOW_H
#define MTLS_FLOW_H

#include <stddef.h>
#include <stdint.h>

struct mtls_flow_rx {
    uint32_t window;
    uint32_t granted;
    uint32_t freed;
    uint32_t max_packet; /* the largest that was announced (D6) */
};

struct mtls_flow_tx {
    uint32_t credit;
    uint32_t max_packet;
};

/* mtls_flow_max_packet is what to announce: below the window, as asked. */
uint32_t mtls_flow_max_packet(uint32_t window, uint32_t configured);

void mtls_flow_rx_init(struct mtls_flow_rx *rx, uint32_t window,
                       uint32_t max_packet);

/* mtls_flow_rx_packet takes a packet's length off the credit; 0: too long. */
static inline int mtls_flow_rx_packet(struct mtls_flow_rx *rx, uint32_t length)
{
    if (length > rx->granted || length > rx->max_packet)
        return 0;
    rx->granted -= length;
    return 1;
}

static inline uint32_t mtls_flow_rx_waiting(const struct mtls_flow_rx *rx)
{
    return rx->window - rx->granted - rx->freed;
}

/* mtls_flow_rx_read says that |n| octets that waited were read. */
static inline void mtls_flow_rx_read(struct mtls_flow_rx *rx, uint32_t n)
{
    rx->freed += n;
}

/*
 * mtls_flow_rx_due tells whether an Acknowledgment is worth a packet: for half
 * a window, as yamux and OpenSSH do, so that there are few, and the other half
 * keeps the peer busy meanwhile. For less of a large one: over a long way, the
 * peer would stand still for the rest of it.
 */
#define MTLS_FLOW_DUE_MAX (1024 * 1024)

static inline int mtls_flow_rx_due(const struct mtls_flow_rx *rx)
{
    uint32_t half = rx->window / 2;

    return rx->freed != 0 &&
           rx->freed >= (half < MTLS_FLOW_DUE_MAX ? half : MTLS_FLOW_DUE_MAX);
}

/* mtls_flow_rx_grow raises the window; the peer learns with the next grant. */
void mtls_flow_rx_grow(struct mtls_flow_rx *rx, uint32_t more);

/* mtls_flow_rx_grant returns the free_space to send, and grants it. */
uint32_t mtls_flow_rx_grant(struct mtls_flow_rx *rx);

/* mtls_flow_rx_close withdraws what no more data can use; returns how much
 * the window shrank. */
uint32_t mtls_flow_rx_close(struct mtls_flow_rx *rx);

/* mtls_flow_rx_drain: after a close, what waits will not be read; the same. */
uint32_t mtls_flow_rx_drain(struct mtls_flow_rx *rx);

/* mtls_flow_tx_add adds an Acknowledgment's free_space (D5); 0: overflow. */
int mtls_flow_tx_add(struct mtls_flow_tx *tx, uint32_t free_space);

/* mtls_flow_tx_limit is the longest packet that may be sent now. */
static inline uint32_t mtls_flow_tx_limit(const struct mtls_flow_tx *tx)
{
    return tx->credit < tx->max_packet ? tx->credit : tx->max_packet;
}

/*
 * The self-tuning of windows. One Acknowledgment at a time is watched: data
 * beyond the credit that stood before it can't come sooner than a round trip
 * later, so the least such time is the round-trip time of a session.
 */
struct mtls_flow_tune {
    const void *watched; /* the channel, or NULL */
    uint64_t offset;     /* its data beyond this ... */
    uint64_t since;      /* ... answers what was sent then; microseconds */
    uint32_t rtt;        /* microseconds, 0 while unknown */
};

void mtls_flow_tune_sent(struct mtls_flow_tune *tune, const void *channel,
                         uint64_t offset, uint64_t now);
/* mtls_flow_tune_waits: |offset| is what was waited for; tell when it came. */
static inline int mtls_flow_tune_waits(const struct mtls_flow_tune *tune,
                                       const void *channel, uint64_t offset)
{
    return tune->watched == channel && offset > tune->offset;
}

void mtls_flow_tune_received(struct mtls_flow_tune *tune, uint64_t now);
void mtls_flow_tune_forget(struct mtls_flow_tune *tune, const void *channel);

/*
 * mtls_flow_tune_prompt: whether what was freed in the |elapsed| microseconds
 * since the last Acknowledgment is half a window in a round trip, or more, so
 * that the window, not the reader or the sender, sets the pace.
 */
int mtls_flow_tune_prompt(const struct mtls_flow_tune *tune,
                          const struct mtls_flow_rx *rx, uint32_t elapsed);

/*
 * mtls_flow_tune_hurries: whatever sets the pace, a small window that is used
 * up so fast makes Acknowledgments, a record and a system call each, so many
 * that they count.
 */
int mtls_flow_tune_hurries(const struct mtls_flow_rx *rx, uint32_t elapsed);

/*
 * mtls_flow_tune_starves: so it does, too, where the sender used all of its
 * credit, the reader read all of that, and nothing came for |idle| of the
 * |elapsed| microseconds. The least round trip is one without any waiting, for
 * a processor for example; on a short way that is most of it.
 */
int mtls_flow_tune_starves(uint32_t idle, uint32_t elapsed);

/*
 * mtls_flow_tune_most: how far, below |cap|, a window widens. On a short way it
 * is a reader that waits for a processor that seems to be |starving|; on the
 * shortest no more is needed. What is sent meanwhile would only wait before it.
 */
uint32_t mtls_flow_tune_most(const struct mtls_flow_tune *tune, uint32_t cap,
                             int starving);

/*
 * mtls_flow_rx_wanted: by how much a window that sets the pace should grow: 0
 * when it is at |cap| or the reader does not keep up. One that is |starving| is
 * near to what it needs, and more would only wait in buffers on the way.
 */
uint32_t mtls_flow_rx_wanted(const struct mtls_flow_rx *rx, uint32_t cap,
                             int starving);

#endif
