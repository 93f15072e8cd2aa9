/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One TLS connection with BIO_f_tlsmux() on it: the handshake, the SOCKS
 * exchange, reading and writing, time limits, and its end.
 */
#ifndef MTLS_APPS_TLSMUX_CONN_H
#define MTLS_APPS_TLSMUX_CONN_H

#include "addr.h"
#include "app.h"
#include "options.h"

#include <mtls/tlsmux.h>
#include <openssl/ssl.h>

enum tlsmux_state {
    TLSMUX_EXCHANGE, /* the handshake, and the exchange until it is granted */
    TLSMUX_ASKED,    /* a server's program is to answer */
    TLSMUX_OPEN,
    TLSMUX_REFUSING, /* the reply is on its way */
    TLSMUX_LINGERS,  /* it is out; what still comes is not heard */
    TLSMUX_OVER
};

struct tlsmux;

struct tlsmux_ops {
    void (*asked)(struct tlsmux *m);   /* a server: a request */
    void (*listens)(struct tlsmux *m); /* a client: BIND's first reply */
    void (*opened)(struct tlsmux *m);
    void (*moved)(struct tlsmux *m); /* it may be read or written again */
    void (*late)(struct tlsmux *m);  /* |until| has come */
    /* It has ended by itself, before it was open or after; |m| goes. */
    void (*ended)(struct tlsmux *m, const char *why);
};

struct tlsmux {
    TAILQ_ENTRY(tlsmux) node; /* of app->tlsmuxes */
    struct app *app;
    const struct tlsmux_ops *ops;
    const struct options *options;
    void *owner;
    uv_poll_t poll;
    int fd, armed;
    int read_needs, write_needs; /* what poll has to see first */
    SSL *ssl;
    BIO *b;
    enum tlsmux_state state;
    unsigned server : 1;
    unsigned told : 1;  /* the TLS handshake is done, and was told of */
    unsigned ended : 1; /* read to its end */
    uint64_t started;   /* uv_now() of the last change of state ... */
    uint64_t active;    /* ... and of what octets have moved */
    uint64_t until;     /* 0, or when ops->late is to be told */
    uint64_t in, out;   /* octets of the stream, or datagrams' data */
    uint64_t dropped;   /* datagrams */
    char peer[ADDR_TEXT_MAX];
};

/*
 * tlsmux_new takes |fd| and |ssl|, which knows its role already, also when it
 * fails (NULL). Nothing happens before tlsmux_start().
 */
struct tlsmux *tlsmux_new(struct app *app, int fd, SSL *ssl,
                          const struct options *o, const struct tlsmux_ops *ops,
                          void *owner);
void tlsmux_start(struct tlsmux *m);

/* The server's answers, as BIO_tlsmux_grant() and BIO_tlsmux_refuse(). After
 * a refusal nothing of |m| is used, and ops are told nothing. */
void tlsmux_grant(struct tlsmux *m, const char *bound);
void tlsmux_refuse(struct tlsmux *m, int reply);

/* What tlsmux_read() and tlsmux_write() return besides a number of octets. */
#define TLSMUX_END 0
#define TLSMUX_RETRY (-1)
#define TLSMUX_FAILED (-2)

int tlsmux_read(struct tlsmux *m, void *octets, size_t size);
int tlsmux_write(struct tlsmux *m, const void *octets, size_t size);

/* Datagrams: 1, with *n octets, or one of the above. */
int tlsmux_receive(struct tlsmux *m, void *octets, size_t size, size_t *n);
int tlsmux_send(struct tlsmux *m, const void *octets, size_t size);

/* tlsmux_clear: 1 when nothing that was written waits, or one of the above. */
int tlsmux_clear(struct tlsmux *m);

/* tlsmux_shut ends our direction: 1, or one of the above. */
int tlsmux_shut(struct tlsmux *m);

/* tlsmux_want says what ops->moved is to be told of. */
void tlsmux_want(struct tlsmux *m, int read, int write);

/* tlsmux_close ends it: in order, or (|why| not "") so that the peer can tell.
 * Nothing of |m| is used after it, and ops are told nothing. */
void tlsmux_close(struct tlsmux *m, const char *why);

/* For app: time limits, the end of the program, SIGUSR1. */
void tlsmux_second(struct app *app);
void tlsmux_drain(struct app *app);
void tlsmux_abandon(struct app *app);
void tlsmux_table(const struct app *app);

/* What a reply says, in words. */
const char *tlsmux_reply(long reply);

/* The request as text, "-" before there is one, "connect localhost:25". */
const char *tlsmux_wish(const struct tlsmux *m, char out[ADDR_TEXT_MAX + 16]);

#endif
