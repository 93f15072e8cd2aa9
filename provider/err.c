/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "prov.h"

#include <stdarg.h>

const OSSL_ITEM mtls_prov_reasons[] = {
    {MTLS_PROV_R_NOT_RUNNING, "provider is not running"},
    {MTLS_PROV_R_WRONG_TYPE, "parameter of the wrong type"},
    {MTLS_PROV_R_NO_SESSION_ID, "no session ID"},
    {MTLS_PROV_R_BAD_SESSION_ID, "unusable session ID"},
    {MTLS_PROV_R_NO_SECRET, "no master secret"},
    {MTLS_PROV_R_BAD_SECRET, "unusable master secret"},
    {MTLS_PROV_R_BAD_LENGTH, "wrong length of what is to be derived"},
    {MTLS_PROV_R_BAD_MODE, "unknown mode"},
    {MTLS_PROV_R_NOT_A_LOG, "not an evidence log"},
    {MTLS_PROV_R_BAD_LOG, "evidence log is damaged"},
    {0, NULL}};

void mtls_prov_raise(const struct mtls_prov *prov, const char *file, int line,
                     const char *function, uint32_t reason, const char *format,
                     ...)
{
    va_list args;

    if (prov->core_new_error == NULL || prov->core_set_error_debug == NULL ||
        prov->core_vset_error == NULL)
        return;
    prov->core_new_error(prov->handle);
    prov->core_set_error_debug(prov->handle, file, line, function);
    va_start(args, format);
    prov->core_vset_error(prov->handle, reason, format, args);
    va_end(args);
}
