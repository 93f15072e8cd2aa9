/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00 on the session of draft 05: other octets, no credit, no answers. A
 * session speaks it from mtls_session_speak_00() on; doc/mtls00.md has the
 * decisions (Q).
 */
#ifndef MTLS_SESSION_00_H
#define MTLS_SESSION_00_H

#include "session.h"

/*
 * mtls_session_speak_00: before any channel is open, and before octets. 0: out
 * of memory. Then the ports that were negotiated: one by one, or all.
 */
int mtls_session_speak_00(struct mtls_session *session);
int mtls_session_allow_port(struct mtls_session *session, uint16_t port);
void mtls_session_allow_all(struct mtls_session *session);

int mtls_session_is_00(const struct mtls_session *session);

/* mtls_session_default_port: where the default channel goes (Q12). */
uint16_t mtls_session_default_port(const struct mtls_session *session);

/*
 * mtls_session_stalled: nothing is received until a reader has read (Q10);
 * then hooks.changed is called, for no channel.
 */
int mtls_session_stalled(const struct mtls_session *session);

/* mtls_session_id: the four octets that name the channel, of either version.
 */
uint32_t mtls_session_id(const struct mtls_channel *channel);

#endif
