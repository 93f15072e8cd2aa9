/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The text of an XML signature of TLS Sign, taken apart and put together. */
#ifndef MTLS_SIGN_XML_H
#define MTLS_SIGN_XML_H

#include "sign_format.h"

#define MTLS_XML_SIGNATURE_MAX 1024 /* RSA of 8,192 bits */

struct mtls_xml {
    int rsa; /* or ECDSA, each with SHA-256 */
    unsigned char digests[2][MTLS_SIGN_DIGEST]; /* of data, and of context */
    unsigned char signature[MTLS_XML_SIGNATURE_MAX];
    size_t signature_len; /* 0 in what is yet to be signed */
    unsigned char *data;
    size_t len;
    int lent; /* |data| is another's */
    struct mtls_sign_context context;
    time_t time;
    X509 *signer;
    STACK_OF(X509) * chain;
};

/* mtls_xml_of fills in what is to be signed: 1, or 0 with a reason. */
int mtls_xml_of(const struct mtls_sign_parts *parts, struct mtls_xml *xml);

/* mtls_xml_write: 1 and the text for OPENSSL_free(), or 0. */
int mtls_xml_write(const struct mtls_xml *xml, unsigned char **text,
                   size_t *len);

/* mtls_xml_read: NULL, or what is wrong: it would not be written like that. */
const char *mtls_xml_read(const unsigned char *text, size_t len,
                          struct mtls_xml *xml);

/* mtls_xml_give hands over to |out| what it has. */
void mtls_xml_give(struct mtls_xml *xml, struct mtls_signed *out);
void mtls_xml_free(struct mtls_xml *xml);

/* mtls_xml_decode: base64, white space aside: octets; 0 when it is none. */
size_t mtls_xml_decode(const char *text, unsigned char *out, size_t room);

#endif
