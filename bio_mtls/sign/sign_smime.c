/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * S/MIME: application/pkcs7-mime as OpenSSL writes it. No signature covers its
 * headers, nor how the base64 is broken: so it must be what would be written.
 */
#include "sign_format.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <string.h>

static BIO *write_text(CMS_ContentInfo *cms)
{
    BIO *out = BIO_new(BIO_s_mem());

    if (out != NULL && SMIME_write_CMS(out, cms, NULL, CMS_BINARY))
        return out;
    BIO_free(out);
    return NULL;
}

static int smime_make(const struct mtls_sign_parts *parts,
                      unsigned char **object, size_t *len)
{
    CMS_ContentInfo *cms = NULL;
    const unsigned char *at;
    unsigned char *der, *text;
    BIO *out = NULL;
    size_t der_len;
    long n;
    int r = 0;

    if (!mtls_sign_cms.make(parts, &der, &der_len))
        return 0;
    at = der;
    cms = d2i_CMS_ContentInfo(NULL, &at, (long)der_len);
    if (cms != NULL)
        out = write_text(cms);
    if (out != NULL) {
        n = BIO_get_mem_data(out, (char **)&text);
        *object = OPENSSL_memdup(text, (size_t)n);
        *len = (size_t)n;
        r = *object != NULL;
    }
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    OPENSSL_free(der);
    return r;
}

static int as_written(CMS_ContentInfo *cms, const unsigned char *object,
                      size_t len)
{
    BIO *out = write_text(cms);
    char *text;
    int r = out != NULL && BIO_get_mem_data(out, &text) == (long)len &&
            memcmp(text, object, len) == 0;

    BIO_free(out);
    return r;
}

static const char *open_der(CMS_ContentInfo *cms, struct mtls_signed *out)
{
    unsigned char *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);
    const char *wrong = len <= 0 ? "it is malformed"
                                 : mtls_sign_cms.open(der, (size_t)len, out);

    OPENSSL_free(der);
    return wrong;
}

static const char *smime_open(const unsigned char *object, size_t len,
                              struct mtls_signed *out)
{
    BIO *in = BIO_new_mem_buf(object, (int)len), *detached = NULL;
    CMS_ContentInfo *cms = in == NULL ? NULL : SMIME_read_CMS(in, &detached);
    const char *wrong;

    if (cms == NULL)
        wrong = "it is not S/MIME";
    else if (detached != NULL)
        wrong = "its content is detached";
    else if (!as_written(cms, object, len))
        wrong = "it is not written as is due";
    else
        wrong = open_der(cms, out);
    CMS_ContentInfo_free(cms);
    BIO_free(detached);
    BIO_free(in);
    return wrong;
}

const struct mtls_sign_format mtls_sign_smime = {smime_make, smime_open};
