/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "mux.h"

#include "defaults.h"
#include "err.h"
#include "mux_dgram.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LAST_FLUSH 1000000 /* microseconds */

uint64_t mtls_mux_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- from the session --- */

static uint64_t on_now(void *app)
{
    (void)app;
    return mtls_mux_now();
}

static void on_changed(void *app, struct mtls_channel *channel)
{
    struct mtls_mux *mux = app;

    if (mux->in_stalled)
        mtls_mux_note_room(mux);
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
    const struct mtls_session_hooks hooks = {on_changed, NULL, on_now};
    struct mtls_session_config config;
    struct mtls_mux *mux = calloc(1, sizeof(*mux));

    if (mux == NULL)
        return NULL;
    mtls_session_config_default(&config);
    if (like != NULL) {
        config = *mtls_session_config(like->session);
        mux->misconfigured = like->misconfigured;
        mux->role = like->role;
        mux->otherwise_00 = like->otherwise_00;
        mux->default_mode = like->default_mode;
        mux->corked = like->corked;
        mux->msg_cb = like->msg_cb;
        mux->msg_arg = like->msg_arg;
        mux->info_cb = like->info_cb;
        mux->ready_cb = like->ready_cb;
        mux->ready_arg = like->ready_arg;
    } else {
        mux->misconfigured = !mtls_defaults(&config);
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
    if (like != NULL && !mtls_mux_dgram_copy(mux, like)) {
        mtls_mux_free(mux);
        return NULL;
    }
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

/*
 * What a call that blocks wrote is with the transport. What freeing adds, a few
 * octets that tell a good end from a cut, is worth a moment, but no more: a
 * peer that does not read must not hold up who frees.
 */
static void last_flush(struct mtls_mux *mux)
{
    uint64_t until = mtls_mux_now() + LAST_FLUSH;
    struct pollfd pfd = {.fd = mtls_mux_fd(mux), .events = POLLOUT};

    if (mux->next == NULL || !mux->up || mtls_session_ended(mux->session))
        return;
    mtls_session_send_drafts(mux->session);
    mtls_mux_send(mux);
    while (mux->blocking && mux->out_blocked && pfd.fd >= 0) {
        uint64_t now = mtls_mux_now();

        if (now >= until || poll(&pfd, 1, (int)((until - now) / 1000) + 1) <= 0)
            break;
        mtls_mux_send(mux);
    }
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
    mtls_mux_dgram_free(mux);
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
    ERR_set_mark(); /* what does not fit is said by the handshake */
    mtls_mux_dgram_detect(mux);
    ERR_pop_to_mark();
}

/* Whether |fd| is still what we found, and not a number used again. */
static int is_same_file(const struct mtls_mux *mux)
{
    struct stat st;

    return fstat(mux->fd, &st) == 0 && st.st_dev == mux->dev &&
           st.st_ino == mux->ino;
}

/* The descriptor goes back as it was found, if it is still there. */
static void give_up_fd(struct mtls_mux *mux)
{
    int flags;

    if (mux->adopted && is_same_file(mux) &&
        (flags = fcntl(mux->fd, F_GETFL)) >= 0)
        fcntl(mux->fd, F_SETFL, flags & ~O_NONBLOCK);
    mux->adopted = 0;
}

void mtls_mux_detach(struct mtls_mux *mux)
{
    SSL *ssl = mux->shut ? mtls_mux_ssl(mux) : NULL;

    /* BIO_f_ssl would wait for the peer's close_notify. */
    if (ssl != NULL)
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    mtls_session_end(mux->session);
    mtls_mux_give_up_channel(mux);
    mtls_mux_tls_restore(mux);
    BIO_free_all(mux->next);
    mux->next = NULL;
    mtls_mux_dgram_detach(mux);
    give_up_fd(mux); /* after BIO_f_ssl's own SSL_shutdown(), lest it block */
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
    struct stat st;

    if (fd < 0 || fd == mux->fd || (flags = fcntl(fd, F_GETFL)) < 0 ||
        fstat(fd, &st) != 0)
        return;
    mux->fd = fd;
    mux->dev = st.st_dev;
    mux->ino = st.st_ino;
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
static int shake_below(struct mtls_mux *mux, BIO *next)
{
    if (BIO_do_handshake(next) > 0)
        return 1;
    if (BIO_should_retry(next))
        return 0;
    return mtls_mux_ssl(mux) == NULL && ERR_peek_error() == 0 ? 1 : -1;
}

static int try_handshake(struct mtls_mux *mux, int may_wait)
{
    BIO *next = mux->next;
    int r;

    mux->shaking = 1;
    pthread_mutex_unlock(&mux->lock);
    ERR_clear_error();
    r = mtls_mux_dgram_before(mux, may_wait);
    if (r > 0)
        r = shake_below(mux, next);
    pthread_mutex_lock(&mux->lock);
    if (r > 0)
        r = mtls_mux_dgram_after(mux);
    mux->shaking = 0;
    mtls_mux_wake(mux, NULL);
    if (r < 0) {
        mux->shake_failed = 1; /* with the reasons on this thread's queue */
        mux->lost_error = ERR_peek_error();
    }
    return r;
}

/* What a second call says of a handshake that failed in the first. */
static int failed_before(const struct mtls_mux *mux)
{
    const char *text = mtls_error_text(mux->lost_error);

    if (mux->next == NULL)
        MTLS_raise(MTLS_R_NOT_ATTACHED);
    else if (text != NULL)
        MTLS_raise_data(MTLS_R_TRANSPORT_FAILED, "%s", text);
    else
        MTLS_raise(MTLS_R_TRANSPORT_FAILED);
    return -1;
}

int mtls_mux_ready(struct mtls_mux *mux, int may_wait)
{
    int r;

    if (mux->misconfigured)
        return mtls_defaults_raise();
    while (!mux->up) {
        if (mux->next == NULL || mux->shake_failed)
            return failed_before(mux);
        if (mux->shaking && !may_wait)
            return 0;
        if (mux->shaking) {
            mtls_mux_sleep(mux);
            continue;
        }
        if (!mtls_mux_dgram_detect(mux))
            return -1;
        adopt_fd(mux);
        r = try_handshake(mux, may_wait);
        if (r < 0)
            return -1;
        adopt_fd(mux); /* BIO_s_connect has it only now */
        if (r > 0) {
            learn_role(mux);
            if (!mtls_mux_choose_version(mux))
                return -1;
            if (mux->dgram == NULL) /* two transports are polled for */
                mtls_mux_adopt_channel(mux);
            mtls_mux_tls_tune(mux);
            mux->up = 1;
            mtls_session_start(mux->session);
        } else if (!mux->blocking || !may_wait || !mtls_mux_wait(mux, NULL)) {
            return 0;
        }
    }
    return 1;
}
