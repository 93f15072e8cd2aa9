/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "options.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_31 INT64_C(0x7fffffff)

/* clang-format off */
#define AT(member) offsetof(struct options, member)

const struct option options_tls[] = {
    {NULL, OPTION_HEADING, 0, NULL, "TLS", 0, 0},
    {"CAfile", OPTION_TEXT, AT(ca_file), "FILE",
     "trust the certificates in this PEM file", 0, 0},
    {"CApath", OPTION_TEXT, AT(ca_path), "DIR",
     "trust those in this directory (see openssl rehash)", 0, 0},
    {"cert", OPTION_TEXT, AT(cert), "FILE",
     "own certificate, PEM, its chain behind it", 0, 0},
    {"key", OPTION_TEXT, AT(key), "FILE|URI",
     "its private key, unless -cert holds it", 0, 0},
    {"pass", OPTION_TEXT, AT(pass), "SOURCE",
     "pass phrase of the key: pass:, env:, file:, fd:, stdin", 0, 0},
    {"verify_return_error", OPTION_FLAG, AT(verify_return_error), NULL,
     "end the handshake when the peer fails (always so here)", 0, 0},
    {"tls1_2", OPTION_FLAG, AT(tls1_2), NULL, "TLS 1.2 only", 0, 0},
    {"tls1_3", OPTION_FLAG, AT(tls1_3), NULL, "TLS 1.3 only", 0, 0},
    {"cipher", OPTION_CONF, 0, "LIST", "cipher suites of TLS 1.2", 0, 0},
    {"ciphersuites", OPTION_CONF, 0, "LIST", "cipher suites of TLS 1.3", 0, 0},
    {"groups", OPTION_CONF, 0, "LIST", "groups for the key exchange", 0, 0},
    {"sigalgs", OPTION_CONF, 0, "LIST", "signature algorithms", 0, 0},
    {"alpn", OPTION_TEXT, AT(alpn), "LIST",
     "application protocols, with commas ('mtls'; '': none)", 0, 0},
    {"keylogfile", OPTION_TEXT, AT(keylog_file), "FILE",
     "append the session's secrets, for a protocol analyser", 0, 0},
    {"provider-path", OPTION_TEXT, AT(provider_path), "DIR",
     "where providers are (before -provider)", 0, 0},
    {"provider", OPTION_LIST, AT(providers), "NAME",
     "load this provider, and only those named", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};

const struct option options_session[] = {
    {NULL, OPTION_HEADING, 0, NULL, "Limits of a session", 0, 0},
    {"channels", OPTION_NUMBER, AT(channels), "N",
     "channels at a time, both directions (65536)", 1, 65536},
    {"window", OPTION_NUMBER, AT(window), "N",
     "octets a channel may have unread (64 KiB, tuned to 16 MiB)", 1, MAX_31},
    {"max_packet", OPTION_NUMBER, AT(max_packet), "N",
     "octets of data in a packet (16375)", 1, MAX_31},
    {"session_memory", OPTION_NUMBER, AT(session_memory), "N",
     "octets that all windows may take (64 MiB)", 1, INT64_C(1) << 48},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};

const struct option options_output[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What is shown, on standard error", 0, 0},
    {"brief", OPTION_FLAG, AT(brief), NULL,
     "each session as openssl s_client -brief shows it", 0, 0},
    {"quiet", OPTION_FLAG, AT(quiet), NULL, "errors alone", 0, 0},
    {"json", OPTION_FLAG, AT(json), NULL, "one JSON object a line", 0, 0},
    {"msg", OPTION_FLAG, AT(msg), NULL, "each MTLS packet, decoded", 0, 0},
    {"debug", OPTION_FLAG, AT(debug), NULL,
     "each MTLS packet, decoded and in hexadecimal", 0, 0},
    {"state", OPTION_FLAG, AT(state), NULL, "the states of TLS", 0, 0},
    {"help", OPTION_FLAG, AT(help), NULL, "this text", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static void show_help(const char *usage, const struct option *const tables[])
{
    printf("Usage: %s\n", usage);
    for (; *tables != NULL; tables++) {
        for (const struct option *d = *tables; d->help != NULL; d++) {
            char left[64];

            if (d->kind == OPTION_HEADING) {
                printf("\n%s:\n", d->help);
                continue;
            }
            snprintf(left, sizeof(left), "%s%s %s",
                     d->kind == OPTION_WORD || d->kind == OPTION_OPERAND ? ""
                                                                         : "-",
                     d->name, d->argument != NULL ? d->argument : "");
            printf("  %-25s ", left);
            for (const char *c = d->help; *c != '\0'; c++)
                printf(*c == '\n' ? "\n%28c" : "%c", *c == '\n' ? ' ' : *c);
            printf("\n");
        }
    }
}

/* |word| as it was given: with one dash, with two, or without. */
static const struct option *find(const struct option *const tables[],
                                 const char *word)
{
    int dashes = word[0] != '-' ? 0 : word[1] != '-' ? 1 : 2;
    const struct option *operand = NULL;

    for (; *tables != NULL; tables++) {
        for (const struct option *d = *tables; d->help != NULL; d++) {
            if (d->kind == OPTION_OPERAND && dashes == 0)
                operand = d;
            else if (d->name != NULL && strcmp(d->name, word + dashes) == 0 &&
                     (d->kind == OPTION_WORD) == (dashes == 0))
                return d;
        }
    }
    return operand;
}

static int strings_add(struct strings *list, const char *text)
{
    const char **grown = realloc(list->at, (list->n + 1) * sizeof(*grown));

    if (grown == NULL)
        return 0;
    list->at = grown;
    list->at[list->n++] = text;
    return 1;
}

/* Decimal digits alone: strtoll() would take blanks and signs too. */
static int parse_number(const struct option *d, const char *text, int64_t *out)
{
    char *end;

    if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
        return 0;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *out >= d->min && *out <= d->max;
}

static int parse_seconds(const struct option *d, const char *text, double *out)
{
    char *end;

    if (*text == '\0' || strspn(text, "0123456789.") != strlen(text))
        return 0;
    *out = strtod(text, &end);
    return *end == '\0' && *out * 1000 >= (double)d->min &&
           *out * 1000 <= (double)d->max;
}

int options_complain(const char *command, const char *name, const char *what)
{
    fprintf(stderr, "mtls %s: %s%s\nTry: mtls %s -help\n", command, name, what,
            command);
    return 0;
}

int options_complain_of(const struct options *o, const char *option,
                        const char *value, const char *what)
{
    fprintf(stderr, "mtls %s: %s '%s'%s\nTry: mtls %s -help\n", o->command,
            option, value, what, o->command);
    return 0;
}

static int take(struct options *o, const struct option *d, const char *word,
                const char *value)
{
    void *member = (char *)o + d->offset;
    char range[80];

    switch (d->kind) {
    case OPTION_FLAG:
        *(int *)member = 1;
        return 1;
    case OPTION_TEXT:
        *(const char **)member = value;
        return 1;
    case OPTION_NUMBER:
        if (parse_number(d, value, member))
            return 1;
        snprintf(range, sizeof(range), ": a number from %lld to %lld, please",
                 (long long)d->min, (long long)d->max);
        return options_complain(o->command, word, range);
    case OPTION_SECONDS:
        if (parse_seconds(d, value, member))
            return 1;
        snprintf(range, sizeof(range), ": seconds from %g to %g, please",
                 (double)d->min / 1000, (double)d->max / 1000);
        return options_complain(o->command, word, range);
    case OPTION_WORD:
        return strings_add(member, d->name) ||
               options_complain(o->command, word, ": no memory");
    case OPTION_OPERAND:
        return strings_add(member, word) ||
               options_complain(o->command, word, ": no memory");
    case OPTION_LIST:
        return strings_add(member, value) ||
               options_complain(o->command, word, ": no memory");
    case OPTION_CONF:
        return (strings_add(&o->conf, d->name) &&
                strings_add(&o->conf, value)) ||
               options_complain(o->command, word, ": no memory");
    case OPTION_HEADING:
        break;
    }
    return 0;
}

static void set_defaults(struct options *o, const char *command)
{
    memset(o, 0, sizeof(*o));
    o->command = command;
    o->verify = o->require = -1;
    o->channels = o->window = o->max_packet = o->session_memory = -1;
    o->sessions = o->sessions_max = o->handshake_timeout = o->idle_timeout = -1;
    o->seconds = o->settle = -1;
    o->bytes = o->runs = o->multi = -1;
    o->extract = -1;
    o->mtu = o->udp_timeout = o->keepalive = -1;
}

enum options_answer options_parse(struct options *o, const char *command,
                                  const char *usage,
                                  const struct option *const tables[], int argc,
                                  char *argv[])
{
    set_defaults(o, command);
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        const struct option *d = find(tables, word);
        const char *value = NULL;

        if (d == NULL) {
            options_complain(command, word,
                             word[0] == '-' ? ": unknown option"
                                            : ": not an option");
            return OPTIONS_BAD;
        }
        if (d->kind != OPTION_FLAG && d->kind != OPTION_WORD &&
            d->kind != OPTION_OPERAND && (value = argv[++i]) == NULL) {
            options_complain(command, word, ": needs a value");
            return OPTIONS_BAD;
        }
        if (!take(o, d, word, value))
            return OPTIONS_BAD;
    }
    if (!o->help)
        return OPTIONS_OK;
    show_help(usage, tables);
    return OPTIONS_HELP;
}

int options_refuse(const struct options *o, const char *mode,
                   const struct option_given *others, size_t n)
{
    char what[64];

    snprintf(what, sizeof(what), ": not together with %s", mode);
    for (size_t i = 0; i < n; i++) {
        if (others[i].given)
            return options_complain(o->command, others[i].name, what);
    }
    return 1;
}

int options_tlsmux(struct options *o)
{
    const struct option_given others[] = {
        {"-R", o->remotes.n > 0},
        {"-allow-listen", o->allow_listen.n > 0},
        {"-echo", o->echo},
        {"-sessions", o->sessions > 1},
        {"-channels", o->channels >= 0},
        {"-window", o->window >= 0},
        {"-max_packet", o->max_packet >= 0},
        {"-msg", o->msg},
        {"-session_memory", o->session_memory >= 0},
        {"-debug", o->debug},
    };

    if (!o->tlsmux)
        return 1;
    if (!options_refuse(o, "-tlsmux", others,
                        sizeof(others) / sizeof(others[0])))
        return 0;
    if (o->alpn == NULL)
        o->alpn = ""; /* the draft knows none */
    return 1;
}

void options_report(const struct options *o)
{
    enum report_style style = o->json    ? REPORT_JSON
                              : o->quiet ? REPORT_QUIET
                              : o->brief ? REPORT_BRIEF
                                         : REPORT_LINES;

    report_init(o->command, style);
}

void options_free(struct options *o)
{
    free(o->forwards.at);
    free(o->socks.at);
    free(o->remotes.at);
    free(o->allow.at);
    free(o->allow_listen.at);
    free(o->providers.at);
    free(o->apps.at);
    free(o->conf.at);
    free(o->words.at);
    free(o->operands.at);
    free(o->untrusted.at);
    free(o->crls.at);
}
