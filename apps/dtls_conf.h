/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* -dtls: MTLS over DTLS (MTLS-05 2.3): its options, and what they set. */
#ifndef MTLS_APPS_DTLS_CONF_H
#define MTLS_APPS_DTLS_CONF_H

#include "options.h"

#include <openssl/ssl.h>

/* The table that both commands take. */
extern const struct option options_dtls[];

/* dtls_conf_check: 0, with a message, when they make no sense. */
int dtls_conf_check(const struct options *o);

/* dtls_conf_destination: so for what |option|, -L or -W, is given: |text|. */
int dtls_conf_destination(const struct options *o, const char *option,
                          const char *text);

/* dtls_conf_mtu makes DTLS keep to -mtu. */
void dtls_conf_mtu(SSL *ssl, const struct options *o);

#endif
