/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A session whose transport is a channel of another: MTLS inside MTLS, with
 * or without TLS in between. It waits not on a descriptor, which is the outer
 * session's, but on that channel. The inner lock is taken before the outer.
 */
#include "channel_io.h"

static struct mtls_mux *outer_of(const struct mtls_mux *mux)
{
    return mtls_session_app(mux->under->session);
}

void mtls_mux_adopt_channel(struct mtls_mux *mux)
{
    struct mtls_channel *under = NULL;
    struct mtls_mux *outer;

    if (BIO_ctrl(mux->next, BIO_CTRL_MTLS_BELOW, 0, &under) <= 0 ||
        under == NULL)
        return;
    outer = mtls_session_app(under->session);
    mtls_mux_lock(outer);
    mux->blocking = mtls_io_blocks(outer, under);
    if (mux->blocking) {
        under->app_flags |= MTLS_IO_NBIO_SET | MTLS_IO_NBIO;
        mux->under = under;
    }
    mtls_mux_unlock(outer);
}

void mtls_mux_give_up_channel(struct mtls_mux *mux)
{
    struct mtls_mux *outer;

    if (mux->under == NULL)
        return;
    outer = outer_of(mux);
    mtls_mux_lock(outer);
    mux->under->app_flags &= (uint8_t)~MTLS_IO_NBIO;
    mtls_mux_unlock(outer);
    mux->under = NULL;
}

static int worth_a_try(const struct mtls_mux *outer,
                       const struct mtls_channel *c, int want_read,
                       int want_write)
{
    if (c->kicked)
        return 1;
    if (want_read && (c->buffer.length != 0 || c->rx != MTLS_RX_OPEN))
        return 1;
    return want_write && !outer->out_blocked &&
           (mtls_session_guarantee(c) != 0 || c->tx_reason != 0);
}

void mtls_mux_wait_below(struct mtls_mux *mux, int want_read, int want_write)
{
    struct mtls_channel *under = mux->under;
    struct mtls_mux *outer = outer_of(mux);

    mtls_mux_lock(outer);
    if (!worth_a_try(outer, under, want_read, want_write))
        mtls_mux_wait_sent(outer, under);
    under->kicked = 0;
    mtls_mux_unlock(outer);
}

void mtls_mux_kick_below(struct mtls_mux *mux)
{
    struct mtls_mux *outer = outer_of(mux);

    mtls_mux_lock(outer);
    mux->under->kicked = 1;
    mtls_mux_wake(outer, mux->under);
    mtls_mux_unlock(outer);
}
