/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a filter of TLS Sign has its evidence log keep. */
#include "sign_local.h"

#include "err.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

/* --- who the peer is --- */

static void print_address(BIO *out, BIO *b)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int fd = -1;

    BIO_get_fd(BIO_next(b), &fd);
    if (fd < 0 || getpeername(fd, (struct sockaddr *)&address, &len) != 0 ||
        address.ss_family == AF_UNIX ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    BIO_printf(out, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
               port);
}

int mtls_sign_name_peer(BIO *b, struct mtls_sign_filter *f)
{
    BIO *out;
    char *text;
    long n;

    if (f->set.peer != NULL || f->set.log == NULL)
        return 1;
    out = BIO_new(BIO_s_mem());
    if (out == NULL)
        return 0;
    ERR_set_mark();
    print_address(out, b);
    if (f->peer_cert != NULL) {
        BIO_puts(out, BIO_pending(out) > 0 ? " " : "");
        X509_NAME_print_ex(out, X509_get_subject_name(f->peer_cert), 0,
                           XN_FLAG_RFC2253);
    }
    ERR_pop_to_mark();
    n = BIO_get_mem_data(out, &text);
    f->peer = OPENSSL_strndup(text == NULL ? "" : text, (size_t)n);
    BIO_free(out);
    return f->peer != NULL;
}

/* --- entries --- */

static BIO *put_certs(X509 *signer, STACK_OF(X509) * chain)
{
    BIO *out = BIO_new(BIO_s_mem());
    int r = out != NULL && i2d_X509_bio(out, signer);

    for (int i = 0; r && i < sk_X509_num(chain); i++)
        r = i2d_X509_bio(out, sk_X509_value(chain, i));
    if (r)
        return out;
    BIO_free(out);
    return NULL;
}

int mtls_sign_log(struct mtls_sign_filter *f, enum mtls_evidence_kind kind,
                  const struct mtls_sign_context *context, X509 *signer,
                  STACK_OF(X509) * chain, const unsigned char *object,
                  size_t len)
{
    struct mtls_evidence e = {.kind = (uint8_t)kind, .format = f->format};
    const char *peer = f->set.peer != NULL ? f->set.peer : f->peer;
    char *certs;
    BIO *out;
    int r;

    if (f->set.log == NULL)
        return 1;
    out = put_certs(signer, chain);
    if (out == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    e.direction = context->direction;
    e.flags = context->flags & MTLS_SIGN_WANTS_RECEIPT;
    e.sequence = context->sequence;
    memcpy(e.binding, context->binding, sizeof(e.binding));
    if (f->set.clock.now != NULL)
        e.time = (uint64_t)mtls_sign_now(f) * 1000;
    e.peer = peer == NULL ? "" : peer;
    e.peer_len = strlen(e.peer);
    e.certs_len = (size_t)BIO_get_mem_data(out, &certs);
    e.certs = (const unsigned char *)certs;
    e.object = object;
    e.object_len = len;
    r = mtls_evidence_append(f->set.log, &e, NULL);
    BIO_free(out);
    return r;
}
