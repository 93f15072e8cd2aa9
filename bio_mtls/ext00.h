/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The extension data_multiplexing of mtls-00 2.1: octets <-> applications,
 * and what a server answers. No state, no allocation; a decoded application
 * points into the octets that it was decoded from.
 */
#ifndef MTLS_EXT00_H
#define MTLS_EXT00_H

#include "octets.h"

/* clang-format off */
#define MTLS_EXT00_MAX      65535 /* octets of an extension (RFC 8446 4.2) */
#define MTLS_EXT00_LIST     3     /* the length of alp_list<0..2^20-1> */
#define MTLS_EXT00_NAME_MAX 16    /* octets of an apn<1..16> */
#define MTLS_EXT00_APP_MIN  4     /* octets of the shortest application */
#define MTLS_EXT00_ANSWER   16384 /* no longer answers (doc/mtls00.md, Q6) */
/* clang-format on */

struct mtls_ext00_app {
    const unsigned char *name; /* not terminated */
    uint8_t name_len;
    uint16_t port;
};

/* mtls_ext00_count: how many applications extension_data holds; -1 when it is
 * malformed. */
long mtls_ext00_count(const unsigned char *in, size_t len);

/* mtls_ext00_begin and _next go through what mtls_ext00_count() found good; 0
 * at the end. */
struct mtls_reader mtls_ext00_begin(const unsigned char *in, size_t len);
int mtls_ext00_next(struct mtls_reader *r, struct mtls_ext00_app *app);

/* mtls_ext00_is_all: "ALL" with port 0, which asks for everything. */
int mtls_ext00_is_all(const struct mtls_ext00_app *app);
int mtls_ext00_has_all(const unsigned char *in, size_t len);

/*
 * mtls_ext00_put encodes a list, of as many applications as fit; returns its
 * octets, 0 when not one fits.
 */
size_t mtls_ext00_put(unsigned char *out, size_t room,
                      const struct mtls_ext00_app *apps, size_t n);

/*
 * mtls_ext00_parse encodes "NAME:PORT,NAME:PORT" or "ALL"; 0 when |text| is no
 * such list, or too long.
 */
size_t mtls_ext00_parse(unsigned char *out, size_t room, const char *text);

enum mtls_ext00_policy {
    MTLS_EXT00_COMMON,     /* what is in both lists */
    MTLS_EXT00_EVERYTHING, /* all of the server's, if anything is in both */
    MTLS_EXT00_ALL         /* whatever the client asks for */
};

/* mtls_ext00_sort puts a server's list in the order that answering wants. */
void mtls_ext00_sort(struct mtls_ext00_app *apps, size_t n);

/*
 * mtls_ext00_answer encodes the answer to |offer|, which is well-formed, of a
 * server with these applications, sorted. 0: there is nothing to agree on.
 */
size_t mtls_ext00_answer(const struct mtls_ext00_app *apps, size_t n,
                         enum mtls_ext00_policy policy,
                         const unsigned char *offer, size_t len,
                         unsigned char *out, size_t room);

#endif
