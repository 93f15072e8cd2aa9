/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* "tlssign:FILE": the signers of an evidence log, as certificates of a store.
 */
#include "evidence_log.h"
#include "provider_load.h"

#include <check.h>
#include <mtls/mtls_provider.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static OSSL_LIB_CTX *ctx;
static OSSL_PROVIDER *provider, *base;
static char path[256];

static void load(enum provider_kind kind)
{
    ctx = provider_context(kind);
    provider = OSSL_PROVIDER_load(ctx, "mtls");
    ck_assert_ptr_nonnull(provider);
    base = OSSL_PROVIDER_load(ctx, "default"); /* keys are decoded by it */
    ck_assert_ptr_nonnull(base);
    evidence_folder();
    snprintf(path, sizeof(path), "%s", evidence_file("orders.log"));
}

static void unload(void)
{
    evidence_remove();
    OSSL_PROVIDER_unload(provider);
    OSSL_PROVIDER_unload(base);
    OSSL_LIB_CTX_free(ctx);
    ERR_clear_error();
}

static X509 *certificate(const char *name)
{
    static EVP_PKEY *key;
    X509 *x = X509_new();
    X509_NAME *subject;

    if (key == NULL)
        key = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(key);
    subject = X509_get_subject_name(x);
    ck_assert(X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0));
    X509_set_issuer_name(x, subject);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    ck_assert(X509_sign(x, key, EVP_sha256()));
    return x;
}

/* An entry that |name| has signed, with a further certificate behind. */
static void signs(struct mtls_evidence_log *log, const char *name)
{
    struct mtls_evidence e = evidence_sample(name);
    X509 *signer = certificate(name), *other = certificate("an authority");
    unsigned char der[4096], *at = der;

    i2d_X509(signer, &at);
    i2d_X509(other, &at);
    e.certs = der;
    e.certs_len = (size_t)(at - der);
    ck_assert(mtls_evidence_append(log, &e, NULL));
    X509_free(signer);
    X509_free(other);
}

static void write_log(void)
{
    struct mtls_evidence_log *log = mtls_evidence_open(path);
    struct mtls_evidence plain = evidence_sample("nobody");

    ck_assert_ptr_nonnull(log);
    signs(log, "alice");
    ck_assert(mtls_evidence_append(log, &plain, NULL));
    signs(log, "bob");
    mtls_evidence_close(log);
}

static OSSL_STORE_CTX *store_of(const char *file)
{
    char uri[300];

    snprintf(uri, sizeof(uri), "%s:%s", MTLS_STORE_SCHEME, file);
    return OSSL_STORE_open_ex(uri, ctx, "provider=mtls", NULL, NULL, NULL, NULL,
                              NULL);
}

/* The common names of what is left in |store|, with blanks between. */
static const char *names(OSSL_STORE_CTX *store)
{
    static char list[256];
    char name[64];
    size_t n = 0;

    list[0] = '\0';
    while (!OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info == NULL)
            continue;
        ck_assert_int_eq(OSSL_STORE_INFO_get_type(info), OSSL_STORE_INFO_CERT);
        X509_NAME_get_text_by_NID(
            X509_get_subject_name(OSSL_STORE_INFO_get0_CERT(info)),
            NID_commonName, name, sizeof(name));
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s ", name);
        OSSL_STORE_INFO_free(info);
    }
    ck_assert(!OSSL_STORE_error(store));
    ck_assert(OSSL_STORE_close(store));
    return list;
}

START_TEST(signers_are_listed_in_their_order)
{
    OSSL_STORE_CTX *store;

    load((enum provider_kind)_i);
    write_log();
    store = store_of(path);
    ck_assert_ptr_nonnull(store);
    ck_assert_str_eq(names(store), "alice bob ");
}
END_TEST

/* The same certificate in two entries; ours are all of one key. */
START_TEST(a_signer_is_listed_once)
{
    struct mtls_evidence_log *log;
    struct mtls_evidence e = evidence_sample("x");
    X509 *signer = certificate("alice");
    unsigned char *der = NULL;
    int len = i2d_X509(signer, &der);
    OSSL_STORE_CTX *store;

    load((enum provider_kind)_i);
    log = mtls_evidence_open(path);
    e.certs = der;
    e.certs_len = (size_t)len;
    for (int i = 0; i < 3; i++)
        ck_assert(mtls_evidence_append(log, &e, NULL));
    mtls_evidence_close(log);
    store = store_of(path);
    ck_assert_ptr_nonnull(store);
    ck_assert_str_eq(names(store), "alice ");
    X509_free(signer);
    OPENSSL_free(der);
}
END_TEST

START_TEST(what_was_asked_for_is_given)
{
    X509 *bob = certificate("bob");
    OSSL_STORE_SEARCH *by =
        OSSL_STORE_SEARCH_by_name(X509_get_subject_name(bob));
    OSSL_STORE_SEARCH *alias = OSSL_STORE_SEARCH_by_alias("bob");
    OSSL_STORE_CTX *store;

    load((enum provider_kind)_i);
    write_log();
    store = store_of(path);
    ck_assert(OSSL_STORE_expect(store, OSSL_STORE_INFO_CERT));
    ck_assert(OSSL_STORE_find(store, by));
    ck_assert_str_eq(names(store), "bob ");
    store = store_of(path);
    ck_assert(OSSL_STORE_expect(store, OSSL_STORE_INFO_CRL));
    ck_assert_str_eq(names(store), "");
    store = store_of(path);
    ck_assert(!OSSL_STORE_find(store, alias));
    OSSL_STORE_close(store);
    OSSL_STORE_SEARCH_free(by);
    OSSL_STORE_SEARCH_free(alias);
    X509_free(bob);
}
END_TEST

/* OpenSSL's own loader of files may have something to say before. */
static void refused(int reason)
{
    unsigned long e;
    int found = 0;

    ck_assert_ptr_null(store_of(path));
    while ((e = ERR_get_error()) != 0)
        found |= ERR_GET_LIB(e) >= ERR_LIB_USER && ERR_GET_REASON(e) == reason;
    ck_assert(found);
}

START_TEST(other_files_and_damaged_logs_are_refused)
{
    unsigned char *octets;
    size_t len;

    load((enum provider_kind)_i);
    ck_assert_ptr_null(store_of(path)); /* it is not there */
    ERR_clear_error();
    evidence_write(path, "not a log", 9);
    refused(MTLS_PROV_R_NOT_A_LOG);
    remove(path);
    write_log();
    octets = evidence_read(path, &len);
    evidence_write(path, octets, len - 1);
    refused(MTLS_PROV_R_BAD_LOG);
    octets[MTLS_EVIDENCE_HEADER + 24] ^= 1; /* the number of entry 1 */
    evidence_write(path, octets, len);
    refused(MTLS_PROV_R_BAD_LOG);
    free(octets);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_store");
    TCase *tests = tcase_create("tlssign");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tests, NULL, unload);
#define ADD(test) tcase_add_loop_test(tests, test, 0, PROVIDER_KINDS)
    ADD(signers_are_listed_in_their_order);
    ADD(a_signer_is_listed_once);
    ADD(what_was_asked_for_is_given);
    ADD(other_files_and_damaged_logs_are_refused);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
