/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed idle: what an idle channel takes after it was used, beside an
 * idle SSL object.
 */
#include "speed.h"

#include "report.h"
#include "speed_pair.h"

#include <malloc.h>
#include <mtls/bio_mtls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 1000
#define PIECE 64
/* Descriptors that are needed for something else. */
#define OTHERS 64

enum {
    HEAP,
    RESIDENT
};

/* Connections, or channels: near[i] and far[i] are the two ends of each. */
struct idle {
    const struct speed *s;
    size_t n;
    struct speed_pair pair;
    BIO **near;
    BIO **far;
};

/* --- memory ----------------------------------------------------------------
 */

static double resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    char line[80] = "";
    const char *pages = line;

    if (f != NULL && fgets(line, sizeof(line), f) != NULL)
        pages += strcspn(line, " "); /* past those that are not */
    if (f != NULL)
        fclose(f);
    return strtod(pages, NULL) * (double)sysconf(_SC_PAGESIZE);
}

/*
 * All that malloc() has given out, OpenSSL's and the core's alike, with what
 * it takes itself. Where it does not tell, as under sanitizers, what is
 * resident.
 */
static double heap(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 now = mallinfo2();

    if (now.uordblks > 0)
        return (double)now.uordblks + (double)now.hblkhd;
#endif
    return resident();
}

/* A piece each way; what comes with it is taken in too. */
static int use(BIO *near, BIO *far)
{
    char piece[PIECE] = {0};
    int ok = BIO_write(near, piece, PIECE) == PIECE &&
             BIO_read(far, piece, PIECE) == PIECE &&
             BIO_write(far, piece, PIECE) == PIECE &&
             BIO_read(near, piece, PIECE) == PIECE;

    if (!ok)
        report_error("what is to be idle can't be used first");
    return ok;
}

static int make_channels(struct idle *d)
{
    if (!speed_pair_open(&d->pair, d->near, d->far, d->n))
        return 0;
    for (size_t i = 0; i < d->n; i++)
        if (!use(d->near[i], d->far[i]))
            return 0;
    return BIO_mtls_process(d->pair.client) > 0 &&
           BIO_mtls_process(d->pair.server) > 0;
}

/* A connection through the kernel, where what is buffered does not count. */
static int make_connection(const struct speed *s, BIO **near, BIO **far)
{
    struct speed_pair p = {NULL, NULL};
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0) {
        report_error("no sockets");
        return 0;
    }
    p.client = *near =
        speed_tls_bio(s, SPEED_BASE, 0, BIO_new_socket(fd[0], BIO_CLOSE));
    p.server = *far =
        speed_tls_bio(s, SPEED_BASE, 1, BIO_new_socket(fd[1], BIO_CLOSE));
    return *near != NULL && *far != NULL && speed_pair_handshake(&p) &&
           use(*near, *far);
}

static int make_connections(struct idle *d)
{
    struct rlimit limit = {CONNECTIONS, CONNECTIONS};

    getrlimit(RLIMIT_NOFILE, &limit);
    d->n = CONNECTIONS;
    if (limit.rlim_cur < 2 * CONNECTIONS + OTHERS && limit.rlim_cur > OTHERS)
        d->n = ((size_t)limit.rlim_cur - OTHERS) / 2;
    for (size_t i = 0; i < d->n; i++)
        if (!make_connection(d->s, &d->near[i], &d->far[i]))
            return 0;
    return 1;
}

static int make_lists(struct idle *d)
{
    size_t room = (d->n > CONNECTIONS ? d->n : CONNECTIONS) * sizeof(BIO *);

    d->near = malloc(room);
    d->far = malloc(room);
    if (d->near == NULL || d->far == NULL) {
        report_error("no memory");
        return 0;
    }
    memset(d->near, 1, room); /* resident before anything is measured */
    memset(d->far, 1, room);
    memset(d->near, 0, room);
    memset(d->far, 0, room);
    return 1;
}

static int begin(void *state)
{
    struct idle *d = state;

    return make_lists(d) && speed_pair_new(&d->pair, d->s, SPEED_MTLS, 0) &&
           speed_pair_handshake(&d->pair);
}

static int slice(void *state, enum speed_side side, double metrics[])
{
    struct idle *d = state;
    double before[2] = {heap(), resident()};

    if (!(side == SPEED_MTLS ? make_channels(d) : make_connections(d)))
        return 0;
    metrics[HEAP] = (heap() - before[HEAP]) / (2 * (double)d->n);
    metrics[RESIDENT] = (resident() - before[RESIDENT]) / (2 * (double)d->n);
    return 1;
}

static int measure_memory(const struct speed *s, size_t n)
{
    struct idle d = {.s = s, .n = n};
    struct speed_test test = {begin, slice, &d, SPEED_FOR_A_SLICE};
    struct speed_row row = {"idle", NULL, 0, "octets", "ssl"};
    struct speed_result r;
    char name[32];

    row.name = name;
    snprintf(name, sizeof(name), "heap-%zu", n);
    speed_progress(s, row.mode, name, 0);
    if (!speed_measure(s, &test, &r))
        return 0;
    speed_report(s, &row, &r, HEAP);
    snprintf(name, sizeof(name), "resident-%zu", n);
    speed_report(s, &row, &r, RESIDENT);
    return 1;
}

int speed_idle(const struct speed *s)
{
    return measure_memory(s, 10000) && measure_memory(s, 30000) &&
           speed_packet(s);
}
