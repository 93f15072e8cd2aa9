/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A client as a server's UDP socket knows it: an address, and a BIO below DTLS
 * that gives the datagrams which came from there. It lives as long as that BIO.
 */
#ifndef MTLS_APPS_DTLS_PEER_H
#define MTLS_APPS_DTLS_PEER_H

#include "addr_map.h"
#include "udp_door.h"

#include <openssl/bio.h>
#include <sys/queue.h>

struct dtls_server;
struct dtls_datagram;
STAILQ_HEAD(dtls_datagrams, dtls_datagram);

enum dtls_stage {
    DTLS_LISTENS, /* for whoever comes: no client yet */
    DTLS_SHAKES,
    DTLS_WAITS, /* for its TLS connection */
    DTLS_BOUND  /* to |link| */
};

struct dtls_peer {
    struct addr_node node; /* first: of the server's map, while |mapped| */
    TAILQ_ENTRY(dtls_peer) shaking;
    struct dtls_server *server;
    struct udp_door *door;
    union addr local; /* where it writes to */
    BIO *dtls;        /* BIO_f_ssl(), above ours */
    struct link *link;
    enum dtls_stage stage;
    uint64_t since;
    int mapped;
    int mtu_exceeded;
    void (*gone)(struct dtls_peer *p);
    struct dtls_datagrams queue;
    size_t octets_queued;
    uint64_t dropped;
};

/*
 * dtls_peer_new makes a BIO for it. NULL, with an error. |gone| is told when
 * that is freed, and with it the peer.
 */
BIO *dtls_peer_new(struct dtls_peer **out, struct dtls_server *server,
                   void (*gone)(struct dtls_peer *p));

/* dtls_peer_of finds it below DTLS, or any BIO; NULL if it is not there. */
struct dtls_peer *dtls_peer_of(BIO *above);

/* dtls_peer_put queues a datagram; past the bound, or empty, it is dropped. */
void dtls_peer_put(struct dtls_peer *p, const void *octets, size_t n);

#endif
