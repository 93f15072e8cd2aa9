/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The filter's calls that are functions: accept, readiness, tracing. */
#include "bio_local.h"

#include "err.h"

static BIO *wrap(struct mtls_mux *mux, struct mtls_channel *c)
{
    BIO *b = BIO_new(BIO_s_mtls_channel());

    if (b == NULL) {
        mtls_session_reject(c, "resource-shortage: out of memory");
        mtls_session_release(c);
        return NULL;
    }
    mtls_bio_adopt(mux, b, c);
    return b;
}

/* 1: look again, 0: over or to be retried. */
static int await_request(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;

    if (mtls_io_ready(io) <= 0)
        return 0;
    mtls_mux_receive(mux, MTLS_WANT_ALL, NULL, 0, 0);
    if (mtls_session_backlog(mux->session) != 0 || mux->in_more)
        return 1;
    if (mtls_session_ended(mux->session)) {
        if (!mux->clean_end)
            MTLS_raise(MTLS_R_SESSION_ENDED);
        return 0;
    }
    mtls_mux_send(mux);
    if (mux->blocking && mtls_mux_wait(mux, NULL))
        return 1;
    mtls_io_retry_accept(io->b);
    return 0;
}

BIO *BIO_mtls_accept_channel(BIO *mtls)
{
    struct mtls_io io = {mtls_bio_mux(mtls), NULL, mtls};
    struct mtls_channel *c;
    BIO *b = NULL;

    if (io.mux == NULL) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return NULL;
    }
    BIO_clear_retry_flags(mtls);
    BIO_set_retry_reason(mtls, 0);
    mtls_mux_lock(io.mux);
    io.mux->aware = 1;
    if (io.mux->default_channel == NULL)
        io.mux->default_mode = MTLS_DEFAULT_CHANNEL_OFF;
    do {
        c = mtls_session_next_asked(io.mux->session);
    } while (c == NULL && await_request(&io));
    if (c != NULL)
        b = wrap(io.mux, c);
    mtls_mux_unlock(io.mux);
    return b;
}

/* mtls-00: one that stalled the session may have gone instead of reading. */
static struct mtls_channel *next_ready(struct mtls_mux *mux, unsigned int *what)
{
    struct mtls_channel *c = mtls_session_next_ready(mux->session, what);
    struct mtls_errors callers;

    if (c != NULL || !mux->resumed)
        return c;
    mtls_errors_take(&callers);
    mtls_mux_resume(mux);
    mtls_errors_put_back(&callers);
    return mtls_session_next_ready(mux->session, what);
}

BIO *BIO_mtls_next_ready(BIO *mtls, int *events)
{
    struct mtls_mux *mux = mtls_bio_mux(mtls);
    struct mtls_channel *c;
    unsigned int what = 0;
    BIO *b = NULL;

    *events = 0;
    if (mux == NULL)
        return NULL;
    mtls_mux_lock(mux);
    mux->aware = 1;
    if (!mux->accept_told && mtls_session_backlog(mux->session) != 0) {
        mux->accept_told = 1;
        what = MTLS_EVENT_ACCEPTABLE;
        b = mtls;
    } else if ((c = next_ready(mux, &what)) != NULL) {
        b = c->app;
    } else {
        mux->ready_told = 0;
        if (mux->reads_again) /* since BIO_mtls_process() has said not to */
            BIO_set_flags(mtls, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
        mux->reads_again = 0;
    }
    mtls_mux_unlock(mux);
    *events = (int)what;
    return b;
}

int BIO_mtls_set_msg_callback(BIO *mtls, MTLS_msg_cb cb, void *arg)
{
    struct mtls_mux *mux = mtls_bio_mux(mtls);

    if (mux == NULL)
        return 0;
    mtls_mux_lock(mux);
    mux->msg_cb = cb;
    mux->msg_arg = arg;
    mtls_mux_trace(mux);
    mtls_mux_unlock(mux);
    return 1;
}

int BIO_mtls_set_ready_callback(BIO *mtls, MTLS_ready_cb cb, void *arg)
{
    struct mtls_mux *mux = mtls_bio_mux(mtls);

    if (mux == NULL)
        return 0;
    mtls_mux_lock(mux);
    mux->ready_cb = cb;
    mux->ready_arg = arg;
    mux->ready_told = 0;
    mtls_mux_unlock(mux);
    return 1;
}
