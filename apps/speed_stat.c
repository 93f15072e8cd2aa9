/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: medians and spreads. */
#include "speed.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

void speed_sort(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), by_value);
}

double speed_quantile(const double *v, size_t n, double q)
{
    size_t at = (size_t)(q * (double)n);

    return v[at < n ? at : n - 1];
}

struct speed_summary speed_summarise(const double *v, int n)
{
    double sorted[SPEED_RUNS_MAX];
    size_t count = (size_t)n;
    struct speed_summary sum;

    memcpy(sorted, v, count * sizeof(*v));
    speed_sort(sorted, count);
    sum.min = sorted[0];
    sum.max = sorted[count - 1];
    sum.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    return sum;
}
