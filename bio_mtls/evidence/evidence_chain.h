/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Whether entries, read one after the other, are the chain that was written:
 * all of one log, numbered without a gap, each with the digest of the one
 * before.
 */
#ifndef MTLS_EVIDENCE_CHAIN_H
#define MTLS_EVIDENCE_CHAIN_H

#include "evidence_entry.h"

struct mtls_evidence_chain {
    unsigned char id[MTLS_EVIDENCE_ID];
    uint64_t due; /* the number of the entry that is to come */
    uint64_t gap; /* what before it could not be read, each time as one entry */
    /* what it may say of the one before; none known: anything */
    unsigned char before[2][MTLS_EVIDENCE_DIGEST];
    int known;
};

/* What may be wrong with an entry that is whole in itself. */
enum mtls_evidence_fault {
    MTLS_EVIDENCE_GOOD,
    MTLS_EVIDENCE_OTHER_LOG, /* it was written to another log */
    MTLS_EVIDENCE_AGAIN,     /* it stands after entries that follow it */
    MTLS_EVIDENCE_MISSING,   /* those from |due| to it are not there */
    MTLS_EVIDENCE_BROKEN     /* it, or the one before, is not what it was */
};

/* mtls_evidence_chain_init begins with what the header says. */
void mtls_evidence_chain_init(struct mtls_evidence_chain *chain,
                              const unsigned char id[MTLS_EVIDENCE_ID],
                              const unsigned char digest[MTLS_EVIDENCE_DIGEST]);

/* mtls_evidence_chain_next judges an entry whose digest is |digest|. With
 * MISSING, *from is the first of those that are. */
enum mtls_evidence_fault mtls_evidence_chain_next(
    struct mtls_evidence_chain *chain, const struct mtls_evidence *e,
    const unsigned char digest[MTLS_EVIDENCE_DIGEST], uint64_t *from);

/*
 * mtls_evidence_chain_lost takes note of octets that are no entry, and returns
 * the number that one would have there. If they look like one, its digest is
 * |stored|, or |computed|; else both are NULL.
 */
uint64_t mtls_evidence_chain_lost(struct mtls_evidence_chain *chain,
                                  const unsigned char *stored,
                                  const unsigned char *computed);

#endif
