/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Remote forwards (-R; P7 of doc/protocol.md). The client keeps a channel open
 * to "listen:HOST", port; as long as it lasts the server listens there, and
 * opens a channel to the client for each connection.
 */
#ifndef MTLS_APPS_REMOTE_H
#define MTLS_APPS_REMOTE_H

#include "allow.h"
#include "chan.h"

/* How many a session may have. */
#define REMOTE_MAX 64

/* --- the client --- */

struct remote;

/* Told when the server listens, |why| NULL, and why it does not, or not any
 * more; not when the session has ended. */
typedef void remote_told(void *arg, const char *why);

/* remote_new reads "[BIND:]PORT:HOST:HPORT". NULL when it is not that. */
struct remote *remote_new(const char *text, remote_told *told, void *arg);

/* remote_free: its channel, if there is one, has to be gone. NULL may be. */
void remote_free(struct remote *r);

/* remote_ask asks the server, at the beginning of a session. */
void remote_ask(struct remote *r, struct link *k);

/* remote_end takes it back. */
void remote_end(struct remote *r);

/* remote_wants says whether a channel that the server opens is for |r|. */
int remote_wants(const struct remote *r, BIO *bio);

/* --- the server --- */

/* remote_is_wish says whether a channel asks this end to listen. */
int remote_is_wish(BIO *bio);

/*
 * remote_listen listens as |bio| asks, where |rules| allow it (NULL: nowhere),
 * or refuses. Takes |bio|.
 */
void remote_listen(struct link *k, BIO *bio, const struct allow *rules);

/* remote_drain listens no more for the clients of |k|. */
void remote_drain(struct link *k);

#endif
