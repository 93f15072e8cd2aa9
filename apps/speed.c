/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: what MTLS costs and saves, beside raw TLS in the same run. */
#include "speed.h"
#include "commands.h"
#include "report.h"
#include "speed_plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct options, member)
#define RUNS 7
#define SECONDS 0.3
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
    {"latency", OPTION_WORD, AT(words), NULL,
     "small messages alone and beside bulk", 0, 0},
    {"relay", OPTION_WORD, AT(words), NULL,
     "throughput over 50 ms each way and 100 MB/s", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "How", 0, 0},
    {"seconds", OPTION_SECONDS, AT(seconds), "N",
     "each measurement takes so long (0.3)", 1, 3600000},
    {"runs", OPTION_NUMBER, AT(runs), "N",
     "measure so often, MTLS and raw TLS in turn (7)", 1, SPEED_RUNS_MAX},
    {"bytes", OPTION_NUMBER, AT(bytes), "N",
     "write pieces of so many octets, instead of various", 1, BYTES_MAX},
    {"multi", OPTION_NUMBER, AT(multi), "N",
     "throughput, open: add up so many processes", 1, 1000},
    {"settle", OPTION_SECONDS, AT(settle), "N",
     "relay: send for so long before anything is measured (5)", 0, 3600000},
    {NULL, OPTION_HEADING, 0, NULL, "TLS", 0, 0},
    {"tls1_2", OPTION_FLAG, AT(tls1_2), NULL, "TLS 1.2", 0, 0},
    {"tls1_3", OPTION_FLAG, AT(tls1_3), NULL, "TLS 1.3 (so it is anyway)", 0, 0},
    {"cipher", OPTION_CONF, 0, "LIST",
     "of TLS 1.2 (ECDHE-ECDSA-AES128-GCM-SHA256)", 0, 0},
    {"ciphersuites", OPTION_CONF, 0, "LIST",
     "of TLS 1.3 (TLS_AES_128_GCM_SHA256)", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "What is shown", 0, 0},
    {"plot", OPTION_TEXT, AT(plot), "FILE.svg",
     "draw it too (needs gnuplot)", 0, 0},
    {"mr", OPTION_FLAG, AT(mr), NULL, "lines for a program to read", 0, 0},
    {"help", OPTION_FLAG, AT(help), NULL, "this text", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static const struct option *const tables[] = {options_speed, NULL};

static const struct {
    const char *name;
    int (*run)(const struct speed *s);
    int adds_up; /* what several processes measure */
} modes[] = {
    {"throughput", speed_throughput, 1},
    {"open", speed_open, 1},
    {"idle", speed_idle, 0},
    {"latency", speed_latency, 0},
    {"relay", speed_relay, 0},
};

#define N_MODES (sizeof(modes) / sizeof(modes[0]))

static int wanted(const struct speed *s, const char *mode)
{
    for (size_t i = 0; i < s->o.words.n; i++)
        if (strcmp(s->o.words.at[i], mode) == 0)
            return 1;
    return s->o.words.n == 0;
}

/* What -multi adds up must be rates; 0 when a mode was named that has none. */
static int check_multi(const struct speed *s)
{
    for (size_t i = 0; s->multi > 1 && i < N_MODES; i++)
        if (!modes[i].adds_up && s->o.words.n > 0 && wanted(s, modes[i].name))
            return options_complain("speed", modes[i].name,
                                    ": not with -multi");
    return 1;
}

static int run_modes(struct speed *s)
{
    int ok;

    if (s->o.plot != NULL && (s->plot = speed_plot_new(s->o.plot)) == NULL)
        return 0;
    ok = speed_tls_init(s);
    if (ok)
        speed_report_begin(s);
    for (size_t i = 0; ok && i < N_MODES; i++)
        if (wanted(s, modes[i].name) && (s->multi == 1 || modes[i].adds_up))
            ok = modes[i].run(s) && !ferror(stdout);
    return ok && (s->plot == NULL || speed_plot_draw(s->plot));
}

static int measure(struct speed *s)
{
    report_init("speed", REPORT_LINES);
    s->seconds = s->o.seconds > 0 ? s->o.seconds : SECONDS;
    s->runs = s->o.runs > 0 ? (int)s->o.runs : RUNS;
    s->multi = s->o.multi > 0 ? (int)s->o.multi : 1;
    if (!check_multi(s))
        return EXIT_USAGE;
    return run_modes(s) ? EXIT_SUCCESS : EXIT_FAILURE;
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
    speed_plot_free(s.plot);
    options_free(&s.o);
    return status;
}
