/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * XML signatures (RFC 3275) by libxmlsec1. They have one text (doc/tls_sign.md,
 * N9): what is opened is taken apart by its words, written anew, and must be
 * the same octets before libxml2 sees it. So there are no other references,
 * transforms, entities, comments or namespaces than these.
 */
#include "sign_xml.h"
#include "err.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <mtls/tls_sign_xmldsig.h>
#include <openssl/crypto.h>
#include <string.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int ready;

/* --- libxmlsec1 --- */

static xmlDocPtr parse(const unsigned char *text, size_t len)
{
    return xmlReadMemory((const char *)text, (int)len, NULL, NULL,
                         XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOERROR |
                             XML_PARSE_NOWARNING);
}

/* A context that takes the algorithms of our text and no others. */
static xmlSecDSigCtxPtr new_ctx(EVP_PKEY *pkey)
{
    xmlSecDSigCtxPtr ctx = xmlSecDSigCtxCreate(NULL);
    xmlSecKeyDataPtr data = NULL;
    xmlSecKeyPtr key = xmlSecKeyCreate();

    if (ctx == NULL || key == NULL || !EVP_PKEY_up_ref(pkey))
        goto err;
    data = xmlSecOpenSSLEvpKeyAdopt(pkey);
    if (data == NULL) {
        EVP_PKEY_free(pkey);
        goto err;
    }
    if (xmlSecKeySetValue(key, data) < 0)
        goto err;
    data = NULL;
    ctx->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    if (xmlSecDSigCtxEnableReferenceTransform(ctx, xmlSecTransformExclC14NId) <
            0 ||
        xmlSecDSigCtxEnableReferenceTransform(ctx, xmlSecTransformSha256Id) <
            0 ||
        xmlSecDSigCtxEnableSignatureTransform(ctx, xmlSecTransformExclC14NId) <
            0 ||
        xmlSecDSigCtxEnableSignatureTransform(ctx, xmlSecTransformRsaSha256Id) <
            0 ||
        xmlSecDSigCtxEnableSignatureTransform(ctx,
                                              xmlSecTransformEcdsaSha256Id) < 0)
        goto err;
    ctx->signKey = key;
    return ctx;
err:
    if (data != NULL)
        xmlSecKeyDataDestroy(data);
    if (key != NULL)
        xmlSecKeyDestroy(key);
    if (ctx != NULL)
        xmlSecDSigCtxDestroy(ctx);
    return NULL;
}

/* Base64 that libxmlsec1 has put somewhere, into |room| octets: how many. */
static size_t value_of(xmlNodePtr parent, const char *name, unsigned char *out,
                       size_t room)
{
    xmlNodePtr node = xmlSecFindNode(parent, BAD_CAST name, xmlSecDSigNs);
    xmlChar *text = node == NULL ? NULL : xmlNodeGetContent(node);
    size_t n = 0;

    if (text != NULL)
        n = mtls_xml_decode((const char *)text, out, room);
    xmlFree(text);
    return n;
}

/* What signing has computed, back into the fields. */
static int take_values(xmlNodePtr root, struct mtls_xml *xml)
{
    xmlNodePtr info = xmlSecFindNode(root, BAD_CAST "SignedInfo", xmlSecDSigNs);
    xmlNodePtr reference =
        info == NULL ? NULL
                     : xmlSecFindNode(info, BAD_CAST "Reference", xmlSecDSigNs);

    for (int i = 0; i < 2; i++) {
        if (reference == NULL ||
            value_of(reference, "DigestValue", xml->digests[i],
                     MTLS_SIGN_DIGEST) != MTLS_SIGN_DIGEST)
            return 0;
        reference = xmlSecGetNextElementNode(reference->next);
    }
    xml->signature_len = value_of(root, "SignatureValue", xml->signature,
                                  sizeof(xml->signature));
    return xml->signature_len != 0;
}

/* --- the format --- */

static int sign(struct mtls_xml *xml, EVP_PKEY *key)
{
    unsigned char *text;
    size_t len;
    xmlSecDSigCtxPtr ctx = NULL;
    xmlDocPtr doc = NULL;
    int r = 0;

    if (!mtls_xml_write(xml, &text, &len))
        return 0;
    doc = parse(text, len);
    if (doc != NULL)
        ctx = new_ctx(key);
    if (ctx != NULL && xmlSecDSigCtxSign(ctx, xmlDocGetRootElement(doc)) == 0)
        r = take_values(xmlDocGetRootElement(doc), xml);
    if (ctx != NULL)
        xmlSecDSigCtxDestroy(ctx);
    xmlFreeDoc(doc);
    OPENSSL_free(text);
    return r;
}

static int xml_make(const struct mtls_sign_parts *parts, unsigned char **object,
                    size_t *len)
{
    struct mtls_xml *xml = OPENSSL_zalloc(sizeof(*xml));
    int r;

    if (xml == NULL)
        return 0;
    r = mtls_xml_of(parts, xml) && sign(xml, parts->key) &&
        mtls_xml_write(xml, object, len);
    mtls_xml_free(xml);
    return r;
}

static int verify(const unsigned char *object, size_t len, X509 *signer)
{
    xmlDocPtr doc = parse(object, len);
    xmlSecDSigCtxPtr ctx = NULL;
    EVP_PKEY *key = X509_get0_pubkey(signer);
    int r = 0;

    if (doc != NULL && key != NULL)
        ctx = new_ctx(key);
    if (ctx != NULL && xmlSecDSigCtxVerify(ctx, xmlDocGetRootElement(doc)) == 0)
        r = ctx->status == xmlSecDSigStatusSucceeded &&
            xmlSecPtrListGetSize(&ctx->signedInfoReferences) == 2;
    if (ctx != NULL)
        xmlSecDSigCtxDestroy(ctx);
    xmlFreeDoc(doc);
    return r;
}

static const char *xml_open(const unsigned char *object, size_t len,
                            struct mtls_signed *out)
{
    struct mtls_xml *xml = OPENSSL_zalloc(sizeof(*xml));
    const char *wrong;

    if (xml == NULL)
        return "there is no memory for it";
    wrong = mtls_xml_read(object, len, xml);
    if (wrong == NULL && !verify(object, len, xml->signer))
        wrong = "its signature is wrong";
    if (wrong == NULL)
        mtls_xml_give(xml, out);
    mtls_xml_free(xml);
    return wrong;
}

static const struct mtls_sign_format format = {xml_make, xml_open};

static void init(void)
{
    xmlInitParser();
    if (xmlSecInit() < 0 || xmlSecCryptoInit() < 0)
        return;
    xmlSecErrorsDefaultCallbackEnableOutput(0);
    ready = MTLS_sign_add_format(2, &format);
}

int MTLS_xmldsig_init(void)
{
    CRYPTO_THREAD_run_once(&once, init);
    if (!ready)
        MTLS_raise_data(MTLS_R_SIGN_FORMAT, "%s", "libxmlsec1 does not start");
    return ready;
}
