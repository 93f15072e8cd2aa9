/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A UDP service that a channel of datagrams leads to. */
#ifndef MTLS_APPS_TARGET_UDP_H
#define MTLS_APPS_TARGET_UDP_H

#include "chan.h"

/* target_udp_new accepts |bio| and joins it to |fd|, a connected, non-blocking
 * UDP socket. Takes both. */
void target_udp_new(struct link *k, BIO *bio, int fd);

#endif
