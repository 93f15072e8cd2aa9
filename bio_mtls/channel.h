/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One channel's state machine (MTLS-05 2.1). Events change the state and say
 * in |owed| which packets follow from it; the session sends those. Here is no
 * I/O, no clock and no other channel.
 */
#ifndef MTLS_CHANNEL_H
#define MTLS_CHANNEL_H

#include "buffer.h"
#include "flow.h"
#include "list.h"
#include "wire.h"

#include <stddef.h>
#include <stdint.h>

struct mtls_session;
struct mtls_record;
struct mtls_waiter;

enum mtls_channel_life {
    MTLS_NEW,     /* nothing sent, no half */
    MTLS_OPENING, /* our Request is owed or sent; peer_half unknown */
    MTLS_ASKED,   /* the peer's Request waits for our decision */
    MTLS_OPEN,    /* id complete; data flows */
    MTLS_CLOSING, /* our CloseRequest is owed or sent */
    MTLS_CLOSED   /* over; an answer may be owed, octets may wait */
};

/* The direction to the peer. */
enum mtls_channel_tx {
    MTLS_TX_OPEN,
    MTLS_TX_ENDING, /* ended by the program; the empty packet is owed (D7) */
    MTLS_TX_ENDED
};

/* The direction from the peer. */
enum mtls_channel_rx {
    MTLS_RX_OPEN,
    MTLS_RX_ENDED, /* half-closed by the peer: end-of-file */
    MTLS_RX_CUT,   /* closed without that (D8): end-of-file too */
    MTLS_RX_FAILED /* rx_reason says why: an error after what arrived */
};

/* Packets that a channel owes, in the order in which they go. */
enum mtls_channel_owed {
    MTLS_OWE_REQUEST = 1,
    MTLS_OWE_SUCCESS = 2,
    MTLS_OWE_ECHEC = 4,
    MTLS_OWE_ACK = 8,
    MTLS_OWE_NEW_MAX = 16,
    MTLS_OWE_END = 32,
    MTLS_OWE_CLOSE = 64,
    MTLS_OWE_CONFIRMATION = 128
};

/* What may be told of a channel; the public MTLS_EVENT_ are the same. */
enum {
    MTLS_READABLE = 0x01,
    MTLS_WRITABLE = 0x02,
    MTLS_OPENED = 0x04,
    MTLS_OVER = 0x08
};

/* The texts of a Request; one allocation. */
struct mtls_names {
    uint16_t destination_port, source_port;
    uint16_t source_at, port_at, full_at; /* offsets into text */
    char text[]; /* host, source host, "port", "source host:port" */
};

/*
 * In the order in which a packet needs it: what a write looks at, then what a
 * packet that comes does, then the rest. With many channels in turn each line
 * of the cache counts.
 */
struct mtls_channel {
    struct mtls_session *session;
    struct mtls_record *draft; /* lent by write_room: header and data */
    struct mtls_flow_tx out;
    uint64_t data_out;
    uint32_t packets_out;
    uint16_t own_half, peer_half;
    uint8_t life, tx, rx;
    uint8_t owed;
    uint8_t rx_reason, tx_reason; /* MTLS_R_, 0 none */
    uint8_t app_flags;            /* of the layer above */
    uint8_t events, interest;     /* to be told once; what to tell at all */
    uint16_t app_threads[2]; /* of the layer above: who reads, who writes */
    unsigned int initiator : 1;
    unsigned int reserved : 1; /* has an own half in the table */
    unsigned int named : 1;    /* the peer knows the whole id */
    unsigned int close_sent : 1;
    unsigned int failed : 1;     /* by the peer's fault, and not counted yet */
    unsigned int released : 1;   /* the program has let go of it */
    unsigned int queued : 1;     /* in the backlog */
    unsigned int marked : 1;     /* peer_half is in a set of the table's */
    unsigned int told_end : 1;   /* the reader has seen the end or the error */
    unsigned int wants_room : 1; /* a write was refused */
    unsigned int prompt : 1;     /* an Acknowledgment, within a round trip */
    unsigned int starved : 1;    /* all credit was used, and all was read */
    unsigned int idling : 1;     /* ... and nothing has come since */
    unsigned int starving : 2;   /* ... for long: Acknowledgments in a row */
    unsigned int datagrams : 1;  /* it is one of session_dgram.h */
    unsigned int kicked : 1;     /* of the layer above: look again */
    unsigned int offered : 1;    /* its turn was told, and not used yet */
    unsigned int ended_in : 1;   /* of mtls-00: the peer's end has come */
    unsigned int sent_back : 2;  /* how often turn_seen was */

    struct mtls_buffer buffer;
    struct mtls_flow_rx in;
    uint64_t data_in;
    uint32_t packets_in;
    uint32_t spent_at;           /* data_in where the credit before that ends */
    struct mtls_list ready;      /* link in a list of the session's */
    struct mtls_waiter *waiters; /* of the layer above */
    void *app;                   /* of the layer above: its BIO */

    struct mtls_list owing, turn; /* links in the session's lists */
    struct mtls_names *names;
    char *echec;        /* the text of an Echec, received or to be sent */
    uint32_t acked_at;  /* when an Acknowledgment last fell due, microseconds */
    uint32_t idle;      /* microseconds without data since that */
    uint32_t stream;    /* of mtls-00: the opener's port, the other port */
    uint16_t turn_seen; /* whose turn it was that was waited for, ... */
};

/* mtls_channel_id is the id (D2); the channel must be named. */
static inline uint32_t mtls_channel_id(const struct mtls_channel *channel)
{
    return channel->initiator ? mtls_id(channel->own_half, channel->peer_half)
                              : mtls_id(channel->peer_half, channel->own_half);
}

/* What the program does. Each returns 1, or 0 when it does not fit. */
int mtls_channel_request(struct mtls_channel *channel);
int mtls_channel_accept(struct mtls_channel *channel);
int mtls_channel_reject(struct mtls_channel *channel);
int mtls_channel_end(struct mtls_channel *channel);
void mtls_channel_reset(struct mtls_channel *channel, uint8_t reason);
void mtls_channel_close(struct mtls_channel *channel);
void mtls_channel_release(struct mtls_channel *channel);

/* What the peer does. The ones that return int return 0 for a packet that is
 * to be ignored. */
void mtls_channel_asked(struct mtls_channel *channel,
                        const struct mtls_request *request);
void mtls_channel_success(struct mtls_channel *channel,
                          const struct mtls_success *success);
void mtls_channel_refused(struct mtls_channel *channel, uint8_t reason);
int mtls_channel_close_request(struct mtls_channel *channel);
int mtls_channel_confirmation(struct mtls_channel *channel);
int mtls_channel_ack(struct mtls_channel *channel, uint32_t free_space);
int mtls_channel_new_max(struct mtls_channel *channel, uint32_t max_packet);

/*
 * mtls_channel_packet takes an MTLSPlaintext header: 1 when its data is to be
 * stored, 0 when it is to be skipped.
 */
int mtls_channel_packet(struct mtls_channel *channel, uint32_t length);

/* mtls_channel_fail: an error of the peer's closes the channel (D10). */
void mtls_channel_fail(struct mtls_channel *channel, uint8_t reason);

/* mtls_channel_cut: the session ended under the channel (D14). */
void mtls_channel_cut(struct mtls_channel *channel, uint8_t rx_reason);

/* What the session has done: packet |owed| is on its way. */
void mtls_channel_sent(struct mtls_channel *channel,
                       enum mtls_channel_owed owed);

/* Questions. */
static inline int mtls_channel_receives(const struct mtls_channel *channel)
{
    return channel->life <= MTLS_OPEN && channel->rx == MTLS_RX_OPEN;
}

static inline int mtls_channel_sends(const struct mtls_channel *channel)
{
    return channel->life == MTLS_OPEN && channel->tx == MTLS_TX_OPEN;
}

/* mtls_channel_over: the id is free and nothing is owed. */
static inline int mtls_channel_over(const struct mtls_channel *channel)
{
    return channel->life == MTLS_CLOSED && channel->owed == 0;
}

#endif
