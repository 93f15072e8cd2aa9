/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Connecting to one of several addresses: each gets a short start on the next
 * one, the first that answers wins (RFC 8305, without its tables).
 */
#ifndef MTLS_APPS_RACE_H
#define MTLS_APPS_RACE_H

#include <sys/socket.h>
#include <uv.h>

/* The most addresses that are tried. */
#define RACE_MAX 8

struct race;

struct race_addr {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* Told once: a connected, non-blocking socket, or -1 and the last errno. */
typedef void race_done(void *arg, int fd, int error);

/*
 * race_new starts; |done| is never called before it returns. NULL when memory
 * is short, or when the first address has answered at once: then *|fd| is the
 * socket, else -1. There is no time limit but the caller's: race_cancel().
 */
struct race *race_new(uv_loop_t *loop, const struct race_addr *addrs,
                      unsigned n, race_done *done, void *arg, int *fd);

/* race_cancel gives up; |done| is not called. */
void race_cancel(struct race *r);

#endif
