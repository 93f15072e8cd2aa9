/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls s_client: a session or more, and what is forwarded over them. */
#include "commands.h"
#include "dial.h"
#include "doors.h"
#include "dtls_call.h"
#include "dtls_conf.h"
#include "forward.h"
#include "link.h"
#include "link_dtls.h"
#include "mtls00.h"
#include "proxy.h"
#include "report.h"
#include "request.h"
#include "sessions.h"
#include "sign.h"
#include "stdio_udp.h"
#include "tell.h"
#include "tls_conf.h"
#include "tlsmux_client.h"
#include "wishes.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct options, member)

/* Between attempts to get a lost session back: doubling, with a jitter. */
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 10000
#define SESSIONS_MAX 64 /* of -sessions */
#define UDP_TIMEOUT_S 60
#define KEEPALIVE_S 15 /* RFC 8085 3.5 */

/* clang-format off */
static const struct option options_client[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What it connects", 0, 0},
    {"connect", OPTION_TEXT, AT(connect), "HOST:PORT", "the server", 0, 0},
    {"L", OPTION_LIST, AT(forwards), "[BIND:]PORT:HOST:HPORT",
     "forward connections to this port, on loopback unless BIND\n"
     "says otherwise, to HOST:HPORT as the server sees it;\n"
     "either end may be unix:/path; may be repeated", 0, 0},
    {"D", OPTION_LIST, AT(socks), "[BIND:]PORT",
     "be a SOCKS 5 server there, on loopback unless BIND says\n"
     "otherwise; the server connects; with -dtls for UDP; may be\n"
     "repeated", 0, 0},
    {"R", OPTION_LIST, AT(remotes), "[BIND:]PORT:HOST:HPORT",
     "have the server listen on this port, and forward connections\n"
     "to HOST:HPORT as seen from here; may be repeated", 0, 0},
    {"W", OPTION_TEXT, AT(stdio), "HOST:PORT",
     "forward standard input and output; without -L, -D, -R and -W\n"
     "they go to the server's own default channel", 0, 0},
    {"tlsmux", OPTION_FLAG, AT(tlsmux), NULL,
     "speak SOCKS 5 inside TLS (draft-wong-tlsmux-00) instead of MTLS:\n"
     "a TLS connection each; -D has BIND and UDP too", 0, 0},
    {"sessions", OPTION_NUMBER, AT(sessions), "N",
     "spread what -L and -D forward over N sessions, each with a\n"
     "connection of its own (1)",
     1, SESSIONS_MAX},
    {"servername", OPTION_TEXT, AT(servername), "NAME",
     "the name to ask for, and in the certificate (HOST)", 0, 0},
    {"verify", OPTION_NUMBER, AT(verify), "DEPTH",
     "the longest chain of certificates to accept", 0, 100},
    {"noverify", OPTION_FLAG, AT(noverify), NULL,
     "take any certificate: whoever is in between can read all", 0, 0},
    {"sess_out", OPTION_TEXT, AT(sess_out), "FILE",
     "write the TLS session there", 0, 0},
    {"sess_in", OPTION_TEXT, AT(sess_in), "FILE",
     "resume the TLS session in this file", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static const struct option *const tables[] = {
    options_client, options_dtls,    options_mtls00, options_tls,
    options_sign,   options_session, options_output, NULL};

struct client {
    struct app app;
    struct options o;
    SSL_CTX *ctx;
    SSL_CTX *control; /* with -dtls: of the TLS connection beside */
    struct dtls_call *call;
    struct endpoint server;
    struct dial_pool *pool;
    struct dial *dial;
    struct link *link;           /* the first session: -R and -W are its own */
    struct sessions *more;       /* beside the first */
    struct link *least;          /* of all, that with the fewest channels */
    struct tlsmux_client tlsmux; /* with -tlsmux, instead of |link| */
    struct doors *doors;
    struct wishes *wishes;   /* -R */
    const char *destination; /* of standard input and output, or NULL */
    struct local *stdio;     /* while it is forwarded */
    uv_timer_t retry;
    uint64_t backoff;
    int was_up; /* there has been a session */
};

/* --- standard input and output ---------------------------------------------
 */

static void on_stdio_done(void *arg, enum chan_end how, const char *why)
{
    struct client *c = arg;

    c->stdio = NULL;
    if (how != CHAN_ENDED) {
        report_error("%s: %s", c->destination, why);
        c->app.status = EXIT_FAILURE;
    }
    app_drain(&c->app);
}

static void start_stdio(struct client *c)
{
    int ok;

    c->stdio = c->o.dtls
                   ? stdio_udp_new(c->link, c->destination, on_stdio_done, c)
                   : local_stdio_new(&c->app);
    ok = c->stdio != NULL &&
         (c->o.dtls || forward_open(c->link, c->destination, NULL, c->stdio,
                                    on_stdio_done, c));
    if (!ok) {
        c->stdio = NULL;
        report_error("can't open a channel to %s", c->destination);
        c->app.status = EXIT_FAILURE;
        app_drain(&c->app);
    }
}

/* --- connections to our ports ----------------------------------------------
 */

static void find_least(struct client *c)
{
    c->least = sessions_least(c->more, c->link);
}

static void on_accept(void *arg, const char *destination, int fd,
                      const char *source)
{
    struct client *c = arg;
    struct local *local;

    find_least(c);
    if (destination[0] == '\0') {
        if (c->o.tlsmux)
            tlsmux_client_socks(&c->tlsmux, fd, source);
        else
            proxy_new(&c->app, &c->least, fd, source);
        return;
    }
    local = local_sock_new(&c->app, fd);
    if (local == NULL)
        report_error("out of memory");
    else if (c->o.tlsmux)
        tlsmux_client_forward(&c->tlsmux, destination, local, NULL, NULL);
    else if (c->least == NULL)
        local->ops->reset(local);
    else if (!forward_open(c->least, destination,
                           *source != '\0' ? source : NULL, local, NULL, NULL))
        report_error("can't open a channel to %s", destination);
}

/* Whenever a session has opened or closed. */
static void on_sessions(void *arg)
{
    struct client *c = arg;

    find_least(c);
    doors_open(c->doors, c->least != NULL);
}

/* --- -tlsmux -----------------------------------------------------------------
 */

static void on_tlsmux_done(void *arg, const char *why)
{
    struct client *c = arg;

    on_stdio_done(c, *why == '\0' ? CHAN_ENDED : CHAN_RESET, why);
}

/* There is no session: each connection comes with a TLS connection. */
static void start_tlsmux(struct client *c)
{
    SSL *probe = tls_conf_client(c->ctx, &c->o, c->server.host);

    SSL_free(probe);
    if (probe == NULL || !tickets_start(&c->tlsmux.tickets, c->ctx)) {
        c->app.status = EXIT_FAILURE;
        app_drain(&c->app);
        return;
    }
    c->tlsmux.app = &c->app;
    c->tlsmux.options = &c->o;
    c->tlsmux.ctx = c->ctx;
    c->tlsmux.server = c->server;
    c->tlsmux.pool = c->pool;
    if (c->destination == NULL) {
        doors_open(c->doors, 1);
        return;
    }
    c->stdio = local_stdio_new(&c->app);
    if (c->stdio == NULL)
        on_tlsmux_done(c, "out of memory");
    else
        tlsmux_client_forward(&c->tlsmux, c->destination, c->stdio,
                              on_tlsmux_done, c);
}

/* --- the session ------------------------------------------------------------
 */

static void connect_to_server(struct client *c);

static void on_opened(struct link *k)
{
    struct client *c = k->owner;

    c->was_up = 1;
    c->backoff = BACKOFF_MIN_MS;
    if (c->o.noverify)
        report_error("the server is NOT verified: anyone may be reading");
    on_sessions(c);
    sessions_start(c->more);
    wishes_ask(c->wishes, k);
    if (c->destination != NULL)
        start_stdio(c);
}

static void on_requested(struct link *k, BIO *bio)
{
    struct client *c = k->owner;

    if (!wishes_take(c->wishes, k, bio))
        request_refuse(k, bio, "prohibited: this client does not offer that");
}

static void on_retry(uv_timer_t *timer)
{
    connect_to_server(timer->data);
}

static void retry_later(struct client *c)
{
    unsigned char random[2] = {0};
    uint64_t wait = c->backoff;
    struct event e;

    if (RAND_bytes(random, sizeof(random)) == 1)
        wait -= wait * (random[0] * 256U + random[1]) / 65536 / 4;
    c->backoff =
        c->backoff * 2 < BACKOFF_MAX_MS ? c->backoff * 2 : BACKOFF_MAX_MS;
    event_begin(&e, "reconnect");
    event_number(&e, "after_ms", wait);
    event_line(&e, "connecting again in %llu ms", (unsigned long long)wait);
    event_end(&e);
    uv_timer_start(&c->retry, on_retry, wait, 0);
}

static void give_up(struct client *c, const char *what, const char *why)
{
    report_error("%s %s: %s", what, c->o.connect, why);
    c->app.status = EXIT_FAILURE;
    app_drain(&c->app);
}

static void on_closed(struct link *k)
{
    struct client *c = k->owner;
    const char *why = *k->why != '\0' ? k->why : "the server ended it";

    c->link = NULL;
    wishes_lost(c->wishes);
    on_sessions(c);
    if (c->o.sess_out != NULL && k->end == LINK_FAILED && k->spoilt)
        unlink(c->o.sess_out); /* MTLS-05 3: it must not be resumed */
    if (c->app.drain_until != 0)
        return;
    if (!c->was_up || k->end == LINK_UNVERIFIED || c->destination != NULL) {
        give_up(c, c->was_up ? "lost" : "no session with", why);
        return;
    }
    report_error("lost %s: %s", c->o.connect, why);
    retry_later(c);
}

static const struct link_ops ops = {on_opened, on_requested, on_closed};

/* 0: it will be tried again, or the program ends. */
static int is_connected(struct client *c, int fd, const char *why)
{
    if (fd < 0 && !c->was_up) {
        give_up(c, "can't connect to", why);
    } else if (fd < 0) {
        report_note("%s: %s", c->o.connect, why);
        retry_later(c);
    }
    return fd >= 0;
}

/* Takes |fd| and |ssl|. */
static void begin(struct client *c, int fd, SSL *ssl)
{
    if (ssl == NULL)
        close(fd);
    else
        c->link = link_new(&c->app, fd, ssl, &c->o, &ops, c);
    if (c->link == NULL) {
        c->app.status = EXIT_FAILURE;
        app_drain(&c->app);
    }
}

static void on_dial(void *arg, int fd, const char *why)
{
    struct client *c = arg;

    c->dial = NULL;
    if (!is_connected(c, fd, fd < 0 ? strchr(why, ' ') + 1 : ""))
        return;
    begin(c, fd, tls_conf_client(c->ctx, &c->o, c->server.host));
    c->o.sess_in = NULL; /* once */
}

/* mtls-00 over DTLS. Takes |dtls|. */
static void begin_alone(struct client *c, BIO *dtls)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char peer[ADDR_TEXT_MAX] = "?";

    if (getpeername((int)BIO_get_fd(dtls, NULL), (struct sockaddr *)&addr,
                    &len) == 0)
        addr_text(peer, (struct sockaddr *)&addr, len);
    c->link = link_alone(&c->app, dtls, peer, &c->o, &ops, c);
    if (c->link == NULL) {
        c->app.status = EXIT_FAILURE;
        app_drain(&c->app);
    }
}

static void on_dtls(void *arg, int fd, BIO *dtls, const char *why,
                    int unverified)
{
    struct client *c = arg;
    SSL *ssl;

    c->call = NULL;
    if (unverified) {
        give_up(c, "no session with", why);
        return;
    }
    if (fd < 0 && dtls != NULL) {
        begin_alone(c, dtls);
        return;
    }
    if (!is_connected(c, fd, why))
        return;
    ssl = SSL_new(c->control);
    if (ssl != NULL)
        SSL_set_connect_state(ssl);
    begin(c, fd, ssl);
    if (c->link != NULL)
        link_dtls_attach(c->link, dtls);
    else
        BIO_free_all(dtls);
}

static void connect_to_server(struct client *c)
{
    if (c->o.dtls)
        c->call = dtls_call_new(&c->app, c->ctx, &c->o, &c->server, c->pool,
                                on_dtls, c);
    else
        c->dial = dial_new(c->pool, &c->server, NULL, on_dial, c);
    if (c->dial == NULL && c->call == NULL)
        give_up(c, "can't connect to", "out of memory");
}

/* --- the command ------------------------------------------------------------
 */

/* What would bring new channels: our ports, a new session, standard input. */
static void on_drain(struct app *app)
{
    struct client *c = app->command;

    doors_drain(c->doors);
    wishes_end(c->wishes);
    uv_close((uv_handle_t *)&c->retry, NULL);
    if (c->dial != NULL)
        dial_cancel(c->dial);
    if (c->call != NULL)
        dtls_call_cancel(c->call);
    sessions_stop(c->more);
    c->dial = NULL;
    c->call = NULL;
    if (c->o.tlsmux)
        tlsmux_client_drain(&c->tlsmux);
    dial_pool_free(c->pool);
    c->pool = NULL;
    if (c->stdio != NULL)
        local_stdio_end(c->stdio);
}

static void on_end(struct app *app)
{
    doors_close(((struct client *)app->command)->doors);
}

static int has_ports(const struct options *o)
{
    return o->forwards.n + o->socks.n + o->remotes.n > 0;
}

static int check(struct client *c)
{
    const struct options *o = &c->o;
    static char destination[ADDR_TEXT_MAX];

    if (o->connect == NULL)
        return options_complain(o->command, "-connect", ": it is needed");
    if (!endpoint_parse(&c->server, o->connect, 0))
        return options_complain(o->command, "-connect", ": not HOST:PORT");
    if (o->stdio != NULL && has_ports(o))
        return options_complain(o->command, "-W",
                                ": not together with -L, -D or -R");
    if (o->sessions > 1 && o->forwards.n + o->socks.n == 0)
        return options_complain(o->command, "-sessions",
                                ": it is for -L and -D");
    if (o->stdio != NULL && !destination_parse(destination, o->stdio))
        return options_complain(o->command, "-W", ": not HOST:PORT");
    if (!options_tlsmux(&c->o))
        return 0;
    if (o->tlsmux && o->stdio == NULL && !has_ports(o))
        return options_complain(o->command, "-tlsmux",
                                ": -L, -D or -W is needed");
    if (!mtls00_check_options(o) || !dtls_conf_check(o) ||
        (o->stdio != NULL &&
         (!tlsmux_client_destination(o, "-W", destination) ||
          !mtls00_check_destination(o, "-W", destination) ||
          !dtls_conf_destination(o, "-W", destination))))
        return 0;
    if (!has_ports(o))
        c->destination = o->stdio != NULL ? destination : "default";
    c->wishes = wishes_new(o);
    c->doors = doors_new(o);
    return c->wishes != NULL && c->doors != NULL;
}

static int set_up(struct client *c)
{
    const struct options *o = &c->o;
    uint64_t seconds =
        o->udp_timeout >= 0 ? (uint64_t)o->udp_timeout : UDP_TIMEOUT_S;

    c->pool = dial_pool_new(&c->app.loop);
    c->ctx = tls_conf_new(o, 0);
    if (o->dtls && c->ctx != NULL)
        c->control = tls_conf_control(o, NULL);
    c->app.datagrams_idle_s = seconds;
    c->app.keepalive_s = o->keepalive >= 0 ? (long)o->keepalive : KEEPALIVE_S;
    TAILQ_INIT(&c->tlsmux.calls);
    c->more = sessions_new(&c->app, c->ctx, o, &c->server, c->pool,
                           o->sessions > 0 ? (size_t)o->sessions - 1 : 0,
                           on_sessions, c);
    return c->ctx != NULL && (!o->dtls || c->control != NULL) &&
           sign_start(o, c->ctx) && c->pool != NULL && c->more != NULL &&
           doors_bind(c->doors, &c->app, &c->least, on_accept, c);
}

static void free_all(struct client *c)
{
    sessions_free(c->more);
    wishes_free(c->wishes);
    doors_free(c->doors);
    options_free(&c->o);
}

static int run(struct client *c)
{
    options_report(&c->o);
    if (!sign_check(&c->o) || !check(c))
        return EXIT_USAGE;
    c->app.command = c;
    c->app.drain = on_drain;
    c->app.end = on_end;
    if (!app_init(&c->app))
        return EXIT_FAILURE;
    uv_timer_init(&c->app.loop, &c->retry);
    c->retry.data = c;
    wishes_start(c->wishes, &c->app);
    if (set_up(c)) {
        (c->o.tlsmux ? start_tlsmux : connect_to_server)(c);
    } else {
        c->app.status = EXIT_FAILURE;
        app_quit(&c->app);
    }
    return app_run(&c->app);
}

int s_client_main(int argc, char *argv[])
{
    struct client c = {0};
    int status = EXIT_USAGE;

    c.backoff = BACKOFF_MIN_MS;
    switch (options_parse(&c.o, "s_client",
                          "mtls s_client -connect HOST:PORT [options]", tables,
                          argc, argv)) {
    case OPTIONS_OK:
        status = run(&c);
        break;
    case OPTIONS_HELP:
        status = EXIT_SUCCESS;
        break;
    case OPTIONS_BAD:
        break;
    }
    sign_stop();
    tickets_clear(&c.tlsmux.tickets);
    tls_conf_control_free(c.control);
    tls_conf_free(c.ctx);
    free_all(&c);
    tell_trace_end();
    return status;
}
