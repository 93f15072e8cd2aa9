/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* An audit for tests, and what it has found. Failures end the test. */
#ifndef AUDIT_FOUND_H
#define AUDIT_FOUND_H

#include <mtls/mtls_audit.h>

#define AUDIT_NUMBERS 64 /* of entries that are told of; 0: the log */

/* By the numbers of entries; findings are counted. */
struct audit_found {
    MTLS_AUDIT_RESULT result;
    int bad[AUDIT_NUMBERS], open[AUDIT_NUMBERS], notes[AUDIT_NUMBERS];
    int verified[AUDIT_NUMBERS];
    uint64_t of[AUDIT_NUMBERS];
    char text[512];   /* of the first bad one, with its number */
    char texts[2048]; /* of all, one a line, as far as there is room */
};

/* audit_find audits |params->log|, whose |entry|, |finding| and |arg| it sets.
 */
void audit_find(struct audit_found *found, MTLS_AUDIT_PARAMS *params);

#endif
