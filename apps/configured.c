/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "configured.h"

#include "report.h"

#include <mtls/mtls_provider.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

int configured_init(void)
{
    return OSSL_PROVIDER_add_builtin(NULL, "mtls", MTLS_provider_init);
}

/* Commas or blanks are between destinations. */
static int add_all(struct allow *a, const char *list)
{
    static const char between[] = ", \t";
    char *text = strdup(list), *rest = text, *word;
    int ok = text != NULL;

    while (ok && (word = strtok_r(rest, between, &rest)) != NULL) {
        ok = allow_add(a, word);
        if (!ok)
            report_error("openssl.cnf: allow: %s is not what -allow takes",
                         word);
    }
    free(text);
    return ok;
}

/* The texts are the provider's, and good while it is loaded. */
static int read_section(struct allow *a)
{
    OSSL_PROVIDER *provider = OSSL_PROVIDER_try_load(NULL, "mtls", 1);
    char *error = NULL, *list = NULL;
    int status = 0, ok;
    OSSL_PARAM params[] = {
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_utf8_ptr(MTLS_PROV_PARAM_ERROR, &error, 0),
        OSSL_PARAM_utf8_ptr(MTLS_PROV_PARAM_ALLOW, &list, 0),
        OSSL_PARAM_END,
    };

    ok = provider != NULL && OSSL_PROVIDER_get_params(provider, params);
    if (!ok)
        report_error("the provider mtls can't be loaded");
    else if (!status)
        report_error("openssl.cnf: %s",
                     error != NULL ? error : "the provider mtls has failed");
    ok = ok && status && (a == NULL || list == NULL || add_all(a, list));
    OSSL_PROVIDER_unload(provider);
    return ok;
}

int configured_check(void)
{
    return read_section(NULL);
}

int configured_allow(struct allow *a)
{
    return read_section(a);
}
