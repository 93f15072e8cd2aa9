/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "err.h"
#include "sign_format.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <string.h>

#define LEAST_LEVEL 2 /* of security: SHA-1 and RSA of 1,024 bits are below */

/* --- formats --- */

/* The one that may be added; its library is loaded by who wants it. */
static _Atomic(const struct mtls_sign_format *) added;

static const struct mtls_sign_format *find(uint8_t number)
{
    switch (number) {
    case 0:
        return &mtls_sign_cms;
    case 1:
        return &mtls_sign_smime;
    case 2:
        return atomic_load(&added);
    default:
        return NULL;
    }
}

int MTLS_sign_add_format(uint8_t number, const struct mtls_sign_format *format)
{
    const struct mtls_sign_format *none = NULL;

    return number == MTLS_SIGN_FORMATS - 1 &&
           (atomic_compare_exchange_strong(&added, &none, format) ||
            none == format);
}

int mtls_sign_format_known(uint8_t format)
{
    return find(format) != NULL;
}

static const struct mtls_sign_format *get(uint8_t number)
{
    const struct mtls_sign_format *format = find(number);

    if (format == NULL)
        MTLS_raise_data(MTLS_R_SIGN_FORMAT, "%d", number);
    return format;
}

/* --- making and opening --- */

/* With what went wrong at |first|, if that is known, or else at last. */
static void raise_failed(int first)
{
    const char *data = NULL, *why;
    int flags = 0;
    char text[200];

    why = mtls_error_text(first ? ERR_peek_error_data(&data, &flags)
                                : ERR_peek_last_error_data(&data, &flags));
    if (why == NULL) {
        MTLS_raise(MTLS_R_SIGN_FAILED);
        return;
    }
    if ((flags & ERR_TXT_STRING) != 0 && data[0] != '\0')
        BIO_snprintf(text, sizeof(text), "%s: %s", why, data);
    else
        BIO_snprintf(text, sizeof(text), "%s", why);
    MTLS_raise_data(MTLS_R_SIGN_FAILED, "%s", text);
}

int mtls_sign_make(uint8_t format, const struct mtls_sign_parts *parts,
                   unsigned char **object, size_t *len)
{
    const struct mtls_sign_format *f = get(format);
    const int had_none = ERR_peek_error() == 0;

    if (f == NULL)
        return 0;
    if (f->make(parts, object, len))
        return 1;
    raise_failed(had_none);
    return 0;
}

int mtls_sign_open(uint8_t format, const unsigned char *object, size_t len,
                   struct mtls_signed *out)
{
    const struct mtls_sign_format *f = get(format);
    const char *wrong;

    if (f == NULL)
        return 0;
    memset(out, 0, sizeof(*out));
    wrong = f->open(object, len, out);
    if (wrong == NULL)
        return 1;
    mtls_signed_cleanup(out);
    MTLS_raise_data(MTLS_R_BAD_SIGN, "%s", wrong);
    return 0;
}

void mtls_signed_cleanup(struct mtls_signed *s)
{
    OPENSSL_free(s->data);
    X509_free(s->signer);
    sk_X509_pop_free(s->chain, X509_free);
    memset(s, 0, sizeof(*s));
}

/* --- who signed --- */

/* That of its role in TLS, since the certificate is TLS's as a rule, or mail's
 */
static int purpose_of(const struct mtls_signed *s)
{
    int purpose = s->context.direction == MTLS_SIGN_FROM_CLIENT
                      ? X509_PURPOSE_SSL_CLIENT
                      : X509_PURPOSE_SSL_SERVER;

    return X509_check_purpose(s->signer, purpose, 0) == 1
               ? purpose
               : X509_PURPOSE_SMIME_SIGN;
}

/* A certificate of TLS may be for keys alone: OpenSSL asks no more of it. */
static int may_sign(const struct mtls_signed *s)
{
    return (X509_get_key_usage(s->signer) &
            (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

static int is_in(STACK_OF(X509) * list, const X509 *cert)
{
    for (int i = 0; i < sk_X509_num(list); i++)
        if (X509_cmp(sk_X509_value(list, i), cert) == 0)
            return 1;
    return 0;
}

/* What nobody vouches for would be evidence of nothing, and could be changed.
 */
static int all_belong(const struct mtls_signed *s, STACK_OF(X509) * verified)
{
    for (int i = 0; i < sk_X509_num(s->chain); i++)
        if (!is_in(verified, sk_X509_value(s->chain, i)))
            return 0;
    return 1;
}

static STACK_OF(X509) * both(STACK_OF(X509) * a, STACK_OF(X509) * b)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    const int flags = X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP;

    if (all != NULL && (a == NULL || X509_add_certs(all, a, flags)) &&
        (b == NULL || X509_add_certs(all, b, flags)))
        return all;
    sk_X509_pop_free(all, X509_free);
    return NULL;
}

/* NULL, or what is wrong. */
static const char *verify(const struct mtls_signed *s, X509_STORE_CTX *ctx,
                          time_t at, unsigned long flags)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_flags(param, flags);
    if (!X509_STORE_CTX_set_purpose(ctx, purpose_of(s)))
        return "it has no purpose";
    if (X509_VERIFY_PARAM_get_auth_level(param) < LEAST_LEVEL)
        X509_VERIFY_PARAM_set_auth_level(param, LEAST_LEVEL);
    X509_VERIFY_PARAM_set_time(param, at);
    if (X509_verify_cert(ctx) <= 0)
        return X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    if (!may_sign(s))
        return X509_verify_cert_error_string(
            X509_V_ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE);
    if (!all_belong(s, X509_STORE_CTX_get0_chain(ctx)))
        return "a certificate that is not of the signer's chain";
    return NULL;
}

int mtls_sign_check(const struct mtls_signed *s, X509_STORE *trust,
                    STACK_OF(X509) * more, time_t at)
{
    return mtls_sign_check_flags(s, trust, more, at, 0);
}

int mtls_sign_check_flags(const struct mtls_signed *s, X509_STORE *trust,
                          STACK_OF(X509) * more, time_t at, unsigned long flags)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = both(s->chain, more);
    const char *wrong;

    if (ctx == NULL || untrusted == NULL ||
        !X509_STORE_CTX_init(ctx, trust, s->signer, untrusted)) {
        X509_STORE_CTX_free(ctx);
        sk_X509_pop_free(untrusted, X509_free);
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    wrong = verify(s, ctx, at, flags);
    if (wrong != NULL)
        MTLS_raise_data(MTLS_R_SIGN_CERTIFICATE, "%s", wrong);
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(untrusted, X509_free);
    return wrong == NULL;
}
