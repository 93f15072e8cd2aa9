/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The known answer of EVP_KDF-MTLS-PSK(7), derived when the provider loads. */
#include "prov.h"

#include <openssl/self_test.h>
#include <string.h>

#define KNOWN_ID "AOnMvL_NiBQ8eL8_ZMj9XlxUmVm0A5bt"

static const unsigned char known_secret[MTLS_MASTER_SECRET_SIZE] = {
    0x23, 0x5b, 0x73, 0x5c, 0x3e, 0x8c, 0x2e, 0xbf, 0xf6, 0x30, 0x11, 0x71,
    0xdd, 0x72, 0xf5, 0xd4, 0x78, 0x74, 0xf0, 0xe7, 0xb6, 0x4d, 0x4d, 0x4c,
    0xe6, 0x0f, 0xb2, 0x9c, 0x04, 0xa8, 0x10, 0x6b, 0xff, 0x27, 0x6b, 0xd7,
    0x29, 0xae, 0x0a, 0xc0, 0xd7, 0x46, 0x03, 0xce, 0x60, 0xa7, 0xbc, 0x78};

static int derive_known(struct mtls_prov *prov, OSSL_SELF_TEST *st)
{
    char identity[MTLS_SESSION_ID_MAX + 1];
    unsigned char psk[MTLS_MASTER_SECRET_SIZE];

    if (!mtls_kdf_psk_once(prov, KNOWN_ID, known_secret, identity, psk))
        return 0;
    OSSL_SELF_TEST_oncorrupt_byte(st, psk);
    return strcmp(identity, KNOWN_ID) == 0 &&
           memcmp(psk, known_secret, sizeof(psk)) == 0;
}

int mtls_prov_self_test(struct mtls_prov *prov)
{
    OSSL_SELF_TEST *st = NULL;
    OSSL_CALLBACK *cb = NULL;
    void *arg = NULL;
    int ok;

    if (prov->core_self_test_cb != NULL && prov->core_get_libctx != NULL)
        prov->core_self_test_cb(prov->core_get_libctx(prov->handle), &cb, &arg);
    if (cb != NULL)
        st = OSSL_SELF_TEST_new(cb, arg);
    OSSL_SELF_TEST_onbegin(st, OSSL_SELF_TEST_TYPE_KAT_KDF, MTLS_KDF_NAME_PSK);
    ok = derive_known(prov, st);
    OSSL_SELF_TEST_onend(st, ok);
    OSSL_SELF_TEST_free(st);
    if (!ok)
        atomic_store(&prov->failed, 1);
    return ok;
}
