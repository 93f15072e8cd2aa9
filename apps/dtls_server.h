/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A server's DTLS sessions: many clients at one UDP port. Until a client has
 * shown by a cookie that it is where it says, nothing is kept of it, and it
 * gets no more than three times what it sends. Then come the handshake, the
 * wait for the TLS connection that belongs to it, and a link that it is bound
 * to.
 */
#ifndef MTLS_APPS_DTLS_SERVER_H
#define MTLS_APPS_DTLS_SERVER_H

#include "app.h"
#include "link.h"
#include "options.h"

#include <mtls/mtls_dtls.h>

struct dtls_server;

/*
 * Told of a client that has agreed to mtls-00, which needs no TLS connection:
 * the link above |dtls|, which is the callee's, or NULL.
 */
typedef struct link *dtls_server_alone(struct app *app, BIO *dtls,
                                       const char *peer);

/*
 * dtls_server_new: |ctx| is for DTLS, of which it keeps a reference. At most
 * |most| clients at a time. NULL, with a message.
 */
struct dtls_server *dtls_server_new(struct app *app, SSL_CTX *ctx,
                                    const struct options *o, size_t most,
                                    dtls_server_alone *alone);

/* dtls_server_listen takes datagrams at |address|: "HOST:PORT", numeric. 0,
 * with a message. */
int dtls_server_listen(struct dtls_server *s, const char *address);

/* dtls_server_control is the context of the TLS connections, lent. */
SSL_CTX *dtls_server_control(const struct dtls_server *s);

/* dtls_server_await: the handshake of |k|, which is new, takes its DTLS session
 * out of those that wait. dtls_server_bound: it has. */
void dtls_server_await(struct dtls_server *s, struct link *k);
void dtls_server_bound(struct dtls_server *s, struct link *k);

/* dtls_server_drain takes no new clients. dtls_server_close closes the ports;
 * dtls_server_free comes after the loop has ended. Each may be NULL. */
void dtls_server_drain(struct dtls_server *s);
void dtls_server_close(struct dtls_server *s);
void dtls_server_free(struct dtls_server *s);

#endif
