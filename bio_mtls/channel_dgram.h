/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A channel's I/O, as in channel_io.h, where it carries datagrams. */
#ifndef MTLS_CHANNEL_DGRAM_H
#define MTLS_CHANNEL_DGRAM_H

#include "channel_io.h"
#include "mux_dgram.h"

int mtls_dgram_read(const struct mtls_io *io, void *data, size_t room,
                    size_t *n);
int mtls_dgram_gets(const struct mtls_io *io, char *line, size_t size,
                    size_t *n);
int mtls_dgram_write(const struct mtls_io *io, const void *data, size_t len,
                     size_t *n);

/* mtls_dgram_pending is the length of the datagram that is read next, or 0. */
long mtls_dgram_pending(const struct mtls_channel *channel);

#endif
