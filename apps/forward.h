/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One channel and one local end, joined. Octets go straight from the one's
 * buffer to the other; the end of each direction goes by itself (D7);
 * what was cut short is told as such: a reset, never a quiet end.
 */
#ifndef MTLS_APPS_FORWARD_H
#define MTLS_APPS_FORWARD_H

#include "chan.h"
#include "local.h"

/* Told once, as the last thing: how it ended. */
typedef void forward_done(void *arg, enum chan_end how, const char *why);

/*
 * forward_open asks the peer for a channel to |destination| and joins it to
 * |local|. |source| may be NULL, |done| too. Takes |local|, also when it fails
 * (0), with OpenSSL's queue saying why.
 */
int forward_open(struct link *k, const char *destination, const char *source,
                 struct local *local, forward_done *done, void *arg);

/* forward_accept joins an accepted channel to |local| and takes both. */
int forward_accept(struct link *k, BIO *bio, struct local *local);

#endif
