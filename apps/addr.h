/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Addresses as people and peers write them, and in canonical form. */
#ifndef MTLS_APPS_ADDR_H
#define MTLS_APPS_ADDR_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The longest name that a Request may carry (D12 of doc/protocol.md). */
#define ADDR_HOST_MAX 255
/* Room for any address as text: a host, brackets, a port. */
#define ADDR_TEXT_MAX (ADDR_HOST_MAX + 16)

union addr {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* What a host text is, once it has been made canonical. */
enum addr_kind {
    ADDR_IP,     /* a strict IPv4 or IPv6 literal */
    ADDR_NAME,   /* a name to look up */
    ADDR_UNIX,   /* "unix:" and an absolute path */
    ADDR_ODD,    /* a number that only inet_aton() takes for an address */
    ADDR_INVALID /* none of these */
};

/* A destination, or a place to listen: canonical. */
struct endpoint {
    enum addr_kind kind;
    char host[ADDR_HOST_MAX + 1]; /* name, literal, or path; "" for any */
    uint16_t port;
    union addr ip; /* with its port, when kind is ADDR_IP */
};

/*
 * endpoint_set makes |host| canonical: lower case, no trailing dot, IPv4 out
 * of IPv4-mapped IPv6. Returns its kind, also kept in |e|.
 */
enum addr_kind endpoint_set(struct endpoint *e, const char *host,
                            uint16_t port);

/*
 * endpoint_parse reads "HOST:PORT", "[V6]:PORT" or "unix:/path". For a place
 * to listen (|listen|) the host may be left out, with its colon or without,
 * and the port be 0. 0 when it is none of these.
 */
int endpoint_parse(struct endpoint *e, const char *text, int listen);

/* What -L says: where to listen, and what for. */
struct forward_spec {
    struct endpoint listen;
    char destination[ADDR_TEXT_MAX]; /* as BIO_new_mtls_channel() takes it */
};

/*
 * forward_spec_parse reads "[BIND:]PORT:HOST:HPORT", where the first part or
 * the second may be unix:/path. Without BIND it listens on loopback.
 */
int forward_spec_parse(struct forward_spec *f, const char *text);

/* destination_parse checks "HOST:PORT" or "unix:/path" and copies it. */
int destination_parse(char out[ADDR_TEXT_MAX], const char *text);

socklen_t addr_length(const union addr *a);
void addr_set_port(union addr *a, uint16_t port);
uint16_t addr_port(const union addr *a);

/* addr_same_host compares addresses, addr_same their ports too. */
int addr_same_host(const union addr *a, const union addr *b);
int addr_same(const union addr *a, const union addr *b);

/* addr_unmap turns an IPv4-mapped IPv6 address into the IPv4 one. */
void addr_unmap(union addr *a);

/* addr_text writes "1.2.3.4:5", "[::1]:5", "unix:/path" or "unix:". */
void addr_text(char out[ADDR_TEXT_MAX], const struct sockaddr *sa,
               socklen_t len);

/* text_copy is strcpy() with a bound; 0, and nothing copied, past it. */
int text_copy(char *out, size_t size, const char *text);

/* parse_port reads 0 to 65535 in decimal. -1 when it is not that. */
int parse_port(const char *text);

#endif
