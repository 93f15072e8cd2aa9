/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed throughput, in memory. */
#ifndef MTLS_APPS_SPEED_MEMORY_H
#define MTLS_APPS_SPEED_MEMORY_H

#include "speed.h"

/* Prints the rows whose names begin with "memory". 0 with a message. */
int speed_memory(const struct speed *s);

#endif
