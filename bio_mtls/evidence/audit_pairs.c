/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Messages and their receipts: what belongs together, what is missing, what is
 * there twice. A log may be that of both ends of a session.
 */
#include "audit.h"

#include "err.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

/* --- an index --- */

static unsigned long hash(const void *p)
{
    const struct mtls_audit_piece *piece = p;
    unsigned long h;

    /* of a session: as good as random */
    memcpy(&h, piece->binding, sizeof(h));
    return h ^ (unsigned long)(piece->sequence * 8 + piece->direction * 4u +
                               piece->receipt * 2u + piece->sent);
}

/* By session, signer, and what is signed; then by sequence. */
static int compare(const struct mtls_audit_piece *a,
                   const struct mtls_audit_piece *b)
{
    int c = memcmp(a->binding, b->binding, sizeof(a->binding));

    if (c == 0)
        c = a->direction - b->direction;
    if (c == 0)
        c = a->receipt - b->receipt;
    if (c == 0)
        c = a->sent - b->sent;
    if (c == 0)
        c = (a->sequence > b->sequence) - (a->sequence < b->sequence);
    return c;
}

static int compare_for_hash(const void *a, const void *b)
{
    return compare(a, b);
}

static int compare_for_sort(const void *a, const void *b)
{
    const struct mtls_audit_piece *const *p = a, *const *q = b;
    int c = compare(*p, *q);

    return c != 0 ? c : ((*p)->number > (*q)->number) - 1;
}

/* The message of a receipt, or the receipt of a message, at the same end. */
static struct mtls_audit_piece *find_other(const struct mtls_audit *a,
                                           const struct mtls_audit_piece *piece)
{
    struct mtls_audit_piece other = *piece;

    other.direction = !piece->direction;
    other.receipt = !piece->receipt;
    other.sent = !piece->sent;
    return OPENSSL_LH_retrieve(a->genuine, &other);
}

/* --- an entry --- */

static struct mtls_audit_piece *keep(struct mtls_audit *a,
                                     const struct mtls_evidence *e)
{
    struct mtls_audit_piece *piece, **larger;

    if (a->genuine == NULL)
        a->genuine = OPENSSL_LH_new(hash, compare_for_hash);
    larger = mtls_audit_room(a, a->pieces, a->n_pieces, &a->room_pieces,
                             sizeof(struct mtls_audit_piece *));
    piece = OPENSSL_zalloc(sizeof(*piece));
    if (larger != NULL)
        a->pieces = larger;
    if (a->genuine == NULL || larger == NULL || piece == NULL) {
        OPENSSL_free(piece);
        a->failed = 1;
        return NULL;
    }
    a->pieces[a->n_pieces++] = piece;
    memcpy(piece->binding, e->binding, sizeof(piece->binding));
    piece->direction = e->direction;
    piece->receipt = e->kind == MTLS_EVIDENCE_RECEIPT_SENT ||
                     e->kind == MTLS_EVIDENCE_RECEIPT_RECEIVED;
    piece->sent = e->kind == MTLS_EVIDENCE_MESSAGE_SENT ||
                  e->kind == MTLS_EVIDENCE_RECEIPT_SENT;
    piece->sequence = e->sequence;
    piece->number = e->number;
    if (!EVP_Digest(e->object, e->object_len, piece->object, NULL, EVP_sha256(),
                    NULL))
        a->failed = 1;
    return piece;
}

/* What a receipt signs of its message: the digest of the data. */
static int take_digest(struct mtls_audit_piece *piece,
                       const struct mtls_signed *s)
{
    if (!piece->receipt)
        return EVP_Digest(s->data, s->len, piece->digest, NULL, EVP_sha256(),
                          NULL);
    if (s->len != sizeof(piece->digest))
        return 0;
    memcpy(piece->digest, s->data, sizeof(piece->digest));
    return 1;
}

static void pair_receipt(struct mtls_audit *a, MTLS_AUDIT_ENTRY *entry,
                         const struct mtls_audit_piece *receipt)
{
    struct mtls_audit_piece *message = find_other(a, receipt);

    if (message == NULL) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, receipt->number,
                        "is a receipt, and its message is not in the log "
                        "before it");
        entry->verified = 0;
        return;
    }
    if (memcmp(message->digest, receipt->digest, sizeof(receipt->digest)) !=
        0) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, receipt->number,
                        "is a receipt for other data than that of entry %llu",
                        (ull)message->number);
        entry->verified = 0;
        return;
    }
    entry->of = message->number;
    if (entry->verified)
        message->due = 0;
}

void mtls_audit_pair(struct mtls_audit *a, const struct mtls_evidence *e,
                     MTLS_AUDIT_ENTRY *entry, const struct mtls_signed *s)
{
    struct mtls_audit_piece *piece = keep(a, e), *same;

    if (piece == NULL || s == NULL)
        return;
    if (!take_digest(piece, s)) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "is a receipt that signs no digest");
        entry->verified = 0;
        return;
    }
    same = OPENSSL_LH_retrieve(a->genuine, piece);
    if (same != NULL) {
        mtls_audit_tell(a, MTLS_AUDIT_BAD, e->number,
                        "has the place in its session that entry %llu has: "
                        "one is a replay",
                        (ull)same->number);
        entry->verified = 0;
        return;
    }
    OPENSSL_LH_insert(a->genuine, piece);
    if (OPENSSL_LH_error(a->genuine))
        a->failed = 1;
    if (piece->receipt)
        pair_receipt(a, entry, piece);
    else
        piece->due = entry->wants_receipt;
}

/* --- the end --- */

/* The first number of a stream: filters of one TLS session have one each. */
static uint64_t stream_of(uint64_t sequence)
{
    return sequence >> 32 << 32;
}

/* Messages of one signer in one stream are numbered without a gap. */
static void tell_gap(struct mtls_audit *a,
                     const struct mtls_audit_piece *before,
                     const struct mtls_audit_piece *piece)
{
    uint64_t due = stream_of(piece->sequence);

    if (piece->receipt)
        return;
    if (before != NULL &&
        memcmp(before->binding, piece->binding, sizeof(piece->binding)) == 0 &&
        before->direction == piece->direction && before->sent == piece->sent &&
        !before->receipt && stream_of(before->sequence) == due)
        due = before->sequence + 1;
    if (piece->sequence > due)
        mtls_audit_tell(a, MTLS_AUDIT_BAD, piece->number,
                        "is message %llu of its session and signer, and "
                        "message %llu is not in the log",
                        (ull)piece->sequence, (ull)piece->sequence - 1);
}

void mtls_audit_pairs_end(struct mtls_audit *a)
{
    for (size_t i = 0; i < a->n_pieces; i++)
        if (a->pieces[i]->due)
            mtls_audit_tell(a, MTLS_AUDIT_OPEN, a->pieces[i]->number,
                            "has no receipt, though one was asked for");
    if (a->n_pieces != 0)
        qsort(a->pieces, a->n_pieces, sizeof(struct mtls_audit_piece *),
              compare_for_sort);
    for (size_t i = 0; i < a->n_pieces; i++)
        tell_gap(a, i == 0 ? NULL : a->pieces[i - 1], a->pieces[i]);
}

void mtls_audit_pairs_cleanup(struct mtls_audit *a)
{
    for (size_t i = 0; i < a->n_pieces; i++)
        OPENSSL_free(a->pieces[i]);
    OPENSSL_free(a->pieces);
    OPENSSL_LH_free(a->genuine);
}
