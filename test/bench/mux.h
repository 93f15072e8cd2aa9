/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the two ends of mux.c stand on: sockets, TLS, the channels there are. */
#ifndef MTLS_BENCH_MUX_H
#define MTLS_BENCH_MUX_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stddef.h>

/* Octets of a message. */
#define OCTETS 64

struct message {
    size_t len, sent;
    char data[OCTETS];
};

/* What a program knows of a channel, whose application data it is. */
struct peer {
    struct peer *next, *prev;
    BIO *channel;
    char kind; /* of service */
    double begun;
    struct message asked, message;
};

/* peer_new puts |channel| into a ring of peers; NULL is the end. */
struct peer *peer_new(struct peer *ring, BIO *channel);

/* peer_free closes its channel too. */
void peer_free(struct peer *p);

/* fail says |what| failed and why, and ends the program. */
_Noreturn void fail(const char *what);

/* TLS 1.3 with AES-128-GCM; the certificate vouches for itself. */
SSL_CTX *server_context(const char *cert, const char *key);
SSL_CTX *client_context(const char *cert);

/* Sockets on loopback; listen_somewhere prints the port. */
int listen_somewhere(void);
int accept_from(int listener);
int connect_to(int port);

/* await sleeps until the session's descriptor can do what it waits for. */
void await(BIO *mtls);

/*
 * stack returns a session above TLS above |fd|, corked and non-blocking, when
 * the handshake is done.
 */
BIO *stack(int fd, SSL_CTX *ctx, int is_client);

#endif
