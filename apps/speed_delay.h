/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: a long way between the two processes. */
#ifndef MTLS_APPS_SPEED_DELAY_H
#define MTLS_APPS_SPEED_DELAY_H

/* How long it takes each way, what it passes a second, of two connections. */
#define SPEED_DELAY_MS 50
#define SPEED_DELAY_MB 100
#define SPEED_DELAY_MAX 2

/* speed_delay starts the relay to |port|; its own port, or 0 with a message. */
int speed_delay(int port);

#endif
