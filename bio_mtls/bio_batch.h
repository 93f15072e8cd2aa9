/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A filter of our own between TLS and its socket, so that records that go
 * together are one system call. Used with the session's lock held, as its SSL.
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

#endif
