/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The messages of TLS Sign (draft-hajjeh-tls-sign-04; doc/tls_sign.md): octets
 * <-> structs. No state, no allocation.
 */
#ifndef MTLS_SIGN_WIRE_H
#define MTLS_SIGN_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* --- the hello extension `signature` (2) --- */

/* clang-format off */
#define MTLS_SIGN_EXTENSION      65363  /* private use: N1 */
#define MTLS_SIGN_METHOD_CERT    0      /* ssl_client_auth_cert */
#define MTLS_SIGN_WITH_PROOF     0x0001 /* SignType, proof of origin */
#define MTLS_SIGN_REQUEST_SIZE   6      /* with one SignType */
/* clang-format on */

/* SignatureRequest; |types| is lent, of 2 octets each. */
struct mtls_sign_request {
    uint8_t format; /* 0 pkcs7, 1 smime, 2 xmldsig */
    uint8_t method;
    const unsigned char *types;
    size_t types_len;
};

/* mtls_sign_get_request: 1, or 0 for what is no SignatureRequest. */
int mtls_sign_get_request(const unsigned char *in, size_t len,
                          struct mtls_sign_request *request);

/* mtls_sign_put_request writes one with proof of origin alone. */
void mtls_sign_put_request(unsigned char out[MTLS_SIGN_REQUEST_SIZE],
                           uint8_t format);

/* mtls_sign_has_type: whether |type| is among those of |request|. */
int mtls_sign_has_type(const struct mtls_sign_request *request, uint16_t type);

/* --- TLSSigntext (2.1.1) --- */

enum mtls_sign_type {
    MTLS_SIGN_ALERT = 21,
    MTLS_SIGN_CERTIFICATE = 22,
    MTLS_SIGN_DATA = 23,
    MTLS_SIGN_ON_OFF = 27
};

/* clang-format off */
#define MTLS_SIGN_RECEIPT        0x80 /* A */
#define MTLS_SIGN_MORE           0x40 /* M: N4 */
#define MTLS_SIGN_VERSION        0x0303
#define MTLS_SIGN_UNSIGNED       0x0000 /* the version of data that is not */
#define MTLS_SIGN_HEADER         6
#define MTLS_SIGN_PIECE_MAX      65535 /* octets of a TLSSigntext's data */
#define MTLS_SIGN_CERTS_MAX      (128 * 1024) /* of a CertificateSign */
#define MTLS_SIGN_DIGEST         32 /* SHA-256, what a receipt signs */

#define MTLS_SIGN_ALERT_SIZE     2
#define MTLS_SIGN_ALERT_FATAL    2
#define MTLS_SIGN_UNEXPECTED     10
#define MTLS_SIGN_DECODE_ERROR   50
#define MTLS_SIGN_BAD_SIGN       201
/* clang-format on */

struct mtls_sign_header {
    uint8_t type;
    uint8_t flags;
    uint16_t version;
    uint16_t length; /* of the data that follows */
};

/* mtls_sign_get_header: 1, or 0 for a header that must not be (N3, N4). */
int mtls_sign_get_header(const unsigned char in[MTLS_SIGN_HEADER],
                         struct mtls_sign_header *header);
void mtls_sign_put_header(unsigned char out[MTLS_SIGN_HEADER],
                          const struct mtls_sign_header *header);

/* mtls_sign_size: a message of |len| octets with its headers. */
size_t mtls_sign_size(size_t len);

/*
 * mtls_sign_put writes a whole message, in pieces of which all but the last
 * have M: the octets written, mtls_sign_size(len); 0 when |room| is short.
 */
size_t mtls_sign_put(unsigned char *out, size_t room, enum mtls_sign_type type,
                     uint8_t flags, uint16_t version, const void *data,
                     size_t len);

/* What a certificate, and the list of them, has in front: its length. */
#define MTLS_SIGN_CERT_PREFIX 3

/* mtls_sign_put_length writes a 3-octet length. */
void mtls_sign_put_length(unsigned char out[MTLS_SIGN_CERT_PREFIX], size_t len);

/*
 * mtls_sign_next_cert takes the first certificate off a certificate_list that
 * is lent: 1; 0 when it is empty; -1 when it is malformed.
 */
int mtls_sign_next_cert(const unsigned char **list, size_t *list_len,
                        const unsigned char **cert, size_t *len);

/* mtls_sign_get_certs lends the certificate_list: 1, or 0, malformed. */
int mtls_sign_get_certs(const unsigned char *in, size_t len,
                        const unsigned char **list, size_t *list_len);

/* --- what each signature covers beside the data (N6) --- */

/* clang-format off */
#define MTLS_SIGN_BINDING        32
#define MTLS_SIGN_CONTEXT        (MTLS_SIGN_BINDING + 10)
#define MTLS_SIGN_FROM_CLIENT    0
#define MTLS_SIGN_FROM_SERVER    1
#define MTLS_SIGN_WANTS_RECEIPT  0x01
/* clang-format on */

struct mtls_sign_context {
    unsigned char binding[MTLS_SIGN_BINDING]; /* of the session (RFC 5705) */
    uint8_t direction;                        /* MTLS_SIGN_FROM_ */
    uint8_t flags;     /* MTLS_SIGN_RECEIPT, or MTLS_SIGN_WANTS_RECEIPT, or 0 */
    uint64_t sequence; /* from 0; of a receipt, that of its message */
};

void mtls_sign_put_context(unsigned char out[MTLS_SIGN_CONTEXT],
                           const struct mtls_sign_context *context);

/* mtls_sign_get_context: 1, or 0 when a value is none of those above. */
int mtls_sign_get_context(const unsigned char *in, size_t len,
                          struct mtls_sign_context *context);

#endif
