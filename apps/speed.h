/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed: what its parts share. A test sets up MTLS and what it is held
 * against, and measures slices of each in turn; a row of the report is one
 * number of both.
 */
#ifndef MTLS_APPS_SPEED_H
#define MTLS_APPS_SPEED_H

#include "options.h"

#include <openssl/ssl.h>
#include <stddef.h>

#define SPEED_RUNS_MAX 100
/* Numbers that one slice can yield. */
#define SPEED_METRICS 8

enum speed_side {
    SPEED_MTLS,
    SPEED_BASE /* what it is held against, raw TLS as a rule */
};

struct speed {
    struct options o;
    double seconds; /* a slice */
    int runs;       /* slices of each side */
    int multi;      /* processes that do the same at the same time */
    SSL_CTX *client, *server;
    struct speed_plot *plot; /* -plot, or NULL */
};

/* How long a process lives in which a test is set up and measured. */
enum speed_life {
    SPEED_FOR_A_RUN, /* a slice of each side */
    SPEED_FOR_A_SLICE,
    SPEED_FOR_ALL
};

/*
 * What a test can do. Each returns 1, or 0 when it has said what is wrong. What
 * begin() makes goes with the process that it is made in.
 */
struct speed_test {
    int (*begin)(void *state);
    int (*slice)(void *state, enum speed_side side, double metrics[]);
    void *state;
    enum speed_life life;
};

/* What it yields: by side, metric and run. */
struct speed_result {
    int runs;
    double v[2][SPEED_METRICS][SPEED_RUNS_MAX];
};

/* One line of the report. */
struct speed_row {
    const char *mode;
    const char *name;
    int64_t octets; /* of a piece; 0: it has none */
    const char *unit;
    const char *against; /* what the other side is: "raw" */
};

/* --- speed_run.c: slices in turn ----------------------------------------- */

/*
 * speed_measure runs a test, MTLS and its base in turn, in as many processes at
 * a time as -multi says; their numbers are added up. 0 when it failed, as was
 * said.
 */
int speed_measure(const struct speed *s, const struct speed_test *t,
                  struct speed_result *r);

/* Which of the processes of -multi this is, from 0 on. */
int speed_worker(void);

/* The time in seconds, from some fixed moment on. */
double speed_now(void);

/* --- speed_stat.c --------------------------------------------------------- */

struct speed_summary {
    double median, min, max;
};

struct speed_summary speed_summarise(const double *v, int n);

/* speed_sort sorts; speed_quantile is one of sorted |v|: 0.5 the median. */
void speed_sort(double *v, size_t n);
double speed_quantile(const double *v, size_t n, double q);

/* --- speed_report.c ------------------------------------------------------- */

/* Says on standard error what is being measured. */
void speed_progress(const struct speed *s, const char *mode, const char *name,
                    int64_t octets);

void speed_report_begin(const struct speed *s);

/* speed_report prints a row of the metric |m|. */
void speed_report(const struct speed *s, const struct speed_row *row,
                  const struct speed_result *r, int m);

/* --- speed_tls.c ---------------------------------------------------------- */

/* Makes both contexts, with a certificate of their own; 0 with a message. */
int speed_tls_init(struct speed *s);
void speed_tls_free(struct speed *s);

/*
 * speed_tls_bio makes an end above |below|, of which it takes the reference
 * even if it fails: an SSL BIO, or for MTLS the filter above it. NULL, with a
 * message, on failure.
 */
BIO *speed_tls_bio(const struct speed *s, enum speed_side side, int server,
                   BIO *below);

/* --- the modes: each prints its rows; 0 when it failed, as was said ------- */

int speed_throughput(const struct speed *s);
int speed_open(const struct speed *s);
int speed_idle(const struct speed *s);
int speed_latency(const struct speed *s);
int speed_relay(const struct speed *s);
int speed_packet(const struct speed *s); /* of the mode "idle" too */

#endif
