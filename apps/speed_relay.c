/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed relay: one channel over a long way, once its window had the time
 * to grow, beside raw TLS over the same way.
 */
#include "speed.h"
#include "speed_bulk.h"
#include "speed_delay.h"

#define SETTLE 5
#define PIECE 16384

int speed_relay(const struct speed *s)
{
    struct speed_bulk b = {.s = s,
                           .octets =
                               s->o.bytes > 0 ? (size_t)s->o.bytes : PIECE,
                           .n_channels = 1,
                           .settle = s->o.settle >= 0 ? s->o.settle : SETTLE,
                           .life = SPEED_FOR_ALL,
                           .between = speed_delay};
    struct speed_row row = {"relay", "one-channel", (int64_t)b.octets, "MB/s",
                            "raw"};
    struct speed_result r;

    speed_progress(s, row.mode, row.name, row.octets);
    if (!speed_bulk_measure(&b, &r))
        return 0;
    speed_report(s, &row, &r, SPEED_BULK_MB);
    return 1;
}
