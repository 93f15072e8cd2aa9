/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What the BIOs of one session share: the core session, the BIO below, the
 * lock, and who waits. The filter and each channel BIO hold a reference.
 *
 * Everything here but new, up_ref, lock and free is called with the lock held.
 * Nobody waits with it held: mtls_mux_wait() and the handshake let go of it.
 */
#ifndef MTLS_MUX_H
#define MTLS_MUX_H

#include "session.h"

#include <mtls/bio_mtls.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct mtls_waiter;
struct mtls_mux_dgram;

struct mtls_mux {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct mtls_session *session;
    BIO *next;      /* a reference, so that channels outlive the filter */
    BIO *filter;    /* NULL once freed */
    SSL *ssl;       /* a reference, when next is BIO_f_ssl and up */
    int read_ahead; /* as it was found there */
    BIO *batch;     /* ours, between that and its socket; NULL none */
    int direct;     /* the SSL is called, not its BIO */

    int misconfigured; /* mtls_defaults_raise() tells why */
    int up;            /* the handshake below is done */
    int shake_failed;
    int shaking;  /* a thread is at it, without the lock */
    int blocking; /* calls wait; the descriptor does not */
    int adopted;  /* the descriptor was set non-blocking by us */
    int fd;       /* that one, ... */
    dev_t dev;    /* ... and what it was */
    ino_t ino;
    struct mtls_channel *under; /* another session's, that this one waits on */
    int role;                   /* MTLS_ROLE_ as set, 0 not set */
    int otherwise_00;           /* mtls-00, where nothing was negotiated */
    int corked;

    int out_blocked;    /* the transport takes no more for now */
    int in_more;        /* the transport may have more at once */
    int in_stalled;     /* mtls-00: a reader has to make room first (Q10) */
    int resumed;        /* one has, and nobody has looked since */
    int reads_again;    /* so that the filter is to say so */
    int in_wants_write; /* reading needs the transport to take octets */
    uint64_t flushed;   /* octets that nothing below holds back any more */
    int write_failed;
    unsigned long lost_error; /* the lower BIO's own, when it failed */
    int clean_end; /* the peer said close_notify, or plain end-of-file */
    int shut;      /* close_notify was sent, or tried */

    int default_mode; /* MTLS_DEFAULT_CHANNEL_ */
    int aware;        /* the program takes channels by itself */
    struct mtls_channel *default_channel;
    int accept_told; /* in this round */

    struct mtls_list sleepers;   /* waiting threads */
    struct mtls_waiter *waiters; /* for no channel: accept, flush, handshake */
    struct mtls_waiter *poller;  /* the one that polls the descriptor */
    int poller_events;
    int poller_kicked; /* its poll has been ended */
    unsigned int sent_waiters;
    int wake_fd; /* eventfd that ends its poll; -1 not made */

    struct mtls_mux_dgram *dgram; /* NULL: channels carry streams */

    MTLS_msg_cb msg_cb;
    void *msg_arg;
    BIO_info_cb *info_cb;
    MTLS_ready_cb ready_cb;
    void *ready_arg;
    int ready_told; /* until all that is ready was taken */

    char *address[2];                /* own, peer's: once asked for */
    char own_host[INET6_ADDRSTRLEN]; /* for the source of channels */
    uint16_t own_port;
    int own_known;
};

struct mtls_mux *mtls_mux_new(const struct mtls_mux *like);
void mtls_mux_up_ref(struct mtls_mux *mux);
/* mtls_mux_free lets go of one reference; the last sends what is queued. */
void mtls_mux_free(struct mtls_mux *mux);

void mtls_mux_attach(struct mtls_mux *mux, BIO *next);
void mtls_mux_detach(struct mtls_mux *mux);

/*
 * mtls_mux_ready makes the session usable: does the handshake below. 1 done,
 * 0 retry (only where |may_wait| is 0 or the session does not block), -1
 * failed, with an error on the queue.
 */
int mtls_mux_ready(struct mtls_mux *mux, int may_wait);

/* mtls_mux_send gives the transport what it takes. */
void mtls_mux_send(struct mtls_mux *mux);

/* What a caller of mtls_mux_receive has enough of. */
enum mtls_mux_want {
    MTLS_WANT_ALL,    /* whatever the transport has */
    MTLS_WANT_ANSWER, /* to the channel's Request */
    MTLS_WANT_OCTETS, /* |enough|, or as many as there are in a row */
    MTLS_WANT_ROOM,   /* for a write */
    MTLS_WANT_CREDIT  /* |enough| of it */
};

/*
 * mtls_mux_receive takes what the transport has, until |channel| has what is
 * wanted or more than |limit| octets were taken: then mux->in_more is set,
 * since what SSL holds no poll can see.
 */
void mtls_mux_receive(struct mtls_mux *mux, enum mtls_mux_want want,
                      const struct mtls_channel *channel, size_t enough,
                      size_t limit);

/* mtls_mux_flushed: the first |mark| octets are with the transport. */
int mtls_mux_flushed(const struct mtls_mux *mux, uint64_t mark);

/* mtls_mux_shutdown sends close_notify: 1 done, 0 retry. */
int mtls_mux_shutdown(struct mtls_mux *mux);

/* mtls_mux_trace takes the callbacks that were set into use. */
void mtls_mux_trace(struct mtls_mux *mux);

/* The SSL below, or NULL. */
SSL *mtls_mux_ssl(struct mtls_mux *mux);

uint64_t mtls_mux_now(void);

/* --- the version (mux_00.c) --- */

/*
 * mtls_mux_choose_version: ALPN, the extension data_multiplexing, or else what
 * is configured says which version is spoken. 0, with an error: out of memory.
 */
int mtls_mux_choose_version(struct mtls_mux *mux);
long mtls_mux_version(const struct mtls_mux *mux); /* MTLS_VERSION_, -1 */

/*
 * Of mtls-00: note_stall when nothing was taken, note_room when the session
 * says that something changed; mtls_mux_resume then receives what it can.
 */
void mtls_mux_note_stall(struct mtls_mux *mux);
void mtls_mux_note_room(struct mtls_mux *mux);
void mtls_mux_resume(struct mtls_mux *mux);

/* --- what is asked of the TLS below (mux_tls.c) --- */

/*
 * mtls_mux_tls_tune: once the handshake is done, TLS reads ahead, and records
 * for a socket are sent a few at a time. mtls_mux_tls_restore leaves the SSL
 * as it was found.
 */
void mtls_mux_tls_tune(struct mtls_mux *mux);
void mtls_mux_tls_restore(struct mtls_mux *mux);

/*
 * mtls_mux_tls_write and mtls_mux_tls_read, with mux->direct, do what the BIO
 * below would, for less: 1 done, 0 to be retried when there is room, or more.
 * -1: the BIO is to be asked, which can tell why. The error queue need not be
 * empty. mtls_mux_tls_failed: after -1, whether TLS failed and left an error
 * there; not, when what is below it did.
 */
int mtls_mux_tls_failed(const struct mtls_mux *mux);
int mtls_mux_tls_write(struct mtls_mux *mux, const unsigned char *p, size_t len,
                       size_t *n);
int mtls_mux_tls_read(struct mtls_mux *mux, unsigned char *p, size_t len,
                      size_t *n);

/* mtls_mux_tls_more: whether another record follows the next at once. */
void mtls_mux_tls_more(const struct mtls_mux *mux, int more);

/*
 * mtls_mux_tls_turn begins and ends a turn of reading; mtls_mux_tls_emptied:
 * all that the socket had in this turn was read, of the SSL too.
 */
void mtls_mux_tls_turn(const struct mtls_mux *mux, int on);
int mtls_mux_tls_emptied(const struct mtls_mux *mux);

/* mtls_mux_tls_held: octets gathered there that the socket did not take. */
size_t mtls_mux_tls_held(const struct mtls_mux *mux);

/* mtls_mux_holds_back: what was written may wait below for BIO_flush(). */
int mtls_mux_holds_back(const struct mtls_mux *mux);

/* --- waiting (mux_wait.c) --- */

/*
 * mtls_mux_wait waits until something changed at |channel| (NULL: at the
 * session) or the transport has moved, doing the I/O if nobody else is. The
 * caller then looks again. Needs a descriptor: 0 when there is none.
 */
int mtls_mux_wait(struct mtls_mux *mux, struct mtls_channel *channel);

/* mtls_mux_wait_octets may leave it to the caller to receive. */
int mtls_mux_wait_octets(struct mtls_mux *mux, struct mtls_channel *channel);

/* mtls_mux_wait_sent waits for the transport to take octets as well. */
int mtls_mux_wait_sent(struct mtls_mux *mux, struct mtls_channel *channel);

/* mtls_mux_sleep waits for mtls_mux_wake(mux, NULL) alone. */
void mtls_mux_sleep(struct mtls_mux *mux);

static inline void mtls_mux_lock(struct mtls_mux *mux)
{
    pthread_mutex_lock(&mux->lock);
}

void mtls_mux_unlock_waited(struct mtls_mux *mux);

static inline void mtls_mux_unlock(struct mtls_mux *mux)
{
    if (mux->poller != NULL || !mtls_list_empty(&mux->sleepers))
        mtls_mux_unlock_waited(mux);
    else
        pthread_mutex_unlock(&mux->lock);
}

/* mtls_mux_wake: |channel|, or what waits for the session, has changed. */
void mtls_mux_wake(struct mtls_mux *mux, struct mtls_channel *channel);
void mtls_mux_wake_all(struct mtls_mux *mux);
void mtls_mux_wake_sent(struct mtls_mux *mux);

/* --- a session inside a channel of another (mux_nested.c) --- */

/* A control that our channels answer and filters pass down. */
#define BIO_CTRL_MTLS_BELOW (BIO_CTRL_MTLS_BASE + 0x80)

/*
 * mtls_mux_adopt_channel: when the BIO below ends in a channel that blocks, it
 * shall block no more, and this session waits on it instead.
 */
void mtls_mux_adopt_channel(struct mtls_mux *mux);
void mtls_mux_give_up_channel(struct mtls_mux *mux);

/* mtls_mux_wait_below waits for that channel, without this session's lock;
 * mtls_mux_kick_below, with it, ends such a wait. */
void mtls_mux_wait_below(struct mtls_mux *mux, int want_read, int want_write);
void mtls_mux_kick_below(struct mtls_mux *mux);

int mtls_mux_fd(struct mtls_mux *mux);
int mtls_mux_poll_events(const struct mtls_mux *mux);

#endif
