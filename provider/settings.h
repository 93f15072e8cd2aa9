/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The provider's section of openssl.cnf. */
#ifndef MTLS_PROV_SETTINGS_H
#define MTLS_PROV_SETTINGS_H

#include <openssl/core.h>
#include <stdint.h>

#define MTLS_PROV_NUMBERS 7
#define MTLS_PROV_ERROR_SIZE 160

struct mtls_prov_settings {
    uint64_t number[MTLS_PROV_NUMBERS];
    int is_set[MTLS_PROV_NUMBERS];
    char *allow;                      /* NULL: not set */
    char error[MTLS_PROV_ERROR_SIZE]; /* the first that is wrong, or "" */
};

/* Who looks a setting up: its text, which need not last, or NULL. */
typedef const char *mtls_prov_look_up_fn(void *arg, const char *name);

/* mtls_prov_settings_read: 0 when memory is short. */
int mtls_prov_settings_read(struct mtls_prov_settings *s,
                            mtls_prov_look_up_fn *look_up, void *arg);
void mtls_prov_settings_cleanup(struct mtls_prov_settings *s);

/* mtls_prov_settings_get answers what |params| asks for and is set. */
int mtls_prov_settings_get(const struct mtls_prov_settings *s,
                           OSSL_PARAM params[]);

/*
 * mtls_prov_conf_file reads the section from the file that OpenSSL takes its
 * configuration from, if it has one: 0 when memory is short.
 */
int mtls_prov_conf_file(struct mtls_prov_settings *s);

#endif
