/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What evidence.c and evidence_file.c share: a log's file and its end. */
#ifndef MTLS_EVIDENCE_LOCAL_H
#define MTLS_EVIDENCE_LOCAL_H

#include "err.h"
#include "evidence.h"

#include <sys/types.h>

struct mtls_evidence_file {
    int fd;
    char *path;
    unsigned char id[MTLS_EVIDENCE_ID];
    /* as far as was read: where it ends, how many entries, the last digest */
    uint64_t end; /* 0: the header neither */
    uint64_t number;
    unsigned char last[MTLS_EVIDENCE_DIGEST];
    char *torn; /* the file that keeps what was torn at last */
    uint64_t torn_octets;
};

/*
 * Each of these returns 1, or 0 with a reason on the queue. The file is locked
 * in all but the first, which makes the path absolute, and creates the file
 * unless it is opened |again|.
 */
int mtls_evidence_file_open(struct mtls_evidence_file *f, int again);

/* mtls_evidence_file_catch_up reads what others have appended, writes the
 * header of an empty file, and moves a torn end aside. */
int mtls_evidence_file_catch_up(struct mtls_evidence_file *f);

/* mtls_evidence_file_append writes after the end, all or nothing. */
int mtls_evidence_file_append(struct mtls_evidence_file *f,
                              const struct mtls_evidence *e);

int mtls_evidence_digest(const void *in, size_t len,
                         unsigned char out[MTLS_EVIDENCE_DIGEST]);

/* mtls_evidence_file_read reads |len| octets at |at|. */
int mtls_evidence_file_read(const struct mtls_evidence_file *f, uint64_t at,
                            unsigned char *out, size_t len);

/* mtls_evidence_raise_system leaves errno's text and the log's name. Returns
 * 0. */
int mtls_evidence_raise_system(const struct mtls_evidence_file *f);

/* mtls_evidence_sync_folder makes a new file's name last. */
int mtls_evidence_sync_folder(const struct mtls_evidence_file *f);

/* mtls_evidence_torn_aside moves what is after |end| to a file of its own, and
 * notes it in the log. */
int mtls_evidence_torn_aside(struct mtls_evidence_file *f, uint64_t size);

#endif
