/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A content format of TLS Sign, as sign_object.c calls it. */
#ifndef MTLS_SIGN_FORMAT_H
#define MTLS_SIGN_FORMAT_H

#include "sign_object.h"

#define MTLS_SIGN_FORMATS 3 /* pkcs7, smime, xmldsig */

struct mtls_sign_format {
    /* 1 and an object from OPENSSL_malloc(); or 0. */
    int (*make)(const struct mtls_sign_parts *parts, unsigned char **object,
                size_t *len);
    /*
     * NULL and |out| filled in, or why not. |out| was zeroed before, and is
     * cleaned up by the caller in both cases.
     */
    const char *(*open)(const unsigned char *object, size_t len,
                        struct mtls_signed *out);
};

extern const struct mtls_sign_format mtls_sign_cms, mtls_sign_smime;

/*
 * Adds a format that lives in a library of its own (mtls-xmldsig): 1, or 0 for
 * a number that has one. It must stay loaded. Exported, but not for programs.
 */
int MTLS_sign_add_format(uint8_t number, const struct mtls_sign_format *format);

#endif
