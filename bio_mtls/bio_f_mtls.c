/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_mtls: the multiplexer as a filter, and its default channel. */
#include "bio_local.h"
#include "channel_dgram.h"

#include "err.h"
#include "session_00.h"

#include <limits.h>

#define PROCESS_AT_ONCE (1024 * 1024) /* octets; then others get a turn */

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;
static int type; /* of the method */

struct mtls_mux *mtls_bio_mux(BIO *filter)
{
    if (filter == NULL || method == NULL || BIO_method_type(filter) != type)
        return NULL;
    return BIO_get_data(filter);
}

/* --- the default channel --- */

static struct mtls_channel *make_default(struct mtls_mux *mux)
{
    const struct mtls_address none = {"0.0.0.0", 7, 0};
    const struct mtls_address own = {"default", 7,
                                     mtls_session_default_port(mux->session)};
    struct mtls_channel *c = mtls_channel_new(mux->session, mux->filter);

    if (c == NULL || !mtls_channel_set_names(c, &own, &none)) {
        if (c != NULL)
            mtls_session_release(c);
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    return c;
}

/* 1 taken, 0 end of the session, -1 retry or error. */
static int take_default(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;

    for (;;) {
        mux->default_channel = mtls_session_next_asked(mux->session);
        if (mux->default_channel != NULL) {
            mux->default_channel->app = mux->filter;
            return 1;
        }
        if (mtls_session_ended(mux->session)) {
            if (mux->clean_end)
                return 0;
            MTLS_raise(MTLS_R_SESSION_ENDED);
            return -1;
        }
        mtls_mux_receive(mux, MTLS_WANT_ALL, NULL, 0, 0);
        if (mtls_session_backlog(mux->session) != 0 ||
            mtls_session_ended(mux->session) || mux->in_more)
            continue;
        mtls_mux_send(mux);
        if (!mux->blocking || !mtls_mux_wait(mux, NULL)) {
            mtls_io_retry_read(io);
            return -1;
        }
    }
}

/* Puts the default channel into |io|: 1, 0 end-of-file, -1. */
static int with_default(struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;
    int r = 1;

    if (mux->default_channel == NULL) {
        if (mux->default_mode == MTLS_DEFAULT_CHANNEL_OFF) {
            MTLS_raise(MTLS_R_NO_DEFAULT_CHANNEL);
            return -1;
        }
        r = mtls_io_ready(io);
        if (r <= 0)
            return -1;
        if (mtls_session_is_client(mux->session))
            mux->default_channel = make_default(mux);
        else
            r = take_default(io);
    }
    io->channel = mux->default_channel;
    return io->channel != NULL ? 1 : r == 0 ? 0 : -1;
}

/* --- the calls --- */

static int begin(BIO *b, struct mtls_io *io, int is_io)
{
    io->b = b;
    io->mux = BIO_get_data(b);
    io->channel = NULL;
    if (is_io) {
        BIO_clear_retry_flags(b);
        BIO_set_retry_reason(b, 0);
    }
    if (io->mux == NULL)
        return 0;
    mtls_mux_lock(io->mux);
    return 1;
}

static int filter_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct mtls_io io;
    int r;

    *n = 0;
    if (!begin(b, &io, 1))
        return -1;
    r = with_default(&io);
    if (r > 0)
        r = mtls_io_read(&io, data, len, n);
    mtls_mux_unlock(io.mux);
    return r;
}

static int filter_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct mtls_io io;
    int r;

    *n = 0;
    if (!begin(b, &io, 1))
        return -1;
    r = with_default(&io);
    if (r == 0)
        MTLS_raise(MTLS_R_SESSION_ENDED);
    r = r > 0 ? mtls_io_write(&io, data, len, n) : -1;
    mtls_mux_unlock(io.mux);
    return r;
}

static int filter_puts(BIO *b, const char *text)
{
    return mtls_bio_puts(b, text, filter_write);
}

static int filter_gets(BIO *b, char *line, int size)
{
    struct mtls_io io;
    size_t n = 0;
    int r;

    if (size < 2 || !begin(b, &io, 1))
        return size == 1 ? (line[0] = '\0', 0) : -1;
    r = with_default(&io);
    if (r > 0)
        r = mtls_io_gets(&io, line, (size_t)size, &n);
    mtls_mux_unlock(io.mux);
    return r > 0 ? (int)n : r;
}

/* --- process and the rest of the session's controls --- */

/* 0: in good order. -1 with why. */
static long told_end(const struct mtls_mux *mux)
{
    const char *text = mtls_error_text(mux->lost_error);

    if (mtls_session_broken(mux->session))
        MTLS_raise(MTLS_R_SESSION_DESYNCHRONISED);
    else if (mux->clean_end)
        return 0;
    else if (text != NULL)
        MTLS_raise_data(MTLS_R_TRANSPORT_FAILED, "%s", text);
    else
        MTLS_raise(MTLS_R_TRANSPORT_FAILED);
    return -1;
}

static long process(const struct mtls_io *io, long octets)
{
    size_t most = octets > 0 ? (size_t)octets : PROCESS_AT_ONCE;
    struct mtls_mux *mux = io->mux;
    int r = mtls_mux_ready(mux, 0);

    if (r < 0)
        return -1;
    if (r == 0) {
        mtls_io_retry_next(io);
        return 1;
    }
    mux->accept_told = 0;
    mtls_session_new_round(mux->session);
    mtls_session_send_drafts(mux->session);
    mtls_mux_send(mux);
    mtls_mux_receive(mux, MTLS_WANT_ALL, NULL, 0, most);
    mtls_mux_send(mux);
    if (mtls_session_ended(mux->session))
        return told_end(mux);
    if (mux->in_stalled)
        mtls_io_retry_stalled(io);
    else
        mtls_io_retry_read(io);
    mux->reads_again = 0;
    return mux->in_more || mtls_mux_dgram_more(mux) ? 2 : 1;
}

static long end_session(const struct mtls_io *io)
{
    struct mtls_mux *mux = io->mux;

    if (mux->next == NULL || !mux->up)
        return 1;
    mtls_session_close(mux->session);
    if (mtls_io_flush(io) <= 0 && BIO_should_retry(io->b))
        return 0;
    while (!mtls_mux_shutdown(mux)) {
        mux->out_blocked = 1;
        if (!mux->blocking || !mtls_mux_wait(mux, NULL)) {
            mtls_io_retry_read(io);
            return 0;
        }
    }
    mtls_session_end(mux->session);
    mtls_mux_dgram_shutdown(mux);
    return 1;
}

/* Datagrams are not gathered, nor what is said about them. */
static long set_cork(const struct mtls_io *io, long on)
{
    io->mux->corked = on != 0 && io->mux->dgram == NULL;
    if (!on && io->mux->up)
        mtls_mux_send(io->mux);
    return 1;
}

static long set_role(struct mtls_mux *mux, long role)
{
    if (role != MTLS_ROLE_CLIENT && role != MTLS_ROLE_SERVER) {
        MTLS_raise(MTLS_R_INVALID_VALUE);
        return 0;
    }
    mux->role = (int)role;
    return 1;
}

static long set_version(struct mtls_mux *mux, long version)
{
    if (version != MTLS_VERSION_05 && version != MTLS_VERSION_00) {
        MTLS_raise(MTLS_R_INVALID_VALUE);
        return 0;
    }
    mux->otherwise_00 = version == MTLS_VERSION_00;
    return 1;
}

static long set_default_mode(struct mtls_mux *mux, long mode)
{
    if (mode != MTLS_DEFAULT_CHANNEL_AUTO && mode != MTLS_DEFAULT_CHANNEL_OFF) {
        MTLS_raise(MTLS_R_INVALID_VALUE);
        return 0;
    }
    mux->default_mode = (int)mode;
    return 1;
}

static long own_ctrl(const struct mtls_io *io, int cmd, long num, void *ptr)
{
    switch (cmd) {
    case BIO_CTRL_MTLS_PROCESS:
        return process(io, num);
    case BIO_CTRL_MTLS_END:
        return end_session(io);
    case BIO_CTRL_MTLS_SET_DEFAULT_CHANNEL:
        return set_default_mode(io->mux, num);
    case BIO_CTRL_MTLS_SET_CORK:
        return set_cork(io, num);
    case BIO_CTRL_MTLS_SET_ROLE:
        return set_role(io->mux, num);
    case BIO_CTRL_MTLS_SET_VERSION:
        return set_version(io->mux, num);
    case BIO_CTRL_MTLS_GET_VERSION:
        return mtls_mux_version(io->mux);
    case BIO_CTRL_MTLS_GET_COUNTERS:
        return mtls_bio_session_counters(io->mux, num, ptr);
    case BIO_CTRL_MTLS_GET_LIMITS:
        return mtls_bio_limits(io->mux, num, ptr);
    case BIO_CTRL_MTLS_GET_ADDRESS:
        return mtls_bio_give_address(io->mux, num, ptr);
    default:
        if (cmd >= BIO_CTRL_MTLS_SET_WINDOW && cmd <= BIO_CTRL_MTLS_SET_BACKLOG)
            return mtls_bio_set_limit(io->mux, cmd, num);
        return mtls_bio_dgram_ctrl(io->mux, cmd, num, ptr);
    }
}

/* --- what OpenSSL has a word for --- */

static long handshake(const struct mtls_io *io)
{
    return mtls_io_ready(io) > 0 ? 1 : -1;
}

static long shutdown_wr(struct mtls_io *io)
{
    int r = with_default(io);

    return r > 0 ? mtls_io_end(io) : r;
}

static long eof(const struct mtls_io *io)
{
    const struct mtls_mux *mux = io->mux;

    return mux->default_channel != NULL ? mtls_io_eof(mux->default_channel)
                                        : mtls_session_ended(mux->session);
}

static long pop(const struct mtls_io *io, void *popped)
{
    if (popped != io->b)
        return 1;
    mtls_mux_send(io->mux);
    mtls_mux_detach(io->mux);
    return 1;
}

static long pending(const struct mtls_mux *mux)
{
    const struct mtls_channel *c = mux->default_channel;

    if (c == NULL)
        return 0;
    return mux->dgram != NULL ? mtls_dgram_pending(c) : (long)c->buffer.length;
}

static long standard_ctrl(struct mtls_io *io, int cmd, long num, void *ptr)
{
    struct mtls_mux *mux = io->mux;
    long r;

    switch (cmd) {
    case BIO_C_DO_STATE_MACHINE:
        return handshake(io);
    case BIO_CTRL_FLUSH:
        return mux->up ? mtls_io_flush(io) : 1;
    case BIO_CTRL_PENDING:
        return pending(mux);
    case BIO_CTRL_WPENDING:
        return mtls_bio_wpending(mux);
    case BIO_CTRL_EOF:
        return eof(io);
    case BIO_C_SHUTDOWN_WR:
        return shutdown_wr(io);
    case BIO_CTRL_POP:
        return pop(io, ptr);
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(io->b);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(io->b, (int)num);
        return 1;
    case BIO_C_SET_NBIO:
        if (mux->fd >= 0) {
            mux->blocking = num == 0;
            return 1;
        }
        break;
    case BIO_CTRL_GET_KTLS_SEND:
    case BIO_CTRL_GET_KTLS_RECV:
        return 0;
    default:
        if (mtls_bio_datagrams_ctrl(mux, mux->default_channel, cmd, num, &r))
            return r;
        break;
    }
    return mux->next == NULL ? 0 : BIO_ctrl(mux->next, cmd, num, ptr);
}

/* --- life --- */

static int filter_new(BIO *b)
{
    struct mtls_mux *mux = mtls_mux_new(NULL);

    if (mux == NULL)
        return 0;
    mux->filter = b;
    BIO_set_data(b, mux);
    BIO_set_init(b, 1);
    BIO_set_shutdown(b, BIO_CLOSE);
    return 1;
}

/* The channels that the program holds go on. */
static void let_go(struct mtls_mux *mux)
{
    mtls_mux_lock(mux);
    mux->filter = NULL;
    if (mux->default_channel != NULL)
        mtls_session_release(mux->default_channel);
    mux->default_channel = NULL;
    mtls_mux_send(mux);
    mtls_mux_unlock(mux);
    mtls_mux_free(mux);
}

static int filter_free(BIO *b)
{
    if (BIO_get_data(b) != NULL)
        let_go(BIO_get_data(b));
    BIO_set_data(b, NULL);
    return 1;
}

/* A new session, configured as |like|, in the place of what |b| had. */
static long renew(BIO *b, const struct mtls_mux *like)
{
    struct mtls_mux *mux = mtls_mux_new(like), *old = BIO_get_data(b);

    if (mux == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    mux->filter = b;
    BIO_set_data(b, mux);
    if (old != NULL)
        let_go(old);
    return 1;
}

static long push(BIO *b, long num, void *ptr)
{
    struct mtls_mux *mux = BIO_get_data(b);
    BIO *next = BIO_next(b);

    if (mtls_session_ended(mux->session) && !renew(b, mux))
        return 0;
    mux = BIO_get_data(b);
    mtls_mux_lock(mux);
    mtls_mux_attach(mux, next);
    mtls_mux_unlock(mux);
    return next == NULL ? 1 : BIO_ctrl(next, BIO_CTRL_PUSH, num, ptr);
}

/* As BIO_f_ssl() does: what there is ends, and the next I/O begins anew. */
static long reset(BIO *b, long num, void *ptr)
{
    BIO *next = BIO_next(b);
    struct mtls_io io;

    begin(b, &io, 1);
    if (!mtls_session_ended(io.mux->session))
        end_session(&io);
    BIO_clear_retry_flags(b);
    mtls_mux_detach(io.mux);
    mtls_mux_unlock(io.mux);
    if (!renew(b, io.mux))
        return 0;
    io.mux = BIO_get_data(b);
    mtls_mux_lock(io.mux);
    mtls_mux_attach(io.mux, next);
    mtls_mux_unlock(io.mux);
    return next == NULL ? 1 : BIO_ctrl(next, BIO_CTRL_RESET, num, ptr);
}

static long filter_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct mtls_io io;
    long r;

    if (BIO_get_data(b) == NULL)
        return 0;
    if (cmd == BIO_CTRL_PUSH)
        return push(b, num, ptr);
    if (cmd == BIO_CTRL_RESET)
        return reset(b, num, ptr);
    if (cmd == BIO_CTRL_DUP) /* |ptr| is the copy, for another transport */
        return renew(ptr, BIO_get_data(b));
    begin(b, &io, mtls_bio_is_io(cmd));
    r = cmd >= BIO_CTRL_MTLS_BASE ? own_ctrl(&io, cmd, num, ptr)
                                  : standard_ctrl(&io, cmd, num, ptr);
    mtls_mux_unlock(io.mux);
    return r;
}

static long filter_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb)
{
    struct mtls_mux *mux = BIO_get_data(b);
    long r = 1;

    mtls_mux_lock(mux);
    if (cmd == BIO_CTRL_SET_CALLBACK) {
        mux->info_cb = cb;
        mtls_mux_trace(mux);
    } else {
        r = mux->next == NULL ? 0 : BIO_callback_ctrl(mux->next, cmd, cb);
    }
    mtls_mux_unlock(mux);
    return r;
}

static void make_method(void)
{
    method = mtls_bio_method(BIO_TYPE_FILTER, "MTLS multiplexer", &type);
    if (method != NULL && BIO_meth_set_read_ex(method, filter_read) &&
        BIO_meth_set_write_ex(method, filter_write) &&
        BIO_meth_set_puts(method, filter_puts) &&
        BIO_meth_set_gets(method, filter_gets) &&
        BIO_meth_set_ctrl(method, filter_ctrl) &&
        BIO_meth_set_callback_ctrl(method, filter_callback_ctrl) &&
        BIO_meth_set_create(method, filter_new) &&
        BIO_meth_set_destroy(method, filter_free))
        return;
    BIO_meth_free(method);
    method = NULL;
}

const BIO_METHOD *BIO_f_mtls(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method;
}
