/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Entries and headers of an evidence log: whole, cut and spoilt. */
#include "core_suite.h"
#include "evidence_entry.h"

#include <stdlib.h>
#include <string.h>

static const struct mtls_evidence sample = {
    .kind = MTLS_EVIDENCE_RECEIPT_RECEIVED,
    .format = 2,
    .direction = MTLS_EVIDENCE_FROM_SERVER,
    .flags = MTLS_EVIDENCE_WANTS_RECEIPT,
    .sequence = UINT64_C(0x0102030405060708),
    .binding = "a session's thirty-two octets ..",
    .time = UINT64_C(0x1112131415161718),
    .peer = "client",
    .peer_len = 6,
    .certs = (const unsigned char *)"CERT",
    .certs_len = 4,
    .object = (const unsigned char *)"OBJECT",
    .object_len = 6,
    .id = "sixteen octets .",
    .number = UINT64_C(0x2122232425262728),
    .previous = "of the entry before: a digest, .",
};

/* Octet by octet, as doc/evidence.md has it. */
static const char sample_octets[] = "TSE\x31\x00\x00\x00\xae"
                                    "sixteen octets ."
                                    "\x21\x22\x23\x24\x25\x26\x27\x28"
                                    "of the entry before: a digest, ."
                                    "\x11\x12\x13\x14\x15\x16\x17\x18"
                                    "\x04\x02\x01\x01"
                                    "\x01\x02\x03\x04\x05\x06\x07\x08"
                                    "a session's thirty-two octets .."
                                    "\x00\x06"
                                    "client"
                                    "\x00\x00\x00\x04"
                                    "CERT"
                                    "\x00\x00\x00\x06"
                                    "OBJECT";

static unsigned char octets[512];
static size_t size;

static void put(const struct mtls_evidence *e)
{
    size_t n = mtls_evidence_put(octets, sizeof(octets), e);

    size = mtls_evidence_size(e);
    ck_assert_uint_eq(n, size - MTLS_EVIDENCE_DIGEST);
    memset(octets + n, 0xdd, MTLS_EVIDENCE_DIGEST);
}

START_TEST(an_entry_is_what_the_document_says)
{
    put(&sample);
    ck_assert_uint_eq(size, sizeof(sample_octets) - 1 + MTLS_EVIDENCE_DIGEST);
    ck_assert_mem_eq(octets, sample_octets, sizeof(sample_octets) - 1);
}
END_TEST

START_TEST(an_entry_comes_back)
{
    struct mtls_evidence e;
    unsigned char again[sizeof(octets)];

    put(&sample);
    ck_assert(mtls_evidence_get(octets, size, &e));
    ck_assert_uint_eq(e.number, sample.number);
    ck_assert_uint_eq(e.sequence, sample.sequence);
    ck_assert_uint_eq(e.time, sample.time);
    ck_assert_mem_eq(e.peer, "client", 6);
    ck_assert_uint_eq(e.certs_len, 4);
    ck_assert_mem_eq(e.object, "OBJECT", 6);
    ck_assert_uint_eq(mtls_evidence_put(again, sizeof(again), &e),
                      size - MTLS_EVIDENCE_DIGEST);
    ck_assert_mem_eq(again, octets, size - MTLS_EVIDENCE_DIGEST);
}
END_TEST

/* Each read from memory of its own, so that a sanitizer sees one too many. */
START_TEST(a_cut_entry_is_none)
{
    put(&sample);
    for (size_t n = 0; n < size; n++) {
        unsigned char *cut = malloc(n == 0 ? 1 : n);
        struct mtls_evidence e;
        size_t said;

        memcpy(cut, octets, n);
        ck_assert_int_eq(mtls_evidence_start(cut, n, &said),
                         n < MTLS_EVIDENCE_START ? MTLS_EVIDENCE_MORE
                                                 : MTLS_EVIDENCE_DONE);
        ck_assert(!mtls_evidence_get(cut, n, &e));
        free(cut);
    }
}
END_TEST

START_TEST(an_entry_has_one_form_alone)
{
    struct mtls_evidence e;

    put(&sample);
    for (size_t at = 0; at < size - MTLS_EVIDENCE_DIGEST; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            unsigned char again[sizeof(octets)];

            octets[at] ^= (unsigned char)(1u << bit);
            if (mtls_evidence_get(octets, size, &e)) {
                core_must(mtls_evidence_put(again, sizeof(again), &e) ==
                          size - MTLS_EVIDENCE_DIGEST);
                core_must(memcmp(again, octets, size - MTLS_EVIDENCE_DIGEST) ==
                          0);
            }
            octets[at] ^= (unsigned char)(1u << bit);
        }
    }
}
END_TEST

static void is_refused(struct mtls_evidence e)
{
    ck_assert_uint_eq(mtls_evidence_put(octets, sizeof(octets), &e), 0);
}

START_TEST(values_that_mean_nothing_are_refused)
{
    static const size_t at[] = {72, 72, 73, 74, 75, 75};
    static const unsigned char value[] = {0, 7, 3, 2, 2, 0x81};
    struct mtls_evidence e = sample;

    for (size_t i = 0; i < core_count(at); i++) {
        put(&sample);
        octets[at[i]] = value[i];
        ck_assert(!mtls_evidence_get(octets, size, &e));
    }
    e = sample;
    e.kind = 7;
    is_refused(e);
    e = sample;
    e.format = 3;
    is_refused(e);
    e = sample;
    e.number = 0;
    is_refused(e);
    e = sample;
    e.peer_len = 65536;
    ck_assert_uint_eq(mtls_evidence_size(&e), 0);
    e = sample;
    e.object_len = SIZE_MAX;
    ck_assert_uint_eq(mtls_evidence_size(&e), 0);
    e.object_len = MTLS_EVIDENCE_SIZE_MAX - MTLS_EVIDENCE_FIXED - 9;
    ck_assert_uint_eq(mtls_evidence_size(&e), 0);
    e.object_len--;
    ck_assert_uint_eq(mtls_evidence_size(&e), MTLS_EVIDENCE_SIZE_MAX);
}
END_TEST

START_TEST(too_little_room_is_noticed)
{
    put(&sample);
    for (size_t room = 0; room < size - MTLS_EVIDENCE_DIGEST; room++)
        ck_assert_uint_eq(mtls_evidence_put(octets, room, &sample), 0);
}
END_TEST

START_TEST(a_header_is_read_when_it_is_whole)
{
    unsigned char header[MTLS_EVIDENCE_HEADER] = {0};
    const unsigned char *id, *digest;
    size_t n = mtls_evidence_put_header(header, sample.id);

    ck_assert_uint_eq(n, 32);
    ck_assert_mem_eq(header, "TLS Sign log 1\n\0sixteen octets .", 32);
    for (size_t len = 0; len < sizeof(header); len++)
        ck_assert_int_eq(mtls_evidence_get_header(header, len, &id, &digest),
                         MTLS_EVIDENCE_MORE);
    ck_assert_int_eq(
        mtls_evidence_get_header(header, sizeof(header), &id, &digest),
        MTLS_EVIDENCE_DONE);
    ck_assert_ptr_eq(id, header + 16);
    ck_assert_ptr_eq(digest, header + 32);
    for (size_t at = 0; at < 16; at++) {
        header[at] ^= 1;
        ck_assert_int_eq(mtls_evidence_get_header(header, at + 1, &id, &digest),
                         MTLS_EVIDENCE_BAD);
        header[at] ^= 1;
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_entry_is_what_the_document_says,
                                  an_entry_comes_back,
                                  a_cut_entry_is_none,
                                  an_entry_has_one_form_alone,
                                  values_that_mean_nothing_are_refused,
                                  too_little_room_is_noticed,
                                  a_header_is_read_when_it_is_whole};

    return core_run("evidence_entry", tests, core_count(tests));
}
