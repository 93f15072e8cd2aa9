/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "defaults.h"

#include "err.h"

#include <mtls/mtls_provider.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdatomic.h>

/* Activated once, and so there until OpenSSL cleans up. */
static _Atomic(OSSL_PROVIDER *) provider;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void unload(void)
{
    OSSL_PROVIDER_unload(atomic_exchange(&provider, NULL));
}

/*
 * OSSL_PROVIDER_try_load() has openssl.cnf read, if the program has not
 * forbidden it, and takes the provider that it has activated. The fallbacks
 * are retained, and not activated, as OSSL_PROVIDER_available() would: which
 * other providers there are is the program's affair.
 */
static OSSL_PROVIDER *load(void)
{
    if (!OSSL_PROVIDER_add_builtin(NULL, "mtls", MTLS_provider_init))
        return NULL;
    return OSSL_PROVIDER_try_load(NULL, "mtls", 1);
}

OSSL_PROVIDER *mtls_provider(void)
{
    OSSL_PROVIDER *p = atomic_load(&provider);

    if (p != NULL)
        return p;
    pthread_mutex_lock(&lock);
    p = atomic_load(&provider);
    if (p == NULL) {
        p = load();
        if (p != NULL && OPENSSL_atexit(unload))
            atomic_store(&provider, p);
    }
    pthread_mutex_unlock(&lock);
    return p;
}

/* As BIO_mtls_set_window() and _set_max_window() on one another. */
static void set_windows(struct mtls_session_config *config,
                        const uint64_t *window, const uint64_t *max_window)
{
    if (window != NULL)
        config->window = (uint32_t)*window;
    if (max_window != NULL)
        config->max_window = (uint32_t)*max_window;
    if (config->max_window >= config->window)
        return;
    if (max_window == NULL)
        config->max_window = config->window;
    else
        config->window = config->max_window;
}

static const uint64_t *if_set(const OSSL_PARAM *p)
{
    return OSSL_PARAM_modified(p) ? p->data : NULL;
}

static void set_u32(uint32_t *to, const OSSL_PARAM *p)
{
    const uint64_t *n = if_set(p);

    if (n != NULL)
        *to = (uint32_t)*n;
}

int mtls_defaults(struct mtls_session_config *config)
{
    uint64_t n[7];
    int status = 0;
    OSSL_PARAM p[] = {
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_WINDOW, &n[0]),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_WINDOW, &n[1]),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_PACKET, &n[2]),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_CHANNELS, &n[3]),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_MAX_OPENING, &n[4]),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_BACKLOG, &n[5]),
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_SESSION_MEMORY, &n[6]),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_END,
    };
    OSSL_PROVIDER *prov;

    ERR_set_mark(); /* making a BIO leaves nothing for the next call to find */
    prov = mtls_provider();
    ERR_pop_to_mark();
    if (prov == NULL || !OSSL_PROVIDER_get_params(prov, p) || !status)
        return 0;
    set_windows(config, if_set(&p[0]), if_set(&p[1]));
    set_u32(&config->max_packet, &p[2]);
    set_u32(&config->max_channels, &p[3]);
    set_u32(&config->max_opening, &p[4]);
    set_u32(&config->backlog, &p[5]);
    if (if_set(&p[6]) != NULL)
        config->session_memory = n[6];
    return 1;
}

int mtls_defaults_raise(void)
{
    char *error = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_ptr(MTLS_PROV_PARAM_ERROR, &error, 0),
        OSSL_PARAM_END,
    };
    OSSL_PROVIDER *prov = mtls_provider(); /* or OpenSSL's own errors */

    if (prov != NULL)
        OSSL_PROVIDER_get_params(prov, params);
    MTLS_raise_data(MTLS_R_BAD_CONFIGURATION, "%s",
                    error != NULL ? error : "provider mtls can't be loaded");
    return -1;
}
