/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: both ends of a connection in one thread, over a BIO pair. */
#ifndef MTLS_APPS_SPEED_PAIR_H
#define MTLS_APPS_SPEED_PAIR_H

#include "speed.h"

/* The two ends: SSL BIOs, or the filters above them. */
struct speed_pair {
    BIO *client;
    BIO *server;
};

/*
 * speed_pair_new makes two ends, over a BIO pair that holds |room| octets each
 * way (0: as much as OpenSSL thinks), and speed_pair_handshake completes TLS
 * between them. Both return 0, with a message, on failure; speed_pair_free is
 * good for whatever is there.
 */
int speed_pair_new(struct speed_pair *p, const struct speed *s,
                   enum speed_side side, size_t room);
int speed_pair_handshake(const struct speed_pair *p);
void speed_pair_free(struct speed_pair *p);

/*
 * speed_pair_open opens |n| channels from the client to the server of an MTLS
 * pair, many at the same time; far[i] is the other end of near[i]. 0 with a
 * message. speed_pair_close closes them, as far as they are there.
 */
int speed_pair_open(const struct speed_pair *p, BIO *near[], BIO *far[],
                    size_t n);
int speed_pair_close(const struct speed_pair *p, BIO *near[], BIO *far[],
                     size_t n);

#endif
