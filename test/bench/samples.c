/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "samples.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double samples_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void samples_add(struct samples *s, double seconds)
{
    if (s->count == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : 65536;
        double *took = realloc(s->took, room * sizeof(*took));

        if (took == NULL) {
            fputs("out of memory\n", stderr);
            exit(1);
        }
        s->took = took;
        s->room = room;
    }
    s->took[s->count++] = seconds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double microseconds(const struct samples *s, size_t per_cent)
{
    return s->count > 0 ? s->took[s->count * per_cent / 100] * 1e6 : 0;
}

void samples_print(struct samples *s, double elapsed, unsigned long failed)
{
    if (s->count > 0)
        qsort(s->took, s->count, sizeof(*s->took), by_value);
    printf("count %zu rate %.1f p50 %.1f p99 %.1f failed %lu\n", s->count,
           elapsed > 0 ? (double)s->count / elapsed : 0, microseconds(s, 50),
           microseconds(s, 99), failed);
}

void samples_free(struct samples *s)
{
    free(s->took);
    s->took = NULL;
    s->count = s->room = 0;
}
