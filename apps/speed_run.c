/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed: slices of MTLS and of its base in turn, so that what else the
 * machine does meanwhile befalls both; with -multi in several processes that
 * begin each slice together.
 *
 * Where in memory the buffers happen to be makes a difference of up to a third.
 * So each run is a process of its own, and has its heap elsewhere.
 */
#include "speed.h"
#include "speed_process.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define STEP 2544 /* malloc() aligns to 16 */

struct worker {
    pid_t pid;
    int fd;
};

static int worker_number;

int speed_worker(void)
{
    return worker_number;
}

double speed_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The base first. */
static enum speed_side side_of(int slice)
{
    return slice % 2 == 0 ? SPEED_BASE : SPEED_MTLS;
}

/* Moves what will be allocated by another part of a page in each run. */
static void move_heap(int run)
{
    static void *pad;

    pad = malloc(16 + (size_t)run * STEP % PAGE);
    if (pad != NULL)
        memset(pad, 0, 16);
}

/* A worker says that it is ready, gets the side, and tells what it measured. */
static int work(const struct speed_test *t, int run, int fd)
{
    double metrics[SPEED_METRICS];
    unsigned char side = 0;
    int ok;

    move_heap(run);
    ok = t->begin(t->state);
    while (ok && speed_put(fd, &side, 1) && speed_get(fd, &side, 1)) {
        memset(metrics, 0, sizeof(metrics));
        ok = t->slice(t->state, side, metrics) &&
             speed_put(fd, metrics, sizeof(metrics));
    }
    return ok;
}

/* One slice in all workers at once. */
static int slice_all(const struct worker *w, int n, enum speed_side side,
                     double sums[])
{
    unsigned char command = (unsigned char)side;
    double metrics[SPEED_METRICS];
    unsigned char ready;

    for (int i = 0; i < n; i++)
        if (!speed_get(w[i].fd, &ready, 1))
            return 0;
    for (int i = 0; i < n; i++)
        if (!speed_put(w[i].fd, &command, 1))
            return 0;
    for (int i = 0; i < n; i++) {
        if (!speed_get(w[i].fd, metrics, sizeof(metrics)))
            return 0;
        for (int m = 0; m < SPEED_METRICS; m++)
            sums[m] += metrics[m];
    }
    return 1;
}

static int start_all(struct worker *w, int n, const struct speed_test *t,
                     int run)
{
    for (int i = 0; i < n; i++) {
        w[i].pid = speed_fork(&w[i].fd);
        if (w[i].pid < 0)
            return 0;
        if (w[i].pid == 0) {
            worker_number = i;
            _exit(work(t, run, w[i].fd) ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    return 1;
}

static void stop_all(struct worker *w, int n)
{
    for (int i = 0; i < n; i++)
        speed_join(&w[i].pid, &w[i].fd);
}

/* Whether it is the first that the processes live for. */
static int is_first(enum speed_life life, int slice)
{
    return life == SPEED_FOR_A_SLICE || slice == 0 ||
           (life == SPEED_FOR_A_RUN && slice % 2 == 0);
}

int speed_measure(const struct speed *s, const struct speed_test *t,
                  struct speed_result *r)
{
    struct worker *w = calloc((size_t)s->multi, sizeof(*w));
    int ok = w != NULL;

    r->runs = s->runs;
    for (int i = 0; ok && i < 2 * s->runs; i++) {
        double sums[SPEED_METRICS] = {0};

        if (is_first(t->life, i)) {
            stop_all(w, s->multi);
            ok = start_all(w, s->multi, t, i / 2);
        }
        ok = ok && slice_all(w, s->multi, side_of(i), sums);
        for (int m = 0; m < SPEED_METRICS; m++)
            r->v[side_of(i)][m][i / 2] = sums[m];
    }
    if (w != NULL)
        stop_all(w, s->multi);
    free(w);
    return ok;
}
