/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The pump: octets between the session and the BIO below it. */
#include "mux.h"

#include "err.h"
#include "mux_dgram.h"

#include <openssl/err.h>

/* A stale error would make SSL_get_error() see a failure. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/*
 * A failure below is told by those calls that fail for it, not left on the
 * queue of whoever happened to move octets.
 */
static void keep_error(struct mtls_mux *mux)
{
    if (mux->lost_error == 0)
        mux->lost_error = ERR_peek_error();
    ERR_clear_error();
}

/* --- writing --- */

static void fail_writing(struct mtls_mux *mux)
{
    /* What the peer has sent before can still be read. */
    mux->write_failed = 1;
    keep_error(mux);
    mtls_mux_wake_all(mux);
}

/*
 * By the BIO below, with nothing on the error queue. If a call of SSL's failed
 * before, its own error is the last there.
 */
static int write_by_bio(struct mtls_mux *mux, const unsigned char *p,
                        size_t len, size_t *n)
{
    int said = mux->direct && mtls_mux_tls_failed(mux), ok;
    struct mtls_errors callers;

    callers.n = 0;
    if (ERR_peek_error() != 0)
        mtls_errors_take(&callers);
    BIO_clear_retry_flags(mux->next); /* not every type does so */
    ok = BIO_write_ex(mux->next, p, len, n);
    if (!ok && BIO_should_retry(mux->next)) {
        mtls_errors_put_back(&callers);
        return 0;
    }
    if (!ok) {
        if (said && ERR_peek_error() == 0 && mux->lost_error == 0)
            mux->lost_error = mtls_errors_drop_last(&callers);
        fail_writing(mux);
        *n = len;
    }
    mtls_errors_put_back(&callers);
    return 1;
}

/* 1 to go on, 0 when the transport is full. */
static inline int send_some(struct mtls_mux *mux, const unsigned char *p,
                            size_t len)
{
    size_t n = len;
    int r = -1;

    if (!mux->write_failed) {
        mtls_mux_tls_more(mux, mtls_session_more(mux->session));
        if (mux->direct)
            r = mtls_mux_tls_write(mux, p, len, &n);
        if (r < 0)
            r = write_by_bio(mux, p, len, &n);
        if (r == 0)
            return 0;
    }
    mtls_session_send_ack(mux->session, n);
    return 1;
}

static void flush_held_back(struct mtls_mux *mux)
{
    struct mtls_errors callers;
    long r;

    mtls_errors_take(&callers);
    r = BIO_flush(mux->next);
    if (r <= 0 && BIO_should_retry(mux->next)) {
        mux->out_blocked = 1;
        mtls_session_held(mux->session, mtls_mux_tls_held(mux));
    } else {
        mtls_session_held(mux->session, 0);
        mux->flushed = mtls_session_sent(mux->session);
        /* Types that know no flush fail too, without a reason. */
        if (r <= 0 && (mux->batch != NULL || ERR_peek_error() != 0))
            fail_writing(mux);
    }
    mtls_errors_put_back(&callers);
}

static inline void flush_below(struct mtls_mux *mux)
{
    if (mtls_mux_holds_back(mux)) {
        flush_held_back(mux);
        return;
    }
    mtls_session_held(mux->session, 0);
    mux->flushed = mtls_session_sent(mux->session);
}

static void send_all(struct mtls_mux *mux)
{
    uint64_t before = mtls_session_sent(mux->session);
    const unsigned char *p;
    size_t len;

    if (mux->flushed != before)
        flush_below(mux);
    while (!mux->out_blocked &&
           (p = mtls_session_send_buf(mux->session, &len)) != NULL)
        mux->out_blocked = !send_some(mux, p, len);
    if (!mux->out_blocked && mux->flushed != mtls_session_sent(mux->session))
        flush_below(mux);
    if (mtls_session_sent(mux->session) != before)
        mtls_mux_wake_sent(mux);
}

void mtls_mux_send(struct mtls_mux *mux)
{
    mux->out_blocked = 0;
    if (mux->dgram != NULL)
        mtls_mux_dgram_tick(mux);
    if (mux->next != NULL && !mtls_mux_dgram_alone(mux) &&
        (mtls_session_wants_write(mux->session) ||
         mux->flushed != mtls_session_sent(mux->session)))
        send_all(mux);
    if (mux->dgram != NULL)
        mtls_mux_dgram_send(mux);
}

/* --- reading --- */

/* Whether the end below was said, or happened. */
static int ended_cleanly(struct mtls_mux *mux)
{
    SSL *ssl = mtls_mux_ssl(mux);

    return ssl != NULL ? (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0
                       : BIO_eof(mux->next) || ERR_peek_error() == 0;
}

/*
 * A program that knows of the default channel alone would leave the others to
 * wait for ever.
 */
static void refuse_unwanted(struct mtls_mux *mux)
{
    struct mtls_channel *c;

    if (mux->aware || mux->default_channel == NULL)
        return;
    while ((c = mtls_session_next_asked(mux->session)) != NULL) {
        mtls_session_reject(c, "prohibited: one channel only");
        mtls_session_release(c);
    }
}

static void on_lost(struct mtls_mux *mux, unsigned long error)
{
    mux->clean_end = ended_cleanly(mux);
    keep_error(mux);
    if (mux->lost_error == 0 && !mux->clean_end)
        mux->lost_error = error;
    mtls_session_end(mux->session);
    mtls_mux_wake_all(mux);
}

/* wire format, D10: nothing of this TLS session may be used again. */
static void on_broken(struct mtls_mux *mux)
{
    SSL *ssl = mtls_mux_ssl(mux);

    mtls_mux_send(mux);
    if (!mux->out_blocked) /* else the close_notify would cut a record */
        mtls_mux_shutdown(mux);
    if (ssl != NULL)
        SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl), SSL_get_session(ssl));
    mtls_mux_wake_all(mux);
}

static int has_enough(const struct mtls_mux *mux, enum mtls_mux_want want,
                      const struct mtls_channel *c, size_t enough)
{
    size_t have;

    switch (want) {
    case MTLS_WANT_ANSWER:
        return c->life != MTLS_OPENING;
    case MTLS_WANT_OCTETS: /* the rest of a packet is as good as there */
        have = c->buffer.length + mtls_session_lent(c);
        return c->rx != MTLS_RX_OPEN || have >= enough ||
               (have > 0 && !mtls_session_amid(mux->session, c));
    case MTLS_WANT_ROOM:
        return c->tx_reason != 0 || mtls_session_guarantee(c) != 0;
    case MTLS_WANT_CREDIT:
        return c->tx_reason != 0 || c->out.credit >= enough;
    default:
        return 0;
    }
}

/*
 * 1, 0 there is nothing now, -1 and never will be. By the BIO below, with
 * nothing on the error queue; if SSL_read() failed before, its error is told.
 */
static int read_by_bio(struct mtls_mux *mux, unsigned char *p, size_t room,
                       size_t *n)
{
    int said = mux->direct && mtls_mux_tls_failed(mux);
    unsigned long error = said ? ERR_peek_last_error() : 0;

    clear_errors();
    BIO_clear_retry_flags(mux->next);
    if (BIO_read_ex(mux->next, p, room, n))
        return 1;
    if (BIO_should_retry(mux->next) && !mux->write_failed) {
        mux->in_wants_write = BIO_should_write(mux->next);
        return 0;
    }
    on_lost(mux, error);
    return -1;
}

/* One read: 1 to go on, 0 when there is nothing more now. */
static int receive_some(struct mtls_mux *mux, size_t *taken)
{
    struct mtls_session *s = mux->session;
    size_t room, n;
    int r = -1;
    unsigned char *p = mtls_session_recv_buf(s, &room);

    if (p == NULL && mtls_session_ended(s))
        return 0;
    if (p == NULL) { /* answers go first */
        mtls_mux_note_stall(mux);
        mtls_mux_send(mux);
        return !mux->out_blocked && mtls_session_can_receive(s);
    }
    if (mux->write_failed) /* the last there is: to its very end */
        mtls_mux_tls_turn(mux, 0);
    if (mux->direct)
        r = mtls_mux_tls_read(mux, p, room, &n);
    if (r < 0 || (r == 0 && mux->write_failed))
        r = read_by_bio(mux, p, room, &n);
    if (r <= 0)
        return 0;
    mtls_session_recv_ack(s, n);
    *taken += n;
    /* What was read is not parsed yet while answers wait, or a reader. */
    return mux->write_failed || !mtls_mux_tls_emptied(mux) ||
           !mtls_session_can_receive(s);
}

void mtls_mux_receive(struct mtls_mux *mux, enum mtls_mux_want want,
                      const struct mtls_channel *channel, size_t enough,
                      size_t limit)
{
    size_t taken = 0;

    mux->in_wants_write = 0;
    mux->in_more = mux->next != NULL && mux->up && !mtls_mux_dgram_alone(mux);
    mtls_mux_tls_turn(mux, 1);
    while (mux->in_more && !has_enough(mux, want, channel, enough) &&
           taken <= limit)
        mux->in_more = receive_some(mux, &taken);
    mtls_mux_tls_turn(mux, 0);
    if (mux->dgram != NULL) {
        clear_errors();
        mtls_mux_dgram_receive(mux);
    }
    if (mtls_session_broken(mux->session) && !mux->shut)
        on_broken(mux);
    refuse_unwanted(mux);
}

int mtls_mux_flushed(const struct mtls_mux *mux, uint64_t mark)
{
    return mux->flushed >= mark;
}

int mtls_mux_shutdown(struct mtls_mux *mux)
{
    SSL *ssl = mtls_mux_ssl(mux);
    int r;

    if (mux->shut || ssl == NULL || !mux->up)
        return 1;
    clear_errors();
    r = SSL_shutdown(ssl);
    if (r < 0) {
        int error = SSL_get_error(ssl, r);

        if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
            return 0;
    }
    clear_errors();
    mux->shut = 1;
    return 1;
}
