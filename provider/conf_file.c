/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The section as the built-in provider finds it. OpenSSL reads openssl.cnf at
 * its first call, when this library has had no chance to tell of a built-in
 * provider yet: without mtls.so among OpenSSL's modules the section would be
 * passed over, and nobody would notice.
 */
#include "settings.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <string.h>

typedef STACK_OF(CONF_VALUE) section;

/* NCONF_get_string() would look in the file's default section as well. */
static const char *value_of(const section *values, const char *name)
{
    const char *found = NULL;

    for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(values, i);

        if (strcmp(v->name, name) == 0)
            found = v->value;
    }
    return found;
}

static const char *look_up(void *arg, const char *name)
{
    return value_of(arg, name);
}

static const section *section_of(const CONF *conf, const char *name)
{
    return name == NULL ? NULL : NCONF_get_section(conf, name);
}

/* As OpenSSL finds it: a provider's name is what follows the first dot, and
 * "identity" is a better one (config(5)). */
static const section *find_section(const CONF *conf)
{
    const char *init = NCONF_get_string(conf, NULL, "openssl_conf");
    const section *s = section_of(conf, init);
    const section *providers = NULL;

    if (s != NULL)
        providers = section_of(conf, value_of(s, "providers"));
    for (int i = 0; i < sk_CONF_VALUE_num(providers); i++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(providers, i);
        const char *dot = strchr(v->name, '.');
        const char *name = dot != NULL ? dot + 1 : v->name;
        const char *identity = NULL;

        s = section_of(conf, v->value);
        if (s != NULL)
            identity = value_of(s, "identity");
        if (s != NULL &&
            strcmp(identity != NULL ? identity : name, "mtls") == 0)
            return s;
    }
    return NULL;
}

int mtls_prov_conf_file(struct mtls_prov_settings *s)
{
    char *name = CONF_get1_default_config_file();
    CONF *conf = NCONF_new(NULL);
    const section *found = NULL;
    int ok;

    ERR_set_mark(); /* no file, or one that OpenSSL can't read, is no error */
    if (name != NULL && *name != '\0' && conf != NULL &&
        NCONF_load(conf, name, NULL) > 0)
        found = find_section(conf);
    ERR_pop_to_mark();
    ok = mtls_prov_settings_read(s, look_up, (void *)found);
    NCONF_free(conf);
    OPENSSL_free(name);
    return ok;
}
