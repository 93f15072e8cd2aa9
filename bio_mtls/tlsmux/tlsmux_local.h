/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the files of BIO_f_tlsmux() share, and nobody else sees. */
#ifndef MTLS_TLSMUX_LOCAL_H
#define MTLS_TLSMUX_LOCAL_H

#include "socks5_exchange.h"
#include "socks5_frame.h"

#include <mtls/tlsmux.h>
#include <openssl/ssl.h>

#define MTLS_TLSMUX_TEXT 272 /* "[host]:port" of the longest name */

/* Which destination was set: a "host:port" may come in two parts. */
#define MTLS_TLSMUX_HOST 1
#define MTLS_TLSMUX_PORT 2

/* What the program has chosen; a copy of the BIO begins with the same. */
struct mtls_tlsmux_settings {
    int role;                      /* 0: ask the SSL */
    uint8_t command;               /* that the client asks for */
    int has;                       /* MTLS_TLSMUX_HOST, _PORT, of |to| */
    int fixed;                     /* |to| does not follow what is read */
    int udp_header;                /* BIO_tlsmux_set_udp_header() */
    struct mtls_socks5_address to; /* the destination; later, of datagrams */
};

struct mtls_tlsmux {
    struct mtls_tlsmux_settings set;
    struct mtls_exchange x;
    struct mtls_socks5_address from; /* of the datagram that was read last */
    struct mtls_frame in, out;       /* UDP ASSOCIATE */
    unsigned long dropped;
    char *line; /* begun by BIO_gets(), and not ended yet */
    size_t line_at, line_len, line_room;
    SSL *ended;    /* a reference on that which we sent close_notify by */
    int up;        /* the handshake below is done */
    int unflushed; /* something was written below */
    int told;      /* BIND: the first call has returned */
    int open;      /* the stream is the program's */
    int eof;
    int write_ended;
    char host[MTLS_TLSMUX_TEXT], port[8];
    char bound[MTLS_TLSMUX_TEXT], peer[MTLS_TLSMUX_TEXT];
    BIO_ADDR *address; /* lent by BIO_get_conn_address() */
};

/* --- the exchange (tlsmux_exchange.c) --- */

/*
 * mtls_tlsmux_ready goes on with the exchange: 1 it is over, and was granted;
 * -1 with retry flags, or an error. |pause|: 1 too when BIND listens.
 */
int mtls_tlsmux_ready(BIO *b, struct mtls_tlsmux *t, int pause);

/* mtls_tlsmux_send sends what is queued of it: 1 all, -1 as above. */
int mtls_tlsmux_send(BIO *b, struct mtls_tlsmux *t);

/* --- octets and datagrams (tlsmux_io.c), of an open stream --- */

int mtls_tlsmux_is_udp(const struct mtls_tlsmux *t);
int mtls_tlsmux_read(BIO *b, struct mtls_tlsmux *t, char *data, size_t len,
                     size_t *n);
int mtls_tlsmux_write(BIO *b, struct mtls_tlsmux *t, const char *data,
                      size_t len, size_t *n);
int mtls_tlsmux_gets(BIO *b, struct mtls_tlsmux *t, char *line, size_t size);

/* mtls_tlsmux_push sends the rest of a datagram: 1 all, 0 retry, -1 error. */
int mtls_tlsmux_push(BIO *b, struct mtls_tlsmux *t);

/* mtls_tlsmux_end ends this direction: 1, or -1 with retry or an error. */
long mtls_tlsmux_end(BIO *b, struct mtls_tlsmux *t);

/* --- settings and facts (tlsmux_settings.c), as controls return them --- */

/* Each leaves its reason, and returns 0. */
int mtls_tlsmux_wrong_state(void);
int mtls_tlsmux_out_of_range(void);
int mtls_tlsmux_bad_destination(const char *text);

long mtls_tlsmux_set_role(struct mtls_tlsmux *t, long role);
long mtls_tlsmux_set_command(struct mtls_tlsmux *t, long command);
long mtls_tlsmux_get_command(const struct mtls_tlsmux *t);

/* BIO_set_conn_hostname() and its like; BIO_dgram_set_peer() is not |fixed|. */
long mtls_tlsmux_set_connect(struct mtls_tlsmux *t, long what, void *ptr);
long mtls_tlsmux_get_connect(struct mtls_tlsmux *t, long what,
                             const void **out);
long mtls_tlsmux_set_address(struct mtls_tlsmux *t, const BIO_ADDR *address,
                             int fixed);

/* mtls_tlsmux_give lends |a| as text, made in |text|. */
long mtls_tlsmux_give(const struct mtls_socks5_address *a, char *text,
                      const char **out);
long mtls_tlsmux_get_peer(struct mtls_tlsmux *t, const char **out);
long mtls_tlsmux_get_dgram_peer(const struct mtls_tlsmux *t, BIO_ADDR *peer);

/* --- addresses (tlsmux_address.c) --- */

/*
 * mtls_tlsmux_parse reads "host:port" into |address|; what it names is added
 * to *has, the rest stays. 0: it can't be used. |prefer_port|: "80" is a port.
 */
int mtls_tlsmux_parse(const char *text, int prefer_port,
                      struct mtls_socks5_address *address, int *has);

/* "host", "port" and "host:port", into |out| of MTLS_TLSMUX_TEXT octets. */
const char *mtls_tlsmux_host(const struct mtls_socks5_address *address,
                             char *out);
const char *mtls_tlsmux_text(const struct mtls_socks5_address *address,
                             char *out);

/* From and to OpenSSL's own type, which has no names: 0 where it can't be. */
int mtls_tlsmux_from_addr(const BIO_ADDR *from,
                          struct mtls_socks5_address *address);
int mtls_tlsmux_to_addr(const struct mtls_socks5_address *address,
                        BIO_ADDR *to);

#endif
