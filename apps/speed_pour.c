/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_pour.h"

#include "report.h"

#include <mtls/bio_mtls.h>

/* The largest record's octets, a packet's header, records of a batch. */
#define RECORD 16384
#define HEADER 9
#define BATCH 4
/* Between two looks at the clock: octets, but no more pieces than these. */
#define STRIDE 65536
#define PIECES 64

static int is_raw(const struct speed_pour *t)
{
    return t->near[0] == t->pair->client;
}

/* --- reading ---------------------------------------------------------------
 */

/* All that waits on one BIO, as far as it is known to; 0 when it failed. */
static int read_one(struct speed_pour *t, BIO *from)
{
    int n;

    while ((n = BIO_read(from, t->room, SPEED_POUR_ROOM)) > 0) {
        t->received += (uint64_t)n;
        if (t->received == t->sent)
            return 1;
        if (t->n > 1 && n < SPEED_POUR_ROOM) /* then that was all */
            return 1;
    }
    return BIO_should_retry(from);
}

/* Looks at what is lent, and so gives it back. */
static int read_lent(struct speed_pour *t)
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

static int read_ready(struct speed_pour *t)
{
    BIO *mtls = t->pair->server;
    int events;
    BIO *b;

    if (BIO_mtls_process(mtls) <= 0)
        return 0;
    while ((b = BIO_mtls_next_ready(mtls, &events)) != NULL)
        if (!read_one(t, b))
            return 0;
    return 1;
}

static int read_all(struct speed_pour *t)
{
    while (t->received < t->sent) {
        uint64_t before = t->received;
        int ok = t->n > 1               ? read_ready(t)
                 : t->way == SPEED_LEND ? read_lent(t)
                                        : read_one(t, t->far[0]);

        if (!ok || t->received == before)
            return 0;
    }
    return 1;
}

/* --- writing ---------------------------------------------------------------
 */

/* The other end reads, and what it says to that is taken in. */
static int make_room(struct speed_pour *t)
{
    if (is_raw(t))
        return read_all(t);
    return BIO_mtls_process(t->pair->client) > 0 && read_all(t) &&
           BIO_mtls_process(t->pair->client) > 0;
}

static int write_piece(struct speed_pour *t, BIO *to)
{
    size_t done = 0;

    while (done < t->octets) {
        int n = BIO_write(to, t->piece + done, (int)(t->octets - done));

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
static int write_lent(struct speed_pour *t)
{
    int want = t->octets < RECORD ? (int)t->octets : RECORD;
    char *lent;
    int n;

    while ((n = BIO_nwrite(t->near[0], &lent, want)) <= 0)
        if (!BIO_should_retry(t->near[0]) || !make_room(t))
            return 0;
    t->sent += (uint64_t)n;
    return BIO_flush(t->near[0]) > 0;
}

/* Each on the next channel. */
static int write_pieces(struct speed_pour *t, size_t pieces)
{
    for (; pieces > 0; pieces--) {
        if (!write_piece(t, t->near[t->next]))
            return 0;
        t->next = t->next + 1 < t->n ? t->next + 1 : 0;
    }
    return BIO_flush(t->pair->client) > 0;
}

/* No crumb that would be a record of its own. */
static size_t pieces_to_fill(const struct speed_pour *t)
{
    size_t pieces = BATCH * RECORD / (t->octets + HEADER);

    return pieces > 1 ? pieces - 1 : 1;
}

/* Writes what is to be read before more is written. */
static int write_some(struct speed_pour *t)
{
    switch (t->way) {
    case SPEED_WRITE:
        break;
    case SPEED_ROUND:
        return write_pieces(t, t->n);
    case SPEED_FILL:
        return write_pieces(t, pieces_to_fill(t));
    case SPEED_LEND:
        return write_lent(t);
    }
    return write_piece(t, t->near[0]);
}

double speed_pour(struct speed_pour *t, double seconds)
{
    uint64_t stride = t->octets * PIECES < STRIDE ? t->octets * PIECES : STRIDE;
    double start = speed_now();
    double now = start;

    while (now - start < seconds) {
        for (uint64_t until = t->sent + stride; t->sent < until;) {
            if (!write_some(t) || !read_all(t)) {
                report_error("octets got lost in memory");
                return 0;
            }
        }
        now = speed_now();
    }
    return now - start;
}
