/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* s_client -tlsmux -D: what a SOCKS client asks of us we ask of the server. */
#include "report.h"
#include "socks.h"
#include "tlsmux_call.h"
#include "tlsmux_relay.h"
#include "udp_socks.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* Datagrams that one turn moves. */
#define AT_ONCE 64

struct session {
    struct call call;
    struct socks *socks;
    struct endpoint from;  /* UDP: where the client says it sends from */
    struct udp_socks *udp; /* once it is granted */
    struct tlsmux *m;      /* likewise */
    int peer_full;
    int again; /* its turn was over first */
};

static char scratch[65536];

/* --- datagrams --------------------------------------------------------------
 */

static void settle(struct session *s)
{
    udp_socks_want(s->udp, !s->peer_full);
    /* That the peer takes more is a poll that returns at once. */
    tlsmux_want(s->m, 1, s->peer_full || s->again);
}

/* It is over for both, however it came. |tell| the SOCKS client by an end. */
static void end_udp(struct session *s, const char *why, int tell)
{
    struct socks *socks = s->socks;
    struct tlsmux *m = s->m;

    m->dropped += udp_socks_dropped(s->udp);
    udp_socks_free(s->udp);
    free(s);
    if (tell)
        socks_drop(socks);
    tlsmux_close(m, why);
}

/* From our client. What the stream can't take is left to the kernel. */
static int on_datagram(void *arg, const void *octets, size_t size)
{
    struct session *s = arg;
    int ok = tlsmux_send(s->m, octets, size);

    if (ok == TLSMUX_FAILED &&
        ERR_GET_REASON(ERR_peek_last_error()) == MTLS_R_DATAGRAM_TOO_LONG) {
        s->m->dropped++;
        return 1;
    }
    if (ok == 1)
        ok = tlsmux_clear(s->m);
    if (ok == TLSMUX_FAILED) {
        end_udp(s, "the peer takes no more", 1);
        return 0;
    }
    s->peer_full = ok == TLSMUX_RETRY;
    settle(s);
    return !s->peer_full;
}

static void on_moved(struct tlsmux *m)
{
    struct session *s = m->owner;
    int ok = tlsmux_clear(m);
    size_t n;

    s->peer_full = ok == TLSMUX_RETRY;
    if (ok == TLSMUX_RETRY)
        ok = 1;
    for (int i = 0; i < AT_ONCE && ok == 1; i++) {
        ok = tlsmux_receive(m, scratch, sizeof(scratch), &n);
        if (ok == 1)
            udp_socks_send(s->udp, scratch, n);
    }
    s->again = ok == 1;
    if (ok == TLSMUX_END)
        end_udp(s, "", 1);
    else if (ok == TLSMUX_FAILED)
        end_udp(s, "the stream was cut short", 1);
    else
        settle(s);
}

static void on_udp_ended(struct tlsmux *m, const char *why)
{
    struct session *s = m->owner;

    (void)why;
    s->socks->owner = NULL;
    socks_drop(s->socks);
    m->dropped += udp_socks_dropped(s->udp);
    udp_socks_free(s->udp);
    free(s);
}

static const struct tlsmux_ops udp_ops = {NULL,     NULL, NULL,
                                          on_moved, NULL, on_udp_ended};

/* --- the server's answers ----------------------------------------------------
 */

static void on_listens(struct call *c, const char *bound)
{
    socks_grant(((struct session *)c)->socks, bound);
}

static void open_udp(struct session *s)
{
    struct socks *socks = s->socks;
    int reply;

    s->udp =
        udp_socks_new(socks->app, socks->fd, &s->from, on_datagram, s, &reply);
    if (s->udp != NULL) {
        socks_grant(socks, udp_socks_address(s->udp));
        return;
    }
    call_drop(&s->call, "not on loopback");
    free(s);
    socks_refuse(socks, reply);
}

static void on_opened(struct call *c)
{
    struct session *s = (struct session *)c;

    if (c->command == MTLS_TLSMUX_UDP_ASSOCIATE)
        open_udp(s);
    else if (c->command == MTLS_TLSMUX_BIND)
        socks_grant(s->socks, BIO_tlsmux_get_peer(c->m->b));
    else
        socks_grant(s->socks, BIO_tlsmux_get_bound(c->m->b));
}

static void on_failed(struct call *c, int reply, const char *why)
{
    struct session *s = (struct session *)c;
    struct socks *socks = s->socks;

    call_complain(c, why);
    udp_socks_free(s->udp);
    free(s);
    socks_refuse(socks, reply);
}

static const struct call_ops call_ops = {on_listens, on_opened, on_failed};

/* --- the SOCKS client --------------------------------------------------------
 */

static void on_granted(struct socks *socks, int fd)
{
    struct session *s = socks->owner;
    struct tlsmux *m = call_take(&s->call);
    struct local *local;

    if (fd < 0) {
        s->m = m;
        m->owner = s;
        m->ops = &udp_ops;
        on_moved(m);
        return;
    }
    free(s);
    local = local_sock_new(socks->app, fd);
    if (local != NULL)
        relay_start(m, local, NULL, NULL);
    else
        tlsmux_close(m, "no memory");
}

static void on_gone(struct socks *socks)
{
    struct session *s = socks->owner;

    if (s->m != NULL) {
        end_udp(s, "", 0);
        return;
    }
    call_drop(&s->call, "the SOCKS client has gone");
    udp_socks_free(s->udp);
    free(s);
}

static void on_requested(struct socks *socks)
{
    struct tlsmux_client *client = socks->owner;
    long command = BIO_tlsmux_get_command(socks->b);
    char to[ADDR_TEXT_MAX] = "";
    int has_port = socks_destination(socks, to);
    struct session *s = calloc(1, sizeof(*s));

    if (s == NULL || (command == MTLS_TLSMUX_CONNECT && !has_port)) {
        free(s);
        socks_refuse(socks, MTLS_TLSMUX_FAILURE);
        return;
    }
    s->socks = socks;
    socks->owner = s;
    if (command == MTLS_TLSMUX_UDP_ASSOCIATE) {
        endpoint_parse(&s->from, to, 1);
        *to = '\0';
    } else if (strcmp(to, "0.0.0.0:0") == 0) {
        *to = '\0'; /* BIND: nobody in particular */
    }
    call_start(&s->call, client, (int)command, to, &call_ops);
}

static const struct socks_ops socks_ops = {on_requested, on_granted, on_gone};

void tlsmux_client_socks(struct tlsmux_client *c, int fd, const char *source)
{
    if (!socks_new(c->app, fd, source, &socks_ops, c))
        report_error("out of memory");
}
