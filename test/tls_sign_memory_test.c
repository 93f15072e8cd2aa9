/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation of TLS Sign fails in turn (attack T2), OpenSSL's own aside:
 * the call fails with a reason, nothing is leaked, no other data is delivered.
 */
#include "out_of_memory.h"
#include "sign_ends.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static int is_ours(const char *file)
{
    return file != NULL && strstr(file, "bio_mtls") != NULL;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)line;
    return is_ours(file) ? malloc(size) : memory_malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)line;
    return is_ours(file) ? realloc(p, size) : memory_realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* --- */

/* A call while allocations are counted; if it fails, it says why. */
#define try_it(b, what)                                          \
    do {                                                         \
        memory.armed = 1;                                        \
        good = (what);                                           \
        memory.armed = 0;                                        \
        if (!good) {                                             \
            ck_assert(!BIO_should_retry(b));                     \
            ck_assert_int_ne(ERR_peek_error(), 0);               \
            ck_assert_uint_ge(memory.counted, memory.fail_from); \
            ERR_clear_error();                                   \
        }                                                        \
    } while (0)

static void exchange(const char *format)
{
    const struct sign_wish wish = {.client = format, .server = format};
    struct sign_ends e = sign_ends_of(&wish);
    char got[100];
    int good;

    BIO_tls_sign_set_receipt(e.client, 1);
    for (int i = 0; i < 4; i++) { /* TLS's own */
        BIO_do_handshake(BIO_next(e.client));
        BIO_do_handshake(BIO_next(e.server));
    }
    try_it(e.client, BIO_write(e.client, "order", 5) == 5);
    if (good)
        try_it(e.server, BIO_read(e.server, got, sizeof(got)) == 5);
    if (good)
        ck_assert_mem_eq(got, "order", 5);
    if (good)
        try_it(e.client, BIO_tls_sign_wait_receipts(e.client) == 1);
    sign_ends_free(&e);
}

static void settings(const char *format)
{
    BIO *b = BIO_new(BIO_f_tls_sign()), *copy = NULL;
    int good;

    (void)format;
    BIO_tls_sign_set1_chain(b, pki_client()->chain);
    try_it(b, BIO_tls_sign_set_peer(b, "somebody"));
    try_it(b, (copy = BIO_dup_chain(b)) != NULL);
    BIO_free(copy);
    BIO_free(b);
}

static unsigned int at_each(void (*scenario)(const char *), const char *format)
{
    unsigned int n = 0;

    do {
        memory.fail_from = ++n;
        memory.counted = 0;
        scenario(format);
    } while (memory.counted >= memory.fail_from);
    return n - 1;
}

START_TEST(T2_each_allocation_of_an_exchange_fails)
{
    ck_assert_uint_ge(at_each(exchange, _i == 0 ? "pkcs7" : "smime"), 15);
}
END_TEST

START_TEST(T2_each_allocation_of_settings_fails)
{
    ck_assert_uint_ge(at_each(settings, NULL), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_memory");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
        return EXIT_FAILURE;
    tcase_set_timeout(one, 250);
    tcase_add_loop_test(one, T2_each_allocation_of_an_exchange_fails, 0, 2);
    tcase_add_test(one, T2_each_allocation_of_settings_fails);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
