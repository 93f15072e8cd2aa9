/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Datagrams in a receive buffer: each is kept whole, behind its length in two
 * octets, which count in buffer->length.
 */
#ifndef MTLS_DATAGRAMS_H
#define MTLS_DATAGRAMS_H

#include "buffer.h"

#define MTLS_DATAGRAM_MAX 65535
#define MTLS_DATAGRAM_HEAD 2 /* octets of a buffer that each one costs */

/*
 * mtls_datagrams_put appends one: 1, or 0 with the buffer as it was when it
 * would come to hold more than |limit| (a single one always fits), or out of
 * memory.
 */
int mtls_datagrams_put(struct mtls_buffer *buffer, struct mtls_pool *pool,
                       const unsigned char *data, size_t len, size_t limit);

/* mtls_datagrams_next: whether one waits, and how long it is. */
int mtls_datagrams_next(const struct mtls_buffer *buffer, size_t *len);

/*
 * mtls_datagrams_take moves the first one out, up to |room| octets of it: as
 * with recv(), the rest is lost. Returns its whole length.
 */
size_t mtls_datagrams_take(struct mtls_buffer *buffer, struct mtls_pool *pool,
                           unsigned char *out, size_t room);

#endif
