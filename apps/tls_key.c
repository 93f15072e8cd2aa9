/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The own certificate, its key, and the key's pass phrase. */
#include "addr.h"
#include "report.h"
#include "tls_conf.h"

#include <openssl/crypto.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASS_MAX 1024

struct pass {
    int given;
    char text[PASS_MAX];
};

/* The first line of a file, as openssl-passphrase-options(1) has it. */
static int read_line(BIO *in, char *out)
{
    int n = in != NULL ? BIO_gets(in, out, PASS_MAX) : -1;

    BIO_free(in);
    if (n < 0)
        return 0;
    out[strcspn(out, "\r\n")] = '\0';
    return 1;
}

static int get_pass(struct pass *pass, const char *source)
{
    const char *value = strchr(source, ':');

    pass->given = 1;
    value = value != NULL ? value + 1 : "";
    if (strncmp(source, "pass:", 5) == 0)
        return snprintf(pass->text, PASS_MAX, "%s", value) < PASS_MAX;
    if (strncmp(source, "env:", 4) == 0) {
        value = getenv(value);
        return value != NULL &&
               snprintf(pass->text, PASS_MAX, "%s", value) < PASS_MAX;
    }
    if (strncmp(source, "file:", 5) == 0)
        return read_line(BIO_new_file(value, "r"), pass->text);
    if (strncmp(source, "fd:", 3) == 0 && parse_port(value) >= 0)
        return read_line(BIO_new_fd(parse_port(value), BIO_NOCLOSE),
                         pass->text);
    if (strcmp(source, "stdin") == 0)
        return read_line(BIO_new_fd(0, BIO_NOCLOSE), pass->text);
    return 0;
}

static int give_pass(char *buf, int size, int for_writing, void *arg)
{
    const struct pass *pass = arg;
    size_t n = strlen(pass->text);

    (void)for_writing;
    if (size < 0 || n > (size_t)size)
        return -1;
    memcpy(buf, pass->text, n);
    return (int)n;
}

/* Files in any form that OpenSSL knows, and what providers' STOREs hold. */
static EVP_PKEY *load_key(const char *uri, struct pass *pass)
{
    UI_METHOD *ui =
        pass->given ? UI_UTIL_wrap_read_pem_callback(give_pass, 0) : NULL;
    OSSL_STORE_CTX *store =
        OSSL_STORE_open(uri, ui != NULL ? ui : UI_get_default_method(),
                        ui != NULL ? pass : NULL, NULL, NULL);
    EVP_PKEY *key = NULL;

    if (store != NULL)
        OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (store != NULL && key == NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info != NULL &&
            OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
        if (OSSL_STORE_error(store))
            break;
    }
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    return key;
}

int tls_key_load(SSL_CTX *ctx, const struct options *o)
{
    const char *key_name = o->key != NULL ? o->key : o->cert;
    struct pass pass = {0};
    EVP_PKEY *key;
    int ok;

    if (o->cert == NULL && o->key != NULL) {
        report_error("-key %s: there is no -cert to go with it", o->key);
        return 0;
    }
    if (o->cert == NULL)
        return 1;
    if (SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1) {
        report_error("-cert %s can't be used", o->cert);
        return 0;
    }
    if (o->pass != NULL && !get_pass(&pass, o->pass)) {
        report_error("-pass: no pass phrase to be had from there");
        return 0;
    }
    key = load_key(key_name, &pass);
    OPENSSL_cleanse(&pass, sizeof(pass));
    ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
         SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    if (!ok)
        report_error("-key %s can't be used", key_name);
    return ok;
}
