/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_ssl.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

struct state {
    int has_format, format;
    uint32_t next;          /* of our numbers */
    unsigned char *claimed; /* a bit for each of the peer's */
    size_t claimed_len;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int index_of_state = -1;

/* Of all states: it is held for moments, once or twice a filter. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void free_state(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                       long argl, void *argp)
{
    struct state *s = ptr;

    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    if (s != NULL)
        OPENSSL_free(s->claimed);
    OPENSSL_free(s);
}

static void make_index(void)
{
    index_of_state = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_state);
}

static struct state *find(const SSL *ssl)
{
    CRYPTO_THREAD_run_once(&once, make_index);
    return index_of_state < 0 ? NULL : SSL_get_ex_data(ssl, index_of_state);
}

static struct state *find_or_make(SSL *ssl)
{
    struct state *s = find(ssl);

    if (s != NULL || index_of_state < 0)
        return s;
    s = OPENSSL_zalloc(sizeof(*s));
    if (s != NULL && !SSL_set_ex_data(ssl, index_of_state, s)) {
        OPENSSL_free(s);
        return NULL;
    }
    return s;
}

int mtls_sign_ssl_set_format(SSL *ssl, int format)
{
    struct state *s;

    pthread_mutex_lock(&lock);
    s = find_or_make(ssl);
    if (s != NULL) {
        s->has_format = format >= 0;
        s->format = format;
    }
    pthread_mutex_unlock(&lock);
    return s != NULL;
}

int mtls_sign_ssl_get_format(const SSL *ssl)
{
    const struct state *s;
    int format;

    pthread_mutex_lock(&lock);
    s = find(ssl);
    format = s != NULL && s->has_format ? s->format : -1;
    pthread_mutex_unlock(&lock);
    return format;
}

int mtls_sign_ssl_number(SSL *ssl, uint32_t *number)
{
    struct state *s;
    int r;

    pthread_mutex_lock(&lock);
    s = find_or_make(ssl);
    r = s != NULL && s->next < MTLS_SIGN_NUMBERS;
    if (r)
        *number = s->next++;
    pthread_mutex_unlock(&lock);
    return r;
}

static int reach(struct state *s, size_t octet)
{
    size_t len = 2 * s->claimed_len;
    unsigned char *claimed;

    if (octet < s->claimed_len)
        return 1;
    if (len <= octet)
        len = octet + 1;
    claimed = OPENSSL_realloc(s->claimed, len);
    if (claimed == NULL)
        return 0;
    memset(claimed + s->claimed_len, 0, len - s->claimed_len);
    s->claimed = claimed;
    s->claimed_len = len;
    return 1;
}

int mtls_sign_ssl_claim(SSL *ssl, uint32_t number)
{
    const unsigned char bit = (unsigned char)(1u << number % 8);
    struct state *s;
    int r;

    if (number >= MTLS_SIGN_NUMBERS)
        return 0;
    pthread_mutex_lock(&lock);
    s = find_or_make(ssl);
    r = s != NULL && reach(s, number / 8) && !(s->claimed[number / 8] & bit);
    if (r)
        s->claimed[number / 8] |= bit;
    pthread_mutex_unlock(&lock);
    return r;
}
