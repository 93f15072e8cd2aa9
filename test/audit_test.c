/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * An audit finds whatever was done to a log, and says to which entry: row G7 of
 * what hostile hands may try, each octet and each entry in turn.
 */
#include "evidence_log.h"
#include "evidence_signed.h"

#include <check.h>
#include <mtls/mtls_audit.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 4
#define SMALL 2 /* entries of those tests that try each octet */
#define NUMBERS 64

static char path[256];
static unsigned char *octets; /* of a good log of ENTRIES */
static size_t len, ends[ENTRIES + 1];

/* What the last audit found: how much of what about which entry. */
static struct {
    MTLS_AUDIT_RESULT result;
    unsigned char bad[NUMBERS], open[NUMBERS];
    uint64_t of[NUMBERS];
    char text[512]; /* of the last bad one */
} found;

static void set_up(void)
{
    evidence_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
    octets = evidence_orders(path, ENTRIES, &len, ends);
}

static void tear_down(void)
{
    free(octets);
    evidence_remove();
}

static void on_entry(const MTLS_AUDIT_ENTRY *entry, void *arg)
{
    (void)arg;
    if (entry->number < NUMBERS)
        found.of[entry->number] = entry->of;
}

static void on_finding(const MTLS_AUDIT_FINDING *finding, void *arg)
{
    (void)arg;
    ck_assert_uint_lt(finding->number, NUMBERS);
    if (finding->weight == MTLS_AUDIT_BAD) {
        found.bad[finding->number] = 1;
        snprintf(found.text, sizeof(found.text), "%s", finding->text);
    } else if (finding->weight == MTLS_AUDIT_OPEN) {
        found.open[finding->number] = 1;
    }
}

static void audit_with(X509_STORE *trust, const unsigned char *expect)
{
    MTLS_AUDIT_PARAMS params = {.log = path,
                                .trust = trust,
                                .expect = expect,
                                .entry = on_entry,
                                .finding = on_finding};

    memset(&found, 0, sizeof(found));
    ck_assert(MTLS_audit(&params, &found.result));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

static void audit_octets(const unsigned char *log, size_t n)
{
    evidence_write(path, log, n);
    audit_with(NULL, NULL);
}

static int bad(uint64_t number)
{
    return found.result.bad != 0 && found.bad[number];
}

/* --- a log as it was written --- */

START_TEST(a_log_as_it_was_written_is_good)
{
    X509_STORE *trust = pki_trust(NULL);

    audit_with(trust, NULL);
    ck_assert_msg(found.result.bad == 0, "%s", found.text);
    ck_assert_uint_eq(found.result.open, 0);
    ck_assert_uint_eq(found.result.entries, ENTRIES);
    ck_assert_uint_eq(found.result.messages, ENTRIES / 2);
    ck_assert_uint_eq(found.result.receipts, ENTRIES / 2);
    ck_assert_uint_eq(found.of[2], 1);
    ck_assert_uint_eq(found.of[4], 3);
    ck_assert_mem_eq(found.result.digest, octets + len - 32, 32);
    X509_STORE_free(trust);
}
END_TEST

/* --- octets --- */

/* The entry that has the octet |at|; 0: the header. */
static uint64_t entry_at(size_t at)
{
    uint64_t n = 0;

    while (at >= ends[n])
        n++;
    return n;
}

START_TEST(each_octet_changed_is_found_and_its_entry_named) /* G7 */
{
    for (size_t at = 16; at < ends[SMALL]; at++) {
        unsigned char bit = (unsigned char)(1u << at % 8);

        octets[at] ^= bit;
        audit_octets(octets, ends[SMALL]);
        if (!bad(entry_at(at)))
            ck_abort_msg("octet %zu of entry %d", at, (int)entry_at(at));
        octets[at] ^= bit;
    }
}
END_TEST

START_TEST(each_octet_of_the_magic_changed_is_found)
{
    MTLS_AUDIT_PARAMS params = {.log = path};

    for (size_t at = 0; at < 16; at++) {
        octets[at] ^= 0x20;
        evidence_write(path, octets, len);
        ck_assert(!MTLS_audit(&params, &found.result));
        ERR_clear_error();
        octets[at] ^= 0x20;
    }
}
END_TEST

START_TEST(each_octet_dropped_or_doubled_is_found) /* G7 */
{
    size_t small = ends[SMALL];
    unsigned char *changed = malloc(small + 1);

    for (size_t at = 16; at < small; at += 7) {
        uint64_t n = entry_at(at);

        memcpy(changed, octets, at);
        memcpy(changed + at, octets + at + 1, small - at - 1);
        audit_octets(changed, small - 1);
        if (!bad(n) && !bad(n + 1))
            ck_abort_msg("octet %zu of entry %d dropped", at, (int)n);
        memcpy(changed + at, octets + at, 1);
        memcpy(changed + at + 1, octets + at, small - at);
        audit_octets(changed, small + 1);
        if (!bad(n) && !bad(n + 1))
            ck_abort_msg("octet %zu of entry %d doubled", at, (int)n);
    }
    free(changed);
}
END_TEST

START_TEST(each_cut_amid_an_entry_is_found) /* G7 */
{
    for (size_t n = MTLS_EVIDENCE_HEADER + 1; n < ends[SMALL]; n += 3) {
        uint64_t entry = entry_at(n);

        if (n == ends[entry - 1])
            continue; /* between two: see below */
        audit_octets(octets, n);
        ck_assert_msg(bad(entry), "cut at %zu", n);
        ck_assert_uint_eq(found.result.entries, entry - 1);
    }
}
END_TEST

/* --- entries --- */

/* Puts the entries |order|, up to 0, one after the other behind the header. */
static void audit_order(const int *order)
{
    unsigned char *changed = malloc(len * 3);
    size_t n = ends[0];

    memcpy(changed, octets, n);
    for (; *order != 0; order++) {
        size_t size = ends[*order] - ends[*order - 1];

        memcpy(changed + n, octets + ends[*order - 1], size);
        n += size;
    }
    audit_octets(changed, n);
    free(changed);
}

START_TEST(each_entry_removed_is_found) /* G7 */
{
    static const int orders[][ENTRIES] = {
        {2, 3, 4, 0}, {1, 3, 4, 0}, {1, 2, 4, 0}};

    for (uint64_t i = 0; i < 3; i++) {
        audit_order(orders[i]);
        ck_assert(bad(i + 1));
    }
}
END_TEST

/* Nothing in a log says that more of it was there: what was known outside of
 * it does, or what it lacks. */
START_TEST(last_entries_removed_are_found_by_what_was_expected)
{
    unsigned char noted[32];

    memcpy(noted, octets + len - sizeof(noted), sizeof(noted));
    audit_with(NULL, noted);
    ck_assert_uint_eq(found.result.bad, 0);
    for (int n = 0; n < ENTRIES; n++) {
        evidence_write(path, octets, ends[n]);
        audit_with(NULL, noted);
        ck_assert(bad(0));
        audit_with(NULL, NULL);
        ck_assert_uint_eq(found.result.bad, 0);
        /* a message was left without its receipt */
        ck_assert_uint_eq(found.result.open, n % 2);
        ck_assert_uint_eq(found.open[n], n % 2);
    }
}
END_TEST

START_TEST(a_log_may_grow_after_a_digest_was_noted)
{
    unsigned char noted[32];

    memcpy(noted, octets + ends[2] - sizeof(noted), sizeof(noted));
    audit_with(NULL, noted);
    ck_assert_uint_eq(found.result.bad, 0);
}
END_TEST

START_TEST(entries_swapped_are_found) /* G7 */
{
    for (int i = 1; i <= ENTRIES; i++) {
        for (int j = i + 1; j <= ENTRIES; j++) {
            int order[ENTRIES + 1] = {1, 2, 3, 4, 0};

            order[i - 1] = j;
            order[j - 1] = i;
            audit_order(order);
            ck_assert(bad((uint64_t)i));
        }
    }
}
END_TEST

START_TEST(an_entry_doubled_is_found) /* G7 */
{
    for (int which = 1; which <= ENTRIES; which++) {
        for (int place = which; place <= ENTRIES; place++) {
            int order[ENTRIES + 2], n = 0;

            for (int i = 1; i <= ENTRIES; i++) {
                order[n++] = i;
                if (i == place)
                    order[n++] = which;
            }
            order[n] = 0;
            audit_order(order);
            ck_assert(bad((uint64_t)which));
            ck_assert_uint_eq(found.result.entries, ENTRIES);
        }
    }
}
END_TEST

START_TEST(another_log_appended_is_found) /* G7 */
{
    char other[256];
    size_t other_len, other_ends[ENTRIES + 1];
    unsigned char *more, *both;

    snprintf(other, sizeof(other), "%s", evidence_file("other.log"));
    more = evidence_orders(other, ENTRIES, &other_len, other_ends);
    both = malloc(len + other_len);
    memcpy(both, octets, len);
    memcpy(both + len, more, other_len);
    audit_octets(both, len + other_len);
    ck_assert(bad(ENTRIES + 1));
    /* its entries alone, and one in place of ours */
    memcpy(both + len, more + other_ends[0], other_len - other_ends[0]);
    audit_octets(both, len + other_len - other_ends[0]);
    ck_assert(bad(ENTRIES + 1));
    ck_assert_uint_eq(found.result.entries, ENTRIES);
    memcpy(both + ends[1], more + other_ends[1], other_ends[2] - other_ends[1]);
    audit_octets(both, ends[1] + other_ends[2] - other_ends[1]);
    ck_assert(bad(2));
    free(more);
    free(both);
}
END_TEST

/* --- who could write the log could make its digests anew --- */

static void mend_digest(unsigned char *log, size_t begin, size_t end)
{
    ck_assert(EVP_Digest(log + begin, end - begin - 32, log + end - 32, NULL,
                         EVP_sha256(), NULL));
}

/* Entry |from| and all behind follow again, with numbers that go on. */
static void mend_chain(unsigned char *log, size_t n)
{
    unsigned char number = 1;
    const unsigned char *before = log + MTLS_EVIDENCE_HEADER - 32;
    size_t size;

    for (size_t at = MTLS_EVIDENCE_HEADER; at < n; at += size) {
        ck_assert_int_eq(mtls_evidence_start(log + at, n - at, &size),
                         MTLS_EVIDENCE_DONE);
        log[at + 31] = number++;
        memcpy(log + at + 32, before, 32);
        mend_digest(log, at, at + size);
        before = log + at + size - 32;
    }
}

START_TEST(a_changed_entry_with_a_new_digest_breaks_the_chain)
{
    for (int i = 1; i < ENTRIES; i++) {
        unsigned char *changed = malloc(len);

        memcpy(changed, octets, len);
        changed[ends[i - 1] + 71] ^= 1; /* its time */
        mend_digest(changed, ends[i - 1], ends[i]);
        audit_octets(changed, len);
        ck_assert(bad((uint64_t)i + 1));
        free(changed);
    }
}
END_TEST

START_TEST(an_object_says_itself_where_it_belongs)
{
    /* kind, format, direction, flags, sequence, session; certificates, object
     */
    static const size_t at[] = {72, 73, 74, 75, 83, 90, 300, 900};
    static const unsigned char flip[] = {3, 1, 1, 1, 1, 1, 1, 1};

    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        for (int entry = 1; entry <= ENTRIES; entry++) {
            unsigned char *changed = malloc(len);

            memcpy(changed, octets, len);
            changed[ends[entry - 1] + at[i]] ^= flip[i];
            mend_chain(changed, len);
            audit_octets(changed, len);
            /* of the kind, its message or receipt may know better */
            ck_assert_msg(i == 0 ? found.result.bad != 0 : bad((uint64_t)entry),
                          "%zu of entry %d", at[i], entry);
            free(changed);
        }
    }
}
END_TEST

START_TEST(a_message_removed_with_new_digests_leaves_a_gap)
{
    unsigned char *changed = malloc(len);
    size_t n = len - (ends[2] - ends[0]);

    /* the first message and its receipt: message 1 is the first then */
    memcpy(changed, octets, ends[0]);
    memcpy(changed + ends[0], octets + ends[2], len - ends[2]);
    mend_chain(changed, n);
    audit_octets(changed, n);
    ck_assert(bad(1));
    /* the message alone: its receipt has none */
    n = len - (ends[1] - ends[0]);
    memcpy(changed + ends[0], octets + ends[1], len - ends[1]);
    mend_chain(changed, n);
    audit_octets(changed, n);
    ck_assert(bad(1));
    free(changed);
}
END_TEST

START_TEST(a_replay_with_new_digests_is_found)
{
    unsigned char *changed = malloc(2 * len);
    size_t n = len + ends[1] - ends[0];

    memcpy(changed, octets, len);
    memcpy(changed + len, octets + ends[0], ends[1] - ends[0]);
    mend_chain(changed, n);
    audit_octets(changed, n);
    ck_assert(bad(ENTRIES + 1));
    free(changed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *tc = tcase_create("log");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 280);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_log_as_it_was_written_is_good);
    tcase_add_test(tc, each_octet_changed_is_found_and_its_entry_named);
    tcase_add_test(tc, each_octet_of_the_magic_changed_is_found);
    tcase_add_test(tc, each_octet_dropped_or_doubled_is_found);
    tcase_add_test(tc, each_cut_amid_an_entry_is_found);
    tcase_add_test(tc, each_entry_removed_is_found);
    tcase_add_test(tc, last_entries_removed_are_found_by_what_was_expected);
    tcase_add_test(tc, a_log_may_grow_after_a_digest_was_noted);
    tcase_add_test(tc, entries_swapped_are_found);
    tcase_add_test(tc, an_entry_doubled_is_found);
    tcase_add_test(tc, another_log_appended_is_found);
    tcase_add_test(tc, a_changed_entry_with_a_new_digest_breaks_the_chain);
    tcase_add_test(tc, an_object_says_itself_where_it_belongs);
    tcase_add_test(tc, a_message_removed_with_new_digests_leaves_a_gap);
    tcase_add_test(tc, a_replay_with_new_digests_is_found);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
