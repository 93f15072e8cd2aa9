/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Whom the signers of a log must chain to, and what a revocation says. */
#include "audit.h"
#include "report.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static int read_roots(X509_STORE *store, const struct options *o)
{
    if (o->ca_file == NULL && o->ca_path == NULL)
        return X509_STORE_set_default_paths(store);
    return (o->ca_file == NULL || X509_STORE_load_file(store, o->ca_file)) &&
           (o->ca_path == NULL || X509_STORE_load_path(store, o->ca_path));
}

static X509_CRL *read_crl(const char *name)
{
    BIO *in = BIO_new_file(name, "rb");
    X509_CRL *crl = NULL;

    if (in != NULL) {
        crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);
        if (crl == NULL && BIO_reset(in) == 0)
            crl = d2i_X509_CRL_bio(in, NULL);
        if (crl != NULL)
            ERR_clear_error();
    }
    BIO_free(in);
    return crl;
}

static int read_crls(X509_STORE *store, const struct options *o)
{
    for (size_t i = 0; i < o->crls.n; i++) {
        X509_CRL *crl = read_crl(o->crls.at[i]);
        int ok = crl != NULL && X509_STORE_add_crl(store, crl);

        X509_CRL_free(crl);
        if (!ok) {
            report_error("-CRLfile %s can't be used", o->crls.at[i]);
            return 0;
        }
    }
    return 1;
}

/* A key that somebody else had may have signed with any time. */
static int says_later(const X509_REVOKED *entry, time_t at)
{
    ASN1_ENUMERATED *reason =
        X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    long why =
        reason == NULL ? CRL_REASON_UNSPECIFIED : ASN1_ENUMERATED_get(reason);

    ASN1_ENUMERATED_free(reason);
    return why != CRL_REASON_KEY_COMPROMISE &&
           why != CRL_REASON_CA_COMPROMISE &&
           X509_cmp_time(X509_REVOKED_get0_revocationDate(entry), &at) > 0;
}

/* Whether all CRLs that have the certificate have it revoked after the time
 * that it is judged at. (Which one it is OpenSSL has forgotten by then.) */
static int revoked_later(X509_STORE_CTX *ctx)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
    time_t at = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(ctx));
    STACK_OF(X509_CRL) *crls =
        X509_STORE_CTX_get1_crls(ctx, X509_get_issuer_name(cert));
    int found = 0, later = 1;

    for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
        X509_REVOKED *entry = NULL;

        if (X509_CRL_get0_by_cert(sk_X509_CRL_value(crls, i), &entry, cert) ==
            0)
            continue;
        found = 1;
        later = later && says_later(entry, at);
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return found && later;
}

/* OpenSSL asks for the CRLs of the time that is judged. Later ones know more:
 * they have what was revoked before, with its date. */
static int judge_crl(int ok, X509_STORE_CTX *ctx)
{
    if (ok)
        return ok;
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_CRL_NOT_YET_VALID:
        break;
    case X509_V_ERR_CERT_REVOKED:
        if (!revoked_later(ctx))
            return 0;
        break;
    default:
        return 0;
    }
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* The same where CRLs are given and not asked for: there need not be one. */
static int judge_given_crl(int ok, X509_STORE_CTX *ctx)
{
    if (ok || X509_STORE_CTX_get_error(ctx) != X509_V_ERR_UNABLE_TO_GET_CRL)
        return judge_crl(ok, ctx);
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

X509_STORE *audit_trust(const struct options *o)
{
    X509_STORE *store = X509_STORE_new();
    unsigned long flags = 0;

    if (store == NULL || !read_roots(store, o)) {
        report_error("the certificates of -CAfile and -CApath can't be used");
        X509_STORE_free(store);
        return NULL;
    }
    if (!read_crls(store, o)) {
        X509_STORE_free(store);
        return NULL;
    }
    if (o->crls.n != 0 || o->crl_check || o->crl_check_all)
        flags |= X509_V_FLAG_CRL_CHECK;
    if (o->crl_check_all)
        flags |= X509_V_FLAG_CRL_CHECK_ALL;
    X509_STORE_set_flags(store, flags);
    X509_STORE_set_verify_cb(
        store, o->crl_check || o->crl_check_all ? judge_crl : judge_given_crl);
    return store;
}

int audit_untrusted(const struct options *o, STACK_OF(X509) * *certs)
{
    *certs = NULL;
    for (size_t i = 0; i < o->untrusted.n; i++) {
        BIO *in = BIO_new_file(o->untrusted.at[i], "r");
        X509 *x;
        int n = 0;

        if (*certs == NULL)
            *certs = sk_X509_new_null();
        while (in != NULL && *certs != NULL &&
               (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
            n++;
            if (!sk_X509_push(*certs, x))
                X509_free(x);
        }
        BIO_free(in);
        if (n == 0) {
            report_error("-untrusted %s has no certificate",
                         o->untrusted.at[i]);
            sk_X509_pop_free(*certs, X509_free);
            return 0;
        }
        ERR_clear_error();
    }
    return 1;
}
