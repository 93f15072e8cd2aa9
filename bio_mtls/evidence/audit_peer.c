/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The log beside that of the other end, for the sessions that both have: what
 * one has sent or received the other has too, or it was dropped there.
 */
#include "audit.h"

#include <string.h>

typedef unsigned long long ull;

/* The first piece of a session; NULL: this log has nothing of it. */
static struct mtls_audit_piece *session_of(const struct mtls_audit *a,
                                           const unsigned char *binding)
{
    size_t low = 0, high = a->n_pieces;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (memcmp(a->pieces[mid]->binding, binding, MTLS_EVIDENCE_BINDING) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == a->n_pieces ||
        memcmp(a->pieces[low]->binding, binding, MTLS_EVIDENCE_BINDING) != 0)
        return NULL;
    return a->pieces[low];
}

/* What they sent we have received, and the reverse. */
static struct mtls_audit_piece *find_ours(const struct mtls_audit *a,
                                          const struct mtls_evidence *e)
{
    struct mtls_audit_piece key = {.direction = e->direction,
                                   .sequence = e->sequence};

    memcpy(key.binding, e->binding, sizeof(key.binding));
    key.receipt = e->kind == MTLS_EVIDENCE_RECEIPT_SENT ||
                  e->kind == MTLS_EVIDENCE_RECEIPT_RECEIVED;
    key.sent = e->kind == MTLS_EVIDENCE_MESSAGE_RECEIVED ||
               e->kind == MTLS_EVIDENCE_RECEIPT_RECEIVED;
    return OPENSSL_LH_retrieve(a->genuine, &key);
}

/* What nobody has signed, or nobody that is trusted, says nothing of us. */
static int is_verified(struct mtls_audit *a, const struct mtls_evidence *e)
{
    struct mtls_signed s = {0};
    char text[256];
    const char *wrong = mtls_audit_genuine(e, &s, text, sizeof(text));

    if (wrong == NULL)
        wrong = mtls_audit_signer(a, e, &s, text, sizeof(text));
    mtls_signed_cleanup(&s);
    if (wrong != NULL)
        mtls_audit_tell(a, MTLS_AUDIT_NOTE, 0,
                        "was not compared with entry %llu of the other log, "
                        "which is bad itself: %s",
                        (ull)e->number, wrong);
    return wrong == NULL;
}

/*
 * Either end logs what it sends before it does: none can come from nowhere. 0
 * when the entry is bad.
 */
static int compare(struct mtls_audit *a, const struct mtls_evidence *e)
{
    struct mtls_audit_piece *session = session_of(a, e->binding), *ours;
    unsigned char digest[MTLS_EVIDENCE_DIGEST];
    int received = e->kind == MTLS_EVIDENCE_MESSAGE_RECEIVED ||
                   e->kind == MTLS_EVIDENCE_RECEIPT_RECEIVED;

    if (session == NULL)
        return 1;
    ours = find_ours(a, e);
    if (!is_verified(a, e)) {
        if (ours != NULL)
            ours->found = 1;
        return 0;
    }
    session->at_peer = 1;
    if (ours == NULL && received) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, 0,
                        "lacks what was received as entry %llu of the other "
                        "log: it was dropped",
                        (ull)e->number);
    } else if (ours == NULL) {
        mtls_audit_tell(a, MTLS_AUDIT_OPEN, 0,
                        "lacks what was sent as entry %llu of the other log",
                        (ull)e->number);
    } else {
        ours->found = 1;
        if (!EVP_Digest(e->object, e->object_len, digest, NULL, EVP_sha256(),
                        NULL) ||
            memcmp(digest, ours->object, sizeof(digest)) != 0)
            mtls_audit_tell(a, MTLS_AUDIT_BAD, ours->number,
                            "differs from entry %llu of the other log",
                            (ull)e->number);
    }
    return 1;
}

static void tell_not_found(struct mtls_audit *a, int damaged)
{
    for (size_t i = 0; i < a->n_pieces; i++) {
        const struct mtls_audit_piece *piece = a->pieces[i];

        if (piece->found || !session_of(a, piece->binding)->at_peer)
            continue;
        if (piece->sent)
            mtls_audit_tell(a, MTLS_AUDIT_OPEN, piece->number,
                            "is not in the other log: it was not received");
        else if (damaged)
            mtls_audit_tell(a, MTLS_AUDIT_NOTE, piece->number,
                            "is not in what is left of the other log");
        else
            mtls_audit_tell(a, MTLS_AUDIT_BAD, piece->number,
                            "is not in the other log, from where it came");
    }
}

int mtls_audit_peer(struct mtls_audit *a)
{
    struct mtls_evidence_reader r;
    enum mtls_evidence_item item = MTLS_EVIDENCE_ERROR;
    int damaged = 0;

    if (mtls_evidence_reader_init(&r, a->params->peer)) {
        while ((item = mtls_evidence_reader_next(&r)) > MTLS_EVIDENCE_END) {
            if (item != MTLS_EVIDENCE_ENTRY)
                damaged = 1;
            else if (r.entry.kind < MTLS_EVIDENCE_TIME_STAMP &&
                     a->genuine != NULL && !compare(a, &r.entry))
                damaged = 1;
        }
    }
    mtls_evidence_reader_cleanup(&r);
    if (item == MTLS_EVIDENCE_ERROR)
        return 0;
    if (damaged)
        mtls_audit_tell(a, MTLS_AUDIT_NOTE, 0,
                        "was compared with a log that is damaged itself");
    tell_not_found(a, damaged);
    return 1;
}
