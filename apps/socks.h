/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A SOCKS client on a port of ours (-D; RFC 1928): its request is read, the
 * owner says what becomes of it, and the answer is sent.
 */
#ifndef MTLS_APPS_SOCKS_H
#define MTLS_APPS_SOCKS_H

#include "addr.h"
#include "app.h"

#include <mtls/tlsmux.h>

struct socks;

/* After |requested| the owner must answer, or be told that it is over. */
struct socks_ops {
    void (*requested)(struct socks *s);
    /*
     * The last reply is out. CONNECT, BIND: the connection |fd| is the
     * owner's, and |s| goes. UDP ASSOCIATE: |fd| is -1, |s| stays until the
     * client ends it.
     */
    void (*granted)(struct socks *s, int fd);
    /* The client ended it; |s| goes. */
    void (*ended)(struct socks *s);
};

struct socks {
    struct app *app;
    const struct socks_ops *ops;
    void *owner; /* NULL: nobody is told of anything */
    TAILQ_ENTRY(socks) node;
    uv_poll_t poll;
    uv_timer_t timer;
    int open_handles;
    int fd;
    int state;
    int answer; /* what the reply that is on its way says */
    BIO *b;
    char source[ADDR_TEXT_MAX];
};

/*
 * socks_new serves the connection |fd|, which it takes, also when it fails
 * (0). |source| is who connected.
 */
int socks_new(struct app *app, int fd, const char *source,
              const struct socks_ops *ops, void *owner);

/* socks_destination: "host:port" as asked for; 0 when it is port 0. */
int socks_destination(const struct socks *s, char out[ADDR_TEXT_MAX]);

/*
 * socks_grant says yes; |bound| is the address that is used, or NULL for none.
 * BIND is granted twice. It may call ops->granted before it returns.
 */
void socks_grant(struct socks *s, const char *bound);

/* socks_refuse says no (RFC 1928 6). Nothing of |s| is used after it. */
void socks_refuse(struct socks *s, int reply);

/* socks_drop closes it without a word. Nothing of |s| is used after it. */
void socks_drop(struct socks *s);

/* socks_drain ends those that have not asked for anything yet, and UDP. */
void socks_drain(struct app *app);

/* socks_abandon ends all, at the end of the program. */
void socks_abandon(struct app *app);

/* socks_reply_for: which reply says what a text of D13 (protocol.md) says. */
int socks_reply_for(const char *why);

#endif
