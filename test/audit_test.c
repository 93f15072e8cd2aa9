/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * An audit finds whatever was done to a log, and says to which entry: row G7 of
 * what hostile hands may try, each entry in turn; audit_octets_test.c does each
 * octet.
 */
#include "audit_found.h"
#include "evidence_log.h"
#include "evidence_signed.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 4

static char path[256];
static unsigned char *octets; /* of a good log of ENTRIES */
static size_t len, ends[ENTRIES + 1];

static struct audit_found found; /* by the last audit */

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

static void audit_with(X509_STORE *trust, const unsigned char *expect)
{
    MTLS_AUDIT_PARAMS params = {.log = path, .trust = trust, .expect = expect};

    audit_find(&found, &params);
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

/* One, several, with others behind: the last ones alone leave no gap. */
START_TEST(entries_removed_are_found) /* G7 */
{
    for (unsigned int gone = 1; gone < 1u << ENTRIES; gone++) {
        int order[ENTRIES + 1], n = 0, first = 0, last = 0;

        for (int i = 1; i <= ENTRIES; i++)
            if (gone >> (i - 1) & 1)
                first = first == 0 ? i : first;
            else
                order[n++] = last = i;
        order[n] = 0;
        audit_order(order);
        ck_assert_int_eq(bad((uint64_t)first), first < last);
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

/* At each place: what stands behind its copy is the one that is doubled. */
START_TEST(an_entry_doubled_is_found) /* G7 */
{
    for (int which = 1; which <= ENTRIES; which++) {
        for (int place = 0; place <= ENTRIES; place++) {
            int order[ENTRIES + 2], n = 0;

            for (int i = 0; i <= ENTRIES; i++) {
                if (i > 0)
                    order[n++] = i;
                if (i == place)
                    order[n++] = which;
            }
            order[n] = 0;
            audit_order(order);
            ck_assert_msg(bad((uint64_t)which) || bad((uint64_t)place + 1),
                          "entry %d behind %d", which, place);
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
    tcase_add_test(tc, entries_removed_are_found);
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
