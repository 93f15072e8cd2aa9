/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A client's sessions beside its first one (-sessions): each over a connection
 * of its own, so that what one loses on its way does not hold up the others. A
 * lost one is made again.
 */
#ifndef MTLS_APPS_SESSIONS_H
#define MTLS_APPS_SESSIONS_H

#include "dial.h"
#include "link.h"

struct sessions;

/* Told whenever one has opened or closed. */
typedef void sessions_changed(void *arg);

/*
 * sessions_new prepares |n| of them; the rest is lent. NULL when memory is
 * short.
 */
struct sessions *sessions_new(struct app *app, SSL_CTX *ctx,
                              const struct options *o,
                              const struct endpoint *server,
                              struct dial_pool *pool, size_t n,
                              sessions_changed *changed, void *arg);

/* sessions_start connects those that are not; the first one is up. */
void sessions_start(struct sessions *all);

/*
 * sessions_least is the open one with the fewest channels, |first| included,
 * which may be NULL; NULL when there is none.
 */
struct link *sessions_least(const struct sessions *all, struct link *first);

/* sessions_stop makes no new ones: the program ends. |all| may be NULL. */
void sessions_stop(struct sessions *all);

/* sessions_free comes after the loop has ended. |all| may be NULL. */
void sessions_free(struct sessions *all);

#endif
