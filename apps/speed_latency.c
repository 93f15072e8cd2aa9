/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed latency: how long small messages take to the other process and
 * back, while nothing else goes on and beside a stream that never pauses. MTLS
 * has a channel for each in one session, raw TLS a connection for each. In both
 * processes either has a thread, and calls block.
 */
#include "speed.h"

#include "report.h"
#include "speed_process.h"
#include "speed_stream.h"
#include "speed_tcp.h"

#include <mtls/bio_mtls.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGE 64
#define PIECE 16384
/* What a reader of the stream has room for. */
#define ROOM 65536
/* Answers that are measured at most; then a slice ends. */
#define ANSWERS_MAX 4000000

/* What goes on in a slice. */
enum {
    PING = 1,
    BULK = 2
};

enum {
    PING_P50,
    PING_P99,
    BESIDE_P50,
    BESIDE_P99,
    BULK_MB,
    BULK_BESIDE,
    BULK_KEPT
};

struct latency {
    const struct speed *s;
    struct speed_tcp tcp;
    BIO *mtls;
    BIO *ping[2]; /* by side */
    BIO *bulk[2];
    char *piece;
    double *answers; /* times, in seconds */
    size_t n, room;
};

/* The stream, for the thread that sends or reads it. */
struct flow {
    struct speed_stream stream;
    double seconds;
    struct speed_amount amount;
    pthread_t thread;
    int ok;
};

struct command {
    unsigned char side, what;
};

static struct flow flow_of(struct latency *l, enum speed_side side,
                           size_t octets)
{
    struct flow f = {.stream = {.top = l->bulk[side],
                                .lanes = &l->bulk[side],
                                .n = 1,
                                .piece = l->piece,
                                .octets = octets}};

    return f;
}

/* --- the second process ----------------------------------------------------
 */

/* Sends back what comes, up to the message that begins with 1. */
static int echo(BIO *b)
{
    char message[MESSAGE];
    int have = 0;

    do {
        int n = BIO_read(b, message + have, MESSAGE - have);

        if (n <= 0)
            return 0;
        have = (have + n) % MESSAGE;
        if (have == 0 && !speed_write(b, message, MESSAGE))
            return 0;
    } while (have > 0 || message[0] == 0);
    return 1;
}

static void *receive(void *arg)
{
    struct flow *f = arg;

    f->ok = speed_stream_receive(&f->stream, &f->amount);
    return NULL;
}

static int answer(struct latency *l, struct command c)
{
    struct flow f = flow_of(l, (enum speed_side)c.side, ROOM);
    int ok = 1;

    if (c.what == BULK)
        receive(&f);
    else if ((c.what & BULK) &&
             pthread_create(&f.thread, NULL, receive, &f) != 0)
        return 0;
    if (c.what & PING)
        ok = echo(l->ping[c.side]);
    if (c.what == (BULK | PING))
        pthread_join(f.thread, NULL);
    return ok && (!(c.what & BULK) || f.ok) &&
           speed_put(l->tcp.control, &f.amount, sizeof(f.amount));
}

static BIO *accept_channel(struct latency *l)
{
    BIO *channel = BIO_mtls_accept_channel(l->mtls);

    if (channel != NULL && BIO_do_handshake(channel) > 0)
        return channel;
    BIO_free(channel);
    return NULL;
}

static int serve(struct speed_tcp *tcp, void *state)
{
    struct latency *l = state;
    const struct speed *s = l->s;
    struct command c;
    int ok;

    l->tcp = *tcp;
    ok = (l->mtls = speed_tcp_bio(tcp, 0, s, SPEED_MTLS, 1)) != NULL &&
         (l->ping[SPEED_BASE] = speed_tcp_bio(tcp, 1, s, SPEED_BASE, 1)) !=
             NULL &&
         (l->bulk[SPEED_BASE] = speed_tcp_bio(tcp, 2, s, SPEED_BASE, 1)) !=
             NULL &&
         (l->ping[SPEED_MTLS] = accept_channel(l)) != NULL &&
         (l->bulk[SPEED_MTLS] = accept_channel(l)) != NULL;
    while (ok && speed_get(tcp->control, &c, sizeof(c)))
        ok = answer(l, c);
    if (!ok)
        report_error("the connection broke");
    return ok;
}

/* --- the first -------------------------------------------------------------
 */

static int keep(struct latency *l, double seconds)
{
    if (l->n == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 1024;
        double *grown = realloc(l->answers, room * sizeof(*grown));

        if (grown == NULL)
            return 0;
        l->answers = grown;
        l->room = room;
    }
    l->answers[l->n++] = seconds;
    return 1;
}

static int ping_once(BIO *b, char first)
{
    char message[MESSAGE] = {first};
    int have = 0;

    if (!speed_write(b, message, MESSAGE))
        return 0;
    while (have < MESSAGE) {
        int n = BIO_read(b, message + have, MESSAGE - have);

        if (n <= 0)
            return 0;
        have += n;
    }
    return 1;
}

/* One after the other; the last is not measured. */
static int ping(struct latency *l, BIO *b, double until)
{
    double now = speed_now();

    l->n = 0;
    do {
        double start = now;

        if (!ping_once(b, 0))
            return 0;
        now = speed_now();
        if (!keep(l, now - start))
            return 0;
    } while (now < until && l->n < ANSWERS_MAX);
    speed_sort(l->answers, l->n);
    return ping_once(b, 1);
}

static void *send_bulk(void *arg)
{
    struct flow *f = arg;

    f->ok = speed_stream_send(&f->stream, f->seconds);
    return NULL;
}

/* The stream is under way before the first message, and until the last. */
static int both(struct latency *l, enum speed_side side, struct flow *f)
{
    double seconds = f->seconds;
    double start = speed_now();
    struct timespec tenth = {(time_t)(seconds / 10),
                             (long)(seconds * 1e8) % 1000000000L};
    int ok;

    if (pthread_create(&f->thread, NULL, send_bulk, f) != 0)
        return 0;
    nanosleep(&tenth, NULL);
    ok = ping(l, l->ping[side], start + 0.9 * seconds);
    pthread_join(f->thread, NULL);
    return ok && f->ok;
}

/* One part of a slice; what it says goes to |amount| and the answers. */
static int part(struct latency *l, enum speed_side side, int what,
                double seconds, struct speed_amount *amount)
{
    struct command c = {(unsigned char)side, (unsigned char)what};
    struct flow f = flow_of(l, side, PIECE);
    int ok = speed_put(l->tcp.control, &c, sizeof(c));

    f.seconds = seconds;
    if (ok && what == PING)
        ok = ping(l, l->ping[side], speed_now() + f.seconds);
    else if (ok && what == BULK)
        ok = speed_stream_send(&f.stream, f.seconds);
    else if (ok)
        ok = both(l, side, &f);
    if (!ok || !speed_get(l->tcp.control, amount, sizeof(*amount))) {
        report_error("the connection broke");
        return 0;
    }
    return 1;
}

static int slice(void *state, enum speed_side side, double metrics[])
{
    struct latency *l = state;
    double seconds = l->s->seconds;
    struct speed_amount none, alone, beside;

    if (!part(l, side, PING, seconds, &none))
        return 0;
    metrics[PING_P50] = speed_quantile(l->answers, l->n, 0.5) * 1e6;
    metrics[PING_P99] = speed_quantile(l->answers, l->n, 0.99) * 1e6;
    if (!part(l, side, BULK, SPEED_SETTLE, &none) ||
        !part(l, side, BULK, seconds, &alone) ||
        !part(l, side, BULK | PING, seconds, &beside))
        return 0;
    metrics[BESIDE_P50] = speed_quantile(l->answers, l->n, 0.5) * 1e6;
    metrics[BESIDE_P99] = speed_quantile(l->answers, l->n, 0.99) * 1e6;
    metrics[BULK_MB] = alone.octets / alone.seconds / 1e6;
    metrics[BULK_BESIDE] = beside.octets / beside.seconds / 1e6;
    metrics[BULK_KEPT] = metrics[BULK_BESIDE] / metrics[BULK_MB];
    return 1;
}

static BIO *open_channel(struct latency *l)
{
    BIO *channel = BIO_new_mtls_channel(l->mtls, "localhost:7");

    if (channel != NULL && BIO_do_connect(channel) > 0)
        return channel;
    report_error("a channel can't be opened");
    BIO_free(channel);
    return NULL;
}

static int begin(void *state)
{
    struct latency *l = state;
    const struct speed *s = l->s;
    struct speed_tcp *tcp = &l->tcp;

    l->piece = calloc(1, ROOM);
    return l->piece != NULL && speed_tcp_start(tcp, 3, NULL, serve, l) &&
           (l->mtls = speed_tcp_bio(tcp, 0, s, SPEED_MTLS, 0)) != NULL &&
           (l->ping[SPEED_BASE] = speed_tcp_bio(tcp, 1, s, SPEED_BASE, 0)) !=
               NULL &&
           (l->bulk[SPEED_BASE] = speed_tcp_bio(tcp, 2, s, SPEED_BASE, 0)) !=
               NULL &&
           (l->ping[SPEED_MTLS] = open_channel(l)) != NULL &&
           (l->bulk[SPEED_MTLS] = open_channel(l)) != NULL;
}

int speed_latency(const struct speed *s)
{
    static const struct {
        int metric;
        struct speed_row row;
    } rows[] = {
        {PING_P50, {"latency", "ping-p50", MESSAGE, "us", "raw"}},
        {PING_P99, {"latency", "ping-p99", MESSAGE, "us", "raw"}},
        {BESIDE_P50, {"latency", "beside-p50", MESSAGE, "us", "raw"}},
        {BESIDE_P99, {"latency", "beside-p99", MESSAGE, "us", "raw"}},
        {BULK_MB, {"latency", "bulk-alone", PIECE, "MB/s", "raw"}},
        {BULK_BESIDE, {"latency", "bulk-beside", PIECE, "MB/s", "raw"}},
        {BULK_KEPT, {"latency", "bulk-kept", PIECE, "share", "raw"}},
    };
    struct latency l = {.s = s};
    struct speed_test test = {begin, slice, &l, SPEED_FOR_A_RUN};
    struct speed_result r;

    speed_progress(s, "latency", "ping", MESSAGE);
    if (!speed_measure(s, &test, &r))
        return 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        speed_report(s, &rows[i].row, &r, rows[i].metric);
    return 1;
}
