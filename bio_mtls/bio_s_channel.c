/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_s_mtls_channel: one channel, read and written like a socket BIO. */
#include "bio_local.h"
#include "channel_dgram.h"

#include "err.h"
#include "session_00.h"

#include <string.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

enum direction {
    IN,
    OUT,
    NO_IO /* the flags go on telling of the last I/O */
};

static void note_thread(struct mtls_channel *c, enum direction direction,
                        uint16_t thread)
{
    uint16_t other = c->app_threads[1 - direction];

    c->app_threads[direction] = thread;
    if (other != 0 && other != thread)
        c->app_flags |= MTLS_IO_SHARED;
}

/*
 * The flags are the BIO's, so with a reader and a writer one would clear what
 * the other has yet to look at: then they are cleared only to tell of an end.
 */
static void clear_flags(const struct mtls_io *io)
{
    struct mtls_channel *c = io->channel;

    c->app_flags &= (uint8_t)~MTLS_IO_RETRY;
    if (c->app_flags & MTLS_IO_SHARED)
        return;
    c->app_flags &= (uint8_t)~MTLS_IO_FLAGS;
    BIO_clear_retry_flags(io->b);
    BIO_set_retry_reason(io->b, 0);
}

/* What every call begins with; as a rule there is nothing to note or clear. */
static inline void begin_io(const struct mtls_io *io, enum direction direction)
{
    struct mtls_channel *c = io->channel;
    uint16_t thread =
        (uint16_t)(((uintptr_t)pthread_self() * 0x9e3779b97f4a7c15u) >> 48) | 1;

    if (c->app_threads[direction] != thread)
        note_thread(c, direction, thread);
    if (c->app_flags & (MTLS_IO_FLAGS | MTLS_IO_RETRY))
        clear_flags(io);
}

static int not_attached(BIO *b)
{
    BIO_clear_retry_flags(b);
    MTLS_raise(MTLS_R_NOT_ATTACHED);
    return 0;
}

static inline int enter(BIO *b, struct mtls_io *io, enum direction direction)
{
    io->b = b;
    io->channel = BIO_get_data(b);
    if (io->channel == NULL)
        return not_attached(b);
    io->mux = mtls_session_app(io->channel->session);
    mtls_mux_lock(io->mux);
    if (direction != NO_IO)
        begin_io(io, direction);
    return 1;
}

static long leave(const struct mtls_io *io, long r)
{
    if (r <= 0 && !(io->channel->app_flags & MTLS_IO_RETRY))
        BIO_clear_retry_flags(io->b);
    mtls_mux_unlock(io->mux);
    return r;
}

static int channel_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct mtls_io io;

    *n = 0;
    if (!enter(b, &io, IN))
        return -1;
    return (int)leave(&io, mtls_io_read(&io, data, len, n));
}

static int channel_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct mtls_io io;

    *n = 0;
    if (!enter(b, &io, OUT))
        return -1;
    if (mtls_io_put(&io, data, len)) {
        *n = len;
        mtls_mux_unlock(io.mux);
        return 1;
    }
    return (int)leave(&io, mtls_io_write(&io, data, len, n));
}

static int channel_puts(BIO *b, const char *text)
{
    return mtls_bio_puts(b, text, channel_write);
}

static int channel_gets(BIO *b, char *line, int size)
{
    struct mtls_io io;
    size_t n;
    int r;

    if (size < 2 || !enter(b, &io, IN))
        return size == 1 ? (line[0] = '\0', 0) : -1;
    r = (int)leave(&io, mtls_io_gets(&io, line, (size_t)size, &n));
    return r > 0 ? (int)n : r;
}

/* --- controls --- */

static long reject(const struct mtls_io *io, const char *reason)
{
    if (!mtls_session_reject(io->channel, reason)) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    mtls_mux_send(io->mux);
    return 1;
}

static long reset(const struct mtls_io *io)
{
    mtls_session_reset(io->channel);
    mtls_mux_wake(io->mux, io->channel);
    mtls_mux_send(io->mux);
    return 1;
}

static long counters(const struct mtls_io *io, long size, void *ptr)
{
    const struct mtls_channel *c = io->channel;
    MTLS_COUNTERS out = {.data_in = c->data_in,
                         .data_out = c->data_out,
                         .packets_in = c->packets_in,
                         .packets_out = c->packets_out};

    return mtls_bio_give(&out, sizeof(out), size, ptr);
}

/* BIO_set_conn_*: 0 host or host:port, 1 port. */
static long set_connect(const struct mtls_io *io, long what, const char *text)
{
    if (what > 1 || text == NULL)
        return 0;
    return mtls_io_set_destination(io->channel, text, what == 1);
}

static long get_connect(const struct mtls_io *io, long what, const char **out)
{
    if (what > 1 || out == NULL)
        return 0;
    *out = what == 0 ? mtls_channel_host(io->channel)
                     : mtls_channel_port(io->channel);
    return 1;
}

static long set_nbio(const struct mtls_io *io, long on)
{
    io->channel->app_flags |= MTLS_IO_NBIO_SET;
    if (on)
        io->channel->app_flags |= MTLS_IO_NBIO;
    else
        io->channel->app_flags &= (uint8_t)~MTLS_IO_NBIO;
    return 1;
}

/* What OpenSSL has a word for; see bss_sock.c and bss_bio.c. */
static long standard_ctrl(const struct mtls_io *io, int cmd, long num,
                          void *ptr)
{
    struct mtls_channel *c = io->channel;
    long r;

    if (c->datagrams && mtls_bio_datagrams_ctrl(io->mux, c, cmd, num, &r))
        return r;
    switch (cmd) {
    case BIO_C_DO_STATE_MACHINE:
        return mtls_io_open(io);
    case BIO_CTRL_FLUSH:
        return mtls_io_flush(io);
    case BIO_CTRL_PENDING:
        return c->datagrams ? mtls_dgram_pending(c) : (long)c->buffer.length;
    case BIO_CTRL_WPENDING:
        return mtls_bio_wpending(io->mux);
    case BIO_CTRL_EOF:
        return mtls_io_eof(c);
    case BIO_C_SHUTDOWN_WR:
        return mtls_io_end(io);
    case BIO_C_GET_WRITE_GUARANTEE:
        return (long)mtls_session_guarantee(c);
    case BIO_C_NREAD0:
        return mtls_io_nread0(io, ptr);
    case BIO_C_NREAD:
        return mtls_io_nread(io, ptr, (size_t)num);
    case BIO_C_NWRITE0:
        return mtls_io_nwrite0(io, ptr);
    case BIO_C_NWRITE:
        return mtls_io_nwrite(io, ptr, (size_t)num);
    case BIO_C_SET_CONNECT:
        return set_connect(io, num, ptr);
    case BIO_C_GET_CONNECT:
        return get_connect(io, num, ptr);
    case BIO_C_SET_NBIO:
        return set_nbio(io, num);
    case BIO_C_GET_FD:
    case BIO_C_GET_SSL:
#ifdef BIO_CTRL_GET_RPOLL_DESCRIPTOR /* OpenSSL 3.2 */
    case BIO_CTRL_GET_RPOLL_DESCRIPTOR:
    case BIO_CTRL_GET_WPOLL_DESCRIPTOR:
#endif
        return io->mux->next == NULL ? -1
                                     : BIO_ctrl(io->mux->next, cmd, num, ptr);
    default:
        return 0;
    }
}

static long own_ctrl(const struct mtls_io *io, int cmd, long num, void *ptr)
{
    struct mtls_channel *c = io->channel;

    switch (cmd) {
    case BIO_CTRL_MTLS_SET_EVENTS:
        mtls_session_set_interest(c, (unsigned int)num);
        return 1;
    case BIO_CTRL_MTLS_REJECT:
        return reject(io, ptr);
    case BIO_CTRL_MTLS_RESET:
        return reset(io);
    case BIO_CTRL_MTLS_NREAD0V:
        return mtls_buffer_peek_all(&c->buffer, ptr, (int)num);
    case BIO_CTRL_MTLS_WAS_RESET:
        return c->rx == MTLS_RX_CUT;
    case BIO_CTRL_MTLS_GET_CHANNEL_ID:
        return c->named || c->stream != 0 ? (long)mtls_session_id(c) : -1;
    case BIO_CTRL_MTLS_SET_SOURCE:
        return ptr == NULL ? 0 : mtls_io_set_source(c, ptr);
    case BIO_CTRL_MTLS_GET_SOURCE:
        *(const char **)ptr = mtls_channel_source(c);
        return 1;
    case BIO_CTRL_MTLS_GET_ERROR_TEXT:
        *(const char **)ptr =
            c->tx_reason == MTLS_R_CHANNEL_REFUSED ? c->echec : NULL;
        return 1;
    case BIO_CTRL_MTLS_GET_COUNTERS:
        return counters(io, num, ptr);
    case BIO_CTRL_MTLS_BELOW:
        *(struct mtls_channel **)ptr = c;
        return 1;
    case BIO_CTRL_MTLS_GET_ADDRESS:
        return mtls_bio_give_address(io->mux, num, ptr);
    default:
        return 0;
    }
}

/* Controls that need no channel, or make one. */
static long free_ctrl(BIO *b, int cmd, long num, void *ptr, int *known)
{
    *known = 1;
    switch (cmd) {
    case BIO_CTRL_MTLS_SET_SESSION:
        return mtls_bio_join(b, ptr);
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(b);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(b, (int)num);
        return 1;
    case BIO_CTRL_PUSH:
    case BIO_CTRL_POP:
    case BIO_CTRL_DUP: /* two BIOs can't be one channel */
    case BIO_CTRL_GET_KTLS_SEND:
    case BIO_CTRL_GET_KTLS_RECV:
        return 0;
    default:
        *known = 0;
        return 0;
    }
}

static enum direction direction_of(int cmd)
{
    if (!mtls_bio_is_io(cmd))
        return NO_IO;
    return cmd == BIO_C_NREAD0 || cmd == BIO_C_NREAD ? IN : OUT;
}

static long channel_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct mtls_io io;
    int known;
    long r = free_ctrl(b, cmd, num, ptr, &known);

    if (known)
        return r;
    if (BIO_get_data(b) == NULL)
        return 0;
    if (!enter(b, &io, direction_of(cmd)))
        return 0;
    r = cmd >= BIO_CTRL_MTLS_BASE ? own_ctrl(&io, cmd, num, ptr)
                                  : standard_ctrl(&io, cmd, num, ptr);
    if (mtls_bio_is_io(cmd))
        return leave(&io, r);
    mtls_mux_unlock(io.mux);
    return r;
}

/* --- life --- */

long mtls_bio_join(BIO *b, BIO *filter)
{
    struct mtls_mux *mux = mtls_bio_mux(filter);
    struct mtls_channel *c;

    if (mux == NULL || BIO_get_data(b) != NULL) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    mtls_mux_lock(mux);
    c = mtls_channel_new(mux->session, b);
    if (c != NULL)
        mtls_bio_adopt(mux, b, c);
    if (mux->default_channel == NULL)
        mux->default_mode = MTLS_DEFAULT_CHANNEL_OFF;
    mux->aware = 1;
    mtls_mux_unlock(mux);
    if (c == NULL)
        MTLS_raise(ERR_R_MALLOC_FAILURE);
    return c != NULL;
}

void mtls_bio_adopt(struct mtls_mux *mux, BIO *b, struct mtls_channel *c)
{
    c->app = b;
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    mtls_mux_up_ref(mux);
}

static int channel_new(BIO *b)
{
    BIO_set_shutdown(b, BIO_CLOSE);
    return 1;
}

static int channel_free(BIO *b)
{
    struct mtls_channel *c = BIO_get_data(b);
    struct mtls_mux *mux;

    if (c == NULL)
        return 1;
    mux = mtls_session_app(c->session);
    BIO_set_data(b, NULL);
    mtls_mux_lock(mux);
    mtls_session_release(c);
    if (!mux->corked)
        mtls_mux_send(mux);
    mtls_mux_unlock(mux);
    mtls_mux_free(mux);
    return 1;
}

static void make_method(void)
{
    method = mtls_bio_method(BIO_TYPE_SOURCE_SINK, "MTLS channel", NULL);
    if (method != NULL && BIO_meth_set_read_ex(method, channel_read) &&
        BIO_meth_set_write_ex(method, channel_write) &&
        BIO_meth_set_puts(method, channel_puts) &&
        BIO_meth_set_gets(method, channel_gets) &&
        BIO_meth_set_ctrl(method, channel_ctrl) &&
        BIO_meth_set_create(method, channel_new) &&
        BIO_meth_set_destroy(method, channel_free))
        return;
    BIO_meth_free(method);
    method = NULL;
}

const BIO_METHOD *BIO_s_mtls_channel(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method;
}

BIO *BIO_new_mtls_channel(BIO *mtls, const char *host_port)
{
    BIO *b = BIO_new(BIO_s_mtls_channel());

    if (b != NULL && BIO_mtls_set_session(b, mtls) &&
        (host_port == NULL || BIO_set_conn_hostname(b, host_port) > 0))
        return b;
    BIO_free(b);
    return NULL;
}
