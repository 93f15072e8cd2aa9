/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dtls_server.h"
#include "dtls_conf.h"
#include "dtls_cookie.h"
#include "dtls_peer.h"
#include "link_dtls.h"
#include "mtls00.h"
#include "report.h"
#include "tls_conf.h"
#include "udp_door.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOORS 8
/* As for TLS: how long a handshake may take, and how old one has to be that
 * makes room for another. */
#define HANDSHAKE_S 10
#define HANDSHAKE_GRACE_MS 1000
/* How often those in their handshake are looked at. */
#define LOOK_MS 200

/* Of a DTLS record (RFC 6347 4.1): its type, and the epoch. */
#define RECORD_HEADER 13
#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO 1

TAILQ_HEAD(dtls_peers, dtls_peer);

struct dtls_server {
    struct app *app;
    const struct options *options;
    SSL_CTX *ctx, *control;
    MTLS_DTLS_WAITING *waiting;
    struct dtls_cookie cookie;
    struct addr_map map;
    struct dtls_peers shaking; /* the oldest first */
    struct dtls_peer *listening;
    BIO_ADDR *scratch; /* DTLSv1_listen() wants one */
    size_t n, most;
    uint64_t n_gone; /* ever, so that who looks at several notices */
    dtls_server_alone *alone;
    struct udp_door *doors[MAX_DOORS];
    unsigned n_doors;
    uv_timer_t timer;
    int looking; /* |timer| runs */
    int draining, closed;
    uint64_t noted; /* app->seconds of the last who was turned away */
};

/* --- cookies ----------------------------------------------------------------
 */

static int make_cookie(SSL *ssl, unsigned char *out, unsigned int *size)
{
    const struct dtls_peer *p = dtls_peer_of(SSL_get_rbio(ssl));

    *size = DTLS_COOKIE_SIZE;
    return dtls_cookie_make(&p->server->cookie, uv_now(&p->server->app->loop),
                            &p->node.addr, out);
}

static int check_cookie(SSL *ssl, const unsigned char *cookie,
                        unsigned int size)
{
    const struct dtls_peer *p = dtls_peer_of(SSL_get_rbio(ssl));

    return dtls_cookie_check(&p->server->cookie, uv_now(&p->server->app->loop),
                             &p->node.addr, cookie, size);
}

/* --- clients come and go ----------------------------------------------------
 */

static void unmap(struct dtls_peer *p)
{
    if (p->mapped)
        addr_map_remove(&p->server->map, &p->node);
    p->mapped = 0;
}

static void on_gone(struct dtls_peer *p)
{
    struct dtls_server *s = p->server;

    unmap(p);
    if (p->stage == DTLS_SHAKES)
        TAILQ_REMOVE(&s->shaking, p, shaking);
    if (p->stage != DTLS_LISTENS)
        s->n--;
    s->n_gone++;
}

/* One that whoever comes next will be. */
static struct dtls_peer *listening(struct dtls_server *s)
{
    struct dtls_peer *p;
    BIO *below, *dtls;
    SSL *ssl;

    if (s->listening != NULL)
        return s->listening;
    below = dtls_peer_new(&p, s, on_gone);
    dtls = below != NULL ? BIO_new_ssl(s->ctx, 0) : NULL;
    if (dtls == NULL) {
        BIO_free(below);
        ERR_clear_error();
        return NULL;
    }
    BIO_push(dtls, below);
    BIO_get_ssl(dtls, &ssl);
    SSL_set_options(ssl, SSL_OP_COOKIE_EXCHANGE);
    dtls_conf_mtu(ssl, s->options);
    p->dtls = dtls;
    s->listening = p;
    return p;
}

static void drop(struct dtls_peer *p, const char *why)
{
    char text[ADDR_TEXT_MAX], reason[256];

    if (why == NULL)
        tls_error_text(reason, sizeof(reason), 0);
    addr_text(text, &p->node.addr.sa, addr_length(&p->node.addr));
    report_note("%s: no DTLS session: %s", text, why != NULL ? why : reason);
    BIO_free_all(p->dtls);
    ERR_clear_error();
}

static int make_room(struct dtls_server *s)
{
    struct dtls_peer *p = TAILQ_FIRST(&s->shaking);

    if (p == NULL || uv_now(&s->app->loop) - p->since < HANDSHAKE_GRACE_MS)
        return 0;
    drop(p, "had to make room");
    return 1;
}

/* --- the handshake ----------------------------------------------------------
 */

static uint64_t patience_ms(const struct dtls_server *s)
{
    int64_t limit = s->options->handshake_timeout;

    return (uint64_t)(limit > 0 ? limit : HANDSHAKE_S) * 1000;
}

/*
 * RFC 6347 4.2.8: who had this address before has gone, now that another one
 * has finished a handshake there. Where it waits, its time will end it.
 */
static void retire_others(struct dtls_peer *p)
{
    struct addr_node *node = addr_map_find(&p->server->map, &p->node.addr);

    while (node != NULL) {
        struct dtls_peer *other = (struct dtls_peer *)node;

        node = addr_map_next(node);
        if (other == p)
            continue;
        unmap(other);
        if (other->link != NULL)
            link_close(other->link, LINK_FAILED, "the client began anew");
    }
}

/* mtls-00: the session is complete. |p| may be gone afterwards. */
static void begin_alone(struct dtls_peer *p)
{
    struct dtls_server *s = p->server;
    uint64_t gone = s->n_gone;
    char text[ADDR_TEXT_MAX];
    struct link *k;

    p->stage = DTLS_BOUND;
    addr_text(text, &p->node.addr.sa, addr_length(&p->node.addr));
    k = s->alone(s->app, p->dtls, text);
    if (k != NULL && s->n_gone == gone) /* there may be a link without it */
        p->link = k;
}

/* |p| may be gone afterwards. */
static void shake(struct dtls_peer *p)
{
    struct dtls_server *s = p->server;
    SSL *ssl;

    ERR_clear_error();
    if (BIO_do_handshake(p->dtls) <= 0) {
        if (!BIO_should_retry(p->dtls))
            drop(p, NULL);
        return;
    }
    TAILQ_REMOVE(&s->shaking, p, shaking);
    p->stage = DTLS_WAITS;
    retire_others(p);
    BIO_get_ssl(p->dtls, &ssl);
    if (mtls00_agreed(ssl))
        begin_alone(p);
    else if (!MTLS_dtls_waiting_add(s->waiting, p->dtls))
        drop(p, NULL);
}

static void look(struct dtls_server *s);

static void on_timer(uv_timer_t *timer)
{
    struct dtls_server *s = timer->data;
    uint64_t now = uv_now(&s->app->loop);
    struct dtls_peer *p, *next;
    struct timeval left;
    SSL *ssl;

    for (p = TAILQ_FIRST(&s->shaking); p != NULL; p = next) {
        next = TAILQ_NEXT(p, shaking);
        BIO_get_ssl(p->dtls, &ssl);
        if (now - p->since >= patience_ms(s))
            drop(p, "no handshake in time");
        else if (DTLSv1_get_timeout(ssl, &left) && left.tv_sec == 0 &&
                 left.tv_usec == 0)
            shake(p);
    }
    MTLS_dtls_waiting_expire(s->waiting);
    look(s);
}

static void look(struct dtls_server *s)
{
    int wanted = !s->closed && (!TAILQ_EMPTY(&s->shaking) ||
                                MTLS_dtls_waiting_count(s->waiting) > 0);

    if (wanted == s->looking)
        return;
    s->looking = wanted;
    if (wanted)
        uv_timer_start(&s->timer, on_timer, LOOK_MS, LOOK_MS);
    else
        uv_timer_stop(&s->timer);
}

/* --- datagrams --------------------------------------------------------------
 */

static int is_epoch_0(const unsigned char *p, size_t n)
{
    return n > RECORD_HEADER && p[3] == 0 && p[4] == 0;
}

static int is_hello(const unsigned char *p, size_t n)
{
    return is_epoch_0(p, n) && p[0] == RECORD_HANDSHAKE &&
           p[RECORD_HEADER] == CLIENT_HELLO;
}

/* It has shown that it is there. */
static void adopt(struct dtls_server *s, struct dtls_peer *p)
{
    s->listening = NULL;
    p->stage = DTLS_SHAKES;
    p->since = uv_now(&s->app->loop);
    TAILQ_INSERT_TAIL(&s->shaking, p, shaking);
    s->n++;
    addr_map_add(&s->map, &p->node);
    p->mapped = 1;
    look(s);
    shake(p);
}

/* He will ask again, for a while, and there may be room then. */
static void turn_away(struct dtls_server *s, const union addr *from)
{
    char text[ADDR_TEXT_MAX];

    if (s->noted == s->app->seconds)
        return;
    s->noted = s->app->seconds;
    addr_text(text, &from->sa, addr_length(from));
    report_note("%s turned away: %zu DTLS sessions are open", text, s->n);
}

/* Of a stranger nothing but a ClientHello is of interest. */
static void hear_stranger(struct dtls_server *s, struct udp_door *door,
                          const union addr *from, const union addr *to,
                          const unsigned char *octets, size_t n)
{
    struct dtls_peer *p;
    SSL *ssl;

    if (!is_hello(octets, n) || s->draining || (p = listening(s)) == NULL)
        return;
    p->node.addr = *from;
    p->local = *to;
    p->door = door;
    dtls_peer_put(p, octets, n);
    BIO_get_ssl(p->dtls, &ssl);
    ERR_clear_error();
    if (DTLSv1_listen(ssl, s->scratch) > 0) {
        if (s->n < s->most || make_room(s))
            adopt(s, p);
        else
            turn_away(s, from);
    }
    ERR_clear_error();
}

/* |p| may be gone afterwards. */
static void hear(struct dtls_peer *p, const unsigned char *octets, size_t n)
{
    dtls_peer_put(p, octets, n);
    if (p->stage == DTLS_BOUND)
        link_changed(p->link);
    else if (p->stage == DTLS_WAITS)
        MTLS_dtls_waiting_receive(p->server->waiting, p->dtls);
    else
        shake(p);
}

/*
 * A client that has begun anew at the same address is there twice, until it has
 * finished its handshake: its first messages are the newer one's, what is
 * protected may be either's, and the wrong one drops it. Once one of them has
 * gone, and it need not be the one that heard it, the others do without.
 */
static void on_datagram(struct udp_door *door, const union addr *from,
                        const union addr *to, const void *octets, size_t n)
{
    struct dtls_server *s = udp_door_owner(door);
    struct addr_node *node = addr_map_find(&s->map, from), *next;
    const struct dtls_peer *newest = (const struct dtls_peer *)node;
    uint64_t gone = s->n_gone;
    int alone;

    if (node == NULL || (newest->stage != DTLS_SHAKES && is_hello(octets, n))) {
        hear_stranger(s, door, from, to, octets, n);
        return;
    }
    alone = newest->stage == DTLS_SHAKES && is_epoch_0(octets, n);
    for (; node != NULL && s->n_gone == gone; node = alone ? NULL : next) {
        next = addr_map_next(node);
        hear((struct dtls_peer *)node, octets, n);
    }
}

static void on_room(struct udp_door *door)
{
    struct dtls_server *s = udp_door_owner(door);
    struct link *k;

    TAILQ_FOREACH(k, &s->app->links, node)
    {
        link_changed(k);
    }
}

static const struct udp_door_ops door_ops = {on_datagram, on_room};

/* --- links ------------------------------------------------------------------
 */

SSL_CTX *dtls_server_control(const struct dtls_server *s)
{
    return s->control;
}

void dtls_server_await(struct dtls_server *s, struct link *k)
{
    link_dtls_await(k, s->waiting);
}

void dtls_server_bound(struct dtls_server *s, struct link *k)
{
    struct dtls_peer *p = dtls_peer_of(BIO_mtls_get_datagram_bio(k->m));

    (void)s;
    if (p == NULL) {
        link_close(k, LINK_FAILED, "there is no DTLS session");
        return;
    }
    p->stage = DTLS_BOUND;
    p->link = k;
    link_changed(k); /* some may have come already */
}

/* --- life -------------------------------------------------------------------
 */

int dtls_server_listen(struct dtls_server *s, const char *address)
{
    struct udp_door *door = NULL;
    struct endpoint e;
    struct event ev;
    int fd;

    errno = EINVAL;
    if (s->n_doors == MAX_DOORS || !endpoint_parse(&e, address, 0) ||
        e.kind != ADDR_IP || (fd = udp_door_bind(&e.ip)) < 0) {
        report_error("can't take datagrams on %s: %s", address,
                     strerror(errno));
        return 0;
    }
    door = udp_door_new(s->app, fd, &door_ops, s);
    if (door == NULL)
        return 0;
    s->doors[s->n_doors++] = door;
    udp_door_start(door);
    event_begin(&ev, "listening-udp");
    event_text(&ev, "address", address);
    event_line(&ev, "taking datagrams on %s for DTLS", address);
    event_end(&ev);
    return 1;
}

static int set_up(struct dtls_server *s, SSL_CTX *ctx)
{
    SSL_CTX_up_ref(ctx);
    s->ctx = ctx;
    SSL_CTX_set_cookie_generate_cb(ctx, make_cookie);
    SSL_CTX_set_cookie_verify_cb(ctx, check_cookie);
    s->scratch = BIO_ADDR_new();
    s->waiting =
        MTLS_dtls_waiting_new(s->most, (unsigned int)(patience_ms(s) / 1000));
    if (s->waiting != NULL)
        s->control = tls_conf_control(s->options, s->waiting);
    return s->scratch != NULL && s->control != NULL && addr_map_init(&s->map) &&
           dtls_cookie_init(&s->cookie, uv_now(&s->app->loop)) &&
           listening(s) != NULL;
}

struct dtls_server *dtls_server_new(struct app *app, SSL_CTX *ctx,
                                    const struct options *o, size_t most,
                                    dtls_server_alone *alone)
{
    struct dtls_server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        report_error("out of memory");
        return NULL;
    }
    s->app = app;
    s->options = o;
    s->most = most;
    s->alone = alone;
    TAILQ_INIT(&s->shaking);
    s->closed = 1;
    s->noted = UINT64_MAX;
    if (!set_up(s, ctx)) {
        report_error("no DTLS");
        dtls_server_free(s);
        return NULL;
    }
    uv_timer_init(&app->loop, &s->timer);
    s->timer.data = s;
    s->closed = 0;
    return s;
}

void dtls_server_drain(struct dtls_server *s)
{
    if (s != NULL)
        s->draining = 1;
}

void dtls_server_close(struct dtls_server *s)
{
    if (s == NULL || s->closed)
        return;
    s->closed = 1;
    for (unsigned i = 0; i < s->n_doors; i++)
        udp_door_close(s->doors[i]);
    uv_close((uv_handle_t *)&s->timer, NULL);
}

/* The context keeps the table, which keeps those that wait. */
void dtls_server_free(struct dtls_server *s)
{
    struct dtls_peer *p;

    if (s == NULL)
        return;
    while ((p = TAILQ_FIRST(&s->shaking)) != NULL)
        BIO_free_all(p->dtls);
    if (s->listening != NULL)
        BIO_free_all(s->listening->dtls);
    tls_conf_control_free(s->control);
    MTLS_dtls_waiting_free(s->waiting);
    ERR_clear_error();
    for (unsigned i = 0; i < s->n_doors; i++)
        udp_door_free(s->doors[i]);
    addr_map_cleanup(&s->map);
    BIO_ADDR_free(s->scratch);
    SSL_CTX_free(s->ctx);
    free(s);
}
