/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: what MTLS costs and saves, beside raw TLS in the same run. */
#include "speed.h"
#include "commands.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct options, member)
#define RUNS 5
#define SECONDS 0.5
/* The largest piece. */
#define BYTES_MAX 16777216

/* clang-format off */
static const struct option options_speed[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What is measured (all, unless named)",
     0, 0},
    {"throughput", OPTION_WORD, AT(words), NULL, "octets a second", 0, 0},
    {"open", OPTION_WORD, AT(words), NULL,
     "channels opened and closed a second, beside handshakes", 0, 0},
    {"idle", OPTION_WORD, AT(words), NULL,
     "what idle channels take, beside SSL objects", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "How", 0, 0},
    {"seconds", OPTION_SECONDS, AT(seconds), "N",
     "each measurement takes so long (0.5)", 1, 3600000},
    {"runs", OPTION_NUMBER, AT(runs), "N",
     "measure so often, MTLS and raw TLS in turn (5)", 1, SPEED_RUNS_MAX},
    {"bytes", OPTION_NUMBER, AT(bytes), "N",
     "write pieces of so many octets, instead of various", 1, BYTES_MAX},
    {"multi", OPTION_NUMBER, AT(multi), "N",
     "add up what so many processes do at a time", 1, 1000},
    {NULL, OPTION_HEADING, 0, NULL, "TLS", 0, 0},
    {"tls1_2", OPTION_FLAG, AT(tls1_2), NULL, "TLS 1.2", 0, 0},
    {"tls1_3", OPTION_FLAG, AT(tls1_3), NULL, "TLS 1.3 (always so)", 0, 0},
    {"cipher", OPTION_CONF, 0, "LIST",
     "of TLS 1.2 (ECDHE-ECDSA-AES128-GCM-SHA256)", 0, 0},
    {"ciphersuites", OPTION_CONF, 0, "LIST",
     "of TLS 1.3 (TLS_AES_128_GCM_SHA256)", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "What is shown", 0, 0},
    {"mr", OPTION_FLAG, AT(mr), NULL, "lines for a program to read", 0, 0},
    {"help", OPTION_FLAG, AT(help), NULL, "this text", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static const struct option *const tables[] = {options_speed, NULL};

static const struct {
    const char *name;
    int (*run)(const struct speed *s);
} modes[] = {
    {"throughput", speed_throughput},
    {"open", speed_open},
    {"idle", speed_idle},
};

#define N_MODES (sizeof(modes) / sizeof(modes[0]))

static int wanted(const struct speed *s, const char *mode)
{
    for (size_t i = 0; i < s->o.words.n; i++)
        if (strcmp(s->o.words.at[i], mode) == 0)
            return 1;
    return s->o.words.n == 0;
}

static int measure(struct speed *s)
{
    int ok;

    report_init("speed", REPORT_LINES);
    s->seconds = s->o.seconds > 0 ? s->o.seconds : SECONDS;
    s->runs = s->o.runs > 0 ? (int)s->o.runs : RUNS;
    s->multi = s->o.multi > 0 ? (int)s->o.multi : 1;
    ok = speed_tls_init(s);
    if (ok)
        speed_report_begin(s);
    for (size_t i = 0; ok && i < N_MODES; i++)
        if (wanted(s, modes[i].name))
            ok = modes[i].run(s);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int speed_main(int argc, char *argv[])
{
    struct speed s = {0};
    int status = EXIT_USAGE;

    switch (options_parse(&s.o, "speed", "mtls speed [MODE]... [options]",
                          tables, argc, argv)) {
    case OPTIONS_OK:
        status = measure(&s);
        break;
    case OPTIONS_HELP:
        status = EXIT_SUCCESS;
        break;
    case OPTIONS_BAD:
        break;
    }
    speed_tls_free(&s);
    options_free(&s.o);
    return status;
}
