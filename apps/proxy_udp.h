/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * UDP ASSOCIATE of a SOCKS client over a session that carries datagrams (-D
 * with -dtls): each destination that it names gets a channel of its own.
 */
#ifndef MTLS_APPS_PROXY_UDP_H
#define MTLS_APPS_PROXY_UDP_H

#include "socks.h"

struct link;

/* At a time, for one SOCKS client; the one that was used longest ago makes
 * room. */
#define PROXY_UDP_CHANNELS 256

/*
 * proxy_udp_start answers the request of |s|, and serves it until it ends. The
 * channels are those of *link, which may change and be NULL at times.
 */
void proxy_udp_start(struct socks *s, struct link *const *link);

#endif
