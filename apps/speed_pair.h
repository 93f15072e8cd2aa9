/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: both ends of a connection in one thread, over a BIO pair. */
#ifndef MTLS_APPS_SPEED_PAIR_H
#define MTLS_APPS_SPEED_PAIR_H

#include "speed.h"

/* What the pair can hold: several records, so that a batch fits in. */
#define SPEED_PAIR_ROOM 262144

/* The two ends: SSL BIOs, or the filters above them. */
struct speed_pair {
    BIO *client;
    BIO *server;
};

/* speed_pair_new connects two ends. 0, with a message, on failure. */
int speed_pair_new(struct speed_pair *p, const struct speed *s,
                   enum speed_side side);
void speed_pair_free(struct speed_pair *p);

/* speed_pair_handshake completes TLS between two ends; 0 with a message. */
int speed_pair_handshake(BIO *client, BIO *server);

/*
 * speed_pair_open opens |n| channels from the client to the server of an MTLS
 * pair; far[i] is the other end of near[i]. 0, with a message.
 */
int speed_pair_open(const struct speed_pair *p, BIO *near[], BIO *far[],
                    size_t n);

#endif
