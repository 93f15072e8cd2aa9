/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The addresses of SOCKS, from and to what programs use. */
#include "tlsmux_local.h"

#include "bio_local.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>

static int set_octets(struct mtls_socks5_address *address, uint8_t type,
                      const void *octets, size_t len)
{
    if (len > MTLS_SOCKS5_NAME_MAX)
        return 0;
    address->type = type;
    address->len = (uint8_t)len;
    memcpy(address->octets, octets, len);
    return mtls_socks5_usable(address);
}

/* A literal is sent as such, so that the server need not resolve it. */
static int set_host(struct mtls_socks5_address *address, const char *host)
{
    unsigned char literal[16];

    if (inet_pton(AF_INET, host, literal) == 1)
        return set_octets(address, MTLS_SOCKS5_IPV4, literal, 4);
    if (inet_pton(AF_INET6, host, literal) == 1)
        return set_octets(address, MTLS_SOCKS5_IPV6, literal, 16);
    return set_octets(address, MTLS_SOCKS5_NAME, host, strlen(host));
}

int mtls_tlsmux_parse(const char *text, int prefer_port,
                      struct mtls_socks5_address *address, int *has)
{
    struct mtls_socks5_address found = *address;
    char *host = NULL, *service = NULL;
    int ok = BIO_parse_hostserv(text, &host, &service,
                                prefer_port ? BIO_PARSE_PRIO_SERV
                                            : BIO_PARSE_PRIO_HOST);

    if (ok && service != NULL) {
        ok = mtls_bio_port(service, &found.port);
        *has |= MTLS_TLSMUX_PORT;
    }
    if (ok && host != NULL) {
        ok = set_host(&found, host);
        *has |= MTLS_TLSMUX_HOST;
    }
    OPENSSL_free(host);
    OPENSSL_free(service);
    if (ok)
        *address = found;
    return ok;
}

const char *mtls_tlsmux_host(const struct mtls_socks5_address *address,
                             char *out)
{
    if (address->type == MTLS_SOCKS5_NAME) {
        memcpy(out, address->octets, address->len);
        out[address->len] = '\0';
        return out;
    }
    return inet_ntop(address->type == MTLS_SOCKS5_IPV4 ? AF_INET : AF_INET6,
                     address->octets, out, INET6_ADDRSTRLEN);
}

const char *mtls_tlsmux_text(const struct mtls_socks5_address *address,
                             char *out)
{
    char host[MTLS_TLSMUX_TEXT];

    mtls_tlsmux_host(address, host);
    BIO_snprintf(out, MTLS_TLSMUX_TEXT,
                 strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                 address->port);
    return out;
}

int mtls_tlsmux_from_addr(const BIO_ADDR *from,
                          struct mtls_socks5_address *address)
{
    unsigned char octets[16];
    size_t len = 0;
    int family = BIO_ADDR_family(from);

    if ((family != AF_INET && family != AF_INET6) ||
        !BIO_ADDR_rawaddress(from, octets, &len))
        return 0;
    address->port = ntohs(BIO_ADDR_rawport(from));
    return set_octets(address,
                      family == AF_INET ? MTLS_SOCKS5_IPV4 : MTLS_SOCKS5_IPV6,
                      octets, len);
}

int mtls_tlsmux_to_addr(const struct mtls_socks5_address *address, BIO_ADDR *to)
{
    struct in6_addr octets; /* aligned, for both */

    if (address->type == MTLS_SOCKS5_NAME || address->len > sizeof(octets))
        return 0;
    memcpy(&octets, address->octets, address->len);
    return BIO_ADDR_rawmake(
        to, address->type == MTLS_SOCKS5_IPV4 ? AF_INET : AF_INET6, &octets,
        address->len, htons(address->port));
}
