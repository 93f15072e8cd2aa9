/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The module mtls.so, loaded as any program would load it. */
#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

static OSSL_LIB_CTX *ctx;
static OSSL_PROVIDER *provider;

static void load(void)
{
    const char *dir = getenv("MTLS_PROVIDER_DIR");

    ctx = OSSL_LIB_CTX_new();
    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(OSSL_PROVIDER_set_default_search_path(
                         ctx, dir == NULL ? "provider" : dir),
                     1);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
}

static void unload(void)
{
    ck_assert_int_eq(OSSL_PROVIDER_unload(provider), 1);
    OSSL_LIB_CTX_free(ctx);
}

START_TEST(says_what_it_is)
{
    const char *name = NULL;
    const char *version = NULL;
    const char *info = NULL;
    int status = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, (char **)&name, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, (char **)&version, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, (char **)&info, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_END,
    };
    const OSSL_PARAM *gettable = OSSL_PROVIDER_gettable_params(provider);

    ck_assert_int_eq(OSSL_PROVIDER_available(ctx, "mtls"), 1);
    ck_assert_int_eq(OSSL_PROVIDER_get_params(provider, params), 1);
    ck_assert_str_eq(name, "Multiplexed TLS for OpenSSL");
    ck_assert_uint_gt(strlen(version), 0);
    ck_assert_uint_gt(strlen(info), 0);
    ck_assert_int_eq(status, 1);
    for (OSSL_PARAM *p = params; p->key != NULL; p++)
        ck_assert_ptr_nonnull(OSSL_PARAM_locate_const(gettable, p->key));
}
END_TEST

START_TEST(other_parameters_are_left_alone)
{
    int other = 7;
    OSSL_PARAM params[] = {
        OSSL_PARAM_int("something-else", &other),
        OSSL_PARAM_END,
    };

    ck_assert_int_eq(OSSL_PROVIDER_get_params(provider, params), 1);
    ck_assert_int_eq(other, 7);
    ck_assert(!OSSL_PARAM_modified(params));
}
END_TEST

static void expect_text(const OSSL_PARAM params[], const char *key,
                        const char *expected)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, key);
    const char *text = NULL;

    ck_assert_msg(p != NULL, "no %s", key);
    ck_assert_int_eq(OSSL_PARAM_get_utf8_string_ptr(p, &text), 1);
    ck_assert_str_eq(text, expected);
}

static void expect_number(const OSSL_PARAM params[], const char *key,
                          unsigned int expected)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, key);
    unsigned int n = 0;

    ck_assert_msg(p != NULL, "no %s", key);
    ck_assert_int_eq(OSSL_PARAM_get_uint(p, &n), 1);
    ck_assert_uint_eq(n, expected);
}

static int see_entry(const OSSL_PARAM params[], void *arg)
{
    static const char *const names[] = {
        "ChannelEstablishmentRequest", "ChannelEstablishmentSuccess",
        "ChannelRequestEchec",         "ChannelCloseRequest",
        "ChannelCloseConfirmation",    "MTLSPlaintext",
        "NewMaxPacketLength",          "Acknowledgment",
    };
    const OSSL_PARAM *types;
    const void *octets = NULL;
    size_t n = 0;

    ++*(int *)arg;
    expect_text(params, "mtls-protocol", "draft-badra-hajjeh-mtls-05");
    expect_text(params, "mtls-transport", "tls");
    expect_text(params, "mtls-alpn", "mtls");
    expect_number(params, "mtls-max-channels", 65536);
    expect_number(params, "mtls-max-window", 0xffffffffu);
    expect_number(params, "mtls-max-packet", 0xffffffffu);
    types = OSSL_PARAM_locate_const(params, "mtls-message-types");
    ck_assert_ptr_nonnull(types);
    ck_assert_int_eq(OSSL_PARAM_get_octet_string_ptr(types, &octets, &n), 1);
    ck_assert_uint_eq(n, 8);
    for (size_t i = 0; i < n; i++) {
        char key[] = "mtls-message-0";

        ck_assert_uint_eq(((const unsigned char *)octets)[i], i + 1);
        key[sizeof(key) - 2] += (char)(i + 1);
        expect_text(params, key, names[i]);
    }
    return 1;
}

START_TEST(announces_the_protocol)
{
    int entries = 0;

    ck_assert_int_eq(
        OSSL_PROVIDER_get_capabilities(provider, "MTLS", see_entry, &entries),
        1);
    ck_assert_int_eq(entries, 1);
}
END_TEST

static int refuse_entry(const OSSL_PARAM params[], void *arg)
{
    (void)params;
    ++*(int *)arg;
    return 0;
}

START_TEST(announces_nothing_else)
{
    int entries = 0;

    ck_assert_int_eq(OSSL_PROVIDER_get_capabilities(provider, "TLS-GROUP",
                                                    refuse_entry, &entries),
                     1);
    ck_assert_int_eq(entries, 0);
    ck_assert_int_eq(OSSL_PROVIDER_get_capabilities(provider, "MTLS",
                                                    refuse_entry, &entries),
                     0);
    ck_assert_int_eq(entries, 1);
}
END_TEST

START_TEST(leaves_algorithms_to_the_others)
{
    OSSL_PROVIDER *other = OSSL_PROVIDER_load(ctx, "default");
    EVP_MD *md;

    ck_assert_ptr_nonnull(other);
    md = EVP_MD_fetch(ctx, "SHA256", NULL);
    ck_assert_ptr_nonnull(md);
    EVP_MD_free(md);
    ck_assert_ptr_null(EVP_MD_fetch(ctx, "SHA256", "provider=mtls"));
    OSSL_PROVIDER_unload(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider");
    TCase *tests = tcase_create("module");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tests, load, unload);
    tcase_add_test(tests, says_what_it_is);
    tcase_add_test(tests, other_parameters_are_left_alone);
    tcase_add_test(tests, announces_the_protocol);
    tcase_add_test(tests, announces_nothing_else);
    tcase_add_test(tests, leaves_algorithms_to_the_others);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
