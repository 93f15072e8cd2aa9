/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The first process sends, the second counts and tells by the control socket.
 * Raw TLS blocks at both ends. So does MTLS, but where several channels are
 * read: those wait in one poll().
 */
#include "speed_bulk.h"

#include "report.h"
#include "speed_process.h"
#include "speed_stream.h"

#include <mtls/bio_mtls.h>
#include <stdlib.h>
#include <sys/resource.h>

/* What a reader has room for. */
#define ROOM 65536

struct bulk {
    const struct speed_bulk *b;
    struct speed_tcp tcp;
    BIO *top[2];
    BIO **lanes; /* of MTLS */
    char *piece;
};

/* What the second process tells of a slice. */
struct report {
    struct speed_amount amount;
    double cpu;
};

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct speed_stream stream_of(struct bulk *k, enum speed_side side)
{
    struct speed_stream t = {.top = k->top[side],
                             .lanes = &k->top[side],
                             .n = 1,
                             .piece = k->piece,
                             .octets = k->b->octets};

    if (side == SPEED_MTLS) {
        t.lanes = k->lanes;
        t.n = k->b->n_channels;
        t.cork = k->b->cork;
    }
    return t;
}

/* --- the second process ----------------------------------------------------
 */

static int accept_channels(struct bulk *k)
{
    for (size_t i = 0; i < k->b->n_channels; i++) {
        k->lanes[i] = BIO_mtls_accept_channel(k->top[SPEED_MTLS]);
        if (k->lanes[i] == NULL || BIO_do_handshake(k->lanes[i]) <= 0)
            return 0;
        if (k->b->n_channels > 1)
            BIO_set_nbio(k->lanes[i], 1);
    }
    return 1;
}

static int serve(struct speed_tcp *tcp, void *state)
{
    struct bulk *k = state;
    unsigned char side;

    for (int i = 0; i < 2; i++) {
        k->top[i] = speed_tcp_bio(tcp, i, k->b->s, (enum speed_side)i, 1);
        if (k->top[i] == NULL)
            return 0;
    }
    if (!accept_channels(k))
        return 0;
    while (speed_get(tcp->control, &side, 1)) {
        struct speed_stream t = stream_of(k, (enum speed_side)side);
        struct report told = {.cpu = -cpu_seconds()};

        t.octets = ROOM;
        if (!speed_stream_receive(&t, &told.amount)) {
            report_error("the connection broke");
            return 0;
        }
        told.cpu += cpu_seconds();
        if (!speed_put(tcp->control, &told, sizeof(told)))
            return 0;
    }
    return 1;
}

/* --- the first -------------------------------------------------------------
 */

static int send_for(struct bulk *k, enum speed_side side, double seconds,
                    struct report *told)
{
    struct speed_stream t = stream_of(k, side);
    unsigned char command = (unsigned char)side;
    double cpu = cpu_seconds();

    if (!speed_put(k->tcp.control, &command, 1) ||
        !speed_stream_send(&t, seconds)) {
        report_error("the connection broke");
        return 0;
    }
    cpu = cpu_seconds() - cpu;
    if (!speed_get(k->tcp.control, told, sizeof(*told)))
        return 0;
    told->cpu += cpu;
    return 1;
}

static int slice(void *state, enum speed_side side, double metrics[])
{
    struct bulk *k = state;
    struct report told;

    if (!send_for(k, side, k->b->s->seconds, &told))
        return 0;
    metrics[SPEED_BULK_MB] = told.amount.octets / told.amount.seconds / 1e6;
    metrics[SPEED_BULK_CPU] = told.cpu / (told.amount.octets / 1e9);
    return 1;
}

static int open_channels(struct bulk *k)
{
    for (size_t i = 0; i < k->b->n_channels; i++) {
        k->lanes[i] = BIO_new_mtls_channel(k->top[SPEED_MTLS], "localhost:7");
        if (k->lanes[i] == NULL || BIO_do_connect(k->lanes[i]) <= 0) {
            report_error("a channel can't be opened");
            return 0;
        }
    }
    return k->b->cork == SPEED_AT_ONCE ||
           BIO_mtls_set_cork(k->top[SPEED_MTLS], 1) > 0;
}

static int begin(void *state)
{
    struct bulk *k = state;
    struct report told;

    k->lanes = calloc(k->b->n_channels, sizeof(*k->lanes));
    k->piece = calloc(1, k->b->octets > ROOM ? k->b->octets : ROOM);
    if (k->lanes == NULL || k->piece == NULL) {
        report_error("no memory");
        return 0;
    }
    if (!speed_tcp_start(&k->tcp, 2, k->b->between, serve, k))
        return 0;
    for (int i = 0; i < 2; i++) {
        k->top[i] = speed_tcp_bio(&k->tcp, i, k->b->s, (enum speed_side)i, 0);
        if (k->top[i] == NULL)
            return 0;
    }
    if (!open_channels(k))
        return 0;
    return k->b->settle <= 0 || (send_for(k, SPEED_BASE, k->b->settle, &told) &&
                                 send_for(k, SPEED_MTLS, k->b->settle, &told));
}

int speed_bulk_measure(const struct speed_bulk *b, struct speed_result *r)
{
    struct bulk k = {.b = b};
    struct speed_test test = {begin, slice, &k, b->life};

    return speed_measure(b->s, &test, r);
}
