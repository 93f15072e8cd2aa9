/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tlsmux: the filter's calls and controls. */
#include "tlsmux_local.h"

#include "bio_local.h"
#include "err.h"

#include <limits.h>
#include <string.h>

_Static_assert(MTLS_TLSMUX_CONNECT == MTLS_SOCKS5_CONNECT &&
                   MTLS_TLSMUX_BIND == MTLS_SOCKS5_BIND &&
                   MTLS_TLSMUX_UDP_ASSOCIATE == MTLS_SOCKS5_UDP &&
                   MTLS_TLSMUX_ADDRESS_TYPE_NOT_SUPPORTED ==
                       MTLS_SOCKS5_BAD_TYPE,
               "the numbers of RFC 1928 are the same inside and outside");

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void begin(BIO *b)
{
    BIO_clear_retry_flags(b);
    BIO_set_retry_reason(b, 0);
}

static int tlsmux_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct mtls_tlsmux *t = BIO_get_data(b);

    *n = 0;
    begin(b);
    if (mtls_tlsmux_ready(b, t, 0) < 0)
        return -1;
    return mtls_tlsmux_read(b, t, data, len, n);
}

static int tlsmux_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct mtls_tlsmux *t = BIO_get_data(b);

    *n = 0;
    begin(b);
    if (mtls_tlsmux_ready(b, t, 0) < 0)
        return -1;
    return mtls_tlsmux_write(b, t, data, len, n);
}

static int tlsmux_puts(BIO *b, const char *text)
{
    return mtls_bio_puts(b, text, tlsmux_write);
}

static int tlsmux_gets(BIO *b, char *line, int size)
{
    struct mtls_tlsmux *t = BIO_get_data(b);

    begin(b);
    if (size < 1)
        return -1;
    line[0] = '\0';
    if (mtls_tlsmux_ready(b, t, 0) < 0)
        return -1;
    if (mtls_tlsmux_is_udp(t)) { /* a datagram is no line */
        MTLS_raise(MTLS_R_WRONG_STATE);
        return -2;
    }
    return size == 1 ? 0 : mtls_tlsmux_gets(b, t, line, (size_t)size);
}

/* --- the server's answers --- */

static long answered(BIO *b, struct mtls_tlsmux *t)
{
    if (mtls_tlsmux_send(b, t) < 0 && !BIO_should_retry(b))
        return 0;
    return 1;
}

static int is_asked(const struct mtls_tlsmux *t)
{
    return t->x.state == MTLS_EXCHANGE_ASKED ||
           t->x.state == MTLS_EXCHANGE_LISTENING;
}

static long grant(BIO *b, struct mtls_tlsmux *t, const char *bound)
{
    struct mtls_socks5_address address = mtls_exchange_none();
    int has = 0;

    if (!is_asked(t) || BIO_next(b) == NULL)
        return mtls_tlsmux_wrong_state();
    if (bound != NULL && (!mtls_tlsmux_parse(bound, 0, &address, &has) ||
                          !(has & MTLS_TLSMUX_HOST)))
        return mtls_tlsmux_bad_destination(bound);
    mtls_exchange_grant(&t->x, &address);
    return answered(b, t);
}

static long refuse(BIO *b, struct mtls_tlsmux *t, long reply)
{
    if (!is_asked(t) || BIO_next(b) == NULL)
        return mtls_tlsmux_wrong_state();
    if (reply <= MTLS_SOCKS5_SUCCEEDED || reply > MTLS_SOCKS5_BAD_TYPE)
        return mtls_tlsmux_out_of_range();
    mtls_exchange_refuse(&t->x, (uint8_t)reply);
    return answered(b, t);
}

static long own_ctrl(BIO *b, struct mtls_tlsmux *t, int cmd, long num,
                     void *ptr)
{
    switch (cmd) {
    case BIO_CTRL_MTLS_TLSMUX_SET_ROLE:
        return mtls_tlsmux_set_role(t, num);
    case BIO_CTRL_MTLS_TLSMUX_SET_COMMAND:
        return mtls_tlsmux_set_command(t, num);
    case BIO_CTRL_MTLS_TLSMUX_GET_COMMAND:
        return mtls_tlsmux_get_command(t);
    case BIO_CTRL_MTLS_TLSMUX_GRANT:
        begin(b);
        return grant(b, t, ptr);
    case BIO_CTRL_MTLS_TLSMUX_REFUSE:
        begin(b);
        return refuse(b, t, num);
    case BIO_CTRL_MTLS_TLSMUX_GET_REPLY:
        return t->x.code;
    case BIO_CTRL_MTLS_TLSMUX_GET_BOUND:
        return mtls_tlsmux_give(&t->x.bound, t->bound, ptr);
    case BIO_CTRL_MTLS_TLSMUX_GET_PEER:
        return mtls_tlsmux_get_peer(t, ptr);
    case BIO_CTRL_MTLS_TLSMUX_SET_UDP_HEADER:
        t->set.udp_header = num != 0;
        return 1;
    default: /* GET_DROPPED */
        return t->dropped < LONG_MAX ? (long)t->dropped : LONG_MAX;
    }
}

/* --- what OpenSSL has a word for --- */

static long flush(BIO *b, struct mtls_tlsmux *t)
{
    long r;

    begin(b);
    if (mtls_tlsmux_send(b, t) < 0 || mtls_tlsmux_push(b, t) <= 0)
        return -1;
    r = BIO_flush(BIO_next(b));
    BIO_copy_next_retry(b);
    return r;
}

/* What is below is not only the program's while the exchange goes on. */
static long pending(BIO *b, const struct mtls_tlsmux *t)
{
    struct mtls_socks5_udp udp;
    const unsigned char *frame;
    size_t size;
    int below;

    if (!t->open)
        return 0;
    frame = mtls_frame_whole(&t->in, &size);
    if (frame != NULL && mtls_socks5_get_udp(frame, size, &udp))
        return (long)(t->set.udp_header ? size : udp.len);
    below = BIO_pending(BIO_next(b));
    return (long)(t->line_len - t->line_at) + (below > 0 ? below : 0);
}

static long wpending(BIO *b, const struct mtls_tlsmux *t)
{
    int below = BIO_wpending(BIO_next(b));
    size_t own;

    mtls_exchange_out(&t->x, &own);
    own += t->out.size - t->out.done;
    return (long)own + (below > 0 ? below : 0);
}

static long eof(BIO *b, const struct mtls_tlsmux *t)
{
    if (t->line_len != 0 || BIO_pending(BIO_next(b)) > 0)
        return 0;
    return t->eof || BIO_eof(BIO_next(b));
}

static long shutdown_wr(BIO *b, struct mtls_tlsmux *t)
{
    begin(b);
    return mtls_tlsmux_ready(b, t, 0) > 0 ? mtls_tlsmux_end(b, t) : -1;
}

/* Zero-copy calls go around what is kept here. */
static int is_transparent(const struct mtls_tlsmux *t)
{
    return t->open && !mtls_tlsmux_is_udp(t) && t->line_len == 0;
}

/* Whether |cmd| was for this filter; *r is then what it returns. */
static int standard_ctrl(BIO *b, struct mtls_tlsmux *t, int cmd, long num,
                         void *ptr, long *r)
{
    switch (cmd) {
    case BIO_C_DO_STATE_MACHINE:
        begin(b);
        *r = mtls_tlsmux_ready(b, t, 1);
        return 1;
    case BIO_C_SET_CONNECT:
        *r = mtls_tlsmux_set_connect(t, num, ptr);
        return 1;
    case BIO_C_GET_CONNECT:
        *r = ptr == NULL ? 0 : mtls_tlsmux_get_connect(t, num, ptr);
        return 1;
    case BIO_CTRL_DGRAM_SET_PEER:
        *r = mtls_tlsmux_set_address(t, ptr, 0);
        return 1;
    case BIO_CTRL_DGRAM_GET_PEER:
        *r = mtls_tlsmux_get_dgram_peer(t, ptr);
        return 1;
    case BIO_C_SHUTDOWN_WR:
        *r = shutdown_wr(b, t);
        return 1;
    case BIO_C_NREAD0:
    case BIO_C_NREAD:
    case BIO_C_NWRITE0:
    case BIO_C_NWRITE:
    case BIO_C_GET_WRITE_GUARANTEE:
        *r = 0;
        return !is_transparent(t);
    case BIO_CTRL_GET_KTLS_SEND:
    case BIO_CTRL_GET_KTLS_RECV:
        *r = 0; /* of a TLS above, not of that below */
        return 1;
    default:
        return 0;
    }
}

/* Those that ask what is below too. */
static long buffer_ctrl(BIO *b, struct mtls_tlsmux *t, int cmd, long num,
                        void *ptr)
{
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return flush(b, t);
    case BIO_CTRL_PENDING:
        return pending(b, t);
    case BIO_CTRL_WPENDING:
        return wpending(b, t);
    case BIO_CTRL_EOF:
        return eof(b, t);
    default:
        return BIO_ctrl(BIO_next(b), cmd, num, ptr);
    }
}

/* --- life --- */

static void settings_default(struct mtls_tlsmux_settings *set)
{
    memset(set, 0, sizeof(*set));
    set->command = MTLS_SOCKS5_CONNECT;
}

/*
 * Everything but the settings begins anew. |over|: what is below ends too, and
 * BIO_f_ssl() would wait for the peer's end after our own.
 */
static void forget(struct mtls_tlsmux *t, int over)
{
    struct mtls_tlsmux_settings set = t->set;

    if (t->ended != NULL && over)
        SSL_set_shutdown(t->ended, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ended);
    mtls_frame_cleanup(&t->in);
    mtls_frame_cleanup(&t->out);
    OPENSSL_free(t->line);
    BIO_ADDR_free(t->address);
    memset(t, 0, sizeof(*t));
    t->set = set;
    mtls_exchange_init(&t->x);
}

static int tlsmux_new(BIO *b)
{
    struct mtls_tlsmux *t = OPENSSL_zalloc(sizeof(*t));

    if (t == NULL)
        return 0;
    settings_default(&t->set);
    mtls_exchange_init(&t->x);
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return 1;
}

static int tlsmux_free(BIO *b)
{
    struct mtls_tlsmux *t = BIO_get_data(b);

    if (t != NULL)
        forget(t, BIO_next(b) != NULL);
    OPENSSL_free(t);
    BIO_set_data(b, NULL);
    return 1;
}

static long dup_state(const struct mtls_tlsmux *t, BIO *copy)
{
    struct mtls_tlsmux *other = BIO_get_data(copy);

    other->set = t->set;
    return 1;
}

static long tlsmux_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct mtls_tlsmux *t = BIO_get_data(b);
    long r;

    if (cmd >= BIO_CTRL_MTLS_TLSMUX_BASE &&
        cmd <= BIO_CTRL_MTLS_TLSMUX_GET_DROPPED)
        return own_ctrl(b, t, cmd, num, ptr);
    if (standard_ctrl(b, t, cmd, num, ptr, &r))
        return r;
    switch (cmd) {
    case BIO_CTRL_DUP:
        return dup_state(t, ptr);
    case BIO_CTRL_RESET:
        begin(b);
        forget(t, 1);
        break;
    case BIO_CTRL_POP:
        if (ptr != b)
            break;
        forget(t, 0);
        return 1;
    default:
        break;
    }
    return BIO_next(b) == NULL ? 0 : buffer_ctrl(b, t, cmd, num, ptr);
}

static long tlsmux_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb)
{
    return BIO_next(b) == NULL ? 0 : BIO_callback_ctrl(BIO_next(b), cmd, cb);
}

static void make_method(void)
{
    method = mtls_bio_method(BIO_TYPE_FILTER, "TLSMUX", NULL);
    if (method != NULL && BIO_meth_set_read_ex(method, tlsmux_read) &&
        BIO_meth_set_write_ex(method, tlsmux_write) &&
        BIO_meth_set_puts(method, tlsmux_puts) &&
        BIO_meth_set_gets(method, tlsmux_gets) &&
        BIO_meth_set_ctrl(method, tlsmux_ctrl) &&
        BIO_meth_set_callback_ctrl(method, tlsmux_callback_ctrl) &&
        BIO_meth_set_create(method, tlsmux_new) &&
        BIO_meth_set_destroy(method, tlsmux_free))
        return;
    BIO_meth_free(method);
    method = NULL;
}

const BIO_METHOD *BIO_f_tlsmux(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method;
}
