/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Two ends for tests: stacks of BIOs that are connected to each other, with
 * the multiplexer on top. Failures end the test.
 */
#ifndef TEST_STACKS_H
#define TEST_STACKS_H

#include <mtls/bio_mtls.h>
#include <openssl/ssl.h>

/* The stack's top is a BIO_f_mtls(). */
struct stacks {
    BIO *client, *server;
};

enum stacks_kind {
    STACKS_PAIR,         /* a BIO pair, no TLS */
    STACKS_NBIO_SOCKETS, /* a non-blocking socketpair, no TLS */
    STACKS_TLS12_PAIR,   /* TLS over a BIO pair */
    STACKS_TLS13_PAIR,
    STACKS_TLS12_SOCKETS, /* TLS over a blocking socketpair */
    STACKS_TLS13_SOCKETS,
    STACKS_KINDS
};

/* A certificate made for the occasion, for "localhost". */
SSL_CTX *stacks_server_ctx(int version);
SSL_CTX *stacks_client_ctx(int version);

/* The pair's buffers hold |pair_size| octets each way; 0: OpenSSL's default. */
struct stacks stacks_new(enum stacks_kind kind, size_t pair_size);
void stacks_free(struct stacks *stacks);

/* stacks_turn moves what can be moved, both ways, until nothing does. */
void stacks_turn(const struct stacks *stacks);

/* An open channel of non-blocking stacks: the client's end and the server's. */
struct channels {
    BIO *c, *s;
};
struct channels stacks_open(const struct stacks *stacks, const char *host_port);

/* |n| octets of |from| get to |to| and are what was written. */
void stacks_move(BIO *from, BIO *to, size_t n);

/* ck_reason: the last error is this reason of MTLS's; clears the queue. */
#define ck_reason(reason) stacks_check_reason((reason), __LINE__)
void stacks_check_reason(int reason, int line);

#endif
