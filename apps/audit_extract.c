/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* An entry's object by itself, for other programs to verify. */
#include "audit.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

struct extract {
    uint64_t number;
    const char *name; /* NULL: standard output */
    int seen, written;
};

static void write_object(const MTLS_AUDIT_ENTRY *entry, void *arg)
{
    struct extract *x = arg;
    BIO *out;
    size_t n = 0;

    if (entry->number != x->number || x->seen)
        return;
    x->seen = 1;
    if (!entry->verified)
        report_note("entry %llu is not verified",
                    (unsigned long long)x->number);
    out = x->name == NULL ? BIO_new_fp(stdout, BIO_NOCLOSE)
                          : BIO_new_file(x->name, "wb");
    x->written = out != NULL &&
                 (entry->object_len == 0 ||
                  (BIO_write_ex(out, entry->object, entry->object_len, &n) &&
                   n == entry->object_len)) &&
                 BIO_flush(out) > 0;
    BIO_free(out);
}

int audit_extract(const struct options *o, const MTLS_AUDIT_PARAMS *by)
{
    struct extract x = {.number = (uint64_t)o->extract, .name = o->out};
    MTLS_AUDIT_PARAMS params = *by;
    MTLS_AUDIT_RESULT result;

    params.entry = write_object;
    params.arg = &x;
    if (!MTLS_audit(&params, &result)) {
        report_error("%s can't be read", params.log);
        return EXIT_FAILURE;
    }
    if (!x.seen)
        report_error("%s has no entry %llu that can be read", params.log,
                     (unsigned long long)x.number);
    else if (!x.written)
        report_error("the object can't be written");
    return x.written ? EXIT_SUCCESS : EXIT_FAILURE;
}
