/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* All -R of a client: asked for in each session, and again if need be. */
#ifndef MTLS_APPS_WISHES_H
#define MTLS_APPS_WISHES_H

#include "link.h"

struct wishes;

/* wishes_new reads what -R says; NULL, with a message, when it can't be. */
struct wishes *wishes_new(const struct options *o);

/* wishes_start comes once |app| is there, wishes_end when it drains; free
 * takes NULL. */
void wishes_start(struct wishes *w, struct app *app);
void wishes_end(struct wishes *w);
void wishes_free(struct wishes *w);

/*
 * wishes_ask asks the server of a new session. If it refuses the first time,
 * the program ends with a failure; later a port may be in use for a while, by
 * the session that was lost.
 */
void wishes_ask(struct wishes *w, struct link *k);

/* wishes_lost: that session has ended. */
void wishes_lost(struct wishes *w);

/* wishes_take connects a channel that the server opens, if it is for one of
 * them, and takes it; else 0. */
int wishes_take(struct wishes *w, struct link *k, BIO *bio);

#endif
