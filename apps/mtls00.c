/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "mtls00.h"

#include "report.h"
#include "tell.h"

#include <mtls/bio_mtls.h>
#include <mtls/mtls_ext.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct options, member)

/* clang-format off */
const struct option options_mtls00[] = {
    {NULL, OPTION_HEADING, 0, NULL, "mtls-00, the first version", 0, 0},
    {"mtls00", OPTION_FLAG, AT(mtls00), NULL,
     "client: ask for it, by the extension data_multiplexing;\n"
     "server: serve such clients too, on the same port", 0, 0},
    {"app", OPTION_LIST, AT(apps), "NAME:PORT",
     "an application to run over the session, and its port at the\n"
     "server; may be repeated; without it all of them (ALL)", 0, 0},
    {"no_fallback", OPTION_FLAG, AT(no_fallback), NULL,
     "end the handshake when there is nothing to agree on;\n"
     "else the session is one of draft 05", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

/* --- the command line ------------------------------------------------------
 */

/* A server names what it has, one by one. */
static int check_apps(const struct options *o)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_method());
    int ok = 1;

    for (size_t i = 0; ok && i < o->apps.n; i++) {
        const char *app = o->apps.at[i];

        ok = scratch == NULL ||
             (o->connect != NULL ? MTLS_ext_offer(scratch, app)
                                 : MTLS_ext_support(scratch, app, 0)) ||
             options_complain(o->command, app,
                              ": not NAME:PORT, with a name of 1 to 16 "
                              "letters");
    }
    ERR_clear_error();
    SSL_CTX_free(scratch);
    return ok;
}

int mtls00_check_options(const struct options *o)
{
    if (!o->mtls00 && (o->apps.n > 0 || o->app_everything || o->no_fallback))
        return options_complain(o->command,
                                o->apps.n > 0       ? "-app"
                                : o->app_everything ? "-app_everything"
                                                    : "-no_fallback",
                                ": only with -mtls00");
    if (o->app_everything && o->apps.n == 0)
        return options_complain(o->command, "-app_everything",
                                ": -app is needed");
    if (o->mtls00 && o->tlsmux)
        return options_complain(o->command, "-mtls00",
                                ": not together with -tlsmux");
    if (o->mtls00 && o->socks.n + o->remotes.n > 0)
        return options_complain(o->command, o->socks.n > 0 ? "-D" : "-R",
                                ": not with -mtls00, which can't carry it");
    return check_apps(o);
}

/* A port of the server's is all that its frames can name. */
int mtls00_check_destination(const struct options *o, const char *option,
                             const char *destination)
{
    static const char *const own[] = {"localhost:", "127.0.0.1:", "[::1]:"};

    if (!o->mtls00)
        return 1;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strncmp(destination, own[i], strlen(own[i])) == 0)
            return 1;
    }
    return options_complain(o->command, option,
                            ": with -mtls00 HOST can only be localhost");
}

/* --- the context -----------------------------------------------------------
 */

/* "a:1,b:2", allocated. */
static char *joined(const struct strings *list)
{
    size_t size = 1;
    char *text, *p;

    for (size_t i = 0; i < list->n; i++)
        size += strlen(list->at[i]) + 1;
    p = text = malloc(size);
    for (size_t i = 0; text != NULL && i < list->n; i++)
        p += sprintf(p, "%s%s", i == 0 ? "" : ",", list->at[i]);
    return text;
}

static int set_lists(SSL_CTX *ctx, const struct options *o, int server,
                     const char *apps)
{
    unsigned int flags = o->app_everything ? MTLS_EXT_EVERYTHING
                         : apps != NULL    ? MTLS_EXT_COMMON
                                           : MTLS_EXT_ALL;

    if (!server)
        return MTLS_ext_offer(ctx, apps != NULL ? apps : "ALL");
    return MTLS_ext_support(ctx, apps,
                            flags | (o->no_fallback ? MTLS_EXT_REFUSE : 0));
}

int mtls00_conf(SSL_CTX *ctx, const struct options *o, int server)
{
    char *apps = NULL;
    int ok;

    if (!o->mtls00)
        return 1;
    if (o->apps.n > 0 && (apps = joined(&o->apps)) == NULL) {
        report_error("out of memory");
        return 0;
    }
    ok = set_lists(ctx, o, server, apps);
    if (!ok)
        report_error("-app: more than a handshake has room for");
    ERR_clear_error();
    free(apps);
    if (ok && tell_trace_out(o) != NULL)
        ok = MTLS_ext_set_msg_callback(ctx, MTLS_ext_trace, tell_trace_out(o));
    return ok;
}

/* --- a session -------------------------------------------------------------
 */

static void put_apps(SSL *ssl, char *out, size_t size)
{
    const MTLS_APPLICATION *apps;
    size_t n = MTLS_ext_get0_agreed(ssl, &apps), used = 0;

    for (size_t i = 0; i < n && used + 32 < size; i++) {
        char name[4 * sizeof(apps[i].name) + 1];

        report_escape(name, sizeof(name), apps[i].name);
        used += (size_t)snprintf(out + used, size - used, "%s%s:%u",
                                 i == 0 ? "" : ", ", name, apps[i].port);
    }
}

int mtls00_agreed(const SSL *ssl)
{
    const MTLS_APPLICATION *apps;

    return MTLS_ext_get0_agreed(ssl, &apps) > 0;
}

int mtls00_opened(struct link *k)
{
    char apps[500] = "";
    struct event e;

    if (!k->options->mtls00)
        return 1;
    if (BIO_mtls_get_version(k->m) != MTLS_VERSION_00) {
        if (!SSL_is_server(k->ssl) && k->options->no_fallback) {
            link_close(k, LINK_NO_HANDSHAKE,
                       "the server does not agree to data_multiplexing");
            return 0;
        }
        report_note("session with %s: draft 05, not mtls-00", k->peer);
        return 1;
    }
    put_apps(k->ssl, apps, sizeof(apps));
    event_begin(&e, "mtls00");
    event_text(&e, "peer", k->peer);
    event_text(&e, "applications", apps);
    event_line(&e, "session with %s: mtls-00 for %s", k->peer, apps);
    event_end(&e);
    return 1;
}
