/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "channel.h"

#include <mtls/mtls_err.h>

/* The first reason stays: what follows from it tells less. */
static void set_failed(struct mtls_channel *channel, uint8_t rx_reason,
                       uint8_t tx_reason)
{
    if (channel->rx == MTLS_RX_OPEN) {
        channel->rx = MTLS_RX_FAILED;
        channel->rx_reason = rx_reason;
    }
    if (channel->tx_reason == 0)
        channel->tx_reason = tx_reason;
}

/* Only a channel whose whole id the peer knows can be closed on the wire. */
static void begin_close(struct mtls_channel *channel, int in_good_order)
{
    channel->life = MTLS_CLOSING;
    channel->owed &= MTLS_OWE_SUCCESS | MTLS_OWE_END;
    if (in_good_order && channel->tx != MTLS_TX_ENDED && !channel->datagrams)
        channel->owed |= MTLS_OWE_END;
    if (!in_good_order)
        channel->owed &= (uint8_t)~MTLS_OWE_END;
    channel->owed |= MTLS_OWE_CLOSE;
}

/* --- the program --- */

int mtls_channel_request(struct mtls_channel *channel)
{
    if (channel->life != MTLS_NEW)
        return 0;
    channel->life = MTLS_OPENING;
    channel->initiator = 1;
    channel->owed |= MTLS_OWE_REQUEST;
    return 1;
}

int mtls_channel_accept(struct mtls_channel *channel)
{
    if (channel->life != MTLS_ASKED)
        return 0;
    channel->life = MTLS_OPEN;
    channel->owed |= MTLS_OWE_SUCCESS;
    return 1;
}

int mtls_channel_reject(struct mtls_channel *channel)
{
    if (channel->life != MTLS_ASKED)
        return 0;
    channel->life = MTLS_CLOSED;
    channel->owed |= MTLS_OWE_ECHEC;
    set_failed(channel, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET);
    return 1;
}

int mtls_channel_end(struct mtls_channel *channel)
{
    if (channel->tx != MTLS_TX_OPEN)
        return 1;
    if ((channel->life != MTLS_OPENING && channel->life != MTLS_OPEN) ||
        channel->datagrams) /* half-close would be one that may be lost (P9) */
        return 0;
    channel->tx = MTLS_TX_ENDING;
    if (channel->life == MTLS_OPEN)
        channel->owed |= MTLS_OWE_END;
    return 1;
}

void mtls_channel_reset(struct mtls_channel *channel, uint8_t reason)
{
    switch (channel->life) {
    case MTLS_ASKED:
        mtls_channel_reject(channel);
        break;
    case MTLS_OPEN:
        begin_close(channel, 0);
        break;
    case MTLS_OPENING: /* closed when its id is known */
        if (channel->owed & MTLS_OWE_REQUEST) {
            channel->owed = 0;
            channel->life = MTLS_CLOSED;
        } else {
            channel->tx = MTLS_TX_ENDED;
        }
        break;
    case MTLS_NEW:
        channel->life = MTLS_CLOSED;
        break;
    default:
        break;
    }
    /* What had arrived is given up as well, and so is an end-of-file. */
    if (channel->rx != MTLS_RX_FAILED)
        channel->rx = MTLS_RX_OPEN;
    set_failed(channel, reason, reason);
}

/* Closed in good order, and still the program's. */
void mtls_channel_close(struct mtls_channel *channel)
{
    if (channel->life == MTLS_OPEN)
        begin_close(channel, 1);
    else
        mtls_channel_reset(channel, MTLS_R_SESSION_ENDED);
    set_failed(channel, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED);
}

void mtls_channel_release(struct mtls_channel *channel)
{
    channel->released = 1;
    if (channel->life == MTLS_OPEN)
        begin_close(channel, 1);
    else if (channel->life == MTLS_OPENING &&
             !(channel->owed & MTLS_OWE_REQUEST))
        set_failed(channel, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET);
    else
        mtls_channel_reset(channel, MTLS_R_CHANNEL_RESET);
}

/* --- the peer --- */

void mtls_channel_asked(struct mtls_channel *channel,
                        const struct mtls_request *request)
{
    channel->life = MTLS_ASKED;
    channel->peer_half = request->half;
    channel->out.credit = request->window;
    channel->out.max_packet = request->max_packet;
}

void mtls_channel_success(struct mtls_channel *channel,
                          const struct mtls_success *success)
{
    channel->peer_half = success->receiver_half;
    channel->named = 1;
    channel->life = MTLS_OPEN;
    channel->events |= MTLS_OPENED;
    channel->out.credit = success->window;
    channel->out.max_packet = success->max_packet;
    if (channel->tx_reason != 0) /* given up while opening */
        begin_close(channel, channel->tx != MTLS_TX_ENDED);
    else if (success->max_packet == 0)
        mtls_channel_fail(channel, MTLS_R_MALFORMED_PACKET);
    else if (channel->tx == MTLS_TX_ENDING)
        channel->owed |= MTLS_OWE_END;
}

void mtls_channel_refused(struct mtls_channel *channel, uint8_t reason)
{
    channel->life = MTLS_CLOSED;
    channel->owed = 0;
    channel->events |= MTLS_OVER;
    set_failed(channel, reason, reason);
}

int mtls_channel_close_request(struct mtls_channel *channel)
{
    if (channel->life != MTLS_OPEN && channel->life != MTLS_CLOSING)
        return 0;
    if (channel->owed & MTLS_OWE_CONFIRMATION)
        return 0;
    channel->owed &= MTLS_OWE_SUCCESS;
    channel->owed |= MTLS_OWE_CONFIRMATION;
    if (!channel->close_sent)
        channel->life = MTLS_CLOSED;
    if (channel->rx == MTLS_RX_OPEN)
        channel->rx = channel->datagrams ? MTLS_RX_ENDED : MTLS_RX_CUT;
    channel->events |= MTLS_OVER;
    if (channel->tx_reason == 0)
        channel->tx_reason = MTLS_R_CLOSED_BY_PEER;
    return 1;
}

int mtls_channel_confirmation(struct mtls_channel *channel)
{
    if (channel->life != MTLS_CLOSING || !channel->close_sent)
        return 0;
    channel->life = MTLS_CLOSED;
    return 1;
}

int mtls_channel_ack(struct mtls_channel *channel, uint32_t free_space)
{
    if (channel->life != MTLS_OPEN || free_space == 0)
        return 0;
    if (!mtls_flow_tx_add(&channel->out, free_space))
        mtls_channel_fail(channel, MTLS_R_WINDOW_OVERFLOW);
    return 1;
}

int mtls_channel_new_max(struct mtls_channel *channel, uint32_t max_packet)
{
    if (channel->life != MTLS_OPEN)
        return 0;
    if (max_packet == 0)
        mtls_channel_fail(channel, MTLS_R_ZERO_MAX_PACKET);
    else
        channel->out.max_packet = max_packet;
    return 1;
}

int mtls_channel_packet(struct mtls_channel *channel, uint32_t length)
{
    if (channel->life != MTLS_OPEN)
        return 0; /* late, after our CloseRequest (D8) */
    if (channel->rx != MTLS_RX_OPEN) {
        mtls_channel_fail(channel, MTLS_R_DATA_AFTER_END);
        return 0;
    }
    if (length == 0) {
        channel->rx = MTLS_RX_ENDED;
        channel->owed &= (uint8_t) ~(MTLS_OWE_ACK | MTLS_OWE_NEW_MAX);
        return 0;
    }
    if (length > channel->in.max_packet) {
        mtls_channel_fail(channel, MTLS_R_PACKET_TOO_LONG);
        return 0;
    }
    if (!mtls_flow_rx_packet(&channel->in, length)) {
        mtls_channel_fail(channel, MTLS_R_CREDIT_OVERRUN);
        return 0;
    }
    return 1;
}

void mtls_channel_fail(struct mtls_channel *channel, uint8_t reason)
{
    if (channel->life == MTLS_OPEN)
        begin_close(channel, 0);
    channel->failed = 1;
    channel->events |= MTLS_OVER;
    /* After a half-close too: the reader is to know that something is wrong. */
    if (channel->rx == MTLS_RX_ENDED && !channel->told_end)
        channel->rx = MTLS_RX_OPEN;
    set_failed(channel, reason, reason);
}

void mtls_channel_cut(struct mtls_channel *channel, uint8_t rx_reason)
{
    if (channel->life == MTLS_OPENING || channel->life == MTLS_ASKED ||
        channel->life == MTLS_NEW)
        rx_reason = MTLS_R_SESSION_ENDED;
    if (channel->life != MTLS_CLOSED) {
        channel->events |= MTLS_OVER;
        set_failed(channel, rx_reason, MTLS_R_SESSION_ENDED);
    }
    channel->life = MTLS_CLOSED;
    channel->owed = 0;
}

/* --- the session --- */

void mtls_channel_sent(struct mtls_channel *channel,
                       enum mtls_channel_owed owed)
{
    channel->owed &= (uint8_t)~owed;
    if (owed == MTLS_OWE_SUCCESS)
        channel->named = 1;
    else if (owed == MTLS_OWE_END)
        channel->tx = MTLS_TX_ENDED;
    else if (owed == MTLS_OWE_CLOSE)
        channel->close_sent = 1;
}
