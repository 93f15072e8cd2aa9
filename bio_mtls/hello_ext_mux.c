/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* data_multiplexing in OpenSSL's handshakes (mtls-00 2.1). */
#include "err.h"
#include "ext00.h"

#include <mtls/mtls_err.h>
#include <mtls/mtls_ext.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

/* Of an SSL_CTX: both roles', since one context may serve both. */
struct conf {
    unsigned char *offer; /* extension_data of the client's */
    size_t offer_len;
    unsigned char *support; /* the server's list, likewise, and sorted */
    struct mtls_ext00_app *apps;
    size_t n;
    unsigned int flags;
    int serves;
    MTLS_ext_msg_cb cb;
    void *arg;
};

/* Of an SSL. */
struct agreed {
    unsigned char *answer; /* extension_data of the server's */
    size_t answer_len;
    MTLS_APPLICATION *apps;
    size_t n;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int conf_index = -1, agreed_index = -1;

/* --- what hangs on OpenSSL's objects --- */

static void free_conf(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                      long argl, void *argp)
{
    struct conf *conf = ptr;

    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    if (conf == NULL)
        return;
    OPENSSL_free(conf->offer);
    OPENSSL_free(conf->support);
    OPENSSL_free(conf->apps);
    OPENSSL_free(conf);
}

static void forget(struct agreed *agreed)
{
    OPENSSL_free(agreed->answer);
    OPENSSL_free(agreed->apps);
    memset(agreed, 0, sizeof(*agreed));
}

static void free_agreed(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                        long argl, void *argp)
{
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    if (ptr == NULL)
        return;
    forget(ptr);
    OPENSSL_free(ptr);
}

/* SSL_dup() makes one that has agreed on nothing yet. */
static int dup_agreed(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from,
                      void **from_d, int idx, long argl, void *argp)
{
    (void)to, (void)from, (void)idx, (void)argl, (void)argp;
    *from_d = NULL;
    return 1;
}

static void make_indexes(void)
{
    conf_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_conf);
    agreed_index = SSL_get_ex_new_index(0, NULL, NULL, dup_agreed, free_agreed);
}

static struct conf *conf_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), conf_index);
}

static struct agreed *agreed_of(SSL *ssl)
{
    struct agreed *agreed = SSL_get_ex_data(ssl, agreed_index);

    if (agreed != NULL)
        return agreed;
    agreed = OPENSSL_zalloc(sizeof(*agreed));
    if (agreed != NULL && !SSL_set_ex_data(ssl, agreed_index, agreed)) {
        OPENSSL_free(agreed);
        return NULL;
    }
    return agreed;
}

/* --- the handshake --- */

/* The extension_data becomes the list that programs see. 0: out of memory. */
static int take_list(struct agreed *agreed, const unsigned char *in, size_t len)
{
    long count = mtls_ext00_count(in, len);
    struct mtls_reader r = mtls_ext00_begin(in, len);
    struct mtls_ext00_app app;

    agreed->apps = OPENSSL_zalloc((size_t)count * sizeof(*agreed->apps));
    if (agreed->apps == NULL)
        return 0;
    while (mtls_ext00_next(&r, &app)) {
        MTLS_APPLICATION *out = &agreed->apps[agreed->n++];

        memcpy(out->name, app.name, app.name_len);
        out->name_len = app.name_len;
        out->port = app.port;
    }
    return 1;
}

static void say(SSL *ssl, const struct conf *conf, int sent,
                const unsigned char *p, size_t len)
{
    if (conf->cb != NULL)
        conf->cb(sent, p, len, ssl, conf->arg);
}

static int chose_mtls05(const SSL *ssl)
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == 4 && memcmp(name, "mtls", 4) == 0;
}

/* What was made ready by parse_offer(); by now ALPN has been settled. */
static int add_answer(SSL *ssl, const struct conf *conf,
                      const unsigned char **out, size_t *len, int *al)
{
    struct agreed *agreed = SSL_get_ex_data(ssl, agreed_index);

    if (!conf->serves || agreed == NULL || chose_mtls05(ssl))
        return 0;
    if (agreed->answer == NULL) {
        *al = SSL_AD_UNSUPPORTED_EXTENSION;
        return conf->flags & MTLS_EXT_REFUSE ? -1 : 0;
    }
    OPENSSL_free(agreed->apps);
    agreed->apps = NULL;
    agreed->n = 0;
    if (!take_list(agreed, agreed->answer, agreed->answer_len)) {
        *al = SSL_AD_INTERNAL_ERROR;
        return -1;
    }
    *out = agreed->answer;
    *len = agreed->answer_len;
    say(ssl, conf, 1, *out, *len);
    return 1;
}

static int on_add(SSL *ssl, unsigned int type, unsigned int context,
                  const unsigned char **out, size_t *len, X509 *x,
                  size_t chain_index, int *al, void *arg)
{
    struct conf *conf = conf_of(ssl);
    struct agreed *agreed;

    (void)type, (void)x, (void)chain_index, (void)arg;
    if (conf == NULL)
        return 0;
    if (context != SSL_EXT_CLIENT_HELLO)
        return add_answer(ssl, conf, out, len, al);
    agreed = SSL_get_ex_data(ssl, agreed_index);
    if (agreed != NULL)
        forget(agreed); /* of a handshake before */
    if (conf->offer == NULL)
        return 0;
    *out = conf->offer;
    *len = conf->offer_len;
    say(ssl, conf, 1, *out, *len);
    return 1;
}

/* At the server. 1, or 0 with an alert. */
static int parse_offer(SSL *ssl, const struct conf *conf,
                       const unsigned char *in, size_t len, int *al)
{
    struct agreed *agreed = agreed_of(ssl);
    unsigned char out[MTLS_EXT00_ANSWER];
    size_t size;

    *al = SSL_AD_INTERNAL_ERROR;
    if (agreed == NULL)
        return 0;
    forget(agreed); /* after HelloRetryRequest it comes again */
    size = mtls_ext00_answer(conf->apps, conf->n,
                             (enum mtls_ext00_policy)(conf->flags & 3), in, len,
                             out, sizeof(out));
    if (size == 0)
        return 1;
    agreed->answer = OPENSSL_memdup(out, size);
    agreed->answer_len = size;
    return agreed->answer != NULL;
}

/* At the client. What it did not ask for it need not take. */
static int parse_answer(SSL *ssl, const struct conf *conf,
                        const unsigned char *in, size_t len, int *al)
{
    struct agreed *agreed = agreed_of(ssl);

    *al = SSL_AD_ILLEGAL_PARAMETER;
    if (mtls_ext00_count(in, len) == 0 ||
        (mtls_ext00_has_all(in, len) &&
         !mtls_ext00_has_all(conf->offer, conf->offer_len)))
        return 0;
    *al = SSL_AD_INTERNAL_ERROR;
    if (agreed == NULL)
        return 0;
    forget(agreed);
    return take_list(agreed, in, len);
}

static int on_parse(SSL *ssl, unsigned int type, unsigned int context,
                    const unsigned char *in, size_t len, X509 *x,
                    size_t chain_index, int *al, void *arg)
{
    struct conf *conf = conf_of(ssl);

    (void)type, (void)x, (void)chain_index, (void)arg;
    if (conf == NULL ||
        (context == SSL_EXT_CLIENT_HELLO ? !conf->serves : conf->offer == NULL))
        return 1;
    say(ssl, conf, 0, in, len);
    if (mtls_ext00_count(in, len) < 0) {
        *al = SSL_AD_DECODE_ERROR;
        return 0;
    }
    return context == SSL_EXT_CLIENT_HELLO
               ? parse_offer(ssl, conf, in, len, al)
               : parse_answer(ssl, conf, in, len, al);
}

/* --- what programs set --- */

/* The context's, made with the first setting. NULL with an error. */
static struct conf *conf_for(SSL_CTX *ctx)
{
    struct conf *conf;

    CRYPTO_THREAD_run_once(&once, make_indexes);
    conf = SSL_CTX_get_ex_data(ctx, conf_index);
    if (conf != NULL)
        return conf;
    conf = OPENSSL_zalloc(sizeof(*conf));
    if (conf == NULL || !SSL_CTX_set_ex_data(ctx, conf_index, conf)) {
        OPENSSL_free(conf);
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    if (SSL_CTX_add_custom_ext(ctx, MTLS_EXT_DATA_MULTIPLEXING,
                               SSL_EXT_CLIENT_HELLO |
                                   SSL_EXT_TLS1_2_SERVER_HELLO |
                                   SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                               on_add, NULL, NULL, on_parse, NULL))
        return conf;
    SSL_CTX_set_ex_data(ctx, conf_index, NULL);
    OPENSSL_free(conf);
    MTLS_raise(ERR_R_MALLOC_FAILURE);
    return NULL;
}

/* Text to extension_data, allocated. NULL with an error. */
static unsigned char *encode(const char *apps, size_t *len)
{
    unsigned char *out = OPENSSL_malloc(MTLS_EXT00_MAX);

    if (out == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    *len = apps == NULL ? 0 : mtls_ext00_parse(out, MTLS_EXT00_MAX, apps);
    if (*len != 0)
        return out;
    OPENSSL_free(out);
    MTLS_raise(MTLS_R_BAD_APPLICATIONS);
    return NULL;
}

int MTLS_ext_offer(SSL_CTX *ctx, const char *apps)
{
    struct conf *conf = conf_for(ctx);
    size_t len;
    unsigned char *offer = conf == NULL ? NULL : encode(apps, &len);

    if (offer == NULL)
        return 0;
    OPENSSL_free(conf->offer);
    conf->offer = offer;
    conf->offer_len = len;
    return 1;
}

/* Decoded and sorted, allocated; it points into |in|. NULL with an error. */
static struct mtls_ext00_app *decode(const unsigned char *in, size_t len,
                                     size_t *n)
{
    long count = mtls_ext00_count(in, len);
    struct mtls_reader r = mtls_ext00_begin(in, len);
    struct mtls_ext00_app *apps = NULL;

    if (mtls_ext00_has_all(in, len)) {
        MTLS_raise(MTLS_R_BAD_APPLICATIONS);
        return NULL;
    }
    apps = OPENSSL_malloc((size_t)count * sizeof(*apps));
    if (apps == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    for (*n = 0; *n < (size_t)count; ++*n)
        mtls_ext00_next(&r, &apps[*n]);
    mtls_ext00_sort(apps, *n);
    return apps;
}

int MTLS_ext_support(SSL_CTX *ctx, const char *apps, unsigned int flags)
{
    struct conf *conf = conf_for(ctx);
    struct mtls_ext00_app *list = NULL;
    unsigned char *support = NULL;
    unsigned int answer = flags & ~(unsigned int)MTLS_EXT_REFUSE;
    size_t len, n = 0;

    if (conf == NULL)
        return 0;
    if (answer > MTLS_EXT_ALL || (answer == MTLS_EXT_ALL && apps != NULL)) {
        MTLS_raise(MTLS_R_INVALID_VALUE);
        return 0;
    }
    if (answer != MTLS_EXT_ALL && ((support = encode(apps, &len)) == NULL ||
                                   (list = decode(support, len, &n)) == NULL)) {
        OPENSSL_free(support);
        return 0;
    }
    OPENSSL_free(conf->support);
    OPENSSL_free(conf->apps);
    conf->support = support;
    conf->apps = list;
    conf->n = n;
    conf->flags = flags;
    conf->serves = 1;
    return 1;
}

int MTLS_ext_set_msg_callback(SSL_CTX *ctx, MTLS_ext_msg_cb cb, void *arg)
{
    struct conf *conf = conf_for(ctx);

    if (conf == NULL)
        return 0;
    conf->cb = cb;
    conf->arg = arg;
    return 1;
}

size_t MTLS_ext_get0_agreed(const SSL *ssl, const MTLS_APPLICATION **apps)
{
    const struct agreed *agreed;

    CRYPTO_THREAD_run_once(&once, make_indexes);
    agreed = SSL_get_ex_data(ssl, agreed_index);
    *apps = agreed == NULL ? NULL : agreed->apps;
    return agreed == NULL ? 0 : agreed->n;
}
