/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "bio_local.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

BIO_METHOD *mtls_bio_method(int type_class, const char *name, int *type)
{
    int index = BIO_get_new_index();

    if (index < 0)
        return NULL;
    if (type != NULL)
        *type = index | type_class;
    return BIO_meth_new(index | type_class, name);
}

int mtls_bio_puts(BIO *b, const char *text, mtls_bio_write_fn *write)
{
    size_t n;
    int r = write(b, text, strlen(text), &n);

    return r > 0 ? (int)n : r;
}

int mtls_bio_is_io(int cmd)
{
    switch (cmd) {
    case BIO_C_DO_STATE_MACHINE:
    case BIO_CTRL_FLUSH:
    case BIO_C_NREAD0:
    case BIO_C_NREAD:
    case BIO_C_NWRITE0:
    case BIO_C_NWRITE:
    case BIO_CTRL_MTLS_PROCESS:
    case BIO_CTRL_MTLS_END:
        return 1;
    default:
        return 0;
    }
}

int mtls_bio_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long n;
    BIO_ADDRINFO *found = NULL;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0') {
        *port = (uint16_t)n;
        return errno == 0 && n <= 65535;
    }
    if (!BIO_lookup_ex(NULL, text, BIO_LOOKUP_CLIENT, AF_UNSPEC, SOCK_STREAM, 0,
                       &found))
        return 0;
    *port = ntohs(BIO_ADDR_rawport(BIO_ADDRINFO_address(found)));
    BIO_ADDRINFO_free(found);
    return 1;
}

long mtls_bio_wpending(struct mtls_mux *mux)
{
    uint64_t n =
        mtls_session_queued(mux->session) - mtls_session_sent(mux->session);

    return n < LONG_MAX ? (long)n : LONG_MAX;
}

long mtls_bio_give_address(struct mtls_mux *mux, long peer, const char **out)
{
    *out = mtls_io_address(mux, peer != 0);
    return 1;
}

long mtls_bio_give(const void *from, size_t have, long size, void *ptr)
{
    size_t n = size < 0 ? 0 : (size_t)size;

    if (ptr == NULL)
        return 0;
    memcpy(ptr, from, n < have ? n : have);
    return 1;
}
