/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A channel that a peer asked for, until it is connected or refused. */
#ifndef MTLS_APPS_REQUEST_H
#define MTLS_APPS_REQUEST_H

#include "allow.h"
#include "chan.h"
#include "dial.h"

/*
 * request_new connects |bio| to the destination that it names, where |rules|
 * allow it, and then accepts it; or it refuses it. Takes |bio|.
 */
void request_new(struct link *k, BIO *bio, struct dial_pool *pool,
                 const struct allow *rules);

/* request_refuse refuses |bio| and takes it; |why| begins as D13 has it. */
void request_refuse(struct link *k, BIO *bio, const char *why);

#endif
