/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A server's UDP ASSOCIATE: datagrams of a stream, to local services. */
#ifndef MTLS_APPS_TLSMUX_UDP_H
#define MTLS_APPS_TLSMUX_UDP_H

#include "allow.h"
#include "tlsmux_conn.h"

struct tlsmux_udp;

/* tlsmux_udp_new has sockets, so that the request can be granted; or NULL. */
struct tlsmux_udp *tlsmux_udp_new(struct app *app, const struct allow *rules);

/* tlsmux_udp_start relays, once it is open, and takes both. */
void tlsmux_udp_start(struct tlsmux_udp *u, struct tlsmux *m);

/* tlsmux_udp_free: if it was not started. */
void tlsmux_udp_free(struct tlsmux_udp *u);

#endif
