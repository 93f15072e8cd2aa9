/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The lines about TLSMUX connections. */
#include "tell.h"
#include "tlsmux_conn.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

const char *tlsmux_wish(const struct tlsmux *m, char out[ADDR_TEXT_MAX + 16])
{
    static const char *const names[] = {
        [0] = "-",
        [MTLS_TLSMUX_CONNECT] = "connect",
        [MTLS_TLSMUX_BIND] = "bind",
        [MTLS_TLSMUX_UDP_ASSOCIATE] = "udp",
    };
    long command = BIO_tlsmux_get_command(m->b);
    const char *host = BIO_get_conn_hostname(m->b);
    const char *port = BIO_get_conn_port(m->b);
    const char *name = command >= 0 && command <= 3 ? names[command] : "?";

    if (host == NULL && command == MTLS_TLSMUX_CONNECT)
        name = "-";
    if (host == NULL || port == NULL || command == MTLS_TLSMUX_UDP_ASSOCIATE)
        snprintf(out, ADDR_TEXT_MAX + 16, "%s", name);
    else
        snprintf(out, ADDR_TEXT_MAX + 16,
                 strchr(host, ':') != NULL ? "%s [%s]:%s" : "%s %s:%s", name,
                 host, port);
    return out;
}

static void begin(struct event *e, const char *name, const struct tlsmux *m,
                  char wish[ADDR_TEXT_MAX + 16])
{
    tlsmux_wish(m, wish);
    event_begin(e, name);
    event_text(e, "peer", m->peer);
    event_text(e, "request", wish);
}

/* RFC 1928 6. */
const char *tlsmux_reply(long reply)
{
    static const char *const words[] = {
        [MTLS_TLSMUX_FAILURE] = "general failure",
        [MTLS_TLSMUX_NOT_ALLOWED] = "not allowed",
        [MTLS_TLSMUX_NETWORK_UNREACHABLE] = "network unreachable",
        [MTLS_TLSMUX_HOST_UNREACHABLE] = "host unreachable, or unknown",
        [MTLS_TLSMUX_CONNECTION_REFUSED] = "connection refused",
        [MTLS_TLSMUX_TTL_EXPIRED] = "timed out",
        [MTLS_TLSMUX_COMMAND_NOT_SUPPORTED] = "no such command",
        [MTLS_TLSMUX_ADDRESS_TYPE_NOT_SUPPORTED] = "no such type of address",
    };

    return reply > 0 && (size_t)reply < sizeof(words) / sizeof(words[0])
               ? words[reply]
               : "it does not say why";
}

void tell_tlsmux_open(const struct tlsmux *m)
{
    char wish[ADDR_TEXT_MAX + 16];
    struct event e;

    begin(&e, "granted", m, wish);
    event_line(&e, "%s, with %s: granted", wish, m->peer);
    event_end(&e);
}

void tell_tlsmux_refused(const struct tlsmux *m, int reply)
{
    char wish[ADDR_TEXT_MAX + 16];
    struct event e;

    begin(&e, "refused", m, wish);
    event_number(&e, "reply", (uint64_t)reply);
    event_line(&e, "%s, with %s: refused: %s (%d)", wish, m->peer,
               tlsmux_reply(reply), reply);
    event_end(&e);
}

void tell_tlsmux_error(const struct tlsmux *m)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    struct event e;

    if (why == NULL)
        why = "malformed";
    event_begin(&e, "malformed");
    event_text(&e, "peer", m->peer);
    event_text(&e, "text", why);
    event_line(&e, "%s: %s", m->peer, why);
    event_end(&e);
    ERR_clear_error();
}

void tell_tlsmux_close(const struct tlsmux *m, const char *why)
{
    char wish[ADDR_TEXT_MAX + 16];
    long by_filter = BIO_tlsmux_get_dropped(m->b);
    uint64_t dropped = m->dropped + (by_filter > 0 ? (uint64_t)by_filter : 0);
    struct event e;

    begin(&e, "connection-close", m, wish);
    event_text(&e, "text", why);
    event_number(&e, "octets_in", m->in);
    event_number(&e, "octets_out", m->out);
    event_number(&e, "dropped", dropped);
    event_line(&e, "%s, with %s, ended%s%s; %llu octets in, %llu out", wish,
               m->peer, *why != '\0' ? ": " : "", why,
               (unsigned long long)m->in, (unsigned long long)m->out);
    event_end(&e);
}
