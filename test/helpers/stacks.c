/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int turns = 16; /* that may be needed */
static EVP_PKEY *key;
static X509 *certificate;

static void make_certificate(void)
{
    X509_NAME *name;

    if (certificate != NULL)
        return;
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    ck_assert_ptr_nonnull(key);
    ck_assert_ptr_nonnull(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
}

static SSL_CTX *new_ctx(const SSL_METHOD *method, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    make_certificate();
    ck_assert_ptr_nonnull(ctx);
    ck_assert(SSL_CTX_set_min_proto_version(ctx, version));
    ck_assert(SSL_CTX_set_max_proto_version(ctx, version));
    return ctx;
}

SSL_CTX *stacks_server_ctx(int version)
{
    SSL_CTX *ctx = new_ctx(TLS_server_method(), version);

    ck_assert(SSL_CTX_use_certificate(ctx, certificate));
    ck_assert(SSL_CTX_use_PrivateKey(ctx, key));
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4);
    return ctx;
}

SSL_CTX *stacks_client_ctx(int version)
{
    SSL_CTX *ctx = new_ctx(TLS_client_method(), version);

    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static BIO *on_top(BIO *transport, SSL_CTX *ctx, int client)
{
    BIO *mtls = BIO_new(BIO_f_mtls());

    ck_assert_ptr_nonnull(mtls);
    if (ctx != NULL) {
        BIO *ssl = BIO_new_ssl(ctx, client);

        ck_assert_ptr_nonnull(ssl);
        transport = BIO_push(ssl, transport);
        SSL_CTX_free(ctx);
    } else {
        ck_assert(BIO_mtls_set_role(mtls, client ? MTLS_ROLE_CLIENT
                                                 : MTLS_ROLE_SERVER));
    }
    return BIO_push(mtls, transport);
}

static int version_of(enum stacks_kind kind)
{
    switch (kind) {
    case STACKS_TLS12_PAIR:
    case STACKS_TLS12_SOCKETS:
        return TLS1_2_VERSION;
    case STACKS_TLS13_PAIR:
    case STACKS_TLS13_SOCKETS:
        return TLS1_3_VERSION;
    default:
        return 0;
    }
}

struct stacks stacks_new(enum stacks_kind kind, size_t pair_size)
{
    int version = version_of(kind), fds[2];
    struct stacks stacks;
    BIO *a, *b;

    signal(SIGPIPE, SIG_IGN);
    if (pair_size > 0 && pair_size < 100)
        turns = 10000;
    if (kind == STACKS_TLS12_SOCKETS || kind == STACKS_TLS13_SOCKETS ||
        kind == STACKS_NBIO_SOCKETS) {
        int nbio = kind == STACKS_NBIO_SOCKETS ? SOCK_NONBLOCK : 0;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | nbio, 0, fds), 0);
        a = BIO_new_socket(fds[0], BIO_CLOSE);
        b = BIO_new_socket(fds[1], BIO_CLOSE);
    } else {
        ck_assert(BIO_new_bio_pair(&a, pair_size, &b, pair_size));
    }
    stacks.client =
        on_top(a, version == 0 ? NULL : stacks_client_ctx(version), 1);
    stacks.server =
        on_top(b, version == 0 ? NULL : stacks_server_ctx(version), 0);
    return stacks;
}

void stacks_free(struct stacks *stacks)
{
    BIO_free_all(stacks->client);
    BIO_free_all(stacks->server);
}

void stacks_turn(const struct stacks *stacks)
{
    for (int i = 0; i < turns; i++) {
        while (BIO_mtls_process(stacks->client) == 2)
            ;
        while (BIO_mtls_process(stacks->server) == 2)
            ;
    }
}

struct channels stacks_open(const struct stacks *stacks, const char *host_port)
{
    struct channels ch = {BIO_new_mtls_channel(stacks->client, host_port),
                          NULL};

    ck_assert_ptr_nonnull(ch.c);
    for (int i = 0; ch.s == NULL && i < 100; i++) {
        ck_assert_int_le(BIO_do_connect(ch.c), 0);
        ck_assert(BIO_should_retry(ch.c));
        stacks_turn(stacks);
        ch.s = BIO_mtls_accept_channel(stacks->server);
    }
    ck_assert_ptr_nonnull(ch.s);
    ck_assert_int_eq(BIO_do_handshake(ch.s), 1);
    stacks_turn(stacks);
    ck_assert_int_eq(BIO_do_connect(ch.c), 1);
    return ch;
}

static unsigned char octet_at(size_t i)
{
    return (unsigned char)((i * 2654435761u) >> 11);
}

void stacks_move(BIO *from, BIO *to, size_t n)
{
    unsigned char *sent = calloc(1, n), piece[20000];
    size_t written = 0, got = 0;

    ck_assert_ptr_nonnull(sent);
    for (size_t i = 0; i < n; i++)
        sent[i] = octet_at(i);
    for (unsigned int idle = 0; got < n && idle < 100000; idle++) {
        size_t m;

        if (written < n && BIO_write_ex(from, sent + written, n - written, &m))
            written += m;
        else if (written < n)
            ck_assert(BIO_should_retry(from));
        else
            BIO_flush(from);
        if (BIO_read_ex(to, piece, sizeof(piece), &m)) {
            ck_assert_mem_eq(piece, sent + got, m);
            got += m;
            idle = 0;
        } else {
            ck_assert(BIO_should_retry(to));
        }
    }
    ck_assert_uint_eq(got, n);
    free(sent);
}

void stacks_check_reason(int reason, int line)
{
    unsigned long e = ERR_peek_last_error();

    if (ERR_GET_LIB(e) != MTLS_err_library() || ERR_GET_REASON(e) != reason)
        ck_abort_msg("line %d: error %s, not reason %d", line,
                     ERR_error_string(e, NULL), reason);
    ERR_clear_error();
}
