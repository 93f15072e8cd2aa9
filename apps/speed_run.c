/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed: slices of MTLS and of its base in turn, so that what else the
 * machine does meanwhile befalls both; with -multi in several processes that
 * begin each slice together.
 */
#include "speed.h"

#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct worker {
    pid_t pid;
    int fd;
};

double speed_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- in this process -------------------------------------------------------
 */

static int measure_here(const struct speed *s, const struct speed_test *t,
                        struct speed_result *r)
{
    double metrics[SPEED_METRICS];
    int ok = t->begin(t->state);

    for (int i = 0; ok && i < 2 * s->runs; i++) {
        enum speed_side side = i % 2 == 0 ? SPEED_BASE : SPEED_MTLS;

        memset(metrics, 0, sizeof(metrics));
        ok = t->slice(t->state, side, metrics);
        for (int m = 0; m < SPEED_METRICS; m++)
            r->v[side][m][i / 2] = metrics[m];
    }
    t->end(t->state);
    return ok;
}

/* --- in several ------------------------------------------------------------
 */

static int read_all(int fd, void *out, size_t len)
{
    char *p = out;

    while (len > 0) {
        ssize_t n = read(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        p += n;
        len -= (size_t)n;
    }
    return 1;
}

/* A worker measures a slice each time that it gets an octet, the side. */
static int work(const struct speed_test *t, int fd)
{
    double metrics[SPEED_METRICS];
    unsigned char side;
    int ok = t->begin(t->state);

    while (ok && write(fd, &ok, sizeof(ok)) == sizeof(ok) &&
           read_all(fd, &side, 1)) {
        memset(metrics, 0, sizeof(metrics));
        ok = t->slice(t->state, side, metrics) &&
             write(fd, metrics, sizeof(metrics)) == sizeof(metrics);
    }
    t->end(t->state);
    return ok;
}

static int start(struct worker *w, const struct speed_test *t)
{
    pid_t parent = getpid();
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        return 0;
    fflush(stdout);
    w->pid = fork();
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        close(fd[0]);
        _exit(work(t, fd[1]) ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(fd[1]);
    w->fd = fd[0];
    if (w->pid < 0)
        close(fd[0]);
    return w->pid > 0;
}

/* One slice in all workers at once. */
static int slice_all(const struct worker *w, int n, enum speed_side side,
                     double sums[])
{
    unsigned char command = (unsigned char)side;
    double metrics[SPEED_METRICS];
    int ready;

    for (int i = 0; i < n; i++)
        if (!read_all(w[i].fd, &ready, sizeof(ready)))
            return 0;
    for (int i = 0; i < n; i++)
        if (write(w[i].fd, &command, 1) != 1)
            return 0;
    for (int i = 0; i < n; i++) {
        if (!read_all(w[i].fd, metrics, sizeof(metrics)))
            return 0;
        for (int m = 0; m < SPEED_METRICS; m++)
            sums[m] += metrics[m];
    }
    return 1;
}

static int measure_many(const struct speed *s, const struct speed_test *t,
                        struct speed_result *r)
{
    struct worker *w = calloc((size_t)s->multi, sizeof(*w));
    int n = 0;
    int ok = w != NULL;

    for (; ok && n < s->multi; n += ok)
        ok = start(&w[n], t);
    if (!ok)
        report_error("-multi: no process: %s", strerror(errno));
    for (int i = 0; ok && i < 2 * s->runs; i++) {
        enum speed_side side = i % 2 == 0 ? SPEED_BASE : SPEED_MTLS;
        double sums[SPEED_METRICS] = {0};

        ok = slice_all(w, n, side, sums);
        for (int m = 0; m < SPEED_METRICS; m++)
            r->v[side][m][i / 2] = sums[m];
    }
    for (int i = 0; i < n; i++) {
        close(w[i].fd);
        waitpid(w[i].pid, NULL, 0);
    }
    free(w);
    return ok;
}

int speed_measure(const struct speed *s, const struct speed_test *t,
                  struct speed_result *r)
{
    r->runs = s->runs;
    return s->multi > 1 ? measure_many(s, t, r) : measure_here(s, t, r);
}
