/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * TLS Sign on channels: -sign and its like. A channel's octets go through here
 * whether they are signed or not: then as BIO_nread0() and its like have it.
 */
#ifndef MTLS_APPS_SIGN_H
#define MTLS_APPS_SIGN_H

#include "chan.h"
#include "options.h"

#include <openssl/ssl.h>

/* The table of options that both commands take. */
extern const struct option options_sign[];

/* sign_init: the formats that have libraries of their own. */
void sign_init(void);

/* sign_check: whether the options go together: 1, or 0 with a message. */
int sign_check(const struct options *o);

/*
 * sign_start has |ctx| negotiate what the options ask for: 1, also when that is
 * nothing; 0 with a message. sign_stop gives back what it took.
 */
int sign_start(const struct options *o, SSL_CTX *ctx);
void sign_stop(void);

/* sign_add puts the filter above a channel of a link, if there is to be one: 1,
 * 0 no memory. sign_remove takes it off: before the channel's BIO is freed. */
int sign_add(struct chan *c);

/* sign_begin: the channel is open: 1, 0 with a reason. */
int sign_begin(const struct chan *c);
void sign_remove(struct chan *c);

/* As BIO_nread0(), BIO_nread(), BIO_nwrite0(), BIO_nwrite(). What is put at
 * once is one message. */
int sign_peek(const struct chan *c, char **p);
void sign_take(const struct chan *c, int n);
int sign_room(const struct chan *c, char **p);
int sign_put(const struct chan *c, int n);

/* As BIO_shutdown_wr(), BIO_should_retry(). */
int sign_end(const struct chan *c);
int sign_retry(const struct chan *c);

/*
 * sign_finish: both ends have said all: 1 when no receipt is missing, 0 when
 * one is still to come, or our end to go; -1 with a reason.
 */
int sign_finish(const struct chan *c);

/* sign_receipts: takes them in: 1 none is missing, 0, -1 as above. */
int sign_receipts(const struct chan *c);

/* sign_more: something can be read without asking the transport for it. */
int sign_more(const struct chan *c);

/* sign_unsent: the channel has not taken all of a message or a receipt yet. */
int sign_unsent(const struct chan *c);

#endif
