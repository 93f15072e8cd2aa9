/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Keys and certificates for tests of TLS Sign. Failures end the test. */
#ifndef TEST_SIGN_PKI_H
#define TEST_SIGN_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

struct pki_id {
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) *
        chain; /* the intermediate's certificate, if there is one */
};

/* What a certificate is to be; what is not said is the usual. */
struct pki_wish {
    const char *name;      /* "somebody" */
    const char *key;       /* "P-256"; "P-521", "RSA", "RSA-PSS", "ED25519" */
    const char *digest;    /* "SHA256" */
    const char *key_usage; /* "digitalSignature"; "" for none */
    const char *extended;  /* extendedKeyUsage; NULL for none */
    int from_days;         /* it is valid from, -1 unless given */
    int to_days;           /* until, 1 unless given */
    int by_intermediate;   /* signed by a CA that the root signed */
    int by_rsa;            /* the same, with an RSA key */
    int by_other;          /* signed by a CA that nobody trusts */
};

/* A certificate of its own, and one that the process has once. */
struct pki_id pki_make(const struct pki_wish *wish);
const struct pki_id *pki_client(void);
const struct pki_id *pki_server(void);
void pki_free(struct pki_id *id);

/* A store that trusts the root. With |revoked|, a CRL that has it. */
X509_STORE *pki_trust(X509 *revoked);

/* The root's certificate, lent. */
X509 *pki_root(void);

#endif
