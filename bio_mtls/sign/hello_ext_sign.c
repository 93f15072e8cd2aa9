/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The hello extension `signature` (draft-hajjeh-tls-sign-04 2), in ClientHello
 * and ServerHello, of TLS 1.3 in EncryptedExtensions. OpenSSL calls these again
 * after a HelloRetryRequest and on resumption: each time they say the same.
 */
#include "err.h"
#include "sign_object.h"
#include "sign_ssl.h"

#include <mtls/tls_sign.h>
#include <openssl/err.h>
#include <string.h>

#define FORMATS 3

/* What an SSL_CTX offers; it is freed with it. */
struct offer {
    int first;
    unsigned int accepted; /* a bit for each */
    int refuse;
};

static const char *const names[FORMATS] = {"pkcs7", "smime", "xmldsig"};
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int index_of_offer = -1;

const char *MTLS_sign_format_name(int format)
{
    return format >= 0 && format < FORMATS ? names[format] : NULL;
}

int MTLS_sign_format_by_name(const char *name)
{
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

int MTLS_sign_get_format(const SSL *ssl)
{
    return mtls_sign_ssl_get_format(ssl);
}

/* --- OpenSSL's callbacks --- */

static const struct offer *offer_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index_of_offer);
}

static int add(SSL *ssl, unsigned int ext_type, unsigned int context,
               const unsigned char **out, size_t *out_len, X509 *x,
               size_t chain_index, int *alert, void *arg)
{
    const struct offer *offer = offer_of(ssl);
    int format = SSL_is_server(ssl) ? mtls_sign_ssl_get_format(ssl)
                 : offer != NULL    ? offer->first
                                    : -1;
    unsigned char *p;

    (void)ext_type, (void)context, (void)x, (void)chain_index, (void)arg;
    if (format < 0)
        return 0;
    p = OPENSSL_malloc(MTLS_SIGN_REQUEST_SIZE);
    if (p == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return -1;
    }
    mtls_sign_put_request(p, (uint8_t)format);
    *out = p;
    *out_len = MTLS_SIGN_REQUEST_SIZE;
    return 1;
}

static void added(SSL *ssl, unsigned int ext_type, unsigned int context,
                  const unsigned char *out, void *arg)
{
    (void)ssl, (void)ext_type, (void)context, (void)arg;
    OPENSSL_free((void *)out);
}

static int agree(SSL *ssl, int format, int *alert)
{
    if (mtls_sign_ssl_set_format(ssl, format))
        return 1;
    *alert = SSL_AD_INTERNAL_ERROR;
    return 0;
}

/* What the server has in common with the offer, if anything. */
static int parse_offer(SSL *ssl, const struct mtls_sign_request *request,
                       int *alert)
{
    const struct offer *offer = offer_of(ssl);

    if (offer == NULL)
        return agree(ssl, -1, alert);
    if (request->method == MTLS_SIGN_METHOD_CERT &&
        mtls_sign_has_type(request, MTLS_SIGN_WITH_PROOF) &&
        request->format < FORMATS && offer->accepted & 1u << request->format)
        return agree(ssl, request->format, alert);
    if (!offer->refuse)
        return agree(ssl, -1, alert);
    MTLS_raise(MTLS_R_SIGN_NOT_NEGOTIATED);
    *alert = SSL_AD_UNSUPPORTED_EXTENSION;
    return 0;
}

/* The server may say what we have offered, and nothing else. */
static int parse_answer(SSL *ssl, const struct mtls_sign_request *request,
                        int *alert)
{
    const struct offer *offer = offer_of(ssl);

    if (offer != NULL && request->format == offer->first &&
        request->method == MTLS_SIGN_METHOD_CERT && request->types_len == 2 &&
        mtls_sign_has_type(request, MTLS_SIGN_WITH_PROOF))
        return agree(ssl, request->format, alert);
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return 0;
}

static int parse(SSL *ssl, unsigned int ext_type, unsigned int context,
                 const unsigned char *in, size_t in_len, X509 *x,
                 size_t chain_index, int *alert, void *arg)
{
    struct mtls_sign_request request;

    (void)ext_type, (void)context, (void)x, (void)chain_index, (void)arg;
    if (!mtls_sign_get_request(in, in_len, &request)) {
        *alert = SSL_AD_DECODE_ERROR;
        return 0;
    }
    return SSL_is_server(ssl) ? parse_offer(ssl, &request, alert)
                              : parse_answer(ssl, &request, alert);
}

/* --- the offer --- */

static void free_offer(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                       long argl, void *argp)
{
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    OPENSSL_free(ptr);
}

static void make_index(void)
{
    index_of_offer = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_offer);
}

static int read_formats(const char *formats, struct offer *offer)
{
    char name[16];

    for (const char *at = formats;; at++) {
        size_t n = strcspn(at, ":");
        int format = -1;

        if (n < sizeof(name)) {
            memcpy(name, at, n);
            name[n] = '\0';
            format = MTLS_sign_format_by_name(name);
        }
        if (format < 0 || !mtls_sign_format_known((uint8_t)format)) {
            MTLS_raise_data(MTLS_R_SIGN_FORMAT, "%s", formats);
            return 0;
        }
        if (at == formats)
            offer->first = format;
        offer->accepted |= 1u << format;
        at += n;
        if (*at == '\0')
            return 1;
    }
}

int MTLS_sign_offer(SSL_CTX *ctx, const char *formats, int refuse)
{
    struct offer offer = {.refuse = refuse}, *kept;

    CRYPTO_THREAD_run_once(&once, make_index);
    if (index_of_offer < 0 || !read_formats(formats, &offer))
        return 0;
    kept = SSL_CTX_get_ex_data(ctx, index_of_offer);
    if (kept != NULL) {
        *kept = offer;
        return 1;
    }
    kept = OPENSSL_memdup(&offer, sizeof(offer));
    if (kept != NULL && SSL_CTX_set_ex_data(ctx, index_of_offer, kept))
        return SSL_CTX_add_custom_ext(ctx, MTLS_SIGN_EXTENSION,
                                      SSL_EXT_CLIENT_HELLO |
                                          SSL_EXT_TLS1_2_SERVER_HELLO |
                                          SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                      add, added, NULL, parse, NULL);
    OPENSSL_free(kept);
    return 0;
}
