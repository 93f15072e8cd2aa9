/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Logs whose entries are really signed, by the clients and servers of PKI. */
#ifndef EVIDENCE_SIGNED_H
#define EVIDENCE_SIGNED_H

#include "evidence.h"
#include "sign_pki.h"

/* What an entry is to be; what is not said is 0. */
struct evidence_wish {
    enum mtls_evidence_kind kind;
    uint64_t sequence;
    const char *data; /* of a receipt, that of its message */
    int wants_receipt;
    uint8_t format;
    const struct pki_id *by; /* NULL: the client or the server of the process */
    int64_t days;            /* from now; the log's time */
    char session;            /* any letter */
    int at_server;           /* it is the server that logs */
};

/* As an entry of the client's log, or the server's: who signed follows from the
 * kind. */
void evidence_sign(struct mtls_evidence_log *log,
                   const struct evidence_wish *wish);

/* evidence_orders writes a log of |n| entries: message 0 sent, its receipt
 * received, message 1, its receipt, ... Returns its octets; |ends| is where
 * the header and each entry ends. */
unsigned char *evidence_orders(const char *path, int n, size_t *len,
                               size_t ends[]);

#endif
