/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_plot.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIDTH 1000
#define HEIGHT 320 /* of a part */

struct bar {
    char mode[16], name[32], unit[16], against[16];
    int64_t octets;
    struct speed_summary mtls, base;
    double ratio;
};

struct speed_plot {
    char *file;
    int fd;
    struct bar *bars;
    size_t n;
    int lost; /* a row had no room */
};

/* --- gnuplot as a process --------------------------------------------------
 */

/* Runs it with these as its standard input and output; its exit status. */
static int run_gnuplot(const char *argument, int in, int out)
{
    int status = -1;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
            execlp("gnuplot", "gnuplot", argument, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int is_there(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int status = null < 0 ? -1 : run_gnuplot("--version", null, null);

    if (null >= 0)
        close(null);
    if (status != 0)
        report_error("-plot needs gnuplot (Debian: gnuplot-nox), which is "
                     "not there");
    return status == 0;
}

struct speed_plot *speed_plot_new(const char *file)
{
    struct speed_plot *p = calloc(1, sizeof(*p));

    if (p == NULL || !is_there()) {
        free(p);
        return NULL;
    }
    p->file = strdup(file);
    p->fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (p->file == NULL || p->fd < 0) {
        report_error("-plot %s can't be written: %s", file, strerror(errno));
        speed_plot_free(p);
        return NULL;
    }
    return p;
}

void speed_plot_free(struct speed_plot *p)
{
    if (p == NULL)
        return;
    if (p->fd >= 0)
        close(p->fd);
    free(p->file);
    free(p->bars);
    free(p);
}

/* --- rows ------------------------------------------------------------------
 */

void speed_plot_row(struct speed_plot *p, const struct speed_row *row,
                    const struct speed_summary *mtls,
                    const struct speed_summary *base, double ratio)
{
    struct bar *grown = realloc(p->bars, (p->n + 1) * sizeof(*grown));
    struct bar *b;

    if (grown == NULL) {
        p->lost = 1;
        return;
    }
    p->bars = grown;
    b = &grown[p->n++];
    snprintf(b->mode, sizeof(b->mode), "%s", row->mode);
    snprintf(b->name, sizeof(b->name), "%s", row->name);
    snprintf(b->unit, sizeof(b->unit), "%s", row->unit);
    snprintf(b->against, sizeof(b->against), "%s", row->against);
    b->octets = row->octets;
    b->mtls = *mtls;
    b->base = *base;
    b->ratio = ratio;
}

static int same_part(const struct bar *a, const struct bar *b)
{
    return strcmp(a->mode, b->mode) == 0 && strcmp(a->unit, b->unit) == 0;
}

/* The first of its part. */
static int is_first(const struct speed_plot *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_part(&p->bars[k], &p->bars[i]))
            return 0;
    return 1;
}

static size_t count_parts(const struct speed_plot *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += (size_t)is_first(p, i);
    return n;
}

/* --- the script ------------------------------------------------------------
 */

/* A name takes a line for each of its words, for want of room. */
static void write_label(FILE *f, const struct bar *b)
{
    fputc('"', f);
    for (const char *c = b->name; *c != '\0'; c++)
        fputs(*c == '-' ? "\\n" : (const char[]){*c, '\0'}, f);
    if (b->octets > 0)
        fprintf(f, "\\n%lld", (long long)b->octets);
    if (strcmp(b->against, "raw") != 0)
        fprintf(f, "\\n(%s)", b->against);
    fputc('"', f);
}

static void write_bar(FILE *f, const struct bar *b)
{
    write_label(f, b);
    fprintf(f, " %g %g %g %g %g %g \"%.3gx\"\n", b->mtls.median, b->mtls.min,
            b->mtls.max, b->base.median, b->base.min, b->base.max, b->ratio);
}

/* Bars of a part; above each pair stands the ratio. */
static void write_part(FILE *f, const struct speed_plot *p, size_t first)
{
    const struct bar *b = &p->bars[first];
    double low = b->mtls.min;
    double high = b->mtls.max;

    fprintf(f, "$part%zu << END\n", first);
    for (size_t i = first; i < p->n; i++) {
        const struct bar *other = &p->bars[i];

        if (!same_part(b, other))
            continue;
        write_bar(f, other);
        low = other->mtls.min < low ? other->mtls.min : low;
        low = other->base.min < low ? other->base.min : low;
        high = other->mtls.max > high ? other->mtls.max : high;
        high = other->base.max > high ? other->base.max : high;
    }
    fprintf(f,
            "END\nset title \"%s, %s\"\nset yrange [%g:%g]\n"
            "plot $part%zu using 2:3:4:xtic(1) title \"MTLS\", "
            "'' using 5:6:7 title \"raw TLS (or as told)\", "
            "'' using 0:($4 > $7 ? $4 : $7):8 with labels offset 0,1 notitle\n",
            b->mode, b->unit, low / 2, high * 4, first);
}

static void write_script(FILE *f, const struct speed_plot *p)
{
    size_t parts = count_parts(p);

    fprintf(f,
            "set terminal svg size %d,%zu background rgb 'white'\n"
            "set style data histograms\n"
            "set style histogram errorbars gap 1 lw 1\n"
            "set style fill solid 0.6 border\n"
            "set logscale y\nset grid ytics\nset xtics scale 0\n"
            "set format y '%%g'\nset bmargin 5\n"
            "set key tmargin right horizontal\n"
            "set multiplot layout %zu,1\n",
            WIDTH, HEIGHT * parts, parts);
    for (size_t i = 0; i < p->n; i++)
        if (is_first(p, i))
            write_part(f, p, i);
    fprintf(f, "unset multiplot\n");
}

int speed_plot_draw(const struct speed_plot *p)
{
    FILE *script = tmpfile();
    int ok = script != NULL && !p->lost;

    if (ok) {
        write_script(script, p);
        ok = fflush(script) == 0 && fseek(script, 0, SEEK_SET) == 0 &&
             ftruncate(p->fd, 0) == 0 &&
             run_gnuplot("-", fileno(script), p->fd) == 0;
    }
    if (script != NULL)
        fclose(script);
    if (!ok)
        report_error("-plot %s could not be drawn", p->file);
    return ok;
}
