/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* An evidence log: what is appended is there, in order, whoever appends. */
#include "err.h"
#include "evidence.h"
#include "evidence_log.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path;

static void set_up(void)
{
    evidence_folder();
    path = evidence_file("orders.log");
}

static struct mtls_evidence_log *must_open(void)
{
    struct mtls_evidence_log *log = mtls_evidence_open(path);

    if (log == NULL)
        ERR_print_errors_fp(stderr);
    ck_assert_ptr_nonnull(log);
    return log;
}

static void append(struct mtls_evidence_log *log, const char *text,
                   uint64_t expected)
{
    struct mtls_evidence e = evidence_sample(text);
    uint64_t number = 0;

    ck_assert(mtls_evidence_append(log, &e, &number));
    ck_assert_uint_eq(number, expected);
}

/* --- appended, and read back --- */

static void first_of(const struct mtls_evidence *e, void *arg)
{
    static const char *const texts[] = {"one", "two", "three"};
    const char *text = texts[e->number - 1];

    ck_assert_uint_eq(e->object_len, strlen(text));
    ck_assert_mem_eq(e->object, text, e->object_len);
    ck_assert_int_eq(e->kind, MTLS_EVIDENCE_MESSAGE_SENT);
    ck_assert_uint_eq(e->sequence, 7);
    ck_assert_str_eq((const char *)e->binding, "the session");
    ck_assert_uint_eq(e->peer_len, 14);
    ck_assert_mem_eq(e->peer, "localhost:4433", 14);
    ++*(int *)arg;
}

START_TEST(what_is_appended_is_read_back)
{
    struct mtls_evidence_log *log;
    struct stat st;
    int seen = 0;

    set_up();
    log = must_open();
    append(log, "one", 1);
    append(log, "two", 2);
    mtls_evidence_close(log);
    log = must_open();
    append(log, "three", 3);
    mtls_evidence_close(log);
    ck_assert_uint_eq(evidence_walk(path, first_of, &seen), 3);
    ck_assert_int_eq(seen, 3);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    evidence_remove();
}
END_TEST

static void time_is_now(const struct mtls_evidence *e, void *arg)
{
    (void)arg;
    ck_assert_uint_ge(e->time, 1790000000000);
}

START_TEST(no_time_is_the_present)
{
    struct mtls_evidence_log *log;
    struct mtls_evidence e = evidence_sample("x");

    set_up();
    log = must_open();
    e.time = 0;
    ck_assert(mtls_evidence_append(log, &e, NULL));
    mtls_evidence_close(log);
    evidence_walk(path, time_is_now, NULL);
    evidence_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evidence");
    TCase *tc = tcase_create("log");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_is_appended_is_read_back);
    tcase_add_test(tc, no_time_is_the_present);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
