/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The error library: how a reason gets on OpenSSL's queue. */
#ifndef MTLS_ERR_LOCAL_H
#define MTLS_ERR_LOCAL_H

#include <mtls/mtls_err.h>
#include <openssl/err.h>

#define MTLS_raise(reason) ERR_raise(MTLS_err_library(), (reason))
#define MTLS_raise_data(reason, ...) \
    ERR_raise_data(MTLS_err_library(), (reason), __VA_ARGS__)

#endif
