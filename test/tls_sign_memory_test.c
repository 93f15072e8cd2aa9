/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation of TLS Sign fails in turn (attack T2), OpenSSL's own aside:
 * the call fails with a reason, nothing is leaked, no other data is delivered.
 */
#include "sign_ends.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* --- memory that runs out: of the core by the linker, else by OpenSSL's hook
 */

static int armed; /* whether allocations are counted */
static unsigned int counted, fail_at;

/* NOLINTBEGIN(*-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

static int fails(void)
{
    return armed && ++counted == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* NOLINTEND(*-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp) */

static int is_ours(const char *file)
{
    return file != NULL && strstr(file, "bio_mtls") != NULL;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)line;
    return is_ours(file) && fails() ? NULL : __real_malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)line;
    return is_ours(file) && fails() ? NULL : __real_realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* --- */

/* A call while memory is counted; if it fails, it says why. */
#define try_it(b, what)                            \
    do {                                           \
        armed = 1;                                 \
        good = (what);                             \
        armed = 0;                                 \
        if (!good) {                               \
            ck_assert(!BIO_should_retry(b));       \
            ck_assert_int_ne(ERR_peek_error(), 0); \
            ck_assert_uint_ge(counted, fail_at);   \
            ERR_clear_error();                     \
        }                                          \
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
        fail_at = ++n;
        counted = 0;
        scenario(format);
    } while (counted >= fail_at);
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
