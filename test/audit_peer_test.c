/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The log of one end beside that of the other, each honest or not. */
#include "audit_found.h"
#include "evidence_log.h"
#include "evidence_signed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENT MTLS_EVIDENCE_MESSAGE_SENT
#define RECEIVED MTLS_EVIDENCE_MESSAGE_RECEIVED

static char ours[256], theirs[256];
static struct mtls_evidence_log *our_log, *their_log;

static struct audit_found found; /* by the last audit */

static void set_up(void)
{
    evidence_folder();
    snprintf(ours, sizeof(ours), "%s", evidence_file("client.log"));
    snprintf(theirs, sizeof(theirs), "%s", evidence_file("server.log"));
    our_log = mtls_evidence_open(ours);
    their_log = mtls_evidence_open(theirs);
    ck_assert(our_log != NULL && their_log != NULL);
}

static void tear_down(void)
{
    mtls_evidence_close(our_log);
    mtls_evidence_close(their_log);
    evidence_remove();
}

static void audit(int trusting)
{
    X509_STORE *trust = trusting ? pki_trust(NULL) : NULL;
    MTLS_AUDIT_PARAMS params = {.log = ours, .peer = theirs, .trust = trust};

    audit_find(&found, &params);
    X509_STORE_free(trust);
}

static void we(enum mtls_evidence_kind kind, uint64_t sequence,
               const char *data)
{
    const struct evidence_wish wish = {
        .kind = kind, .sequence = sequence, .data = data};

    evidence_sign(our_log, &wish);
}

static void they(enum mtls_evidence_kind kind, uint64_t sequence,
                 const char *data)
{
    const struct evidence_wish wish = {
        .kind = kind, .sequence = sequence, .data = data, .at_server = 1};

    evidence_sign(their_log, &wish);
}

/* The object is another one: it was signed again. */
START_TEST(another_object_in_the_same_place_is_bad)
{
    we(SENT, 0, "one");
    they(RECEIVED, 0, "two");
    audit(1);
    ck_assert_uint_eq(found.result.bad, 1);
    ck_assert(found.bad[1]);
}
END_TEST

START_TEST(what_we_signed_and_do_not_have_is_bad)
{
    we(SENT, 0, "one");
    they(RECEIVED, 1, "two");
    audit(1);
    ck_assert_int_eq(found.bad[0], 1);
    ck_assert_int_eq(found.open[1], 1);
}
END_TEST

/* They have it from nobody: it is not signed. */
START_TEST(what_nobody_signed_is_a_note)
{
    struct mtls_evidence e = evidence_sample("a forgery");

    we(SENT, 0, "one");
    we(SENT, 1, "two");
    e.kind = RECEIVED;
    memset(e.binding, 0, sizeof(e.binding)); /* the session of the others */
    e.sequence = 1;
    ck_assert(mtls_evidence_append(their_log, &e, NULL));
    e.sequence = 2;
    ck_assert(mtls_evidence_append(their_log, &e, NULL));
    they(RECEIVED, 0, "one"); /* as ours, signed again: bad */
    audit(1);
    ck_assert_uint_eq(found.result.bad, 1);
    ck_assert_int_eq(found.bad[1], 1);
    ck_assert_uint_eq(found.result.open, 0);
    ck_assert_int_eq(found.notes[0], 3);
    ck_assert_ptr_nonnull(strstr(found.texts, "entry 1 of the other log"));
    ck_assert_ptr_nonnull(strstr(found.texts, "entry 2 of the other log"));
}
END_TEST

/* Or by somebody whom we do not trust to be us. */
START_TEST(what_a_stranger_signed_is_a_note)
{
    const struct pki_wish other = {.by_other = 1};
    struct pki_id id = pki_make(&other);
    const struct evidence_wish wish = {.kind = RECEIVED,
                                       .sequence = 1,
                                       .data = "two",
                                       .by = &id,
                                       .at_server = 1};

    we(SENT, 0, "one");
    evidence_sign(their_log, &wish);
    audit(1);
    ck_assert_uint_eq(found.result.bad, 0);
    ck_assert_int_eq(found.notes[0], 2);
    audit(0); /* nobody is judged: then it counts */
    ck_assert_int_eq(found.bad[0], 1);
    pki_free(&id);
}
END_TEST

/* What they have lost they can't show: of an answer we have the signature. */
START_TEST(what_is_not_in_a_damaged_log_is_a_note)
{
    unsigned char *octets;
    size_t len, size;

    we(RECEIVED, 0, "one");
    they(SENT, 1, "two");
    audit(1);
    ck_assert_int_eq(found.bad[1], 1);
    they(SENT, 2, "three");
    octets = evidence_read(theirs, &len);
    ck_assert_int_eq(mtls_evidence_start(octets + MTLS_EVIDENCE_HEADER,
                                         len - MTLS_EVIDENCE_HEADER, &size),
                     MTLS_EVIDENCE_DONE);
    octets[MTLS_EVIDENCE_HEADER + 100] ^= 1;
    evidence_write(theirs, octets, len);
    audit(1);
    ck_assert_uint_eq(found.result.bad, 0);
    ck_assert_int_eq(found.notes[1], 1);
    free(octets);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_peer");
    TCase *tc = tcase_create("logs");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, another_object_in_the_same_place_is_bad);
    tcase_add_test(tc, what_we_signed_and_do_not_have_is_bad);
    tcase_add_test(tc, what_nobody_signed_is_a_note);
    tcase_add_test(tc, what_a_stranger_signed_is_a_note);
    tcase_add_test(tc, what_is_not_in_a_damaged_log_is_a_note);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
