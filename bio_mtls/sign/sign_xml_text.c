/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_xml.h"

#include "err.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <string.h>

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define SHA256 "http://www.w3.org/2001/04/xmlenc#sha256"

/* The words between which the values stand, in their order. */
#define START                                          \
    "<Signature xmlns=\"" DSIG "\"><SignedInfo>"       \
    "<CanonicalizationMethod Algorithm=\"" C14N "\"/>" \
    "<SignatureMethod Algorithm=\"" MORE
#define RSA_SHA256 "rsa-sha256"
#define ECDSA_SHA256 "ecdsa-sha256"
#define REFERENCE_TO "<Reference URI=\"#"
#define DIGEST_OF_IT                                   \
    "\"><Transforms>"                                  \
    "<Transform Algorithm=\"" C14N "\"/></Transforms>" \
    "<DigestMethod Algorithm=\"" SHA256 "\"/><DigestValue>"
#define DATA_DIGEST "\"/>" REFERENCE_TO "data" DIGEST_OF_IT
#define CONTEXT_DIGEST \
    "</DigestValue></Reference>" REFERENCE_TO "context" DIGEST_OF_IT
#define SIGNATURE "</DigestValue></Reference></SignedInfo><SignatureValue>"
#define KEY_INFO "</SignatureValue><KeyInfo><X509Data>"
#define CERTIFICATE "<X509Certificate>"
#define CERTIFICATE_END "</X509Certificate>"
#define DATA \
    "</X509Data></KeyInfo><Object Id=\"data\" Encoding=\"" DSIG "base64\">"
#define CONTEXT "</Object><Object Id=\"context\" MimeType=\"text/plain\">"
#define END "</Object></Signature>\n"

#define CONTEXT_TEXT (2 * MTLS_SIGN_CONTEXT + 1 + 20 + 1 + 64)

/* --- base64 --- */

size_t mtls_xml_decode(const char *text, unsigned char *out, size_t room)
{
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    size_t len = strlen(text), r = 0;
    unsigned char *p = OPENSSL_malloc(len + 3);
    int n = 0, last = 0;

    if (ctx != NULL && p != NULL && len <= INT_MAX) {
        EVP_DecodeInit(ctx);
        if (EVP_DecodeUpdate(ctx, p, &n, (const unsigned char *)text,
                             (int)len) >= 0 &&
            EVP_DecodeFinal(ctx, p + n, &last) > 0 &&
            (size_t)(n + last) <= room) {
            r = (size_t)(n + last);
            memcpy(out, p, r);
        }
    }
    OPENSSL_free(p);
    EVP_ENCODE_CTX_free(ctx);
    return r;
}

static int put_base64(BIO *out, const unsigned char *p, size_t len)
{
    unsigned char text[65 * 64];
    int ok = 1;

    while (ok && len > 0) {
        size_t n = len < 48 * 64 ? len : 48 * 64;
        int m = EVP_EncodeBlock(text, p, (int)n);

        ok = BIO_write(out, text, m) == m;
        p += n;
        len -= n;
    }
    return ok;
}

/*
 * A value up to the next '<', from OPENSSL_malloc(). White space, which XML
 * allows in base64, is not taken (N9).
 */
static unsigned char *get_base64(const unsigned char **at,
                                 const unsigned char *end, size_t *len)
{
    const unsigned char *stop = memchr(*at, '<', (size_t)(end - *at));
    size_t n = stop == NULL ? 0 : (size_t)(stop - *at), pad = 0;
    unsigned char *out;

    if (stop == NULL || n % 4 != 0 || n > INT_MAX)
        return NULL;
    out = OPENSSL_malloc(n / 4 * 3 + 1);
    if (out == NULL ||
        (n != 0 && EVP_DecodeBlock(out, *at, (int)n) != (int)(n / 4 * 3))) {
        OPENSSL_free(out);
        return NULL;
    }
    while (pad < 2 && n != 0 && stop[-1 - (int)pad] == '=')
        pad++;
    *len = n / 4 * 3 - pad;
    *at = stop;
    return out;
}

/* --- the context, as text: its octets, the time, the signer's digest --- */

static int context_text(const struct mtls_xml *xml, char text[CONTEXT_TEXT + 1])
{
    unsigned char octets[MTLS_SIGN_CONTEXT], digest[MTLS_SIGN_DIGEST];
    struct tm tm;
    char *at = text;

    if (!X509_digest(xml->signer, EVP_sha256(), digest, NULL) ||
        gmtime_r(&xml->time, &tm) == NULL || tm.tm_year < 0 ||
        tm.tm_year > 9999 - 1900)
        return 0;
    mtls_sign_put_context(octets, &xml->context);
    for (size_t i = 0; i < sizeof(octets); i++)
        at += BIO_snprintf(at, 3, "%02x", octets[i]);
    at += strftime(at, 23, " %Y-%m-%dT%H:%M:%SZ ", &tm);
    for (size_t i = 0; i < sizeof(digest); i++)
        at += BIO_snprintf(at, 3, "%02x", digest[i]);
    return at - text == CONTEXT_TEXT;
}

static int number(const char *at, int digits)
{
    int n = 0;

    for (int i = 0; i < digits; i++)
        n = 10 * n + (at[i] >= '0' && at[i] <= '9' ? at[i] - '0' : 0);
    return n;
}

static int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 87 : 0;
}

/* Leniently: it is written anew, and compared. */
static int get_context(const char *text, struct mtls_xml *xml)
{
    unsigned char octets[MTLS_SIGN_CONTEXT];
    const char *at = text + 2 * MTLS_SIGN_CONTEXT + 1;
    struct tm tm = {.tm_year = number(at, 4) - 1900,
                    .tm_mon = number(at + 5, 2) - 1,
                    .tm_mday = number(at + 8, 2),
                    .tm_hour = number(at + 11, 2),
                    .tm_min = number(at + 14, 2),
                    .tm_sec = number(at + 17, 2)};

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] =
            (unsigned char)(hex(text[2 * i]) << 4 | hex(text[2 * i + 1]));
    xml->time = timegm(&tm);
    return mtls_sign_get_context(octets, sizeof(octets), &xml->context);
}

/* --- writing --- */

static int put_cert(BIO *out, X509 *cert)
{
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    int r = n > 0 && BIO_puts(out, CERTIFICATE) > 0 &&
            put_base64(out, der, (size_t)n) &&
            BIO_puts(out, CERTIFICATE_END) > 0;

    OPENSSL_free(der);
    return r;
}

static int put_certs(BIO *out, const struct mtls_xml *xml)
{
    int r = put_cert(out, xml->signer);

    for (int i = 0; r && i < sk_X509_num(xml->chain); i++)
        r = put_cert(out, sk_X509_value(xml->chain, i));
    return r;
}

static int put_digest(BIO *out, const struct mtls_xml *xml, int which)
{
    return xml->signature_len == 0 ||
           put_base64(out, xml->digests[which], MTLS_SIGN_DIGEST);
}

static int put_all(BIO *out, const struct mtls_xml *xml)
{
    char context[CONTEXT_TEXT + 1];

    return context_text(xml, context) && BIO_puts(out, START) > 0 &&
           BIO_puts(out, xml->rsa ? RSA_SHA256 : ECDSA_SHA256) > 0 &&
           BIO_puts(out, DATA_DIGEST) > 0 && put_digest(out, xml, 0) &&
           BIO_puts(out, CONTEXT_DIGEST) > 0 && put_digest(out, xml, 1) &&
           BIO_puts(out, SIGNATURE) > 0 &&
           put_base64(out, xml->signature, xml->signature_len) &&
           BIO_puts(out, KEY_INFO) > 0 && put_certs(out, xml) &&
           BIO_puts(out, DATA) > 0 && put_base64(out, xml->data, xml->len) &&
           BIO_puts(out, CONTEXT) > 0 && BIO_puts(out, context) > 0 &&
           BIO_puts(out, END) > 0;
}

int mtls_xml_write(const struct mtls_xml *xml, unsigned char **text,
                   size_t *len)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    int r = 0;

    if (out != NULL && put_all(out, xml)) {
        *len = (size_t)BIO_get_mem_data(out, &p);
        *text = OPENSSL_memdup(p, *len);
        r = *text != NULL;
    }
    BIO_free(out);
    return r;
}

int mtls_xml_of(const struct mtls_sign_parts *parts, struct mtls_xml *xml)
{
    xml->rsa = EVP_PKEY_is_a(parts->key, "RSA");
    if (!xml->rsa && !EVP_PKEY_is_a(parts->key, "EC")) {
        MTLS_raise_data(MTLS_R_SIGN_NO_KEY, "%s", "of RSA or EC, for xmldsig");
        return 0;
    }
    xml->data = (unsigned char *)parts->data;
    xml->len = parts->len;
    xml->lent = 1;
    xml->context = parts->context;
    xml->time = parts->time;
    if (!X509_up_ref(parts->signer))
        return 0;
    xml->signer = parts->signer;
    if (parts->chain != NULL)
        xml->chain = X509_chain_up_ref(parts->chain);
    return parts->chain == NULL || xml->chain != NULL;
}

/* --- reading --- */

static int skip(const unsigned char **at, const unsigned char *end,
                const char *words)
{
    size_t n = strlen(words);

    if ((size_t)(end - *at) < n || memcmp(*at, words, n) != 0)
        return 0;
    *at += n;
    return 1;
}

static int get_value(const unsigned char **at, const unsigned char *end,
                     unsigned char *out, size_t room, size_t *len)
{
    unsigned char *p = get_base64(at, end, len);
    int r = p != NULL && *len <= room;

    if (r)
        memcpy(out, p, *len);
    OPENSSL_free(p);
    return r;
}

static int get_certs(const unsigned char **at, const unsigned char *end,
                     struct mtls_xml *xml)
{
    xml->chain = sk_X509_new_null();
    while (xml->chain != NULL && skip(at, end, CERTIFICATE)) {
        size_t len;
        unsigned char *der = get_base64(at, end, &len);
        const unsigned char *p = der;
        X509 *cert = der == NULL ? NULL : d2i_X509(NULL, &p, (long)len);

        OPENSSL_free(der);
        if (cert == NULL || !sk_X509_push(xml->chain, cert)) {
            X509_free(cert);
            return 0;
        }
        if (!skip(at, end, CERTIFICATE_END))
            return 0;
    }
    xml->signer = sk_X509_shift(xml->chain);
    return xml->signer != NULL;
}

static int get_all(const unsigned char *at, const unsigned char *end,
                   struct mtls_xml *xml)
{
    size_t len;

    if (!skip(&at, end, START))
        return 0;
    xml->rsa = skip(&at, end, RSA_SHA256);
    if ((!xml->rsa && !skip(&at, end, ECDSA_SHA256)) ||
        !skip(&at, end, DATA_DIGEST) ||
        !get_value(&at, end, xml->digests[0], MTLS_SIGN_DIGEST, &len) ||
        !skip(&at, end, CONTEXT_DIGEST) ||
        !get_value(&at, end, xml->digests[1], MTLS_SIGN_DIGEST, &len) ||
        !skip(&at, end, SIGNATURE) ||
        !get_value(&at, end, xml->signature, sizeof(xml->signature),
                   &xml->signature_len) ||
        !skip(&at, end, KEY_INFO) || !get_certs(&at, end, xml) ||
        !skip(&at, end, DATA))
        return 0;
    xml->data = get_base64(&at, end, &xml->len);
    return xml->data != NULL && skip(&at, end, CONTEXT) &&
           (size_t)(end - at) == CONTEXT_TEXT + sizeof(END) - 1 &&
           get_context((const char *)at, xml);
}

static int key_fits(const struct mtls_xml *xml)
{
    const EVP_PKEY *key = X509_get0_pubkey(xml->signer);

    return key != NULL && EVP_PKEY_is_a(key, xml->rsa ? "RSA" : "EC");
}

const char *mtls_xml_read(const unsigned char *text, size_t len,
                          struct mtls_xml *xml)
{
    unsigned char *again;
    size_t again_len;
    int same;

    if (!get_all(text, text + len, xml) || xml->signature_len == 0 ||
        !mtls_xml_write(xml, &again, &again_len))
        return "it is not the XML signature that is due";
    same = again_len == len && memcmp(again, text, len) == 0;
    OPENSSL_free(again);
    if (!same)
        return "it is not written as is due";
    return key_fits(xml) ? NULL
                         : "its signature is not of the signer's kind of key";
}

void mtls_xml_give(struct mtls_xml *xml, struct mtls_signed *out)
{
    out->data = xml->data;
    out->len = xml->len;
    out->context = xml->context;
    out->time = xml->time;
    out->signer = xml->signer;
    out->chain = xml->chain;
    xml->data = NULL;
    xml->signer = NULL;
    xml->chain = NULL;
}

void mtls_xml_free(struct mtls_xml *xml)
{
    if (!xml->lent)
        OPENSSL_free(xml->data);
    X509_free(xml->signer);
    sk_X509_pop_free(xml->chain, X509_free);
    OPENSSL_free(xml);
}
