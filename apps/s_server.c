/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls s_server: accepts sessions and connects their channels. */
#include "allow.h"
#include "commands.h"
#include "configured.h"
#include "datagrams.h"
#include "dtls_conf.h"
#include "dtls_server.h"
#include "echo.h"
#include "link.h"
#include "listen.h"
#include "mtls00.h"
#include "remote.h"
#include "report.h"
#include "request.h"
#include "sign.h"
#include "tell.h"
#include "tls_conf.h"
#include "tlsmux_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct options, member)
#define SESSIONS_MAX 1024
/* A handshake older than this may be ended to make room for a new one. */
#define HANDSHAKE_GRACE_MS 1000

/* clang-format off */
static const struct option options_server[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What it serves", 0, 0},
    {"accept", OPTION_TEXT, AT(accept), "[HOST:]PORT",
     "where to accept sessions; without HOST, all addresses", 0, 0},
    {"allow", OPTION_LIST, AT(allow), "DEST",
     "where channels may go: HOST:PORT, HOST:*, CIDR, CIDR:PORT,\n"
     "[V6]:PORT, *:PORT, *:*, unix:/path; may be repeated.\n"
     "Only what is named; without it, what openssl.cnf names, or else\n"
     "loopback", 0, 0},
    {"allow-listen", OPTION_LIST, AT(allow_listen), "DEST",
     "where to listen for clients (-R): as -allow has it, *:PORT for all\n"
     "addresses; may be repeated; without it nowhere", 0, 0},
    {"echo", OPTION_FLAG, AT(echo), NULL,
     "answer every channel itself, with what it sends", 0, 0},
    {"tlsmux", OPTION_FLAG, AT(tlsmux), NULL,
     "speak SOCKS 5 inside TLS (draft-wong-tlsmux-00) instead of MTLS,\n"
     "for services of this machine alone", 0, 0},
    {"app_everything", OPTION_FLAG, AT(app_everything), NULL,
     "once a client asks for one -app, agree to all of them", 0, 0},
    {"sessions_max", OPTION_NUMBER, AT(sessions_max), "N",
     "sessions at a time (1024)", 1, 1000000},
    {"handshake_timeout", OPTION_NUMBER, AT(handshake_timeout), "S",
     "seconds that a handshake may take (10)", 1, 3600},
    {"idle_timeout", OPTION_NUMBER, AT(idle_timeout), "S",
     "seconds without an octet that end a session (0: none do)", 0, 31536000},
    {"verify", OPTION_NUMBER, AT(verify), "DEPTH",
     "ask clients for a certificate", 0, 100},
    {"Verify", OPTION_NUMBER, AT(require), "DEPTH",
     "refuse clients without one", 0, 100},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static const struct option *const tables[] = {
    options_server, options_dtls,    options_mtls00, options_tls,
    options_sign,   options_session, options_output, NULL};

struct server {
    struct app app;
    struct options o;
    SSL_CTX *ctx;
    struct allow *allow;
    struct allow *allow_listen; /* NULL: nowhere */
    struct listener *listener;
    struct dtls_server *dtls; /* with -dtls */
    int64_t n_links;
};

/* --- sessions --------------------------------------------------------------
 */

static struct server *server_of(const struct link *k)
{
    return k->app->command;
}

static void on_opened(struct link *k)
{
    if (server_of(k)->dtls != NULL && k->fd >= 0)
        dtls_server_bound(server_of(k)->dtls, k);
    k->owner = dial_pool_new(&k->app->loop);
    if (k->owner == NULL)
        link_close(k, LINK_FAILED, "out of memory");
}

static void on_requested(struct link *k, BIO *bio)
{
    struct server *s = server_of(k);

    if (s->app.drain_until != 0)
        request_refuse(k, bio, "resource-shortage: this server is ending");
    else if (remote_is_wish(bio))
        remote_listen(k, bio, s->allow_listen);
    else if (s->o.echo)
        (s->dtls != NULL ? datagrams_echo : echo_new)(k, bio);
    else
        request_new(k, bio, k->owner, s->allow);
}

static void on_closed(struct link *k)
{
    dial_pool_free(k->owner);
    server_of(k)->n_links--;
}

static const struct link_ops ops = {on_opened, on_requested, on_closed};

/*
 * T4: of too many connections the one that has been in its handshake for
 * longest makes room, since those that mean it are done within a moment.
 */
static int make_room(struct server *s)
{
    uint64_t now = uv_now(&s->app.loop);
    struct link *k;

    if (s->o.tlsmux)
        return tlsmux_make_room(&s->app, HANDSHAKE_GRACE_MS);
    TAILQ_FOREACH(k, &s->app.links, node)
    {
        if (k->state == LINK_HANDSHAKE && !k->doomed &&
            now - k->started >= HANDSHAKE_GRACE_MS) {
            link_close(k, LINK_TIMED_OUT, "had to make room");
            return 1;
        }
    }
    return 0;
}

/* With -tlsmux connections are all that the program has besides. */
static int64_t count(const struct server *s)
{
    return s->o.tlsmux ? (int64_t)s->app.n_others : s->n_links;
}

static void begin(struct server *s, int fd, SSL *ssl)
{
    struct link *k;

    if (s->o.tlsmux) {
        tlsmux_serve(&s->app, fd, ssl, &s->o, s->allow);
        return;
    }
    k = link_new(&s->app, fd, ssl, &s->o, &ops, NULL);
    if (k == NULL)
        return;
    s->n_links++;
    if (s->dtls != NULL)
        dtls_server_await(s->dtls, k);
}

static struct link *begin_alone(struct app *app, BIO *dtls, const char *peer)
{
    struct server *s = app->command;
    struct link *k = link_alone(app, dtls, peer, &s->o, &ops, NULL);

    if (k != NULL)
        s->n_links++;
    return k;
}

static int64_t sessions_max(const struct server *s)
{
    return s->o.sessions_max > 0 ? s->o.sessions_max : SESSIONS_MAX;
}

static void on_accept(void *arg, int fd, const char *source)
{
    struct server *s = arg;
    int64_t most = sessions_max(s);
    SSL *ssl;

    if (count(s) >= most && !make_room(s)) {
        report_note("%s turned away: %lld sessions are open", source,
                    (long long)count(s));
        close(fd);
        return;
    }
    ssl = SSL_new(s->dtls != NULL ? dtls_server_control(s->dtls) : s->ctx);
    if (ssl == NULL) {
        report_error("%s turned away", source);
        close(fd);
        return;
    }
    SSL_set_accept_state(ssl);
    begin(s, fd, ssl);
}

/* --- the command -----------------------------------------------------------
 */

static void on_drain(struct app *app)
{
    struct server *s = app->command;
    struct link *k;

    listener_free(s->listener);
    s->listener = NULL;
    dtls_server_drain(s->dtls);
    TAILQ_FOREACH(k, &app->links, node)
    {
        remote_drain(k);
    }
}

static void on_end(struct app *app)
{
    dtls_server_close(((struct server *)app->command)->dtls);
}

static int make_rules(const struct server *s, const struct strings *list,
                      const char *option, struct allow **out)
{
    *out = allow_new();
    for (size_t i = 0; *out != NULL && i < list->n; i++) {
        if (!allow_add(*out, list->at[i]))
            return options_complain_of(&s->o, option, list->at[i],
                                       ": not a destination");
    }
    return *out != NULL;
}

static int check(struct server *s, struct endpoint *where)
{
    if (s->o.accept == NULL)
        return options_complain(s->o.command, "-accept", ": it is needed");
    if (!endpoint_parse(where, s->o.accept, 1) || where->kind == ADDR_UNIX)
        return options_complain(s->o.command, "-accept", ": not [HOST:]PORT");
    if (s->o.cert == NULL)
        return options_complain(s->o.command, "-cert", ": it is needed");
    if (!options_tlsmux(&s->o) || !mtls00_check_options(&s->o) ||
        !dtls_conf_check(&s->o))
        return 0;
    return make_rules(s, &s->o.allow, "-allow", &s->allow) &&
           (s->o.allow_listen.n == 0 ||
            make_rules(s, &s->o.allow_listen, "-allow-listen",
                       &s->allow_listen));
}

/* UDP has the addresses, and the port, that TCP has got. */
static int start_dtls(struct server *s)
{
    char address[ADDR_TEXT_MAX];

    s->dtls = dtls_server_new(&s->app, s->ctx, &s->o, (size_t)sessions_max(s),
                              begin_alone);
    for (unsigned i = 0;
         s->dtls != NULL && listener_address(s->listener, i, address); i++) {
        if (!dtls_server_listen(s->dtls, address))
            return 0;
    }
    if (s->o.udp_timeout > 0)
        s->app.datagrams_idle_s = (uint64_t)s->o.udp_timeout;
    if (s->o.keepalive > 0)
        s->app.keepalive_s = (long)s->o.keepalive;
    return s->dtls != NULL;
}

static void start(struct server *s, const struct endpoint *where)
{
    s->app.status = EXIT_FAILURE;
    s->ctx = tls_conf_new(&s->o, 1);
    if (s->o.tlsmux)
        allow_own_only(s->allow);
    if (s->ctx != NULL && sign_start(&s->o, s->ctx) &&
        (s->o.allow.n > 0 || configured_allow(s->allow)))
        s->listener = listener_new(&s->app, where, "sessions", on_accept, s);
    if (s->listener == NULL || (s->o.dtls && !start_dtls(s))) {
        app_quit(&s->app);
        return;
    }
    s->app.status = EXIT_SUCCESS;
    listener_start(s->listener);
}

static int serve(struct server *s)
{
    struct endpoint where;

    options_report(&s->o);
    if (!sign_check(&s->o) || !check(s, &where))
        return EXIT_USAGE;
    s->app.command = s;
    s->app.drain = on_drain;
    s->app.end = on_end;
    if (!app_init(&s->app))
        return EXIT_FAILURE;
    start(s, &where);
    return app_run(&s->app);
}

int s_server_main(int argc, char *argv[])
{
    struct server s = {0};
    int status = EXIT_USAGE;

    switch (options_parse(&s.o, "s_server",
                          "mtls s_server -accept [HOST:]PORT -cert FILE "
                          "[options]",
                          tables, argc, argv)) {
    case OPTIONS_OK:
        status = serve(&s);
        break;
    case OPTIONS_HELP:
        status = EXIT_SUCCESS;
        break;
    case OPTIONS_BAD:
        break;
    }
    sign_stop();
    dtls_server_free(s.dtls);
    tls_conf_free(s.ctx);
    allow_free(s.allow);
    allow_free(s.allow_listen);
    options_free(&s.o);
    tell_trace_end();
    return status;
}
