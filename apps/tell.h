/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The lines about sessions and channels. See report.h for how they look. */
#ifndef MTLS_APPS_TELL_H
#define MTLS_APPS_TELL_H

#include "chan.h"
#include "link.h"
#include "report.h"

void tell_session_open(struct link *k);
/* Likewise, where TLS carries something else than channels. */
void tell_tls_open(SSL *ssl, const char *peer);
void tell_session_close(struct link *k);

/* Of a channel that the other end has agreed to, or this one. */
void tell_channel_open(const struct chan *c);
/* |how| it ended; |why| explains, "" when there is nothing to explain. */
void tell_channel_close(const struct chan *c, enum chan_end how,
                        const char *why);

/* tell_table prints the channels of a link (SIGUSR1). */
void tell_table(const struct link *k);

/* tell_trace makes -msg and -debug show the packets of |m|. */
void tell_trace(BIO *m, const struct options *o);

/* tell_trace_out is where to, or NULL. */
BIO *tell_trace_out(const struct options *o);

/* tell_trace_end frees what tell_trace() has made. */
void tell_trace_end(void);

/* Of TLSMUX: granted; refused, by us; malformed, OpenSSL's queue says how;
 * ended, |why| "" when in order. */
struct tlsmux;
void tell_tlsmux_open(const struct tlsmux *m);
void tell_tlsmux_refused(const struct tlsmux *m, int reply);
void tell_tlsmux_error(const struct tlsmux *m);
void tell_tlsmux_close(const struct tlsmux *m, const char *why);

#endif
