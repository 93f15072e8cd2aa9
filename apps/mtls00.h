/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* -mtls00: the first version of the protocol (doc/mtls00.md). */
#ifndef MTLS_APPS_MTLS00_H
#define MTLS_APPS_MTLS00_H

#include "link.h"
#include "options.h"

#include <openssl/ssl.h>

/* The table that both commands take. */
extern const struct option options_mtls00[];

/* mtls00_check_options: 0, with a message, when they make no sense. */
int mtls00_check_options(const struct options *o);

/* mtls00_check_destination: so for one of -L or -W, which |option| is. */
int mtls00_check_destination(const struct options *o, const char *option,
                             const char *destination);

/* mtls00_conf sets up data_multiplexing; 0, with a message, if it can't. */
int mtls00_conf(SSL_CTX *ctx, const struct options *o, int server);

/* mtls00_agreed: the handshake of |ssl| agreed to it. */
int mtls00_agreed(const SSL *ssl);

/* mtls00_opened tells what was agreed on; 0, and the link ends, where that had
 * to be and is not. */
int mtls00_opened(struct link *k);

#endif
