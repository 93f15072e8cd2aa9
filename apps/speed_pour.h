/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: pieces from one end of a pair to the other, in one thread. */
#ifndef MTLS_APPS_SPEED_POUR_H
#define MTLS_APPS_SPEED_POUR_H

#include "speed_pair.h"

#include <stdint.h>

/* What a pair is to hold, so that a batch fits in. */
#define SPEED_POUR_ROOM 262144

enum speed_way {
    SPEED_WRITE, /* each piece is sent and read at once */
    SPEED_ROUND, /* a piece on each channel, then all are sent and read */
    SPEED_FILL,  /* pieces that fill a few records likewise */
    SPEED_LEND   /* records lent by BIO_nwrite(), read by BIO_nread() */
};

struct speed_pour {
    const struct speed_pair *pair;
    BIO *const *near; /* channels, or the SSL BIOs of the pair themselves */
    BIO *const *far;
    size_t n, next; /* how many; the one that is written to next */
    enum speed_way way;
    size_t octets; /* of a piece */
    const char *piece;
    char *room; /* SPEED_POUR_ROOM octets */
    uint64_t sent, received;
};

/*
 * speed_pour goes on for so long and returns how many seconds it was; 0, with
 * a message, when it failed.
 */
double speed_pour(struct speed_pour *t, double seconds);

#endif
