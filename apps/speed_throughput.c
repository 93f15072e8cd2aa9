/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed throughput: the rows, in memory and over TCP. */
#include "speed.h"
#include "speed_bulk.h"
#include "speed_memory.h"

#include <stdio.h>

static int measure_tcp(const struct speed *s, size_t n_channels, int64_t octets,
                       enum speed_cork cork)
{
    struct speed_bulk b = {.s = s,
                           .octets = (size_t)octets,
                           .n_channels = n_channels,
                           .cork = cork,
                           .settle = SPEED_SETTLE,
                           .life = SPEED_FOR_A_RUN};
    struct speed_row row = {"throughput", NULL, octets, "MB/s", "raw"};
    const char *corked = cork == SPEED_STRIDE ? "-corked" : "";
    struct speed_result r;
    char name[32];

    row.name = name;
    snprintf(name, sizeof(name), "tcp-%zu%s", n_channels, corked);
    speed_progress(s, row.mode, name, octets);
    if (!speed_bulk_measure(&b, &r))
        return 0;
    speed_report(s, &row, &r, SPEED_BULK_MB);
    if (s->multi > 1) /* seconds a gigabyte do not add up */
        return 1;
    snprintf(name, sizeof(name), "tcp-%zu%s-cpu", n_channels, corked);
    row.unit = "s/GB";
    speed_report(s, &row, &r, SPEED_BULK_CPU);
    return 1;
}

int speed_throughput(const struct speed *s)
{
    static const struct {
        size_t n_channels;
        int64_t octets; /* without -bytes */
        enum speed_cork cork;
    } rows[] = {{8, 64, SPEED_ROUND},
                {1, 16384, SPEED_AT_ONCE},
                {1, 16384, SPEED_STRIDE},
                {100, 16384, SPEED_AT_ONCE},
                {100, 16384, SPEED_STRIDE}};
    int ok = speed_memory(s);

    for (size_t i = 0; ok && i < sizeof(rows) / sizeof(rows[0]); i++)
        ok = measure_tcp(s, rows[i].n_channels,
                         s->o.bytes > 0 ? s->o.bytes : rows[i].octets,
                         rows[i].cork);
    return ok;
}
