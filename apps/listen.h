/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A place to listen: all addresses of a name, or a UNIX socket. */
#ifndef MTLS_APPS_LISTEN_H
#define MTLS_APPS_LISTEN_H

#include "addr.h"
#include "app.h"

struct listener;

/* |fd| is connected and non-blocking, the callee's. |source| is its peer, ""
 * where it has no name. */
typedef void listen_accept(void *arg, int fd, const char *source);

/*
 * listener_new binds and listens; it accepts once listener_start() is called,
 * until then the kernel's backlog holds who comes. What it is for, |purpose|,
 * goes into the line that tells the address. NULL, with a message, on failure.
 */
struct listener *listener_new(struct app *app, const struct endpoint *where,
                              const char *purpose, listen_accept *accept,
                              void *arg);

void listener_start(struct listener *l);
void listener_stop(struct listener *l);

/* listener_address: that of the socket |i|; 0 when there are not as many. */
int listener_address(const struct listener *l, unsigned i,
                     char out[ADDR_TEXT_MAX]);

/* listener_free closes it, and takes a UNIX socket's name away. */
void listener_free(struct listener *l);

#endif
