/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The signed object of an entry: its signature, its context, its signer. */
#include "audit.h"

#include "err.h"

#include <openssl/crypto.h>
#include <string.h>

static int is_receipt(const struct mtls_evidence *e)
{
    return e->kind == MTLS_EVIDENCE_RECEIPT_SENT ||
           e->kind == MTLS_EVIDENCE_RECEIPT_RECEIVED;
}

/* The log says of an object what the object says itself, or one of them lies.
 */
static const char *other_context(const struct mtls_evidence *e,
                                 const struct mtls_sign_context *c)
{
    if (memcmp(c->binding, e->binding, sizeof(c->binding)) != 0)
        return "has an object that was signed in another session";
    if (c->direction != e->direction)
        return "has an object of the other direction";
    if (c->sequence != e->sequence)
        return "has an object of another place in its session";
    if (((c->flags & MTLS_SIGN_RECEIPT) != 0) != is_receipt(e))
        return is_receipt(e) ? "has a message where a receipt should be"
                             : "has a receipt where a message should be";
    if (((c->flags & MTLS_SIGN_WANTS_RECEIPT) != 0) !=
        ((e->flags & MTLS_EVIDENCE_WANTS_RECEIPT) != 0))
        return "differs from its object in asking for a receipt";
    return NULL;
}

/* The certificates that the log has: NULL where there are none, or they can't
 * be read, in which case *ok is 0. */
static STACK_OF(X509) * noted_certs(const struct mtls_evidence *e, int *ok)
{
    const unsigned char *at = e->certs, *end = at + e->certs_len;
    STACK_OF(X509) *list = sk_X509_new_null();

    *ok = list != NULL;
    while (*ok && at < end) {
        X509 *x = d2i_X509(NULL, &at, (long)(end - at));

        *ok = x != NULL && sk_X509_push(list, x) > 0;
        if (!*ok)
            X509_free(x);
    }
    return list;
}

const char *mtls_audit_signer(const struct mtls_audit *a,
                              const struct mtls_evidence *e,
                              const struct mtls_signed *s, char *out,
                              size_t size)
{
    STACK_OF(X509) * more;
    int ok, trusted = 1;

    more = noted_certs(e, &ok);
    if (ok && sk_X509_num(more) > 0 &&
        X509_cmp(sk_X509_value(more, 0), s->signer) != 0)
        ok = 0;
    if (ok && a->params->untrusted != NULL)
        ok = X509_add_certs(more, a->params->untrusted,
                            X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP);
    if (ok && a->params->trust != NULL)
        trusted = mtls_sign_check(s, a->params->trust, more,
                                  (time_t)(e->time / 1000));
    sk_X509_pop_free(more, X509_free);
    if (!ok)
        return "has certificates that are not its signer's";
    return trusted ? NULL : mtls_audit_queue_text(out, size);
}

const char *mtls_audit_genuine(const struct mtls_evidence *e,
                               struct mtls_signed *s, char *out, size_t size)
{
    ERR_clear_error();
    if (!mtls_sign_open(e->format, e->object, e->object_len, s))
        return mtls_audit_queue_text(out, size);
    return other_context(e, &s->context);
}

int mtls_audit_object(struct mtls_audit *a, const struct mtls_evidence *e,
                      MTLS_AUDIT_ENTRY *entry, struct mtls_signed *s)
{
    char text[256];
    const char *wrong = mtls_audit_genuine(e, s, text, sizeof(text));
    int genuine = wrong == NULL;

    entry->signer = s->signer;
    entry->data = s->data;
    entry->data_len = s->len;
    if (genuine)
        wrong = mtls_audit_signer(a, e, s, text, sizeof(text));
    entry->verified = wrong == NULL;
    if (wrong != NULL)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number, "%s", wrong);
    return genuine;
}
