/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the two BIO types share, and nobody else sees. */
#ifndef MTLS_BIO_LOCAL_H
#define MTLS_BIO_LOCAL_H

#include "channel_io.h"

typedef int mtls_bio_write_fn(BIO *b, const char *data, size_t len, size_t *n);

/* mtls_bio_method makes a method of a new index, and says which in *type (may
 * be NULL); NULL when there is none. */
BIO_METHOD *mtls_bio_method(int type_class, const char *name, int *type);

int mtls_bio_puts(BIO *b, const char *text, mtls_bio_write_fn *write);

/* mtls_bio_port reads a number, or the name of a service: 1, 0 it is none. */
int mtls_bio_port(const char *text, uint16_t *port);

/* mtls_bio_is_io: controls that set retry flags of their own. */
int mtls_bio_is_io(int cmd);

long mtls_bio_wpending(struct mtls_mux *mux);
long mtls_bio_give_address(struct mtls_mux *mux, long peer, const char **out);

/* mtls_bio_give copies a struct to a caller whose own may be an older one. */
long mtls_bio_give(const void *from, size_t have, long size, void *ptr);

/* The filter's controls of limits and counters (bio_limits.c). */
long mtls_bio_set_limit(struct mtls_mux *mux, int cmd, long n);
long mtls_bio_limits(struct mtls_mux *mux, long size, void *ptr);
long mtls_bio_session_counters(struct mtls_mux *mux, long size, void *ptr);

/*
 * MTLS over DTLS (bio_dgram.c): controls of mtls_dtls.h, and of OpenSSL's
 * datagram BIOs, of |channel| or NULL; 0 when it is none of those.
 */
long mtls_bio_dgram_ctrl(struct mtls_mux *mux, int cmd, long num, void *ptr);
int mtls_bio_datagrams_ctrl(struct mtls_mux *mux,
                            const struct mtls_channel *channel, int cmd,
                            long num, long *result);

/* mtls_bio_mux is the session of a filter BIO; NULL if it is none. */
struct mtls_mux *mtls_bio_mux(BIO *filter);

/* mtls_bio_join makes |b| a new channel of |filter|'s session. mtls_bio_adopt
 * gives it one that exists. */
long mtls_bio_join(BIO *b, BIO *filter);
void mtls_bio_adopt(struct mtls_mux *mux, BIO *b, struct mtls_channel *channel);

#endif
