/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Time stamps (RFC 3161): tokens over the digest of an entry before. */
#include "audit.h"

#include "err.h"

#include <openssl/crypto.h>
#include <openssl/ts.h>
#include <string.h>
#include <time.h>

typedef unsigned long long ull;

/* By how much the clock of this end may have been ahead of the authority's. */
#define STAMP_AHEAD_MS 60000

void mtls_audit_keep(struct mtls_audit *a, const struct mtls_evidence *e,
                     const unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    struct mtls_audit_past *past =
        mtls_audit_room(a, a->past, a->n_past, &a->room_past, sizeof(*past));

    if (past == NULL)
        return;
    a->past = past;
    past += a->n_past++;
    past->number = e->number;
    past->time = e->time;
    memcpy(past->digest, digest, sizeof(past->digest));
}

/* Entries are kept in the order of their numbers. */
static const struct mtls_audit_past *find_past(const struct mtls_audit *a,
                                               uint64_t number)
{
    size_t low = 0, high = a->n_past;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (a->past[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low < a->n_past && a->past[low].number == number ? &a->past[low]
                                                            : NULL;
}

static PKCS7 *read_token(const struct mtls_evidence *e)
{
    const unsigned char *at = e->object;
    PKCS7 *token = d2i_PKCS7(NULL, &at, (long)e->object_len);

    if (token != NULL && at == e->object + e->object_len)
        return token;
    PKCS7_free(token);
    return NULL;
}

/* Of what was stamped the authority is judged as of the time that it stamped:
 * TS_VERIFY_CTX takes that from the store. */
static int verify_at(X509_STORE *trust, TS_VERIFY_CTX *ctx, PKCS7 *token,
                     int64_t at)
{
    X509_VERIFY_PARAM *param =
        trust == NULL ? NULL : X509_STORE_get0_param(trust);
    unsigned long had = param == NULL ? 0
                                      : X509_VERIFY_PARAM_get_flags(param) &
                                            X509_V_FLAG_USE_CHECK_TIME;
    time_t before = param == NULL ? 0 : X509_VERIFY_PARAM_get_time(param);
    int ok;

    if (param == NULL)
        return TS_RESP_verify_token(ctx, token) == 1;
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    ok = TS_RESP_verify_token(ctx, token) == 1;
    X509_VERIFY_PARAM_set_time(param, before);
    if (!had)
        X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_USE_CHECK_TIME);
    return ok;
}

/* Whether |token| is over |digest|, and signed by an authority of |trust|. */
static int verify(const struct mtls_audit *a, PKCS7 *token,
                  const unsigned char *digest, int64_t at)
{
    TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
    unsigned char *imprint = OPENSSL_memdup(digest, MTLS_EVIDENCE_DIGEST);
    X509_STORE *trust = a->params->trust;
    int flags = TS_VFY_VERSION | TS_VFY_IMPRINT, ok = 0;

    if (ctx == NULL || imprint == NULL) {
        OPENSSL_free(imprint);
        TS_VERIFY_CTX_free(ctx);
        return 0;
    }
    TS_VERIFY_CTX_set_imprint(ctx, imprint, MTLS_EVIDENCE_DIGEST);
    if (trust != NULL && X509_STORE_up_ref(trust)) {
        TS_VERIFY_CTX_set_store(ctx, trust);
        flags |= TS_VFY_SIGNATURE;
    }
    if (a->params->untrusted != NULL)
        TS_VERIFY_CTX_set_certs(ctx, X509_chain_up_ref(a->params->untrusted));
    TS_VERIFY_CTX_set_flags(ctx, flags);
    ok = verify_at(trust, ctx, token, at);
    TS_VERIFY_CTX_free(ctx);
    return ok;
}

static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time)
{
    struct tm tm;

    return time != NULL && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm)
                                                      : -1;
}

static void judge(struct mtls_audit *a, const struct mtls_evidence *e,
                  MTLS_AUDIT_ENTRY *entry, PKCS7 *token,
                  const struct mtls_audit_past *past)
{
    TS_TST_INFO *info = PKCS7_to_TS_TST_INFO(token);
    char text[256];

    if (info == NULL ||
        (entry->stamped = seconds_of(TS_TST_INFO_get_time(info))) < 0) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "has a time stamp without a time");
    } else if (!verify(a, token, past->digest, entry->stamped)) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "has a time stamp that is not good: %s",
                        mtls_audit_queue_text(text, sizeof(text)));
    } else if ((int64_t)(past->time / 1000) >
               entry->stamped + STAMP_AHEAD_MS / 1000) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, past->number,
                        "says that it was written after the time that entry "
                        "%llu has stamped on it",
                        (ull)e->number);
    } else {
        entry->verified = 1;
        entry->of = past->number;
    }
    TS_TST_INFO_free(info);
}

void mtls_audit_stamp(struct mtls_audit *a, const struct mtls_evidence *e,
                      MTLS_AUDIT_ENTRY *entry)
{
    const struct mtls_audit_past *past = find_past(a, e->sequence);
    PKCS7 *token;

    ERR_clear_error();
    if (past == NULL || e->sequence >= e->number) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "is a time stamp of entry %llu, which is not before it",
                        (ull)e->sequence);
        return;
    }
    token = read_token(e);
    if (token == NULL)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "has a time stamp that can't be read");
    else
        judge(a, e, entry, token, past);
    PKCS7_free(token);
    ERR_clear_error();
}
