/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What a link over DTLS has besides: a second transport, for datagrams (with
 * mtls-00 the only one), and times at which it wants a turn although nothing
 * came.
 */
#ifndef MTLS_APPS_LINK_DTLS_H
#define MTLS_APPS_LINK_DTLS_H

#include "link.h"

#include <mtls/mtls_dtls.h>

/*
 * link_dtls_attach gives a client's link, before its first turn, the DTLS
 * session |dtls|, whose handshake is done, and takes it.
 */
void link_dtls_attach(struct link *k, BIO *dtls);

/* link_dtls_await: a server's takes one out of |waiting| when it has shaken
 * hands. Who has its datagrams calls link_changed(). */
void link_dtls_await(struct link *k, MTLS_DTLS_WAITING *waiting);

/* link_dtls_watch: of a link whose BIO is DTLS, its socket, if it has one of
 * its own, and its times. For link.c. */
void link_dtls_watch(struct link *k);

/* link_dtls_arm waits for what it now has to wait for; link_dtls_end no more.
 * For link.c. */
void link_dtls_arm(struct link *k);
void link_dtls_end(struct link *k);

/* link_dtls_ssl: the DTLS session; NULL where there is none. */
SSL *link_dtls_ssl(const struct link *k);

#endif
