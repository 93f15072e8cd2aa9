/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Two ends of MTLS over DTLS for tests: a UDP socket each on loopback, and a
 * stream socket each. Failures end the test.
 */
#ifndef TEST_DTLS_ENDS_H
#define TEST_DTLS_ENDS_H

#include "lossy_bio.h"

#include <mtls/mtls_dtls.h>

struct dtls_ends {
    SSL_CTX *client_dtls, *server_dtls, *client_tls, *server_tls;
    MTLS_DTLS_WAITING *waiting;
    struct lossy to_server, to_client; /* what becomes of datagrams */
    struct lossy *control; /* and of what the server says beside; or NULL */
    BIO *arriving; /* the server's DTLS, until it waits in the table, ... */
    BIO *arrived;  /* ... and then, lent */
    BIO *client_beside; /* the client's, lent */
    BIO *client, *server;
    int corked; /* the client's filter, before it has its datagram BIO */
};

/* Contexts and a table for |most| sessions that wait |seconds|. */
void dtls_ends_contexts(struct dtls_ends *ends, size_t most,
                        unsigned int seconds);

/* The BIOs of one more pair of sockets, for SSLs of those contexts. */
void dtls_ends_sockets(struct dtls_ends *ends, int blocking);

/* The two above, with a table for 8, 60 seconds; not blocking. */
void dtls_ends_new(struct dtls_ends *ends);
void dtls_ends_close(struct dtls_ends *ends); /* not the contexts */
void dtls_ends_free(struct dtls_ends *ends);

/* dtls_ends_turn moves what can be moved. */
void dtls_ends_turn(struct dtls_ends *ends);

/* dtls_ends_shake does all handshakes; whether they succeeded. dtls_ends_arrive
 * does those of DTLS, and has the server's wait. */
int dtls_ends_shake(struct dtls_ends *ends);
int dtls_ends_arrive(struct dtls_ends *ends);

/* An open channel: the client's end and the server's. */
void dtls_ends_open(struct dtls_ends *ends, BIO **c, BIO **s);

/* dtls_ends_wait waits a little for a socket of theirs, or what is due. */
void dtls_ends_wait(struct dtls_ends *ends);

#endif
