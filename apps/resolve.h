/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The address of a host, checked by the rules, without blocking. */
#ifndef MTLS_APPS_RESOLVE_H
#define MTLS_APPS_RESOLVE_H

#include "allow.h"

#include <uv.h>

struct resolve;

/* Told once, never before resolve_new() returns: canonical, with its port; or
 * |addr| is NULL, and |why| begins with a word of D13. */
typedef void resolve_done(void *arg, const union addr *addr, const char *why);

/* resolve_new looks |e| up. NULL when memory is short. */
struct resolve *resolve_new(uv_loop_t *loop, const struct endpoint *e,
                            const struct allow *rules, resolve_done *done,
                            void *arg);

/*
 * resolve_now does it where no look-up is needed: 1, and |addr|; 0, and *why;
 * -1: it is a name.
 */
int resolve_now(const struct endpoint *e, const struct allow *rules,
                union addr *addr, const char **why);

/* resolve_cancel gives up; |done| is not called. */
void resolve_cancel(struct resolve *r);

#endif
