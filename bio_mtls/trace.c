/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_mtls_trace: packets in words, one a line. */
#include "trace.h"
#include "wire.h"

#include <ctype.h>
#include <mtls/bio_mtls.h>
#include <stdio.h>

static const char *type_name(int type)
{
    static const char *const names[] = {
        [MTLS_REQUEST] = "ChannelEstablishmentRequest",
        [MTLS_SUCCESS] = "ChannelEstablishmentSuccess",
        [MTLS_ECHEC] = "ChannelRequestEchec",
        [MTLS_CLOSE] = "ChannelCloseRequest",
        [MTLS_CONFIRMATION] = "ChannelCloseConfirmation",
        [MTLS_PLAINTEXT] = "MTLSPlaintext",
        [MTLS_NEW_MAX] = "NewMaxPacketLength",
        [MTLS_ACK] = "Acknowledgment"};

    return type >= MTLS_REQUEST && type <= MTLS_ACK ? names[type]
                                                    : "unknown type";
}

void mtls_trace_text(BIO *out, const char *text, size_t len)
{
    BIO_puts(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)text[i];

        if (octet < 0x20 || octet >= 0x7f || octet == '"' || octet == '\\')
            BIO_printf(out, "\\x%02x", octet);
        else
            BIO_write(out, &octet, 1);
    }
    BIO_puts(out, "\"");
}

static void print_address(BIO *out, const char *what,
                          const struct mtls_address *address)
{
    BIO_printf(out, ", %s ", what);
    mtls_trace_text(out, address->host, address->host_len);
    BIO_printf(out, " port %u", address->port);
}

static int print_request(BIO *out, const unsigned char *p, size_t len)
{
    struct mtls_request m;
    int readable;

    if (!mtls_wire_get_request(p, len, &m, &readable))
        return 0;
    BIO_printf(out, " half %04x, window %lu, max_packet %lu", m.half,
               (unsigned long)m.window, (unsigned long)m.max_packet);
    print_address(out, "source", &m.source);
    print_address(out, "destination", &m.destination);
    return 1;
}

static int print_success(BIO *out, const unsigned char *p, size_t len)
{
    struct mtls_success m;
    int readable;

    if (!mtls_wire_get_success(p, len, &m, &readable))
        return 0;
    BIO_printf(out, " channel %04x%04x, window %lu, max_packet %lu",
               m.sender_half, m.receiver_half, (unsigned long)m.window,
               (unsigned long)m.max_packet);
    return 1;
}

static int print_echec(BIO *out, const unsigned char *p, size_t len,
                       size_t size)
{
    struct mtls_echec m;
    int readable;

    if (!mtls_wire_get_echec(p, len, size, &m, &readable))
        return 0;
    BIO_printf(out, " half %04x, error ", m.half);
    mtls_trace_text(out, m.text, m.text_len);
    return 1;
}

static int print_value(BIO *out, int type, const unsigned char *p, size_t len)
{
    uint32_t id, value;
    int readable;

    if (!mtls_wire_get_value(p, len, &id, &value, &readable))
        return 0;
    BIO_printf(out, " channel %08lx, %s %lu", (unsigned long)id,
               type == MTLS_ACK ? "free_space" : "max_packet",
               (unsigned long)value);
    return 1;
}

static int print_close(BIO *out, const unsigned char *p, size_t len)
{
    uint32_t id;
    int readable;

    if (!mtls_wire_get_close(p, len, &id, &readable))
        return 0;
    BIO_printf(out, " channel %08lx", (unsigned long)id);
    return 1;
}

static int print_fields(BIO *out, int type, const unsigned char *p, size_t len,
                        const struct mtls_head *head)
{
    switch (type) {
    case MTLS_REQUEST:
        return print_request(out, p, len);
    case MTLS_SUCCESS:
        return print_success(out, p, len);
    case MTLS_ECHEC:
        return print_echec(out, p, len, head->size);
    case MTLS_CLOSE:
    case MTLS_CONFIRMATION:
        return print_close(out, p, len);
    case MTLS_PLAINTEXT:
        BIO_printf(out, " channel %08lx%s", (unsigned long)head->id,
                   head->length == 0 ? ", end of data" : "");
        return 1;
    case MTLS_NEW_MAX:
    case MTLS_ACK:
        return print_value(out, type, p, len);
    default:
        BIO_printf(out, " %d", type);
        return 1;
    }
}

void BIO_mtls_trace(int write_p, int type, const void *buf, size_t len,
                    BIO *mtls, void *arg)
{
    BIO *out = arg;
    struct mtls_head head;

    (void)mtls;
    if (out != NULL && type == MTLS_MSG_FRAME) {
        mtls_trace_frame(write_p, buf, len, out);
        return;
    }
    if (out == NULL || type == MTLS_MSG_DATA ||
        mtls_wire_head(buf, len, &head) != MTLS_WIRE_DONE)
        return;
    BIO_printf(
        out, "%s MTLS %s [length %lu]", write_p ? ">>>" : "<<<",
        type_name(type),
        (unsigned long)(type == MTLS_PLAINTEXT ? head.length : head.size));
    if (!print_fields(out, type, buf, len, &head))
        BIO_puts(out, " malformed");
    BIO_puts(out, "\n");
}
