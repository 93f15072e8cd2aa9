/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A filter BIO that misbehaves as transports do: takes and gives a few octets
 * at a time, asks for a retry now and then, or fails from some call on.
 */
#ifndef TEST_FAULT_BIO_H
#define TEST_FAULT_BIO_H

#include <openssl/bio.h>

struct fault_plan {
    size_t most;            /* octets a call, 0: as many as asked for */
    unsigned int retry;     /* every |retry|th call asks for a retry, 0: none */
    int retry_write;        /* each write does */
    unsigned int fail_read; /* this call (1, 2, ...) and all after fail; 0 */
    unsigned int fail_write;
    int fd;                     /* to be polled; 0: the lower BIO's */
    unsigned int reads, writes; /* calls so far */
    int retries;                /* whether a write was asked to be retried */
    const void *data;           /* that one */
    size_t len;
    int broken_retry; /* it came with something else */
};

/* |plan| is the caller's, and must outlive the BIO. */
BIO *fault_bio_new(struct fault_plan *plan);

#endif
