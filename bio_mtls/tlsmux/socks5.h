/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The messages of SOCKS 5 (RFC 1928) as TLSMUX uses them, for both roles:
 * octets <-> structs. No state, no allocation.
 *
 * The get functions read a stream of which |len| octets are here. Each answers
 *   DONE  the message has *due octets; those behind it are not its own
 *   MORE  *due octets are certainly its own, and more than |len|: who reads no
 *         further never reads past its end
 *   BAD   RFC 1928 forbids it
 * A message whose extent can be known is judged when it is whole, another one
 * as soon as that is certain (doc/tlsmux.md, S3).
 */
#ifndef MTLS_SOCKS5_H
#define MTLS_SOCKS5_H

#include <stddef.h>
#include <stdint.h>

/* RFC 1928 3 */
enum mtls_socks5_method {
    MTLS_SOCKS5_ANONYMOUS = 0x00, /* no authentication required */
    MTLS_SOCKS5_NO_METHOD = 0xff  /* none of those offered is acceptable */
};

/* RFC 1928 4 */
enum mtls_socks5_command {
    MTLS_SOCKS5_CONNECT = 1,
    MTLS_SOCKS5_BIND = 2,
    MTLS_SOCKS5_UDP = 3 /* UDP ASSOCIATE */
};

/* RFC 1928 5 */
enum mtls_socks5_type {
    MTLS_SOCKS5_IPV4 = 1,
    MTLS_SOCKS5_NAME = 3,
    MTLS_SOCKS5_IPV6 = 4
};

/* RFC 1928 6; 0x09 to 0xff are unassigned, and refusals like the others. */
enum mtls_socks5_code {
    MTLS_SOCKS5_SUCCEEDED = 0x00,
    MTLS_SOCKS5_FAILURE = 0x01,
    MTLS_SOCKS5_NOT_ALLOWED = 0x02,
    MTLS_SOCKS5_NET_UNREACHABLE = 0x03,
    MTLS_SOCKS5_HOST_UNREACHABLE = 0x04,
    MTLS_SOCKS5_REFUSED = 0x05,
    MTLS_SOCKS5_TTL_EXPIRED = 0x06,
    MTLS_SOCKS5_BAD_COMMAND = 0x07,
    MTLS_SOCKS5_BAD_TYPE = 0x08
};

/* clang-format off */
#define MTLS_SOCKS5_NAME_MAX     254 /* S5 */
#define MTLS_SOCKS5_CHOICE_SIZE  2
#define MTLS_SOCKS5_GREETING_MAX (2 + 255)
#define MTLS_SOCKS5_MESSAGE_MAX  (4 + 1 + 255 + 2) /* a request or a reply */
#define MTLS_SOCKS5_UDP_MAX      65535 /* header and data: S8 */
/* clang-format on */

enum mtls_socks5_answer {
    MTLS_SOCKS5_DONE,
    MTLS_SOCKS5_MORE,
    MTLS_SOCKS5_BAD
};

/* Its own octets: 4, 16 or those of the name, which is not terminated. */
struct mtls_socks5_address {
    uint8_t type;
    uint8_t len;
    uint16_t port;
    unsigned char octets[MTLS_SOCKS5_NAME_MAX];
};

/* "version identifier/method selection message"; |methods| is lent. */
struct mtls_socks5_greeting {
    const unsigned char *methods;
    uint8_t count;
};

/* A request, |code| being the command, or a reply. */
struct mtls_socks5_message {
    uint8_t code;
    struct mtls_socks5_address address;
};

/* RFC 1928 7; |data| is lent. */
struct mtls_socks5_udp {
    struct mtls_socks5_address address;
    const unsigned char *data;
    size_t len;
};

enum mtls_socks5_answer
mtls_socks5_get_greeting(const unsigned char *in, size_t len, size_t *due,
                         struct mtls_socks5_greeting *greeting);
enum mtls_socks5_answer mtls_socks5_get_choice(const unsigned char *in,
                                               size_t len, size_t *due,
                                               uint8_t *method);

/* mtls_socks5_get_request: of a BAD one, *earned is the reply that it earns. */
enum mtls_socks5_answer
mtls_socks5_get_request(const unsigned char *in, size_t len, size_t *due,
                        struct mtls_socks5_message *request, uint8_t *earned);

/* mtls_socks5_get_reply: |reply->code| is set of a BAD one too, or 0. */
enum mtls_socks5_answer
mtls_socks5_get_reply(const unsigned char *in, size_t len, size_t *due,
                      struct mtls_socks5_message *reply);

/*
 * mtls_socks5_get_udp decodes a whole datagram: 1, or 0 where it is to be
 * dropped: it is malformed, or a fragment.
 */
int mtls_socks5_get_udp(const unsigned char *in, size_t len,
                        struct mtls_socks5_udp *udp);

/* mtls_socks5_choose is the method to answer a greeting with (S1). */
uint8_t mtls_socks5_choose(const struct mtls_socks5_greeting *greeting);

/* mtls_socks5_is_none: 0.0.0.0 or ::, with port 0. */
int mtls_socks5_is_none(const struct mtls_socks5_address *address);

/*
 * mtls_socks5_usable: the address can be sent. A name is one of 1 to 254
 * octets without control characters, and with a colon an IPv6 literal (S5).
 */
int mtls_socks5_usable(const struct mtls_socks5_address *address);

/*
 * The put functions return the octets written, or 0 when |room| is short or
 * it can't be said. mtls_socks5_put_udp puts the header alone; data follows.
 */
size_t mtls_socks5_put_greeting(unsigned char *out, size_t room,
                                const struct mtls_socks5_greeting *greeting);
size_t mtls_socks5_put_choice(unsigned char *out, size_t room, uint8_t method);
size_t mtls_socks5_put_message(unsigned char *out, size_t room,
                               const struct mtls_socks5_message *message);
size_t mtls_socks5_put_udp(unsigned char *out, size_t room,
                           const struct mtls_socks5_address *address);

/* mtls_socks5_text: RFC 1928 6 in words, of any octet. */
const char *mtls_socks5_text(uint8_t code);

#endif
