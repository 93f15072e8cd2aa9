/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * An evidence log that is written: a file to which signed objects are appended
 * with their context, each with the digest of the one before (doc/evidence.md).
 *
 * Several processes, threads and handles may append to one file: each append
 * locks it (flock), and takes note of what others have appended. A handle may
 * be used by several threads at once, and after a fork.
 */
#ifndef MTLS_EVIDENCE_H
#define MTLS_EVIDENCE_H

#include "evidence_entry.h"

struct mtls_evidence_log;

/*
 * mtls_evidence_open opens a log, or creates it (mode 0600). An entry that was
 * cut by a crash is moved to a file beside it, FILE.torn.N. NULL with a reason:
 * the file can't be opened, is something else, or is damaged, in which case it
 * is left as it was.
 */
struct mtls_evidence_log *mtls_evidence_open(const char *path);

/* mtls_evidence_up_ref: close is due once more. */
void mtls_evidence_up_ref(struct mtls_evidence_log *log);

/* mtls_evidence_close takes a reference back; the last closes. NULL is fine. */
void mtls_evidence_close(struct mtls_evidence_log *log);

/*
 * mtls_evidence_append writes |e| and waits until the disk has it. 1, and the
 * entry's number in *number unless that is NULL; or 0 with a reason, and then
 * the log is as it was. Its number, id and digest are filled in; a |time| of 0
 * becomes the present.
 */
int mtls_evidence_append(struct mtls_evidence_log *log,
                         const struct mtls_evidence *e, uint64_t *number);

/*
 * mtls_evidence_torn: 1 and the file that keeps what this handle found torn at
 * last, for OPENSSL_free(), and its octets; 0: nothing was; -1: no memory.
 */
int mtls_evidence_torn(struct mtls_evidence_log *log, char **file,
                       uint64_t *octets);

/* mtls_evidence_path: absolute. Lent. */
const char *mtls_evidence_path(const struct mtls_evidence_log *log);

#endif
