/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: the table, the lines of -mr, and what is said meanwhile. */
#include "speed.h"
#include "speed_plot.h"

#include <openssl/crypto.h>
#include <stdio.h>

#define LINE "%-10s %-14s %6s %-6s %6s %-17s %-7s %6s %-17s %6s %s\n"

void speed_progress(const struct speed *s, const char *mode, const char *name,
                    int64_t octets)
{
    fprintf(stderr, "Doing %s %s", mode, name);
    if (octets > 0)
        fprintf(stderr, ", %lld octets", (long long)octets);
    fprintf(stderr, ": %d times %gs a side\n", s->runs, s->seconds);
}

void speed_report_begin(const struct speed *s)
{
    if (s->o.mr) {
        printf("+H:mode:row:octets:unit:against:runs:mtls:mtls_min:mtls_max:"
               "base:base_min:base_max:ratio:ratio_min:ratio_max\n");
        fflush(stdout);
        return;
    }
    printf("version: %s\n", OpenSSL_version(OPENSSL_VERSION));
    printf(LINE, "mode", "row", "octets", "unit", "MTLS", "(min-max)",
           "against", "", "(min-max)", "ratio", "(min-max)");
    fflush(stdout);
}

/* Three significant digits, without an exponent. */
static const char *number(char out[16], double v)
{
    int digits = v >= 100 ? 0 : v >= 10 ? 1 : v >= 1 ? 2 : 3;

    snprintf(out, 16, "%.*f", digits, v);
    return out;
}

static const char *spread(char out[40], const struct speed_summary *sum)
{
    char low[16];
    char high[16];

    snprintf(out, 40, "(%s-%s)", number(low, sum->min), number(high, sum->max));
    return out;
}

static void print_row(const struct speed_row *row,
                      const struct speed_summary *mtls,
                      const struct speed_summary *base,
                      const struct speed_summary *ratio)
{
    char a[16];
    char b[16];
    char c[16];
    char as[40];
    char bs[40];
    char cs[40];
    char octets[24] = "";

    if (row->octets > 0)
        snprintf(octets, sizeof(octets), "%lld", (long long)row->octets);
    printf(LINE, row->mode, row->name, octets, row->unit,
           number(a, mtls->median), spread(as, mtls), row->against,
           number(b, base->median), spread(bs, base), number(c, ratio->median),
           spread(cs, ratio));
}

void speed_report(const struct speed *s, const struct speed_row *row,
                  const struct speed_result *r, int m)
{
    struct speed_summary mtls = speed_summarise(r->v[SPEED_MTLS][m], r->runs);
    struct speed_summary base = speed_summarise(r->v[SPEED_BASE][m], r->runs);
    struct speed_summary ratio;
    double ratios[SPEED_RUNS_MAX];

    for (int i = 0; i < r->runs; i++)
        ratios[i] = r->v[SPEED_MTLS][m][i] / r->v[SPEED_BASE][m][i];
    ratio = speed_summarise(ratios, r->runs);
    if (s->o.mr)
        printf("+R:%s:%s:%lld:%s:%s:%d:%.6g:%.6g:%.6g:%.6g:%.6g:%.6g:%.6g:"
               "%.6g:%.6g\n",
               row->mode, row->name, (long long)row->octets, row->unit,
               row->against, r->runs, mtls.median, mtls.min, mtls.max,
               base.median, base.min, base.max, ratio.median, ratio.min,
               ratio.max);
    else
        print_row(row, &mtls, &base, &ratio);
    if (s->plot != NULL)
        speed_plot_row(s->plot, row, &mtls, &base, ratio.median);
    fflush(stdout);
}
