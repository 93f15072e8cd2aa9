/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* An evidence log from its beginning to its end, and what is wrong with it. */
#include "audit.h"

#include "err.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <string.h>

typedef unsigned long long ull;

/* --- telling -------------------------------------------------------------- */

void mtls_audit_tell(struct mtls_audit *a, int weight, uint64_t number,
                     const char *format, ...)
{
    char text[512];
    MTLS_AUDIT_FINDING finding = {weight, number, text};
    va_list args;

    va_start(args, format);
    BIO_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (weight == MTLS_AUDIT_BAD)
        a->result->bad++;
    else if (weight == MTLS_AUDIT_OPEN)
        a->result->open++;
    else
        a->result->notes++;
    if (a->params->finding != NULL)
        a->params->finding(&finding, a->params->arg);
}

const char *mtls_audit_queue_text(char *out, size_t size)
{
    const char *data = NULL, *reason;
    int flags = 0;
    unsigned long e = ERR_peek_error_data(&data, &flags);

    reason = mtls_error_text(e);
    if (reason == NULL)
        reason = "unknown error";
    if ((flags & ERR_TXT_STRING) != 0 && data[0] != '\0')
        BIO_snprintf(out, size, "%s: %s", reason, data);
    else
        BIO_snprintf(out, size, "%s", reason);
    ERR_clear_error();
    return out;
}

void *mtls_audit_room(struct mtls_audit *a, void *array, size_t n, size_t *room,
                      size_t size)
{
    size_t more = *room == 0 ? 64 : *room * 2;
    void *larger = array;

    if (n == *room) {
        larger = OPENSSL_realloc(array, more * size);
        if (larger == NULL)
            a->failed = 1;
        else
            *room = more;
    }
    return larger;
}

/* --- the chain ------------------------------------------------------------ */

static void tell_missing(struct mtls_audit *a, uint64_t from, uint64_t number)
{
    if (from + 1 == number)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, from,
                        "is missing: entry %llu comes instead", (ull)number);
    else
        mtls_audit_tell(a, MTLS_AUDIT_BAD, from,
                        "is missing, and so are those up to %llu",
                        (ull)(number - 1));
}

/* 1: the entry is one of this log that was not there before. */
static int judge_place(struct mtls_audit *a,
                       const struct mtls_evidence_reader *r)
{
    const struct mtls_evidence *e = &r->entry;
    uint64_t from;

    switch (mtls_evidence_chain_next(&a->chain, e, r->stored, &from)) {
    case MTLS_EVIDENCE_OTHER_LOG:
        mtls_audit_tell(a, MTLS_AUDIT_BAD, a->chain.due,
                        "entry %llu of another log stands in its place",
                        (ull)e->number);
        return 0;
    case MTLS_EVIDENCE_AGAIN:
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "stands behind entry %llu: doubled, or out of place",
                        (ull)(a->chain.due - 1));
        return 0;
    case MTLS_EVIDENCE_MISSING:
        tell_missing(a, from, e->number);
        return 1;
    case MTLS_EVIDENCE_BROKEN:
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "does not follow the entry before: one of the two is "
                        "not what was written");
        return 1;
    default:
        return 1;
    }
}

static void tell_lost(struct mtls_audit *a, enum mtls_evidence_item item,
                      const struct mtls_evidence_reader *r)
{
    int spoilt = item == MTLS_EVIDENCE_SPOILT;
    uint64_t number = mtls_evidence_chain_lost(
        &a->chain, spoilt ? r->stored : NULL, spoilt ? r->computed : NULL);

    if (spoilt)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, number,
                        "was changed: its digest is not that of its octets "
                        "(%llu to %llu of the file)",
                        (ull)r->from, (ull)r->to - 1);
    else if (item == MTLS_EVIDENCE_CUT)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, number,
                        "is cut short: octets %llu to %llu of the file, the "
                        "last, are no whole entry",
                        (ull)r->from, (ull)r->to - 1);
    else
        mtls_audit_tell(a, MTLS_AUDIT_BAD, number,
                        "can't be read: octets %llu to %llu of the file are "
                        "no entry",
                        (ull)r->from, (ull)r->to - 1);
}

/* --- an entry ------------------------------------------------------------- */

static void describe(MTLS_AUDIT_ENTRY *out, const struct mtls_evidence *e,
                     const unsigned char *digest)
{
    memset(out, 0, sizeof(*out));
    out->number = e->number;
    out->kind = e->kind;
    out->format = e->format;
    out->from_server = e->direction == MTLS_EVIDENCE_FROM_SERVER;
    out->sequence = e->sequence;
    out->session = e->binding;
    out->wants_receipt = (e->flags & MTLS_EVIDENCE_WANTS_RECEIPT) != 0;
    out->time = e->time;
    out->peer = e->peer;
    out->peer_len = e->peer_len;
    out->object = e->object;
    out->object_len = e->object_len;
    out->digest = digest;
}

static void tell_torn(struct mtls_audit *a, const struct mtls_evidence *e)
{
    mtls_audit_tell(a, MTLS_AUDIT_NOTE, e->number,
                    "tells of a crash: %llu octets of an unfinished entry were "
                    "moved to %.*s",
                    (ull)e->sequence,
                    e->peer_len > 255 ? 255 : (int)e->peer_len, e->peer);
}

static void judge_signed(struct mtls_audit *a, const struct mtls_evidence *e,
                         MTLS_AUDIT_ENTRY *entry, struct mtls_signed *s)
{
    int genuine = mtls_audit_object(a, e, entry, s);

    mtls_audit_pair(a, e, entry, genuine ? s : NULL);
}

static void judge_entry(struct mtls_audit *a,
                        const struct mtls_evidence_reader *r)
{
    const struct mtls_evidence *e = &r->entry;
    struct mtls_signed s = {0};
    MTLS_AUDIT_ENTRY entry;

    if (!judge_place(a, r))
        return;
    a->result->entries++;
    memcpy(a->result->digest, r->stored, sizeof(a->result->digest));
    if (a->params->expect != NULL &&
        memcmp(a->params->expect, r->stored, MTLS_AUDIT_DIGEST) == 0)
        a->expected_seen = 1;
    describe(&entry, e, r->stored);
    mtls_audit_keep(a, e, r->stored);
    switch (e->kind) {
    case MTLS_EVIDENCE_TIME_STAMP:
        a->result->stamps++;
        mtls_audit_stamp(a, e, &entry);
        break;
    case MTLS_EVIDENCE_TORN:
        tell_torn(a, e);
        entry.verified = 1;
        break;
    case MTLS_EVIDENCE_RECEIPT_SENT:
    case MTLS_EVIDENCE_RECEIPT_RECEIVED:
        a->result->receipts++;
        judge_signed(a, e, &entry, &s);
        break;
    default:
        a->result->messages++;
        judge_signed(a, e, &entry, &s);
        break;
    }
    if (a->params->entry != NULL)
        a->params->entry(&entry, a->params->arg);
    mtls_signed_cleanup(&s);
}

/* --- the log -------------------------------------------------------------- */

static int judge_all(struct mtls_audit *a, struct mtls_evidence_reader *r)
{
    for (;;) {
        enum mtls_evidence_item item = mtls_evidence_reader_next(r);

        switch (item) {
        case MTLS_EVIDENCE_ERROR:
            return 0;
        case MTLS_EVIDENCE_END:
            return 1;
        case MTLS_EVIDENCE_ENTRY:
            judge_entry(a, r);
            break;
        default:
            tell_lost(a, item, r);
        }
        if (a->failed) {
            MTLS_raise(ERR_R_MALLOC_FAILURE);
            return 0;
        }
    }
}

static void judge_end(struct mtls_audit *a)
{
    mtls_audit_pairs_end(a);
    if (a->params->expect != NULL && !a->expected_seen)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, 0,
                        "has no entry with the digest that was expected: its "
                        "last ones were dropped, or changed");
}

int MTLS_audit(const MTLS_AUDIT_PARAMS *params, MTLS_AUDIT_RESULT *result)
{
    struct mtls_audit a = {.params = params, .result = result};
    struct mtls_evidence_reader r;
    int ok = mtls_evidence_reader_init(&r, params->log);

    memset(result, 0, sizeof(*result));
    if (ok) {
        memcpy(result->digest, r.header, sizeof(result->digest));
        mtls_evidence_chain_init(&a.chain, r.id, r.header);
        if (!r.header_good)
            mtls_audit_tell(&a, MTLS_AUDIT_BAD, 0,
                            "has a header that was changed");
        ok = judge_all(&a, &r);
    }
    if (ok) {
        judge_end(&a);
        ok = params->peer == NULL || mtls_audit_peer(&a);
    }
    mtls_evidence_reader_cleanup(&r);
    mtls_audit_pairs_cleanup(&a);
    OPENSSL_free(a.past);
    return ok && !a.failed;
}
