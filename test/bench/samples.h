/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* How long things took, and what is told of it. */
#ifndef MTLS_BENCH_SAMPLES_H
#define MTLS_BENCH_SAMPLES_H

#include <stddef.h>

struct samples {
    double *took; /* seconds each */
    size_t count, room;
};

/* samples_now is a steady clock's time in seconds. */
double samples_now(void);

/* samples_add keeps what took |seconds|. */
void samples_add(struct samples *s, double seconds);

/*
 * samples_print prints how many there are, their number a second when all
 * took |elapsed| seconds, median and 99th percentile in microseconds, and how
 * many |failed|. Each figure stands after its name; the order is not kept.
 */
void samples_print(struct samples *s, double elapsed, unsigned long failed);

void samples_free(struct samples *s);

#endif
