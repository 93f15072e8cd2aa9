/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* XML signatures: what is made opens, xmlsec1 agrees, nothing else opens. */
#include "core_suite.h"
#include "sign_ends.h"
#include "sign_format.h"

#include <mtls/tls_sign_xmldsig.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XML MTLS_SIGN_XMLDSIG

static const struct mtls_sign_context context = {
    .binding = "a binding of 32 octets, no more",
    .direction = MTLS_SIGN_FROM_CLIENT,
    .flags = MTLS_SIGN_WANTS_RECEIPT,
    .sequence = 0x123456789abcdef0};

struct object {
    char *p;
    size_t len;
};

static struct object make(const struct pki_id *id, const char *data, size_t len)
{
    struct mtls_sign_parts parts = {(const unsigned char *)data,
                                    len,
                                    context,
                                    time(NULL),
                                    id->cert,
                                    id->key,
                                    id->chain};
    unsigned char *p;
    struct object o;

    ck_assert(MTLS_xmldsig_init());
    ck_assert(mtls_sign_make(XML, &parts, &p, &o.len));
    o.p = malloc(o.len + 1);
    memcpy(o.p, p, o.len);
    o.p[o.len] = '\0';
    OPENSSL_free(p);
    return o;
}

static int is_good(const char *text, size_t len)
{
    struct mtls_signed s;
    X509_STORE *trust = pki_trust(NULL);
    int r = mtls_sign_open(XML, (const unsigned char *)text, len, &s);

    if (r) {
        r = mtls_sign_check(&s, trust, NULL, time(NULL));
        mtls_signed_cleanup(&s);
    }
    X509_STORE_free(trust);
    return r;
}

static void check_round(const struct pki_id *id, size_t len)
{
    unsigned char want[MTLS_SIGN_CONTEXT], got[MTLS_SIGN_CONTEXT];
    char *data = calloc(1, len + 1);
    struct mtls_signed s;
    struct object o;

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 7 + i / 256);
    o = make(id, data, len);
    ck_assert(is_good(o.p, o.len));
    ck_assert(mtls_sign_open(XML, (unsigned char *)o.p, o.len, &s));
    ck_assert_uint_eq(s.len, len);
    ck_assert(len == 0 || memcmp(s.data, data, len) == 0);
    mtls_sign_put_context(want, &context);
    mtls_sign_put_context(got, &s.context);
    ck_assert_mem_eq(got, want, sizeof(want));
    ck_assert_int_le(labs((long)(time(NULL) - s.time)), 60);
    ck_assert_int_eq(X509_cmp(s.signer, id->cert), 0);
    mtls_signed_cleanup(&s);
    free(o.p);
    free(data);
}

START_TEST(G8_objects_of_every_key_and_size)
{
    static const char *const keys[] = {"P-256", "P-384", "P-521", "RSA"};

    for (size_t i = 0; i < core_count(keys); i++) {
        const struct pki_wish wish = {.key = keys[i]};
        struct pki_id id = pki_make(&wish);

        check_round(&id, 1000);
        pki_free(&id);
    }
    check_round(pki_client(), 0);
    check_round(pki_client(), 1);
    check_round(pki_client(), 70000);
    check_round(pki_client(), (size_t)16 << 20); /* over 10 MB of text */
}
END_TEST

/* XML signatures know no other keys, or libxmlsec1 does not. */
START_TEST(other_keys_are_refused)
{
    static const char *const keys[] = {"RSA-PSS", "ED25519"};
    const struct pki_wish wish = {.key = keys[_i]};
    struct pki_id id = pki_make(&wish);
    struct mtls_sign_parts parts = {(const unsigned char *)"data",
                                    4,
                                    context,
                                    time(NULL),
                                    id.cert,
                                    id.key,
                                    id.chain};
    unsigned char *object;
    size_t len;

    ck_assert(MTLS_xmldsig_init());
    ck_assert(!mtls_sign_make(XML, &parts, &object, &len));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), MTLS_R_SIGN_NO_KEY);
    ck_reason(MTLS_R_SIGN_FAILED);
    pki_free(&id);
}
END_TEST

START_TEST(G1_each_octet_changed)
{
    struct object o = make(pki_client(), "pay 100 to Bob", 14);

    ck_assert(is_good(o.p, o.len));
    for (size_t i = 0; i < o.len; i++) {
        const char was = o.p[i];

        for (int bit = 0; bit < 8; bit++) {
            o.p[i] = (char)(was ^ 1 << bit);
            if (is_good(o.p, o.len))
                ck_abort_msg("octet %zu of %zu, %c", i, o.len, o.p[i]);
        }
        o.p[i] = was;
        if (is_good(o.p, i))
            ck_abort_msg("cut after %zu octets", i);
        ERR_clear_error();
    }
    ck_assert(is_good(o.p, o.len));
    free(o.p);
}
END_TEST

/* --- G5 --- */

/* |o| with |from|, at its first place, become |to|: must not open. */
static void check_replaced(const struct object *o, const char *from,
                           const char *to)
{
    const char *at = strstr(o->p, from);
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    long n;

    ck_assert_msg(at != NULL, "%s is not there", from);
    BIO_write(out, o->p, (int)(at - o->p));
    BIO_puts(out, to);
    BIO_puts(out, at + strlen(from));
    n = BIO_get_mem_data(out, &text);
    if (is_good(text, (size_t)n))
        ck_abort_msg("%s for %s", to, from);
    ck_reason(MTLS_R_BAD_SIGN);
    BIO_free(out);
}

static const char *const replacements[][2] = {
    /* what comes before and after */
    {"<Signature ", "<?xml version=\"1.0\"?><Signature "},
    {"<Signature ", " <Signature "},
    {"<Signature ", "<!DOCTYPE a [<!ENTITY b \"c\">]><Signature "},
    {"<Signature ",
     "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">"
     "<!ENTITY d \"&c;&c;&c;&c;\">]><Signature "},
    {"</Signature>\n", "</Signature>"},
    {"</Signature>\n", "</Signature>\n<!-- -->"},
    /* comments and entities in the text */
    {"</Object><Object", "<!-- --></Object><Object"},
    {"<DigestValue>", "<DigestValue><!-- -->"},
    {"</Object><Object", "&amp;</Object><Object"},
    {"</Object><Object", "\n</Object><Object"},
    /* external and other references */
    {"URI=\"#data\"", "URI=\"http://localhost/data\""},
    {"URI=\"#data\"", "URI=\"file:///etc/passwd\""},
    {"URI=\"#data\"", "URI=\"\""},
    {"URI=\"#data\"", "URI=\"#context\""},
    {"URI=\"#data\"", "URI=\"#xpointer(/)\""},
    /* wrapping: another object with the Id, the signed one elsewhere */
    {"<Object Id=\"data\"",
     "<Object Id=\"data\">ZXZpbA==</Object><Object Id=\"data\""},
    {"<Object Id=\"data\"", "<Object Id=\"d\">ZXZpbA==</Object>"
                            "<Object Id=\"data\""},
    {"</Object></Signature>", "</Object><Object/></Signature>"},
    /* algorithms */
    {"ecdsa-sha256", "ecdsa-sha1"},
    {"ecdsa-sha256", "hmac-sha256"},
    {"ecdsa-sha256", "rsa-sha256"},
    {"xmlenc#sha256", "xmldsig#sha1"},
    {"2001/10/xml-exc-c14n#", "TR/1999/REC-xslt-19991116"},
    {"xml-exc-c14n#", "xml-exc-c14n#WithComments"},
    /* keys */
    {"<X509Data>", "<KeyName>k</KeyName><X509Data>"},
    {"<KeyInfo>", "<KeyInfo><RetrievalMethod URI=\"http://localhost/k\"/>"},
    {"<X509Certificate>", "<X509Certificate>\n"},
};

START_TEST(G5_other_text)
{
    struct object o = make(pki_client(), "pay 100 to Bob", 14);

    for (size_t i = 0; i < core_count(replacements); i++)
        check_replaced(&o, replacements[i][0], replacements[i][1]);
    ck_assert(is_good(o.p, o.len));
    free(o.p);
}
END_TEST

/*
 * XML has verifiers skip white space in base64; no signature covers it in most
 * places. Here there is none (N9), in each value, at its ends and amid it.
 */
START_TEST(G5_white_space_in_base64)
{
    static const char *const before[] = {"<DigestValue>", "<SignatureValue>",
                                         "<X509Certificate>",
                                         "xmldsig#base64\">"};
    static const char *const spaces[] = {"    ", "\n\n\n\n", "\r\n\t ", " "};
    static const size_t places[] = {0, 5, 8};
    struct object o = make(pki_client(), "pay 100 to Bob", 14);

    for (size_t i = 0; i < core_count(before); i++) {
        const char *value = strstr(o.p, before[i]) + strlen(before[i]);
        const char *end = strchr(value, '<');

        for (size_t j = 0; j < core_count(spaces); j++)
            for (size_t k = 0; k <= core_count(places); k++) {
                const char *at =
                    k < core_count(places) ? value + places[k] : end;
                char *text = malloc(o.len + 5);
                size_t n = strlen(spaces[j]), head = (size_t)(at - o.p);

                memcpy(text, o.p, head);
                memcpy(text + head, spaces[j], n);
                memcpy(text + head + n, at, o.len - head);
                if (is_good(text, o.len + n))
                    ck_abort_msg("%s, %zu, %zu", before[i], j, k);
                ck_reason(MTLS_R_BAD_SIGN);
                free(text);
            }
    }
    free(o.p);
}
END_TEST

/* The same for those who look at the object with other tools. */
START_TEST(xmlsec1_agrees)
{
    char ca[] = "/tmp/sign_ca_XXXXXX", xml[] = "/tmp/sign_xml_XXXXXX";
    struct object o = make(pki_client(), "pay 100 to Bob", 14);
    char command[300];
    BIO *file;

    file = BIO_new_fd(mkstemp(ca), BIO_CLOSE);
    PEM_write_bio_X509(file, pki_root());
    BIO_free(file);
    file = BIO_new_fd(mkstemp(xml), BIO_CLOSE);
    BIO_write(file, o.p, (int)o.len);
    BIO_free(file);
    BIO_snprintf(command, sizeof(command),
                 "command -v xmlsec1 >/dev/null || exit 0; "
                 "xmlsec1 --verify --trusted-pem %s %s >/dev/null 2>&1",
                 ca, xml);
    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c) */
    unlink(ca);
    unlink(xml);
    free(o.p);
}
END_TEST

START_TEST(messages_and_receipts)
{
    struct sign_ends e;

    ck_assert(MTLS_xmldsig_init());
    e = sign_ends_open("xmldsig");
    BIO_tls_sign_set_receipt(e.client, 1);
    sign_say(e.client, "order");
    sign_hear(e.server, "order");
    ck_assert_int_eq(BIO_tls_sign_get_format(e.server), XML);
    ck_assert_int_eq(BIO_tls_sign_wait_receipts(e.client), 1);
    sign_say(e.server, "answer");
    sign_hear(e.client, "answer");
    sign_ends_free(&e);
}
END_TEST

/* Until the library is asked for, the format is not there. */
START_TEST(not_offered_before)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct mtls_signed s;

    ck_assert(!mtls_sign_format_known(XML));
    ck_assert(!MTLS_sign_offer(ctx, "xmldsig", 0));
    ck_reason(MTLS_R_SIGN_FORMAT);
    ck_assert(!mtls_sign_open(XML, (const unsigned char *)"", 0, &s));
    ck_reason(MTLS_R_SIGN_FORMAT);
    ck_assert(MTLS_xmldsig_init() && MTLS_xmldsig_init());
    ck_assert(MTLS_sign_offer(ctx, "xmldsig", 0));
    SSL_CTX_free(ctx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_xml");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 250);
    tcase_add_test(one, not_offered_before);
    tcase_add_test(one, G8_objects_of_every_key_and_size);
    tcase_add_loop_test(one, other_keys_are_refused, 0, 2);
    tcase_add_test(one, G1_each_octet_changed);
    tcase_add_test(one, G5_other_text);
    tcase_add_test(one, G5_white_space_in_base64);
    tcase_add_test(one, xmlsec1_agrees);
    tcase_add_test(one, messages_and_receipts);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
