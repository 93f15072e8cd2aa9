/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* PKCS#7: CMS SignedData (RFC 5652), made and verified by OpenSSL. */
#include "sign_format.h"
#include "sign_shape.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/pkcs7.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <string.h>

/* The signed attribute with the context: an OID made of a UUID (N7). */
#define CONTEXT_OID "2.25.298484374843020547207744629827142978542"

#define FLAGS (CMS_BINARY | CMS_PARTIAL)

/* --- making --- */

static const EVP_MD *digest_for(EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519"))
        return EVP_sha512(); /* RFC 8419 3.1 */
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_bits(key) <= 256)
        return EVP_sha256();
    return EVP_PKEY_get_bits(key) <= 384 ? EVP_sha384() : EVP_sha512();
}

static int set_pss(CMS_SignerInfo *si)
{
    EVP_PKEY_CTX *ctx = CMS_SignerInfo_get0_pkey_ctx(si);

    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static int add_context(CMS_SignerInfo *si,
                       const struct mtls_sign_context *context)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(CONTEXT_OID, 1);
    unsigned char octets[MTLS_SIGN_CONTEXT];
    int r;

    mtls_sign_put_context(octets, context);
    r = oid != NULL && CMS_signed_add1_attr_by_OBJ(si, oid, V_ASN1_OCTET_STRING,
                                                   octets, (int)sizeof(octets));
    ASN1_OBJECT_free(oid);
    return r;
}

static int add_time(CMS_SignerInfo *si, time_t time)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, time);
    int r =
        t != NULL && CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime,
                                                 ASN1_STRING_type(t), t, -1);

    ASN1_TIME_free(t);
    return r;
}

static int add_chain(CMS_ContentInfo *cms, const struct mtls_sign_parts *parts)
{
    for (int i = 0; i < sk_X509_num(parts->chain); i++) {
        X509 *cert = sk_X509_value(parts->chain, i);

        if (X509_cmp(cert, parts->signer) != 0 && !CMS_add1_cert(cms, cert))
            return 0;
    }
    return 1;
}

/* The digest of the data is never asked of the key's provider: see below. */
static int put_data(CMS_ContentInfo *cms, const struct mtls_sign_parts *parts,
                    const EVP_MD *digest)
{
    BIO *out = CMS_dataInit(cms, NULL);
    BIO *md = out == NULL ? NULL : BIO_find_type(out, BIO_TYPE_MD);
    size_t n;
    int r =
        md != NULL && BIO_set_md(md, digest) > 0 &&
        (parts->len == 0 || BIO_write_ex(out, parts->data, parts->len, &n)) &&
        BIO_flush(out) > 0 && CMS_dataFinal(cms, out);

    BIO_free_all(out);
    return r;
}

static int fill(CMS_ContentInfo *cms, const struct mtls_sign_parts *parts,
                int pss)
{
    const EVP_MD *digest = digest_for(parts->key);
    CMS_SignerInfo *si = CMS_add1_signer(cms, parts->signer, parts->key, digest,
                                         FLAGS | CMS_NOSMIMECAP | CMS_CADES |
                                             (pss ? CMS_KEY_PARAM : 0));

    return si != NULL && (!pss || set_pss(si)) &&
           add_context(si, &parts->context) && add_time(si, parts->time) &&
           add_chain(cms, parts) && put_data(cms, parts, digest);
}

/*
 * The key's own provider is preferred: there are some that hand the default one
 * the public half of a key that they keep, and it is found too late that this
 * can't sign.
 */
static const char *properties_for(const EVP_PKEY *key, char *out, size_t size)
{
    const OSSL_PROVIDER *provider = EVP_PKEY_get0_provider(key);

    if (provider == NULL) /* it is that of an engine */
        return NULL;
    BIO_snprintf(out, size, "?provider='%s'",
                 OSSL_PROVIDER_get0_name(provider));
    return out;
}

static int make(const struct mtls_sign_parts *parts, int pss,
                unsigned char **object, size_t *len)
{
    char text[128];
    CMS_ContentInfo *cms =
        CMS_sign_ex(NULL, NULL, NULL, NULL, FLAGS, NULL,
                    properties_for(parts->key, text, sizeof(text)));
    int n = -1;

    *object = NULL;
    if (cms != NULL && fill(cms, parts, pss))
        n = i2d_CMS_ContentInfo(cms, object);
    CMS_ContentInfo_free(cms);
    *len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Not every device that keeps an RSA key can tell CMS how it does PSS. */
static int cms_make(const struct mtls_sign_parts *parts, unsigned char **object,
                    size_t *len)
{
    int r, rsa = EVP_PKEY_is_a(parts->key, "RSA");

    if (!rsa)
        return make(parts, EVP_PKEY_is_a(parts->key, "RSA-PSS"), object, len);
    ERR_set_mark();
    r = make(parts, 1, object, len);
    ERR_pop_to_mark();
    return r || make(parts, 0, object, len);
}

/* --- opening --- */

/* DER throughout: what has another encoding of its own is not the object. */
static CMS_ContentInfo *decode(const unsigned char *object, size_t len)
{
    const unsigned char *at = object;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)len);
    unsigned char *again = NULL;
    int n = cms == NULL ? -1 : i2d_CMS_ContentInfo(cms, &again);
    int same = n > 0 && (size_t)n == len && memcmp(object, again, len) == 0;

    OPENSSL_free(again);
    if (same)
        return cms;
    CMS_ContentInfo_free(cms);
    return NULL;
}

/* OpenSSL compares names as people do: here they are the same octets. */
static int is_named(X509 *cert, const struct mtls_sign_shape *shape)
{
    PKCS7_ISSUER_AND_SERIAL name = {X509_get_issuer_name(cert),
                                    X509_get_serialNumber(cert)};
    unsigned char *der = NULL;
    int n = i2d_PKCS7_ISSUER_AND_SERIAL(&name, &der);
    int r = n > 0 && (size_t)n == shape->sid_len &&
            memcmp(der, shape->sid, shape->sid_len) == 0;

    OPENSSL_free(der);
    return r;
}

static int key_fits(X509 *cert, enum mtls_sign_algorithm algorithm)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert);

    if (key == NULL)
        return 0;
    switch (algorithm) {
    case MTLS_SIGN_RSA_PKCS1:
        return EVP_PKEY_is_a(key, "RSA");
    case MTLS_SIGN_RSA_PSS:
        return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
    case MTLS_SIGN_ECDSA:
        return EVP_PKEY_is_a(key, "EC");
    default:
        return EVP_PKEY_is_a(key, "ED25519");
    }
}

/* The signer, and the others. */
static const char *get_certs(CMS_ContentInfo *cms,
                             const struct mtls_sign_shape *shape,
                             struct mtls_signed *out)
{
    out->chain = CMS_get1_certs(cms);
    if (sk_X509_num(out->chain) != shape->certs)
        return "its certificates can't be read";
    for (int i = 0; i < sk_X509_num(out->chain); i++)
        if (is_named(sk_X509_value(out->chain, i), shape)) {
            out->signer = sk_X509_delete(out->chain, i);
            break;
        }
    if (out->signer == NULL)
        return "the signer's certificate is not there";
    return key_fits(out->signer, shape->algorithm)
               ? NULL
               : "its signature is not of the signer's kind of key";
}

static const char *get_context(CMS_SignerInfo *si, struct mtls_signed *out)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(CONTEXT_OID, 1);
    const ASN1_OCTET_STRING *octets =
        oid == NULL
            ? NULL
            : CMS_signed_get0_data_by_OBJ(si, oid, -3, V_ASN1_OCTET_STRING);
    int r = octets != NULL &&
            mtls_sign_get_context(ASN1_STRING_get0_data(octets),
                                  (size_t)ASN1_STRING_length(octets),
                                  &out->context);

    ASN1_OBJECT_free(oid);
    return r ? NULL : "it is not bound to a session";
}

/* The only value of the only attribute of its kind. */
static const ASN1_TYPE *only_value(CMS_SignerInfo *si, int nid)
{
    int at = CMS_signed_get_attr_by_NID(si, nid, -1);
    X509_ATTRIBUTE *attribute;

    if (at < 0 || CMS_signed_get_attr_by_NID(si, nid, at) >= 0)
        return NULL;
    attribute = CMS_signed_get_attr(si, at);
    return X509_ATTRIBUTE_count(attribute) == 1
               ? X509_ATTRIBUTE_get0_type(attribute, 0)
               : NULL;
}

static const char *get_time(CMS_SignerInfo *si, struct mtls_signed *out)
{
    const ASN1_TYPE *value = only_value(si, NID_pkcs9_signingTime);
    struct tm tm;

    if (value == NULL ||
        (value->type != V_ASN1_UTCTIME &&
         value->type != V_ASN1_GENERALIZEDTIME) ||
        !ASN1_TIME_to_tm(value->value.asn1_string, &tm))
        return "it does not say when it was signed";
    out->time = timegm(&tm);
    return NULL;
}

static const char *check_type(CMS_SignerInfo *si)
{
    const ASN1_TYPE *value = only_value(si, NID_pkcs9_contentType);

    return value != NULL && value->type == V_ASN1_OBJECT &&
                   OBJ_obj2nid(value->value.object) == NID_pkcs7_data
               ? NULL
               : "its content is not data";
}

/* The signature covers the digest of the certificate (RFC 5035). */
static const char *check_ess(CMS_SignerInfo *si, X509 *signer)
{
    const ASN1_TYPE *value =
        only_value(si, NID_id_smime_aa_signingCertificateV2);
    STACK_OF(X509) *alone = sk_X509_new_null();
    ESS_SIGNING_CERT_V2 *ess = NULL;
    const unsigned char *at;
    int r = 0;

    if (value != NULL && value->type == V_ASN1_SEQUENCE) {
        at = value->value.sequence->data;
        ess = d2i_ESS_SIGNING_CERT_V2(NULL, &at, value->value.sequence->length);
    }
    if (ess != NULL && alone != NULL && sk_X509_push(alone, signer))
        r = OSSL_ESS_check_signing_certs(NULL, ess, alone, 1) == 1;
    ESS_SIGNING_CERT_V2_free(ess);
    sk_X509_free(alone);
    return r ? NULL : "it does not name its signer's certificate";
}

static const char *get_parts(CMS_ContentInfo *cms,
                             const struct mtls_sign_shape *shape,
                             struct mtls_signed *out)
{
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    const char *wrong = get_certs(cms, shape, out);

    if (wrong == NULL)
        wrong = check_type(si);
    if (wrong == NULL)
        wrong = get_context(si, out);
    if (wrong == NULL)
        wrong = get_time(si, out);
    if (wrong == NULL)
        wrong = check_ess(si, out->signer);
    return wrong;
}

/* OpenSSL takes the first certificate whose name is alike: is it this one? */
static int signed_by(CMS_ContentInfo *cms, const X509 *signer)
{
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    X509 *used = NULL;

    CMS_SignerInfo_get0_algs(si, NULL, &used, NULL, NULL);
    return used != NULL && X509_cmp(used, signer) == 0;
}

/* One octet more, so that data of no octets is not NULL. */
static const char *get_data(CMS_ContentInfo *cms, struct mtls_signed *out)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);

    out->len = (size_t)ASN1_STRING_length(*content);
    out->data = OPENSSL_malloc(out->len + 1);
    if (out->data == NULL)
        return "there is no memory for it";
    if (out->len != 0)
        memcpy(out->data, ASN1_STRING_get0_data(*content), out->len);
    return NULL;
}

static const char *cms_open(const unsigned char *object, size_t len,
                            struct mtls_signed *out)
{
    struct mtls_sign_shape shape;
    const char *wrong = mtls_sign_shape_of(object, len, &shape);
    CMS_ContentInfo *cms;

    if (wrong != NULL)
        return wrong;
    cms = decode(object, len);
    if (cms == NULL)
        return "it is not DER";
    wrong = get_parts(cms, &shape, out);
    if (wrong == NULL &&
        CMS_verify(cms, NULL, NULL, NULL, NULL,
                   CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) != 1)
        wrong = "its signature is wrong";
    if (wrong == NULL && !signed_by(cms, out->signer))
        wrong = "its signature is that of a namesake";
    if (wrong == NULL)
        wrong = get_data(cms, out);
    CMS_ContentInfo_free(cms);
    return wrong;
}

const struct mtls_sign_format mtls_sign_cms = {cms_make, cms_open};
