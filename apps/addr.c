/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:"
#define UNIX_PREFIX_LENGTH (sizeof(UNIX_PREFIX) - 1)
/* The length of a path in sockaddr_un, without its 0. */
#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

int text_copy(char *out, size_t size, const char *text)
{
    size_t n = strlen(text) + 1;

    if (n > size)
        return 0;
    memcpy(out, text, n);
    return 1;
}

int parse_port(const char *text)
{
    size_t n = strspn(text, "0123456789");
    long port;

    if (n == 0 || n > 5 || text[n] != '\0')
        return -1;
    port = strtol(text, NULL, 10);
    return port <= 65535 ? (int)port : -1;
}

socklen_t addr_length(const union addr *a)
{
    return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

void addr_set_port(union addr *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET)
        a->v4.sin_port = htons(port);
    else
        a->v6.sin6_port = htons(port);
}

uint16_t addr_port(const union addr *a)
{
    return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

int addr_same_host(const union addr *a, const union addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return 0;
    if (a->sa.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
                  sizeof(a->v6.sin6_addr)) == 0;
}

int addr_same(const union addr *a, const union addr *b)
{
    return addr_same_host(a, b) && addr_port(a) == addr_port(b);
}

void addr_unmap(union addr *a)
{
    struct sockaddr_in v4 = {0};

    if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
        return;
    v4.sin_family = AF_INET;
    v4.sin_port = a->v6.sin6_port;
    memcpy(&v4.sin_addr, a->v6.sin6_addr.s6_addr + 12, 4);
    memset(a, 0, sizeof(*a));
    a->v4 = v4;
}

void addr_text(char out[ADDR_TEXT_MAX], const struct sockaddr *sa,
               socklen_t len)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    union addr a;

    if (sa->sa_family == AF_UNIX) {
        const struct sockaddr_un *un = (const void *)sa;
        size_t n = len > offsetof(struct sockaddr_un, sun_path)
                       ? len - offsetof(struct sockaddr_un, sun_path)
                       : 0;

        snprintf(out, ADDR_TEXT_MAX, UNIX_PREFIX "%.*s", (int)n, un->sun_path);
        return;
    }
    memset(&a, 0, sizeof(a));
    memcpy(&a, sa, len < sizeof(a) ? len : sizeof(a));
    addr_unmap(&a);
    if (a.sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a.v4.sin_addr, ip, sizeof(ip));
        snprintf(out, ADDR_TEXT_MAX, "%s:%u", ip, addr_port(&a));
    } else {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, ip, sizeof(ip));
        snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", ip, addr_port(&a));
    }
}

static int literal(union addr *a, const char *host)
{
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
        a->sa.sa_family = AF_INET;
        return 1;
    }
    if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
        a->sa.sa_family = AF_INET6;
        addr_unmap(a);
        return 1;
    }
    return 0;
}

/* Whether a component of the path is "..", or an octet unfit for a path. */
static int path_is_fit(const char *path)
{
    if (path[0] != '/' || strlen(path) > UNIX_PATH_MAX)
        return 0;
    for (const char *p = path; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return 0;
        if (strncmp(p, "/..", 3) == 0 && (p[3] == '/' || p[3] == '\0'))
            return 0;
    }
    return 1;
}

/*
 * A name whose last label is a number is an address to inet_aton() and to
 * getaddrinfo(): "127.1", "0x7f.1", "2130706433".
 */
static int ends_in_number(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *label = dot != NULL ? dot + 1 : name;

    if (label[0] == '0' && label[1] == 'x')
        return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
    return label[strspn(label, "0123456789")] == '\0';
}

/* Names are ASCII here; an international name comes as its A-labels. */
static enum addr_kind classify_name(char *name)
{
    size_t n = strlen(name);

    if (n > 0 && name[n - 1] == '.')
        name[--n] = '\0';
    if (n == 0 || name[0] == '.' || name[0] == '-' ||
        strstr(name, "..") != NULL)
        return ADDR_INVALID;
    for (char *p = name; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", *p) == NULL)
            return ADDR_INVALID;
    }
    return ends_in_number(name) ? ADDR_ODD : ADDR_NAME;
}

enum addr_kind endpoint_set(struct endpoint *e, const char *host, uint16_t port)
{
    memset(e, 0, sizeof(*e));
    e->kind = ADDR_INVALID;
    e->port = port;
    if (!text_copy(e->host, sizeof(e->host), host))
        return e->kind;
    if (strncmp(host, UNIX_PREFIX, UNIX_PREFIX_LENGTH) == 0) {
        if (path_is_fit(host + UNIX_PREFIX_LENGTH) && port == 0)
            e->kind = ADDR_UNIX;
        text_copy(e->host, sizeof(e->host), host + UNIX_PREFIX_LENGTH);
        return e->kind;
    }
    if (!literal(&e->ip, e->host)) {
        e->kind = classify_name(e->host);
        if (e->kind != ADDR_ODD || !literal(&e->ip, e->host))
            return e->kind;
    }
    addr_set_port(&e->ip, port);
    return e->kind = ADDR_IP;
}

/* Splits "HOST:PORT", takes brackets off. The host is cut out of |text|. */
static int split(char *text, char **host, int *port)
{
    char *colon = strrchr(text, ':');
    char *close = strchr(text, ']');

    if (colon == NULL)
        return 0;
    *colon = '\0';
    *port = parse_port(colon + 1);
    *host = text;
    if (text[0] == '[') {
        if (close == NULL || close + 1 != colon || strchr(text, ':') == NULL)
            return 0;
        *close = '\0';
        *host = text + 1;
    } else if (strchr(text, ':') != NULL) {
        return 0;
    }
    return *port >= 0;
}

int endpoint_parse(struct endpoint *e, const char *text, int listen)
{
    char copy[ADDR_TEXT_MAX];
    char *host = copy;
    int port;

    if (strncmp(text, UNIX_PREFIX "/", UNIX_PREFIX_LENGTH + 1) == 0)
        return endpoint_set(e, text, 0) == ADDR_UNIX;
    if (!text_copy(copy, sizeof(copy), text))
        return 0;
    if (listen && (port = parse_port(copy)) >= 0)
        copy[0] = '\0';
    else if (!split(copy, &host, &port) || (port == 0 && !listen))
        return 0;
    if (listen && (host[0] == '\0' || strcmp(host, "*") == 0)) {
        memset(e, 0, sizeof(*e));
        e->kind = ADDR_NAME;
        e->port = (uint16_t)port;
        return 1;
    }
    endpoint_set(e, host, (uint16_t)port);
    return e->kind == ADDR_IP || e->kind == ADDR_NAME;
}

int destination_parse(char out[ADDR_TEXT_MAX], const char *text)
{
    struct endpoint e;

    return endpoint_parse(&e, text, 0) && text_copy(out, ADDR_TEXT_MAX, text);
}

/* The first ':' of |p| that is not inside brackets. */
static char *field_end(char *p)
{
    for (int depth = 0; *p != '\0'; p++) {
        depth += (*p == '[') - (*p == ']');
        if (*p == ':' && depth == 0)
            return p;
    }
    return NULL;
}

/* Where the part before the destination ends, at a colon; NULL if nowhere. */
static char *listen_end(char *text)
{
    char *first, *second, *third;

    if (strncmp(text, UNIX_PREFIX "/", UNIX_PREFIX_LENGTH + 1) == 0)
        return strchr(text + UNIX_PREFIX_LENGTH, ':');
    if ((first = field_end(text)) == NULL ||
        strncmp(first + 1, UNIX_PREFIX "/", UNIX_PREFIX_LENGTH + 1) == 0)
        return first;
    if ((second = field_end(first + 1)) == NULL ||
        strncmp(second + 1, UNIX_PREFIX "/", UNIX_PREFIX_LENGTH + 1) == 0)
        return second;
    third = field_end(second + 1);
    return third != NULL ? second : first;
}

int forward_spec_parse(struct forward_spec *f, const char *text)
{
    char copy[2 * ADDR_TEXT_MAX];
    char *end;

    if (!text_copy(copy, sizeof(copy), text) ||
        (end = listen_end(copy)) == NULL)
        return 0;
    *end = '\0';
    if (!endpoint_parse(&f->listen, copy, 1) ||
        !destination_parse(f->destination, end + 1))
        return 0;
    /* As ssh does: a port alone is for this machine's own programs. */
    if (parse_port(copy) >= 0)
        text_copy(f->listen.host, sizeof(f->listen.host), "localhost");
    return 1;
}
