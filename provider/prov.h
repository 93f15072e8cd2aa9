/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the provider's files share: its context, and what each has to offer. */
#ifndef MTLS_PROV_H
#define MTLS_PROV_H

#include "settings.h"

#include <mtls/mtls_provider.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdatomic.h>

struct mtls_prov {
    const OSSL_CORE_HANDLE *handle;
    /* the core's, each NULL where it has none */
    OSSL_FUNC_core_get_params_fn *core_get_params;
    OSSL_FUNC_core_get_libctx_fn *core_get_libctx;
    OSSL_FUNC_core_new_error_fn *core_new_error;
    OSSL_FUNC_core_set_error_debug_fn *core_set_error_debug;
    OSSL_FUNC_core_vset_error_fn *core_vset_error;
    OSSL_FUNC_self_test_cb_fn *core_self_test_cb;

    struct mtls_prov_settings settings;
    atomic_int failed; /* a self-test; for good, as in OpenSSL's own */
};

/* mtls_prov_init does OSSL_provider_init()'s work; |conf_file| says whether
 * the file is read where the core has no section for the provider. */
int mtls_prov_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                   const OSSL_DISPATCH **out, void **provctx, int conf_file);

/* mtls_prov_error: why the provider is not running, or NULL. */
const char *mtls_prov_error(struct mtls_prov *prov);

/* mtls_prov_self_test: 1 when the KDF gives what it must. */
int mtls_prov_self_test(struct mtls_prov *prov);

/* --- errors (err.c) --- */

extern const OSSL_ITEM mtls_prov_reasons[];

/* MTLS_PROV_raise leaves a reason, and text like printf()'s unless NULL. */
#define MTLS_PROV_raise(prov, reason, ...)                            \
    mtls_prov_raise((prov), OPENSSL_FILE, OPENSSL_LINE, OPENSSL_FUNC, \
                    (reason), __VA_ARGS__)
void mtls_prov_raise(const struct mtls_prov *prov, const char *file, int line,
                     const char *function, uint32_t reason, const char *format,
                     ...);

/* --- the KDF (kdf_psk.c) --- */

extern const OSSL_DISPATCH mtls_kdf_psk[];

#define MTLS_SESSION_ID_MAX 32     /* RFC 5246 7.4.1.2 */
#define MTLS_MASTER_SECRET_SIZE 48 /* RFC 5246 8.1 */

/* What the self-test derives with, without a context: 1 or 0. */
int mtls_kdf_psk_once(struct mtls_prov *prov, const char *session_id,
                      const unsigned char secret[MTLS_MASTER_SECRET_SIZE],
                      char identity[MTLS_SESSION_ID_MAX + 1],
                      unsigned char psk[MTLS_MASTER_SECRET_SIZE]);

/* --- the STORE loader (store_tlssign.c) --- */

extern const OSSL_DISPATCH mtls_store_tlssign[];

/* --- the capability (capability.c) --- */

int mtls_prov_capability(const char *capability, OSSL_CALLBACK *each,
                         void *arg);

#endif
