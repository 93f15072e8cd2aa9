/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "evidence_chain.h"

#include <string.h>

static void follow(struct mtls_evidence_chain *chain,
                   const unsigned char *digest)
{
    memcpy(chain->before[0], digest, MTLS_EVIDENCE_DIGEST);
    chain->known = 1;
    chain->gap = 0;
}

void mtls_evidence_chain_init(struct mtls_evidence_chain *chain,
                              const unsigned char id[MTLS_EVIDENCE_ID],
                              const unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    memcpy(chain->id, id, sizeof(chain->id));
    chain->due = 1;
    follow(chain, digest);
}

static int follows(const struct mtls_evidence_chain *chain,
                   const struct mtls_evidence *e)
{
    for (int i = 0; i < chain->known; i++)
        if (memcmp(chain->before[i], e->previous, sizeof(e->previous)) == 0)
            return 1;
    return chain->known == 0;
}

/* What could not be read was counted as entries, and may have been none. */
enum mtls_evidence_fault mtls_evidence_chain_next(
    struct mtls_evidence_chain *chain, const struct mtls_evidence *e,
    const unsigned char digest[MTLS_EVIDENCE_DIGEST], uint64_t *from)
{
    enum mtls_evidence_fault fault = MTLS_EVIDENCE_GOOD;

    if (memcmp(e->id, chain->id, sizeof(e->id)) != 0)
        return MTLS_EVIDENCE_OTHER_LOG;
    if (e->number + chain->gap < chain->due)
        return MTLS_EVIDENCE_AGAIN;
    if (e->number > chain->due) {
        fault = MTLS_EVIDENCE_MISSING;
        *from = chain->due;
    } else if (e->number == chain->due && !follows(chain, e)) {
        fault = MTLS_EVIDENCE_BROKEN;
    }
    chain->due = e->number + 1;
    follow(chain, digest);
    return fault;
}

uint64_t mtls_evidence_chain_lost(struct mtls_evidence_chain *chain,
                                  const unsigned char *stored,
                                  const unsigned char *computed)
{
    chain->known = 0;
    if (stored != NULL && computed != NULL) {
        memcpy(chain->before[0], stored, MTLS_EVIDENCE_DIGEST);
        memcpy(chain->before[1], computed, MTLS_EVIDENCE_DIGEST);
        chain->known = 2;
    }
    chain->gap++;
    return chain->due++;
}
