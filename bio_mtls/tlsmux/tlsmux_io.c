/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What follows the exchange: a stream, or datagrams in it. */
#include "tlsmux_local.h"

#include "bio_local.h"
#include "err.h"

#include <limits.h>
#include <string.h>

/* A read returns after as many dropped datagrams, so that others have a turn */
#define DROPS_AT_ONCE 1000

int mtls_tlsmux_is_udp(const struct mtls_tlsmux *t)
{
    return t->open && t->x.command == MTLS_SOCKS5_UDP;
}

/*
 * The SSL that carries the stream; NULL where that is some other BIO, be it a
 * channel of a session above an SSL.
 */
static SSL *carrier(BIO *b)
{
    SSL *ssl = NULL;

    for (BIO *p = BIO_next(b); p != NULL; p = BIO_next(p)) {
        if (mtls_bio_mux(p) != NULL)
            return NULL;
        if (BIO_method_type(p) == BIO_TYPE_SSL) {
            BIO_get_ssl(p, &ssl);
            return ssl;
        }
    }
    return NULL;
}

/* BIO_f_ssl() says 0 to a connection that was cut, too. */
static int was_cut(BIO *b)
{
    const SSL *ssl = carrier(b);

    if (ssl == NULL || (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return 0;
    if (ERR_peek_error() == 0)
        MTLS_raise(MTLS_R_TRUNCATED);
    return 1;
}

/* > 0, 0 end-of-file, -1 with the flags of the BIO below, or its error. */
static int read_below(BIO *b, struct mtls_tlsmux *t, void *data, size_t len)
{
    int n = BIO_read(BIO_next(b), data, len < INT_MAX ? (int)len : INT_MAX);

    BIO_copy_next_retry(b);
    if (n > 0)
        return n;
    if (BIO_should_retry(b) || n < 0 || was_cut(b))
        return -1;
    t->eof = 1;
    return 0;
}

/* --- the stream --- */

/* What BIO_gets() has taken of a line that is not whole yet comes first. */
static size_t give_line(struct mtls_tlsmux *t, char *data, size_t len)
{
    size_t n = t->line_len - t->line_at;

    if (n > len)
        n = len;
    memcpy(data, t->line + t->line_at, n);
    t->line_at += n;
    if (t->line_at == t->line_len)
        t->line_at = t->line_len = 0;
    return n;
}

static int read_stream(BIO *b, struct mtls_tlsmux *t, char *data, size_t len,
                       size_t *n)
{
    int r;

    if (t->line_len != 0) {
        *n = give_line(t, data, len);
        return 1;
    }
    r = read_below(b, t, data, len);
    if (r > 0)
        *n = (size_t)r;
    return r > 0 ? 1 : r;
}

static int write_stream(BIO *b, const char *data, size_t len, size_t *n)
{
    int r = BIO_write_ex(BIO_next(b), data, len, n);

    BIO_copy_next_retry(b);
    return r ? 1 : -1;
}

static int reserve_octet(struct mtls_tlsmux *t)
{
    size_t room = t->line_room == 0 ? 128 : 2 * t->line_room;
    char *line;

    if (t->line_len < t->line_room)
        return 1;
    line = OPENSSL_realloc(t->line, room);
    if (line == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    t->line = line;
    t->line_room = room;
    return 1;
}

/*
 * An octet at a time, since what follows the line stays below; what came of a
 * line that has to be waited for is kept for the next call.
 */
int mtls_tlsmux_gets(BIO *b, struct mtls_tlsmux *t, char *line, size_t size)
{
    size_t n = 0;
    int r = 1;

    while (n + 1 < size && (n == 0 || t->line[t->line_at + n - 1] != '\n')) {
        if (n == t->line_len - t->line_at) {
            r = reserve_octet(t) ? read_below(b, t, t->line + t->line_len, 1)
                                 : -1;
            if (r <= 0)
                break;
            t->line_len++;
        }
        n++;
    }
    if (r < 0 || n == 0)
        return r;
    n = give_line(t, line, n);
    line[n] = '\0';
    return (int)n;
}

/* --- datagrams --- */

int mtls_tlsmux_push(BIO *b, struct mtls_tlsmux *t)
{
    struct mtls_frame *f = &t->out;
    size_t n;

    while (f->done < f->size) {
        if (!BIO_write_ex(BIO_next(b), f->p + f->done, f->size - f->done, &n)) {
            BIO_copy_next_retry(b);
            return BIO_should_retry(b) ? 0 : -1;
        }
        f->done += n;
    }
    mtls_frame_next(f);
    return 1;
}

/* 1 a whole frame, 0 end-of-file, -1. */
static int read_frame(BIO *b, struct mtls_tlsmux *t)
{
    size_t room;
    int r;

    for (;;) {
        unsigned char *p = mtls_frame_in(&t->in, &room);

        if (p == NULL) {
            MTLS_raise(ERR_R_MALLOC_FAILURE);
            return -1;
        }
        if (room == 0)
            return 1;
        r = read_below(b, t, p, room);
        if (r < 0)
            return -1;
        if (r == 0 && t->in.done == 0)
            return 0;
        if (r == 0) {
            MTLS_raise(MTLS_R_SOCKS_CUT);
            return -1;
        }
        t->in.done += (size_t)r;
    }
}

/* As recvfrom() does: what does not fit into |data| is lost. */
static void take(struct mtls_tlsmux *t, const struct mtls_socks5_udp *udp,
                 char *data, size_t len, size_t *n)
{
    const unsigned char *from = udp->data;
    size_t size = udp->len;

    if (t->set.udp_header)
        from = mtls_frame_whole(&t->in, &size);
    *n = size < len ? size : len;
    if (*n != 0)
        memcpy(data, from, *n);
    t->from = udp->address;
    if (!t->set.fixed)
        t->set.to = t->from;
    mtls_frame_next(&t->in);
}

static int read_datagram(BIO *b, struct mtls_tlsmux *t, char *data, size_t len,
                         size_t *n)
{
    struct mtls_socks5_udp udp;
    const unsigned char *request;
    size_t size;

    for (int drops = 0; drops < DROPS_AT_ONCE; drops++) {
        int r = read_frame(b, t);

        if (r <= 0)
            return r;
        request = mtls_frame_whole(&t->in, &size);
        if (mtls_socks5_get_udp(request, size, &udp)) {
            take(t, &udp, data, len, n);
            return 1;
        }
        t->dropped++;
        mtls_frame_next(&t->in);
    }
    BIO_set_retry_read(b);
    return -1;
}

/* A header of the program's own is looked at as one from the peer is. */
static int put_datagram(struct mtls_tlsmux *t, const char *data, size_t len)
{
    const struct mtls_socks5_address *to = &t->set.to;
    struct mtls_socks5_udp udp;

    if (t->set.udp_header &&
        !mtls_socks5_get_udp((const unsigned char *)data, len, &udp)) {
        t->dropped++;
        return 1;
    }
    if (!t->set.udp_header && !mtls_socks5_usable(to)) {
        MTLS_raise_data(MTLS_R_BAD_DESTINATION, "none");
        return 0;
    }
    switch (mtls_frame_put(&t->out, t->set.udp_header ? NULL : to, data, len)) {
    case MTLS_FRAME_PUT:
        return 1;
    case MTLS_FRAME_TOO_LONG:
        MTLS_raise(MTLS_R_DATAGRAM_TOO_LONG);
        return 0;
    default:
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
}

/* One datagram is taken though the BIO below took but a part of it. */
static int write_datagram(BIO *b, struct mtls_tlsmux *t, const char *data,
                          size_t len, size_t *n)
{
    if (mtls_tlsmux_push(b, t) <= 0 || !put_datagram(t, data, len))
        return -1;
    if (mtls_tlsmux_push(b, t) < 0)
        return -1;
    BIO_clear_retry_flags(b);
    *n = len;
    return 1;
}

/* --- either --- */

int mtls_tlsmux_read(BIO *b, struct mtls_tlsmux *t, char *data, size_t len,
                     size_t *n)
{
    int waits, r;

    if (len == 0)
        return 0;
    if (!mtls_tlsmux_is_udp(t))
        return read_stream(b, t, data, len, n);
    r = mtls_tlsmux_push(b, t);
    waits = r == 0 ? BIO_get_retry_flags(b) : 0;
    BIO_clear_retry_flags(b);
    if (r < 0) /* the next write says so; what has come can still be read */
        ERR_clear_error();
    r = read_datagram(b, t, data, len, n);
    if (r < 0 && BIO_should_retry(b))
        BIO_set_flags(b, waits);
    return r;
}

int mtls_tlsmux_write(BIO *b, struct mtls_tlsmux *t, const char *data,
                      size_t len, size_t *n)
{
    if (t->write_ended) {
        MTLS_raise(MTLS_R_WRITE_AFTER_SHUTDOWN);
        return -1;
    }
    return mtls_tlsmux_is_udp(t) ? write_datagram(b, t, data, len, n)
                                 : write_stream(b, data, len, n);
}

/* --- the end of this direction --- */

/* close_notify ends one direction, the other may go on (RFC 8446 6.1). */
static int send_close_notify(BIO *b, struct mtls_tlsmux *t, SSL *ssl)
{
    int r;

    if (t->ended == NULL) {
        if (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN)
            return 1;
        if (!SSL_up_ref(ssl))
            return -1;
        t->ended = ssl;
    }
    ERR_clear_error();
    r = SSL_shutdown(ssl);
    if (r >= 0)
        return 1;
    switch (SSL_get_error(ssl, r)) {
    case SSL_ERROR_WANT_READ:
        BIO_set_retry_read(b);
        break;
    case SSL_ERROR_WANT_WRITE:
        BIO_set_retry_write(b);
        break;
    default:
        if (ERR_peek_error() == 0)
            MTLS_raise(MTLS_R_TRANSPORT_FAILED);
    }
    return -1;
}

long mtls_tlsmux_end(BIO *b, struct mtls_tlsmux *t)
{
    SSL *ssl = carrier(b);
    long r;

    if (t->write_ended)
        return 1;
    if (mtls_tlsmux_push(b, t) <= 0)
        return -1;
    if (BIO_flush(BIO_next(b)) <= 0) {
        BIO_copy_next_retry(b);
        return -1;
    }
    if (ssl != NULL) {
        r = send_close_notify(b, t, ssl);
    } else {
        r = BIO_shutdown_wr(BIO_next(b));
        BIO_copy_next_retry(b);
    }
    t->write_ended = r > 0;
    return r;
}
