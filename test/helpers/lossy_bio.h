/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A filter above a datagram BIO that does to what is written what networks do.
 * All is drawn from a seed; chances are in percent.
 */
#ifndef TEST_LOSSY_BIO_H
#define TEST_LOSSY_BIO_H

#include <openssl/bio.h>
#include <stdatomic.h>
#include <stdint.h>

struct lossy {
    unsigned int lose, twice, late, corrupt, truncate;
    unsigned int full;        /* it is not taken, and to be retried */
    uint64_t random;          /* the state, not 0 */
    unsigned char kept[2048]; /* the one that is late */
    int kept_len;
    unsigned int written, lost, ctrls;
    atomic_uint flood; /* so many come in that are no records of anybody */
    unsigned int *clock, last; /* goes on with each write; when that was */
    void (*on_read)(void);     /* before each */
};

BIO *lossy_new(struct lossy *lossy);

#endif
