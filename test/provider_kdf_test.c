/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The KDF "MTLS-PSK", of the module and of the built-in provider. */
#include "provider_load.h"

#include <check.h>
#include <mtls/mtls_provider.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/* The test vector of EVP_KDF-MTLS-PSK(7). */
#define ID "AOnMvL_NiBQ8eL8_ZMj9XlxUmVm0A5bt"
static const char secret_hex[] =
    "235b735c3e8c2ebff6301171dd72f5d47874f0e7b64d4d4c"
    "e60fb29c04a8106bff276bd729ae0ac0d74603ce60a7bc78";

static OSSL_LIB_CTX *ctx;
static OSSL_PROVIDER *provider;
static EVP_KDF *kdf;
static EVP_KDF_CTX *k;
static unsigned char secret[48];

static void load(enum provider_kind kind)
{
    size_t n;

    ctx = provider_context(kind);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
    kdf = EVP_KDF_fetch(ctx, MTLS_KDF_NAME_PSK, "provider=mtls");
    ck_assert_ptr_nonnull(kdf);
    k = EVP_KDF_CTX_new(kdf);
    ck_assert_ptr_nonnull(k);
    ck_assert(
        OPENSSL_hexstr2buf_ex(secret, sizeof(secret), &n, secret_hex, '\0'));
    ck_assert_uint_eq(n, sizeof(secret));
}

static void unload(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    EVP_KDF_CTX_free(k);
    EVP_KDF_free(kdf);
    ck_assert(OSSL_PROVIDER_unload(provider));
    OSSL_LIB_CTX_free(ctx);
}

static int set(const char *name, const void *octets, size_t len)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(name, (void *)octets, len),
        OSSL_PARAM_END,
    };

    ck_assert_ptr_nonnull(
        OSSL_PARAM_locate_const(EVP_KDF_CTX_settable_params(k), name));
    return EVP_KDF_CTX_set_params(k, params);
}

static int set_mode(const char *mode)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, (char *)mode, strlen(mode)),
        OSSL_PARAM_END,
    };

    return EVP_KDF_CTX_set_params(k, params);
}

static void set_both(void)
{
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, ID, strlen(ID)), 1);
    ck_assert_int_eq(set(OSSL_KDF_PARAM_SECRET, secret, sizeof(secret)), 1);
}

static void expect_reason(int reason, const char *text)
{
    unsigned long e = ERR_get_error();

    ck_assert_int_eq(ERR_GET_REASON(e), reason);
    ck_assert_str_eq(ERR_reason_error_string(e), text);
    ERR_clear_error();
}

/* What is derived must not be touched where nothing is. */
static void derive_fails(size_t len, int reason, const char *text)
{
    unsigned char out[100], untouched[100];

    memset(out, 0xa5, sizeof(out));
    memset(untouched, 0xa5, sizeof(untouched));
    ck_assert_int_le(EVP_KDF_derive(k, out, len, NULL), 0);
    ck_assert_mem_eq(out, untouched, sizeof(out));
    expect_reason(reason, text);
}

static void expect_psk(EVP_KDF_CTX *of)
{
    unsigned char psk[48];

    ck_assert_uint_eq(EVP_KDF_CTX_get_kdf_size(of), sizeof(psk));
    ck_assert_int_gt(EVP_KDF_derive(of, psk, sizeof(psk), NULL), 0);
    ck_assert_mem_eq(psk, secret, sizeof(psk));
}

static int get_identity(EVP_KDF_CTX *of, char *identity, size_t size)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(MTLS_KDF_PARAM_IDENTITY, identity, size),
        OSSL_PARAM_END,
    };

    ck_assert_ptr_nonnull(OSSL_PARAM_locate_const(
        EVP_KDF_CTX_gettable_params(of), MTLS_KDF_PARAM_IDENTITY));
    if (!EVP_KDF_CTX_get_params(of, params))
        return -1;
    return (int)params[0].return_size;
}

START_TEST(gives_the_documented_identity_and_key)
{
    unsigned char out[32];
    char identity[33];

    load((enum provider_kind)_i);
    set_both();
    expect_psk(k);
    ck_assert_int_eq(get_identity(k, identity, sizeof(identity)), 32);
    ck_assert_str_eq(identity, ID);

    ck_assert_int_eq(set_mode(MTLS_KDF_MODE_IDENTITY), 1);
    ck_assert_uint_eq(EVP_KDF_CTX_get_kdf_size(k), 32);
    ck_assert_int_gt(EVP_KDF_derive(k, out, sizeof(out), NULL), 0);
    ck_assert_mem_eq(out, ID, sizeof(out));
    ck_assert_int_eq(set_mode(MTLS_KDF_MODE_PSK), 1);
    expect_psk(k);
}
END_TEST

START_TEST(derives_from_parameters_given_at_once)
{
    unsigned char psk[48];
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(MTLS_KDF_PARAM_SESSION_ID, ID, 32),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof(secret)),
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, "PSK", 3),
        OSSL_PARAM_END,
    };

    load((enum provider_kind)_i);
    ck_assert_int_gt(EVP_KDF_derive(k, psk, sizeof(psk), params), 0);
    ck_assert_mem_eq(psk, secret, sizeof(psk));
}
END_TEST

START_TEST(an_identity_needs_no_secret)
{
    unsigned char out[1];

    load((enum provider_kind)_i);
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, "\xff", 1), 1);
    ck_assert_int_eq(set_mode("identity"), 1);
    ck_assert_int_gt(EVP_KDF_derive(k, out, 1, NULL), 0);
    ck_assert_uint_eq(out[0], 0xff);
}
END_TEST

START_TEST(session_ids_that_could_be_cut_are_refused)
{
    static const struct {
        const char *id;
        size_t len;
    } bad[] = {{"\0abc", 4}, {"abc\0", 4}, {"a\0c", 3}, {"", 0}, {ID "x", 33}};
    unsigned char out[32];

    load((enum provider_kind)_i);
    ck_assert_int_eq(set_mode("identity"), 1);
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, ID, 32), 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, bad[i].id, bad[i].len),
                         0);
        expect_reason(MTLS_PROV_R_BAD_SESSION_ID, "unusable session ID");
    }
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, NULL, 0), 0);
    expect_reason(MTLS_PROV_R_BAD_SESSION_ID, "unusable session ID");
    ck_assert_int_gt(EVP_KDF_derive(k, out, 32, NULL), 0);
    ck_assert_mem_eq(out, ID, 32); /* the good one is still there */
}
END_TEST

START_TEST(secrets_of_another_length_are_refused)
{
    static const size_t lengths[] = {0, 1, 32, 47, 49, 96};
    unsigned char octets[96] = {0};

    load((enum provider_kind)_i);
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, ID, 32), 1);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        ck_assert_int_eq(set(OSSL_KDF_PARAM_SECRET, octets, lengths[i]), 0);
        expect_reason(MTLS_PROV_R_BAD_SECRET, "unusable master secret");
        ck_assert_int_eq(set(OSSL_KDF_PARAM_KEY, octets, lengths[i]), 0);
        expect_reason(MTLS_PROV_R_BAD_SECRET, "unusable master secret");
    }
    derive_fails(48, MTLS_PROV_R_NO_SECRET, "no master secret");
}
END_TEST

START_TEST(nothing_is_derived_from_half_of_it_or_at_another_length)
{
    char identity[33];

    load((enum provider_kind)_i);
    derive_fails(48, MTLS_PROV_R_NO_SESSION_ID, "no session ID");
    ck_assert_int_eq(get_identity(k, identity, sizeof(identity)), -1);
    expect_reason(MTLS_PROV_R_NO_SESSION_ID, "no session ID");
    ck_assert_int_eq(set(OSSL_KDF_PARAM_SECRET, secret, 48), 1);
    derive_fails(48, MTLS_PROV_R_NO_SESSION_ID, "no session ID");
    set_both();
    derive_fails(47, MTLS_PROV_R_BAD_LENGTH,
                 "wrong length of what is to be derived");
    derive_fails(49, MTLS_PROV_R_BAD_LENGTH,
                 "wrong length of what is to be derived");
    ck_assert_int_eq(set_mode("identity"), 1);
    derive_fails(48, MTLS_PROV_R_BAD_LENGTH,
                 "wrong length of what is to be derived");
}
END_TEST

START_TEST(wrong_modes_and_types_are_refused)
{
    static const char *const octets[] = {
        MTLS_KDF_PARAM_SESSION_ID, OSSL_KDF_PARAM_SECRET, OSSL_KDF_PARAM_KEY};
    OSSL_PARAM params[] = {OSSL_PARAM_END, OSSL_PARAM_END};

    load((enum provider_kind)_i);
    for (size_t i = 0; i < 3; i++) {
        params[0] = OSSL_PARAM_construct_utf8_string(octets[i], (char *)ID, 32);
        ck_assert_int_eq(EVP_KDF_CTX_set_params(k, params), 0);
        expect_reason(MTLS_PROV_R_WRONG_TYPE, "parameter of the wrong type");
    }
    ck_assert_int_eq(set(OSSL_KDF_PARAM_MODE, "psk", 3), 0);
    expect_reason(MTLS_PROV_R_WRONG_TYPE, "parameter of the wrong type");
    ck_assert_int_eq(set_mode("key"), 0);
    expect_reason(MTLS_PROV_R_BAD_MODE, "unknown mode");
    ck_assert_int_eq(set_mode(""), 0);
    expect_reason(MTLS_PROV_R_BAD_MODE, "unknown mode");
    set_both();
    expect_psk(k);
}
END_TEST

START_TEST(the_identity_says_what_room_it_needs)
{
    char identity[33], small[31];

    load((enum provider_kind)_i);
    set_both();
    ck_assert_int_eq(get_identity(k, NULL, 0), 32);
    ck_assert_int_eq(get_identity(k, small, sizeof(small)), -1);
    expect_reason(MTLS_PROV_R_WRONG_TYPE, "parameter of the wrong type");
    memset(identity, 'x', sizeof(identity));
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, "ab\xc3", 3), 1);
    ck_assert_int_eq(get_identity(k, identity, sizeof(identity)), 3);
    ck_assert_str_eq(identity, "ab\xc3"); /* nothing is left of the other */
}
END_TEST

START_TEST(copies_are_independent_and_reset_forgets)
{
    unsigned char psk[48];
    EVP_KDF_CTX *copy;

    load((enum provider_kind)_i);
    set_both();
    copy = EVP_KDF_CTX_dup(k);
    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(set_mode("identity"), 1);
    EVP_KDF_CTX_reset(k);
    ck_assert_uint_eq(EVP_KDF_CTX_get_kdf_size(k), 48);
    derive_fails(48, MTLS_PROV_R_NO_SESSION_ID, "no session ID");
    ck_assert_int_eq(set(MTLS_KDF_PARAM_SESSION_ID, ID, 32), 1);
    derive_fails(48, MTLS_PROV_R_NO_SECRET, "no master secret");
    expect_psk(copy);
    EVP_KDF_CTX_reset(copy);
    ck_assert_int_le(EVP_KDF_derive(copy, psk, sizeof(psk), NULL), 0);
    expect_reason(MTLS_PROV_R_NO_SESSION_ID, "no session ID");
    EVP_KDF_CTX_free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_kdf");
    TCase *tests = tcase_create("kdf");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tests, NULL, unload);
#define ADD(test) tcase_add_loop_test(tests, test, 0, PROVIDER_KINDS)
    ADD(gives_the_documented_identity_and_key);
    ADD(derives_from_parameters_given_at_once);
    ADD(an_identity_needs_no_secret);
    ADD(session_ids_that_could_be_cut_are_refused);
    ADD(secrets_of_another_length_are_refused);
    ADD(nothing_is_derived_from_half_of_it_or_at_another_length);
    ADD(wrong_modes_and_types_are_refused);
    ADD(the_identity_says_what_room_it_needs);
    ADD(copies_are_independent_and_reset_forgets);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
