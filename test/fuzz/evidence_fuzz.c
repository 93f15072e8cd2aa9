/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Any octets as an evidence log: what decodes must encode to the same again,
 * and the chain's judge must take any order of entries. */
#include "evidence_chain.h"
#include "evidence_entry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char out[70000];

static void same(const uint8_t *data, size_t size,
                 const struct mtls_evidence *e)
{
    if (size > sizeof(out))
        return;
    if (mtls_evidence_put(out, sizeof(out), e) != size - MTLS_EVIDENCE_DIGEST ||
        memcmp(out, data, size - MTLS_EVIDENCE_DIGEST) != 0)
        abort();
}

/* What is no entry counts as one that was lost, octet by octet. */
static size_t step(struct mtls_evidence_chain *chain, const uint8_t *data,
                   size_t left)
{
    struct mtls_evidence e;
    uint64_t from = 0, due = chain->due;
    const uint8_t *digest;
    size_t size;

    if (mtls_evidence_start(data, left, &size) != MTLS_EVIDENCE_DONE ||
        size > left) {
        mtls_evidence_chain_lost(chain, NULL, NULL);
        return 1;
    }
    digest = data + size - MTLS_EVIDENCE_DIGEST;
    if (!mtls_evidence_get(data, size, &e)) {
        mtls_evidence_chain_lost(chain, digest, digest);
        return size;
    }
    same(data, size, &e);
    if (mtls_evidence_chain_next(chain, &e, digest, &from) ==
            MTLS_EVIDENCE_MISSING &&
        (from != due || from >= e.number))
        abort();
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mtls_evidence_chain chain;
    const unsigned char *id, *digest;
    size_t at = MTLS_EVIDENCE_HEADER;

    if (mtls_evidence_get_header(data, size, &id, &digest) !=
        MTLS_EVIDENCE_DONE)
        return 0;
    mtls_evidence_chain_init(&chain, id, digest);
    while (at < size)
        at += step(&chain, data + at, size - at);
    return 0;
}
