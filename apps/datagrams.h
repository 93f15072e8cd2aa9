/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A channel that carries datagrams (doc/protocol.md, P9 to P12), whatever is
 * at this end of it: a forward's client, a server's UDP socket, a proxy.
 *
 *     d = datagrams_open(k, "host:53", source, &ops, me);
 *     datagrams_send(d, p, n);        at once, also before the peer has agreed
 *     ops.datagram(me, p, n);         what comes back
 *     ops.ended(me, how, why);        by the peer, idle, or with the session
 *     datagrams_close(d);             or by this end: |ended| is not called
 *
 * Where there is no room a few wait; others are lost, as anywhere on the way.
 */
#ifndef MTLS_APPS_DATAGRAMS_H
#define MTLS_APPS_DATAGRAMS_H

#include "chan.h"

struct datagrams;

struct datagrams_ops {
    /* One came: lent. It must not close |d|, nor any other. */
    void (*datagram)(void *arg, const void *p, size_t n);
    /* The peer has agreed; perhaps before datagrams_open() returns. NULL where
     * that is of no interest. */
    void (*opened)(void *arg);
    /* Nothing waits any more, after datagrams_full() was 1. Or NULL. */
    void (*room)(void *arg);
    /* It is over, |why| as chan.h has it; |d| goes with it. */
    void (*ended)(void *arg, enum chan_end how, const char *why);
};

/*
 * datagrams_open asks the peer for a channel to |destination|. |source| may be
 * NULL. |ended| is never called before it returns. NULL, with OpenSSL's queue
 * saying why.
 */
struct datagrams *datagrams_open(struct link *k, const char *destination,
                                 const char *source,
                                 const struct datagrams_ops *ops, void *arg);

/* datagrams_accept accepts |bio|, which the peer asked for, and takes it, also
 * when it fails (NULL). */
struct datagrams *datagrams_accept(struct link *k, BIO *bio,
                                   const struct datagrams_ops *ops, void *arg);

/* datagrams_send: 1 when it was sent or waits, 0 when it was dropped. */
int datagrams_send(struct datagrams *d, const void *p, size_t n);

/* datagrams_full: some wait, and the next ones may be dropped. */
int datagrams_full(const struct datagrams *d);

/* datagrams_close ends the channel in order. */
void datagrams_close(struct datagrams *d);

/* datagrams_keep: it is not ended for being idle. */
void datagrams_keep(struct datagrams *d);

/* datagrams_limit is the longest that may be sent; 0 until that is known. */
size_t datagrams_limit(const struct datagrams *d);

/* datagrams_second ends those that have been idle for too long; app calls it.
 * Those of a program that ends for a second. */
void datagrams_second(struct app *app);

/* datagrams_echo accepts |bio|, and sends back what comes. */
void datagrams_echo(struct link *k, BIO *bio);

#endif
