/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One TLS connection with the multiplexer on it: the handshake, moving octets,
 * telling channels what became possible, time limits, and its end.
 */
#ifndef MTLS_APPS_LINK_H
#define MTLS_APPS_LINK_H

#include "addr.h"
#include "app.h"
#include "chan.h"
#include "options.h"

#include <mtls/bio_mtls.h>
#include <openssl/ssl.h>

enum link_state {
    LINK_HANDSHAKE,
    LINK_OPEN,
    LINK_ENDING /* close_notify is on its way */
};

/* Why a link ended. */
enum link_end {
    LINK_ENDED,        /* in order, by either side */
    LINK_FAILED,       /* the transport or the peer's packets failed */
    LINK_TIMED_OUT,    /* a limit of time */
    LINK_NO_HANDSHAKE, /* the handshake failed */
    LINK_UNVERIFIED    /* it failed because of the peer's certificate */
};

struct link_ops {
    void (*opened)(struct link *k);
    void (*requested)(struct link *k, BIO *channel); /* now the callee's */
    void (*closed)(struct link *k); /* why says |end|; |k| goes with it */
};

struct link {
    TAILQ_ENTRY(link) node;      /* of app->links */
    TAILQ_ENTRY(link) work_node; /* of app->work, while |has_work| */
    struct app *app;
    const struct link_ops *ops;
    const struct options *options;
    void *owner;
    union {
        uv_poll_t poll;
        uv_timer_t no_poll; /* of a link without |fd|, never started */
    };
    int fd;    /* -1: its datagrams are all it has (link_dtls.h) */
    int armed; /* what |poll| waits for */
    SSL *ssl;
    BIO *m;
    enum link_state state;
    struct chan_list channels;
    struct chan_list for_room; /* those that link_room() has put off */
    size_t n_channels;
    unsigned has_work : 1; /* stands in app->work */
    unsigned reads : 1;    /* the multiplexer wants to read */
    unsigned looks : 1;    /* something may have come in, or be ready */
    unsigned full : 1;     /* the socket took no more */
    unsigned doomed : 1;   /* ends with this turn */
    unsigned spoilt : 1;   /* its TLS session must not be resumed */
    enum link_end end;
    char why[256]; /* the text of the end, "" when in order */
    char peer[ADDR_TEXT_MAX];
    uint64_t started;  /* uv_now() of the start, or of the last change ... */
    uint64_t active;   /* ... of what octets have moved */
    uint64_t answered; /* ... of what came in, or of nothing being awaited */
    uint64_t unanswered_from; /* octets that had left when that was */
    MTLS_COUNTERS seen;       /* at the last second */
    struct link_dtls *dtls;   /* over DTLS (link_dtls.h), or NULL */
};

/*
 * link_new starts the handshake on a connected non-blocking |fd|. It takes
 * |fd| and |ssl|, which knows its role already, also when it fails (NULL).
 */
struct link *link_new(struct app *app, int fd, SSL *ssl,
                      const struct options *o, const struct link_ops *ops,
                      void *owner);

/*
 * link_alone: the same above |dtls|, a BIO_f_ssl() whose handshake is done: its
 * datagrams are all there is (mtls-00, doc/mtls00.md, Q14). |peer| is its name.
 */
struct link *link_alone(struct app *app, BIO *dtls, const char *peer,
                        const struct options *o, const struct link_ops *ops,
                        void *owner);

/* link_end ends the session in good order. ops->closed follows. */
void link_end(struct link *k);

/* link_close ends it at the end of this turn; ops->closed follows then. */
void link_close(struct link *k, enum link_end how, const char *why);

/*
 * link_changed: a channel was read or written, or would be; the link looks at
 * all of them at the end of this turn of the loop.
 */
void link_changed(struct link *k);

/* link_wrote: only to be sent; nothing else is new. */
void link_wrote(struct link *k);

/*
 * link_room sends what waits, so that there is room for |c| to write. 0: the
 * socket is full, and |c| will be told MTLS_EVENT_WRITABLE in its turn, an
 * |urgent| one before those who are not.
 */
int link_room(struct link *k, struct chan *c, int urgent);

/* link_waiting: octets that were written and have not left. */
size_t link_waiting(const struct link *k);

/* link_pump does one turn's work; app calls it. */
void link_pump(struct link *k);

/* link_second applies the time limits; app calls it. */
void link_second(struct link *k);

#endif
