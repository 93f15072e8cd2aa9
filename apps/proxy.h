/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* -D over channels: each CONNECT of a SOCKS client becomes one of a session;
 * where that carries datagrams, each destination of a UDP ASSOCIATE. */
#ifndef MTLS_APPS_PROXY_H
#define MTLS_APPS_PROXY_H

#include "app.h"

/*
 * proxy_new serves the SOCKS client on |fd|, which it takes. Its channel is
 * one of *link, which is read once the request has come and may be NULL then.
 */
void proxy_new(struct app *app, struct link *const *link, int fd,
               const char *source);

#endif
