/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * TLS Sign with a peer, or somebody in between TLS and its filter, that
 * changes, repeats, drops and leaves out.
 */
#include "core_suite.h"
#include "sign_ends.h"
#include "sign_object.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* What |from|'s filter has sent, taken away before |to|'s filter sees it. */
struct taken {
    unsigned char *p;
    size_t len;
};

static struct taken take(BIO *to)
{
    struct taken t;

    t.p = sign_raw(to, &t.len);
    return t;
}

/* Both have told each other that they sign, and with what. */
static struct sign_ends introduced(void)
{
    struct sign_ends e = sign_ends_open("pkcs7");

    sign_say(e.client, "hello");
    sign_hear(e.server, "hello");
    sign_say(e.server, "welcome");
    sign_hear(e.client, "welcome");
    return e;
}

static struct taken message(struct sign_ends *e, const char *text)
{
    sign_say(e->client, text);
    return take(e->server);
}

/* The peer is told, and nothing can be said any more. */
static void is_over(struct sign_ends *e, int reason)
{
    sign_refused(e->server, reason);
    ck_assert_int_le(BIO_puts(e->server, "more"), 0);
    ERR_clear_error();
    sign_refused(e->client, MTLS_R_BAD_SIGN_ALERT);
    ck_assert_int_le(BIO_puts(e->client, "more"), 0);
    ERR_clear_error();
}

/* --- G1; tls_sign_object_test.c does each bit, tls_sign_octets_test.c each
 * octet on its way --- */

/* The client's first message, of |data|, as |who| would sign it. */
static struct taken forged(const struct sign_ends *e, const struct pki_id *who,
                           const char *data)
{
    struct mtls_sign_parts parts = {(const unsigned char *)data,
                                    strlen(data),
                                    {.sequence = 0},
                                    time(NULL),
                                    who->cert,
                                    who->key,
                                    who->chain};
    unsigned char *object;
    struct taken t;
    SSL *ssl;
    size_t len;

    BIO_get_ssl(e->client, &ssl);
    ck_assert(SSL_export_keying_material(
        ssl, parts.context.binding, sizeof(parts.context.binding),
        "EXPORTER-tls-sign", strlen("EXPORTER-tls-sign"), NULL, 0, 0));
    ck_assert(mtls_sign_make(0, &parts, &object, &len));
    t.len = mtls_sign_size(len);
    t.p = malloc(t.len);
    ck_assert_uint_eq(mtls_sign_put(t.p, t.len, MTLS_SIGN_DATA, 0,
                                    MTLS_SIGN_VERSION, object, len),
                      t.len);
    OPENSSL_free(object);
    return t;
}

/* One whom the server trusts as well, but who was not announced; the same by
 * who was is taken. */
START_TEST(G1_signer_replaced)
{
    const struct pki_wish wish = {.name = "another"};
    struct pki_id another = pki_make(&wish);

    for (int own = 0; own < 2; own++) {
        struct sign_ends e = sign_ends_open("pkcs7");
        struct taken t = forged(&e, own ? pki_client() : &another, "pay 100");

        sign_put(e.client, t.p, t.len);
        if (own)
            sign_hear(e.server, "pay 100");
        else
            is_over(&e, MTLS_R_BAD_SIGN);
        free(t.p);
        sign_ends_free(&e);
    }
    pki_free(&another);
}
END_TEST

/* The data of a message without what signed it: as data of CMS, as text, as
 * data that need not be signed. */
START_TEST(G1_signature_stripped)
{
    static const char *const stripped[] = {
        ("\x17\0\3\3\0\x19\x30\x17\6\x09\x2a\x86\x48\x86\xf7\x0d\1\7\1"
         "\xa0\x0a\4\x08pay 1000"),
        "\x17\0\3\3\0\x19pay 1000 to Bob, not to Al",
        "\x17\0\0\0\0\x19pay 1000 to Bob, not to Al"};

    for (size_t i = 0; i < core_count(stripped); i++) {
        struct sign_ends e = introduced();

        sign_put(e.client, stripped[i], 6 + 25);
        is_over(&e, i == 2 ? MTLS_R_SIGN_REQUIRED : MTLS_R_BAD_SIGN);
        sign_ends_free(&e);
    }
}
END_TEST

/* --- G2 --- */

START_TEST(G2_replayed_in_the_session)
{
    struct sign_ends e = introduced();
    struct taken t = message(&e, "pay 100");

    sign_put(e.client, t.p, t.len);
    sign_put(e.client, t.p, t.len);
    sign_hear(e.server, "pay 100");
    is_over(&e, MTLS_R_BAD_SIGN);
    free(t.p);
    sign_ends_free(&e);
}
END_TEST

START_TEST(G2_replayed_in_another_session)
{
    struct sign_ends e = introduced(), other = introduced();
    struct taken t = message(&e, "pay 100");

    sign_put(other.client, t.p, t.len);
    is_over(&other, MTLS_R_BAD_SIGN);
    free(t.p);
    sign_ends_free(&e);
    sign_ends_free(&other);
}
END_TEST

/* Both ends have the same certificate: what differs is the direction. */
START_TEST(G2_replayed_in_the_other_direction)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);
    struct taken t;

    BIO_tls_sign_set1_certificate(e.server, pki_client()->cert);
    BIO_tls_sign_set1_key(e.server, pki_client()->key);
    BIO_tls_sign_set1_chain(e.server, pki_client()->chain);
    sign_ends_shake(&e);
    BIO_puts(e.client, "pay 100");
    t = take(e.server);
    free(sign_raw(e.client, &(size_t){0}));
    sign_put(e.server, t.p, t.len);
    sign_refused(e.client, MTLS_R_BAD_SIGN);
    free(t.p);
    sign_ends_free(&e);
}
END_TEST

START_TEST(G2_reordered_and_dropped)
{
    for (int drop = 0; drop < 2; drop++) {
        struct sign_ends e = introduced();
        struct taken one = message(&e, "one"), two = message(&e, "two");

        sign_put(e.client, two.p, two.len);
        if (!drop)
            sign_put(e.client, one.p, one.len);
        is_over(&e, MTLS_R_BAD_SIGN);
        free(one.p);
        free(two.p);
        sign_ends_free(&e);
    }
}
END_TEST

/* A channel's messages in another one of the same session, the peer's own. */
START_TEST(G2_replayed_in_another_channel)
{
    struct stacks st;
    struct channels one, two;
    struct taken t;
    BIO *a, *b;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    st.client = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(sign_tls(0), a));
    st.server = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(sign_tls(1), b));
    one = stacks_open(&st, "one:1");
    two = stacks_open(&st, "two:2");
    one.c = BIO_push(BIO_new(BIO_f_tls_sign()), one.c);
    one.s = BIO_push(BIO_new(BIO_f_tls_sign()), one.s);
    two.s = BIO_push(BIO_new(BIO_f_tls_sign()), two.s);
    sign_say(one.c, "once");
    stacks_turn(&st);
    t = take(one.s);
    ck_assert_int_eq(BIO_write(BIO_next(one.c), t.p, (int)t.len), (int)t.len);
    ck_assert_int_eq(BIO_write(two.c, t.p, (int)t.len), (int)t.len);
    stacks_turn(&st);
    sign_hear(one.s, "once");
    sign_refused(two.s, MTLS_R_BAD_SIGN);
    free(t.p);
    BIO_free_all(one.c);
    BIO_free_all(one.s);
    BIO_free_all(two.c);
    BIO_free_all(two.s);
    stacks_free(&st);
}
END_TEST

/* --- G3 --- */

START_TEST(G3_sign_off_when_signing_is_required)
{
    struct sign_ends e = introduced();

    ck_assert(BIO_tls_sign_set_on(e.client, 0));
    BIO_puts(e.client, "unsigned");
    is_over(&e, MTLS_R_SIGN_REQUIRED);
    sign_ends_free(&e);
}
END_TEST

/* Without a word, though it said that it signs; and without having said so. */
START_TEST(G3_unsigned_data_when_required)
{
    for (int require = 0; require < 2; require++) {
        struct sign_ends e = introduced();

        BIO_tls_sign_set_require(e.server, require);
        sign_put(e.client, "\x17\0\0\0\0\5hello", 11);
        is_over(&e, MTLS_R_SIGN_REQUIRED);
        sign_ends_free(&e);
    }
}
END_TEST

START_TEST(G3_signing_never_switched_on)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);

    BIO_tls_sign_set_on(e.client, 0);
    sign_ends_shake(&e);
    sign_say(e.client, "unsigned");
    is_over(&e, MTLS_R_SIGN_REQUIRED);
    sign_ends_free(&e);
}
END_TEST

/* --- G6 --- */

/* A client that has asked, and the server's receipt, which it does not get. */
static struct taken receipt(struct sign_ends *e, const char *text)
{
    BIO_tls_sign_set_receipt(e->client, 1);
    sign_say(e->client, text);
    sign_hear(e->server, text);
    return take(e->client);
}

START_TEST(G6_receipt_for_other_data)
{
    struct sign_ends e = introduced();
    struct taken one = receipt(&e, "one"), two = receipt(&e, "two");

    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 2);
    sign_put(e.server, two.p, two.len);
    sign_refused(e.client, MTLS_R_BAD_SIGN);
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 2);
    free(one.p);
    free(two.p);
    sign_ends_free(&e);
}
END_TEST

START_TEST(G6_receipt_twice_or_unasked)
{
    struct sign_ends e = introduced();
    struct taken one = receipt(&e, "one");

    sign_put(e.server, one.p, one.len);
    sign_put(e.server, one.p, one.len);
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.client), 1);
    sign_refused(e.client, MTLS_R_BAD_SIGN);
    free(one.p);
    sign_ends_free(&e);
}
END_TEST

/* A message of the same octets as the receipt's is no receipt. */
START_TEST(G6_message_as_receipt)
{
    struct sign_ends e = introduced();
    struct taken one = receipt(&e, "one"), fake;
    unsigned char digest[32];

    free(one.p);
    EVP_Digest("one", 3, digest, NULL, EVP_sha256(), NULL);
    ck_assert_int_eq(BIO_write(e.server, digest, 32), 32);
    fake = take(e.client);
    fake.p[1] |= MTLS_SIGN_RECEIPT;
    sign_put(e.server, fake.p, fake.len);
    sign_refused(e.client, MTLS_R_BAD_SIGN);
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 1);
    free(fake.p);
    sign_ends_free(&e);
}
END_TEST

/* And a receipt is no message. */
START_TEST(G6_receipt_as_message)
{
    struct sign_ends e = introduced();
    struct taken one = receipt(&e, "one");

    one.p[1] = 0;
    sign_put(e.server, one.p, one.len);
    sign_refused(e.client, MTLS_R_BAD_SIGN);
    free(one.p);
    sign_ends_free(&e);
}
END_TEST

START_TEST(G6_receipt_missing_at_the_end)
{
    struct sign_ends e = introduced();
    struct taken one = receipt(&e, "one");
    SSL *ssl;

    BIO_get_ssl(e.server, &ssl);
    SSL_shutdown(ssl);
    sign_refused(e.client, MTLS_R_SIGN_NO_RECEIPT);
    ck_assert_int_eq(BIO_tls_sign_receipts_missing(e.client), 1);
    free(one.p);
    sign_ends_free(&e);
}
END_TEST

/* --- what must not come, and what does not end --- */

START_TEST(messages_out_of_place)
{
    static const struct {
        const char *octets;
        size_t len;
        int reason;
    } rows[] = {
        {"\x63\0\3\3\0\1x", 7, MTLS_R_SIGN_MALFORMED},    /* a type of none */
        {"\x17\x20\3\3\0\1x", 7, MTLS_R_SIGN_MALFORMED},  /* a flag of none */
        {"\x17\0\3\4\0\1x", 7, MTLS_R_SIGN_MALFORMED},    /* a version */
        {"\x17\x40\3\3\0\0", 6, MTLS_R_SIGN_MALFORMED},   /* empty, and more */
        {"\x1b\0\3\3\0\1\2", 7, MTLS_R_SIGN_MALFORMED},   /* on, off, what? */
        {"\x1b\0\3\3\0\2\1\1", 8, MTLS_R_SIGN_MALFORMED}, /* twice in one */
        {"\x16\0\3\3\0\4\0\0\1x", 10, MTLS_R_SIGN_MALFORMED}, /* not after on */
        {"\x15\0\3\3\0\2\2\x32", 8, MTLS_R_SIGN_ALERT},       /* decode_error */
        {"\x15\0\3\3\0\2\1\xc9", 8, MTLS_R_SIGN_MALFORMED},   /* not fatal */
        {"\x15\0\3\3\0\2\2\xc9", 8, MTLS_R_BAD_SIGN_ALERT},
        {"\x17\0\3\3\0\4none", 10, MTLS_R_BAD_SIGN}, /* no object */
        {"\x17\0\3\3\0\0", 6, MTLS_R_BAD_SIGN},
    };

    for (size_t i = 0; i < core_count(rows); i++) {
        struct sign_ends e = introduced();

        sign_put(e.client, rows[i].octets, rows[i].len);
        sign_refused(e.server, rows[i].reason);
        sign_ends_free(&e);
    }
}
END_TEST

START_TEST(G8_fragments_that_never_end)
{
    const struct sign_wish wish = {.client = "pkcs7", .server = "pkcs7"};
    struct sign_ends e = sign_ends_of(&wish);
    unsigned char piece[6 + 4096] = {0x17, 0x40, 3, 3, 0x10, 0};
    char c;
    int i;

    BIO_tls_sign_set_max(e.server, 100000);
    sign_ends_shake(&e);
    sign_say(e.client, "hello");
    sign_hear(e.server, "hello");
    for (i = 0; i < 1000; i++) {
        sign_put(e.client, piece, sizeof(piece));
        ck_assert_int_lt(BIO_read(e.server, &c, 1), 0);
        if (!BIO_should_retry(e.server))
            break;
    }
    ck_assert_int_lt(i, 110);
    ck_reason(MTLS_R_SIGN_TOO_LONG);
    sign_refused(e.client, MTLS_R_BAD_SIGN_ALERT);
    sign_ends_free(&e);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {G1_signer_replaced,
                                  G1_signature_stripped,
                                  G2_replayed_in_the_session,
                                  G2_replayed_in_another_session,
                                  G2_replayed_in_another_channel,
                                  G2_replayed_in_the_other_direction,
                                  G2_reordered_and_dropped,
                                  G3_sign_off_when_signing_is_required,
                                  G3_unsigned_data_when_required,
                                  G3_signing_never_switched_on,
                                  G6_receipt_for_other_data,
                                  G6_receipt_twice_or_unasked,
                                  G6_message_as_receipt,
                                  G6_receipt_as_message,
                                  G6_receipt_missing_at_the_end,
                                  messages_out_of_place,
                                  G8_fragments_that_never_end};
    Suite *suite = suite_create("tls_sign_hostile");
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
