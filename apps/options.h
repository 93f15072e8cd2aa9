/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The command line: tables of options, one parser, one help text from both. */
#ifndef MTLS_APPS_OPTIONS_H
#define MTLS_APPS_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* A list of texts that belong to the command line. */
struct strings {
    const char **at;
    size_t n;
};

/* Everything a command can be told. Numbers are -1 where not given. */
struct options {
    const char *command;
    /* what to do */
    const char *accept;
    const char *connect;
    const char *stdio;       /* -W */
    struct strings forwards; /* -L */
    struct strings socks;    /* -D */
    struct strings remotes;  /* -R */
    struct strings allow;
    struct strings allow_listen;
    int echo;
    int tlsmux;
    /* DTLS */
    int dtls;
    int64_t mtu, udp_timeout, keepalive;
    /* mtls-00 */
    int mtls00, app_everything, no_fallback;
    struct strings apps;
    /* signatures */
    const char *sign, *evidence;
    int sign_require, sign_receipt;
    /* TLS */
    const char *ca_file, *ca_path;
    const char *cert, *key, *pass;
    const char *servername;
    const char *alpn;
    const char *sess_in, *sess_out;
    const char *keylog_file;
    const char *provider_path;
    struct strings providers;
    struct strings conf;     /* name, value, name, value: for SSL_CONF_cmd() */
    int64_t verify, require; /* -verify, -Verify: depth */
    int verify_return_error;
    int noverify;
    int tls1_2, tls1_3;
    /* limits of a session, and of the server */
    int64_t channels, window, max_packet, session_memory;
    int64_t sessions, sessions_max, handshake_timeout, idle_timeout;
    /* speed: what to measure, how long, how often */
    struct strings words;
    double seconds, settle;
    int64_t bytes, runs, multi;
    const char *plot;
    int mr;
    /* audit: LOG, and what to judge it by */
    struct strings operands, untrusted, crls;
    const char *expect, *peer, *out, *ts_reply;
    int64_t extract;
    int crl_check, crl_check_all, want_ts_query;
    /* what to show */
    int msg, debug, state, brief, quiet, json;
    int help;
};

enum option_kind {
    OPTION_HEADING, /* of the help text: |help| alone */
    OPTION_FLAG,    /* int, becomes 1 */
    OPTION_TEXT,    /* const char * */
    OPTION_NUMBER,  /* int64_t, min to max */
    OPTION_SECONDS, /* double, min to max, which are milliseconds */
    OPTION_LIST,    /* struct strings, may be repeated */
    OPTION_CONF,    /* kept in |conf| for SSL_CONF_cmd() */
    OPTION_WORD,    /* struct strings: the name itself, given without a dash */
    OPTION_OPERAND  /* struct strings: any other word without a dash */
};

struct option {
    const char *name; /* without its dash; NULL ends a table */
    enum option_kind kind;
    size_t offset;
    const char *argument; /* what the help text calls it */
    const char *help;
    int64_t min, max;
};

enum options_answer {
    OPTIONS_OK,
    OPTIONS_HELP,
    OPTIONS_BAD
};

/*
 * options_parse fills |o| from the arguments after the command's name, or says
 * on standard error what is wrong. |tables| are those that the command takes,
 * NULL last. After OPTIONS_HELP the help text has been shown.
 */
enum options_answer options_parse(struct options *o, const char *command,
                                  const char *usage,
                                  const struct option *const tables[], int argc,
                                  char *argv[]);

/* options_report makes report.h speak as the options say. */
void options_report(const struct options *o);

/* options_complain tells what is wrong with a command line. Returns 0. */
int options_complain(const char *command, const char *name, const char *what);

/* options_complain_of: of an option's value. Returns 0. */
int options_complain_of(const struct options *o, const char *option,
                        const char *value, const char *what);

/* options_tlsmux: with -tlsmux, whether the others are for it. 0: it said no.
 */
int options_tlsmux(struct options *o);

/* options_refuse complains of the first of |n| options that is given and does
 * not go together with |mode|. 0 if there is one. */
struct option_given {
    const char *name;
    int given;
};

int options_refuse(const struct options *o, const char *mode,
                   const struct option_given *others, size_t n);

void options_free(struct options *o);

/* The tables that both commands take. */
extern const struct option options_tls[];
extern const struct option options_session[];
extern const struct option options_output[];

#endif
