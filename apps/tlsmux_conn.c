/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_conn.h"
#include "tell.h"
#include "tls_conf.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void go_on(struct tlsmux *m);
static void exchange(struct tlsmux *m);

/* --- its end ----------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Freeing an SSL BIO sends close_notify: a cut must not look like an end. */
void tlsmux_close(struct tlsmux *m, const char *why)
{
    if (*why != '\0' && m->state == TLSMUX_OPEN)
        SSL_set_quiet_shutdown(m->ssl, 1);
    tell_tlsmux_close(m, why);
    m->state = TLSMUX_OVER;
    m->app->n_others--;
    TAILQ_REMOVE(&m->app->tlsmuxes, m, node);
    BIO_free_all(m->b);
    ERR_clear_error();
    uv_close((uv_handle_t *)&m->poll, on_closed);
    close(m->fd);
}

/* Of itself: the owner is told first. */
static void end(struct tlsmux *m, const char *why)
{
    if (m->state != TLSMUX_REFUSING && m->state != TLSMUX_LINGERS)
        m->ops->ended(m, why);
    tlsmux_close(m, why);
}

static void fail(struct tlsmux *m, int error)
{
    long reply = BIO_tlsmux_get_reply(m->b);
    char why[256];

    if (!m->server && reply > 0)
        snprintf(why, sizeof(why), "refused by the server: %s (%ld)",
                 tlsmux_reply(reply), reply);
    else if (!tls_verify_text(m->ssl, why, sizeof(why)))
        tls_error_text(why, sizeof(why), error);
    ERR_clear_error();
    end(m, why);
}

/* --- waiting ----------------------------------------------------------------
 */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tlsmux *m = poll->data;

    (void)events;
    if (status < 0)
        m->armed = 0; /* libuv has stopped it; the socket will say why */
    go_on(m);
}

static void arm(struct tlsmux *m, int events)
{
    if (events == m->armed)
        return;
    m->armed = events;
    if (events == 0)
        uv_poll_stop(&m->poll);
    else if (uv_poll_start(&m->poll, events, on_poll) != 0)
        m->armed = 0;
}

static int retry_events(BIO *b)
{
    return (BIO_should_read(b) ? UV_READABLE : 0) |
           (BIO_should_write(b) ? UV_WRITABLE : 0);
}

void tlsmux_want(struct tlsmux *m, int read, int write)
{
    arm(m, (read ? m->read_needs : 0) | (write ? m->write_needs : 0));
}

static void change(struct tlsmux *m, enum tlsmux_state state)
{
    m->state = state;
    m->started = m->active = uv_now(&m->app->loop);
}

/* --- the exchange -----------------------------------------------------------
 */

/* Says farewell, and hears what still comes, so that the reply gets through. */
static void linger(struct tlsmux *m)
{
    ERR_clear_error();
    SSL_shutdown(m->ssl);
    ERR_clear_error();
    shutdown(m->fd, SHUT_WR);
    change(m, TLSMUX_LINGERS);
    arm(m, UV_READABLE);
}

static void hear_out(struct tlsmux *m)
{
    char scratch[16384];
    ssize_t n = 1;

    for (int i = 0; i < 8 && n > 0; i++)
        n = recv(m->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        tlsmux_close(m, "refused");
}

static void send_refusal(struct tlsmux *m)
{
    ERR_clear_error();
    if (BIO_flush(m->b) > 0)
        linger(m);
    else if (BIO_should_retry(m->b))
        arm(m, retry_events(m->b));
    else
        tlsmux_close(m, "refused");
}

/* The exchange has failed: a server has refused what can't be used, a client
 * was refused. */
static void failed(struct tlsmux *m, int error)
{
    if (m->server && m->told && ERR_peek_error() != 0 &&
        ERR_GET_LIB(ERR_peek_last_error()) == MTLS_err_library() &&
        ERR_GET_REASON(ERR_peek_last_error()) != MTLS_R_SOCKS_CUT &&
        ERR_GET_REASON(ERR_peek_last_error()) != MTLS_R_TRANSPORT_FAILED) {
        tell_tlsmux_error(m);
        m->ops->ended(m, "malformed");
        m->state = TLSMUX_REFUSING;
        linger(m);
        return;
    }
    fail(m, error);
}

static void opened(struct tlsmux *m)
{
    m->until = 0;
    arm(m, 0);
    change(m, TLSMUX_OPEN);
    m->read_needs = UV_READABLE;
    m->write_needs = UV_WRITABLE;
    tell_tlsmux_open(m);
    m->ops->opened(m);
}

static void asked(struct tlsmux *m)
{
    int again = BIO_get_retry_reason(m->b) == BIO_RR_ACCEPT;

    change(m, TLSMUX_ASKED);
    arm(m, UV_DISCONNECT); /* what it has said waits */
    if (!again)
        m->ops->asked(m);
}

/* Who has said nothing in advance, and ends, wants nothing. */
static void look_after(struct tlsmux *m)
{
    char octet;
    int n;

    ERR_clear_error();
    n = SSL_peek(m->ssl, &octet, 1);
    if (n > 0 || SSL_get_error(m->ssl, n) == SSL_ERROR_WANT_READ)
        arm(m, 0);
    else
        end(m, "the client has gone");
    ERR_clear_error();
}

/* BIND's first reply has been sent, or has come. */
static void listens(struct tlsmux *m)
{
    if (m->server) {
        exchange(m);
        return;
    }
    m->until = UINT64_MAX; /* the server has its own limit */
    arm(m, UV_READABLE);
    m->ops->listens(m);
}

static void exchange(struct tlsmux *m)
{
    int ok, error;

    ERR_clear_error();
    errno = 0;
    ok = BIO_do_handshake(m->b) > 0;
    error = errno;
    if (!m->told && SSL_is_init_finished(m->ssl)) {
        m->told = 1;
        tell_tls_open(m->ssl, m->peer);
    }
    if (ok && BIO_tlsmux_get_command(m->b) == MTLS_TLSMUX_BIND &&
        BIO_tlsmux_get_peer(m->b) == NULL) {
        listens(m);
    } else if (ok) {
        opened(m);
    } else if (BIO_should_io_special(m->b)) {
        asked(m);
    } else if (BIO_should_retry(m->b)) {
        arm(m, retry_events(m->b));
    } else {
        failed(m, error);
    }
}

static void go_on(struct tlsmux *m)
{
    switch (m->state) {
    case TLSMUX_EXCHANGE:
        exchange(m);
        break;
    case TLSMUX_ASKED:
        look_after(m);
        break;
    case TLSMUX_OPEN:
        m->ops->moved(m);
        break;
    case TLSMUX_REFUSING:
        send_refusal(m);
        break;
    case TLSMUX_LINGERS:
        hear_out(m);
        break;
    case TLSMUX_OVER:
        break;
    }
}

void tlsmux_grant(struct tlsmux *m, const char *bound)
{
    if (BIO_tlsmux_grant(m->b, bound) <= 0) {
        fail(m, 0);
        return;
    }
    change(m, TLSMUX_EXCHANGE);
    exchange(m);
}

void tlsmux_refuse(struct tlsmux *m, int reply)
{
    tell_tlsmux_refused(m, reply);
    change(m, TLSMUX_REFUSING);
    if (BIO_tlsmux_refuse(m->b, reply) <= 0)
        tlsmux_close(m, "refused");
    else
        send_refusal(m);
}

/* --- octets -----------------------------------------------------------------
 */

/* What a call that moved nothing means. */
static int nothing(struct tlsmux *m, int *needs)
{
    if (BIO_should_retry(m->b)) {
        *needs = retry_events(m->b);
        return TLSMUX_RETRY;
    }
    return TLSMUX_FAILED;
}

static void moved(struct tlsmux *m, uint64_t *count, size_t n)
{
    *count += n;
    m->active = uv_now(&m->app->loop);
}

int tlsmux_read(struct tlsmux *m, void *octets, size_t size)
{
    int n;

    ERR_clear_error();
    n = BIO_read(m->b, octets, (int)size);
    if (n > 0) {
        moved(m, &m->in, (size_t)n);
        return n;
    }
    if (n == 0 && !BIO_should_retry(m->b)) {
        m->ended = 1;
        return TLSMUX_END;
    }
    return nothing(m, &m->read_needs);
}

int tlsmux_write(struct tlsmux *m, const void *octets, size_t size)
{
    int n;

    ERR_clear_error();
    n = BIO_write(m->b, octets, (int)size);
    if (n <= 0)
        return nothing(m, &m->write_needs);
    moved(m, &m->out, (size_t)n);
    return n;
}

int tlsmux_receive(struct tlsmux *m, void *octets, size_t size, size_t *n)
{
    ERR_clear_error();
    if (BIO_read_ex(m->b, octets, size, n)) {
        moved(m, &m->in, *n);
        return 1;
    }
    if (!BIO_should_retry(m->b) && ERR_peek_error() == 0) {
        m->ended = 1;
        return TLSMUX_END;
    }
    return nothing(m, &m->read_needs);
}

int tlsmux_send(struct tlsmux *m, const void *octets, size_t size)
{
    size_t n;

    ERR_clear_error();
    if (!BIO_write_ex(m->b, octets, size, &n))
        return nothing(m, &m->write_needs);
    moved(m, &m->out, size);
    return 1;
}

int tlsmux_clear(struct tlsmux *m)
{
    ERR_clear_error();
    return BIO_flush(m->b) > 0 ? 1 : nothing(m, &m->write_needs);
}

int tlsmux_shut(struct tlsmux *m)
{
    ERR_clear_error();
    return BIO_shutdown_wr(m->b) > 0 ? 1 : nothing(m, &m->write_needs);
}

/* --- its beginning ----------------------------------------------------------
 */

static BIO *make_stack(int fd, SSL *ssl)
{
    BIO *socket = BIO_new_socket(fd, BIO_NOCLOSE);
    BIO *tls = BIO_new(BIO_f_ssl());
    BIO *filter = BIO_new(BIO_f_tlsmux());

    if (tls != NULL)
        BIO_set_ssl(tls, ssl, BIO_CLOSE);
    else
        SSL_free(ssl);
    if (socket == NULL || tls == NULL || filter == NULL) {
        BIO_free(filter);
        BIO_free(tls);
        BIO_free(socket);
        return NULL;
    }
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    return BIO_push(filter, BIO_push(tls, socket));
}

static void learn_peer(struct tlsmux *m)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int one = 1;

    setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(m->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    text_copy(m->peer, sizeof(m->peer), "?");
    if (getpeername(m->fd, (struct sockaddr *)&addr, &len) == 0)
        addr_text(m->peer, (struct sockaddr *)&addr, len);
}

struct tlsmux *tlsmux_new(struct app *app, int fd, SSL *ssl,
                          const struct options *o, const struct tlsmux_ops *ops,
                          void *owner)
{
    struct tlsmux *m = calloc(1, sizeof(*m));

    if (m == NULL || uv_poll_init(&app->loop, &m->poll, fd) != 0) {
        free(m);
        SSL_free(ssl);
        close(fd);
        return NULL;
    }
    m->poll.data = m;
    m->b = make_stack(fd, ssl);
    if (m->b == NULL) {
        uv_close((uv_handle_t *)&m->poll, on_closed);
        close(fd);
        return NULL;
    }
    m->app = app;
    m->ops = ops;
    m->options = o;
    m->owner = owner;
    m->fd = fd;
    m->ssl = ssl;
    m->server = SSL_is_server(ssl) != 0;
    learn_peer(m);
    change(m, TLSMUX_EXCHANGE);
    app->n_others++;
    TAILQ_INSERT_TAIL(&app->tlsmuxes, m, node);
    return m;
}

/* The first step is taken by the loop, so that no call ends it under the
 * caller's hands. */
void tlsmux_start(struct tlsmux *m)
{
    arm(m, m->server ? UV_READABLE : UV_WRITABLE);
}
