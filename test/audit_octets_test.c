/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Row G7 of what hostile hands may try, octet by octet: each of a small log is
 * changed, dropped, doubled, swapped with the next, or the end of it. An audit
 * finds that and names the entry.
 */
#include "audit_found.h"
#include "evidence_log.h"
#include "evidence_signed.h"
#include "harm.h"

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
    evidence_memory_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
    octets = evidence_orders(path, ENTRIES, &len, ends);
    changed = malloc(len + 1);
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

/* |changed| is bad in the entry of the octet |from|, or one up to |to|'s. */
static int is_named(size_t from, size_t to)
{
    MTLS_AUDIT_PARAMS params = {.log = path};
    static struct audit_found found;

    if (from < MAGIC && !MTLS_audit(&params, &found.result)) {
        ERR_clear_error(); /* it is no log */
        return 1;
    }
    audit_find(&found, &params);
    for (size_t i = entry_at(from); i <= entry_at(to); i++)
        if (found.bad[i])
            return 1;
    return 0;
}

/* Between two entries a cut drops whole ones: see audit_test.c. */
static int drops_entries(enum harm how, size_t at)
{
    return how == HARM_CUT && at >= ends[0] && at == ends[entry_at(at) - 1];
}

START_TEST(G7_each_octet)
{
    for (size_t at = 0, n; at < len; at++) {
        size_t from = at, to = at;

        if (drops_entries(_i, at) ||
            !harm_octet(_i, octets, len, at, changed, &n))
            continue;
        if (_i == HARM_DROPPED || _i == HARM_DOUBLED) {
            from = first_of_run(at);
            to = last_of_run(at) + 1;
        } else if (_i == HARM_SWAPPED) {
            to = at + 1;
        } else if (_i == HARM_CUT && at < ends[0]) {
            from = 0;
        }
        evidence_write(path, changed, n);
        ck_assert_msg(is_named(from, to), "octet %zu, of entry %zu, %s", at,
                      entry_at(at), harm_name(_i));
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
    tcase_add_loop_test(tc, G7_each_octet, 0, HARMS);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
