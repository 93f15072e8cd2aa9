/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * -W over DTLS: each line of standard input is a datagram, and each datagram
 * that comes goes to standard output as it is.
 */
#ifndef MTLS_APPS_STDIO_UDP_H
#define MTLS_APPS_STDIO_UDP_H

#include "forward.h"

/*
 * stdio_udp_new opens a channel to |destination|. After the end of the input,
 * or local_stdio_end() of what it returns, answers are waited for until none
 * has come for a second; then |done| is told. NULL on failure, with OpenSSL's
 * queue saying why.
 */
struct local *stdio_udp_new(struct link *k, const char *destination,
                            forward_done *done, void *arg);

#endif
