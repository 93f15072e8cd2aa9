/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Datagrams by turns. A read of DTLS drops what is no record of its session and
 * goes on to the next datagram: one call could go on for as long as somebody
 * floods the port. A callback of the BIO below ends it after a number of them,
 * as if the socket were empty.
 */
#ifndef MTLS_BIO_TURN_H
#define MTLS_BIO_TURN_H

#include <openssl/bio.h>

#define MTLS_TURN 64 /* datagrams, before others get a turn */

struct mtls_turn {
    BIO *bio; /* NULL: not watched */
    unsigned int left;
};

/*
 * mtls_turn_watch: |turn| stays where it is until mtls_turn_forget(). A BIO
 * that has a callback of the program's is left to it.
 */
void mtls_turn_watch(struct mtls_turn *turn, BIO *datagrams);
void mtls_turn_forget(struct mtls_turn *turn);

/* mtls_turn_begin: as many as a turn has; until then, there is no end. */
void mtls_turn_begin(struct mtls_turn *turn);

/* mtls_turn_over: the last one ended although there may be more. */
int mtls_turn_over(const struct mtls_turn *turn);

#endif
