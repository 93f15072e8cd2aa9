/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_server.h"
#include "dial.h"
#include "listen.h"
#include "report.h"
#include "resolve.h"
#include "socks.h"
#include "tlsmux_relay.h"
#include "tlsmux_udp.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long BIND waits for its connection, unless -idle_timeout says. */
#define BIND_S 60

struct visit {
    struct tlsmux *m;
    const struct allow *rules;
    struct dial_pool *pool;
    struct dial *dial;
    struct resolve *lookup;    /* BIND: of who is expected */
    struct listener *listener; /* BIND */
    union addr expected;
    int anyone; /* of this machine, where nobody is named */
    struct tlsmux_udp *udp;
    int fd; /* connected, and not told of yet; or -1 */
};

static void visit_free(struct visit *v)
{
    dial_pool_free(v->pool);
    if (v->lookup != NULL)
        resolve_cancel(v->lookup);
    listener_free(v->listener);
    if (v->udp != NULL)
        tlsmux_udp_free(v->udp);
    if (v->fd >= 0)
        close(v->fd);
    free(v);
}

static void refuse(struct visit *v, int reply)
{
    struct tlsmux *m = v->m;

    visit_free(v);
    tlsmux_refuse(m, reply);
}

/* What a host is, as the rules see it; port 0 is none to connect to. */
static int read_destination(const struct visit *v, struct endpoint *e)
{
    const char *host = BIO_get_conn_hostname(v->m->b);
    const char *port = BIO_get_conn_port(v->m->b);

    if (host == NULL || port == NULL)
        return 0;
    endpoint_set(e, host, (uint16_t)parse_port(port));
    return 1;
}

static void own_name(int fd, char out[ADDR_TEXT_MAX])
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof(at);

    text_copy(out, ADDR_TEXT_MAX, "0.0.0.0:0");
    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        addr_text(out, (struct sockaddr *)&at, len);
}

/* --- CONNECT ----------------------------------------------------------------
 */

static void on_dial(void *arg, int fd, const char *why)
{
    struct visit *v = arg;
    char bound[ADDR_TEXT_MAX];

    v->dial = NULL;
    if (fd < 0) {
        refuse(v, socks_reply_for(why));
        return;
    }
    v->fd = fd;
    own_name(fd, bound);
    tlsmux_grant(v->m, bound);
}

static void start_connect(struct visit *v)
{
    struct endpoint e;

    if (!read_destination(v, &e) || e.port == 0) {
        refuse(v, MTLS_TLSMUX_FAILURE);
        return;
    }
    v->dial = dial_new(v->pool, &e, v->rules, on_dial, v);
    if (v->dial == NULL)
        refuse(v, MTLS_TLSMUX_FAILURE);
}

/* --- BIND -------------------------------------------------------------------
 */

static int is_expected(const struct visit *v, const union addr *a)
{
    return v->anyone || addr_same_host(a, &v->expected);
}

/* Others may try too; they are not what is waited for. */
static void on_accept(void *arg, int fd, const char *source)
{
    struct visit *v = arg;
    struct endpoint e;

    if (v->fd >= 0 || !endpoint_parse(&e, source, 0) || e.kind != ADDR_IP ||
        allow_never(v->rules, &e.ip) || !is_expected(v, &e.ip)) {
        report_note("bind: %s is not expected", source);
        close(fd);
        return;
    }
    v->fd = fd;
    v->m->until = 0;
    listener_stop(v->listener);
    tlsmux_grant(v->m, source);
}

static void listen_at(struct visit *v, const union addr *a)
{
    char text[ADDR_TEXT_MAX], purpose[ADDR_TEXT_MAX + 16];
    int64_t idle = v->m->options->idle_timeout;
    union addr at = *a;
    struct endpoint e;

    addr_set_port(&at, 0);
    addr_text(text, &at.sa, addr_length(&at));
    snprintf(purpose, sizeof(purpose), "bind, %s", v->m->peer);
    if (endpoint_parse(&e, text, 1))
        v->listener = listener_new(v->m->app, &e, purpose, on_accept, v);
    if (v->listener == NULL || !listener_address(v->listener, 0, text)) {
        refuse(v, MTLS_TLSMUX_FAILURE);
        return;
    }
    listener_start(v->listener);
    v->m->until =
        uv_now(&v->m->app->loop) + (uint64_t)(idle > 0 ? idle : BIND_S) * 1000;
    tlsmux_grant(v->m, text);
}

static void on_expected(void *arg, const union addr *addr, const char *why)
{
    struct visit *v = arg;

    v->lookup = NULL;
    if (addr == NULL) {
        refuse(v, socks_reply_for(why));
        return;
    }
    v->expected = *addr;
    listen_at(v, addr);
}

/* Nobody in particular is this machine's own (S7): by way of loopback. */
static void start_bind(struct visit *v)
{
    struct endpoint e;
    const char *why;
    union addr a;
    int found;

    if (!read_destination(v, &e)) {
        refuse(v, MTLS_TLSMUX_FAILURE);
        return;
    }
    if (e.kind == ADDR_IP && strcmp(e.host, "0.0.0.0") == 0) {
        v->anyone = 1;
        endpoint_set(&e, "127.0.0.1", e.port);
    } else if (e.kind == ADDR_IP && strcmp(e.host, "::") == 0) {
        v->anyone = 1;
        endpoint_set(&e, "::1", e.port);
    }
    found = resolve_now(&e, v->rules, &a, &why);
    if (found >= 0) {
        on_expected(v, found ? &a : NULL, why);
        return;
    }
    v->lookup = resolve_new(&v->m->app->loop, &e, v->rules, on_expected, v);
    if (v->lookup == NULL)
        refuse(v, MTLS_TLSMUX_FAILURE);
}

/* --- UDP ASSOCIATE ----------------------------------------------------------
 */

static void start_udp(struct visit *v)
{
    v->udp = tlsmux_udp_new(v->m->app, v->rules);
    if (v->udp == NULL)
        refuse(v, MTLS_TLSMUX_FAILURE);
    else
        tlsmux_grant(v->m, NULL);
}

/* --- the connection ---------------------------------------------------------
 */

static void on_asked(struct tlsmux *m)
{
    struct visit *v = m->owner;

    switch (BIO_tlsmux_get_command(m->b)) {
    case MTLS_TLSMUX_CONNECT:
        start_connect(v);
        break;
    case MTLS_TLSMUX_BIND:
        start_bind(v);
        break;
    case MTLS_TLSMUX_UDP_ASSOCIATE:
        start_udp(v);
        break;
    default:
        refuse(v, MTLS_TLSMUX_COMMAND_NOT_SUPPORTED);
        break;
    }
}

static void on_opened(struct tlsmux *m)
{
    struct visit *v = m->owner;
    struct tlsmux_udp *udp = v->udp;
    struct local *local = NULL;

    v->udp = NULL;
    if (udp == NULL) {
        local = local_sock_new(m->app, v->fd);
        v->fd = -1;
    }
    visit_free(v);
    if (udp != NULL)
        tlsmux_udp_start(udp, m);
    else if (local != NULL)
        relay_start(m, local, NULL, NULL);
    else
        tlsmux_close(m, "no memory");
}

/* BIND: nobody has come (K6). */
static void on_late(struct tlsmux *m)
{
    refuse(m->owner, MTLS_TLSMUX_TTL_EXPIRED);
}

static void on_ended(struct tlsmux *m, const char *why)
{
    (void)why;
    visit_free(m->owner);
}

static const struct tlsmux_ops ops = {on_asked, NULL,    on_opened,
                                      NULL,     on_late, on_ended};

int tlsmux_serve(struct app *app, int fd, SSL *ssl, const struct options *o,
                 const struct allow *rules)
{
    struct visit *v = calloc(1, sizeof(*v));

    if (v == NULL || (v->pool = dial_pool_new(&app->loop)) == NULL) {
        free(v);
        SSL_free(ssl);
        close(fd);
        return 0;
    }
    v->fd = -1;
    v->rules = rules;
    v->m = tlsmux_new(app, fd, ssl, o, &ops, v);
    if (v->m == NULL) {
        visit_free(v);
        return 0;
    }
    tlsmux_start(v->m);
    return 1;
}

int tlsmux_make_room(struct app *app, uint64_t grace_ms)
{
    uint64_t now = uv_now(&app->loop);
    struct tlsmux *m;

    TAILQ_FOREACH(m, &app->tlsmuxes, node)
    {
        if (m->state == TLSMUX_EXCHANGE && m->until == 0 &&
            now - m->started >= grace_ms) {
            visit_free(m->owner);
            tlsmux_close(m, "had to make room");
            return 1;
        }
    }
    return 0;
}
