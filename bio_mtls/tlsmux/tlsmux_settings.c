/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a program sets on BIO_f_tlsmux() beforehand, and asks afterwards. */
#include "tlsmux_local.h"

#include "err.h"

/* --- settings --- */

int mtls_tlsmux_wrong_state(void)
{
    MTLS_raise(MTLS_R_WRONG_STATE);
    return 0;
}

int mtls_tlsmux_out_of_range(void)
{
    MTLS_raise(MTLS_R_INVALID_VALUE);
    return 0;
}

int mtls_tlsmux_bad_destination(const char *text)
{
    MTLS_raise_data(MTLS_R_BAD_DESTINATION, "%s", text);
    return 0;
}

static int is_new(const struct mtls_tlsmux *t)
{
    return t->x.state == MTLS_EXCHANGE_NEW;
}

long mtls_tlsmux_set_role(struct mtls_tlsmux *t, long role)
{
    if (!is_new(t))
        return mtls_tlsmux_wrong_state();
    if (role != MTLS_ROLE_CLIENT && role != MTLS_ROLE_SERVER)
        return mtls_tlsmux_out_of_range();
    t->set.role = (int)role;
    return 1;
}

long mtls_tlsmux_set_command(struct mtls_tlsmux *t, long command)
{
    if (!is_new(t))
        return mtls_tlsmux_wrong_state();
    if (command < MTLS_SOCKS5_CONNECT || command > MTLS_SOCKS5_UDP)
        return mtls_tlsmux_out_of_range();
    t->set.command = (uint8_t)command;
    return 1;
}

long mtls_tlsmux_get_command(const struct mtls_tlsmux *t)
{
    return t->x.serves ? t->x.command : t->set.command;
}

/* The destination can change where each datagram has its own. */
static int may_set_destination(const struct mtls_tlsmux *t)
{
    return is_new(t) || mtls_tlsmux_get_command(t) == MTLS_SOCKS5_UDP;
}

static long set_text(struct mtls_tlsmux *t, long what, const char *text)
{
    int has = t->set.has;

    if (!may_set_destination(t))
        return mtls_tlsmux_wrong_state();
    if (text == NULL || !mtls_tlsmux_parse(text, what == 1, &t->set.to, &has))
        return mtls_tlsmux_bad_destination(text == NULL ? "none" : text);
    if (!(has & MTLS_TLSMUX_HOST)) /* a port alone; a host may follow */
        mtls_tlsmux_parse("localhost", 0, &t->set.to, &(int){0});
    t->set.has = has;
    t->set.fixed = 1;
    return 1;
}

long mtls_tlsmux_set_address(struct mtls_tlsmux *t, const BIO_ADDR *address,
                             int fixed)
{
    if (!may_set_destination(t))
        return mtls_tlsmux_wrong_state();
    if (address == NULL || !mtls_tlsmux_from_addr(address, &t->set.to))
        return mtls_tlsmux_bad_destination("no address of IP");
    t->set.has = MTLS_TLSMUX_HOST | MTLS_TLSMUX_PORT;
    t->set.fixed = fixed;
    return 1;
}

long mtls_tlsmux_set_connect(struct mtls_tlsmux *t, long what, void *ptr)
{
    switch (what) {
    case 0:
    case 1:
        return set_text(t, what, ptr);
    case 2:
        return mtls_tlsmux_set_address(t, ptr, 1);
    default:
        return mtls_tlsmux_out_of_range();
    }
}

/* --- facts --- */

/* Of a server: what was asked for. */
static const struct mtls_socks5_address *
destination(const struct mtls_tlsmux *t)
{
    const struct mtls_socks5_address *a =
        t->x.serves ? &t->x.destination : &t->set.to;

    return mtls_socks5_usable(a) ? a : NULL;
}

long mtls_tlsmux_get_connect(struct mtls_tlsmux *t, long what, const void **out)
{
    const struct mtls_socks5_address *a = destination(t);

    *out = NULL;
    if (a == NULL)
        return 0;
    switch (what) {
    case 0:
        *out = mtls_tlsmux_host(a, t->host);
        return 1;
    case 1:
        BIO_snprintf(t->port, sizeof(t->port), "%u", a->port);
        *out = t->port;
        return 1;
    case 2:
        if (t->address == NULL)
            t->address = BIO_ADDR_new();
        if (t->address == NULL || !mtls_tlsmux_to_addr(a, t->address))
            return 0;
        *out = t->address;
        return 1;
    default:
        return 0;
    }
}

long mtls_tlsmux_give(const struct mtls_socks5_address *a, char *text,
                      const char **out)
{
    *out = mtls_socks5_usable(a) ? mtls_tlsmux_text(a, text) : NULL;
    return *out != NULL;
}

long mtls_tlsmux_get_peer(struct mtls_tlsmux *t, const char **out)
{
    return mtls_tlsmux_give(mtls_tlsmux_is_udp(t) ? &t->from : &t->x.peer,
                            t->peer, out);
}

long mtls_tlsmux_get_dgram_peer(const struct mtls_tlsmux *t, BIO_ADDR *peer)
{
    return mtls_socks5_usable(&t->from) && mtls_tlsmux_to_addr(&t->from, peer);
}
