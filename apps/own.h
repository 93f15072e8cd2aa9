/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Which addresses are this machine's own. */
#ifndef MTLS_APPS_OWN_H
#define MTLS_APPS_OWN_H

#include "addr.h"

/* own_loopback: 127.0.0.0/8 or ::1. |a| is canonical (addr_unmap()). */
int own_loopback(const union addr *a);

/* own_addr: loopback, or that of one of the interfaces as they are now. */
int own_addr(const union addr *a);

#endif
