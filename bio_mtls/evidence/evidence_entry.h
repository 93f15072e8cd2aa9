/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The evidence log's octets <-> structs (doc/evidence.md). No state, no I/O, no
 * allocation; a decoded entry points into the octets that it was decoded from.
 * Digests are the caller's to compute.
 */
#ifndef MTLS_EVIDENCE_ENTRY_H
#define MTLS_EVIDENCE_ENTRY_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define MTLS_EVIDENCE_DIGEST   32 /* SHA-256 */
#define MTLS_EVIDENCE_BINDING  32 /* of the session: RFC 5705, wire format */
#define MTLS_EVIDENCE_ID       16 /* of the log, random */
#define MTLS_EVIDENCE_HEADER   64 /* magic, id, digest of both */
#define MTLS_EVIDENCE_START    8  /* of an entry: magic, size */
#define MTLS_EVIDENCE_FIXED    158 /* an entry without what varies in length */
#define MTLS_EVIDENCE_SIZE_MAX (1u << 30) /* of an entry */
/* clang-format on */

enum mtls_evidence_kind {
    MTLS_EVIDENCE_MESSAGE_SENT = 1,
    MTLS_EVIDENCE_MESSAGE_RECEIVED = 2,
    MTLS_EVIDENCE_RECEIPT_SENT = 3,
    MTLS_EVIDENCE_RECEIPT_RECEIVED = 4,
    /* An RFC 3161 TimeStampToken over the digest of entry |sequence|. */
    MTLS_EVIDENCE_TIME_STAMP = 5,
    /* |sequence| octets were torn here by a crash, |object| is their digest,
     * |peer| the name of the file that keeps them. */
    MTLS_EVIDENCE_TORN = 6
};

/* Who signed, by its role in TLS. */
enum mtls_evidence_direction {
    MTLS_EVIDENCE_FROM_CLIENT = 0,
    MTLS_EVIDENCE_FROM_SERVER = 1
};

/* |flags|: the sender of this message asked for a receipt. */
#define MTLS_EVIDENCE_WANTS_RECEIPT 0x01

/* A signed object and its context. */
struct mtls_evidence {
    uint8_t kind;
    uint8_t format; /* of the object: 0 pkcs7, 1 smime, 2 xmldsig */
    uint8_t direction;
    uint8_t flags;
    uint64_t sequence; /* as the object's signature has it */
    unsigned char binding[MTLS_EVIDENCE_BINDING];
    uint64_t time;    /* milliseconds since 1970, UTC, at this end */
    const char *peer; /* text, not terminated: who the other end was */
    size_t peer_len;  /* 65,535 at most */
    /* DER after DER: the signer's certificate, then others of its chain */
    const unsigned char *certs;
    size_t certs_len;
    const unsigned char *object;
    size_t object_len;
    /* What the log adds: the values are ignored when an entry is appended. */
    unsigned char id[MTLS_EVIDENCE_ID];
    uint64_t number; /* from 1 on */
    unsigned char previous[MTLS_EVIDENCE_DIGEST];
};

enum mtls_evidence_answer {
    MTLS_EVIDENCE_DONE,
    MTLS_EVIDENCE_MORE, /* octets are missing */
    MTLS_EVIDENCE_BAD   /* not an entry */
};

/* mtls_evidence_put_header writes a header up to its digest: octets written. */
size_t mtls_evidence_put_header(unsigned char out[MTLS_EVIDENCE_HEADER],
                                const unsigned char id[MTLS_EVIDENCE_ID]);

/*
 * mtls_evidence_get_header lends the id and the digest of a header, of whose
 * octets |len| are there. MORE: they may become one.
 */
enum mtls_evidence_answer
mtls_evidence_get_header(const unsigned char *in, size_t len,
                         const unsigned char **id,
                         const unsigned char **digest);

/* mtls_evidence_size: the size of an entry with its digest; 0: too large. */
size_t mtls_evidence_size(const struct mtls_evidence *e);

/*
 * mtls_evidence_put writes an entry up to its digest, which goes after it.
 * Returns the octets written, or 0 when |room| is short or |e| no entry.
 */
size_t mtls_evidence_put(unsigned char *out, size_t room,
                         const struct mtls_evidence *e);

/* mtls_evidence_start reads the size of the entry that begins at |in|. */
enum mtls_evidence_answer mtls_evidence_start(const unsigned char *in,
                                              size_t len, size_t *size);

/*
 * mtls_evidence_get decodes a whole entry of |size| octets, whose last ones are
 * its digest, and returns 1, or 0 when it is malformed.
 */
int mtls_evidence_get(const unsigned char *in, size_t size,
                      struct mtls_evidence *e);

#endif
