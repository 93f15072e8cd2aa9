/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "stdio_udp.h"
#include "datagrams.h"
#include "link.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* How long nothing must have come, once all has been said: twice, so that a
 * program which was stopped for a while hears what came meanwhile. */
#define LINGER_MS 500
/* What may wait for a slow reader of our output; then datagrams are lost. */
#define OUTPUT (256 * 1024)
#define LONGEST 16384

struct stdio_udp {
    struct local *local;
    struct datagrams *channel;
    struct app *app;
    forward_done *done;
    void *arg;
    uv_timer_t timer;
    int open, ended, silent;
    char in[LONGEST];
    size_t n_in;
    char out[OUTPUT];
    size_t n_out;
};

/* --- the end ----------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void finish(struct stdio_udp *s, enum chan_end how, const char *why)
{
    s->local->ops->close(s->local);
    uv_close((uv_handle_t *)&s->timer, on_closed);
    s->done(s->arg, how, why);
}

static void on_ended(void *arg, enum chan_end how, const char *why)
{
    finish(arg, how, why);
}

static void on_silence(uv_timer_t *timer)
{
    struct stdio_udp *s = timer->data;

    if (!s->silent || s->n_out > 0 || datagrams_full(s->channel)) {
        s->silent = 1;
        uv_timer_start(timer, on_silence, LINGER_MS, 0);
        return;
    }
    datagrams_close(s->channel);
    finish(s, CHAN_ENDED, "");
}

static void linger(struct stdio_udp *s)
{
    s->silent = 0;
    if (s->ended && s->open)
        uv_timer_start(&s->timer, on_silence, LINGER_MS, 0);
}

/* --- output -----------------------------------------------------------------
 */

static void want(struct stdio_udp *s)
{
    int in = s->open && !s->ended && !datagrams_full(s->channel);

    s->local->ops->want(s->local,
                        (in ? LOCAL_IN : 0) | (s->n_out > 0 ? LOCAL_OUT : 0));
}

static void flush(struct stdio_udp *s)
{
    ssize_t n =
        s->n_out > 0 ? s->local->ops->write(s->local, s->out, s->n_out, 0) : 0;

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        n = (ssize_t)s->n_out; /* nobody reads it */
    if (n > 0) {
        s->n_out -= (size_t)n;
        memmove(s->out, s->out + n, s->n_out);
    }
}

static void to_output(void *arg, const void *p, size_t n)
{
    struct stdio_udp *s = arg;

    if (n <= sizeof(s->out) - s->n_out) {
        memcpy(s->out + s->n_out, p, n);
        s->n_out += n;
        flush(s);
    }
    linger(s);
    want(s);
}

/* --- input ------------------------------------------------------------------
 */

/* The next datagram of what was read: a line, or as much as one takes, or the
 * rest at the end. 0: there is none yet. */
static size_t next_line(const struct stdio_udp *s)
{
    size_t limit = datagrams_limit(s->channel);
    const char *end = memchr(s->in, '\n', s->n_in);
    size_t n = end != NULL ? (size_t)(end + 1 - s->in) : s->n_in;

    if (limit == 0 || limit > sizeof(s->in))
        limit = sizeof(s->in);
    if (n > limit)
        return limit;
    return end != NULL || n == limit || s->ended ? n : 0;
}

static void send_lines(struct stdio_udp *s)
{
    size_t n;

    while (!datagrams_full(s->channel) && (n = next_line(s)) > 0) {
        datagrams_send(s->channel, s->in, n);
        s->n_in -= n;
        memmove(s->in, s->in + n, s->n_in);
    }
    if (s->n_in == 0)
        linger(s);
    want(s);
}

static void read_input(struct stdio_udp *s)
{
    ssize_t n =
        s->local->ops->read(s->local, s->in + s->n_in, sizeof(s->in) - s->n_in);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        s->n_in += (size_t)n;
    else
        s->ended = 1;
    send_lines(s);
}

static void on_local(struct local *local, int events)
{
    struct stdio_udp *s = local->owner;

    if ((events & LOCAL_OUT) != 0)
        flush(s);
    if ((events & LOCAL_IN) != 0 && s->n_in < sizeof(s->in))
        read_input(s);
    want(s);
}

static void on_room(void *arg)
{
    send_lines(arg);
}

static void on_opened(void *arg)
{
    struct stdio_udp *s = arg;

    s->open = 1;
    if (s->channel != NULL)
        want(s);
}

static const struct datagrams_ops ops = {to_output, on_opened, on_room,
                                         on_ended};

/* --- life -------------------------------------------------------------------
 */

struct local *stdio_udp_new(struct link *k, const char *destination,
                            forward_done *done, void *arg)
{
    struct stdio_udp *s = calloc(1, sizeof(*s));

    if (s == NULL || (s->local = local_stdio_new(k->app)) == NULL) {
        free(s);
        return NULL;
    }
    s->local->owner = s;
    s->local->ready = on_local;
    s->app = k->app;
    s->done = done;
    s->arg = arg;
    uv_timer_init(&k->app->loop, &s->timer);
    s->timer.data = s;
    s->channel = datagrams_open(k, destination, NULL, &ops, s);
    if (s->channel == NULL) {
        s->local->ops->close(s->local);
        uv_close((uv_handle_t *)&s->timer, on_closed);
        return NULL;
    }
    datagrams_keep(s->channel);
    want(s);
    return s->local;
}
