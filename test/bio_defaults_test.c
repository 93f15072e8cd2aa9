/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The filter's defaults come from the provider's section in openssl.cnf, and
 * the program's other providers are left alone. Each test is a process of its
 * own, which has not used OpenSSL before.
 */
#include "provider_load.h"
#include "stacks.h"

#include <check.h>
#include <mtls/mtls_provider.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void use_conf(const char *name)
{
    ck_assert_int_eq(setenv("OPENSSL_CONF", name, 1), 0);
}

/* With the module, or with what is built in, which nobody had announced. */
static void configure(enum provider_kind kind, const char *section)
{
    use_conf(provider_conf(section, kind == PROVIDER_MODULE));
}

static void tear_down(void)
{
    provider_conf_remove();
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

static MTLS_LIMITS limits_of(BIO *filter)
{
    MTLS_LIMITS limits;

    ck_assert_int_eq(BIO_mtls_get_limits(filter, &limits), 1);
    return limits;
}

static MTLS_LIMITS limits_now(void)
{
    BIO *filter = BIO_new(BIO_f_mtls());
    MTLS_LIMITS limits;

    ck_assert_ptr_nonnull(filter);
    limits = limits_of(filter);
    BIO_free(filter);
    return limits;
}

/* --- which limits -----------------------------------------------------------
 */

START_TEST(without_a_section_the_limits_are_the_documented_ones)
{
    MTLS_LIMITS l;

    use_conf(provider_conf_file("window = 1\n"));
    l = limits_now();
    ck_assert_uint_eq(l.window, 65536);
    ck_assert_uint_eq(l.max_window, 16777216);
    ck_assert_uint_eq(l.max_packet, 16375);
    ck_assert_uint_eq(l.session_memory, 67108864);
    ck_assert_uint_eq(l.max_channels, 65536);
    ck_assert_uint_eq(l.max_opening, 4096);
    ck_assert_uint_eq(l.backlog, 4096);
}
END_TEST

START_TEST(without_a_file_too)
{
    use_conf("/nonexistent/openssl.cnf");
    ck_assert_uint_eq(limits_now().window, 65536);
    ck_assert(OSSL_PROVIDER_available(NULL, "mtls"));
}
END_TEST

START_TEST(a_section_sets_every_limit)
{
    MTLS_LIMITS l;

    configure((enum provider_kind)_i,
              "window = 131072\nmax_window = 262144\nmax_packet = 1000\n"
              "session_memory = 5000000000\nmax_channels = 10\n"
              "max_opening = 0\nbacklog = 3");
    l = limits_now();
    ck_assert_uint_eq(l.window, 131072);
    ck_assert_uint_eq(l.max_window, 262144);
    ck_assert_uint_eq(l.max_packet, 1000);
    ck_assert_uint_eq(l.session_memory, 5000000000);
    ck_assert_uint_eq(l.max_channels, 10);
    ck_assert_uint_eq(l.max_opening, 0);
    ck_assert_uint_eq(l.backlog, 3);
}
END_TEST

START_TEST(one_window_alone_moves_the_other_where_it_must)
{
    static const struct {
        const char *section;
        uint64_t window, max_window;
    } cases[] = {{"window = 16777217", 16777217, 16777217},
                 {"max_window = 4096", 4096, 4096},
                 {"window = 4096", 4096, 16777216},
                 {"max_window = 65537", 65536, 65537}};
    MTLS_LIMITS l;

    configure(PROVIDER_BUILT_IN, cases[_i].section);
    l = limits_now();
    ck_assert_uint_eq(l.window, cases[_i].window);
    ck_assert_uint_eq(l.max_window, cases[_i].max_window);
}
END_TEST

START_TEST(what_the_program_sets_counts_for_more)
{
    BIO *filter, *copy;

    configure((enum provider_kind)_i, "window = 131072\nbacklog = 9");
    filter = BIO_new(BIO_f_mtls());
    ck_assert_int_eq(BIO_mtls_set_window(filter, 70000), 1);
    ck_assert_uint_eq(limits_of(filter).window, 70000);
    ck_assert_uint_eq(limits_of(filter).backlog, 9);
    copy = BIO_dup_chain(filter);
    ck_assert_ptr_nonnull(copy);
    ck_assert_uint_eq(limits_of(copy).window, 70000);
    ck_assert_uint_eq(limits_of(copy).backlog, 9);
    BIO_free(copy);
    BIO_free(filter);
}
END_TEST

/* --- how the section is found ------------------------------------------------
 */

START_TEST(it_does_not_matter_that_openssl_was_used_before)
{
    SSL_CTX *ctx;

    configure((enum provider_kind)_i, "window = 131072");
    ctx = SSL_CTX_new(TLS_client_method());
    ck_assert_ptr_nonnull(ctx);
    SSL_CTX_free(ctx);
    ck_assert_uint_eq(limits_now().window, 131072);
}
END_TEST

START_TEST(nor_that_the_program_reads_no_configuration)
{
    configure((enum provider_kind)_i, "window = 131072");
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    ck_assert_uint_eq(limits_now().window, 131072);
}
END_TEST

START_TEST(nor_that_the_program_has_announced_the_built_in_one)
{
    configure((enum provider_kind)_i, "window = 131072");
    ck_assert(OSSL_PROVIDER_add_builtin(NULL, "mtls", MTLS_provider_init));
    ck_assert_uint_eq(limits_now().window, 131072);
}
END_TEST

START_TEST(a_file_that_the_program_loads_by_itself_counts)
{
    char name[100];

    snprintf(name, sizeof(name), "%s",
             provider_conf("window = 131072", _i == PROVIDER_MODULE));
    use_conf("/nonexistent/openssl.cnf");
    ck_assert(OSSL_PROVIDER_add_builtin(NULL, "mtls", MTLS_provider_init));
    ck_assert_int_gt(CONF_modules_load_file(name, NULL, 0), 0);
    provider_conf_remove(); /* nothing is to be read from it later on */
    ck_assert_uint_eq(limits_now().window, 131072);
}
END_TEST

START_TEST(loading_it_leaves_no_error)
{
    OSSL_PROVIDER *own;

    use_conf("/nonexistent/openssl.cnf");
    ck_assert(OSSL_PROVIDER_add_builtin(NULL, "mtls", MTLS_provider_init));
    own = OSSL_PROVIDER_load(NULL, "mtls");
    ck_assert_ptr_nonnull(own);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert(OSSL_PROVIDER_unload(own));
}
END_TEST

START_TEST(other_contexts_have_no_file)
{
    OSSL_LIB_CTX *ctx = provider_context((enum provider_kind)_i);
    OSSL_PROVIDER *own;
    uint64_t window;
    OSSL_PARAM params[] = {
        OSSL_PARAM_uint64(MTLS_PROV_PARAM_WINDOW, &window),
        OSSL_PARAM_END,
    };

    configure((enum provider_kind)_i, "window = 131072");
    own = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(own);
    ck_assert(OSSL_PROVIDER_get_params(own, params));
    ck_assert(!OSSL_PARAM_modified(params));
    OSSL_PROVIDER_unload(own);
    OSSL_LIB_CTX_free(ctx);
}
END_TEST

START_TEST(names_are_openssls)
{
    static const char *const providers[] = {"a.mtls = section",
                                            "other = section", "mtls = wrong",
                                            "mtls = section\nmtls = wrong"};
    static const uint64_t windows[] = {131072, 131072, 65536, 65536};
    char text[500];

    snprintf(text, sizeof(text),
             "openssl_conf = init\n[init]\nproviders = providers\n"
             "[providers]\n%s\n"
             "[section]\n%sactivate = 1\nwindow = 131072\n"
             "[wrong]\nidentity = other\nactivate = 1\nwindow = 99\n",
             providers[_i / 2], _i / 2 == 1 ? "identity = mtls\n" : "");
    use_conf(provider_conf_file(text));
    if (_i % 2) /* then the built-in one reads the file, else OpenSSL */
        OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    ck_assert_uint_eq(limits_now().window, windows[_i / 2]);
}
END_TEST

/* --- a section that is wrong -------------------------------------------------
 */

static void refuses(int failed, BIO *b, const char *text)
{
    const char *data;
    int flags;
    unsigned long e = ERR_peek_last_error_all(NULL, NULL, NULL, &data, &flags);

    ck_assert(failed);
    ck_assert(!BIO_should_retry(b));
    ck_assert_msg(data != NULL && strstr(data, text) != NULL, "%s (%s)", data,
                  ERR_reason_error_string(e));
    ck_assert_int_eq(ERR_GET_LIB(e), MTLS_err_library());
    ck_assert_int_eq(ERR_GET_REASON(e), MTLS_R_BAD_CONFIGURATION);
    ERR_clear_error();
}

/* Nothing goes through the filter: least of all without multiplexing. */
static void all_is_refused(const char *text)
{
    BIO *filter = BIO_new(BIO_f_mtls()), *channel, *below, *peer;
    char octet;

    ck_assert_ptr_nonnull(filter);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert(BIO_new_bio_pair(&below, 0, &peer, 0));
    BIO_push(filter, below);
    refuses(BIO_do_handshake(filter) <= 0, filter, text);
    refuses(BIO_write(filter, "x", 1) < 0, filter, text);
    refuses(BIO_read(filter, &octet, 1) < 0, filter, text);
    refuses(BIO_mtls_process(filter) < 0, filter, text);
    channel = BIO_new_mtls_channel(filter, "localhost:7");
    ck_assert_ptr_nonnull(channel);
    refuses(BIO_do_connect(channel) <= 0, channel, text);
    refuses(BIO_write(channel, "x", 1) < 0, channel, text);
    refuses(BIO_mtls_accept_channel(filter) == NULL, filter, text);
    ck_assert_uint_eq(BIO_pending(peer), 0);
    BIO_free(channel);
    BIO_free_all(filter);
    BIO_free(peer);
}

START_TEST(a_wrong_section_stops_the_filter_and_is_told)
{
    BIO *filter, *copy;

    configure((enum provider_kind)_i, "window = 64K\nbacklog = 9");
    all_is_refused("window = 64K: not a number from 1 to 2147483647");
    filter = BIO_new(BIO_f_mtls());
    ck_assert_uint_eq(limits_of(filter).backlog, 4096);
    copy = BIO_dup_chain(filter);
    ck_assert_ptr_nonnull(copy);
    refuses(BIO_write(copy, "x", 1) < 0, copy, "window = 64K");
    BIO_free(copy);
    BIO_free(filter);
}
END_TEST

/* A section without "activate", read before the library was there to announce
 * what is built in, makes OpenSSL look for the module. */
START_TEST(a_module_that_is_not_there_is_told)
{
    use_conf(provider_conf_file("openssl_conf = init\n"
                                "[init]\nproviders = providers\n"
                                "[providers]\nmtls = section\n"
                                "[section]\nwindow = 131072\n"
                                "module = /nonexistent/mtls.so\n"));
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    all_is_refused("provider mtls can't be loaded");
}
END_TEST

/* --- the program's other providers
 * -------------------------------------------- */

static int has(const char *digest)
{
    EVP_MD *md = EVP_MD_fetch(NULL, digest, NULL);

    EVP_MD_free(md);
    ERR_clear_error();
    return md != NULL;
}

START_TEST(the_default_provider_is_there_as_before)
{
    EVP_KDF *kdf;

    use_conf("/nonexistent/openssl.cnf");
    limits_now();
    ck_assert(has("SHA256"));
    kdf = EVP_KDF_fetch(NULL, "MTLS-PSK", NULL);
    ck_assert_ptr_nonnull(kdf);
    EVP_KDF_free(kdf);
}
END_TEST

/* A program that goes on to choose its providers gets those alone. */
START_TEST(and_not_there_as_before)
{
    OSSL_PROVIDER *null;

    use_conf("/nonexistent/openssl.cnf");
    limits_now();
    null = OSSL_PROVIDER_load(NULL, "null");
    ck_assert_ptr_nonnull(null);
    ck_assert(!has("SHA256"));
    OSSL_PROVIDER_unload(null);
}
END_TEST

START_TEST(a_program_may_load_and_unload_it_too)
{
    OSSL_PROVIDER *own;

    configure((enum provider_kind)_i, "window = 131072");
    limits_now();
    own = OSSL_PROVIDER_load(NULL, "mtls");
    ck_assert_ptr_nonnull(own);
    ck_assert(OSSL_PROVIDER_unload(own));
    ck_assert(OSSL_PROVIDER_available(NULL, "mtls"));
    ck_assert_uint_eq(limits_now().window, 131072);
}
END_TEST

/* --- threads
 * -------------------------------------------------------------------- */

static void *make_filters(void *arg)
{
    for (int i = 0; i < 20; i++) {
        if (limits_now().window != 131072)
            return arg;
    }
    return NULL;
}

START_TEST(threads_may_make_the_first_filters_at_once)
{
    enum provider_kind kind = (enum provider_kind)_i;
    pthread_t threads[4];
    void *failed;

    configure(kind, "window = 131072");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_filters, &kind),
                         0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

/* --- end to end
 * ------------------------------------------------------------------ */

/* The first credit in a Request, as the peer sees it. */
static void on_message(int write_p, int type, const void *buf, size_t len,
                       BIO *mtls, void *arg)
{
    const unsigned char *packet = buf;

    (void)mtls;
    if (write_p || type != 1)
        return;
    ck_assert_uint_ge(len, 9);
    *(uint32_t *)arg = (uint32_t)packet[5] << 24 | (uint32_t)packet[6] << 16 |
                       (uint32_t)packet[7] << 8 | packet[8];
}

START_TEST(the_window_goes_over_the_wire)
{
    uint32_t window = 0;
    struct stacks st;

    configure((enum provider_kind)_i, "window = 131072");
    st = stacks_new(STACKS_TLS13_PAIR, 0);
    ck_assert(BIO_mtls_set_msg_callback(st.server, on_message, &window));
    BIO_write(st.client, "x", 1);
    stacks_turn(&st);
    for (int i = 0; window == 0 && i < 100; i++) {
        BIO_write(st.client, "x", 1);
        BIO_mtls_process(st.server);
    }
    ck_assert_uint_eq(window, 131072);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("defaults");
    TCase *tests = tcase_create("defaults");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tests, NULL, tear_down);
#define ADD(test) tcase_add_loop_test(tests, test, 0, PROVIDER_KINDS)
    tcase_add_test(tests, without_a_section_the_limits_are_the_documented_ones);
    tcase_add_test(tests, without_a_file_too);
    ADD(a_section_sets_every_limit);
    tcase_add_loop_test(tests, one_window_alone_moves_the_other_where_it_must,
                        0, 4);
    ADD(what_the_program_sets_counts_for_more);
    ADD(it_does_not_matter_that_openssl_was_used_before);
    ADD(nor_that_the_program_reads_no_configuration);
    ADD(nor_that_the_program_has_announced_the_built_in_one);
    ADD(a_file_that_the_program_loads_by_itself_counts);
    tcase_add_test(tests, loading_it_leaves_no_error);
    ADD(other_contexts_have_no_file);
    tcase_add_loop_test(tests, names_are_openssls, 0, 8);
    ADD(a_wrong_section_stops_the_filter_and_is_told);
    tcase_add_test(tests, a_module_that_is_not_there_is_told);
    tcase_add_test(tests, the_default_provider_is_there_as_before);
    tcase_add_test(tests, and_not_there_as_before);
    ADD(a_program_may_load_and_unload_it_too);
    ADD(threads_may_make_the_first_filters_at_once);
    ADD(the_window_goes_over_the_wire);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
