/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The one shape of a SignedData that TLS Sign takes (doc/tls_sign.md, N8).
 * Parsers are lenient, and a signature covers but a part of it: of what it does
 * not cover, each octet is looked at here. No state, no allocation.
 */
#ifndef MTLS_SIGN_SHAPE_H
#define MTLS_SIGN_SHAPE_H

#include <stddef.h>

/* Where signatures are of different lengths. */
enum mtls_sign_algorithm {
    MTLS_SIGN_RSA_PKCS1,
    MTLS_SIGN_RSA_PSS, /* same digest throughout, salt of its length */
    MTLS_SIGN_ECDSA,
    MTLS_SIGN_ED25519
};

/* Everything is lent. */
struct mtls_sign_shape {
    const unsigned char *sid; /* IssuerAndSerialNumber, whole */
    size_t sid_len;
    enum mtls_sign_algorithm algorithm;
    int digest_bits; /* SHA-2 of 256, 384 or 512 */
    int certs;       /* how many certificates it has */
};

/*
 * mtls_sign_shape_of: NULL, or what is wrong with it in a few words: not DER,
 * not SignedData of `data` that is inside, not one signer, unsigned attributes,
 * CRLs, another digest or signature algorithm, octets behind it.
 */
const char *mtls_sign_shape_of(const unsigned char *in, size_t len,
                               struct mtls_sign_shape *shape);

#endif
