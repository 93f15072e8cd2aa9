/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The provider "mtls" of OpenSSL 3: a KDF, a STORE loader, the settings of its
 * section in openssl.cnf, and a capability that says which protocol this build
 * speaks. Providers have no place for BIO types: those are in libmtls, which
 * has this provider built in; the module is for programs that do not, and for
 * openssl.cnf.
 */
#include "prov.h"

#include <openssl/params.h>

static OSSL_FUNC_provider_teardown_fn mtls_teardown;
static OSSL_FUNC_provider_gettable_params_fn mtls_gettable_params;
static OSSL_FUNC_provider_get_params_fn mtls_get_params;
static OSSL_FUNC_provider_query_operation_fn mtls_query_operation;
static OSSL_FUNC_provider_get_capabilities_fn mtls_get_capabilities;
static OSSL_FUNC_provider_get_reason_strings_fn mtls_get_reason_strings;
static OSSL_FUNC_provider_self_test_fn mtls_self_test;

/* --- parameters of the provider ------------------------------------------ */

const char *mtls_prov_error(struct mtls_prov *prov)
{
    if (prov->settings.error[0] != '\0')
        return prov->settings.error;
    return atomic_load(&prov->failed) ? "self-test failed" : NULL;
}

static const OSSL_PARAM *mtls_gettable_params(void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_utf8_ptr(MTLS_PROV_PARAM_ERROR, NULL, 0),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_WINDOW, NULL),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_WINDOW, NULL),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_PACKET, NULL),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_SESSION_MEMORY, NULL),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_CHANNELS, NULL),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_OPENING, NULL),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_BACKLOG, NULL),
        OSSL_PARAM_utf8_ptr(MTLS_PROV_PARAM_ALLOW, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return table;
}

static int set_text(OSSL_PARAM params[], const char *key, const char *text)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, key);

    return p == NULL || text == NULL || OSSL_PARAM_set_utf8_ptr(p, text);
}

static int mtls_get_params(void *provctx, OSSL_PARAM params[])
{
    struct mtls_prov *prov = provctx;
    const char *error = mtls_prov_error(prov);
    OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

    return set_text(params, OSSL_PROV_PARAM_NAME,
                    "Multiplexed TLS for OpenSSL") &&
           set_text(params, OSSL_PROV_PARAM_VERSION, MTLS_VERSION_TEXT) &&
           set_text(params, OSSL_PROV_PARAM_BUILDINFO, MTLS_VERSION_TEXT) &&
           set_text(params, MTLS_PROV_PARAM_ERROR, error) &&
           (status == NULL || OSSL_PARAM_set_int(status, error == NULL)) &&
           mtls_prov_settings_get(&prov->settings, params);
}

/* --- what it offers ------------------------------------------------------- */

static const OSSL_ALGORITHM *mtls_query_operation(void *provctx, int operation,
                                                  int *no_cache)
{
    static const OSSL_ALGORITHM kdfs[] = {
        {MTLS_KDF_NAME_PSK, "provider=mtls", mtls_kdf_psk,
         "identity and key of the TLS connection of MTLS over DTLS"},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM stores[] = {
        {MTLS_STORE_SCHEME, "provider=mtls", mtls_store_tlssign,
         "signers' certificates of an evidence log"},
        {NULL, NULL, NULL, NULL},
    };

    (void)provctx;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KDF:
        return kdfs;
    case OSSL_OP_STORE:
        return stores;
    default:
        return NULL;
    }
}

static int mtls_get_capabilities(void *provctx, const char *capability,
                                 OSSL_CALLBACK *each, void *arg)
{
    (void)provctx;
    return mtls_prov_capability(capability, each, arg);
}

static const OSSL_ITEM *mtls_get_reason_strings(void *provctx)
{
    (void)provctx;
    return mtls_prov_reasons;
}

static int mtls_self_test(void *provctx)
{
    return mtls_prov_self_test(provctx);
}

/* --- setup ---------------------------------------------------------------- */

#define FUNCTION(id, function)         \
    {                                  \
        id, (void (*)(void))(function) \
    }

static const OSSL_DISPATCH mtls_dispatch[] = {
    FUNCTION(OSSL_FUNC_PROVIDER_TEARDOWN, mtls_teardown),
    FUNCTION(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, mtls_gettable_params),
    FUNCTION(OSSL_FUNC_PROVIDER_GET_PARAMS, mtls_get_params),
    FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, mtls_query_operation),
    FUNCTION(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, mtls_get_capabilities),
    FUNCTION(OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, mtls_get_reason_strings),
    FUNCTION(OSSL_FUNC_PROVIDER_SELF_TEST, mtls_self_test),
    {0, NULL},
};

static void take_core(struct mtls_prov *prov, const OSSL_DISPATCH *in)
{
    for (; in->function_id != 0; in++) {
        switch (in->function_id) {
        case OSSL_FUNC_CORE_GET_PARAMS:
            prov->core_get_params = OSSL_FUNC_core_get_params(in);
            break;
        case OSSL_FUNC_CORE_GET_LIBCTX:
            prov->core_get_libctx = OSSL_FUNC_core_get_libctx(in);
            break;
        case OSSL_FUNC_CORE_NEW_ERROR:
            prov->core_new_error = OSSL_FUNC_core_new_error(in);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            prov->core_set_error_debug = OSSL_FUNC_core_set_error_debug(in);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            prov->core_vset_error = OSSL_FUNC_core_vset_error(in);
            break;
        case OSSL_FUNC_SELF_TEST_CB:
            prov->core_self_test_cb = OSSL_FUNC_self_test_cb(in);
            break;
        default: /* a newer core may offer more */
            break;
        }
    }
}

static const char *ask_core(void *arg, const char *name)
{
    const struct mtls_prov *prov = arg;
    char *value = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(name, &value, 0),
        OSSL_PARAM_construct_end(),
    };

    if (prov->core_get_params == NULL ||
        !prov->core_get_params(prov->handle, params))
        return NULL;
    return value;
}

/* Contexts other than the default one have no configuration file. */
static int is_default_context(const struct mtls_prov *prov)
{
    const void *libctx = prov->core_get_libctx == NULL
                             ? NULL
                             : prov->core_get_libctx(prov->handle);

    return libctx == NULL || libctx == OSSL_LIB_CTX_get0_global_default();
}

static int read_settings(struct mtls_prov *prov, int conf_file)
{
    /* "activate" is in the section of each provider that openssl.cnf loads. */
    if (conf_file && ask_core(prov, "activate") == NULL &&
        is_default_context(prov))
        return mtls_prov_conf_file(&prov->settings);
    return mtls_prov_settings_read(&prov->settings, ask_core, prov);
}

static void mtls_teardown(void *provctx)
{
    struct mtls_prov *prov = provctx;

    mtls_prov_settings_cleanup(&prov->settings);
    OPENSSL_free(prov);
}

/* One that has a bad section or fails its test still loads, and says so: did
 * it not, OpenSSL would go on without it and without a word. */
int mtls_prov_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                   const OSSL_DISPATCH **out, void **provctx, int conf_file)
{
    struct mtls_prov *prov = OPENSSL_zalloc(sizeof(*prov));

    if (prov == NULL)
        return 0;
    prov->handle = handle;
    atomic_init(&prov->failed, 0);
    take_core(prov, in);
    if (!read_settings(prov, conf_file)) {
        mtls_teardown(prov);
        return 0;
    }
    mtls_prov_self_test(prov);
    *provctx = prov;
    *out = mtls_dispatch;
    return 1;
}
