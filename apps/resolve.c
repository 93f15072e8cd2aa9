/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
    uv_getaddrinfo_t lookup;
    const struct allow *rules;
    uint16_t port;
    resolve_done *done; /* NULL once it was given up */
    void *arg;
};

static const char prohibited[] = "prohibited: this address is not allowed";

int resolve_now(const struct endpoint *e, const struct allow *rules,
                union addr *addr, const char **why)
{
    struct endpoint loopback;

    if (e->kind == ADDR_NAME && strcmp(e->host, "localhost") == 0) {
        endpoint_set(&loopback, "127.0.0.1", e->port); /* RFC 6761 6.3 */
        *addr = loopback.ip;
    } else if (e->kind == ADDR_IP) {
        *addr = e->ip;
    } else if (e->kind == ADDR_NAME) {
        return -1;
    } else {
        *why = e->kind == ADDR_ODD ? "prohibited: a number is not an address"
                                   : "malformed: not a host";
        return 0;
    }
    *why = allow_addr(rules, addr) ? NULL : prohibited;
    return *why == NULL;
}

/* The first address; but all must be allowed: a name is what it resolves to. */
static const char *choose(const struct resolve *r, const struct addrinfo *all,
                          union addr *chosen)
{
    union addr a;
    int has = 0;

    for (const struct addrinfo *ai = all; ai != NULL; ai = ai->ai_next) {
        if (ai->ai_addrlen > sizeof(a) ||
            (ai->ai_family != AF_INET && ai->ai_family != AF_INET6))
            continue;
        memset(&a, 0, sizeof(a));
        memcpy(&a, ai->ai_addr, ai->ai_addrlen);
        addr_unmap(&a);
        addr_set_port(&a, r->port);
        if (!allow_addr(r->rules, &a))
            return prohibited;
        if (!has)
            *chosen = a;
        has = 1;
    }
    return has ? NULL : "unknown-host: no address";
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct resolve *r = req->data;
    union addr a;
    const char *why =
        status != 0 ? "unknown-host: no such name" : choose(r, res, &a);

    uv_freeaddrinfo(res);
    if (r->done != NULL)
        r->done(r->arg, why == NULL ? &a : NULL, why);
    free(r);
}

struct resolve *resolve_new(uv_loop_t *loop, const struct endpoint *e,
                            const struct allow *rules, resolve_done *done,
                            void *arg)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct resolve *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->lookup.data = r;
    r->rules = rules;
    r->port = e->port;
    r->done = done;
    r->arg = arg;
    if (uv_getaddrinfo(loop, &r->lookup, on_lookup, e->host, NULL, &hints) !=
        0) {
        free(r);
        return NULL;
    }
    return r;
}

void resolve_cancel(struct resolve *r)
{
    r->done = NULL;
    uv_cancel((uv_req_t *)&r->lookup); /* if it can't, it is not heard */
}
