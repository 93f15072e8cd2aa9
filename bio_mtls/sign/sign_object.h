/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Signed objects: made and opened in a content format, and who signed them
 * judged. Used for what goes over the wire, and for what an evidence log keeps.
 */
#ifndef MTLS_SIGN_OBJECT_H
#define MTLS_SIGN_OBJECT_H

#include "sign_wire.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <time.h>

/* What an object is made of. Everything is lent. */
struct mtls_sign_parts {
    const unsigned char *data;
    size_t len;
    struct mtls_sign_context context;
    time_t time;            /* that it says it was signed at */
    X509 *signer;           /* of |key| */
    EVP_PKEY *key;          /* EVP_PKEY_sign is all that is asked of it */
    STACK_OF(X509) * chain; /* that go with it, or NULL */
};

/* What an object was made of, all but the key. */
struct mtls_signed {
    unsigned char *data;
    size_t len;
    struct mtls_sign_context context;
    time_t time;
    X509 *signer;
    STACK_OF(X509) * chain; /* its other certificates */
};

/*
 * mtls_sign_make signs: 1 and an object for OPENSSL_free(), or 0 with
 * MTLS_R_SIGN_FAILED or MTLS_R_SIGN_FORMAT, above errors of OpenSSL's.
 */
int mtls_sign_make(uint8_t format, const struct mtls_sign_parts *parts,
                   unsigned char **object, size_t *len);

/*
 * mtls_sign_open takes an object apart and verifies its signature with the
 * certificate that it names: 1, or 0 with MTLS_R_BAD_SIGN, whose data says why,
 * or MTLS_R_SIGN_FORMAT. Whom the certificate belongs to, and whether the
 * context is the one that is due, is not its business. Cleanup is due after 1.
 */
int mtls_sign_open(uint8_t format, const unsigned char *object, size_t len,
                   struct mtls_signed *out);
void mtls_signed_cleanup(struct mtls_signed *s);

/*
 * mtls_sign_check judges the signer at the time |at|: a chain to |trust| (with
 * its parameters, CRLs if they ask for them), through the object's own
 * certificates and |more| (or NULL); its purpose; digests of at least SHA-256,
 * or what |trust|'s security level asks beyond; a key that may sign. 1, or 0
 * with MTLS_R_SIGN_CERTIFICATE, whose data is OpenSSL's reason.
 */
int mtls_sign_check(const struct mtls_signed *s, X509_STORE *trust,
                    STACK_OF(X509) * more, time_t at);

/* mtls_sign_check_flags: the same, with X509_V_FLAG_ beside |trust|'s own. */
int mtls_sign_check_flags(const struct mtls_signed *s, X509_STORE *trust,
                          STACK_OF(X509) * more, time_t at,
                          unsigned long flags);

/* mtls_sign_format_known: whether it is offered here. */
int mtls_sign_format_known(uint8_t format);

#endif
