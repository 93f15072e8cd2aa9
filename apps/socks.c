/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "socks.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a client may take for its request. */
#define REQUEST_MS 30000
/* How long one that was refused may go on unheard. */
#define LINGER_MS 5000

enum {
    SOCKS_REQUEST, /* its messages are read */
    SOCKS_ASKED,   /* the owner's turn */
    SOCKS_REPLY,   /* a reply is on its way */
    SOCKS_HELD,    /* UDP ASSOCIATE lasts as long as the connection */
    SOCKS_LINGERS, /* refused; what it still says is not heard */
    SOCKS_OVER
};

/* What is being answered. */
enum {
    ANSWER_LISTENS, /* the first reply to BIND */
    ANSWER_OPEN,
    ANSWER_REFUSED
};

static void go_on(struct socks *s);

/* --- its end ----------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle)
{
    struct socks *s = handle->data;

    if (--s->open_handles == 0)
        free(s);
}

/* Gives everything back but the memory, which is libuv's for a moment. */
static void destroy(struct socks *s, int keep_fd)
{
    s->state = SOCKS_OVER;
    s->app->n_others--;
    TAILQ_REMOVE(&s->app->socks, s, node);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    uv_close((uv_handle_t *)&s->timer, on_closed);
    BIO_free_all(s->b);
    ERR_clear_error();
    if (!keep_fd)
        close(s->fd);
}

void socks_drop(struct socks *s)
{
    destroy(s, 0);
}

static void end(struct socks *s)
{
    int told = s->owner != NULL && s->state != SOCKS_REQUEST &&
               s->state != SOCKS_LINGERS && s->answer != ANSWER_REFUSED;

    if (told)
        s->ops->ended(s);
    destroy(s, 0);
}

static void on_timer(uv_timer_t *timer)
{
    end(timer->data);
}

/* --- waiting ----------------------------------------------------------------
 */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct socks *s = poll->data;

    (void)events;
    if (status < 0)
        end(s);
    else
        go_on(s);
}

static void wait_for(struct socks *s, int events)
{
    if (events == 0)
        uv_poll_stop(&s->poll);
    else
        (void)uv_poll_start(&s->poll, events, on_poll);
}

static int retry_events(BIO *b)
{
    return (BIO_should_read(b) ? UV_READABLE : 0) |
           (BIO_should_write(b) ? UV_WRITABLE : 0);
}

/* Nothing is expected of it but its end. */
static void hear_out(struct socks *s)
{
    char scratch[4096];
    ssize_t n = 1;

    for (int i = 0; i < 8 && n > 0; i++)
        n = recv(s->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        wait_for(s, UV_READABLE);
    else
        end(s);
}

/*
 * While the owner is asked only the client's end is looked for. One that goes
 * on reading may have said all, in advance or for good: CONNECT is for a reset
 * to take back. The others have nothing to read until somebody is there.
 */
static int has_gone(const struct socks *s)
{
    socklen_t len = sizeof(int);
    int error = 0;
    char octet;

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
        error != 0)
        return 1;
    return BIO_tlsmux_get_command(s->b) != MTLS_TLSMUX_CONNECT &&
           recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void look_after(struct socks *s)
{
    if (has_gone(s))
        end(s);
    else
        wait_for(s, 0);
}

/* --- the exchange -----------------------------------------------------------
 */

/* A message that can't be used has been answered by the filter already. */
static void linger(struct socks *s)
{
    s->state = SOCKS_LINGERS;
    shutdown(s->fd, SHUT_WR);
    uv_timer_start(&s->timer, on_timer, LINGER_MS, 0);
    hear_out(s);
}

static void read_request(struct socks *s)
{
    ERR_clear_error();
    if (BIO_do_handshake(s->b) > 0) {
        end(s); /* it can't be: nobody has granted anything */
    } else if (BIO_should_io_special(s->b)) {
        s->state = SOCKS_ASKED;
        uv_timer_stop(&s->timer);
        wait_for(s, UV_DISCONNECT);
        s->ops->requested(s);
    } else if (BIO_should_retry(s->b)) {
        wait_for(s, retry_events(s->b));
    } else {
        ERR_clear_error();
        linger(s);
    }
}

static void answered(struct socks *s)
{
    int fd = s->fd;

    if (s->answer == ANSWER_LISTENS) {
        s->state = SOCKS_ASKED;
        wait_for(s, UV_DISCONNECT);
    } else if (s->answer == ANSWER_REFUSED) {
        linger(s);
    } else if (BIO_tlsmux_get_command(s->b) == MTLS_TLSMUX_UDP_ASSOCIATE) {
        s->state = SOCKS_HELD;
        wait_for(s, UV_READABLE);
        s->ops->granted(s, -1);
    } else {
        destroy(s, 1); /* the memory stays until libuv has let go of it */
        s->ops->granted(s, fd);
    }
}

static void send_reply(struct socks *s)
{
    ERR_clear_error();
    if (BIO_flush(s->b) > 0)
        answered(s);
    else if (BIO_should_retry(s->b))
        wait_for(s, retry_events(s->b));
    else
        end(s);
}

static void go_on(struct socks *s)
{
    switch (s->state) {
    case SOCKS_REQUEST:
        read_request(s);
        break;
    case SOCKS_REPLY:
        send_reply(s);
        break;
    case SOCKS_ASKED:
        look_after(s);
        break;
    case SOCKS_HELD:
    case SOCKS_LINGERS:
        hear_out(s);
        break;
    default:
        break;
    }
}

/* --- for the owner ----------------------------------------------------------
 */

void socks_grant(struct socks *s, const char *bound)
{
    int first = BIO_tlsmux_get_command(s->b) == MTLS_TLSMUX_BIND &&
                BIO_tlsmux_get_reply(s->b) < 0;

    s->answer = first ? ANSWER_LISTENS : ANSWER_OPEN;
    if (BIO_tlsmux_grant(s->b, bound) <= 0) {
        end(s);
        return;
    }
    s->state = SOCKS_REPLY;
    send_reply(s);
}

void socks_refuse(struct socks *s, int reply)
{
    s->owner = NULL;
    s->answer = ANSWER_REFUSED;
    if (BIO_tlsmux_refuse(s->b, reply) <= 0) {
        end(s);
        return;
    }
    s->state = SOCKS_REPLY;
    send_reply(s);
}

int socks_destination(const struct socks *s, char out[ADDR_TEXT_MAX])
{
    const char *host = BIO_get_conn_hostname(s->b);
    const char *port = BIO_get_conn_port(s->b);

    if (host == NULL || port == NULL)
        return 0;
    snprintf(out, ADDR_TEXT_MAX,
             strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return strcmp(port, "0") != 0;
}

int socks_reply_for(const char *why)
{
    static const struct {
        const char *word;
        int error, reply;
    } table[] = {
        {"prohibited:", 0, MTLS_TLSMUX_NOT_ALLOWED},
        {"unknown-host:", 0, MTLS_TLSMUX_HOST_UNREACHABLE},
        {"connect-failed:", ECONNREFUSED, MTLS_TLSMUX_CONNECTION_REFUSED},
        {"connect-failed:", ENETUNREACH, MTLS_TLSMUX_NETWORK_UNREACHABLE},
        {"connect-failed:", EHOSTUNREACH, MTLS_TLSMUX_HOST_UNREACHABLE},
        {"connect-failed:", ETIMEDOUT, MTLS_TLSMUX_TTL_EXPIRED},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        size_t n = strlen(table[i].word);

        if (strncmp(why, table[i].word, n) == 0 &&
            (table[i].error == 0 ||
             strcmp(why + n + (why[n] == ' '), strerror(table[i].error)) == 0))
            return table[i].reply;
    }
    return MTLS_TLSMUX_FAILURE;
}

/* --- its beginning ----------------------------------------------------------
 */

static BIO *make_stack(int fd)
{
    BIO *socket = BIO_new_socket(fd, BIO_NOCLOSE);
    BIO *filter = BIO_new(BIO_f_tlsmux());

    if (socket == NULL || filter == NULL ||
        !BIO_tlsmux_set_role(filter, MTLS_ROLE_SERVER)) {
        BIO_free(socket);
        BIO_free(filter);
        return NULL;
    }
    return BIO_push(filter, socket);
}

void socks_drain(struct app *app)
{
    struct socks *s, *next;

    for (s = TAILQ_FIRST(&app->socks); s != NULL; s = next) {
        next = TAILQ_NEXT(s, node);
        if (s->state == SOCKS_REQUEST || s->state == SOCKS_LINGERS)
            destroy(s, 0);
        else if (s->state == SOCKS_HELD)
            end(s); /* datagrams have no end to wait for */
    }
}

void socks_abandon(struct app *app)
{
    struct socks *s;

    while ((s = TAILQ_FIRST(&app->socks)) != NULL)
        end(s);
}

int socks_new(struct app *app, int fd, const char *source,
              const struct socks_ops *ops, void *owner)
{
    struct socks *s = calloc(1, sizeof(*s));

    if (s == NULL || (s->b = make_stack(fd)) == NULL ||
        uv_poll_init(&app->loop, &s->poll, fd) != 0) {
        if (s != NULL)
            BIO_free_all(s->b);
        free(s);
        close(fd);
        return 0;
    }
    uv_timer_init(&app->loop, &s->timer);
    s->poll.data = s->timer.data = s;
    s->open_handles = 2;
    s->app = app;
    s->fd = fd;
    s->ops = ops;
    s->owner = owner;
    text_copy(s->source, sizeof(s->source), source);
    app->n_others++;
    TAILQ_INSERT_TAIL(&app->socks, s, node);
    uv_timer_start(&s->timer, on_timer, REQUEST_MS, 0);
    wait_for(s, UV_READABLE);
    return 1;
}
