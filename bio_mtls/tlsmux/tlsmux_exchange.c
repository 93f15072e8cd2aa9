/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The SOCKS exchange over the BIO below. */
#include "tlsmux_local.h"

#include "err.h"

/* It can't be gone on with; what there was to say first is lost too. */
static int lost(struct mtls_tlsmux *t, int reason)
{
    mtls_exchange_lose(&t->x, reason);
    t->unflushed = 0;
    return 0;
}

static int again(BIO *b)
{
    BIO_copy_next_retry(b);
    return -1;
}

static int failed(const struct mtls_tlsmux *t)
{
    if (t->x.code > 0)
        MTLS_raise_data(t->x.reason, "%s",
                        mtls_socks5_text((uint8_t)t->x.code));
    else
        MTLS_raise(t->x.reason);
    return -1;
}

/* --- the steps: 1 done, 0 the exchange failed, -1 not yet --- */

static int write_out(BIO *b, struct mtls_tlsmux *t)
{
    BIO *next = BIO_next(b);
    size_t len, n;
    const unsigned char *out = mtls_exchange_out(&t->x, &len);

    ERR_clear_error();
    if (BIO_write_ex(next, out, len, &n) && n != 0) {
        mtls_exchange_sent(&t->x, n);
        t->unflushed = 1;
        return 1;
    }
    return BIO_should_retry(next) ? again(b) : lost(t, MTLS_R_TRANSPORT_FAILED);
}

static int flush(BIO *b, struct mtls_tlsmux *t)
{
    BIO *next = BIO_next(b);

    ERR_clear_error();
    if (BIO_flush(next) > 0) {
        t->unflushed = 0;
        return 1;
    }
    return BIO_should_retry(next) ? again(b) : lost(t, MTLS_R_TRANSPORT_FAILED);
}

static int read_in(BIO *b, struct mtls_tlsmux *t)
{
    BIO *next = BIO_next(b);
    size_t room;
    unsigned char *in = mtls_exchange_in(&t->x, &room);
    int n;

    ERR_clear_error();
    n = BIO_read(next, in, (int)room);
    if (n > 0) {
        mtls_exchange_received(&t->x, (size_t)n);
        return 1;
    }
    if (BIO_should_retry(next))
        return again(b);
    return lost(t, n == 0 && ERR_peek_error() == 0 ? MTLS_R_SOCKS_CUT
                                                   : MTLS_R_TRANSPORT_FAILED);
}

int mtls_tlsmux_send(BIO *b, struct mtls_tlsmux *t)
{
    int r = 1;

    while (r > 0 && mtls_exchange_want(&t->x) == MTLS_EXCHANGE_SEND)
        r = write_out(b, t);
    if (r > 0 && t->unflushed)
        r = flush(b, t);
    return r == 0 ? failed(t) : r;
}

/* --- how it begins --- */

static SSL *ssl_below(BIO *b)
{
    SSL *ssl = NULL;

    BIO_get_ssl(BIO_next(b), &ssl);
    return ssl;
}

/* As BIO_f_mtls does: types that know no handshake have it done. */
static int shake_hands(BIO *b, struct mtls_tlsmux *t)
{
    BIO *next = BIO_next(b);

    ERR_clear_error();
    if (BIO_do_handshake(next) > 0) {
        t->up = 1;
        return 1;
    }
    if (BIO_should_retry(next))
        return again(b);
    t->up = ssl_below(b) == NULL && ERR_peek_error() == 0;
    if (!t->up && ERR_peek_error() == 0)
        MTLS_raise(MTLS_R_TRANSPORT_FAILED);
    return t->up ? 1 : -1;
}

static int begin_client(struct mtls_tlsmux *t)
{
    struct mtls_socks5_address none = mtls_exchange_none();
    const struct mtls_socks5_address *destination = &t->set.to;

    if (t->set.command == MTLS_SOCKS5_CONNECT &&
        !(t->set.has & MTLS_TLSMUX_PORT)) {
        MTLS_raise_data(MTLS_R_BAD_DESTINATION, "%s",
                        t->set.has != 0 ? "no port" : "none");
        return -1;
    }
    if (t->set.command == MTLS_SOCKS5_UDP || t->set.has == 0)
        destination = &none; /* S8: where from is not known */
    if (mtls_exchange_ask(&t->x, t->set.command, destination))
        return 1;
    MTLS_raise(MTLS_R_BAD_DESTINATION);
    return -1;
}

static int begin(BIO *b, struct mtls_tlsmux *t)
{
    const SSL *ssl = ssl_below(b);
    int role = t->set.role;

    if (role == 0)
        role = ssl != NULL && SSL_is_server(ssl) ? MTLS_ROLE_SERVER
                                                 : MTLS_ROLE_CLIENT;
    if (role == MTLS_ROLE_CLIENT)
        return begin_client(t);
    mtls_exchange_serve(&t->x);
    return 1;
}

/* --- the loop --- */

static int is_listening(const struct mtls_tlsmux *t)
{
    return t->x.state == MTLS_EXCHANGE_AWAITED ||
           t->x.state == MTLS_EXCHANGE_LISTENING;
}

static int ask_program(BIO *b, const struct mtls_tlsmux *t)
{
    BIO_set_retry_special(b);
    BIO_set_retry_reason(b, t->x.state == MTLS_EXCHANGE_LISTENING
                                ? BIO_RR_ACCEPT
                                : MTLS_RR_TLSMUX_REQUEST);
    return -1;
}

/*
 * While writing waits, what comes is read: the peer's TLS may have to write
 * (session tickets) before it can read.
 */
static int send_or_read(BIO *b, struct mtls_tlsmux *t)
{
    int r = mtls_tlsmux_send(b, t), waits = BIO_get_retry_flags(b);
    size_t room;

    if (r > 0 || waits == 0)
        return r;
    mtls_exchange_in(&t->x, &room);
    if (room == 0)
        return -1;
    r = read_in(b, t);
    if (r < 0)
        BIO_set_flags(b, waits);
    else
        BIO_clear_retry_flags(b);
    return r < 0 ? -1 : 0;
}

/* 1: look again, 0: it is over, -1 not yet, or failed. */
static int step(BIO *b, struct mtls_tlsmux *t)
{
    int r;

    if (!t->up)
        return shake_hands(b, t);
    if (t->x.state == MTLS_EXCHANGE_NEW)
        return begin(b, t);
    r = send_or_read(b, t);
    if (r <= 0)
        return r < 0 ? -1 : 1;
    switch (mtls_exchange_want(&t->x)) {
    case MTLS_EXCHANGE_RECEIVE:
        return read_in(b, t) < 0 ? -1 : 1;
    case MTLS_EXCHANGE_ANSWER:
        return ask_program(b, t);
    default:
        return t->x.state == MTLS_EXCHANGE_OPEN ? 0 : failed(t);
    }
}

int mtls_tlsmux_ready(BIO *b, struct mtls_tlsmux *t, int pause)
{
    int r;

    if (BIO_next(b) == NULL) {
        MTLS_raise(MTLS_R_NOT_ATTACHED);
        return -1;
    }
    while (!t->open) {
        if (pause && is_listening(t) && !t->told) {
            r = mtls_tlsmux_send(b, t);
            t->told = r > 0;
            return r;
        }
        r = step(b, t);
        if (r < 0)
            return -1;
        t->open = r == 0;
    }
    return 1;
}
