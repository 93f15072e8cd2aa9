/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Evidence logs for tests: a folder of their own, files as octets, chains. */
#ifndef EVIDENCE_LOG_H
#define EVIDENCE_LOG_H

#include "evidence.h"

/* evidence_folder makes an empty folder, evidence_remove deletes it again. */
const char *evidence_folder(void);

/* The same in memory, if that can be: for many small writes, since a disk may
 * be busy with those of others. */
const char *evidence_memory_folder(void);
void evidence_remove(void);

/* evidence_file is a path in that folder. Static: at most 8 at a time. */
const char *evidence_file(const char *name);

/* A whole file, on the heap, with a 0 after it. */
unsigned char *evidence_read(const char *path, size_t *len);
void evidence_write(const char *path, const void *octets, size_t len);

/* evidence_sample: an entry whose object is |text|. */
struct mtls_evidence evidence_sample(const char *text);

/*
 * evidence_walk asserts that |path| is a whole log in which each entry has the
 * digest of the one before, and calls |each|, unless NULL, for every entry.
 * Returns how many there are.
 */
uint64_t evidence_walk(const char *path,
                       void (*each)(const struct mtls_evidence *e, void *arg),
                       void *arg);

#endif
