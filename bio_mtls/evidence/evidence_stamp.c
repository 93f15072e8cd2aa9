/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Time stamps (RFC 3161) asked for, and put into the log. */
#include "evidence_local.h"
#include "evidence_reader.h"

#include <mtls/mtls_audit.h>
#include <openssl/rand.h>
#include <openssl/ts.h>
#include <string.h>

#define NONCE_SIZE 8

/* --- the query ------------------------------------------------------------ */

/* The last entry that is whole; 1, or 0 with a reason. */
static int last_digest(const char *path,
                       unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    struct mtls_evidence_reader r;
    enum mtls_evidence_item item = MTLS_EVIDENCE_ERROR;
    int found = 0;

    if (mtls_evidence_reader_init(&r, path)) {
        while ((item = mtls_evidence_reader_next(&r)) == MTLS_EVIDENCE_ENTRY) {
            memcpy(digest, r.stored, MTLS_EVIDENCE_DIGEST);
            found = 1;
        }
    }
    mtls_evidence_reader_cleanup(&r);
    if (item == MTLS_EVIDENCE_END && found)
        return 1;
    if (item != MTLS_EVIDENCE_ERROR)
        MTLS_raise_data(item == MTLS_EVIDENCE_END ? MTLS_R_EVIDENCE_NO_ENTRY
                                                  : MTLS_R_EVIDENCE_DAMAGED,
                        "%s", path);
    return 0;
}

static int set_imprint(TS_REQ *query,
                       unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
    X509_ALGOR *algorithm = X509_ALGOR_new();
    int ok = imprint != NULL && algorithm != NULL &&
             X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL,
                             NULL) &&
             TS_MSG_IMPRINT_set_algo(imprint, algorithm) &&
             TS_MSG_IMPRINT_set_msg(imprint, digest, MTLS_EVIDENCE_DIGEST) &&
             TS_REQ_set_msg_imprint(query, imprint);

    TS_MSG_IMPRINT_free(imprint);
    X509_ALGOR_free(algorithm);
    return ok;
}

static int set_nonce(TS_REQ *query)
{
    unsigned char octets[NONCE_SIZE];
    ASN1_INTEGER *nonce = NULL;
    BIGNUM *n = NULL;
    int ok = RAND_bytes(octets, sizeof(octets)) == 1 &&
             (n = BN_bin2bn(octets, sizeof(octets), NULL)) != NULL &&
             (nonce = BN_to_ASN1_INTEGER(n, NULL)) != NULL &&
             TS_REQ_set_nonce(query, nonce);

    ASN1_INTEGER_free(nonce);
    BN_free(n);
    return ok;
}

int MTLS_evidence_ts_query(const char *log, BIO *out)
{
    unsigned char digest[MTLS_EVIDENCE_DIGEST];
    TS_REQ *query;
    int ok;

    if (!last_digest(log, digest))
        return 0;
    query = TS_REQ_new();
    ok = query != NULL && TS_REQ_set_version(query, 1) &&
         set_imprint(query, digest) && set_nonce(query) &&
         TS_REQ_set_cert_req(query, 1) && i2d_TS_REQ_bio(out, query);
    TS_REQ_free(query);
    return ok;
}

/* --- the reply ------------------------------------------------------------ */

/* The entry whose digest the token stamps: its number, or 0 with a reason. */
static uint64_t entry_of(const char *path, TS_TST_INFO *info)
{
    ASN1_OCTET_STRING *digest =
        TS_MSG_IMPRINT_get_msg(TS_TST_INFO_get_msg_imprint(info));
    struct mtls_evidence_reader r;
    enum mtls_evidence_item item = MTLS_EVIDENCE_ERROR;
    uint64_t number = 0;

    if (mtls_evidence_reader_init(&r, path)) {
        while (number == 0 &&
               (item = mtls_evidence_reader_next(&r)) == MTLS_EVIDENCE_ENTRY)
            if (ASN1_STRING_length(digest) == MTLS_EVIDENCE_DIGEST &&
                memcmp(ASN1_STRING_get0_data(digest), r.stored,
                       MTLS_EVIDENCE_DIGEST) == 0)
                number = r.entry.number;
    }
    mtls_evidence_reader_cleanup(&r);
    if (number == 0 && item != MTLS_EVIDENCE_ERROR)
        MTLS_raise_data(MTLS_R_EVIDENCE_TIME_STAMP,
                        "%s: it is of no entry of this log", path);
    return number;
}

static int put_token(const char *path, PKCS7 *token, uint64_t number)
{
    struct mtls_evidence e = {
        .kind = MTLS_EVIDENCE_TIME_STAMP, .sequence = number, .peer = ""};
    struct mtls_evidence_log *log = mtls_evidence_open(path);
    unsigned char *der = NULL;
    int n = log == NULL ? -1 : i2d_PKCS7(token, &der);
    int ok = 0;

    if (n > 0) {
        e.object = der;
        e.object_len = (size_t)n;
        ok = mtls_evidence_append(log, &e, NULL);
    }
    OPENSSL_free(der);
    mtls_evidence_close(log);
    return ok;
}

static int refused(TS_RESP *reply)
{
    TS_STATUS_INFO *info = TS_RESP_get_status_info(reply);
    const STACK_OF(ASN1_UTF8STRING) *texts = TS_STATUS_INFO_get0_text(info);
    const ASN1_UTF8STRING *text = sk_ASN1_UTF8STRING_num(texts) > 0
                                      ? sk_ASN1_UTF8STRING_value(texts, 0)
                                      : NULL;

    MTLS_raise_data(MTLS_R_EVIDENCE_TIME_STAMP, "the authority refused%s%.*s",
                    text == NULL ? "" : ": ",
                    text == NULL ? 0 : ASN1_STRING_length(text),
                    text == NULL ? "" : (const char *)text->data);
    return 0;
}

/* Who signed the token is for the audit to judge. */
int MTLS_evidence_ts_reply(const char *log, BIO *in)
{
    TS_RESP *reply = d2i_TS_RESP_bio(in, NULL);
    TS_TST_INFO *info = NULL;
    uint64_t number = 0;
    int ok = 0;

    if (reply == NULL) {
        MTLS_raise_data(MTLS_R_EVIDENCE_TIME_STAMP, "it is no TimeStampResp");
        return 0;
    }
    info = TS_RESP_get_tst_info(reply);
    if (info == NULL)
        refused(reply);
    else
        number = entry_of(log, info);
    if (number != 0)
        ok = put_token(log, TS_RESP_get_token(reply), number);
    TS_RESP_free(reply);
    return ok;
}
