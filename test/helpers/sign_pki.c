/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_pki.h"

#include <check.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY (24 * 3600)

static struct pki_id root, intermediate, other, rsa, client, server;
static long serial = 100;

/* Of the kind that is for PSS alone. */
static EVP_PKEY *make_pss_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    ck_assert(EVP_PKEY_keygen_init(ctx) > 0 &&
              EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) > 0 &&
              EVP_PKEY_generate(ctx, &key) > 0);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *make_key(const char *what)
{
    EVP_PKEY *key;

    if (strcmp(what, "RSA") == 0)
        key = EVP_RSA_gen(2048);
    else if (strcmp(what, "RSA-PSS") == 0)
        key = make_pss_key();
    else if (strcmp(what, "ED25519") == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        key = EVP_EC_gen(what);
    ck_assert_ptr_nonnull(key);
    return key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert(X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(EVP_PKEY *key, const char *name,
                       const struct pki_id *issuer, long from, long to)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);

    ck_assert_ptr_nonnull(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), from);
    X509_gmtime_adj(X509_getm_notAfter(cert), to);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(
        cert, issuer == NULL ? subject : X509_get_subject_name(issuer->cert));
    return cert;
}

static struct pki_id make_ca(const char *name, const char *key,
                             const struct pki_id *issuer)
{
    struct pki_id id = {make_key(key), NULL, NULL};

    id.cert = make_cert(id.key, name, issuer, -30L * DAY, 30L * DAY);
    extend(id.cert, id.cert, NID_basic_constraints, "critical,CA:TRUE");
    extend(id.cert, id.cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    ck_assert(X509_sign(id.cert, issuer == NULL ? id.key : issuer->key,
                        EVP_sha256()));
    return id;
}

static void make_cas(void)
{
    if (root.cert != NULL)
        return;
    root = make_ca("root", "P-256", NULL);
    other = make_ca("other", "P-256", NULL);
    intermediate = make_ca("intermediate", "P-256", &root);
}

struct pki_id pki_make(const struct pki_wish *wish)
{
    const char *name = wish->name != NULL ? wish->name : "somebody";
    const char *usage = wish->key_usage;
    int from = wish->from_days != 0 ? wish->from_days : -1;
    int to = wish->to_days != 0 ? wish->to_days : 1;
    const struct pki_id *issuer;
    struct pki_id id = {NULL, NULL, NULL};

    make_cas();
    if (wish->by_rsa && rsa.cert == NULL)
        rsa = make_ca("rsa", "RSA", &root);
    issuer = wish->by_other          ? &other
             : wish->by_rsa          ? &rsa
             : wish->by_intermediate ? &intermediate
                                     : &root;
    id.key = make_key(wish->key != NULL ? wish->key : "P-256");
    id.cert = make_cert(id.key, name, issuer, (long)from * DAY, (long)to * DAY);
    extend(id.cert, issuer->cert, NID_basic_constraints, "CA:FALSE");
    extend(id.cert, issuer->cert, NID_subject_key_identifier, "hash");
    extend(id.cert, issuer->cert, NID_subject_alt_name, "DNS:localhost");
    if (usage == NULL || *usage != '\0')
        extend(id.cert, issuer->cert, NID_key_usage,
               usage == NULL ? "digitalSignature" : usage);
    if (wish->extended != NULL)
        extend(id.cert, issuer->cert, NID_ext_key_usage, wish->extended);
    ck_assert(X509_sign(id.cert, issuer->key,
                        wish->digest == NULL
                            ? EVP_sha256()
                            : EVP_get_digestbyname(wish->digest)));
    if (wish->by_intermediate || wish->by_rsa) {
        id.chain = sk_X509_new_null();
        X509_up_ref(issuer->cert);
        sk_X509_push(id.chain, issuer->cert);
    }
    return id;
}

const struct pki_id *pki_client(void)
{
    const struct pki_wish wish = {.name = "client", .by_intermediate = 1};

    if (client.cert == NULL)
        client = pki_make(&wish);
    return &client;
}

const struct pki_id *pki_server(void)
{
    const struct pki_wish wish = {.name = "localhost",
                                  .extended = "serverAuth"};

    if (server.cert == NULL)
        server = pki_make(&wish);
    return &server;
}

void pki_free(struct pki_id *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    sk_X509_pop_free(id->chain, X509_free);
    memset(id, 0, sizeof(*id));
}

/* The root's CRL; without |revoked| it is empty. */
static X509_CRL *make_crl(X509 *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *last = X509_gmtime_adj(NULL, -DAY);
    ASN1_TIME *next = X509_gmtime_adj(NULL, DAY);
    X509_REVOKED *entry = X509_REVOKED_new();

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(root.cert));
    X509_CRL_set1_lastUpdate(crl, last);
    X509_CRL_set1_nextUpdate(crl, next);
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
    X509_REVOKED_set_revocationDate(entry, last);
    ck_assert(X509_CRL_add0_revoked(crl, entry));
    ck_assert(X509_CRL_sign(crl, root.key, EVP_sha256()));
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    return crl;
}

X509_STORE *pki_trust(X509 *revoked)
{
    X509_STORE *store = X509_STORE_new();

    make_cas();
    ck_assert(X509_STORE_add_cert(store, root.cert));
    if (revoked != NULL) {
        X509_CRL *crl = make_crl(revoked);

        ck_assert(X509_STORE_add_crl(store, crl));
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
        X509_CRL_free(crl);
    }
    return store;
}

X509 *pki_root(void)
{
    make_cas();
    return root.cert;
}
