/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Evidence logs of TLS Sign, examined: whether each entry is what was written,
 * whether each object was signed by whom it names, and which messages have
 * their receipts. `mtls audit` is this call with options. MTLS_audit(3) tells
 * more, doc/evidence.md has the file's format.
 */
#ifndef MTLS_MTLS_AUDIT_H
#define MTLS_MTLS_AUDIT_H

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MTLS_AUDIT_DIGEST 32 /* octets: SHA-256 */

/* clang-format off */
/* What an entry is. */
#define MTLS_AUDIT_MESSAGE_SENT     1
#define MTLS_AUDIT_MESSAGE_RECEIVED 2
#define MTLS_AUDIT_RECEIPT_SENT     3
#define MTLS_AUDIT_RECEIPT_RECEIVED 4
#define MTLS_AUDIT_TIME_STAMP       5 /* of entry |sequence|, RFC 3161 */
#define MTLS_AUDIT_TORN             6 /* |sequence| octets were put aside */

/* How much a finding weighs. */
#define MTLS_AUDIT_NOTE             0 /* worth knowing */
#define MTLS_AUDIT_OPEN             1 /* a receipt that is still due */
#define MTLS_AUDIT_BAD              2 /* changed, forged, or not to be trusted */
/* clang-format on */

/* An entry that is whole. Everything is lent, for the time of the call. */
typedef struct {
    uint64_t number;
    int kind;
    int format;      /* of the object: 0 pkcs7, 1 smime, 2 xmldsig */
    int from_server; /* who signed: the server of the session, or the client */
    uint64_t sequence;
    const unsigned char *session; /* its 32 octets */
    int wants_receipt;
    uint64_t time;    /* milliseconds since 1970, UTC */
    const char *peer; /* peer_len octets that may be anything */
    size_t peer_len;
    const unsigned char *object;
    size_t object_len;
    const unsigned char *digest; /* of the entry, MTLS_AUDIT_DIGEST octets */
    int verified;                /* its object and who signed it */
    X509 *signer;                /* NULL: not known */
    const unsigned char *data;   /* what was signed; NULL: not known */
    size_t data_len;
    uint64_t of;     /* a receipt: the number of its message; 0: not known */
    int64_t stamped; /* a time stamp: its seconds since 1970 */
} MTLS_AUDIT_ENTRY;

typedef struct {
    int weight;
    uint64_t number; /* of the entry that it is about; 0: of the log */
    const char *text;
} MTLS_AUDIT_FINDING;

/* What is to be examined, and who is told. */
typedef struct {
    const char *log;
    X509_STORE *trust;           /* for signers; NULL: they are not judged */
    STACK_OF(X509) * untrusted;  /* further certificates, or NULL */
    const unsigned char *expect; /* digest of an entry, or NULL */
    const char *peer;            /* the other end's log, or NULL */
    void (*entry)(const MTLS_AUDIT_ENTRY *entry, void *arg);
    void (*finding)(const MTLS_AUDIT_FINDING *finding, void *arg);
    void *arg;
} MTLS_AUDIT_PARAMS;

typedef struct {
    uint64_t entries, messages, receipts, stamps;
    uint64_t notes, open, bad;               /* findings */
    unsigned char digest[MTLS_AUDIT_DIGEST]; /* of the last whole entry */
} MTLS_AUDIT_RESULT;

/*
 * MTLS_audit examines a log, which it only reads: 1 and *result when it could
 * be read to its end, whatever was found; 0 with a reason on the error queue.
 */
int MTLS_audit(const MTLS_AUDIT_PARAMS *params, MTLS_AUDIT_RESULT *result);

/*
 * MTLS_evidence_ts_query writes a TimeStampReq (RFC 3161, DER) for the last
 * entry of a log, and with it for all before. MTLS_evidence_ts_reply appends
 * the token of a TimeStampResp to the log that it stamps. 1, or 0 with a
 * reason.
 */
int MTLS_evidence_ts_query(const char *log, BIO *out);
int MTLS_evidence_ts_reply(const char *log, BIO *in);

#ifdef __cplusplus
}
#endif
#endif
