/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: throughput from one process to another, over TCP. */
#ifndef MTLS_APPS_SPEED_BULK_H
#define MTLS_APPS_SPEED_BULK_H

#include "speed.h"
#include "speed_stream.h"
#include "speed_tcp.h"

struct speed_bulk {
    const struct speed *s;
    size_t octets; /* of a piece */
    size_t n_channels;
    enum speed_cork cork;
    double settle; /* seconds of each side that are not measured, at first */
    enum speed_life life;
    int (*between)(int port); /* see speed_tcp.h */
};

/* What speed_bulk_measure() yields. */
enum {
    SPEED_BULK_MB, /* a second */
    SPEED_BULK_CPU /* seconds a gigabyte, of both processes */
};

/* speed_bulk_measure is speed_measure() of it. */
int speed_bulk_measure(const struct speed_bulk *b, struct speed_result *r);

#endif
