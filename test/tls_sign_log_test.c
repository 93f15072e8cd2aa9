/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What BIO_f_tls_sign() has its evidence log keep, and when. */
#include "core_suite.h"
#include "evidence_entry.h"
#include "sign_ends.h"
#include "sign_object.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT 2000000000 /* what the clocks of the tests say: in 2033 */

static char names[2][40];

static char *new_name(int which)
{
    BIO_snprintf(names[which], sizeof(names[which]), "/tmp/sign_log_XXXXXX");
    close(mkstemp(names[which]));
    unlink(names[which]);
    return names[which];
}

/* The log's entries, the octets of which are |octets|. */
struct entries {
    unsigned char octets[50000];
    struct mtls_evidence list[10];
    int count;
};

static void read_log(const char *name, struct entries *e)
{
    FILE *file = fopen(name, "rb");
    size_t len, at = MTLS_EVIDENCE_HEADER, size;

    ck_assert_ptr_nonnull(file);
    len = fread(e->octets, 1, sizeof(e->octets), file);
    fclose(file);
    for (e->count = 0; at < len; at += size) {
        ck_assert_int_eq(mtls_evidence_start(e->octets + at, len - at, &size),
                         MTLS_EVIDENCE_DONE);
        ck_assert(
            mtls_evidence_get(e->octets + at, size, &e->list[e->count++]));
    }
}

static void check_entry(const struct entries *e, int which,
                        enum mtls_evidence_kind kind, int direction,
                        const char *data)
{
    const struct mtls_evidence *entry = &e->list[which];
    struct mtls_signed s;

    ck_assert_int_gt(e->count, which);
    ck_assert_int_eq(entry->kind, (int)kind);
    ck_assert_int_eq(entry->direction, direction);
    ck_assert(
        mtls_sign_open(entry->format, entry->object, entry->object_len, &s));
    ck_assert_mem_eq(s.context.binding, entry->binding, MTLS_SIGN_BINDING);
    ck_assert_uint_eq(s.context.sequence, entry->sequence);
    if (data != NULL)
        ck_assert(s.len == strlen(data) && memcmp(s.data, data, s.len) == 0);
    mtls_signed_cleanup(&s);
}

START_TEST(both_ends_keep_it_all)
{
    static struct entries c, s;
    struct sign_ends e = sign_ends_open("pkcs7");

    ck_assert(BIO_tls_sign_set_log(e.client, new_name(0)));
    ck_assert(BIO_tls_sign_set_log(e.server, new_name(1)));
    ck_assert(BIO_tls_sign_set_peer(e.server, "the customer"));
    BIO_tls_sign_set_receipt(e.client, 1);
    sign_say(e.client, "order");
    read_log(names[0], &c); /* before it has been received */
    ck_assert_int_eq(c.count, 1);
    check_entry(&c, 0, MTLS_EVIDENCE_MESSAGE_SENT, 0, "order");
    sign_hear(e.server, "order");
    sign_say(e.server, "answer");
    sign_hear(e.client, "answer");
    read_log(names[0], &c);
    read_log(names[1], &s);
    ck_assert(c.count == 3 && s.count == 3);
    check_entry(&c, 1, MTLS_EVIDENCE_RECEIPT_RECEIVED, 1, NULL);
    check_entry(&c, 2, MTLS_EVIDENCE_MESSAGE_RECEIVED, 1, "answer");
    check_entry(&s, 0, MTLS_EVIDENCE_MESSAGE_RECEIVED, 0, "order");
    check_entry(&s, 1, MTLS_EVIDENCE_RECEIPT_SENT, 1, NULL);
    check_entry(&s, 2, MTLS_EVIDENCE_MESSAGE_SENT, 1, "answer");
    ck_assert_int_eq(s.list[0].flags, MTLS_EVIDENCE_WANTS_RECEIPT);
    ck_assert_uint_eq(s.list[0].peer_len, strlen("the customer"));
    ck_assert_mem_eq(s.list[0].peer, "the customer", s.list[0].peer_len);
    ck_assert_uint_eq(c.list[0].object_len, s.list[0].object_len);
    ck_assert_mem_eq(c.list[0].object, s.list[0].object, c.list[0].object_len);
    ck_assert_uint_gt(s.list[0].certs_len, 500);
    sign_ends_free(&e);
    unlink(names[0]);
    unlink(names[1]);
}
END_TEST

/* What was refused is no evidence. */
START_TEST(refused_objects_are_not_kept)
{
    static struct entries s;
    struct sign_ends e = sign_ends_open("pkcs7");
    unsigned char *p;
    size_t len;

    ck_assert(BIO_tls_sign_set_log(e.server, new_name(0)));
    sign_say(e.client, "order");
    p = sign_raw(e.server, &len);
    sign_put(e.client, p, len - 1);
    p[len - 1] ^= 1;
    sign_put(e.client, p + len - 1, 1);
    sign_refused(e.server, MTLS_R_BAD_SIGN);
    read_log(names[0], &s);
    ck_assert_int_eq(s.count, 0);
    free(p);
    sign_ends_free(&e);
    unlink(names[0]);
}
END_TEST

static time_t in_2033(void *arg)
{
    ++*(int *)arg;
    return AT;
}

/* The clock is asked for signatures, for the log, and to judge certificates. */
START_TEST(another_clock)
{
    static struct entries c;
    struct sign_ends e = sign_ends_open("pkcs7");
    int asked = 0;
    const MTLS_SIGN_CLOCK clock = {in_2033, &asked};
    struct mtls_signed s;

    ck_assert(BIO_tls_sign_set_log(e.client, new_name(0)));
    ck_assert(BIO_tls_sign_set_clock(e.client, &clock));
    sign_say(e.client, "order");
    ck_assert_int_gt(asked, 0);
    read_log(names[0], &c);
    ck_assert_uint_eq(c.list[0].time, AT * (uint64_t)1000);
    ck_assert(mtls_sign_open(0, c.list[0].object, c.list[0].object_len, &s));
    ck_assert_int_eq(s.time, AT);
    mtls_signed_cleanup(&s);
    sign_say(e.server, "answer");
    sign_refused(e.client, MTLS_R_SIGN_CERTIFICATE); /* it expired long ago */
    sign_ends_free(&e);
    unlink(names[0]);
}
END_TEST

START_TEST(logs_that_can_not_be)
{
    BIO *b = BIO_new(BIO_f_tls_sign());

    ck_assert(!BIO_tls_sign_set_log(b, "/"));
    ERR_clear_error();
    ck_assert(!BIO_tls_sign_set_log(b, "/dev/null"));
    ERR_clear_error();
    ck_assert(BIO_tls_sign_set_log(b, NULL));
    BIO_free(b);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {both_ends_keep_it_all,
                                  refused_objects_are_not_kept, another_clock,
                                  logs_that_can_not_be};
    Suite *suite = suite_create("tls_sign_log");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    for (size_t i = 0; i < core_count(tests); i++)
        tcase_add_test(one, tests[i]);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
