/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The provider "mtls" in a library context of its own, as a module (in
 * MTLS_PROVIDER_DIR) or as it is built into the library. Failures end the test.
 */
#ifndef TEST_PROVIDER_LOAD_H
#define TEST_PROVIDER_LOAD_H

#include <openssl/provider.h>

enum provider_kind {
    PROVIDER_MODULE,
    PROVIDER_BUILT_IN,
    PROVIDER_KINDS
};

/* A context in which "mtls" can be loaded, by itself or by a configuration. */
OSSL_LIB_CTX *provider_context(enum provider_kind kind);

/*
 * provider_conf writes an openssl.cnf with the section of "mtls" and returns
 * its name. |module| says whether it names the module. provider_conf_file
 * writes all of it.
 */
const char *provider_conf(const char *section, int module);
const char *provider_conf_file(const char *text);

/* Takes away what the two have written. */
void provider_conf_remove(void);

#endif
