/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The addresses of a channel, from and to the text that programs use. */
#include "bio_local.h"

#include "err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>

#define UNIX_PREFIX "unix:"
#define OWN_PROGRAM "default" /* D15 */

/*
 * *host is allocated, or NULL where |text| names a port alone. A "unix:" path
 * and the program itself have port 0.
 */
static int parse(const char *text, int prefer_port, char **host, uint16_t *port,
                 int *has_port)
{
    char *service = NULL;
    int ok;

    *host = NULL;
    *port = 0;
    *has_port = 1;
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0 ||
        strcmp(text, OWN_PROGRAM) == 0) {
        *host = OPENSSL_strdup(text);
        return *host != NULL;
    }
    if (!BIO_parse_hostserv(text, host, &service,
                            prefer_port ? BIO_PARSE_PRIO_SERV
                                        : BIO_PARSE_PRIO_HOST))
        return 0;
    *has_port = service != NULL;
    ok = service == NULL || mtls_bio_port(service, port);
    OPENSSL_free(service);
    if (!ok) {
        OPENSSL_free(*host);
        *host = NULL;
    }
    return ok;
}

static struct mtls_address address_of(const char *host, uint16_t port)
{
    struct mtls_address address = {host, strlen(host), port};

    return address;
}

static int bad(const char *text)
{
    MTLS_raise_data(MTLS_R_BAD_DESTINATION, "%s", text);
    return 0;
}

int mtls_io_set_destination(struct mtls_channel *c, const char *host_port,
                            int prefer_port)
{
    struct mtls_address destination = address_of("", 0);
    struct mtls_address source = address_of("0.0.0.0", 0);
    char *host;
    uint16_t port;
    int has_port, ok;

    if (c->life != MTLS_NEW) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    if (c->names != NULL) {
        destination =
            address_of(mtls_channel_host(c), c->names->destination_port);
        source = address_of(mtls_channel_source_host(c), c->names->source_port);
    }
    if (!parse(host_port, prefer_port, &host, &port, &has_port))
        return bad(host_port);
    if (host != NULL)
        destination = address_of(host, has_port ? port : destination.port);
    else
        destination.port = port;
    if (destination.host_len == 0) /* a port alone, the host to follow */
        destination = address_of("localhost", port);
    ok = mtls_channel_set_names(c, &destination, &source);
    OPENSSL_free(host);
    return ok ? 1 : bad(host_port);
}

static int set_source(struct mtls_channel *c, const char *host, uint16_t port)
{
    struct mtls_address source = address_of(host, port), destination;

    if (c->life != MTLS_NEW || c->names == NULL) {
        MTLS_raise(MTLS_R_WRONG_STATE);
        return 0;
    }
    destination = address_of(mtls_channel_host(c), c->names->destination_port);
    return mtls_channel_set_names(c, &destination, &source) ? 1 : bad(host);
}

int mtls_io_set_source(struct mtls_channel *c, const char *host_port)
{
    char *host;
    uint16_t port;
    int has_port, ok;

    if (!parse(host_port, 0, &host, &port, &has_port) || host == NULL)
        return bad(host_port);
    ok = set_source(c, host, port);
    OPENSSL_free(host);
    if (ok)
        c->app_flags |= MTLS_IO_SOURCE_SET;
    return ok;
}

/* The name of one end of the session's socket; 0 when it has none. */
static int socket_name(struct mtls_mux *mux, int peer, char *host,
                       uint16_t *port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } name = {.room = {0}};
    socklen_t len = sizeof(name);
    int fd = mtls_mux_fd(mux);
    const void *address = &name.v4.sin_addr;

    if (fd < 0 || (peer ? getpeername(fd, &name.any, &len)
                        : getsockname(fd, &name.any, &len)) != 0)
        return 0;
    if (name.any.sa_family == AF_INET6) {
        address = &name.v6.sin6_addr;
        *port = ntohs(name.v6.sin6_port);
    } else if (name.any.sa_family == AF_INET) {
        *port = ntohs(name.v4.sin_port);
    } else {
        return 0;
    }
    return inet_ntop(name.any.sa_family, address, host, INET6_ADDRSTRLEN) !=
           NULL;
}

int mtls_io_own_source(struct mtls_mux *mux, struct mtls_channel *c)
{
    if (c->names == NULL) {
        MTLS_raise(MTLS_R_BAD_DESTINATION);
        return 0;
    }
    if (!mux->own_known) /* a system call, and always the same */
        mux->own_known = socket_name(mux, 0, mux->own_host, &mux->own_port);
    return mux->own_known ? set_source(c, mux->own_host, mux->own_port) : 1;
}

const char *mtls_io_address(struct mtls_mux *mux, int peer)
{
    const size_t size = INET6_ADDRSTRLEN + sizeof("[]:65535");
    char host[INET6_ADDRSTRLEN], *text = mux->address[peer];
    uint16_t port = 0;

    if (text != NULL || !socket_name(mux, peer, host, &port))
        return text;
    text = OPENSSL_malloc(size);
    if (text != NULL)
        BIO_snprintf(text, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                     port);
    mux->address[peer] = text;
    return text;
}
