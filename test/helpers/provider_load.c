/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "provider_load.h"

#include <check.h>
#include <mtls/mtls_provider.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char file_name[64];

static const char *module_dir(void)
{
    const char *dir = getenv("MTLS_PROVIDER_DIR");

    return dir == NULL ? "provider" : dir;
}

OSSL_LIB_CTX *provider_context(enum provider_kind kind)
{
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();

    ck_assert_ptr_nonnull(ctx);
    if (kind == PROVIDER_MODULE)
        ck_assert(OSSL_PROVIDER_set_default_search_path(ctx, module_dir()));
    else
        ck_assert(OSSL_PROVIDER_add_builtin(ctx, "mtls", MTLS_provider_init));
    return ctx;
}

const char *provider_conf_file(const char *text)
{
    FILE *file;
    int fd;

    provider_conf_remove();
    snprintf(file_name, sizeof(file_name), "/tmp/mtls-test-cnf.XXXXXX");
    fd = mkstemp(file_name);
    ck_assert_int_ge(fd, 0);
    file = fdopen(fd, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return file_name;
}

const char *provider_conf(const char *section, int module)
{
    char text[2000], path[1000] = "";

    if (module)
        snprintf(path, sizeof(path), "module = %s/mtls.so\n", module_dir());
    snprintf(text, sizeof(text),
             "openssl_conf = init\n"
             "[init]\nproviders = providers\n"
             "[providers]\ndefault = default_section\nmtls = mtls_section\n"
             "[default_section]\nactivate = 1\n"
             "[mtls_section]\n%sactivate = 1\n%s\n",
             path, section);
    return provider_conf_file(text);
}

void provider_conf_remove(void)
{
    if (file_name[0] != '\0')
        unlink(file_name);
    file_name[0] = '\0';
}
