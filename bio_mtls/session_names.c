/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The texts of a channel: addresses that it names, words that refuse it. */
#include "session_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX 255 /* D12 */

int mtls_address_usable(const struct mtls_address *address)
{
    if (address->host_len == 0 || address->host_len > HOST_MAX)
        return 0;
    for (size_t i = 0; i < address->host_len; i++) {
        unsigned char octet = (unsigned char)address->host[i];

        if (octet < 0x20 || octet == 0x7f)
            return 0;
    }
    return 1;
}

int mtls_channel_set_names(struct mtls_channel *c,
                           const struct mtls_address *destination,
                           const struct mtls_address *source)
{
    size_t source_at = destination->host_len + 1;
    size_t port_at = source_at + source->host_len + 1;
    size_t full_at = port_at + sizeof("65535");
    struct mtls_names *names;
    const char *form;

    if (!mtls_address_usable(destination) || !mtls_address_usable(source))
        return 0;
    names = malloc(sizeof(*names) + full_at + source->host_len +
                   sizeof("[]:65535"));
    if (names == NULL)
        return 0;
    names->destination_port = destination->port;
    names->source_port = source->port;
    names->source_at = (uint16_t)source_at;
    names->port_at = (uint16_t)port_at;
    memcpy(names->text, destination->host, destination->host_len);
    names->text[source_at - 1] = '\0';
    memcpy(names->text + source_at, source->host, source->host_len);
    names->text[port_at - 1] = '\0';
    names->full_at = (uint16_t)full_at;
    snprintf(names->text + port_at, sizeof("65535"), "%u", destination->port);
    form = memchr(source->host, ':', source->host_len) != NULL ? "[%s]:%u"
                                                               : "%s:%u";
    snprintf(names->text + full_at, source->host_len + sizeof("[]:65535"), form,
             names->text + source_at, source->port);
    free(c->names);
    c->names = names;
    return 1;
}

const char *mtls_channel_host(const struct mtls_channel *c)
{
    return c->names == NULL ? NULL : c->names->text;
}

const char *mtls_channel_port(const struct mtls_channel *c)
{
    return c->names == NULL ? NULL : c->names->text + c->names->port_at;
}

const char *mtls_channel_source_host(const struct mtls_channel *c)
{
    return c->names == NULL ? NULL : c->names->text + c->names->source_at;
}

const char *mtls_channel_source(const struct mtls_channel *c)
{
    return c->names == NULL ? NULL : c->names->text + c->names->full_at;
}

char *mtls_text_escape(const char *text, size_t len)
{
    char *out, *p;

    if (len > MTLS_ECHEC_KEPT)
        len = MTLS_ECHEC_KEPT;
    p = out = malloc(len * 4 + 1);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)text[i];

        if (octet >= 0x20 && octet < 0x7f && octet != '\\')
            *p++ = (char)octet;
        else
            p += snprintf(p, 5, "\\x%02x", octet);
    }
    *p = '\0';
    return out;
}
