/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: two processes, joined by TCP connections on loopback. */
#ifndef MTLS_APPS_SPEED_TCP_H
#define MTLS_APPS_SPEED_TCP_H

#include "speed.h"

#define SPEED_TCP_MAX 3
/* Seconds of a stream in which TCP, and windows, find how fast they can go. */
#define SPEED_SETTLE 0.1

struct speed_tcp {
    int control;           /* to the other process, for what is no data */
    int fd[SPEED_TCP_MAX]; /* the connections; both ends have the same order */
    int n;
};

/*
 * speed_tcp_start starts a process that runs |serve|, which returns 1 when all
 * went well, and joins it by |n| connections. Each of the two stays on a
 * processor of its own if there are two. |between|, unless NULL, starts a
 * process that passes on what it gets to |port|, and returns its own port; 0
 * with a message. speed_tcp_start() returns 0 with a message, too.
 */
int speed_tcp_start(struct speed_tcp *t, int n, int (*between)(int port),
                    int (*serve)(struct speed_tcp *t, void *state),
                    void *state);

/* speed_tcp_listen returns a socket on a free port of loopback, or -1. */
int speed_tcp_listen(int *port);
int speed_tcp_connect(int port);
int speed_tcp_accept(int listener);

/*
 * speed_tcp_bio makes an end on connection |i| and completes the handshake.
 * NULL with a message.
 */
BIO *speed_tcp_bio(struct speed_tcp *t, int i, const struct speed *s,
                   enum speed_side side, int server);

#endif
