/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The provider "mtls", as a module and built in: each test runs with both. */
#include "provider_load.h"

#include <check.h>
#include <mtls/mtls_provider.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/self_test.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static OSSL_LIB_CTX *ctx;
static OSSL_PROVIDER *provider;

static void load(enum provider_kind kind)
{
    ctx = provider_context(kind);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
}

/* With a section of openssl.cnf; it may be wrong. */
static void configure(enum provider_kind kind, const char *section)
{
    ctx = provider_context(kind);
    ck_assert(OSSL_LIB_CTX_load_config(
        ctx, provider_conf(section, kind == PROVIDER_MODULE)));
    ck_assert(OSSL_PROVIDER_available(ctx, "mtls"));
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
}

static void unload(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert(OSSL_PROVIDER_unload(provider));
    OSSL_LIB_CTX_free(ctx);
    provider_conf_remove();
}

/* --- what it says -------------------------------------------------------- */

START_TEST(says_what_it_is)
{
    const char *name = NULL;
    const char *version = NULL;
    const char *info = NULL;
    const char *error = NULL;
    int status = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, (char **)&name, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, (char **)&version, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, (char **)&info, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_utf8_ptr(MTLS_PROV_PARAM_ERROR, (char **)&error, 0),
        OSSL_PARAM_END,
    };
    const OSSL_PARAM *gettable;

    load((enum provider_kind)_i);
    gettable = OSSL_PROVIDER_gettable_params(provider);
    ck_assert_int_eq(OSSL_PROVIDER_available(ctx, "mtls"), 1);
    ck_assert_int_eq(OSSL_PROVIDER_get_params(provider, params), 1);
    ck_assert_str_eq(name, "Multiplexed TLS for OpenSSL");
    ck_assert_uint_gt(strlen(version), 0);
    ck_assert_uint_gt(strlen(info), 0);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_null(error);
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

    load((enum provider_kind)_i);
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
    expect_number(params, "mtls-min-tls", TLS1_2_VERSION);
    expect_number(params, "mtls-max-tls", TLS1_3_VERSION);
    expect_number(params, "mtls-max-channels", 65536);
    expect_number(params, "mtls-max-window", 0xffffffffu);
    expect_number(params, "mtls-max-packet", 0xffffffffu);
    expect_number(params, "mtls-max-request", 1024);
    expect_number(params, "mtls-max-echec", 65528);
    expect_number(params, "mtls-max-name", 255);
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

    load((enum provider_kind)_i);
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

    load((enum provider_kind)_i);
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

/* SSL_CTX_new() asks all providers for capabilities of its own. */
START_TEST(leaves_tls_and_algorithms_to_the_others)
{
    OSSL_PROVIDER *other;
    SSL_CTX *ssl_ctx;
    EVP_MD *md;

    load((enum provider_kind)_i);
    other = OSSL_PROVIDER_load(ctx, "default");
    ck_assert_ptr_nonnull(other);
    md = EVP_MD_fetch(ctx, "SHA256", NULL);
    ck_assert_ptr_nonnull(md);
    EVP_MD_free(md);
    ck_assert_ptr_null(EVP_MD_fetch(ctx, "SHA256", "provider=mtls"));
    ERR_clear_error();
    ssl_ctx = SSL_CTX_new_ex(ctx, NULL, TLS_method());
    ck_assert_ptr_nonnull(ssl_ctx);
    SSL_CTX_free(ssl_ctx);
    OSSL_PROVIDER_unload(other);
}
END_TEST

/* --- the section in openssl.cnf ------------------------------------------- */

static int is_running(void)
{
    int status = -1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_END,
    };

    ck_assert(OSSL_PROVIDER_get_params(provider, params));
    return status;
}

/* The value of a setting, or -1. */
static int64_t setting(const char *name)
{
    uint64_t n = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_uint64(name, &n),
        OSSL_PARAM_END,
    };

    ck_assert_ptr_nonnull(
        OSSL_PARAM_locate_const(OSSL_PROVIDER_gettable_params(provider), name));
    ck_assert(OSSL_PROVIDER_get_params(provider, params));
    return OSSL_PARAM_modified(params) ? (int64_t)n : -1;
}

static const char *text_of(const char *name)
{
    char *text = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_ptr(name, &text, 0),
        OSSL_PARAM_END,
    };

    ck_assert(OSSL_PROVIDER_get_params(provider, params));
    return text;
}

START_TEST(tells_its_settings)
{
    configure((enum provider_kind)_i,
              "window = 131072\nmax_window = 2147483647\nmax_packet = 1\n"
              "session_memory = 9223372036854775807\nmax_channels = 65536\n"
              "max_opening = 0\nbacklog = 17\n"
              "allow = localhost:80, [2001:db8::/32]:443 unix:/run/x");
    ck_assert_int_eq(is_running(), 1);
    ck_assert_int_eq(setting("window"), 131072);
    ck_assert_int_eq(setting("max_window"), INT32_MAX);
    ck_assert_int_eq(setting("max_packet"), 1);
    ck_assert_int_eq(setting("session_memory"), INT64_MAX);
    ck_assert_int_eq(setting("max_channels"), 65536);
    ck_assert_int_eq(setting("max_opening"), 0);
    ck_assert_int_eq(setting("backlog"), 17);
    ck_assert_str_eq(text_of("allow"),
                     "localhost:80, [2001:db8::/32]:443 unix:/run/x");
}
END_TEST

START_TEST(what_is_not_set_is_not_told)
{
    configure((enum provider_kind)_i, "backlog = 5");
    ck_assert_int_eq(setting("backlog"), 5);
    ck_assert_int_eq(setting("window"), -1);
    ck_assert_int_eq(setting("max_window"), -1);
    ck_assert_int_eq(setting("max_packet"), -1);
    ck_assert_int_eq(setting("session_memory"), -1);
    ck_assert_int_eq(setting("max_channels"), -1);
    ck_assert_int_eq(setting("max_opening"), -1);
    ck_assert_ptr_null(text_of("allow"));
}
END_TEST

static const char *const wrong_sections[][2] = {
    {"window = 0", "window = 0: not a number from 1 to 2147483647"},
    {"window = 2147483648", "window = 2147483648: not"},
    {"window = -1", "window = -1: not"},
    {"window = 64K", "window = 64K: not"},
    {"window = 0x10", "window = 0x10: not"},
    {"window = 1 2", "window = 1 2: not"},
    {"window =", "window = : not"},
    {"max_window = 0", "max_window = 0: not"},
    {"window = 9\nmax_window = 8", "window = 9: more than max_window"},
    {"max_packet = 0", "max_packet = 0: not"},
    {"session_memory = 0", "session_memory = 0: not"},
    {"session_memory = 9223372036854775808", "session_memory = 92233"},
    {"session_memory = 18446744073709551617", "session_memory = 18446"},
    {"max_channels = 65537", "max_channels = 65537: not"},
    {"max_opening = 65537", "max_opening = 65537: not"},
    {"backlog = x", "backlog = x: not a number from 0 to 65536"},
    {"allow = \"  , \"", "allow: no destination"},
    /* the first is told */
    {"backlog = x\nwindow = y", "window = y: not"},
};

#define N_WRONG ((int)(sizeof(wrong_sections) / sizeof(wrong_sections[0])))

/* The error that the last call left; clears the queue. */
static void expect_reason(int reason, const char *text, const char *data)
{
    const char *got;
    int flags;
    unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &got, &flags);

    ck_assert_int_eq(ERR_GET_REASON(e), reason);
    ck_assert_str_eq(ERR_reason_error_string(e), text);
    if (data != NULL)
        ck_assert_msg(strstr(got, data) != NULL, "%s: no %s", got, data);
    ERR_clear_error();
}

static EVP_KDF_CTX *new_kdf(void)
{
    EVP_KDF *kdf = EVP_KDF_fetch(ctx, MTLS_KDF_NAME_PSK, NULL);
    EVP_KDF_CTX *k;

    ck_assert_ptr_nonnull(kdf);
    k = EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    return k;
}

START_TEST(a_wrong_section_is_told_and_nothing_goes_on)
{
    const char *const *wrong = wrong_sections[_i / PROVIDER_KINDS];

    configure((enum provider_kind)(_i % PROVIDER_KINDS), wrong[0]);
    ck_assert_int_eq(is_running(), 0);
    ck_assert_ptr_nonnull(text_of("error"));
    ck_assert_msg(strncmp(text_of("error"), wrong[1], strlen(wrong[1])) == 0,
                  "%s", text_of("error"));
    ck_assert_ptr_null(new_kdf());
    expect_reason(MTLS_PROV_R_NOT_RUNNING, "provider is not running", wrong[1]);
}
END_TEST

/* --- the self-test ---------------------------------------------------------
 */

struct seen {
    int begun, passed, failed;
    int corrupt;
};

static int see_test(const OSSL_PARAM params[], void *arg)
{
    struct seen *seen = arg;
    const char *phase = NULL;
    const OSSL_PARAM *p =
        OSSL_PARAM_locate_const(params, OSSL_PROV_PARAM_SELF_TEST_PHASE);

    ck_assert_ptr_nonnull(p);
    ck_assert(OSSL_PARAM_get_utf8_string_ptr(p, &phase));
    expect_text(params, OSSL_PROV_PARAM_SELF_TEST_TYPE,
                OSSL_SELF_TEST_TYPE_KAT_KDF);
    expect_text(params, OSSL_PROV_PARAM_SELF_TEST_DESC, "MTLS-PSK");
    seen->begun += strcmp(phase, OSSL_SELF_TEST_PHASE_START) == 0;
    seen->passed += strcmp(phase, OSSL_SELF_TEST_PHASE_PASS) == 0;
    seen->failed += strcmp(phase, OSSL_SELF_TEST_PHASE_FAIL) == 0;
    return strcmp(phase, OSSL_SELF_TEST_PHASE_CORRUPT) != 0 || !seen->corrupt;
}

START_TEST(tests_itself_when_loaded_and_when_asked)
{
    struct seen seen = {0};

    ctx = provider_context((enum provider_kind)_i);
    OSSL_SELF_TEST_set_callback(ctx, see_test, &seen);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
    ck_assert_int_eq(seen.begun, 1);
    ck_assert_int_eq(seen.passed, 1);
    ck_assert_int_eq(OSSL_PROVIDER_self_test(provider), 1);
    ck_assert_int_eq(seen.begun, 2);
    ck_assert_int_eq(seen.passed, 2);
    ck_assert_int_eq(seen.failed, 0);
    ck_assert_int_eq(is_running(), 1);
}
END_TEST

START_TEST(a_failed_self_test_is_told_and_nothing_goes_on)
{
    struct seen seen = {.corrupt = 1};
    OSSL_LIB_CTX *failed_ctx;
    OSSL_PROVIDER *failed;

    ctx = provider_context((enum provider_kind)_i);
    OSSL_SELF_TEST_set_callback(ctx, see_test, &seen);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
    ck_assert_int_eq(seen.failed, 1);
    ck_assert_int_eq(is_running(), 0);
    ck_assert_str_eq(text_of("error"), "self-test failed");
    ck_assert_ptr_null(new_kdf());
    expect_reason(MTLS_PROV_R_NOT_RUNNING, "provider is not running",
                  "self-test failed");

    /* another context's is another one */
    failed_ctx = ctx;
    failed = provider;
    load((enum provider_kind)_i);
    ck_assert_int_eq(is_running(), 1);
    OSSL_PROVIDER_unload(failed);
    OSSL_LIB_CTX_free(failed_ctx);
}
END_TEST

/* One that fails while contexts of the KDF are in use ends those, too. */
START_TEST(a_self_test_that_fails_later_ends_what_is_in_use)
{
    struct seen seen = {0};
    unsigned char psk[48] = {1};
    EVP_KDF_CTX *k;
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(MTLS_KDF_PARAM_SESSION_ID, "ID", 2),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, psk, sizeof(psk)),
        OSSL_PARAM_END,
    };

    ctx = provider_context((enum provider_kind)_i);
    OSSL_SELF_TEST_set_callback(ctx, see_test, &seen);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
    k = new_kdf();
    ck_assert_int_gt(EVP_KDF_derive(k, psk, sizeof(psk), params), 0);
    seen.corrupt = 1;
    ck_assert_int_eq(OSSL_PROVIDER_self_test(provider), 0);
    ck_assert_int_eq(is_running(), 0);
    ck_assert_int_le(EVP_KDF_derive(k, psk, sizeof(psk), params), 0);
    expect_reason(MTLS_PROV_R_NOT_RUNNING, "provider is not running",
                  "self-test failed");
    EVP_KDF_CTX_free(k);
    seen.corrupt = 0;
    ck_assert_int_eq(OSSL_PROVIDER_self_test(provider), 1);
    ck_assert_int_eq(is_running(), 0); /* for good */
}
END_TEST

/* --- contexts and threads ---------------------------------------------------
 */

START_TEST(contexts_have_settings_of_their_own)
{
    OSSL_LIB_CTX *first_ctx;
    OSSL_PROVIDER *first;

    configure((enum provider_kind)_i, "window = 1000");
    first_ctx = ctx;
    first = provider;
    configure((enum provider_kind)_i, "window = 2000");
    ck_assert_int_eq(setting("window"), 2000);
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(ctx);
    provider = first;
    ctx = first_ctx;
    ck_assert_int_eq(setting("window"), 1000);
}
END_TEST

#define N_THREADS 4
#define N_ROUNDS 50

static void *use(void *arg)
{
    enum provider_kind kind = *(enum provider_kind *)arg;
    unsigned char psk[48];

    for (int i = 0; i < N_ROUNDS; i++) {
        OSSL_LIB_CTX *own = provider_context(kind);
        OSSL_PROVIDER *mine = OSSL_PROVIDER_load(own, "mtls");
        EVP_KDF *kdf = EVP_KDF_fetch(i % 2 ? own : ctx, "MTLS-PSK", NULL);
        EVP_KDF_CTX *k = EVP_KDF_CTX_new(kdf);
        unsigned char secret[48];
        OSSL_PARAM params[] = {
            OSSL_PARAM_octet_string(MTLS_KDF_PARAM_SESSION_ID, "ID", 2),
            OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, secret, 48),
            OSSL_PARAM_END,
        };

        memset(secret, i, sizeof(secret));
        if (mine == NULL || k == NULL ||
            EVP_KDF_derive(k, psk, sizeof(psk), params) <= 0 ||
            memcmp(psk, secret, sizeof(psk)) != 0 ||
            EVP_KDF_derive(k, psk, 1, params) > 0 || ERR_get_error() == 0)
            return arg;
        ERR_clear_error();
        EVP_KDF_CTX_free(k);
        EVP_KDF_free(kdf);
        OSSL_PROVIDER_unload(mine);
        OSSL_LIB_CTX_free(own);
    }
    return NULL;
}

START_TEST(threads_may_use_it_at_once)
{
    enum provider_kind kind = (enum provider_kind)_i;
    pthread_t threads[N_THREADS];
    void *failed;

    load(kind);
    for (int i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, &kind), 0);
    for (int i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider");
    TCase *tests = tcase_create("provider");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tests, NULL, unload);
#define ADD(test) tcase_add_loop_test(tests, test, 0, PROVIDER_KINDS)
    ADD(says_what_it_is);
    ADD(other_parameters_are_left_alone);
    ADD(announces_the_protocol);
    ADD(announces_nothing_else);
    ADD(leaves_tls_and_algorithms_to_the_others);
    ADD(tells_its_settings);
    ADD(what_is_not_set_is_not_told);
    tcase_add_loop_test(tests, a_wrong_section_is_told_and_nothing_goes_on, 0,
                        N_WRONG * PROVIDER_KINDS);
    ADD(tests_itself_when_loaded_and_when_asked);
    ADD(a_failed_self_test_is_told_and_nothing_goes_on);
    ADD(a_self_test_that_fails_later_ends_what_is_in_use);
    ADD(contexts_have_settings_of_their_own);
    ADD(threads_may_use_it_at_once);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
