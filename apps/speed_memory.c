/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed throughput, in memory: pieces from one end of a connection to the
 * other, both in one thread. Raw TLS is one write a piece, read at once; so
 * are the rows "memory". The others let pieces gather: corked on one channel,
 * or on many, or put by BIO_nwrite() into the record itself.
 */
#include "speed_memory.h"

#include "report.h"
#include "speed_pair.h"

#include <mtls/bio_mtls.h>
#include <stdlib.h>
#include <string.h>

/* The largest record's octets, a packet's header, records of a batch. */
#define RECORD 16384
#define HEADER 9
#define BATCH 4
/* What the BIO pair holds: more than a batch. */
#define ROOM 262144
/* Octets between two looks at the clock. */
#define STRIDE 65536

enum way {
    WAY_WRITE,  /* each piece is sent and read */
    WAY_CORKED, /* pieces fill a few records, then are sent and read */
    WAY_LENT    /* records lent by BIO_nwrite(), read by BIO_nread() */
};

struct memory {
    const struct speed *s;
    size_t octets; /* of a piece */
    enum way way;
    size_t n_channels;
    struct speed_pair pairs[2];
    BIO **near; /* the channels, or the one SSL BIO */
    BIO **far;
    char *piece;
    char *room;
};

/* Where one side's octets go. */
struct stream {
    BIO *client, *server; /* the pair's */
    BIO **near, **far;
    size_t n;
    const struct memory *m;
    uint64_t sent;
    uint64_t received;
};

/* --- reading ---------------------------------------------------------------
 */

/* All that waits on one BIO; 0 when it failed. */
static int read_one(struct stream *t, BIO *from)
{
    int n;

    while ((n = BIO_read(from, t->m->room, STRIDE)) > 0) {
        t->received += (uint64_t)n;
        if (t->received == t->sent)
            return 1;
    }
    return BIO_should_retry(from);
}

static int read_ready(struct stream *t)
{
    int events;
    BIO *b;

    if (BIO_mtls_process(t->server) <= 0)
        return 0;
    while ((b = BIO_mtls_next_ready(t->server, &events)) != NULL)
        if (b != t->server && !read_one(t, b))
            return 0;
    return 1;
}

/* Looks at what is lent, and gives it back read. */
static int read_lent(struct stream *t)
{
    char *lent;
    int n;

    while ((n = BIO_nread(t->far[0], &lent, RECORD)) > 0) {
        t->received += (uint64_t)n;
        if (t->received == t->sent)
            return 1;
    }
    return BIO_should_retry(t->far[0]);
}

static int read_all(struct stream *t)
{
    while (t->received < t->sent) {
        uint64_t before = t->received;
        int ok = t->n > 1 ? read_ready(t)
                 : t->m->way == WAY_LENT && t->client != t->near[0]
                     ? read_lent(t)
                     : read_one(t, t->far[0]);

        if (!ok || t->received == before)
            return 0;
    }
    return 1;
}

/* --- writing ---------------------------------------------------------------
 */

/* The peer reads, and what it says to that is taken in. */
static int make_room(struct stream *t)
{
    if (t->client != t->near[0] && BIO_mtls_process(t->client) <= 0)
        return 0;
    if (!read_all(t))
        return 0;
    return t->client == t->near[0] || BIO_mtls_process(t->client) > 0;
}

static int write_piece(struct stream *t, BIO *to)
{
    size_t done = 0;

    while (done < t->m->octets) {
        int n = BIO_write(to, t->m->piece + done, (int)(t->m->octets - done));

        if (n > 0) {
            done += (size_t)n;
            t->sent += (size_t)n;
        } else if (!BIO_should_retry(to) || !make_room(t)) {
            return 0;
        }
    }
    return 1;
}

/* What is lent has what was in it: raw TLS does not make its piece either. */
static int write_lent(struct stream *t, BIO *to)
{
    int want = t->m->octets < RECORD ? (int)t->m->octets : RECORD;
    char *lent;
    int n;

    while ((n = BIO_nwrite(to, &lent, want)) <= 0)
        if (!BIO_should_retry(to) || !make_room(t))
            return 0;
    t->sent += (size_t)n;
    return BIO_flush(to) > 0;
}

static int write_batch(struct stream *t)
{
    size_t pieces = BATCH * RECORD / (t->m->octets + HEADER);

    if (pieces == 0)
        pieces = 1;
    for (size_t i = 0; i < pieces; i++)
        if (!write_piece(t, t->near[i % t->n]))
            return 0;
    return BIO_flush(t->client) > 0;
}

/* --- the test --------------------------------------------------------------
 */

static int step(struct stream *t, enum way way)
{
    int ok = way == WAY_CORKED ? write_batch(t)
             : way == WAY_LENT ? write_lent(t, t->near[0])
                               : write_piece(t, t->near[0]);

    return ok && read_all(t);
}

static int run(struct stream *t, enum way way, double metrics[])
{
    double start = speed_now();
    double now = start;

    while (now - start < t->m->s->seconds) {
        uint64_t until = t->sent + STRIDE;

        if (t->m->octets < 1024)
            until = t->sent + 64 * t->m->octets;
        while (t->sent < until) {
            if (!step(t, way)) {
                report_error("octets were lost in memory");
                return 0;
            }
        }
        now = speed_now();
    }
    metrics[0] = (double)t->received / (now - start) / 1e6;
    return 1;
}

static int slice(void *state, enum speed_side side, double metrics[])
{
    struct memory *m = state;
    struct speed_pair *p = &m->pairs[side];
    struct stream t = {
        .client = p->client, .server = p->server, .n = 1, .m = m};

    if (side == SPEED_BASE) {
        t.near = &p->client;
        t.far = &p->server;
        return run(&t, WAY_WRITE, metrics);
    }
    t.near = m->near;
    t.far = m->far;
    t.n = m->n_channels;
    return run(&t, m->way, metrics);
}

static int begin(void *state)
{
    struct memory *m = state;

    m->near = calloc(m->n_channels, sizeof(*m->near));
    m->far = calloc(m->n_channels, sizeof(*m->far));
    m->piece = calloc(1, m->octets);
    m->room = malloc(STRIDE);
    if (m->near == NULL || m->far == NULL || m->piece == NULL ||
        m->room == NULL) {
        report_error("no memory");
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (!speed_pair_new(&m->pairs[i], m->s, (enum speed_side)i, ROOM) ||
            !speed_pair_handshake(&m->pairs[i]))
            return 0;
    if (!speed_pair_open(&m->pairs[SPEED_MTLS], m->near, m->far, m->n_channels))
        return 0;
    return m->way != WAY_CORKED ||
           BIO_mtls_set_cork(m->pairs[SPEED_MTLS].client, 1) > 0;
}

static void end(void *state)
{
    struct memory *m = state;

    for (size_t i = 0; i < m->n_channels; i++) {
        BIO_free(m->near != NULL ? m->near[i] : NULL);
        BIO_free(m->far != NULL ? m->far[i] : NULL);
    }
    speed_pair_free(&m->pairs[SPEED_MTLS]);
    speed_pair_free(&m->pairs[SPEED_BASE]);
    free(m->near);
    free(m->far);
    free(m->piece);
    free(m->room);
}

static int measure(const struct speed *s, const char *name, enum way way,
                   size_t n_channels, int64_t octets)
{
    struct memory m = {
        .s = s, .octets = (size_t)octets, .way = way, .n_channels = n_channels};
    struct speed_test test = {begin, slice, end, &m};
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
        enum way way;
        size_t n_channels;
        int64_t octets[6]; /* without -bytes; 0 ends them */
    } rows[] = {
        {"memory", WAY_WRITE, 1, {64, 256, 1024, 4096, 16384}},
        {"memory-lent", WAY_LENT, 1, {16384}},
        {"memory-corked", WAY_CORKED, 1, {64, 256, 1024, 4096}},
        {"memory-many", WAY_CORKED, 100, {64, 256, 1024, 4096}},
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
