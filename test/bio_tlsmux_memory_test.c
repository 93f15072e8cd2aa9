/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation of BIO_f_tlsmux() fails in turn (attack T2): the call fails
 * with a reason, nothing is lost or leaked, and the same call does it later.
 */
#include "out_of_memory.h"
#include "tlsmux_ends.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* --- */

/* Does it until it works; how often it did not is at most once. */
#define eventually(what)                                             \
    do {                                                             \
        int done;                                                    \
                                                                     \
        memory.armed = 1;                                            \
        done = (what);                                               \
        memory.armed = 0;                                            \
        if (!done) {                                                 \
            ck_assert(!BIO_should_retry(b));                         \
            ck_assert_int_ne(ERR_peek_error(), 0);                   \
            ERR_clear_error();                                       \
            ck_assert_int_eq(memory.counted >= memory.fail_from, 1); \
            ck_assert(what);                                         \
        }                                                            \
    } while (0)

static void stream(void)
{
    struct ends e = ends_open(0, MTLS_TLSMUX_CONNECT, "127.0.0.1:80");
    char text[400], got[500];
    BIO *b = e.client;

    memset(text, 't', sizeof(text));
    text[398] = '\n';
    text[399] = '\0';
    eventually(BIO_get_conn_address(b) != NULL);
    BIO_puts(e.server, text);
    eventually(BIO_gets(b, got, sizeof(got)) == 399);
    ck_assert_str_eq(got, text);
    eventually(BIO_shutdown_wr(b) == 1);
    ends_free(&e);
}

static void datagrams(void)
{
    struct ends e = ends_open(0, MTLS_TLSMUX_UDP_ASSOCIATE, "127.0.0.1:53");
    static char data[5000], got[6000];

    for (int size = 100; size <= (int)sizeof(data); size += 700) {
        BIO *b = e.client;

        memset(data, size, (size_t)size);
        eventually(BIO_write(b, data, size) == size);
        b = e.server;
        eventually(BIO_read(b, got, sizeof(got)) == size);
        ck_assert_mem_eq(data, got, (size_t)size);
    }
    ends_free(&e);
}

static void settings(void)
{
    BIO *b = BIO_new(BIO_f_tlsmux());

    ERR_clear_error();
    eventually(BIO_set_conn_hostname(b, "name.example:80") == 1);
    eventually(BIO_set_conn_hostname(b, "localhost:http") == 1);
    BIO_free(b);
}

static unsigned int at_each(void (*scenario)(void))
{
    unsigned int n = 0;

    do {
        memory.fail_from = ++n;
        memory.counted = 0;
        scenario();
    } while (memory.counted >= memory.fail_from);
    return n - 1;
}

START_TEST(T2_each_allocation_of_a_stream_fails)
{
    ck_assert_uint_ge(at_each(stream), 4);
}
END_TEST

START_TEST(T2_each_allocation_of_datagrams_fails)
{
    ck_assert_uint_ge(at_each(datagrams), 10);
}
END_TEST

START_TEST(T2_each_allocation_of_a_destination_fails)
{
    ck_assert_uint_ge(at_each(settings), 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {T2_each_allocation_of_a_stream_fails,
                                  T2_each_allocation_of_datagrams_fails,
                                  T2_each_allocation_of_a_destination_fails};

    if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
        return EXIT_FAILURE;
    return ends_run("bio_tlsmux_memory", tests, 3);
}
