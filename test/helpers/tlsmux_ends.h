/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Two ends of TLSMUX for tests, connected to each other by a BIO pair, each
 * with a BIO_f_tlsmux() on top. BIO_next() of one is TLS (or the pair) without
 * SOCKS: octets made by hand go there. Failures end the test.
 */
#ifndef TEST_TLSMUX_ENDS_H
#define TEST_TLSMUX_ENDS_H

#include "fault_bio.h"

#include <check.h>
#include <mtls/tlsmux.h>

struct ends {
    BIO *client, *server;
};

/* |version| of TLS, or 0 for none; over a pair of that size, 0: the default. */
struct ends ends_new(int version, size_t pair_size);

/* The same, with faults right below the filters (NULL: none). */
struct ends ends_with(int version, struct fault_plan *client,
                      struct fault_plan *server);
void ends_free(struct ends *e);

/* ends_shake does the handshakes below, and no more. */
void ends_shake(struct ends *e);

/* ends_ask moves both until the server's program is asked. */
void ends_ask(struct ends *e);

/* ends_finish moves both until their handshakes say 1. */
void ends_finish(struct ends *e);

/* ends_open: the whole of it, of this command and destination (NULL: none). */
struct ends ends_open(int version, long command, const char *host_port);

/* ends_fail asserts that the handshake of |b| fails, for that reason. */
#define ends_fail(b, reason) ends_check_fail((b), (reason), __LINE__)
void ends_check_fail(BIO *b, int reason, int line);

/* ends_run runs a suite of these tests; what main() returns. */
int ends_run(const char *name, const TTest *const *tests, size_t count);

/* By hand, below the filter |b|: all of the octets; exactly these. */
#define raw_say(b, literal) raw_write((b), (literal), sizeof(literal) - 1)
#define raw_hear(b, literal) \
    raw_read((b), (literal), sizeof(literal) - 1, __LINE__)
void raw_write(BIO *b, const char *octets, size_t len);
void raw_read(BIO *b, const char *octets, size_t len, int line);

#endif
