/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* UDP sockets of a server of datagrams: every address of a name, one port. */
#ifndef MTLS_APPS_UDP_PORTS_H
#define MTLS_APPS_UDP_PORTS_H

#include "addr.h"

#define UDP_PORTS_MAX 8

/*
 * udp_ports_open binds non-blocking sockets at |where| and returns how many, 0
 * with a message. Without a port, that of the first one is the others' too.
 */
unsigned udp_ports_open(const struct endpoint *where, int fds[UDP_PORTS_MAX]);

#endif
