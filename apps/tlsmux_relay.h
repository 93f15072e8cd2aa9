/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * An open TLSMUX stream and a local end, joined: the end of each direction
 * goes by itself, what was cut short is told as such.
 */
#ifndef MTLS_APPS_TLSMUX_RELAY_H
#define MTLS_APPS_TLSMUX_RELAY_H

#include "local.h"
#include "tlsmux_conn.h"

/* Told once, as the last thing: "" in order, or why not. */
typedef void relay_done(void *arg, const char *why);

/* relay_start joins them, and takes both. |done| may be NULL. */
void relay_start(struct tlsmux *m, struct local *local, relay_done *done,
                 void *arg);

#endif
