/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the files of `mtls audit` share. */
#ifndef MTLS_APPS_AUDIT_H
#define MTLS_APPS_AUDIT_H

#include "options.h"

#include <mtls/mtls_audit.h>

/*
 * audit_trust is whom signers must chain to, and how CRLs count, as the options
 * say: NULL, with a message, when that can't be had.
 */
X509_STORE *audit_trust(const struct options *o);

/* audit_untrusted reads -untrusted: 1, and NULL where there is none; or 0. */
int audit_untrusted(const struct options *o, STACK_OF(X509) * *certs);

/* The report: an entry, a finding, the sum of it all. |arg| is not used. */
void audit_show_entry(const MTLS_AUDIT_ENTRY *entry, void *arg);
void audit_show_finding(const MTLS_AUDIT_FINDING *finding, void *arg);
void audit_show_result(const char *log, const MTLS_AUDIT_RESULT *result,
                       int judged);

/*
 * audit_extract writes the object of an entry to -out, and says if it is not
 * verified |by| these: the exit status.
 */
int audit_extract(const struct options *o, const MTLS_AUDIT_PARAMS *by);

#endif
