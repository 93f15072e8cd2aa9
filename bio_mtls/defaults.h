/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What openssl.cnf says of the limits, through the provider "mtls". */
#ifndef MTLS_DEFAULTS_H
#define MTLS_DEFAULTS_H

#include "session.h"

#include <openssl/provider.h>

/*
 * mtls_provider returns the provider in the default library context, and
 * loads the built-in one where openssl.cnf has loaded none. It is the
 * library's to keep. NULL: it can't be loaded, with OpenSSL's errors.
 */
OSSL_PROVIDER *mtls_provider(void);

/*
 * mtls_defaults sets those members of |config| that are configured. 0: the
 * configuration is not usable, and the session must not be used.
 * mtls_defaults_raise then leaves the reason on the error queue; returns -1.
 */
int mtls_defaults(struct mtls_session_config *config);
int mtls_defaults_raise(void);

#endif
