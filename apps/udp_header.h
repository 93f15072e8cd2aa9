/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What stands before the data of a SOCKS client's datagram (RFC 1928 7). */
#ifndef MTLS_APPS_UDP_HEADER_H
#define MTLS_APPS_UDP_HEADER_H

#include "addr.h"

/* The longest: a name of 255 octets. */
#define UDP_HEADER_MAX (4 + 1 + 255 + 2)

/*
 * udp_header_read: the size of the header, and where the datagram is to go as
 * "host:port"; 0 when it is to be dropped: a fragment, RSV that is not 0, not
 * whole, port 0, or a host that can't be one (doc/tlsmux.md, S5).
 */
size_t udp_header_read(const void *octets, size_t size,
                       char out[ADDR_TEXT_MAX]);

#endif
