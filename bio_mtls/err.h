/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The error library: how a reason gets on OpenSSL's queue, and stays there. */
#ifndef MTLS_ERR_LOCAL_H
#define MTLS_ERR_LOCAL_H

#include <mtls/mtls_err.h>
#include <openssl/err.h>

#define MTLS_raise(reason) ERR_raise(MTLS_err_library(), (reason))
#define MTLS_raise_data(reason, ...) \
    ERR_raise_data(MTLS_err_library(), (reason), __VA_ARGS__)

/* mtls_error_text: the reason of an error of OpenSSL's or the system's. */
const char *mtls_error_text(unsigned long error);

/*
 * Errors of the caller's, taken off the queue, since SSL_get_error() would see
 * a failure in them, and put back on it. What came meanwhile is dropped.
 */
#define MTLS_ERRORS_KEPT 16 /* as many as OpenSSL's queue holds */

struct mtls_errors {
    int n;
    struct mtls_error {
        unsigned long code;
        char *file, *function, *text; /* NULL: none */
        int line;
    } list[MTLS_ERRORS_KEPT];
};

void mtls_errors_take(struct mtls_errors *errors);
unsigned long mtls_errors_drop_last(struct mtls_errors *errors); /* 0: none */
void mtls_errors_put_back(struct mtls_errors *errors);

#endif
