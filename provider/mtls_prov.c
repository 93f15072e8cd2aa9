/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls.so, a loadable module of OpenSSL 3: it says which protocol this build
 * speaks. The provider interface knows algorithms and capabilities, but no BIO
 * types: those are in libmtls.
 */
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

/* --- parameters of the provider ----------------------------------------- */

static OSSL_FUNC_provider_gettable_params_fn mtls_gettable_params;
static OSSL_FUNC_provider_get_params_fn mtls_get_params;
static OSSL_FUNC_provider_get_capabilities_fn mtls_get_capabilities;

static const OSSL_PARAM *mtls_gettable_params(void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return table;
}

static int set_text(OSSL_PARAM params[], const char *key, const char *text)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, key);

    return p == NULL || OSSL_PARAM_set_utf8_ptr(p, text);
}

static int mtls_get_params(void *provctx, OSSL_PARAM params[])
{
    OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

    (void)provctx;
    return set_text(params, OSSL_PROV_PARAM_NAME,
                    "Multiplexed TLS for OpenSSL") &&
           set_text(params, OSSL_PROV_PARAM_VERSION, MTLS_VERSION_TEXT) &&
           set_text(params, OSSL_PROV_PARAM_BUILDINFO, MTLS_VERSION_TEXT) &&
           (status == NULL || OSSL_PARAM_set_int(status, 1));
}

/* --- capability "MTLS": one entry for each version of the protocol ------- */

/* The message types of MTLS-05 2.4, and what its fields can hold. */
static unsigned char mtls05_types[] = {1, 2, 3, 4, 5, 6, 7, 8};
static unsigned int mtls05_max_channels = 65536;
static unsigned int mtls05_max_window = 0xffffffffu;
static unsigned int mtls05_max_packet = 0xffffffffu;

#define TEXT(key, text) \
    OSSL_PARAM_utf8_string(key, (char *)(text), sizeof(text) - 1)

static const OSSL_PARAM mtls05_entry[] = {
    TEXT("mtls-protocol", "draft-badra-hajjeh-mtls-05"),
    TEXT("mtls-transport", "tls"),
    TEXT("mtls-alpn", "mtls"),
    OSSL_PARAM_octet_string("mtls-message-types", mtls05_types,
                            sizeof(mtls05_types)),
    TEXT("mtls-message-1", "ChannelEstablishmentRequest"),
    TEXT("mtls-message-2", "ChannelEstablishmentSuccess"),
    TEXT("mtls-message-3", "ChannelRequestEchec"),
    TEXT("mtls-message-4", "ChannelCloseRequest"),
    TEXT("mtls-message-5", "ChannelCloseConfirmation"),
    TEXT("mtls-message-6", "MTLSPlaintext"),
    TEXT("mtls-message-7", "NewMaxPacketLength"),
    TEXT("mtls-message-8", "Acknowledgment"),
    OSSL_PARAM_uint("mtls-max-channels", &mtls05_max_channels),
    OSSL_PARAM_uint("mtls-max-window", &mtls05_max_window),
    OSSL_PARAM_uint("mtls-max-packet", &mtls05_max_packet),
    OSSL_PARAM_END,
};

static int mtls_get_capabilities(void *provctx, const char *capability,
                                 OSSL_CALLBACK *each, void *arg)
{
    (void)provctx;
    if (strcmp(capability, "MTLS") != 0)
        return 0;
    return each(mtls05_entry, arg);
}

/* --- setup ---------------------------------------------------------------- */

static const OSSL_DISPATCH mtls_dispatch[] = {
    {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))mtls_gettable_params},
    {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))mtls_get_params},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES,
     (void (*)(void))mtls_get_capabilities},
    {0, NULL},
};

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **provctx)
{
    (void)in;
    /* There is no state yet: the context has only to be something. */
    *provctx = (void *)handle;
    *out = mtls_dispatch;
    return 1;
}
