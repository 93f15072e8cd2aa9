/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Connecting to a host: looks its name up and tries its addresses, without
 * blocking. A pool bounds how many do so at a time; the others wait.
 */
#ifndef MTLS_APPS_DIAL_H
#define MTLS_APPS_DIAL_H

#include "addr.h"
#include "allow.h"

#include <uv.h>

/* How long a connection may take in all, in milliseconds. */
#define DIAL_LIMIT_MS 20000

struct dial;
struct dial_pool;

/* dial_pool_new: NULL when memory is short. */
struct dial_pool *dial_pool_new(uv_loop_t *loop);

/* dial_pool_free cancels what is under way. |pool| may be NULL. */
void dial_pool_free(struct dial_pool *pool);

/*
 * Told once, never before dial_new() returns: |fd| is connected and
 * non-blocking, the callee's to close; or it is -1, and |why| begins with a
 * word of D13 (doc/protocol.md).
 */
typedef void dial_done(void *arg, int fd, const char *why);

/*
 * dial_new starts to connect to |e|. With |rules|, only to what they allow.
 * NULL when memory is short.
 */
struct dial *dial_new(struct dial_pool *pool, const struct endpoint *e,
                      const struct allow *rules, dial_done *done, void *arg);

/*
 * dial_datagrams, right after dial_new(): a UDP socket, connected to the first
 * address that has a way there. Whether anybody listens it can't tell.
 */
void dial_datagrams(struct dial *d);

/* dial_cancel gives up; |done| is not called. */
void dial_cancel(struct dial *d);

#endif
