/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * s_client -tlsmux: cleartext ports of this machine, each connection to which
 * becomes a TLS connection with one request (draft-wong-tlsmux-00 3).
 */
#ifndef MTLS_APPS_TLSMUX_CLIENT_H
#define MTLS_APPS_TLSMUX_CLIENT_H

#include "dial.h"
#include "local.h"
#include "options.h"
#include "tlsmux_tickets.h"

#include <openssl/ssl.h>

struct call;
TAILQ_HEAD(call_list, call);

/* What all of them share. */
struct tlsmux_client {
    struct app *app;
    struct options *options;
    SSL_CTX *ctx;
    struct endpoint server;
    struct dial_pool *pool; /* lent; NULL once it drains */
    struct call_list calls; /* TAILQ_INIT() first */
    struct tickets tickets; /* tickets_start() first */
};

/* tlsmux_client_destination: whether -tlsmux, if it is given, can carry what
 * |option| says; or 0, with a message. */
int tlsmux_client_destination(const struct options *o, const char *option,
                              const char *destination);

/* How it ended, "" in order. */
typedef void tlsmux_client_done(void *arg, const char *why);

/* tlsmux_client_forward joins |local|, which it takes, to "host:port" as the
 * server sees it. |done| may be NULL. */
void tlsmux_client_forward(struct tlsmux_client *c, const char *destination,
                           struct local *local, tlsmux_client_done *done,
                           void *arg);

/* tlsmux_client_socks serves the SOCKS client on |fd|, which it takes. */
void tlsmux_client_socks(struct tlsmux_client *c, int fd, const char *source);

/* tlsmux_client_drain gives up what is not connected to the server yet. */
void tlsmux_client_drain(struct tlsmux_client *c);

#endif
