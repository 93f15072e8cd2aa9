/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "mux.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t mtls_mux_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- from the session --- */

static void on_changed(void *app, struct mtls_channel *channel)
{
    struct mtls_mux *mux = app;

    mtls_mux_wake(mux, channel);
    if (mux->ready_cb != NULL && mux->filter != NULL && !mux->ready_told) {
        mux->ready_told = 1;
        mux->ready_cb(mux->filter, mux->ready_arg);
    }
}

static void on_message(void *app, int sent, int type, const unsigned char *p,
                       size_t len)
{
    struct mtls_mux *mux = app;

    if (mux->filter == NULL)
        return;
    if (mux->msg_cb != NULL)
        mux->msg_cb(sent, type, p, len, mux->filter, mux->msg_arg);
    if (mux->info_cb != NULL && type != MTLS_MSG_DATA)
        mux->info_cb(mux->filter, sent ? MTLS_INFO_SENT | type : type,
                     (int)len);
}

/* --- life --- */

struct mtls_mux *mtls_mux_new(const struct mtls_mux *like)
{
    const struct mtls_session_hooks hooks = {on_changed, NULL};
    struct mtls_session_config config;
    struct mtls_mux *mux = calloc(1, sizeof(*mux));

    if (mux == NULL)
        return NULL;
    mtls_session_config_default(&config);
    if (like != NULL) {
        config = *mtls_session_config(like->session);
        mux->role = like->role;
        mux->default_mode = like->default_mode;
        mux->corked = like->corked;
        mux->msg_cb = like->msg_cb;
        mux->msg_arg = like->msg_arg;
        mux->info_cb = like->info_cb;
        mux->ready_cb = like->ready_cb;
        mux->ready_arg = like->ready_arg;
    }
    mux->session = mtls_session_new(&config, &hooks, mux);
    if (mux->session == NULL || pthread_mutex_init(&mux->lock, NULL) != 0) {
        mtls_session_free(mux->session);
        free(mux);
        return NULL;
    }
    atomic_init(&mux->refs, 1);
    mux->fd = mux->wake_fd = -1;
    mtls_list_init(&mux->sleepers);
    mtls_mux_trace(mux);
    return mux;
}

void mtls_mux_trace(struct mtls_mux *mux)
{
    mtls_session_hooks(mux->session)->message =
        mux->msg_cb != NULL || mux->info_cb != NULL ? on_message : NULL;
}

void mtls_mux_up_ref(struct mtls_mux *mux)
{
    atomic_fetch_add(&mux->refs, 1);
}

/* A program that blocks expects what it wrote to be sent when it is done. */
static void last_flush(struct mtls_mux *mux)
{
    if (mux->next == NULL || !mux->up || mtls_session_ended(mux->session))
        return;
    mtls_session_send_drafts(mux->session);
    mtls_mux_send(mux);
    while (mux->blocking && mux->out_blocked && !mux->write_failed &&
           !mtls_session_ended(mux->session) && mtls_mux_wait(mux, NULL))
        mtls_mux_send(mux);
}

void mtls_mux_free(struct mtls_mux *mux)
{
    struct mtls_errors callers;

    if (mux == NULL || atomic_fetch_sub(&mux->refs, 1) != 1)
        return;
    mtls_errors_take(&callers);
    pthread_mutex_lock(&mux->lock);
    last_flush(mux);
    mtls_mux_detach(mux);
    pthread_mutex_unlock(&mux->lock);
    mtls_errors_put_back(&callers);
    mtls_session_free(mux->session);
    pthread_mutex_destroy(&mux->lock);
    OPENSSL_free(mux->address[0]);
    OPENSSL_free(mux->address[1]);
    if (mux->wake_fd >= 0)
        close(mux->wake_fd);
    free(mux);
}

void mtls_mux_attach(struct mtls_mux *mux, BIO *next)
{
    if (next == mux->next || next == NULL || !BIO_up_ref(next))
        return;
    BIO_free_all(mux->next);
    mux->next = next;
}

/* The descriptor goes back as it was found. */
static void give_up_fd(struct mtls_mux *mux)
{
    int flags;

    if (mux->adopted && (flags = fcntl(mux->fd, F_GETFL)) >= 0)
        fcntl(mux->fd, F_SETFL, flags & ~O_NONBLOCK);
    mux->adopted = 0;
}

void mtls_mux_detach(struct mtls_mux *mux)
{
    SSL *ssl = mux->shut ? mtls_mux_ssl(mux) : NULL;

    /* BIO_f_ssl would wait for the peer's close_notify, and block. */
    if (ssl != NULL)
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    mtls_session_end(mux->session);
    mtls_mux_give_up_channel(mux);
    give_up_fd(mux);
    BIO_free_all(mux->next);
    mux->next = NULL;
    mtls_mux_wake_all(mux);
}

/* --- the handshake --- */

/*
 * Blocking and not follow the descriptor (api: "blocking as the BIO below").
 * Ours must not block, since SSL is called with the lock held.
 */
static void adopt_fd(struct mtls_mux *mux)
{
    int fd = mtls_mux_fd(mux), flags;

    if (fd < 0 || fd == mux->fd || (flags = fcntl(fd, F_GETFL)) < 0)
        return;
    mux->fd = fd;
    if (flags & O_NONBLOCK)
        return;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
        mux->adopted = 1;
        mux->blocking = 1;
    }
}

static void learn_role(struct mtls_mux *mux)
{
    SSL *ssl = mtls_mux_ssl(mux);
    int client = mux->role != MTLS_ROLE_SERVER;

    if (mux->role == 0 && ssl != NULL)
        client = !SSL_is_server(ssl);
    mtls_session_set_client(mux->session, client);
}

SSL *mtls_mux_ssl(struct mtls_mux *mux)
{
    SSL *ssl = NULL;

    if (mux->next != NULL)
        BIO_get_ssl(mux->next, &ssl);
    return ssl;
}

/* 1 done, 0 retry, -1 failed. Types that know no handshake have it done. */
static int try_handshake(struct mtls_mux *mux)
{
    BIO *next = mux->next;
    long r;

    mux->shaking = 1;
    pthread_mutex_unlock(&mux->lock);
    ERR_clear_error();
    r = BIO_do_handshake(next);
    pthread_mutex_lock(&mux->lock);
    mux->shaking = 0;
    mtls_mux_wake(mux, NULL);
    if (r > 0)
        return 1;
    if (BIO_should_retry(next))
        return 0;
    if (mtls_mux_ssl(mux) == NULL && ERR_peek_error() == 0)
        return 1;
    return -1;
}

int mtls_mux_ready(struct mtls_mux *mux, int may_wait)
{
    int r;

    if (mux->up)
        return 1;
    if (mux->next == NULL) {
        MTLS_raise(MTLS_R_NOT_ATTACHED);
        return -1;
    }
    while (!mux->up) {
        if (mux->shaking) {
            mtls_mux_sleep(mux);
            continue;
        }
        adopt_fd(mux);
        r = try_handshake(mux);
        if (r < 0)
            return -1;
        adopt_fd(mux); /* BIO_s_connect has it only now */
        if (r > 0) {
            learn_role(mux);
            mtls_mux_adopt_channel(mux);
            mux->up = 1;
        } else if (!mux->blocking || !may_wait || !mtls_mux_wait(mux, NULL)) {
            return 0;
        }
    }
    return 1;
}

/* --- moving octets --- */

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

/* 1 to go on, 0 when the transport is full. */
static int send_some(struct mtls_mux *mux, const unsigned char *p, size_t len)
{
    size_t n = len;

    if (!mux->write_failed) {
        clear_errors();
        if (!BIO_write_ex(mux->next, p, len, &n)) {
            if (BIO_should_retry(mux->next))
                return 0;
            /* What the peer has sent before can still be read. */
            mux->write_failed = 1;
            keep_error(mux);
            mtls_mux_wake_all(mux);
            n = len;
        }
    }
    mtls_session_send_ack(mux->session, n);
    return 1;
}

/* BIO_f_buffer, or a channel of another session, may be below. */
static void flush_below(struct mtls_mux *mux)
{
    long r;

    clear_errors();
    r = BIO_flush(mux->next);
    if (r <= 0 && BIO_should_retry(mux->next)) {
        mux->out_blocked = 1;
        return;
    }
    mux->unflushed = 0;
    if (r <= 0 && ERR_peek_error() != 0) {
        mux->write_failed = 1;
        keep_error(mux);
    }
}

void mtls_mux_send(struct mtls_mux *mux)
{
    uint64_t before = mtls_session_sent(mux->session);
    const unsigned char *p;
    struct mtls_errors callers;
    size_t len;

    mtls_errors_take(&callers);
    mux->out_blocked = 0;
    while (mux->next != NULL && !mux->out_blocked &&
           (p = mtls_session_send_buf(mux->session, &len)) != NULL) {
        mux->out_blocked = !send_some(mux, p, len);
        mux->unflushed = 1;
    }
    if (mux->unflushed && mux->next != NULL && !mux->out_blocked)
        flush_below(mux);
    mtls_errors_put_back(&callers);
    if (mux->out_blocked)
        mtls_mux_poll_again(mux);
    if (mtls_session_sent(mux->session) != before)
        mtls_mux_wake_sent(mux);
}

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

static void on_lost(struct mtls_mux *mux)
{
    mux->clean_end = ended_cleanly(mux);
    keep_error(mux);
    mtls_session_end(mux->session);
    mtls_mux_wake_all(mux);
}

/* wire format, D10: nothing of this TLS session may be used again. */
static void on_broken(struct mtls_mux *mux)
{
    SSL *ssl = mtls_mux_ssl(mux);

    mtls_mux_send(mux);
    mtls_mux_shutdown(mux);
    if (ssl != NULL)
        SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl), SSL_get_session(ssl));
    mtls_mux_wake_all(mux);
}

static int has_enough(const struct mtls_mux *mux, enum mtls_mux_want want,
                      const struct mtls_channel *c, size_t enough)
{
    switch (want) {
    case MTLS_WANT_ANSWER:
        return c->life != MTLS_OPENING;
    case MTLS_WANT_OCTETS: /* the rest of a packet is as good as there */
        return c->rx != MTLS_RX_OPEN || c->buffer.length >= enough ||
               (c->buffer.length > 0 && !mtls_session_amid(mux->session, c));
    case MTLS_WANT_ROOM:
        return c->tx_reason != 0 || mtls_session_guarantee(c) != 0;
    default:
        return 0;
    }
}

/* One read: 1 to go on, 0 when there is nothing more now. */
static int receive_some(struct mtls_mux *mux, uint64_t now, size_t *taken)
{
    struct mtls_session *s = mux->session;
    size_t room, n;
    unsigned char *p = mtls_session_recv_buf(s, &room, now);

    if (p == NULL && mtls_session_ended(s))
        return 0;
    if (p == NULL) { /* answers go first */
        mtls_mux_send(mux);
        return !mux->out_blocked && mtls_session_can_receive(s);
    }
    clear_errors();
    if (BIO_read_ex(mux->next, p, room, &n)) {
        mtls_session_recv_ack(s, n, now);
        *taken += n;
        return 1;
    }
    if (BIO_should_retry(mux->next))
        mux->in_wants_write = BIO_should_write(mux->next);
    else
        on_lost(mux);
    return 0;
}

void mtls_mux_receive(struct mtls_mux *mux, enum mtls_mux_want want,
                      const struct mtls_channel *channel, size_t enough,
                      size_t limit)
{
    uint64_t now = mtls_mux_now();
    size_t taken = 0;

    mux->in_wants_write = 0;
    mux->in_more = mux->next != NULL && mux->up;
    while (mux->in_more && !has_enough(mux, want, channel, enough) &&
           taken <= limit)
        mux->in_more = receive_some(mux, now, &taken);
    if (mtls_session_broken(mux->session) && !mux->shut)
        on_broken(mux);
    refuse_unwanted(mux);
}

int mtls_mux_flushed(const struct mtls_mux *mux, uint64_t mark)
{
    return mtls_session_sent(mux->session) >= mark && !mux->unflushed;
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
