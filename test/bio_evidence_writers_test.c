/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Writers of one evidence log that are killed, fork, or run side by side. What
 * append() has acknowledged is in the log, and the log stays whole.
 */
#include "err.h"
#include "evidence_log.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APPENDS 1000
#define WRITERS 4

static char path[256];

static void set_up(void)
{
    evidence_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
}

/*
 * Appends "W C" with |writer| and a count from |from| on, and tells each count
 * that is in the log. Some are large: the kernel stops amid a large write.
 */
static void append_all(struct mtls_evidence_log *log, int writer, int from,
                       int to, int tell)
{
    const size_t size = 1 << 20;
    char *text = malloc(size);

    if (text == NULL)
        _exit(5);
    for (int i = from; i < to; i++) {
        struct mtls_evidence e;
        char name[32];
        int n = snprintf(name, sizeof(name), "%d %d ", writer, i);

        memset(text, '.', size);
        memcpy(text, name, (size_t)n);
        e = evidence_sample("");
        e.object = (const unsigned char *)text;
        e.object_len = i % 8 == 0 ? size : (size_t)(20 + i * 37 % 3900);
        if (!mtls_evidence_append(log, &e, NULL))
            _exit(3);
        if (tell >= 0 && write(tell, &i, sizeof(i)) != sizeof(i))
            _exit(4);
    }
    free(text);
}

static pid_t start_writer(int writer, int from, int to, int tell)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct mtls_evidence_log *log = mtls_evidence_open(path);

        if (log == NULL)
            _exit(2);
        append_all(log, writer, from, to, tell);
        mtls_evidence_close(log);
        _exit(0);
    }
    return pid;
}

/* How often each of a writer's counts is in the log. */
static int seen[WRITERS + 1][APPENDS];
static uint64_t torn;

static void note(const struct mtls_evidence *e, void *arg)
{
    char *end;
    long writer, i;

    (void)arg;
    if (e->kind == MTLS_EVIDENCE_TORN) {
        torn++;
        return;
    }
    writer = strtol((const char *)e->object, &end, 10);
    i = strtol(end, NULL, 10);
    ck_assert(writer >= 0 && writer <= WRITERS && i >= 0 && i < APPENDS);
    seen[writer][i]++;
}

static void exits_well(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* Reads |n| counts that a writer told, or all: what comes after the last. */
static int told(int fd, int next, int n)
{
    int i;

    while (n-- > 0 && read(fd, &i, sizeof(i)) == sizeof(i))
        next = i + 1;
    return next;
}

/*
 * Each writer is killed a little after it told some counts, or none: amid the
 * creation of the log, writing, syncing, mending what the last one left.
 */
START_TEST(a_killed_writer_loses_nothing_acknowledged)
{
    int next = 0, kills = 0;
    uint64_t entries;

    set_up();
    while (next < APPENDS) {
        int ends[2], status;
        pid_t pid;

        ck_assert_int_eq(pipe(ends), 0);
        pid = start_writer(0, next, APPENDS, ends[1]);
        close(ends[1]);
        next = told(ends[0], next, kills % 16);
        usleep((useconds_t)(kills * 997 % 5000));
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0,
                      "a writer failed: %d", status);
        next = told(ends[0], next, APPENDS);
        close(ends[0]);
        kills++;
    }
    entries = evidence_walk(path, note, NULL);
    for (int i = 0; i < APPENDS; i++)
        ck_assert_int_ge(seen[0][i], 1);
    ck_assert_uint_ge(entries, APPENDS);
    printf("%d kills, %llu torn ends\n", kills, (unsigned long long)torn);
    evidence_remove();
}
END_TEST

START_TEST(several_processes_keep_one_chain)
{
    pid_t pids[WRITERS];

    set_up();
    for (int i = 0; i < WRITERS; i++)
        pids[i] = start_writer(i, 0, 100, -1);
    for (int i = 0; i < WRITERS; i++)
        exits_well(pids[i]);
    ck_assert_uint_eq(evidence_walk(path, note, NULL), WRITERS * 100);
    for (int i = 0; i < WRITERS; i++)
        for (int j = 0; j < 100; j++)
            ck_assert_int_eq(seen[i][j], 1);
    evidence_remove();
}
END_TEST

/* A child of fork() shares the descriptor, and so flock()'s lock, with us. */
START_TEST(a_handle_goes_on_after_a_fork)
{
    struct mtls_evidence_log *log;
    pid_t pids[WRITERS];

    set_up();
    ck_assert_int_eq(chdir(evidence_file("")), 0);
    log = mtls_evidence_open("orders.log");
    ck_assert_ptr_nonnull(log);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            if (chdir("/") != 0)
                _exit(6);
            append_all(log, i, 0, 100, -1);
            _exit(0);
        }
    }
    append_all(log, WRITERS, 0, 100, -1);
    for (int i = 0; i < WRITERS; i++)
        exits_well(pids[i]);
    mtls_evidence_close(log);
    ck_assert_uint_eq(evidence_walk(path, note, NULL), (WRITERS + 1) * 100);
    evidence_remove();
}
END_TEST

struct thread {
    struct mtls_evidence_log *log;
    pthread_t thread;
    int writer;
};

static void *run_thread(void *arg)
{
    struct thread *t = arg;

    append_all(t->log, t->writer, 0, 100, -1);
    mtls_evidence_close(t->log);
    return NULL;
}

/* Two on one handle, two on handles of their own. */
START_TEST(threads_keep_one_chain)
{
    struct thread threads[WRITERS];

    set_up();
    for (int i = 0; i < WRITERS; i++) {
        threads[i].writer = i;
        if (i == 1) {
            threads[i].log = threads[0].log;
            mtls_evidence_up_ref(threads[0].log);
        } else {
            threads[i].log = mtls_evidence_open(path);
        }
        ck_assert_ptr_nonnull(threads[i].log);
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]),
            0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i].thread, NULL);
    ck_assert_uint_eq(evidence_walk(path, note, NULL), WRITERS * 100);
    evidence_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evidence_writers");
    TCase *tc = tcase_create("writers");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 280);
    tcase_add_test(tc, a_killed_writer_loses_nothing_acknowledged);
    tcase_add_test(tc, several_processes_keep_one_chain);
    tcase_add_test(tc, a_handle_goes_on_after_a_fork);
    tcase_add_test(tc, threads_keep_one_chain);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
