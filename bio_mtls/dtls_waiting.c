/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * DTLS sessions that wait for the TLS connection that belongs to them. To look
 * up a key changes nothing: names can be read off the wire. Only who finished
 * a handshake with the key takes the session out, once.
 */
#include "bio_turn.h"
#include "dtls_bind.h"
#include "err.h"
#include "list.h"
#include "mux.h"
#include "record.h"

#include <fcntl.h>
#include <openssl/lhash.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000 /* microseconds */

struct entry {
    struct mtls_binding binding; /* first: it is what is looked up */
    struct mtls_list link;
    BIO *bio;
    struct mtls_turn turn;
    uint64_t until;
};

struct mtls_dtls_waiting_st {
    atomic_uint refs;
    pthread_mutex_t lock;
    OPENSSL_LHASH *names;
    OPENSSL_LHASH *bios;
    struct mtls_list oldest_first;
    size_t count, most;
    uint64_t patience;
};

static unsigned long hash_name(const void *p)
{
    return OPENSSL_LH_strhash(((const struct mtls_binding *)p)->identity);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct mtls_binding *)a)->identity,
                  ((const struct mtls_binding *)b)->identity);
}

static unsigned long hash_bio(const void *p)
{
    return (unsigned long)(((uintptr_t)((const struct entry *)p)->bio) >> 4);
}

static int compare_bios(const void *a, const void *b)
{
    return ((const struct entry *)a)->bio != ((const struct entry *)b)->bio;
}

/* --- life ------------------------------------------------------------------
 */

MTLS_DTLS_WAITING *MTLS_dtls_waiting_new(size_t most, unsigned int seconds)
{
    MTLS_DTLS_WAITING *w = calloc(1, sizeof(*w));

    if (w == NULL || pthread_mutex_init(&w->lock, NULL) != 0) {
        free(w);
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    atomic_init(&w->refs, 1);
    mtls_list_init(&w->oldest_first);
    w->most = most;
    w->patience = (uint64_t)seconds * SECOND;
    w->names = OPENSSL_LH_new(hash_name, compare_names);
    w->bios = OPENSSL_LH_new(hash_bio, compare_bios);
    if (w->names == NULL || w->bios == NULL) {
        MTLS_dtls_waiting_free(w);
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    return w;
}

int mtls_waiting_up_ref(MTLS_DTLS_WAITING *w)
{
    atomic_fetch_add(&w->refs, 1);
    return 1;
}

/* Without the BIO. */
static void forget(MTLS_DTLS_WAITING *w, struct entry *e)
{
    OPENSSL_LH_delete(w->names, e);
    OPENSSL_LH_delete(w->bios, e);
    mtls_list_remove(&e->link);
    mtls_turn_forget(&e->turn);
    w->count--;
    OPENSSL_cleanse(&e->binding, sizeof(e->binding));
    free(e);
}

/* BIO_f_ssl() says close_notify when it goes. */
static void end(MTLS_DTLS_WAITING *w, struct entry *e)
{
    BIO *bio = e->bio;

    forget(w, e);
    BIO_free_all(bio);
}

void MTLS_dtls_waiting_free(MTLS_DTLS_WAITING *w)
{
    struct mtls_list *at, *next;

    if (w == NULL || atomic_fetch_sub(&w->refs, 1) != 1)
        return;
    for (at = w->oldest_first.next; at != &w->oldest_first; at = next) {
        next = at->next;
        end(w, mtls_list_item(at, struct entry, link));
    }
    OPENSSL_LH_free(w->names);
    OPENSSL_LH_free(w->bios);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* --- in and out ------------------------------------------------------------
 */

/* Returns microseconds until the next one is due, with the lock held. */
static uint64_t expire(MTLS_DTLS_WAITING *w)
{
    uint64_t now = mtls_mux_now();
    struct mtls_list *at, *next;

    for (at = w->oldest_first.next; at != &w->oldest_first; at = next) {
        struct entry *e = mtls_list_item(at, struct entry, link);

        next = at->next;
        if (e->until > now)
            return e->until - now;
        end(w, e);
    }
    return UINT64_MAX;
}

static SSL *ssl_of(BIO *bio)
{
    SSL *ssl = NULL;

    if (bio != NULL)
        BIO_get_ssl(bio, &ssl);
    return ssl;
}

/* A second one of a name would take the place of the first: refused. */
static int insert(MTLS_DTLS_WAITING *w, struct entry *e)
{
    expire(w);
    if (w->count >= w->most || OPENSSL_LH_retrieve(w->names, e) != NULL) {
        MTLS_raise(MTLS_R_RESOURCE_SHORTAGE);
        return 0;
    }
    OPENSSL_LH_insert(w->names, e);
    if (!OPENSSL_LH_error(w->names)) {
        OPENSSL_LH_insert(w->bios, e);
        if (!OPENSSL_LH_error(w->bios)) {
            mtls_list_append(&w->oldest_first, &e->link);
            mtls_turn_watch(&e->turn, e->bio);
            w->count++;
            return 1;
        }
        OPENSSL_LH_delete(w->names, e);
    }
    MTLS_raise(ERR_R_MALLOC_FAILURE);
    return 0;
}

int MTLS_dtls_waiting_add(MTLS_DTLS_WAITING *w, BIO *datagrams)
{
    SSL *ssl = ssl_of(datagrams);
    struct entry *e;
    int ok;

    if (ssl == NULL) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    mtls_list_init(&e->link);
    e->bio = datagrams;
    e->until = mtls_mux_now() + w->patience;
    ok = mtls_binding_of(ssl, &e->binding);
    if (ok) {
        pthread_mutex_lock(&w->lock);
        ok = insert(w, e);
        pthread_mutex_unlock(&w->lock);
    }
    if (!ok) {
        OPENSSL_cleanse(&e->binding, sizeof(e->binding));
        free(e);
    }
    return ok;
}

static struct entry *find(MTLS_DTLS_WAITING *w, const char *identity)
{
    struct mtls_binding key;

    if (identity == NULL || strlen(identity) >= sizeof(key.identity))
        return NULL;
    memcpy(key.identity, identity, strlen(identity) + 1);
    return OPENSSL_LH_retrieve(w->names, &key);
}

int mtls_waiting_key(MTLS_DTLS_WAITING *w, const char *identity,
                     unsigned char psk[MTLS_PSK_SIZE])
{
    const struct entry *e;

    pthread_mutex_lock(&w->lock);
    expire(w);
    e = find(w, identity);
    if (e != NULL)
        memcpy(psk, e->binding.psk, MTLS_PSK_SIZE);
    pthread_mutex_unlock(&w->lock);
    return e != NULL;
}

BIO *MTLS_dtls_waiting_take(MTLS_DTLS_WAITING *w, SSL *control)
{
    struct entry *e = NULL;
    BIO *bio = NULL;

    pthread_mutex_lock(&w->lock);
    if (control != NULL && SSL_is_init_finished(control))
        e = find(w, SSL_get_psk_identity(control));
    if (e != NULL) {
        bio = e->bio;
        forget(w, e);
    }
    pthread_mutex_unlock(&w->lock);
    if (bio == NULL)
        MTLS_raise(MTLS_R_NO_DTLS_SESSION);
    return bio;
}

/* A read that does not wait, whatever the socket does. */
static int read_now(BIO *bio, SSL *ssl)
{
    unsigned char data[MTLS_RECORD_SIZE];
    int fd = -1, flags = -1, r;
    size_t n;

    if (BIO_get_fd(bio, &fd) > 0 && (flags = fcntl(fd, F_GETFL)) >= 0 &&
        !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    ERR_clear_error(); /* SSL_get_error() looks there */
    r = SSL_get_error(ssl, SSL_read_ex(ssl, data, sizeof(data), &n));
    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags);
    return r;
}

int MTLS_dtls_waiting_receive(MTLS_DTLS_WAITING *w, BIO *datagrams)
{
    const struct entry key = {.bio = datagrams};
    struct mtls_errors callers;
    struct entry *e;

    mtls_errors_take(&callers);
    pthread_mutex_lock(&w->lock);
    e = OPENSSL_LH_retrieve(w->bios, &key);
    if (e != NULL) {
        int r;

        mtls_turn_begin(&e->turn);
        r = read_now(datagrams, ssl_of(datagrams));
        if (r == SSL_ERROR_ZERO_RETURN || r == SSL_ERROR_SSL) {
            end(w, e);
            e = NULL;
        }
    }
    pthread_mutex_unlock(&w->lock);
    ERR_clear_error();
    mtls_errors_put_back(&callers);
    return e != NULL;
}

long MTLS_dtls_waiting_expire(MTLS_DTLS_WAITING *w)
{
    uint64_t left;

    pthread_mutex_lock(&w->lock);
    left = expire(w);
    pthread_mutex_unlock(&w->lock);
    return left == UINT64_MAX ? -1 : (long)(left / 1000) + 1;
}

size_t MTLS_dtls_waiting_count(MTLS_DTLS_WAITING *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = w->count;
    pthread_mutex_unlock(&w->lock);
    return n;
}
