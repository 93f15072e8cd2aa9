/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "allow.h"
#include "own.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define ANY_PORT (-1)

enum rule_kind {
    RULE_ANY,
    RULE_NET,
    RULE_NAME,
    RULE_UNIX
};

struct rule {
    enum rule_kind kind;
    int port; /* or ANY_PORT */
    unsigned bits;
    union addr net;
    char host[ADDR_HOST_MAX + 1];
};

struct allow {
    struct rule *rules;
    size_t n;
    int own_only;
};

struct allow *allow_new(void)
{
    return calloc(1, sizeof(struct allow));
}

void allow_free(struct allow *a)
{
    if (a != NULL)
        free(a->rules);
    free(a);
}

static const unsigned char *octets_of(const union addr *a, unsigned *bits)
{
    if (a->sa.sa_family == AF_INET) {
        *bits = 32;
        return (const unsigned char *)&a->v4.sin_addr;
    }
    *bits = 128;
    return a->v6.sin6_addr.s6_addr;
}

static int in_net(const struct rule *r, const union addr *a)
{
    unsigned width, whole = r->bits / 8, rest = r->bits % 8;
    const unsigned char *net = octets_of(&r->net, &width);
    const unsigned char *ip = octets_of(a, &width);

    if (r->net.sa.sa_family != a->sa.sa_family || memcmp(net, ip, whole) != 0)
        return 0;
    return rest == 0 || ((net[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

/* Takes the port off the end: ":80", ":*", or nothing for a network. */
static int take_port(char *text, int *port)
{
    char *colon = strrchr(text, ':');
    char *bracket = strrchr(text, ']');

    *port = ANY_PORT;
    if (colon == NULL || (bracket != NULL && colon < bracket))
        return strchr(text, '/') != NULL;
    *colon = '\0';
    if (strcmp(colon + 1, "*") == 0)
        return 1;
    *port = parse_port(colon + 1);
    return *port > 0;
}

/* Sets the bits of a network, from what follows the '/', or all. */
static int take_bits(struct rule *r, const char *slash)
{
    unsigned width;
    int bits;

    octets_of(&r->net, &width);
    r->bits = width;
    if (slash == NULL)
        return 1;
    bits = parse_port(slash);
    r->bits = (unsigned)bits;
    return bits >= 0 && r->bits <= width;
}

static int take_host(struct rule *r, char *text)
{
    struct endpoint e;
    size_t n = strlen(text);
    char *slash;

    if (strcmp(text, "*") == 0) {
        r->kind = RULE_ANY;
        return 1;
    }
    if (text[0] == '[' && n > 2 && text[n - 1] == ']') {
        text[n - 1] = '\0';
        text++;
    } else if (strchr(text, ':') != NULL) {
        return 0;
    }
    slash = strchr(text, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (endpoint_set(&e, text, 0) == ADDR_IP) {
        r->kind = RULE_NET;
        r->net = e.ip;
        return take_bits(r, slash);
    }
    r->kind = RULE_NAME;
    return e.kind == ADDR_NAME && slash == NULL &&
           text_copy(r->host, sizeof(r->host), e.host);
}

static int parse_rule(struct rule *r, const char *text)
{
    char copy[ADDR_TEXT_MAX];
    struct endpoint e;

    memset(r, 0, sizeof(*r));
    if (endpoint_set(&e, text, 0) == ADDR_UNIX) {
        r->kind = RULE_UNIX;
        return text_copy(r->host, sizeof(r->host), e.host);
    }
    return text_copy(copy, sizeof(copy), text) && take_port(copy, &r->port) &&
           take_host(r, copy);
}

int allow_add(struct allow *a, const char *text)
{
    struct rule *grown;
    struct rule r;

    if (!parse_rule(&r, text))
        return 0;
    grown = realloc(a->rules, (a->n + 1) * sizeof(r));
    if (grown == NULL)
        return 0;
    a->rules = grown;
    a->rules[a->n++] = r;
    return 1;
}

int allow_endpoint(const struct allow *a, const struct endpoint *e)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct rule *r = &a->rules[i];

        if (e->kind == ADDR_UNIX && r->kind == RULE_UNIX &&
            strcmp(r->host, e->host) == 0)
            return 1;
        if (e->kind == ADDR_NAME && r->kind == RULE_NAME &&
            (r->port == ANY_PORT || r->port == e->port) &&
            strcmp(r->host, e->host) == 0)
            return 1;
    }
    return 0;
}

int allow_any(const struct allow *a, uint16_t port)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct rule *r = &a->rules[i];

        if (r->kind == RULE_ANY && (r->port == ANY_PORT || r->port == port))
            return 1;
    }
    return 0;
}

int allow_never(const struct allow *a, const union addr *addr)
{
    static const unsigned char zeros[16];
    unsigned width;
    const unsigned char *ip = octets_of(addr, &width);

    return memcmp(ip, zeros, width / 8) == 0 ||
           (a->own_only && !own_addr(addr));
}

void allow_own_only(struct allow *a)
{
    a->own_only = 1;
}

int allow_whole_names(const struct allow *a)
{
    return a->own_only;
}

int allow_addr(const struct allow *a, const union addr *addr)
{
    if (allow_never(a, addr))
        return 0;
    if (a->n == 0)
        return a->own_only || own_loopback(addr);
    for (size_t i = 0; i < a->n; i++) {
        const struct rule *r = &a->rules[i];

        if (r->port != ANY_PORT && r->port != addr_port(addr))
            continue;
        if (r->kind == RULE_ANY || (r->kind == RULE_NET && in_net(r, addr)))
            return 1;
    }
    return 0;
}
