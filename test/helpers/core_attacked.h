/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A session with one open channel, both under attack by a raw peer, and the
 * outcomes that an attack must have.
 */
#ifndef MTLS_CORE_ATTACKED_H
#define MTLS_CORE_ATTACKED_H

#include "core_link.h"

struct core_attacked {
    struct core_link link;
    struct mtls_channel *ch; /* that the peer opened, with its half 0x100 */
    uint32_t id;
};

extern struct core_attacked at;

void core_attacked_begin(void);

/* core_attacked_end frees all, after a check of the session. */
void core_attacked_end(void);

struct mtls_session_stats core_attacked_stats(void);

/* Outcome C: the channel closes with a reason, the session goes on. */
void core_attacked_failed(int reason);

/* Outcome S: the multiplexer ends, and says why at the channel. */
void core_attacked_broken(int reason);

/* Outcome E: the Request of |half| is refused, with that word first. */
void core_attacked_refused(uint16_t half, const char *word);

#endif
