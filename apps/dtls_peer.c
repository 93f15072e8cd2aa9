/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dtls_peer.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/*
 * What may wait for its turn, with what it takes to keep it: a burst as long as
 * a socket of its own would hold.
 */
#define QUEUE_OCTETS (512 * 1024)
#define KEEPING (sizeof(struct dtls_datagram) + 16)

/* RFC 791, RFC 8200: what every path takes, less the headers. */
#define V4_HEADERS 28
#define V6_HEADERS 48
#define V4_LEAST (576 - V4_HEADERS)
#define V6_LEAST (1280 - V6_HEADERS)

struct dtls_datagram {
    STAILQ_ENTRY(dtls_datagram) next;
    size_t n;
    char octets[];
};

static BIO_METHOD *method;
static int type;

/* --- the queue --------------------------------------------------------------
 */

void dtls_peer_put(struct dtls_peer *p, const void *octets, size_t n)
{
    struct dtls_datagram *d = NULL;

    if (n == 0) /* DTLS would take it for the end */
        return;
    if (p->octets_queued + KEEPING + n <= QUEUE_OCTETS)
        d = malloc(sizeof(*d) + n);
    if (d == NULL) {
        p->dropped++;
        return;
    }
    d->n = n;
    memcpy(d->octets, octets, n);
    STAILQ_INSERT_TAIL(&p->queue, d, next);
    p->octets_queued += KEEPING + n;
}

static void drop_first(struct dtls_peer *p)
{
    struct dtls_datagram *d = STAILQ_FIRST(&p->queue);

    STAILQ_REMOVE_HEAD(&p->queue, next);
    p->octets_queued -= KEEPING + d->n;
    free(d);
}

/* --- the BIO ----------------------------------------------------------------
 */

static int peer_read(BIO *b, char *out, int room)
{
    struct dtls_peer *p = BIO_get_data(b);
    const struct dtls_datagram *d = STAILQ_FIRST(&p->queue);
    size_t n;

    BIO_clear_retry_flags(b);
    if (d == NULL) {
        BIO_set_retry_read(b);
        return -1;
    }
    n = d->n < (size_t)room ? d->n : (size_t)room;
    memcpy(out, d->octets, n);
    drop_first(p);
    return (int)n;
}

/* What the system does not send is a datagram that was lost; but for one that
 * is too long DTLS can do something. */
static int peer_write(BIO *b, const char *octets, int n)
{
    struct dtls_peer *p = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (udp_door_send(p->door, &p->local, &p->node.addr, octets, (size_t)n) >=
        0)
        return n;
    if (errno == EAGAIN || errno == EINTR) {
        BIO_set_retry_write(b);
        return -1;
    }
    p->mtu_exceeded = errno == EMSGSIZE;
    return p->mtu_exceeded ? -1 : n;
}

static long peer_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct dtls_peer *p = BIO_get_data(b);
    int v4 = p->node.addr.sa.sa_family == AF_INET;
    long mtu;

    (void)ptr;
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_PENDING:
        return STAILQ_EMPTY(&p->queue) ? 0 : (long)STAILQ_FIRST(&p->queue)->n;
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(b);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(b, (int)num);
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
        mtu = udp_door_mtu(&p->local, &p->node.addr);
        return mtu > 0 ? mtu : v4 ? V4_LEAST : V6_LEAST;
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return v4 ? V4_LEAST : V6_LEAST;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
        return v4 ? V4_HEADERS : V6_HEADERS;
    case BIO_CTRL_DGRAM_SET_MTU:
        return num;
    case BIO_CTRL_DGRAM_MTU_EXCEEDED:
        mtu = p->mtu_exceeded;
        p->mtu_exceeded = 0;
        return mtu;
    default:
        return 0;
    }
}

static int peer_destroy(BIO *b)
{
    struct dtls_peer *p = BIO_get_data(b);

    if (p == NULL)
        return 1;
    p->gone(p);
    while (!STAILQ_EMPTY(&p->queue))
        drop_first(p);
    free(p);
    BIO_set_data(b, NULL);
    return 1;
}

static void free_method(void)
{
    BIO_meth_free(method);
}

static const BIO_METHOD *get_method(void)
{
    if (method != NULL)
        return method;
    type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
    method = BIO_meth_new(type, "datagrams of a peer");
    if (method == NULL || !BIO_meth_set_read(method, peer_read) ||
        !BIO_meth_set_write(method, peer_write) ||
        !BIO_meth_set_ctrl(method, peer_ctrl) ||
        !BIO_meth_set_destroy(method, peer_destroy)) {
        BIO_meth_free(method);
        method = NULL;
    } else {
        OPENSSL_atexit(free_method);
    }
    return method;
}

/* --- life -------------------------------------------------------------------
 */

BIO *dtls_peer_new(struct dtls_peer **out, struct dtls_server *server,
                   void (*gone)(struct dtls_peer *p))
{
    const BIO_METHOD *m = get_method();
    struct dtls_peer *p = calloc(1, sizeof(*p));
    BIO *b = m != NULL && p != NULL ? BIO_new(m) : NULL;

    if (b == NULL) {
        free(p);
        return NULL;
    }
    STAILQ_INIT(&p->queue);
    p->server = server;
    p->gone = gone;
    BIO_set_data(b, p);
    BIO_set_init(b, 1);
    *out = p;
    return b;
}

struct dtls_peer *dtls_peer_of(BIO *above)
{
    BIO *b =
        method != NULL && above != NULL ? BIO_find_type(above, type) : NULL;

    return b != NULL ? BIO_get_data(b) : NULL;
}
