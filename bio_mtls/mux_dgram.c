/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "mux_dgram.h"

#include "bio_turn.h"
#include "dtls_bind.h"
#include "err.h"
#include "record.h"
#include "wire00.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>

#define GRACE 2000000 /* microseconds, when the DTLS session ended first */
#define UNHEARD 4     /* questions of the keep-alive that may be in vain */
#define KEEPALIVE_MOST 86400 /* seconds */
#define FALLBACK 512         /* of a path that nothing is known of: RFC 791 */
#define DTLS_OVERHEAD 64     /* octets, where it can't be computed */

struct mtls_mux_dgram {
    BIO *bio;  /* NULL until it is known */
    int alone; /* it is the BIO below the filter: mtls-00 */
    MTLS_DTLS_WAITING *waiting;
    atomic_int up; /* the handshake is done */
    int bound;     /* the control connection has its key of it */
    int fd, adopted, blocking;
    int out_blocked, polls_out; /* and whether the poller looks for that */
    uint64_t ended_at;          /* the peer ended it, or it failed; 0: not */
    uint64_t poll_until;        /* when the poller looks again */
    uint32_t most;              /* as set by the program; 0 not */
    struct mtls_turn turn;
    int more;                               /* the last one left some */
    unsigned char in[MTLS_RECORD_SIZE + 1]; /* a longer one shows */
};

static SSL *ssl_of(const struct mtls_mux_dgram *d)
{
    SSL *ssl = NULL;

    if (d->bio != NULL)
        BIO_get_ssl(d->bio, &ssl);
    return ssl;
}

/* --- life ------------------------------------------------------------------
 */

static int begin(struct mtls_mux *mux)
{
    if (mux->up || mux->shaking || mux->aware || mux->default_channel != NULL ||
        mux->dgram != NULL) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    mux->dgram = calloc(1, sizeof(*mux->dgram));
    if (mux->dgram == NULL || !mtls_session_set_datagrams(mux->session)) {
        free(mux->dgram);
        mux->dgram = NULL;
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    mux->dgram->fd = -1;
    mux->corked = 0;
    return 1;
}

int mtls_mux_dgram_set(struct mtls_mux *mux, BIO *bio)
{
    if (bio == NULL || !begin(mux))
        return 0;
    mux->dgram->bio = bio;
    return 1;
}

int mtls_mux_dgram_detect(struct mtls_mux *mux)
{
    const SSL *ssl = mux->dgram == NULL ? mtls_mux_ssl(mux) : NULL;

    if (ssl == NULL || !SSL_is_dtls(ssl))
        return 1;
    if (!begin(mux) || !BIO_up_ref(mux->next))
        return 0;
    mux->dgram->bio = mux->next;
    mux->dgram->alone = 1;
    return 1;
}

int mtls_mux_dgram_alone(const struct mtls_mux *mux)
{
    return mux->dgram != NULL && mux->dgram->alone;
}

int mtls_mux_dgram_await(struct mtls_mux *mux, MTLS_DTLS_WAITING *waiting)
{
    if (waiting == NULL || !begin(mux))
        return 0;
    mtls_waiting_up_ref(waiting);
    mux->dgram->waiting = waiting;
    return 1;
}

int mtls_mux_dgram_copy(struct mtls_mux *mux, const struct mtls_mux *like)
{
    if (like->dgram == NULL || like->dgram->waiting == NULL)
        return 1;
    if (!mtls_mux_dgram_await(mux, like->dgram->waiting))
        return 0;
    mux->dgram->most = like->dgram->most;
    mtls_session_set_keepalive(mux->session,
                               mtls_session_keepalive(like->session));
    return 1;
}

BIO *mtls_mux_dgram_bio(const struct mtls_mux *mux)
{
    return mux->dgram != NULL ? mux->dgram->bio : NULL;
}

/*
 * BIO_f_ssl() shuts down when it goes, and the descriptor must not block. What
 * is below the filter as well is the program's, until it lets go of it.
 */
void mtls_mux_dgram_detach(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;
    BIO *bio;
    int flags;

    if (d == NULL || (bio = d->bio) == NULL)
        return;
    if (!d->alone)
        mtls_mux_dgram_shutdown(mux);
    mtls_turn_forget(&d->turn);
    d->bio = NULL;
    if (d->adopted && (flags = fcntl(d->fd, F_GETFL)) >= 0)
        fcntl(d->fd, F_SETFL, flags & ~O_NONBLOCK);
    d->adopted = 0;
    BIO_free_all(bio);
}

void mtls_mux_dgram_free(struct mtls_mux *mux)
{
    if (mux->dgram == NULL)
        return;
    mtls_mux_dgram_detach(mux);
    MTLS_dtls_waiting_free(mux->dgram->waiting);
    free(mux->dgram);
    mux->dgram = NULL;
}

void mtls_mux_dgram_shutdown(struct mtls_mux *mux)
{
    SSL *ssl = mux->dgram != NULL ? ssl_of(mux->dgram) : NULL;
    struct mtls_errors callers;

    if (ssl == NULL || SSL_in_init(ssl))
        return;
    mtls_errors_take(&callers);
    if (!(SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN))
        SSL_shutdown(ssl);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    ERR_clear_error();
    mtls_errors_put_back(&callers);
}

/* --- the handshake ---------------------------------------------------------
 */

static void adopt(struct mtls_mux_dgram *d)
{
    int fd = -1, flags;

    if (d->fd >= 0 || BIO_get_fd(d->bio, &fd) <= 0 || fd < 0 ||
        (flags = fcntl(fd, F_GETFL)) < 0)
        return;
    d->fd = fd;
    if (flags & O_NONBLOCK)
        return;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        d->adopted = d->blocking = 1;
}

/* Of DTLS itself, which sends again what was lost of its handshake. */
static uint64_t handshake_timeout(const struct mtls_mux_dgram *d)
{
    SSL *ssl = ssl_of(d);
    struct timeval left;

    if (ssl == NULL || !DTLSv1_get_timeout(ssl, &left))
        return MTLS_NEVER;
    return (uint64_t)left.tv_sec * 1000000 + (uint64_t)left.tv_usec;
}

static int in_milliseconds(uint64_t timeout)
{
    return timeout == MTLS_NEVER ? -1 : (int)(timeout / 1000) + 1;
}

/* An empty datagram, which anybody can send, reads as an end: it is none. */
static int was_empty(const struct mtls_mux_dgram *d)
{
    const SSL *ssl = ssl_of(d);

    return ssl != NULL && errno == 0 && ERR_peek_error() == 0 &&
           SSL_get_error(ssl, 0) == SSL_ERROR_SYSCALL;
}

static int try_datagrams(struct mtls_mux_dgram *d)
{
    ERR_clear_error();
    errno = 0;
    if (BIO_do_handshake(d->bio) > 0)
        return 1;
    if (!BIO_should_retry(d->bio) && was_empty(d))
        BIO_set_retry_read(d->bio);
    if (BIO_should_retry(d->bio))
        return 0;
    /* types that know no handshake have it done */
    return ssl_of(d) == NULL && ERR_peek_error() == 0 ? 1 : -1;
}

static int shake(const struct mtls_mux *mux, int may_wait)
{
    struct mtls_mux_dgram *d = mux->dgram;
    int blocks = may_wait && (d->alone ? mux->blocking : d->blocking), r;

    while ((r = try_datagrams(d)) == 0 && blocks) {
        struct pollfd fd = {.fd = d->fd, .events = POLLIN};

        if (BIO_should_write(d->bio))
            fd.events = POLLOUT;
        poll(&fd, 1, in_milliseconds(handshake_timeout(d)));
    }
    return r;
}

/* A client's control connection gets its name and key of the DTLS session. */
static int bind_control(struct mtls_mux *mux)
{
    SSL *control = mtls_mux_ssl(mux), *ssl = ssl_of(mux->dgram);

    if (control == NULL || ssl == NULL || SSL_is_server(control))
        return 1;
    mux->dgram->bound = 1;
    return MTLS_dtls_bind(control, ssl);
}

int mtls_mux_dgram_before(struct mtls_mux *mux, int may_wait)
{
    struct mtls_mux_dgram *d = mux->dgram;
    int r;

    if (d == NULL || d->up || d->bio == NULL)
        return 1;
    adopt(d);
    r = shake(mux, may_wait);
    if (r > 0 && !d->alone && !bind_control(mux))
        r = -1;
    if (r > 0)
        d->up = 1;
    return r;
}

int mtls_mux_dgram_after(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;

    if (d == NULL)
        return 1;
    if (d->bio == NULL)
        d->bio = MTLS_dtls_waiting_take(d->waiting, mtls_mux_ssl(mux));
    if (d->bio == NULL)
        return -1;
    if (d->bound && SSL_get_psk_identity(mtls_mux_ssl(mux)) == NULL) {
        MTLS_raise(MTLS_R_NO_DTLS_SESSION); /* with a certificate, perhaps */
        return -1;
    }
    adopt(d);
    d->up = 1;
    mtls_turn_watch(&d->turn, d->bio);
    /* A handshake that was lost again and again has fallen back to less. */
    mtls_mux_dgram_mtu(mux, 1);
    return 1;
}

int mtls_mux_dgram_shaking(const struct mtls_mux *mux)
{
    return mux->dgram != NULL && !mux->dgram->up && mux->dgram->bio != NULL;
}

/* --- the pump --------------------------------------------------------------
 */

static int ended_for_good(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;

    if (d->ended_at == 0 || mtls_session_ended(mux->session) ||
        (!d->alone && mtls_mux_now() - d->ended_at < GRACE))
        return 0;
    if (mux->lost_error == 0)
        mux->lost_error = ERR_PACK(MTLS_err_library(), 0, MTLS_R_DTLS_ENDED);
    mtls_session_end(mux->session);
    mtls_mux_wake_all(mux);
    return 1;
}

/* It has answered before, and nothing comes any more: P15. */
static void end_if_silent(struct mtls_mux *mux)
{
    if (mtls_session_ended(mux->session) ||
        mtls_session_unheard(mux->session) <= UNHEARD)
        return;
    if (mux->lost_error == 0)
        mux->lost_error = ERR_PACK(MTLS_err_library(), 0, MTLS_R_DTLS_SILENT);
    mtls_session_end(mux->session);
    mtls_mux_wake_all(mux);
}

/* The control connection may still have to tell how its channels ended. */
static void has_ended(struct mtls_mux *mux, const SSL *ssl)
{
    struct mtls_mux_dgram *d = mux->dgram;

    if (d->ended_at == 0)
        d->ended_at = mtls_mux_now();
    if (!d->alone)
        return;
    mux->clean_end = (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    if (!mux->clean_end && mux->lost_error == 0)
        mux->lost_error = ERR_peek_error();
    ended_for_good(mux);
}

/*
 * What fails below, and is not the end of DTLS, is a datagram that was lost: a
 * port that is closed for now, a route that is gone, one too long for the path.
 */
static void on_failure(struct mtls_mux *mux, int r)
{
    SSL *ssl = ssl_of(mux->dgram);

    if (ssl == NULL)
        return;
    if (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN ||
        SSL_get_error(ssl, r) == SSL_ERROR_SSL)
        has_ended(mux, ssl);
}

/* With nothing on the error queue: SSL_get_error() would see a failure in it.
 */
static void write_out(struct mtls_mux *mux, const unsigned char *p, size_t len)
{
    struct mtls_mux_dgram *d = mux->dgram;
    size_t n;

    BIO_clear_retry_flags(d->bio);
    if (!BIO_write_ex(d->bio, p, len, &n)) {
        d->out_blocked = BIO_should_retry(d->bio) != 0;
        if (!d->out_blocked)
            on_failure(mux, -1);
        if (BIO_ctrl(d->bio, BIO_CTRL_DGRAM_MTU_EXCEEDED, 0, NULL) > 0)
            mtls_mux_dgram_mtu(mux, 1);
        ERR_clear_error();
    }
}

void mtls_mux_dgram_tick(struct mtls_mux *mux)
{
    if (!mux->up || mux->dgram->bio == NULL || ended_for_good(mux))
        return;
    mtls_session_tick(mux->session);
    end_if_silent(mux);
}

/* 1 to go on. */
static int send_one(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;
    struct mtls_errors callers;
    const unsigned char *p;
    size_t len;

    if ((p = mtls_session_datagram_out(mux->session, &len)) == NULL)
        return 0;
    if (d->ended_at == 0) {
        mtls_errors_take(&callers);
        write_out(mux, p, len);
        mtls_errors_put_back(&callers);
    }
    if (d->out_blocked)
        return 0;
    mtls_session_datagram_sent(mux->session);
    mtls_mux_wake_sent(mux);
    return 1;
}

void mtls_mux_dgram_send(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;

    d->out_blocked = 0;
    if (!mux->up || d->bio == NULL || mtls_session_ended(mux->session))
        return;
    while (send_one(mux))
        continue;
    if (d->alone)
        mux->out_blocked = d->out_blocked;
}

/* 1 to go on. */
static int receive_one(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;
    size_t n;
    int r;

    BIO_clear_retry_flags(d->bio);
    if (ERR_peek_error() != 0) /* a record that was dropped may leave one */
        ERR_clear_error();
    r = BIO_read_ex(d->bio, d->in, sizeof(d->in), &n);
    if (r > 0) {
        mtls_session_datagram_in(mux->session, d->in, n);
        return 1;
    }
    if (!BIO_should_retry(d->bio))
        on_failure(mux, -1);
    return 0;
}

/* What is left after a turn is with the socket, where a poll sees it. */
void mtls_mux_dgram_receive(struct mtls_mux *mux)
{
    struct mtls_mux_dgram *d = mux->dgram;
    SSL *ssl = ssl_of(d);
    int more = 1, taken = 0;

    d->more = 0;
    if (!mux->up || d->bio == NULL || d->ended_at != 0 ||
        mtls_session_ended(mux->session))
        return;
    mtls_turn_begin(&d->turn);
    while (more &&
           (taken++ < MTLS_TURN || (ssl != NULL && SSL_has_pending(ssl))))
        more = receive_one(mux);
    if (ERR_peek_error() != 0)
        ERR_clear_error();
    d->more = more || mtls_turn_over(&d->turn);
}

int mtls_mux_dgram_more(const struct mtls_mux *mux)
{
    return mux->dgram != NULL && mux->dgram->more;
}

int mtls_mux_dgram_blocked(const struct mtls_mux *mux)
{
    return mux->dgram != NULL && mux->dgram->out_blocked;
}

/* --- waiting ---------------------------------------------------------------
 */

/* When there is something to do although nothing came, by mtls_mux_now(). */
static uint64_t deadline(const struct mtls_mux *mux)
{
    const struct mtls_mux_dgram *d = mux->dgram;
    uint64_t at = mtls_session_deadline(mux->session);

    if (d->ended_at != 0 && !mtls_session_ended(mux->session) &&
        d->ended_at + GRACE < at)
        at = d->ended_at + GRACE;
    return at;
}

uint64_t mtls_mux_dgram_timeout(const struct mtls_mux *mux)
{
    uint64_t at, now;

    if (mux->dgram == NULL)
        return MTLS_NEVER;
    if (!mux->up) /* who shakes hands sees to it: SSL is not for two at once */
        return mux->shaking ? MTLS_NEVER : handshake_timeout(mux->dgram);
    at = deadline(mux);
    if (at == MTLS_NEVER)
        return at;
    now = mtls_mux_now();
    return at > now ? at - now : 0;
}

int mtls_mux_dgram_poll(struct mtls_mux *mux, struct pollfd *fd)
{
    struct mtls_mux_dgram *d = mux->dgram;

    if (d == NULL || !mux->up)
        return -1;
    if (d->ended_at == 0)
        fd->fd = d->fd;
    fd->events = POLLIN;
    d->polls_out = d->out_blocked;
    if (d->out_blocked)
        fd->events |= POLLOUT;
    d->poll_until = deadline(mux);
    return in_milliseconds(mtls_mux_dgram_timeout(mux));
}

int mtls_mux_dgram_hurries(const struct mtls_mux *mux)
{
    const struct mtls_mux_dgram *d = mux->dgram;

    return d != NULL &&
           (deadline(mux) < d->poll_until || (d->out_blocked && !d->polls_out));
}

/* --- the path --------------------------------------------------------------
 */

static uint32_t data_of(const struct mtls_mux_dgram *d, uint32_t datagram)
{
    uint32_t head = d->alone ? MTLS_FRAME_HEADER : MTLS_DATA_HEADER_SIZE;

    return datagram > head ? datagram - head : 1;
}

uint32_t mtls_mux_dgram_mtu(struct mtls_mux *mux, int anew)
{
    struct mtls_mux_dgram *d = mux->dgram;
    SSL *ssl = ssl_of(d);
    uint32_t limit = data_of(d, MTLS_RECORD_SIZE);

    if (ssl != NULL && d->up) {
        long path;
        size_t n;

        if (anew && !(SSL_get_options(ssl) & SSL_OP_NO_QUERY_MTU) &&
            (path = BIO_ctrl(SSL_get_wbio(ssl), BIO_CTRL_DGRAM_QUERY_MTU, 0,
                             NULL)) > 0)
            SSL_set_mtu(ssl, path);
        n = DTLS_get_data_mtu(ssl);
        limit = n == 0 ? mtls_mux_dgram_fallback_mtu(mux)
                       : data_of(d, n < MTLS_RECORD_SIZE ? (uint32_t)n
                                                         : MTLS_RECORD_SIZE);
    }
    if (d->most != 0 && d->most < limit)
        limit = d->most;
    mtls_session_set_path_limit(mux->session, limit);
    return mtls_session_path_limit(mux->session);
}

uint32_t mtls_mux_dgram_fallback_mtu(struct mtls_mux *mux)
{
    const struct mtls_mux_dgram *d = mux->dgram;
    SSL *ssl = mux->shaking && !d->up ? NULL : ssl_of(d);
    long path = ssl == NULL
                    ? 0
                    : BIO_ctrl(SSL_get_wbio(ssl),
                               BIO_CTRL_DGRAM_GET_FALLBACK_MTU, 0, NULL);

    if (path <= 2 * DTLS_OVERHEAD)
        path = FALLBACK;
    return data_of(mux->dgram, (uint32_t)path - DTLS_OVERHEAD);
}

int mtls_mux_dgram_set_mtu(struct mtls_mux *mux, long mtu)
{
    const long most = (long)data_of(mux->dgram, MTLS_RECORD_SIZE);

    if (mtu < 1 || mtu > most) {
        MTLS_raise_data(MTLS_R_INVALID_VALUE, "%ld is not in 1..%ld", mtu,
                        most);
        return 0;
    }
    mux->dgram->most = (uint32_t)mtu;
    return (int)mtls_mux_dgram_mtu(mux, 0);
}

int mtls_mux_dgram_set_keepalive(struct mtls_mux *mux, long seconds)
{
    if (mux->dgram == NULL) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    if (seconds < 0 || seconds > KEEPALIVE_MOST) {
        MTLS_raise_data(MTLS_R_INVALID_VALUE, "%ld is not in 0..%d", seconds,
                        KEEPALIVE_MOST);
        return 0;
    }
    mtls_session_set_keepalive(mux->session, (uint64_t)seconds * 1000000);
    return 1;
}
