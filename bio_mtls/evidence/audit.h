/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What audit*.c share: an audit under way. */
#ifndef MTLS_AUDIT_LOCAL_H
#define MTLS_AUDIT_LOCAL_H

#include "evidence_chain.h"
#include "evidence_reader.h"
#include "sign_object.h"

#include <mtls/mtls_audit.h>
#include <openssl/evp.h>
#include <openssl/lhash.h>

/* What is kept of a message or a receipt, to find what belongs to it. */
struct mtls_audit_piece {
    unsigned char binding[MTLS_EVIDENCE_BINDING];
    uint8_t direction; /* who signed it */
    uint8_t receipt, sent;
    uint64_t sequence;
    uint64_t number;
    unsigned char digest[MTLS_SIGN_DIGEST]; /* a receipt: what it signs */
    int due;                                /* a receipt that was not seen */
    unsigned char object[MTLS_EVIDENCE_DIGEST];
    int found;   /* in the other end's log */
    int at_peer; /* of a session's first piece: so is its session */
};

/* Of each entry: what a time stamp that comes later may be of. */
struct mtls_audit_past {
    uint64_t number;
    uint64_t time;
    unsigned char digest[MTLS_EVIDENCE_DIGEST];
};

struct mtls_audit {
    const MTLS_AUDIT_PARAMS *params;
    MTLS_AUDIT_RESULT *result;
    struct mtls_evidence_chain chain;
    struct mtls_audit_piece **pieces; /* all */
    size_t n_pieces, room_pieces;
    OPENSSL_LHASH *genuine; /* those whose object is what the log says */
    struct mtls_audit_past *past;
    size_t n_past, room_past;
    int expected_seen;
    int failed; /* no memory */
};

/* mtls_audit_tell reports a finding, its text as printf()'s. */
__attribute__((format(printf, 4, 5))) void
mtls_audit_tell(struct mtls_audit *a, int weight, uint64_t number,
                const char *format, ...);

/* mtls_audit_queue_text: what the error queue says first, which it empties. */
const char *mtls_audit_queue_text(char *out, size_t size);

/*
 * mtls_audit_genuine opens the object of |e|: NULL when it is what the log
 * says, by whomever; else what is wrong, maybe in |out|. Cleanup of |s|, which
 * was zeroed, is due in any case. mtls_audit_signer judges who signed it: NULL,
 * or what is wrong.
 */
const char *mtls_audit_genuine(const struct mtls_evidence *e,
                               struct mtls_signed *s, char *out, size_t size);
const char *mtls_audit_signer(const struct mtls_audit *a,
                              const struct mtls_evidence *e,
                              const struct mtls_signed *s, char *out,
                              size_t size);

/*
 * mtls_audit_object verifies the signed object of |e| and fills in what |entry|
 * says of it: 1 when it is what the log says, by whomever. Cleanup of |s| is
 * due in any case.
 */
int mtls_audit_object(struct mtls_audit *a, const struct mtls_evidence *e,
                      MTLS_AUDIT_ENTRY *entry, struct mtls_signed *s);

/*
 * mtls_audit_pair looks for the message of a receipt; both are kept. |s| is
 * NULL unless the object is what the log says.
 */
void mtls_audit_pair(struct mtls_audit *a, const struct mtls_evidence *e,
                     MTLS_AUDIT_ENTRY *entry, const struct mtls_signed *s);

/* mtls_audit_pairs_end tells what is missing. */
void mtls_audit_pairs_end(struct mtls_audit *a);

void mtls_audit_pairs_cleanup(struct mtls_audit *a);

/* mtls_audit_peer compares with the other end's log, after the end: 1, or 0
 * with a reason when it can't be read. */
int mtls_audit_peer(struct mtls_audit *a);

/*
 * mtls_audit_room makes an array grow: where one more fits, or NULL, and then
 * the audit has failed.
 */
void *mtls_audit_room(struct mtls_audit *a, void *array, size_t n, size_t *room,
                      size_t size);

/* mtls_audit_keep keeps what a time stamp of the entry would be of. */
void mtls_audit_keep(struct mtls_audit *a, const struct mtls_evidence *e,
                     const unsigned char digest[MTLS_EVIDENCE_DIGEST]);

/* mtls_audit_stamp verifies a time stamp. */
void mtls_audit_stamp(struct mtls_audit *a, const struct mtls_evidence *e,
                      MTLS_AUDIT_ENTRY *entry);

#endif
