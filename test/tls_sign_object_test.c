/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Signed objects: what is made opens, and nothing that was changed does. */
#include "core_suite.h"
#include "sign_format.h"
#include "sign_pki.h"
#include "stacks.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define CMS 0
#define SMIME 1

struct object {
    unsigned char *p;
    size_t len;
};

static const struct mtls_sign_context context = {
    .binding = "a binding of 32 octets, no more",
    .direction = MTLS_SIGN_FROM_CLIENT,
    .flags = MTLS_SIGN_WANTS_RECEIPT,
    .sequence = 0x123456789};

static struct object make(uint8_t format, const struct pki_id *id,
                          const char *data, size_t len)
{
    struct mtls_sign_parts parts = {(const unsigned char *)data,
                                    len,
                                    context,
                                    time(NULL),
                                    id->cert,
                                    id->key,
                                    id->chain};
    struct object o;

    ck_assert(mtls_sign_make(format, &parts, &o.p, &o.len));
    return o;
}

/* Opens, and is signed by |id|, whom the root vouches for. */
static int is_good(uint8_t format, const struct object *o,
                   const struct pki_id *id)
{
    struct mtls_signed s;
    X509_STORE *trust = pki_trust(NULL);
    int r = mtls_sign_open(format, o->p, o->len, &s);

    if (r) {
        r = mtls_sign_check(&s, trust, NULL, time(NULL)) &&
            X509_cmp(s.signer, id->cert) == 0;
        mtls_signed_cleanup(&s);
    }
    X509_STORE_free(trust);
    return r;
}

/* --- what is made opens --- */

static void check_round(uint8_t format, const char *key, size_t len)
{
    const struct pki_wish wish = {.key = key, .by_intermediate = 1};
    struct pki_id id = pki_make(&wish);
    char *data = calloc(1, len + 1);
    struct mtls_signed s;
    struct object o;

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 7 + i / 256);
    o = make(format, &id, data, len);
    ck_assert(is_good(format, &o, &id));
    ck_assert(mtls_sign_open(format, o.p, o.len, &s));
    ck_assert_uint_eq(s.len, len);
    ck_assert(len == 0 || memcmp(s.data, data, len) == 0);
    ck_assert_mem_eq(s.context.binding, context.binding, MTLS_SIGN_BINDING);
    ck_assert_uint_eq(s.context.sequence, context.sequence);
    ck_assert_uint_eq(s.context.flags, context.flags);
    ck_assert_uint_eq(s.context.direction, context.direction);
    ck_assert_int_le(labs((long)(time(NULL) - s.time)), 60);
    ck_assert_int_eq(sk_X509_num(s.chain), 1);
    mtls_signed_cleanup(&s);
    OPENSSL_free(o.p);
    free(data);
    pki_free(&id);
}

START_TEST(G8_objects_of_every_key_and_size)
{
    static const char *const keys[] = {"P-256", "P-384", "P-521", "RSA",
                                       "RSA-PSS"};
    static const size_t sizes[] = {0, 1, 100, 70000};

    for (size_t i = 0; i < core_count(keys); i++)
        check_round((uint8_t)_i, keys[i], 1000);
    for (size_t i = 0; i < core_count(sizes); i++)
        check_round((uint8_t)_i, "P-256", sizes[i]);
}
END_TEST

START_TEST(G8_an_object_of_64_MiB)
{
    check_round(CMS, "P-256", (size_t)64 << 20);
}
END_TEST

/* OpenSSL's own PSS, not the older padding. */
START_TEST(keys_of_RSA_sign_with_PSS)
{
    const struct pki_wish wish = {.key = _i == 0 ? "RSA" : "RSA-PSS"};
    struct pki_id id = pki_make(&wish);
    struct object o = make(CMS, &id, "data", 4);
    const unsigned char *at = o.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)o.len);
    X509_ALGOR *algorithm;

    CMS_SignerInfo_get0_algs(
        sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0), NULL, NULL, NULL,
        &algorithm);
    ck_assert_int_eq(OBJ_obj2nid(algorithm->algorithm), NID_rsassaPss);
    CMS_ContentInfo_free(cms);
    OPENSSL_free(o.p);
    pki_free(&id);
}
END_TEST

/* Newer OpenSSL signs with it (RFC 8419); until then it says that it can't. */
START_TEST(Ed25519_where_OpenSSL_can)
{
    const struct pki_wish wish = {.key = "ED25519"};
    struct pki_id id = pki_make(&wish);
    struct mtls_sign_parts parts = {(const unsigned char *)"data",
                                    4,
                                    context,
                                    time(NULL),
                                    id.cert,
                                    id.key,
                                    NULL};
    struct object o;

    if (mtls_sign_make((uint8_t)_i, &parts, &o.p, &o.len)) {
        ck_assert(is_good((uint8_t)_i, &o, &id));
        OPENSSL_free(o.p);
    } else {
        ck_reason(MTLS_R_SIGN_FAILED);
    }
    pki_free(&id);
}
END_TEST

/* --- G1: each octet --- */

static void change_each_octet(uint8_t format, const struct pki_id *id)
{
    struct object o = make(format, id, "pay 100 to Bob", 14);

    ck_assert(is_good(format, &o, id));
    for (size_t i = 0; i < o.len; i++) {
        const unsigned char was = o.p[i];

        for (int bit = 0; bit < 9; bit++) {
            o.p[i] = (unsigned char)(bit < 8 ? was ^ 1 << bit : ~was);
            if (is_good(format, &o, id))
                ck_abort_msg("octet %zu of %zu, %02x for %02x", i, o.len,
                             o.p[i], was);
            ERR_clear_error();
        }
        o.p[i] = was;
    }
    for (size_t i = 0; i < o.len; i++) {
        struct object cut = {o.p, i};

        if (is_good(format, &cut, id))
            ck_abort_msg("cut after %zu octets", i);
        ERR_clear_error();
    }
    ck_assert(is_good(format, &o, id));
    OPENSSL_free(o.p);
}

START_TEST(G1_each_octet_changed_EC)
{
    change_each_octet((uint8_t)_i, pki_client());
}
END_TEST

START_TEST(G1_each_octet_changed_RSA)
{
    const struct pki_wish wish = {.key = "RSA"};
    struct pki_id id = pki_make(&wish);

    change_each_octet((uint8_t)_i, &id);
    pki_free(&id);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_object");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_loop_test(one, G8_objects_of_every_key_and_size, 0, 2);
    tcase_add_test(one, G8_an_object_of_64_MiB);
    tcase_add_loop_test(one, keys_of_RSA_sign_with_PSS, 0, 2);
    tcase_add_loop_test(one, Ed25519_where_OpenSSL_can, 0, 2);
    tcase_add_loop_test(one, G1_each_octet_changed_EC, 0, 2);
    tcase_add_loop_test(one, G1_each_octet_changed_RSA, 0, 1);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
