/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "audit_found.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static void on_entry(const MTLS_AUDIT_ENTRY *entry, void *arg)
{
    struct audit_found *found = arg;

    if (entry->number >= AUDIT_NUMBERS)
        return;
    found->of[entry->number] = entry->of;
    found->verified[entry->number] = entry->verified;
}

static void on_finding(const MTLS_AUDIT_FINDING *finding, void *arg)
{
    struct audit_found *found = arg;
    int *const by_weight[] = {found->notes, found->open, found->bad};
    size_t used = strlen(found->texts);

    if (finding->number < AUDIT_NUMBERS)
        by_weight[finding->weight][finding->number]++;
    if (finding->weight == MTLS_AUDIT_BAD && found->text[0] == '\0')
        snprintf(found->text, sizeof(found->text), "%llu %s",
                 (unsigned long long)finding->number, finding->text);
    snprintf(found->texts + used, sizeof(found->texts) - used, "%s\n",
             finding->text);
}

void audit_find(struct audit_found *found, MTLS_AUDIT_PARAMS *params)
{
    memset(found, 0, sizeof(*found));
    params->entry = on_entry;
    params->finding = on_finding;
    params->arg = found;
    ck_assert(MTLS_audit(params, &found->result));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
