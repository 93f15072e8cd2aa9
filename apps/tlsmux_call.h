/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A request of a client's, until it is granted: what tlsmux_client.c and
 * tlsmux_socks.c share. */
#ifndef MTLS_APPS_TLSMUX_CALL_H
#define MTLS_APPS_TLSMUX_CALL_H

#include "tlsmux_client.h"
#include "tlsmux_conn.h"

struct call_ops {
    void (*listens)(struct call *c, const char *bound);
    void (*opened)(struct call *c);
    /* |reply| of the server's, or 1. The call goes. */
    void (*failed)(struct call *c, int reply, const char *why);
};

struct call {
    TAILQ_ENTRY(call) node; /* of client->calls */
    struct tlsmux_client *client;
    const struct call_ops *ops;
    int command;
    char destination[ADDR_TEXT_MAX]; /* "" for none */
    struct dial *dial;
    struct tlsmux *m; /* once there is a connection */
};

/* call_start connects and asks. ops are told later. */
void call_start(struct call *c, struct tlsmux_client *client, int command,
                const char *destination, const struct call_ops *ops);

/* call_complain tells of a failure. */
void call_complain(const struct call *c, const char *why);

/* call_take gives its open connection to another; call_drop ends it. Both
 * leave the memory to the caller. */
struct tlsmux *call_take(struct call *c);
void call_drop(struct call *c, const char *why);

#endif
