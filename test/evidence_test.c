/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* An evidence log: what is appended is there, in order, whoever appends. */
#include "err.h"
#include "evidence.h"
#include "evidence_log.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path[256];

static void set_up(void)
{
    evidence_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
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

static void refused(const char *at, int reason)
{
    unsigned long e;

    ck_assert_ptr_null(mtls_evidence_open(at));
    e = ERR_peek_error();
    ck_assert_int_eq(ERR_GET_LIB(e), MTLS_err_library());
    ck_assert_int_eq(ERR_GET_REASON(e), reason);
    ERR_clear_error();
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
    const time_t *before = arg;

    ck_assert_uint_ge(e->time / 1000, (uint64_t)*before);
    ck_assert_uint_le(e->time / 1000, (uint64_t)time(NULL));
}

START_TEST(no_time_is_the_present)
{
    struct mtls_evidence_log *log;
    struct mtls_evidence e = evidence_sample("x");
    time_t before = time(NULL);

    set_up();
    log = must_open();
    e.time = 0;
    ck_assert(mtls_evidence_append(log, &e, NULL));
    mtls_evidence_close(log);
    evidence_walk(path, time_is_now, &before);
    evidence_remove();
}
END_TEST

/* --- a torn end --- */

/* A log of |n| entries; its octets, and where each entry ends. */
static unsigned char *log_of(int n, size_t *len, size_t ends[])
{
    static const char *const texts[] = {"one", "two", "three"};
    struct mtls_evidence_log *log;

    unlink(path);
    log = must_open();
    ends[0] = MTLS_EVIDENCE_HEADER;
    for (int i = 0; i < n; i++) {
        append(log, texts[i], (uint64_t)i + 1);
        ends[i + 1] = ends[i] + MTLS_EVIDENCE_FIXED + 14 + strlen(texts[i]);
    }
    mtls_evidence_close(log);
    return evidence_read(path, len);
}

static void last_entry(const struct mtls_evidence *e, void *arg)
{
    struct mtls_evidence *last = arg;

    *last = *e;
    last->peer = NULL;
}

/* The log at |path| was torn within |n| whole entries: opens, and goes on. */
static void mends(const unsigned char *torn, size_t torn_len, uint64_t n)
{
    struct mtls_evidence_log *log = must_open();
    struct mtls_evidence last;
    unsigned char *kept;
    uint64_t octets;
    size_t len;
    char *beside;

    ck_assert_int_eq(mtls_evidence_torn(log, &beside, &octets), 1);
    ck_assert_str_eq(beside, evidence_file("orders.log.torn.1"));
    ck_assert_uint_eq(octets, torn_len);
    kept = evidence_read(beside, &len);
    ck_assert_uint_eq(len, torn_len);
    ck_assert_mem_eq(kept, torn, len);
    free(kept);
    ck_assert_int_eq(unlink(beside), 0);
    OPENSSL_free(beside);
    ck_assert_uint_eq(evidence_walk(path, last_entry, &last), n + 1);
    ck_assert_int_eq(last.kind, MTLS_EVIDENCE_TORN);
    ck_assert_uint_eq(last.sequence, torn_len);
    append(log, "after", n + 2);
    mtls_evidence_close(log);
    ck_assert_uint_eq(evidence_walk(path, NULL, NULL), n + 2);
}

START_TEST(a_torn_end_is_kept_aside_wherever_it_tore) /* G7 */
{
    size_t len, ends[4];
    unsigned char *octets;

    set_up();
    octets = log_of(3, &len, ends);
    ck_assert_uint_eq(len, ends[3]);
    /* each octet of the last entry, some of the others */
    for (size_t cut = MTLS_EVIDENCE_HEADER + 1; cut < len;
         cut += cut < ends[2] ? 19 : 1) {
        uint64_t n = cut >= ends[2] ? 2 : cut >= ends[1] ? 1 : 0;

        if (cut == ends[n])
            continue;
        evidence_write(path, octets, cut);
        mends(octets + ends[n], cut - ends[n], n);
    }
    free(octets);
    evidence_remove();
}
END_TEST

/* After a crash of the machine there may be anything in place of an entry. */
START_TEST(an_end_that_has_its_length_but_not_its_octets_is_torn)
{
    size_t len, ends[4];
    unsigned char *octets;

    set_up();
    octets = log_of(3, &len, ends);
    for (size_t from = ends[2]; from < len; from += 17) {
        memset(octets + from, 0, len - from);
        evidence_write(path, octets, len);
        mends(octets + ends[2], len - ends[2], 2);
        free(octets);
        octets = log_of(3, &len, ends);
    }
    free(octets);
    evidence_remove();
}
END_TEST

/* Who sends us an object full of entries, and has luck with a crash, must not
 * have us digest it for hours. */
START_TEST(an_end_full_of_entries_of_no_log_is_torn) /* G7 */
{
    static const unsigned char start[] = {'T', 'S', 'E', '1', 0, 16, 0, 0};
    const size_t torn = 2 << 20;
    size_t len, ends[4];
    unsigned char *octets, *all;

    set_up();
    octets = log_of(2, &len, ends);
    all = malloc(len + torn);
    ck_assert_ptr_nonnull(all);
    memcpy(all, octets, len);
    memcpy(all + len, start, sizeof(start));
    all[len + 5] = 96; /* more than is there */
    for (size_t at = sizeof(start); at < torn; at += sizeof(start))
        memcpy(all + len + at, start, sizeof(start));
    evidence_write(path, all, len + torn);
    mends(all + len, torn, 2);
    free(all);
    free(octets);
    evidence_remove();
}
END_TEST

START_TEST(a_header_that_was_cut_is_written_again)
{
    size_t len, ends[4];
    unsigned char *octets;

    set_up();
    octets = log_of(0, &len, ends);
    ck_assert_uint_eq(len, MTLS_EVIDENCE_HEADER);
    for (size_t cut = 0; cut < len; cut++) {
        struct mtls_evidence_log *log;

        evidence_write(path, octets, cut);
        log = must_open();
        append(log, "one", 1);
        mtls_evidence_close(log);
        ck_assert_uint_eq(evidence_walk(path, NULL, NULL), 1);
    }
    free(octets);
    evidence_remove();
}
END_TEST

/* --- what is refused, and left as it was --- */

static void is_left_alone(const unsigned char *octets, size_t len, int reason)
{
    unsigned char *now;
    size_t now_len;

    evidence_write(path, octets, len);
    refused(path, reason);
    now = evidence_read(path, &now_len);
    ck_assert_uint_eq(now_len, len);
    ck_assert_mem_eq(now, octets, len);
    free(now);
}

START_TEST(damage_amid_a_log_is_no_torn_end)
{
    size_t len, ends[4];
    unsigned char *octets;

    set_up();
    octets = log_of(3, &len, ends);
    /* the magic and the size of an entry that others follow */
    for (size_t at = ends[0]; at < ends[0] + MTLS_EVIDENCE_START; at++) {
        octets[at] ^= 0x40;
        is_left_alone(octets, len, MTLS_R_EVIDENCE_DAMAGED);
        octets[at] ^= 0x40;
    }
    memmove(octets + ends[1], octets + ends[2], len - ends[2]);
    is_left_alone(octets, len - (ends[2] - ends[1]), MTLS_R_EVIDENCE_DAMAGED);
    free(octets);
    evidence_remove();
}
END_TEST

START_TEST(other_files_are_refused)
{
    static const char text[] = "a letter to somebody, not a log, and longer "
                               "than the header of one";
    unsigned char *octets;
    size_t len, ends[4];

    set_up();
    is_left_alone((const unsigned char *)text, strlen(text),
                  MTLS_R_EVIDENCE_NOT_A_LOG);
    is_left_alone((const unsigned char *)text, 5, MTLS_R_EVIDENCE_NOT_A_LOG);
    octets = log_of(1, &len, ends);
    octets[40] ^= 1;
    is_left_alone(octets, len, MTLS_R_EVIDENCE_DAMAGED);
    free(octets);
    refused(evidence_file("."), MTLS_R_EVIDENCE_IO);
    refused(evidence_file("no/such/folder"), MTLS_R_EVIDENCE_IO);
    refused("/dev/null", MTLS_R_EVIDENCE_NOT_A_LOG);
    evidence_remove();
}
END_TEST

START_TEST(a_log_cut_under_a_handle_is_noticed)
{
    struct mtls_evidence e = evidence_sample("three");
    struct mtls_evidence_log *log;

    set_up();
    log = must_open();
    append(log, "one", 1);
    ck_assert_int_eq(truncate(path, MTLS_EVIDENCE_HEADER), 0);
    ck_assert(!mtls_evidence_append(log, &e, NULL));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), MTLS_R_EVIDENCE_DAMAGED);
    ERR_clear_error();
    mtls_evidence_close(log);
    evidence_remove();
}
END_TEST

START_TEST(a_full_disk_leaves_the_log_as_it_was)
{
    static char large[20000];
    struct mtls_evidence e;
    struct mtls_evidence_log *log;
    struct rlimit limit, before;

    set_up();
    memset(large, 'x', sizeof(large) - 1);
    e = evidence_sample(large);
    log = must_open();
    append(log, "one", 1);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 8192;
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert(!mtls_evidence_append(log, &e, NULL));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), MTLS_R_EVIDENCE_IO);
    ERR_clear_error();
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_uint_eq(evidence_walk(path, NULL, NULL), 1);
    append(log, large, 2);
    mtls_evidence_close(log);
    ck_assert_uint_eq(evidence_walk(path, NULL, NULL), 2);
    evidence_remove();
}
END_TEST

START_TEST(what_fits_in_no_entry_is_refused)
{
    struct mtls_evidence e = evidence_sample("x");
    struct mtls_evidence_log *log;

    set_up();
    log = must_open();
    e.object_len = MTLS_EVIDENCE_SIZE_MAX;
    ck_assert(!mtls_evidence_append(log, &e, NULL));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()),
                     MTLS_R_EVIDENCE_TOO_LARGE);
    ERR_clear_error();
    e = evidence_sample("x");
    e.kind = 0;
    ck_assert(!mtls_evidence_append(log, &e, NULL));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), MTLS_R_INVALID_VALUE);
    ERR_clear_error();
    mtls_evidence_close(log);
    ck_assert_uint_eq(evidence_walk(path, NULL, NULL), 0);
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
    tcase_add_test(tc, a_torn_end_is_kept_aside_wherever_it_tore);
    tcase_add_test(tc, an_end_that_has_its_length_but_not_its_octets_is_torn);
    tcase_add_test(tc, an_end_full_of_entries_of_no_log_is_torn);
    tcase_add_test(tc, a_header_that_was_cut_is_written_again);
    tcase_add_test(tc, damage_amid_a_log_is_no_torn_end);
    tcase_add_test(tc, other_files_are_refused);
    tcase_add_test(tc, a_log_cut_under_a_handle_is_noticed);
    tcase_add_test(tc, a_full_disk_leaves_the_log_as_it_was);
    tcase_add_test(tc, what_fits_in_no_entry_is_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
