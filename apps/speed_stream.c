/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_stream.h"

#include <mtls/bio_mtls.h>
#include <poll.h>

/* Octets between two looks at the clock. */
#define STRIDE 65536

int speed_write(BIO *to, const char *p, size_t len)
{
    while (len > 0) {
        int n = BIO_write(to, p, (int)len);

        if (n <= 0)
            return 0;
        p += n;
        len -= (size_t)n;
    }
    return 1;
}

/* A piece on each lane. */
static int send_round(struct speed_stream *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (!speed_write(t->lanes[i], t->piece, t->octets))
            return 0;
    return t->cork != SPEED_ROUND || BIO_flush(t->top) > 0;
}

int speed_stream_send(struct speed_stream *t, double seconds)
{
    double until = speed_now() + seconds;
    size_t rounds = STRIDE / (t->octets * t->n) + 1;
    int ok;

    do {
        for (size_t i = 0; i < rounds; i++)
            if (!send_round(t))
                return 0;
        if (t->cork == SPEED_STRIDE && BIO_flush(t->top) <= 0)
            return 0;
    } while (speed_now() < until);
    t->piece[t->octets - 1] = 1;
    ok = send_round(t) && (t->cork != SPEED_STRIDE || BIO_flush(t->top) > 0);
    t->piece[t->octets - 1] = 0;
    return ok;
}

/* Adds up what is read; the number of lanes that have ended with it. */
static size_t count(const struct speed_stream *t, struct speed_amount *a, int n)
{
    if (a->octets == 0)
        a->seconds = -speed_now(); /* the time of the end will be added */
    a->octets += n;
    return t->piece[n - 1] == 1;
}

static int receive_one(struct speed_stream *t, struct speed_amount *a)
{
    int n;

    do {
        n = BIO_read(t->lanes[0], t->piece, (int)t->octets);
    } while (n > 0 && !count(t, a, n));
    return n > 0;
}

static void await(BIO *mtls)
{
    struct pollfd fd = {.fd = (int)BIO_get_fd(mtls, NULL), .events = POLLIN};

    if (BIO_should_write(mtls))
        fd.events |= POLLOUT;
    poll(&fd, 1, -1);
}

static int receive_many(struct speed_stream *t, struct speed_amount *a)
{
    size_t ended = 0;
    int events;
    BIO *b;

    while (ended < t->n) {
        int r = BIO_mtls_process(t->top);
        int served = 0;

        for (; (b = BIO_mtls_next_ready(t->top, &events)) != NULL; served++) {
            int n = BIO_read(b, t->piece, (int)t->octets);

            if (n > 0)
                ended += count(t, a, n);
            else if (!BIO_should_retry(b))
                return 0;
        }
        if (r <= 0)
            return 0;
        if (r == 1 && !served)
            await(t->top);
    }
    return 1;
}

int speed_stream_receive(struct speed_stream *t, struct speed_amount *a)
{
    int ok;

    a->octets = a->seconds = 0;
    ok = t->n > 1 ? receive_many(t, a) : receive_one(t, a);
    a->seconds += speed_now();
    return ok;
}
