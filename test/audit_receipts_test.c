/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What an audit says of receipts and of those who signed: row G6. */
#include "audit_found.h"
#include "evidence_log.h"
#include "evidence_signed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENT MTLS_EVIDENCE_MESSAGE_SENT
#define RECEIVED MTLS_EVIDENCE_MESSAGE_RECEIVED
#define RECEIPT_IN MTLS_EVIDENCE_RECEIPT_RECEIVED
#define RECEIPT_OUT MTLS_EVIDENCE_RECEIPT_SENT

static char path[256];
static struct mtls_evidence_log *log_;

static struct audit_found found; /* by the last audit */

static void set_up(void)
{
    evidence_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
    log_ = mtls_evidence_open(path);
    ck_assert_ptr_nonnull(log_);
}

static void tear_down(void)
{
    mtls_evidence_close(log_);
    evidence_remove();
}

static void audit(void)
{
    X509_STORE *trust = pki_trust(NULL);
    MTLS_AUDIT_PARAMS params = {.log = path, .trust = trust};

    audit_find(&found, &params);
    X509_STORE_free(trust);
}

/* --- receipts --- */

static void put(enum mtls_evidence_kind kind, uint64_t sequence,
                const char *data, int wants_receipt)
{
    const struct evidence_wish wish = {.kind = kind,
                                       .sequence = sequence,
                                       .data = data,
                                       .wants_receipt = wants_receipt};

    evidence_sign(log_, &wish);
}

START_TEST(receipts_find_their_messages)
{
    put(SENT, 0, "an order", 1);
    put(RECEIVED, 0, "an answer", 1);
    put(SENT, 1, "another order", 1);
    put(RECEIPT_IN, 1, "another order", 0);
    put(RECEIPT_OUT, 0, "an answer", 0);
    put(RECEIPT_IN, 0, "an order", 0);
    put(SENT, 2, "without", 0);
    audit();
    ck_assert_msg(found.result.bad == 0, "%s", found.text);
    ck_assert_uint_eq(found.result.open, 0);
    ck_assert_uint_eq(found.of[4], 3);
    ck_assert_uint_eq(found.of[5], 2);
    ck_assert_uint_eq(found.of[6], 1);
}
END_TEST

START_TEST(a_missing_receipt_is_open)
{
    put(SENT, 0, "an order", 1);
    put(SENT, 1, "another", 0);
    put(RECEIVED, 0, "an answer", 1);
    audit();
    ck_assert_uint_eq(found.result.bad, 0);
    ck_assert_uint_eq(found.result.open, 2);
    ck_assert(found.open[1] && found.open[3]);
}
END_TEST

START_TEST(a_receipt_for_other_data_is_bad)
{
    put(SENT, 0, "an order", 1);
    put(RECEIPT_IN, 0, "an 0rder", 0);
    audit();
    ck_assert_uint_eq(found.result.bad, 1);
    ck_assert(found.bad[2] && !found.verified[2]);
    ck_assert_str_eq(found.text,
                     "2 is a receipt for other data than that of entry 1");
    ck_assert(found.open[1]); /* it has no other */
}
END_TEST

START_TEST(a_receipt_of_nothing_is_bad)
{
    put(SENT, 0, "an order", 1);
    put(RECEIPT_IN, 1, "an order", 0);
    put(RECEIPT_OUT, 0, "an order", 0); /* nothing was received */
    audit();
    ck_assert_uint_eq(found.result.bad, 2);
    ck_assert(found.bad[2] && found.bad[3] && found.open[1]);
}
END_TEST

START_TEST(a_receipt_of_another_session_is_bad)
{
    const struct evidence_wish wish = {
        .kind = RECEIPT_IN, .data = "an order", .session = 'x'};

    put(SENT, 0, "an order", 1);
    evidence_sign(log_, &wish);
    audit();
    ck_assert(found.bad[2] && found.open[1]);
}
END_TEST

START_TEST(a_second_receipt_is_a_replay)
{
    put(SENT, 0, "an order", 1);
    put(RECEIPT_IN, 0, "an order", 0);
    put(RECEIPT_IN, 0, "an order", 0);
    audit();
    ck_assert_uint_eq(found.result.bad, 1);
    ck_assert(found.bad[3] && !found.open[1]);
}
END_TEST

START_TEST(a_missing_message_is_told)
{
    put(SENT, 0, "one", 0);
    put(SENT, 2, "three", 0);
    audit();
    ck_assert_uint_eq(found.result.bad, 1);
    ck_assert(found.bad[2]);
}
END_TEST

/* The channels of a TLS session have numbers of their own, not all of them
 * used: 2^32 of them each. */
START_TEST(each_stream_of_a_session_begins_anew)
{
    const uint64_t three = (uint64_t)3 << 32;

    put(SENT, 0, "one", 0);
    put(SENT, three, "one of another", 0);
    put(SENT, 1, "two", 0);
    put(SENT, three + 1, "two of another", 0);
    audit();
    ck_assert_msg(found.result.bad == 0, "%s", found.text);
    put(SENT, three + 3, "four of another", 0);
    put(SENT, 2 * three + 1, "two of a third", 0);
    audit();
    ck_assert_uint_eq(found.result.bad, 2);
    ck_assert(found.bad[5] && found.bad[6]);
}
END_TEST

START_TEST(one_log_may_be_that_of_both_ends)
{
    const struct evidence_wish theirs[] = {
        {.kind = RECEIVED, .data = "one", .wants_receipt = 1, .at_server = 1},
        {.kind = RECEIPT_OUT, .data = "one", .at_server = 1}};

    put(SENT, 0, "one", 1);
    evidence_sign(log_, &theirs[0]);
    evidence_sign(log_, &theirs[1]);
    put(RECEIPT_IN, 0, "one", 0);
    audit();
    ck_assert_msg(found.result.bad == 0, "%s", found.text);
    ck_assert_uint_eq(found.result.open, 0);
    ck_assert_uint_eq(found.of[3], 2);
    ck_assert_uint_eq(found.of[4], 1);
}
END_TEST

/* --- who signed --- */

static void signed_by(const struct pki_wish *who, int64_t days, int good)
{
    struct pki_id id = pki_make(who);
    const struct evidence_wish wish = {
        .kind = SENT, .data = "an order", .by = &id, .days = days};

    evidence_sign(log_, &wish);
    audit();
    ck_assert_int_eq(found.verified[1], good);
    ck_assert_int_eq(found.bad[1] == 0, good);
    pki_free(&id);
}

START_TEST(who_was_good_when_he_signed_is_good)
{
    const struct pki_wish past = {.from_days = -30, .to_days = -10};

    signed_by(&past, -20, 1);
}
END_TEST

START_TEST(who_is_good_by_now_was_not)
{
    const struct pki_wish present = {.from_days = -1, .to_days = 1};

    signed_by(&present, -20, 0);
    ck_assert_ptr_nonnull(strstr(found.text, "not yet valid"));
}
END_TEST

START_TEST(another_authority_does_not_count)
{
    const struct pki_wish other = {.by_other = 1};

    signed_by(&other, 0, 0);
}
END_TEST

START_TEST(a_receipt_of_a_stranger_is_none)
{
    const struct pki_wish other = {.by_other = 1};
    struct pki_id id = pki_make(&other);
    const struct evidence_wish wish = {
        .kind = RECEIPT_IN, .data = "an order", .by = &id};

    put(SENT, 0, "an order", 1);
    evidence_sign(log_, &wish);
    audit();
    ck_assert(found.bad[2] && found.open[1]);
    pki_free(&id);
}
END_TEST

START_TEST(formats_are_known_by_their_numbers)
{
    struct evidence_wish wish = {.kind = SENT, .data = "1", .format = 1};
    struct mtls_evidence other = evidence_sample("<Signature/>");

    evidence_sign(log_, &wish);
    other.format = 2;
    other.sequence = 0;
    ck_assert(mtls_evidence_append(log_, &other, NULL));
    audit();
    ck_assert(found.verified[1]);
    ck_assert(found.bad[2] && !found.verified[2]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_receipts");
    TCase *tc = tcase_create("log");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, receipts_find_their_messages);
    tcase_add_test(tc, a_missing_receipt_is_open);
    tcase_add_test(tc, a_receipt_for_other_data_is_bad);
    tcase_add_test(tc, a_receipt_of_nothing_is_bad);
    tcase_add_test(tc, a_receipt_of_another_session_is_bad);
    tcase_add_test(tc, a_second_receipt_is_a_replay);
    tcase_add_test(tc, a_missing_message_is_told);
    tcase_add_test(tc, each_stream_of_a_session_begins_anew);
    tcase_add_test(tc, one_log_may_be_that_of_both_ends);
    tcase_add_test(tc, who_was_good_when_he_signed_is_good);
    tcase_add_test(tc, who_is_good_by_now_was_not);
    tcase_add_test(tc, another_authority_does_not_count);
    tcase_add_test(tc, a_receipt_of_a_stranger_is_none);
    tcase_add_test(tc, formats_are_known_by_their_numbers);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
