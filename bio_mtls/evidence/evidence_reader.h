/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * An evidence log that is read, from its header to its end, over whatever has
 * become of it on the way. What is appended meanwhile is not looked at.
 */
#ifndef MTLS_EVIDENCE_READER_H
#define MTLS_EVIDENCE_READER_H

#include "evidence_entry.h"

struct mtls_evidence_reader {
    int fd;
    char *path;
    unsigned char id[MTLS_EVIDENCE_ID];
    unsigned char header[MTLS_EVIDENCE_DIGEST]; /* its digest, as it is there */
    int header_good;
    uint64_t at, size; /* of the file */
    unsigned char *octets;
    /* the item that was read last */
    uint64_t from, to; /* its octets in the file */
    struct mtls_evidence entry;
    unsigned char stored[MTLS_EVIDENCE_DIGEST];
    unsigned char computed[MTLS_EVIDENCE_DIGEST];
};

enum mtls_evidence_item {
    MTLS_EVIDENCE_ERROR = -1, /* the file can't be read: a reason is left */
    MTLS_EVIDENCE_END = 0,
    MTLS_EVIDENCE_ENTRY,   /* |entry|, lent until the next call; its digest */
    MTLS_EVIDENCE_SPOILT,  /* the size of an entry, but the digest differs */
    MTLS_EVIDENCE_RUBBISH, /* no entry; one of this log comes after it */
    MTLS_EVIDENCE_CUT      /* no entry, and none comes any more */
};

/*
 * mtls_evidence_reader_init opens a log: 1, or 0 with a reason. Cleanup is due
 * after both.
 */
int mtls_evidence_reader_init(struct mtls_evidence_reader *r, const char *path);
void mtls_evidence_reader_cleanup(struct mtls_evidence_reader *r);

enum mtls_evidence_item
mtls_evidence_reader_next(struct mtls_evidence_reader *r);

#endif
