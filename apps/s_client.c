/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls s_client: one session, and what is forwarded over it. */
#include "commands.h"
#include "dial.h"
#include "forward.h"
#include "link.h"
#include "listen.h"
#include "report.h"
#include "request.h"
#include "tell.h"
#include "tls_conf.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct options, member)

/* Between attempts to get a lost session back: doubling, with a jitter. */
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 10000

/* clang-format off */
static const struct option options_client[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What it connects", 0, 0},
    {"connect", OPTION_TEXT, AT(connect), "HOST:PORT", "the server", 0, 0},
    {"L", OPTION_LIST, AT(forwards), "[BIND:]PORT:HOST:HPORT",
     "forward connections to this port, on loopback unless BIND\n"
     "says otherwise, to HOST:HPORT as the server sees it;\n"
     "either end may be unix:/path; may be repeated", 0, 0},
    {"W", OPTION_TEXT, AT(stdio), "HOST:PORT",
     "forward standard input and output; without -L and -W\n"
     "they go to the server's own default channel", 0, 0},
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
    options_client, options_tls, options_session, options_output, NULL};

struct client;

/* One -L. */
struct door {
    struct client *client;
    struct forward_spec spec;
    struct listener *listener;
};

struct client {
    struct app app;
    struct options o;
    SSL_CTX *ctx;
    struct endpoint server;
    struct dial_pool *pool;
    struct dial *dial;
    struct link *link;
    struct door *doors;
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
    c->stdio = local_stdio_new(&c->app);
    if (c->stdio == NULL || !forward_open(c->link, c->destination, NULL,
                                          c->stdio, on_stdio_done, c)) {
        c->stdio = NULL;
        report_error("can't open a channel to %s", c->destination);
        c->app.status = EXIT_FAILURE;
        app_drain(&c->app);
    }
}

/* --- connections to our ports ----------------------------------------------
 */

static void on_accept(void *arg, int fd, const char *source)
{
    struct door *door = arg;
    struct client *c = door->client;
    struct local *local = local_sock_new(&c->app, fd);

    if (local == NULL)
        report_error("out of memory");
    else if (c->link == NULL)
        local->ops->reset(local);
    else if (!forward_open(c->link, door->spec.destination,
                           *source != '\0' ? source : NULL, local, NULL, NULL))
        report_error("can't open a channel to %s", door->spec.destination);
}

/* While there is no session, those who come wait in the kernel's backlog. */
static void open_doors(struct client *c, int open)
{
    for (size_t i = 0; i < c->o.forwards.n; i++) {
        struct listener *l = c->doors[i].listener;

        if (l != NULL)
            (open ? listener_start : listener_stop)(l);
    }
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
    open_doors(c, 1);
    if (c->destination != NULL)
        start_stdio(c);
}

static void on_requested(struct link *k, BIO *bio)
{
    request_refuse(k, bio, "prohibited: this client offers nothing");
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
    open_doors(c, 0);
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

static void on_dial(void *arg, int fd, const char *why)
{
    struct client *c = arg;
    SSL *ssl;

    c->dial = NULL;
    if (fd < 0 && !c->was_up) {
        give_up(c, "can't connect to", strchr(why, ' ') + 1);
        return;
    }
    if (fd < 0) {
        report_note("%s: %s", c->o.connect, why);
        retry_later(c);
        return;
    }
    ssl = tls_conf_client(c->ctx, &c->o, c->server.host);
    c->o.sess_in = NULL; /* once */
    if (ssl == NULL)
        close(fd);
    else
        c->link = link_new(&c->app, fd, ssl, &c->o, &ops, c);
    if (c->link == NULL) {
        c->app.status = EXIT_FAILURE;
        app_drain(&c->app);
    }
}

static void connect_to_server(struct client *c)
{
    c->dial = dial_new(c->pool, &c->server, NULL, on_dial, c);
    if (c->dial == NULL)
        give_up(c, "can't connect to", "out of memory");
}

/* --- the command ------------------------------------------------------------
 */

/* What would bring new channels: our ports, a new session, standard input. */
static void on_drain(struct app *app)
{
    struct client *c = app->command;

    for (size_t i = 0; c->doors != NULL && i < c->o.forwards.n; i++) {
        listener_free(c->doors[i].listener);
        c->doors[i].listener = NULL;
    }
    uv_close((uv_handle_t *)&c->retry, NULL);
    if (c->dial != NULL)
        dial_cancel(c->dial);
    dial_pool_free(c->pool);
    c->dial = NULL;
    c->pool = NULL;
    if (c->stdio != NULL)
        local_stdio_end(c->stdio);
}

static int check(struct client *c)
{
    const struct options *o = &c->o;
    static char destination[ADDR_TEXT_MAX];

    if (o->connect == NULL)
        return options_complain(o->command, "-connect", ": it is needed");
    if (!endpoint_parse(&c->server, o->connect, 0))
        return options_complain(o->command, "-connect", ": not HOST:PORT");
    if (o->stdio != NULL && o->forwards.n > 0)
        return options_complain(o->command, "-W", ": not together with -L");
    if (o->stdio != NULL && !destination_parse(destination, o->stdio))
        return options_complain(o->command, "-W", ": not HOST:PORT");
    if (o->forwards.n == 0)
        c->destination = o->stdio != NULL ? destination : "default";
    c->doors = calloc(o->forwards.n + 1, sizeof(*c->doors));
    for (size_t i = 0; c->doors != NULL && i < o->forwards.n; i++) {
        c->doors[i].client = c;
        if (!forward_spec_parse(&c->doors[i].spec, o->forwards.at[i]))
            return options_complain(o->command, o->forwards.at[i],
                                    ": not [BIND:]PORT:HOST:HPORT");
    }
    return c->doors != NULL;
}

static int bind_doors(struct client *c)
{
    for (size_t i = 0; i < c->o.forwards.n; i++) {
        struct door *door = &c->doors[i];

        door->listener = listener_new(&c->app, &door->spec.listen,
                                      door->spec.destination, on_accept, door);
        if (door->listener == NULL)
            return 0;
    }
    return 1;
}

static int run(struct client *c)
{
    options_report(&c->o);
    if (!check(c))
        return EXIT_USAGE;
    c->app.command = c;
    c->app.drain = on_drain;
    if (!app_init(&c->app))
        return EXIT_FAILURE;
    uv_timer_init(&c->app.loop, &c->retry);
    c->retry.data = c;
    c->pool = dial_pool_new(&c->app.loop);
    c->ctx = tls_conf_new(&c->o, 0);
    if (c->ctx != NULL && c->pool != NULL && bind_doors(c)) {
        connect_to_server(c);
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
    tls_conf_free(c.ctx);
    free(c.doors);
    options_free(&c.o);
    tell_trace_end();
    return status;
}
