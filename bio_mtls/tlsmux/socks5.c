/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "socks5.h"

#include "octets.h"

#define VERSION 5

/* --- addresses --- */

static size_t type_size(uint8_t type)
{
    switch (type) {
    case MTLS_SOCKS5_IPV4:
        return 4;
    case MTLS_SOCKS5_IPV6:
        return 16;
    default:
        return 0;
    }
}

/*
 * The size of type, address and port, as far as the octets here tell it: what
 * is returned is due for certain. 0 for a type that RFC 1928 does not have.
 */
static size_t address_due(struct mtls_reader r)
{
    uint8_t type = (uint8_t)mtls_get_uint(&r, 1);
    size_t n;

    if (!r.ok)
        return 1;
    if (type == MTLS_SOCKS5_NAME) {
        n = mtls_get_uint(&r, 1);
        return r.ok ? 2 + n + 2 : 2;
    }
    n = type_size(type);
    return n != 0 ? 1 + n + 2 : 0;
}

/* 0: it is no address, or a name that can't be used. |r| moves past it. */
static int get_address(struct mtls_reader *r,
                       struct mtls_socks5_address *address)
{
    const unsigned char *octets;
    size_t n;

    address->type = (uint8_t)mtls_get_uint(r, 1);
    n = address->type == MTLS_SOCKS5_NAME ? mtls_get_uint(r, 1)
                                          : type_size(address->type);
    octets = mtls_get_octets(r, n);
    address->port = (uint16_t)mtls_get_uint(r, 2);
    if (!r->ok || n > sizeof(address->octets))
        return 0;
    address->len = (uint8_t)n;
    memcpy(address->octets, octets, n);
    return mtls_socks5_usable(address);
}

static void put_address(struct mtls_writer *w,
                        const struct mtls_socks5_address *address)
{
    if (!mtls_socks5_usable(address))
        w->ok = 0;
    mtls_put_uint(w, 1, address->type);
    if (address->type == MTLS_SOCKS5_NAME)
        mtls_put_uint(w, 1, address->len);
    mtls_put_octets(w, address->octets, address->len);
    mtls_put_uint(w, 2, address->port);
}

static int is_hex(unsigned char octet)
{
    return (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'f') ||
           (octet >= 'A' && octet <= 'F');
}

/* With a colon it is an IPv6 literal: nothing else in the place of a name. */
static int is_name(const unsigned char *octets, size_t len)
{
    int literal = memchr(octets, ':', len) != NULL;

    for (size_t i = 0; i < len; i++) {
        if (octets[i] < 0x20 || octets[i] == 0x7f)
            return 0;
        if (literal && !is_hex(octets[i]) && octets[i] != ':' &&
            octets[i] != '.')
            return 0;
    }
    return 1;
}

int mtls_socks5_usable(const struct mtls_socks5_address *address)
{
    if (address->len == 0 || address->len > MTLS_SOCKS5_NAME_MAX)
        return 0;
    if (address->type != MTLS_SOCKS5_NAME)
        return address->len == type_size(address->type);
    return is_name(address->octets, address->len);
}

int mtls_socks5_is_none(const struct mtls_socks5_address *address)
{
    if (address->type == MTLS_SOCKS5_NAME || address->port != 0)
        return 0;
    for (size_t i = 0; i < address->len; i++)
        if (address->octets[i] != 0)
            return 0;
    return 1;
}

/* --- methods --- */

enum mtls_socks5_answer
mtls_socks5_get_greeting(const unsigned char *in, size_t len, size_t *due,
                         struct mtls_socks5_greeting *greeting)
{
    struct mtls_reader r = mtls_reader_of(in, len);
    uint32_t version = mtls_get_uint(&r, 1);

    *due = 2;
    memset(greeting, 0, sizeof(*greeting));
    if (r.ok && version != VERSION)
        return MTLS_SOCKS5_BAD;
    greeting->count = (uint8_t)mtls_get_uint(&r, 1);
    if (!r.ok)
        return MTLS_SOCKS5_MORE;
    *due += greeting->count;
    greeting->methods = mtls_get_octets(&r, greeting->count);
    if (!r.ok)
        return MTLS_SOCKS5_MORE;
    return greeting->count != 0 ? MTLS_SOCKS5_DONE : MTLS_SOCKS5_BAD;
}

uint8_t mtls_socks5_choose(const struct mtls_socks5_greeting *greeting)
{
    for (size_t i = 0; i < greeting->count; i++)
        if (greeting->methods[i] == MTLS_SOCKS5_ANONYMOUS)
            return MTLS_SOCKS5_ANONYMOUS;
    return MTLS_SOCKS5_NO_METHOD;
}

size_t mtls_socks5_put_greeting(unsigned char *out, size_t room,
                                const struct mtls_socks5_greeting *greeting)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    if (greeting->count == 0)
        return 0;
    mtls_put_uint(&w, 1, VERSION);
    mtls_put_uint(&w, 1, greeting->count);
    mtls_put_octets(&w, greeting->methods, greeting->count);
    return w.ok ? room - w.left : 0;
}

enum mtls_socks5_answer mtls_socks5_get_choice(const unsigned char *in,
                                               size_t len, size_t *due,
                                               uint8_t *method)
{
    struct mtls_reader r = mtls_reader_of(in, len);
    uint32_t version = mtls_get_uint(&r, 1);

    *due = MTLS_SOCKS5_CHOICE_SIZE;
    *method = MTLS_SOCKS5_NO_METHOD;
    if (r.ok && version != VERSION)
        return MTLS_SOCKS5_BAD;
    *method = (uint8_t)mtls_get_uint(&r, 1);
    return r.ok ? MTLS_SOCKS5_DONE : MTLS_SOCKS5_MORE;
}

size_t mtls_socks5_put_choice(unsigned char *out, size_t room, uint8_t method)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    mtls_put_uint(&w, 1, VERSION);
    mtls_put_uint(&w, 1, method);
    return w.ok ? MTLS_SOCKS5_CHOICE_SIZE : 0;
}

/* --- requests and replies, which look alike --- */

/* What get_message finds. */
struct finding {
    int version, reserved, type, address; /* 1: good */
};

/* DONE or BAD: it is whole, or its extent can't be known. */
static enum mtls_socks5_answer get_message(const unsigned char *in, size_t len,
                                           size_t *due,
                                           struct mtls_socks5_message *m,
                                           struct finding *good)
{
    struct mtls_reader r = mtls_reader_of(in, len);
    size_t size;

    memset(m, 0, sizeof(*m));
    memset(good, 0, sizeof(*good));
    *due = 4;
    good->version = mtls_get_uint(&r, 1) == VERSION;
    if (r.ok && !good->version)
        return MTLS_SOCKS5_BAD;
    m->code = (uint8_t)mtls_get_uint(&r, 1);
    good->reserved = mtls_get_uint(&r, 1) == 0;
    size = address_due(r);
    if (!r.ok || r.left == 0)
        return MTLS_SOCKS5_MORE;
    good->type = size != 0;
    if (!good->type)
        return MTLS_SOCKS5_BAD;
    *due = 3 + size;
    if (*due > len)
        return MTLS_SOCKS5_MORE;
    good->address = get_address(&r, &m->address);
    return good->reserved && good->address ? MTLS_SOCKS5_DONE : MTLS_SOCKS5_BAD;
}

enum mtls_socks5_answer
mtls_socks5_get_request(const unsigned char *in, size_t len, size_t *due,
                        struct mtls_socks5_message *request, uint8_t *earned)
{
    struct finding good;
    enum mtls_socks5_answer answer = get_message(in, len, due, request, &good);
    int command = request->code >= MTLS_SOCKS5_CONNECT &&
                  request->code <= MTLS_SOCKS5_UDP;

    *earned = MTLS_SOCKS5_SUCCEEDED;
    if (answer == MTLS_SOCKS5_MORE || (answer == MTLS_SOCKS5_DONE && command))
        return answer;
    if (!good.version)
        *earned = MTLS_SOCKS5_FAILURE;
    else if (!command)
        *earned = MTLS_SOCKS5_BAD_COMMAND;
    else if (!good.type)
        *earned = MTLS_SOCKS5_BAD_TYPE;
    else
        *earned = MTLS_SOCKS5_FAILURE;
    return MTLS_SOCKS5_BAD;
}

enum mtls_socks5_answer mtls_socks5_get_reply(const unsigned char *in,
                                              size_t len, size_t *due,
                                              struct mtls_socks5_message *reply)
{
    struct finding good;

    return get_message(in, len, due, reply, &good);
}

size_t mtls_socks5_put_message(unsigned char *out, size_t room,
                               const struct mtls_socks5_message *message)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    mtls_put_uint(&w, 1, VERSION);
    mtls_put_uint(&w, 1, message->code);
    mtls_put_uint(&w, 1, 0);
    put_address(&w, &message->address);
    return w.ok ? room - w.left : 0;
}

const char *mtls_socks5_text(uint8_t code)
{
    static const char *const texts[] = {"succeeded",
                                        "general SOCKS server failure",
                                        "connection not allowed by ruleset",
                                        "network unreachable",
                                        "host unreachable",
                                        "connection refused",
                                        "TTL expired",
                                        "command not supported",
                                        "address type not supported"};

    return code < sizeof(texts) / sizeof(texts[0]) ? texts[code]
                                                   : "unassigned reply code";
}

/* --- datagrams --- */

int mtls_socks5_get_udp(const unsigned char *in, size_t len,
                        struct mtls_socks5_udp *udp)
{
    struct mtls_reader r = mtls_reader_of(in, len);
    uint32_t reserved = mtls_get_uint(&r, 2);
    uint32_t fragment = mtls_get_uint(&r, 1);

    memset(udp, 0, sizeof(*udp));
    if (!get_address(&r, &udp->address) || reserved != 0 || fragment != 0)
        return 0;
    udp->len = r.left;
    udp->data = mtls_get_octets(&r, r.left);
    return 1;
}

size_t mtls_socks5_put_udp(unsigned char *out, size_t room,
                           const struct mtls_socks5_address *address)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    mtls_put_uint(&w, 2, 0);
    mtls_put_uint(&w, 1, 0);
    put_address(&w, address);
    return w.ok ? room - w.left : 0;
}
