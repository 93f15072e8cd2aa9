/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed throughput, in memory. Raw TLS is one write a piece, read at
 * once; so are the rows "memory". The others let pieces gather: corked on one
 * channel, or on many, or put by BIO_nwrite() into the record itself.
 */
#include "speed_memory.h"

#include "report.h"
#include "speed_pour.h"

#include <mtls/bio_mtls.h>
#include <stdlib.h>

#define MANY 100
/*
 * As the content of OpenSSL's records, past a multiple of 16: from elsewhere
 * raw TLS's copies may crawl (doc/performance.md), and flatter us.
 */
#define OFFSET 8

struct memory {
    const struct speed *s;
    size_t octets; /* of a piece */
    enum speed_way way;
    size_t n_channels;
    struct speed_pair pairs[2];
    BIO **near; /* the channels */
    BIO **far;
    char *piece;
    char *room;
};

static int slice(void *state, enum speed_side side, double metrics[])
{
    struct memory *m = state;
    const struct speed_pair *p = &m->pairs[side];
    struct speed_pour t = {.pair = p,
                           .near = &p->client,
                           .far = &p->server,
                           .n = 1,
                           .way = SPEED_WRITE,
                           .octets = m->octets,
                           .piece = m->piece,
                           .room = m->room};
    double seconds;

    if (side == SPEED_MTLS) {
        t.near = m->near;
        t.far = m->far;
        t.n = m->n_channels;
        t.way = m->way;
    }
    seconds = speed_pour(&t, m->s->seconds);
    metrics[0] = seconds > 0 ? (double)t.received / seconds / 1e6 : 0;
    return seconds > 0;
}

static int begin(void *state)
{
    struct memory *m = state;

    m->near = calloc(m->n_channels, sizeof(*m->near));
    m->far = calloc(m->n_channels, sizeof(*m->far));
    m->piece = calloc(1, OFFSET + m->octets);
    m->room = malloc(OFFSET + SPEED_POUR_ROOM);
    if (m->near == NULL || m->far == NULL || m->piece == NULL ||
        m->room == NULL) {
        report_error("no memory");
        return 0;
    }
    m->piece += OFFSET;
    m->room += OFFSET;
    for (int i = 0; i < 2; i++)
        if (!speed_pair_new(&m->pairs[i], m->s, (enum speed_side)i,
                            SPEED_POUR_ROOM) ||
            !speed_pair_handshake(&m->pairs[i]))
            return 0;
    if (!speed_pair_open(&m->pairs[SPEED_MTLS], m->near, m->far, m->n_channels))
        return 0;
    return m->way != SPEED_FILL ||
           BIO_mtls_set_cork(m->pairs[SPEED_MTLS].client, 1) > 0;
}

static int measure(const struct speed *s, const char *name, enum speed_way way,
                   size_t n_channels, int64_t octets)
{
    struct memory m = {
        .s = s, .octets = (size_t)octets, .way = way, .n_channels = n_channels};
    struct speed_test test = {begin, slice, &m, SPEED_FOR_A_RUN};
    struct speed_row row = {"throughput", name, octets, "MB/s", "raw"};
    struct speed_result r;

    speed_progress(s, row.mode, name, octets);
    if (!speed_measure(s, &test, &r))
        return 0;
    speed_report(s, &row, &r, 0);
    return 1;
}

int speed_memory(const struct speed *s)
{
    static const struct {
        const char *name;
        enum speed_way way;
        size_t n_channels;
        int64_t octets[6]; /* without -bytes; 0 ends them */
    } rows[] = {
        {"memory", SPEED_WRITE, 1, {64, 256, 1024, 4096, 16384}},
        {"memory-lent", SPEED_LEND, 1, {16384}},
        {"memory-corked", SPEED_FILL, 1, {64, 256, 1024, 4096}},
        {"memory-many", SPEED_FILL, MANY, {64, 256, 1024, 4096}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int k = 0; rows[i].octets[k] != 0; k++) {
            int64_t octets = s->o.bytes > 0 ? s->o.bytes : rows[i].octets[k];

            if (!measure(s, rows[i].name, rows[i].way, rows[i].n_channels,
                         octets))
                return 0;
            if (s->o.bytes > 0)
                break;
        }
    }
    return 1;
}
