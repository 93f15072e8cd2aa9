/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "settings.h"

#include <mtls/mtls_provider.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/* In the order of struct mtls_prov_settings. The ranges are those that
 * BIO_mtls_set_window(3) names. */
static const struct {
    const char *name;
    uint64_t least, most;
} numbers[MTLS_PROV_NUMBERS] = {
    {MTLS_PROV_PARAM_WINDOW, 1, INT32_MAX},
    {MTLS_PROV_PARAM_MAX_WINDOW, 1, INT32_MAX},
    {MTLS_PROV_PARAM_MAX_PACKET, 1, INT32_MAX},
    {MTLS_PROV_PARAM_SESSION_MEMORY, 1, INT64_MAX},
    {MTLS_PROV_PARAM_MAX_CHANNELS, 1, 65536},
    {MTLS_PROV_PARAM_MAX_OPENING, 0, 65536},
    {MTLS_PROV_PARAM_BACKLOG, 0, 65536},
};

/* Decimal digits alone. */
static int parse_number(const char *text, uint64_t *out)
{
    uint64_t n = 0;

    if (*text == '\0')
        return 0;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || n > (UINT64_MAX - digit) / 10)
            return 0;
        n = n * 10 + digit;
    }
    *out = n;
    return 1;
}

static void read_number(struct mtls_prov_settings *s, size_t i,
                        const char *text)
{
    uint64_t n;

    s->is_set[i] =
        parse_number(text, &n) && n >= numbers[i].least && n <= numbers[i].most;
    if (s->is_set[i])
        s->number[i] = n;
    else if (s->error[0] == '\0')
        BIO_snprintf(s->error, sizeof(s->error),
                     "%s = %.64s: not a number from %llu to %llu",
                     numbers[i].name, text,
                     (unsigned long long)numbers[i].least,
                     (unsigned long long)numbers[i].most);
}

/* The first two are window and max_window. */
static void check_windows(struct mtls_prov_settings *s)
{
    if (s->is_set[0] && s->is_set[1] && s->number[0] > s->number[1] &&
        s->error[0] == '\0')
        BIO_snprintf(s->error, sizeof(s->error),
                     "window = %llu: more than max_window",
                     (unsigned long long)s->number[0]);
}

/* What it holds is for the program to read; an empty list could mean all or
 * nothing. */
static int read_allow(struct mtls_prov_settings *s, const char *text)
{
    s->allow = OPENSSL_strdup(text);
    if (s->allow == NULL)
        return 0;
    if (text[strspn(text, " \t,")] == '\0' && s->error[0] == '\0')
        BIO_snprintf(s->error, sizeof(s->error), "%s: no destination",
                     MTLS_PROV_PARAM_ALLOW);
    return 1;
}

int mtls_prov_settings_read(struct mtls_prov_settings *s,
                            mtls_prov_look_up_fn *look_up, void *arg)
{
    const char *text;

    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < MTLS_PROV_NUMBERS; i++) {
        text = look_up(arg, numbers[i].name);
        if (text != NULL)
            read_number(s, i, text);
    }
    check_windows(s);
    text = look_up(arg, MTLS_PROV_PARAM_ALLOW);
    return text == NULL || read_allow(s, text);
}

void mtls_prov_settings_cleanup(struct mtls_prov_settings *s)
{
    OPENSSL_free(s->allow);
}

int mtls_prov_settings_get(const struct mtls_prov_settings *s,
                           OSSL_PARAM params[])
{
    OSSL_PARAM *p;

    for (size_t i = 0; i < MTLS_PROV_NUMBERS; i++) {
        p = OSSL_PARAM_locate(params, numbers[i].name);
        if (p != NULL && s->is_set[i] &&
            !OSSL_PARAM_set_uint64(p, s->number[i]))
            return 0;
    }
    p = OSSL_PARAM_locate(params, MTLS_PROV_PARAM_ALLOW);
    return p == NULL || s->allow == NULL ||
           OSSL_PARAM_set_utf8_ptr(p, s->allow);
}
