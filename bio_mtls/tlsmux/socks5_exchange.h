/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One SOCKS 5 exchange, either role, up to the point from which the stream is
 * the program's. No I/O: who drives it asks what it wants, and gives it that.
 * It never asks for an octet behind the message that it waits for.
 */
#ifndef MTLS_SOCKS5_EXCHANGE_H
#define MTLS_SOCKS5_EXCHANGE_H

#include "socks5.h"

enum mtls_exchange_state {
    MTLS_EXCHANGE_NEW,
    /* the client waits for */
    MTLS_EXCHANGE_CHOICE,  /* the server's choice of a method */
    MTLS_EXCHANGE_REPLY,   /* its reply */
    MTLS_EXCHANGE_AWAITED, /* BIND: its second reply */
    /* the server waits for */
    MTLS_EXCHANGE_GREETING,
    MTLS_EXCHANGE_REQUEST,
    MTLS_EXCHANGE_ASKED,     /* its program's answer */
    MTLS_EXCHANGE_LISTENING, /* BIND: its program's second answer */
    /* nobody waits */
    MTLS_EXCHANGE_OPEN,
    MTLS_EXCHANGE_FAILED
};

enum mtls_exchange_want {
    MTLS_EXCHANGE_SEND,    /* mtls_exchange_out() has octets */
    MTLS_EXCHANGE_RECEIVE, /* mtls_exchange_in() has room */
    MTLS_EXCHANGE_ANSWER,  /* grant or refuse */
    MTLS_EXCHANGE_NOTHING  /* open or failed, and all is sent */
};

struct mtls_exchange {
    enum mtls_exchange_state state;
    int serves; /* as the server */
    uint8_t command;
    int code;   /* of the last reply, either way; -1: none yet */
    int reason; /* MTLS_R_, of FAILED */
    struct mtls_socks5_address destination;
    struct mtls_socks5_address bound; /* of the first reply */
    struct mtls_socks5_address peer;  /* BIND: of the second */
    size_t have, due;                 /* of the message that is coming in */
    size_t sent, queued;              /* of those that are going out */
    unsigned char in[MTLS_SOCKS5_MESSAGE_MAX];
    unsigned char out[2 * MTLS_SOCKS5_MESSAGE_MAX]; /* both replies to BIND */
};

void mtls_exchange_init(struct mtls_exchange *x);

/*
 * mtls_exchange_ask begins as the client (0: the destination can't be sent),
 * mtls_exchange_serve as the server.
 */
int mtls_exchange_ask(struct mtls_exchange *x, uint8_t command,
                      const struct mtls_socks5_address *destination);
void mtls_exchange_serve(struct mtls_exchange *x);

enum mtls_exchange_want mtls_exchange_want(const struct mtls_exchange *x);

/* RECEIVE: read at most *room octets to there, then tell how many came. */
unsigned char *mtls_exchange_in(struct mtls_exchange *x, size_t *room);
void mtls_exchange_received(struct mtls_exchange *x, size_t n);

/* SEND: write some of these *len octets, then tell how many went. */
const unsigned char *mtls_exchange_out(const struct mtls_exchange *x,
                                       size_t *len);
void mtls_exchange_sent(struct mtls_exchange *x, size_t n);

/*
 * ANSWER: the server's program grants with |bound|, or with BIND's second
 * reply's address, or refuses. 0 where it is not asked, or can't say that.
 */
int mtls_exchange_grant(struct mtls_exchange *x,
                        const struct mtls_socks5_address *bound);
int mtls_exchange_refuse(struct mtls_exchange *x, uint8_t code);

/*
 * mtls_exchange_lose: it can't go on, for a reason of the driver's. What is
 * queued is dropped; the reason of an exchange that failed before stays.
 */
void mtls_exchange_lose(struct mtls_exchange *x, int reason);

/* mtls_exchange_none is 0.0.0.0, port 0. */
struct mtls_socks5_address mtls_exchange_none(void);

#endif
