/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Where a server connects for its clients. Rules hold for addresses, checked
 * on the very address that is then connected to, or for names as asked for.
 * 0.0.0.0 and :: are never allowed: they are another way to say loopback.
 */
#ifndef MTLS_APPS_ALLOW_H
#define MTLS_APPS_ALLOW_H

#include "addr.h"

struct allow;

/* allow_new has no rules yet, which means: loopback alone. */
struct allow *allow_new(void);
void allow_free(struct allow *a);

/*
 * allow_own_only: whatever the rules say, addresses of this machine alone, all
 * of which may be connected to as long as there are no rules (doc/tlsmux.md,
 * S11).
 */
void allow_own_only(struct allow *a);

/* Whether a name has to resolve to allowed addresses and nothing else. */
int allow_whole_names(const struct allow *a);

/*
 * allow_add adds HOST:PORT, HOST:*, CIDR, CIDR:PORT, *:PORT, *:* or
 * unix:/path; IPv6 in brackets, "[2001:db8::/32]:80". From the first one on
 * nothing else is allowed. 0 when the text is no rule or memory is short.
 */
int allow_add(struct allow *a, const char *text);

/* Whether |e|'s name, whatever it resolves to, or its path is allowed. */
int allow_endpoint(const struct allow *a, const struct endpoint *e);

/* Whether this address, canonical, with its port, is allowed. */
int allow_addr(const struct allow *a, const union addr *addr);

/* Whether every address is allowed for this port. */
int allow_any(const struct allow *a, uint16_t port);

/* Whether it is one that no rule can allow. */
int allow_never(const struct allow *a, const union addr *addr);

#endif
