/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Signers who are not to be believed (G4), and SignedData that is not of the
 * one shape (G5, G1), each made with OpenSSL's own calls.
 */
#include "core_suite.h"
#include "sign_format.h"
#include "sign_pki.h"
#include "stacks.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <stdlib.h>
#include <string.h>

static const struct mtls_sign_context context = {
    .binding = "a binding of 32 octets, no more", .sequence = 7};

/* --- G4 --- */

struct signer_row {
    const char *name;
    struct pki_wish wish;
    int error; /* of OpenSSL's; 0: it is taken */
    int revoked, from_server;
};

static const struct signer_row signers[] = {
    {.name = "good"},
    {.name = "by an intermediate", .wish = {.by_intermediate = 1}},
    {.name = "for mail", .wish = {.extended = "emailProtection"}},
    {.name = "for clients", .wish = {.extended = "clientAuth"}},
    {.name = "for servers, of a server",
     .wish = {.extended = "serverAuth"},
     .from_server = 1},
    {.name = "non-repudiation alone", .wish = {.key_usage = "nonRepudiation"}},
    {.name = "no key usage", .wish = {.key_usage = ""}},
    {.name = "expired",
     .wish = {.from_days = -3, .to_days = -1},
     .error = X509_V_ERR_CERT_HAS_EXPIRED},
    {.name = "not yet valid",
     .wish = {.from_days = 1, .to_days = 2},
     .error = X509_V_ERR_CERT_NOT_YET_VALID},
    {.name = "revoked", .error = X509_V_ERR_CERT_REVOKED, .revoked = 1},
    {.name = "wrong CA",
     .wish = {.by_other = 1},
     .error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {.name = "wrong key usage of a server",
     .wish = {.key_usage = "keyEncipherment"},
     .error = X509_V_ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE,
     .from_server = 1},
    {.name = "wrong key usage",
     .wish = {.key_usage = "keyEncipherment"},
     .error = X509_V_ERR_INVALID_PURPOSE},
    {.name = "wrong purpose",
     .wish = {.extended = "serverAuth"},
     .error = X509_V_ERR_INVALID_PURPOSE},
    {.name = "wrong purpose of a server",
     .wish = {.extended = "codeSigning"},
     .error = X509_V_ERR_INVALID_PURPOSE,
     .from_server = 1},
    {.name = "SHA-1 in the certificate",
     .wish = {.digest = "SHA1"},
     .error = X509_V_ERR_CA_MD_TOO_WEAK},
    {.name = "MD5 in the certificate",
     .wish = {.digest = "MD5", .by_rsa = 1},
     .error = X509_V_ERR_CA_MD_TOO_WEAK},
};

static void check_error(const struct signer_row *row)
{
    const char *text;
    int flags;
    unsigned long e = ERR_peek_last_error_data(&text, &flags);

    ck_assert_int_eq(ERR_GET_REASON(e), MTLS_R_SIGN_CERTIFICATE);
    ck_assert_str_eq(text, X509_verify_cert_error_string(row->error));
    ERR_clear_error();
}

START_TEST(G4_signers)
{
    const struct signer_row *row = &signers[_i];
    struct pki_id id = pki_make(&row->wish);
    X509_STORE *trust = pki_trust(row->revoked ? id.cert : NULL);
    struct mtls_sign_parts parts = {(const unsigned char *)"data",
                                    4,
                                    context,
                                    time(NULL),
                                    id.cert,
                                    id.key,
                                    id.chain};
    struct mtls_signed s;
    unsigned char *object;
    size_t len;
    int r;

    parts.context.direction =
        row->from_server ? MTLS_SIGN_FROM_SERVER : MTLS_SIGN_FROM_CLIENT;
    ck_assert(mtls_sign_make(0, &parts, &object, &len));
    ck_assert(mtls_sign_open(0, object, len, &s));
    r = mtls_sign_check(&s, trust, NULL, time(NULL));
    ck_assert_msg(r == (row->error == 0), "%s", row->name);
    if (!r)
        check_error(row);
    mtls_signed_cleanup(&s);
    OPENSSL_free(object);
    X509_STORE_free(trust);
    pki_free(&id);
}
END_TEST

/* The time is the one that is asked for; the certificates belong to it. */
START_TEST(G4_at_another_time)
{
    const struct pki_id *id = pki_client();
    X509_STORE *trust = pki_trust(NULL);
    struct mtls_sign_parts parts = {(const unsigned char *)"data",
                                    4,
                                    context,
                                    time(NULL),
                                    id->cert,
                                    id->key,
                                    id->chain};
    struct mtls_signed s;
    unsigned char *object;
    size_t len;

    ck_assert(mtls_sign_make(0, &parts, &object, &len));
    ck_assert(mtls_sign_open(0, object, len, &s));
    ck_assert(mtls_sign_check(&s, trust, NULL, time(NULL)));
    ck_assert(!mtls_sign_check(&s, trust, NULL, time(NULL) + 2 * 24 * 3600));
    ck_reason(MTLS_R_SIGN_CERTIFICATE);
    X509_up_ref(pki_server()->cert);
    sk_X509_push(s.chain, pki_server()->cert);
    ck_assert(!mtls_sign_check(&s, trust, NULL, time(NULL)));
    ck_reason(MTLS_R_SIGN_CERTIFICATE);
    mtls_signed_cleanup(&s);
    OPENSSL_free(object);
    X509_STORE_free(trust);
}
END_TEST

/* --- G5: other shapes --- */

#define CONTEXT_OID "2.25.298484374843020547207744629827142978542"

enum twist {
    NONE,
    DETACHED,
    UNSIGNED_ATTRIBUTE,
    TWO_SIGNERS,
    NO_SIGNER,
    WRONG_TYPE,
    NO_ATTRIBUTES,
    SHA_1,
    MD_5,
    NO_CONTEXT,
    TWO_CONTEXTS,
    WRONG_CONTEXT,
    BY_KEY_ID,
    NO_ESS,
    WITH_CRL,
    NO_CERTIFICATE,
    PKCS1_PADDING
};

static const struct {
    enum twist twist;
    const char *why; /* NULL: it is taken */
} twists[] = {
    {NONE, NULL},
    {PKCS1_PADDING, NULL},
    {DETACHED, "its content is detached"},
    {UNSIGNED_ATTRIBUTE, "it has unsigned attributes"},
    {TWO_SIGNERS, "it has more than one signer"},
    {NO_SIGNER, "it has no signer"},
    {WRONG_TYPE, "its content is not data"},
    {NO_ATTRIBUTES, "it has no signed attributes"},
    {SHA_1, "its digest algorithm is not taken"},
    {MD_5, "its digest algorithm is not taken"},
    {NO_CONTEXT, "it is not bound to a session"},
    {TWO_CONTEXTS, "it is not bound to a session"},
    {WRONG_CONTEXT, "it is not bound to a session"},
    {BY_KEY_ID, "its version is not 1"},
    {NO_ESS, "it does not name its signer's certificate"},
    {WITH_CRL, "it has more than certificates and a signer"},
    {NO_CERTIFICATE, "its certificates are malformed"},
};

static void add_context(CMS_SignerInfo *si, enum twist twist)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(CONTEXT_OID, 1);
    unsigned char octets[MTLS_SIGN_CONTEXT];

    mtls_sign_put_context(octets, &context);
    if (twist == WRONG_CONTEXT)
        octets[MTLS_SIGN_BINDING] = 2; /* a direction of none */
    if (twist != NO_CONTEXT)
        ck_assert(CMS_signed_add1_attr_by_OBJ(si, oid, V_ASN1_OCTET_STRING,
                                              octets, sizeof(octets)));
    if (twist == TWO_CONTEXTS) {
        octets[MTLS_SIGN_BINDING] = 1;
        ck_assert(CMS_signed_add1_attr_by_OBJ(si, oid, V_ASN1_OCTET_STRING,
                                              octets, sizeof(octets)));
    }
    ASN1_OBJECT_free(oid);
}

static void add_signer(CMS_ContentInfo *cms, const struct pki_id *id,
                       enum twist twist)
{
    const EVP_MD *md = twist == SHA_1  ? EVP_sha1()
                       : twist == MD_5 ? EVP_md5()
                                       : EVP_sha256();
    unsigned int flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP |
                         (twist == NO_ESS ? 0 : CMS_CADES) |
                         (twist == NO_ATTRIBUTES ? CMS_NOATTR : 0) |
                         (twist == NO_CERTIFICATE ? CMS_NOCERTS : 0) |
                         (twist == BY_KEY_ID ? CMS_USE_KEYID : 0);
    CMS_SignerInfo *si = CMS_add1_signer(cms, id->cert, id->key, md, flags);

    ck_assert_ptr_nonnull(si);
    if (twist != NO_ATTRIBUTES)
        add_context(si, twist);
}

static CMS_ContentInfo *start(const struct pki_id *id, enum twist twist)
{
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL,
                                    CMS_BINARY | CMS_PARTIAL |
                                        (twist == DETACHED ? CMS_DETACHED : 0));
    X509_CRL *crl;

    ck_assert_ptr_nonnull(cms);
    add_signer(cms, id, twist);
    if (twist == TWO_SIGNERS)
        add_signer(cms, pki_server(), twist);
    if (twist == WITH_CRL) {
        X509_STORE *store = pki_trust(id->cert);
        STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

        crl = X509_OBJECT_get0_X509_CRL(
            sk_X509_OBJECT_value(objects, sk_X509_OBJECT_num(objects) - 1));
        ck_assert_ptr_nonnull(crl);
        ck_assert(CMS_add1_crl(cms, crl));
        X509_STORE_free(store);
    }
    return cms;
}

static int make_twisted(const struct pki_id *id, enum twist twist,
                        unsigned char **object)
{
    BIO *in = BIO_new_mem_buf("data", 4);
    CMS_ContentInfo *cms = start(id, twist);
    CMS_SignerInfo *si = NULL;
    int len;

    ck_assert(CMS_final(cms, in, NULL,
                        CMS_BINARY | (twist == DETACHED ? CMS_DETACHED : 0)));
    if (twist == WRONG_TYPE)
        ck_assert(
            CMS_set1_eContentType(cms, OBJ_nid2obj(NID_id_smime_ct_TSTInfo)));
    if (twist == UNSIGNED_ATTRIBUTE)
        ck_assert(CMS_unsigned_add1_attr_by_NID(
            sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0),
            NID_pkcs9_unstructuredName, V_ASN1_IA5STRING, "x", 1));
    if (twist == NO_SIGNER)
        si = sk_CMS_SignerInfo_pop(CMS_get0_SignerInfos(cms));
    *object = NULL;
    len = i2d_CMS_ContentInfo(cms, object);
    ck_assert_int_gt(len, 0);
    if (si != NULL) /* to be freed with it */
        sk_CMS_SignerInfo_push(CMS_get0_SignerInfos(cms), si);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    return len;
}

START_TEST(G5_shapes)
{
    const struct pki_wish rsa = {.key = "RSA"};
    struct pki_id own = {NULL, NULL, NULL};
    const struct pki_id *id = pki_client();
    struct mtls_signed s;
    unsigned char *object;
    const char *why = twists[_i].why, *text;
    int len, flags, r;

    if (twists[_i].twist == PKCS1_PADDING || twists[_i].twist == MD_5) {
        own = pki_make(&rsa);
        id = &own;
    }
    len = make_twisted(id, twists[_i].twist, &object);
    r = mtls_sign_open(0, object, (size_t)len, &s);
    ck_assert_msg(r == (why == NULL), "%d", twists[_i].twist);
    if (r) {
        mtls_signed_cleanup(&s);
    } else {
        ck_assert_int_eq(
            ERR_GET_REASON(ERR_peek_last_error_data(&text, &flags)),
            MTLS_R_BAD_SIGN);
        ck_assert_str_eq(text, why);
    }
    ERR_clear_error();
    OPENSSL_free(object);
    pki_free(&own);
}
END_TEST

/* A certificate of another's serial number and, but for a letter, issuer. */
static X509 *namesake(const X509 *of, EVP_PKEY *key, const char *issuer)
{
    X509 *cert = X509_new();

    ck_assert(X509_set_serialNumber(
        cert, (ASN1_INTEGER *)X509_get0_serialNumber(of)));
    ck_assert(X509_set_issuer_name(cert, X509_get_issuer_name(of)));
    if (issuer != NULL) {
        X509_NAME *name = X509_NAME_new();

        ck_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                             (const unsigned char *)issuer, -1,
                                             -1, 0));
        ck_assert(X509_set_issuer_name(cert, name));
        X509_NAME_free(name);
    }
    X509_gmtime_adj(X509_getm_notBefore(cert), -100);
    X509_gmtime_adj(X509_getm_notAfter(cert), 1000);
    ck_assert(X509_set_pubkey(cert, key));
    ck_assert(X509_sign(cert, key, EVP_sha256()));
    return cert;
}

/* The signed attributes name |who|, whoever signs. */
static void claim(CMS_SignerInfo *si, const X509 *who)
{
    ESS_SIGNING_CERT_V2 *ess =
        OSSL_ESS_signing_cert_v2_new_init(EVP_sha256(), who, NULL, 0);
    unsigned char *der = NULL;
    int len = i2d_ESS_SIGNING_CERT_V2(ess, &der);

    ck_assert_int_gt(len, 0);
    ck_assert(CMS_signed_add1_attr_by_NID(
        si, NID_id_smime_aa_signingCertificateV2, V_ASN1_SEQUENCE, der, len));
    OPENSSL_free(der);
    ESS_SIGNING_CERT_V2_free(ess);
}

/*
 * OpenSSL verifies with the first certificate whose issuer is alike, be it
 * written otherwise: the key is that of somebody else than who is named.
 */
START_TEST(G5_namesake)
{
    X509 *victim = pki_server()->cert;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *same = namesake(victim, key, NULL);
    X509 *alike = namesake(victim, key, "ROOT");
    CMS_ContentInfo *cms =
        CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL);
    CMS_SignerInfo *si = CMS_add1_signer(cms, same, key, EVP_sha256(),
                                         CMS_BINARY | CMS_PARTIAL |
                                             CMS_NOSMIMECAP | CMS_NOCERTS);
    BIO *in = BIO_new_mem_buf("data", 4);
    unsigned char *object = NULL;
    struct mtls_signed s;
    int len;

    ck_assert_ptr_nonnull(si);
    add_context(si, NONE);
    claim(si, victim);
    ck_assert(CMS_add1_cert(cms, victim) && CMS_add1_cert(cms, alike));
    ck_assert(CMS_final(cms, in, NULL, CMS_BINARY));
    len = i2d_CMS_ContentInfo(cms, &object);
    ck_assert(!mtls_sign_open(0, object, (size_t)len, &s));
    ck_reason(MTLS_R_BAD_SIGN);
    OPENSSL_free(object);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    X509_free(same);
    X509_free(alike);
    EVP_PKEY_free(key);
}
END_TEST

#define DETACHED_TEXT (CMS_DETACHED | CMS_BINARY | CMS_STREAM)

/* S/MIME whose text was touched, or that is detached, as OpenSSL writes it. */
START_TEST(G5_smime)
{
    const struct pki_id *id = pki_client();
    struct mtls_sign_parts parts = {(const unsigned char *)"data",
                                    4,
                                    context,
                                    time(NULL),
                                    id->cert,
                                    id->key,
                                    id->chain};
    BIO *in = BIO_new_mem_buf("data", 4), *out = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_sign(id->cert, id->key, NULL, in, DETACHED_TEXT);
    struct mtls_signed s;
    unsigned char *object;
    char *text;
    size_t len;
    long n;

    ck_assert(SMIME_write_CMS(out, cms, in, DETACHED_TEXT));
    n = BIO_get_mem_data(out, &text);
    ck_assert(!mtls_sign_open(1, (unsigned char *)text, (size_t)n, &s));
    ck_reason(MTLS_R_BAD_SIGN);
    ck_assert(mtls_sign_make(1, &parts, &object, &len));
    BIO_reset(out);
    BIO_puts(out, "X-Note: unsigned\n");
    BIO_write(out, object, (int)len);
    n = BIO_get_mem_data(out, &text);
    ck_assert(!mtls_sign_open(1, (unsigned char *)text, (size_t)n, &s));
    ck_reason(MTLS_R_BAD_SIGN);
    ck_assert(!mtls_sign_open(0, object, len, &s));
    ck_reason(MTLS_R_BAD_SIGN);
    OPENSSL_free(object);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);
}
END_TEST

START_TEST(formats_that_are_not_there)
{
    struct mtls_signed s;

    ck_assert(!mtls_sign_open(3, (const unsigned char *)"", 0, &s));
    ck_reason(MTLS_R_SIGN_FORMAT);
    ck_assert(!mtls_sign_format_known(255));
    ck_assert(!MTLS_sign_add_format(0, &mtls_sign_smime));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_forged");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_loop_test(one, G4_signers, 0, (int)core_count(signers));
    tcase_add_test(one, G4_at_another_time);
    tcase_add_loop_test(one, G5_shapes, 0, (int)core_count(twists));
    tcase_add_test(one, G5_namesake);
    tcase_add_test(one, G5_smime);
    tcase_add_test(one, formats_that_are_not_there);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
