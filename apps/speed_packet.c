/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed idle: what a packet costs while many channels are idle, beside
 * the same traffic on a session of few. Rounds of a piece on each of a few
 * channels, spread over all that there are, go as one record.
 */
#include "speed.h"

#include "report.h"
#include "speed_pour.h"

#include <mtls/bio_mtls.h>
#include <stdio.h>
#include <stdlib.h>

#define FEW 10
#define MANY 30000
#define PIECE 64
/* Enough for many channels to have windows as large as few. */
#define ROOMY (65536L * (MANY + FEW))

struct session {
    size_t n;
    struct speed_pair pair;
    BIO **near;
    BIO **far;
};

struct packet {
    const struct speed *s;
    int roomy;
    struct session sessions[2];
    char *room;
};

static int open_all(struct session *d, const struct packet *k)
{
    d->near = calloc(d->n, sizeof(BIO *));
    d->far = calloc(d->n, sizeof(BIO *));
    if (d->near == NULL || d->far == NULL ||
        !speed_pair_new(&d->pair, k->s, SPEED_MTLS, SPEED_POUR_ROOM))
        return 0;
    if (k->roomy && (BIO_mtls_set_session_memory(d->pair.client, ROOMY) <= 0 ||
                     BIO_mtls_set_session_memory(d->pair.server, ROOMY) <= 0))
        return 0;
    return speed_pair_handshake(&d->pair) &&
           speed_pair_open(&d->pair, d->near, d->far, d->n) &&
           BIO_mtls_set_cork(d->pair.client, 1) > 0;
}

static int begin(void *state)
{
    struct packet *k = state;

    k->room = malloc(SPEED_POUR_ROOM);
    k->sessions[SPEED_MTLS].n = MANY;
    k->sessions[SPEED_BASE].n = FEW;
    if (k->room != NULL && open_all(&k->sessions[SPEED_MTLS], k) &&
        open_all(&k->sessions[SPEED_BASE], k))
        return 1;
    report_error("no sessions with many channels");
    return 0;
}

static int slice(void *state, enum speed_side side, double metrics[])
{
    static const char piece[PIECE];
    struct packet *k = state;
    struct session *d = &k->sessions[side];
    BIO *near[FEW];
    BIO *far[FEW];
    struct speed_pour t = {.pair = &d->pair,
                           .near = near,
                           .far = far,
                           .n = FEW,
                           .way = SPEED_ROUND,
                           .octets = PIECE,
                           .piece = piece,
                           .room = k->room};
    double seconds;

    for (size_t i = 0; i < FEW; i++) {
        near[i] = d->near[i * (d->n / FEW)];
        far[i] = d->far[i * (d->n / FEW)];
    }
    seconds = speed_pour(&t, k->s->seconds);
    metrics[0] = seconds * 1e9 / ((double)t.sent / PIECE);
    return seconds > 0;
}

static int measure(const struct speed *s, const char *name, int roomy)
{
    struct packet k = {.s = s, .roomy = roomy};
    struct speed_test test = {begin, slice, &k, SPEED_FOR_A_RUN};
    struct speed_row row = {"idle", name, PIECE, "ns", "few"};
    struct speed_result r;

    speed_progress(s, row.mode, name, PIECE);
    if (!speed_measure(s, &test, &r))
        return 0;
    speed_report(s, &row, &r, 0);
    return 1;
}

int speed_packet(const struct speed *s)
{
    return measure(s, "packet", 1) && measure(s, "packet-tight", 0);
}
