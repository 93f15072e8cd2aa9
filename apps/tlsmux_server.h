/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* s_server -tlsmux: a TLS connection is one request of SOCKS 5, for a service
 * of this machine. */
#ifndef MTLS_APPS_TLSMUX_SERVER_H
#define MTLS_APPS_TLSMUX_SERVER_H

#include "allow.h"
#include "app.h"
#include "options.h"

#include <openssl/ssl.h>

/* tlsmux_serve takes |fd| and |ssl|, also when it fails (0). */
int tlsmux_serve(struct app *app, int fd, SSL *ssl, const struct options *o,
                 const struct allow *rules);

/* tlsmux_make_room ends the one that is longest without a request; 0: none. */
int tlsmux_make_room(struct app *app, uint64_t grace_ms);

#endif
