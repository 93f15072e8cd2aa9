/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* -echo: a channel that gets back what it sends. */
#ifndef MTLS_APPS_ECHO_H
#define MTLS_APPS_ECHO_H

#include "chan.h"

/* echo_new accepts the channel and answers it until it ends. Takes |bio|. */
void echo_new(struct link *k, BIO *bio);

#endif
