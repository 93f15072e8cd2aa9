/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "evidence_signed.h"

#include "evidence_log.h"
#include "sign_object.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_receipt(enum mtls_evidence_kind kind)
{
    return kind == MTLS_EVIDENCE_RECEIPT_SENT ||
           kind == MTLS_EVIDENCE_RECEIPT_RECEIVED;
}

static void make(const struct evidence_wish *wish, struct mtls_evidence *e,
                 const struct pki_id *by, unsigned char **object)
{
    unsigned char digest[32];
    struct mtls_sign_parts parts = {.data = (const unsigned char *)wish->data,
                                    .len = strlen(wish->data),
                                    .time =
                                        time(NULL) + (time_t)wish->days * 86400,
                                    .signer = by->cert,
                                    .key = by->key,
                                    .chain = by->chain};

    memcpy(parts.context.binding, e->binding, sizeof(e->binding));
    parts.context.direction = e->direction;
    parts.context.sequence = e->sequence;
    parts.context.flags = wish->wants_receipt ? MTLS_SIGN_WANTS_RECEIPT : 0;
    if (is_receipt(wish->kind)) {
        ck_assert(EVP_Digest(wish->data, strlen(wish->data), digest, NULL,
                             EVP_sha256(), NULL));
        parts.data = digest;
        parts.len = sizeof(digest);
        parts.context.flags = MTLS_SIGN_RECEIPT;
    }
    e->time = (uint64_t)parts.time * 1000;
    ck_assert(mtls_sign_make(wish->format, &parts, object, &e->object_len));
    e->object = *object;
}

void evidence_sign(struct mtls_evidence_log *log,
                   const struct evidence_wish *wish)
{
    int sent = wish->kind == MTLS_EVIDENCE_MESSAGE_SENT ||
               wish->kind == MTLS_EVIDENCE_RECEIPT_SENT;
    int by_client = sent != wish->at_server;
    const struct pki_id *by = wish->by != NULL ? wish->by
                              : by_client      ? pki_client()
                                               : pki_server();
    struct mtls_evidence e = {
        .kind = (uint8_t)wish->kind,
        .format = wish->format,
        .direction =
            by_client ? MTLS_EVIDENCE_FROM_CLIENT : MTLS_EVIDENCE_FROM_SERVER,
        .flags = wish->wants_receipt ? MTLS_EVIDENCE_WANTS_RECEIPT : 0,
        .sequence = wish->sequence,
        .peer = "localhost:4433",
        .peer_len = 14};
    unsigned char *object, *der = NULL;
    int n = i2d_X509(by->cert, &der);

    ck_assert_int_gt(n, 0);
    memset(e.binding, wish->session, sizeof(e.binding));
    make(wish, &e, by, &object);
    e.certs = der;
    e.certs_len = (size_t)n;
    ck_assert(mtls_evidence_append(log, &e, NULL));
    OPENSSL_free(object);
    OPENSSL_free(der);
}

unsigned char *evidence_orders(const char *path, int n, size_t *len,
                               size_t ends[])
{
    struct mtls_evidence_log *log;
    size_t at = MTLS_EVIDENCE_HEADER;
    unsigned char *octets;

    unlink(path);
    log = mtls_evidence_open(path);
    ck_assert_ptr_nonnull(log);
    for (int i = 0; i < n; i++) {
        char data[32];
        struct evidence_wish wish = {
            .kind = i % 2 == 0 ? MTLS_EVIDENCE_MESSAGE_SENT
                               : MTLS_EVIDENCE_RECEIPT_RECEIVED,
            .sequence = (uint64_t)i / 2,
            .data = data,
            .wants_receipt = i % 2 == 0};

        snprintf(data, sizeof(data), "order %d", i / 2);
        evidence_sign(log, &wish);
    }
    mtls_evidence_close(log);
    octets = evidence_read(path, len);
    ends[0] = at;
    for (int i = 0; i < n; i++) {
        size_t size;

        ck_assert_int_eq(mtls_evidence_start(octets + at, *len - at, &size),
                         MTLS_EVIDENCE_DONE);
        ends[i + 1] = at += size;
    }
    ck_assert_uint_eq(at, *len);
    return octets;
}
