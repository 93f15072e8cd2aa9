/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A referee between two sessions: it reads the octets of both directions with
 * its own decoder and asserts that neither breaks the rules of the draft.
 */
#ifndef MTLS_CORE_REFEREE_H
#define MTLS_CORE_REFEREE_H

#include <stddef.h>
#include <stdint.h>

/* core_referee_begin starts anew. */
void core_referee_begin(void);

/* core_referee_hear: |from| (0 the client) has sent these octets. */
void core_referee_hear(int from, const unsigned char *p, size_t n);

/* core_referee_octets is how many it has heard. */
uint64_t core_referee_octets(void);

/* core_referee_all_closed asserts that no channel is left, each CloseRequest
 * was confirmed and each Request answered. */
void core_referee_all_closed(void);

#endif
