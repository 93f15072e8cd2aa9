/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A filter of our own between TLS and its socket, so that records that go
 * together are one system call, and none is made to hear that there is nothing
 * to read. Used with the session's lock held, as its SSL.
 */
#ifndef MTLS_BIO_BATCH_H
#define MTLS_BIO_BATCH_H

#include <openssl/bio.h>
#include <stddef.h>

/* mtls_batch_new: NULL when out of memory. */
BIO *mtls_batch_new(void);

/* mtls_batch_more: whether another write is to follow the next one at once. */
void mtls_batch_more(BIO *batch, int more);

/* mtls_batch_waiting: octets that were taken and not sent yet. */
size_t mtls_batch_waiting(BIO *batch);

/*
 * mtls_batch_turn begins (1) or ends (0) a turn of reading. In a turn, a read
 * that got less than it asked for has emptied the socket: another one asks for
 * a retry at once. What comes meanwhile is for the next turn, or the next poll.
 */
void mtls_batch_turn(BIO *batch, int on);

/* mtls_batch_emptied: so it did. */
int mtls_batch_emptied(BIO *batch);

#endif
