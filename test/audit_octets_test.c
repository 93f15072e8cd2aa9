/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Row G7 of what hostile hands may try, octet by octet: each of a small log is
 * changed, dropped, doubled, swapped with the next, and the last one there is.
 * An audit finds it and names the entry.
 */
#include "audit_found.h"
#include "evidence_log.h"
#include "evidence_signed.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 2 /* a message and its receipt */
#define MAGIC 16  /* octets without which it is no log */

static char path[256];
static unsigned char *octets, *changed; /* of a good log, and what is made */
static size_t len, ends[ENTRIES + 1];

static void set_up(void)
{
    evidence_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
    octets = evidence_orders(path, ENTRIES, &len, ends);
    changed = malloc(len + 1);
    memcpy(changed, octets, len);
}

static void tear_down(void)
{
    free(octets);
    free(changed);
    evidence_remove();
}

/* The entry that has the octet |at|; 0: the header; behind it, the next. */
static size_t entry_at(size_t at)
{
    size_t n = 0;

    while (n <= ENTRIES && at >= ends[n])
        n++;
    return n;
}

/* The first |n| octets of |changed| are refused, or are bad in the entry of the
 * octet |from|, or one up to that of |to|. */
static void is_found(const char *what, size_t n, size_t from, size_t to)
{
    MTLS_AUDIT_PARAMS params = {.log = path};
    static struct audit_found found;
    int named = 0;

    evidence_write(path, changed, n);
    if (from < MAGIC && !MTLS_audit(&params, &found.result)) {
        ERR_clear_error();
        return;
    }
    audit_find(&found, &params);
    for (size_t i = entry_at(from); i <= entry_at(to); i++)
        named += found.bad[i];
    ck_assert_msg(named != 0, "octet %zu, of entry %zu, %s", from,
                  entry_at(from), what);
}

START_TEST(G7_each_octet_changed)
{
    for (size_t at = 0; at < len; at++) {
        changed[at] = (unsigned char)(octets[at] ^ 1u << at % 8);
        is_found("changed", len, at, at);
        changed[at] = (unsigned char)~octets[at];
        is_found("inverted", len, at, at);
        changed[at] = octets[at];
    }
}
END_TEST

/* In a run of the same octets it can't be told which one was dropped. */
static size_t first_of_run(size_t at)
{
    while (at > 0 && octets[at - 1] == octets[at])
        at--;
    return at;
}

static size_t last_of_run(size_t at)
{
    while (at + 1 < len && octets[at + 1] == octets[at])
        at++;
    return at;
}

START_TEST(G7_each_octet_dropped)
{
    for (size_t at = 0; at < len; at++) {
        memcpy(changed, octets, at);
        memcpy(changed + at, octets + at + 1, len - at - 1);
        is_found("dropped", len - 1, first_of_run(at), last_of_run(at));
    }
}
END_TEST

START_TEST(G7_each_octet_doubled)
{
    for (size_t at = 0; at < len; at++) {
        memcpy(changed, octets, at + 1);
        memcpy(changed + at + 1, octets + at, len - at);
        is_found("doubled", len + 1, first_of_run(at), last_of_run(at) + 1);
    }
}
END_TEST

START_TEST(G7_each_octet_swapped_with_the_next)
{
    for (size_t at = 0; at + 1 < len; at++) {
        if (octets[at] == octets[at + 1])
            continue;
        changed[at] = octets[at + 1];
        changed[at + 1] = octets[at];
        is_found("swapped", len, at, at + 1);
        changed[at] = octets[at];
        changed[at + 1] = octets[at + 1];
    }
}
END_TEST

/* Between two entries a cut drops whole ones: see audit_test.c. */
START_TEST(G7_each_cut)
{
    for (size_t n = 0; n < len; n++) {
        if (n >= ends[0] && n == ends[entry_at(n) - 1])
            continue;
        is_found("missing, and all behind it", n, n < ends[0] ? 0 : n, n);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_octets");
    TCase *tc = tcase_create("log");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 250);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, G7_each_octet_changed);
    tcase_add_test(tc, G7_each_octet_dropped);
    tcase_add_test(tc, G7_each_octet_doubled);
    tcase_add_test(tc, G7_each_octet_swapped_with_the_next);
    tcase_add_test(tc, G7_each_cut);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
