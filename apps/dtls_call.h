/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A client's way to a server over DTLS: the handshake over UDP, with one of
 * the server's addresses after the other, then a TCP connection to that one.
 */
#ifndef MTLS_APPS_DTLS_CALL_H
#define MTLS_APPS_DTLS_CALL_H

#include "addr.h"
#include "app.h"
#include "dial.h"
#include "options.h"

#include <openssl/ssl.h>

struct dtls_call;

/*
 * Told once, never before dtls_call_new() returns. |fd| is the TCP connection,
 * or -1 where mtls-00 was agreed on, which has none; |dtls| a BIO_f_ssl() above
 * UDP whose handshake is done; both are the callee's. Or |dtls| is NULL and
 * |why| tells; with |unverified| it was for the certificate.
 */
typedef void dtls_call_done(void *arg, int fd, BIO *dtls, const char *why,
                            int unverified);

/* dtls_call_new: NULL when memory is short. What it is given stays there. */
struct dtls_call *dtls_call_new(struct app *app, SSL_CTX *ctx,
                                const struct options *o,
                                const struct endpoint *server,
                                struct dial_pool *pool, dtls_call_done *done,
                                void *arg);

/* dtls_call_cancel gives up; |done| is not called. */
void dtls_call_cancel(struct dtls_call *c);

#endif
