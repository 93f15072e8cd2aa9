/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Each message from the peer: is it what must come here, and is it good? */
#include "sign_local.h"

#include "err.h"
#include "sign_ssl.h"

#include <openssl/err.h>
#include <string.h>

static int malformed(BIO *b, struct mtls_sign_filter *f)
{
    return mtls_sign_fail(b, f, MTLS_SIGN_UNEXPECTED, MTLS_R_SIGN_MALFORMED,
                          NULL);
}

static int bad_sign(BIO *b, struct mtls_sign_filter *f, const char *why)
{
    return mtls_sign_fail(b, f, MTLS_SIGN_BAD_SIGN, MTLS_R_BAD_SIGN, why);
}

/* The text that mtls_sign_open() and its like have left with their reason. */
static int as_raised(BIO *b, struct mtls_sign_filter *f)
{
    const char *text;
    char why[sizeof(f->why)];
    int flags;
    unsigned long e = ERR_peek_last_error_data(&text, &flags);

    BIO_snprintf(why, sizeof(why), "%s", flags & ERR_TXT_STRING ? text : "");
    return mtls_sign_fail(b, f, MTLS_SIGN_BAD_SIGN,
                          ERR_GET_LIB(e) == MTLS_err_library()
                              ? ERR_GET_REASON(e)
                              : MTLS_R_SIGN_FAILED,
                          why);
}

/* --- what is not data --- */

static int take_alert(BIO *b, struct mtls_sign_filter *f)
{
    const int number = f->reader.data[1];
    char text[8];

    if (f->reader.data[0] != MTLS_SIGN_ALERT_FATAL)
        return malformed(b, f);
    if (number == MTLS_SIGN_BAD_SIGN)
        return mtls_sign_fail(b, f, 0, MTLS_R_BAD_SIGN_ALERT, NULL);
    BIO_snprintf(text, sizeof(text), "%d", number);
    return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_ALERT, text);
}

static int take_on_off(BIO *b, struct mtls_sign_filter *f)
{
    const int on = f->reader.data[0];

    if (on > 1 || on == f->peer_on) /* what changes nothing is a replay */
        return malformed(b, f);
    if (!on && f->set.require)
        return mtls_sign_fail(b, f, MTLS_SIGN_BAD_SIGN, MTLS_R_SIGN_REQUIRED,
                              "signing was switched off");
    f->peer_on = f->may_name = on;
    return 1;
}

static int add_cert(STACK_OF(X509) * certs, const unsigned char *der,
                    size_t len)
{
    const unsigned char *at = der;
    X509 *cert = d2i_X509(NULL, &at, (long)len);

    if (cert != NULL && at == der + len && sk_X509_push(certs, cert))
        return 1;
    X509_free(cert);
    return 0;
}

/* Who is to sign from now on, and the certificates up to whom we trust. */
static int take_certificates(BIO *b, struct mtls_sign_filter *f)
{
    const struct mtls_sign_reader *in = &f->reader;
    STACK_OF(X509) *certs = sk_X509_new_null();
    const unsigned char *list, *der;
    size_t list_len, len;
    int r = certs != NULL && f->may_name &&
            mtls_sign_get_certs(in->data, in->len, &list, &list_len);

    while (r && (r = mtls_sign_next_cert(&list, &list_len, &der, &len)) > 0)
        if (!add_cert(certs, der, len))
            r = -1;
        else if (list_len == 0)
            break;
    if (r <= 0) {
        sk_X509_pop_free(certs, X509_free);
        return malformed(b, f);
    }
    f->may_name = 0;
    X509_free(f->peer_cert);
    f->peer_cert = sk_X509_shift(certs);
    sk_X509_pop_free(f->peer_chain, X509_free);
    f->peer_chain = certs;
    return 1;
}

/* --- signed data --- */

static uint8_t peer_direction(const struct mtls_sign_filter *f)
{
    return f->direction == MTLS_SIGN_FROM_CLIENT ? MTLS_SIGN_FROM_SERVER
                                                 : MTLS_SIGN_FROM_CLIENT;
}

/* The peer's first message here brings the number that those after it have. */
static int is_next(struct mtls_sign_filter *f, uint64_t sequence)
{
    if (f->claimed)
        return sequence == f->in_sequence;
    if ((sequence & 0xffffffff) != 0 || sequence >> 32 >= MTLS_SIGN_NUMBERS ||
        !mtls_sign_ssl_claim(f->ssl, (uint32_t)(sequence >> 32)))
        return 0;
    f->claimed = 1;
    f->in_sequence = sequence;
    return 1;
}

/* NULL, or what is wrong: with the place that it was signed for. */
static const char *wrong_place(struct mtls_sign_filter *f,
                               const struct mtls_signed *s)
{
    const struct mtls_sign_context *c = &s->context;

    if (memcmp(c->binding, f->binding, sizeof(f->binding)) != 0)
        return "it was signed for another session";
    if (c->direction != peer_direction(f))
        return "it was signed for the other direction";
    if ((c->flags & MTLS_SIGN_RECEIPT) !=
        (f->reader.header.flags & MTLS_SIGN_RECEIPT))
        return "a receipt is no message";
    if (f->peer_cert == NULL)
        return "the signer was not announced";
    if (X509_cmp(s->signer, f->peer_cert) != 0)
        return "it was signed by somebody else";
    return NULL;
}

/* The flags of the SSL's own verification count too, for its own trust. */
static unsigned long flags_of(const struct mtls_sign_filter *f)
{
    return f->set.trust != NULL
               ? 0
               : X509_VERIFY_PARAM_get_flags(SSL_get0_param(f->ssl));
}

static int log_in(struct mtls_sign_filter *f, const struct mtls_signed *s)
{
    return mtls_sign_log(
        f,
        s->context.flags & MTLS_SIGN_RECEIPT ? MTLS_EVIDENCE_RECEIPT_RECEIVED
                                             : MTLS_EVIDENCE_MESSAGE_RECEIVED,
        &s->context, s->signer, s->chain, f->reader.data, f->reader.len);
}

static void deliver(struct mtls_sign_filter *f, struct mtls_signed *s)
{
    f->in_sequence++;
    f->is_signed = 1;
    f->eof = s->len == 0; /* N17 */
    OPENSSL_free(f->data);
    f->data = s->data;
    f->len = s->len;
    f->at = 0;
    s->data = NULL;
}

/* Logged, then confirmed, then the program's. */
static int take_message(BIO *b, struct mtls_sign_filter *f,
                        struct mtls_signed *s)
{
    if (!f->peer_on || f->eof)
        return malformed(b, f);
    if (s->len > f->set.max)
        return mtls_sign_fail(b, f, MTLS_SIGN_BAD_SIGN, MTLS_R_SIGN_TOO_LONG,
                              NULL);
    if (!is_next(f, s->context.sequence))
        return bad_sign(b, f, "it is not the next of its session");
    if (!log_in(f, s) || (s->context.flags & MTLS_SIGN_WANTS_RECEIPT &&
                          !mtls_sign_put_receipt(f, s)))
        return as_raised(b, f);
    deliver(f, s);
    return 1;
}

static int take_receipt(BIO *b, struct mtls_sign_filter *f,
                        const struct mtls_signed *s)
{
    const struct mtls_sign_asked *due = mtls_sign_first_asked(f);

    if (due == NULL || s->context.sequence != due->sequence)
        return bad_sign(b, f, "a receipt that is not due");
    if (s->len != sizeof(due->digest) ||
        memcmp(s->data, due->digest, sizeof(due->digest)) != 0)
        return bad_sign(b, f, "a receipt for other data");
    if (!log_in(f, s))
        return as_raised(b, f);
    mtls_sign_drop_asked(f);
    return 1;
}

static int take_signed(BIO *b, struct mtls_sign_filter *f,
                       struct mtls_signed *s)
{
    const char *wrong = wrong_place(f, s);

    if (wrong != NULL)
        return bad_sign(b, f, wrong);
    if (!mtls_sign_check_flags(s, f->trust, f->peer_chain, mtls_sign_now(f),
                               flags_of(f)))
        return as_raised(b, f);
    X509_free(f->signer);
    f->signer = X509_up_ref(s->signer) ? s->signer : NULL;
    return s->context.flags & MTLS_SIGN_RECEIPT ? take_receipt(b, f, s)
                                                : take_message(b, f, s);
}

static int take_object(BIO *b, struct mtls_sign_filter *f)
{
    struct mtls_signed s;
    int r;

    f->may_name = 0;
    if (!mtls_sign_open(f->format, f->reader.data, f->reader.len, &s))
        return as_raised(b, f);
    r = take_signed(b, f, &s);
    mtls_signed_cleanup(&s);
    return r;
}

static int take_unsigned(BIO *b, struct mtls_sign_filter *f)
{
    unsigned char *data;

    if (f->set.require || f->peer_on || f->eof)
        return mtls_sign_fail(b, f, MTLS_SIGN_BAD_SIGN, MTLS_R_SIGN_REQUIRED,
                              NULL);
    data = OPENSSL_memdup(f->reader.data, f->reader.len);
    if (data == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return -1;
    }
    OPENSSL_free(f->data);
    f->data = data;
    f->len = f->reader.len;
    f->at = 0;
    f->is_signed = 0;
    return 1;
}

int mtls_sign_take(BIO *b, struct mtls_sign_filter *f)
{
    switch (f->reader.header.type) {
    case MTLS_SIGN_ALERT:
        return take_alert(b, f);
    case MTLS_SIGN_ON_OFF:
        return take_on_off(b, f);
    case MTLS_SIGN_CERTIFICATE:
        return take_certificates(b, f);
    default:
        return f->reader.header.version == MTLS_SIGN_UNSIGNED
                   ? take_unsigned(b, f)
                   : take_object(b, f);
    }
}
