/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Octets <-> packets: each packet of MTLS-05 2.4, whole, cut and spoilt. */
#include "core_suite.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* --- a packet of any type, and the octets that it must become --- */

struct id_and_value {
    uint32_t id, value;
};

struct row {
    const char *name;
    uint8_t type;
    union {
        struct mtls_request request;
        struct mtls_success success;
        struct mtls_echec echec;
        struct id_and_value v; /* Close: the id alone; data: its length */
    } packet;
    const char *octets;
    size_t size;
};

#define OCTETS(literal) .octets = (literal), .size = sizeof(literal) - 1

static const struct row rows[] = {
    {.name = "Request",
     .type = MTLS_REQUEST,
     .packet.request =
         {0x1234, 0x10000, 0x3ff7, {"10.0.0.1", 8, 0xc001}, {"db", 2, 5432}},
     OCTETS("\x01\x00\x1f\x12\x34\x00\x01\x00\x00\x00\x00\x3f\xf7"
            "\x00\x08"
            "10.0.0.1\xc0\x01\x00\x02"
            "db\x15\x38")},
    {.name = "Request of the least size and the extreme values",
     .type = MTLS_REQUEST,
     .packet.request = {0, 0, UINT32_MAX, {"a", 1, 0}, {"b", 1, 65535}},
     OCTETS("\x01\x00\x17\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"
            "\x00\x01"
            "a\x00\x00\x00\x01"
            "b\xff\xff")},
    {.name = "Success",
     .type = MTLS_SUCCESS,
     .packet.success = {0x1234, 0x5678, 0x9abcdef0, 0x01020304},
     OCTETS("\x02\x00\x0f\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01\x02\x03\x04")},
    {.name = "Echec",
     .type = MTLS_ECHEC,
     .packet.echec = {0xfffe, "prohibited: no", 14},
     OCTETS("\x03\x00\x15\xff\xfe\x00\x0eprohibited: no")},
    {.name = "Echec without a text",
     .type = MTLS_ECHEC,
     .packet.echec = {1, "", 0},
     OCTETS("\x03\x00\x07\x00\x01\x00\x00")},
    {.name = "CloseRequest",
     .type = MTLS_CLOSE,
     .packet.v = {0x12345678, 0},
     OCTETS("\x04\x00\x07\x12\x34\x56\x78")},
    {.name = "CloseConfirmation",
     .type = MTLS_CONFIRMATION,
     .packet.v = {UINT32_MAX, 0},
     OCTETS("\x05\x00\x07\xff\xff\xff\xff")},
    {.name = "MTLSPlaintext's header",
     .type = MTLS_PLAINTEXT,
     .packet.v = {0x12345678, 0xfffefdfc},
     OCTETS("\x06\xff\xfe\xfd\xfc\x12\x34\x56\x78")},
    {.name = "NewMaxPacketLength",
     .type = MTLS_NEW_MAX,
     .packet.v = {0x12345678, 0x3ff7},
     OCTETS("\x07\x00\x0b\x12\x34\x56\x78\x00\x00\x3f\xf7")},
    {.name = "Acknowledgment",
     .type = MTLS_ACK,
     .packet.v = {0x00010002, UINT32_MAX},
     OCTETS("\x08\x00\x0b\x00\x01\x00\x02\xff\xff\xff\xff")}};

static size_t put(const struct row *row, unsigned char *out, size_t room)
{
    switch (row->type) {
    case MTLS_REQUEST:
        return mtls_wire_put_request(out, room, &row->packet.request);
    case MTLS_SUCCESS:
        return mtls_wire_put_success(out, room, &row->packet.success);
    case MTLS_ECHEC:
        return mtls_wire_put_echec(out, room, &row->packet.echec);
    case MTLS_CLOSE:
    case MTLS_CONFIRMATION:
        return mtls_wire_put_close(out, room, row->type, row->packet.v.id);
    case MTLS_PLAINTEXT:
        return mtls_wire_put_data_header(out, room, row->packet.v.id,
                                         row->packet.v.value);
    default:
        return mtls_wire_put_value(out, room, row->type, row->packet.v.id,
                                   row->packet.v.value);
    }
}

/* What was decoded is kept here, as it points into the octets. */
static struct row got;

/* The head's length is part of what a packet must agree with (D1). */
static int get(uint8_t type, const unsigned char *in, size_t len, int *readable)
{
    struct mtls_head head;

    memset(&got, 0, sizeof(got));
    switch (type) {
    case MTLS_REQUEST:
        return mtls_wire_get_request(in, len, &got.packet.request, readable);
    case MTLS_SUCCESS:
        return mtls_wire_get_success(in, len, &got.packet.success, readable);
    case MTLS_ECHEC:
        return mtls_wire_get_echec(in, len, len, &got.packet.echec, readable);
    case MTLS_CLOSE:
    case MTLS_CONFIRMATION:
        return mtls_wire_get_close(in, len, &got.packet.v.id, readable);
    case MTLS_PLAINTEXT:
        *readable = mtls_wire_head(in, len, &head) == MTLS_WIRE_DONE;
        got.packet.v.id = head.id;
        got.packet.v.value = head.length;
        return *readable;
    default:
        return mtls_wire_get_value(in, len, &got.packet.v.id,
                                   &got.packet.v.value, readable);
    }
}

static void same_address(const struct mtls_address *a,
                         const struct mtls_address *b)
{
    ck_assert_uint_eq(a->host_len, b->host_len);
    ck_assert_mem_eq(a->host, b->host, b->host_len);
    ck_assert_uint_eq(a->port, b->port);
}

static void same(const struct row *row)
{
    switch (row->type) {
    case MTLS_REQUEST:
        ck_assert_uint_eq(got.packet.request.half, row->packet.request.half);
        ck_assert_uint_eq(got.packet.request.window,
                          row->packet.request.window);
        ck_assert_uint_eq(got.packet.request.max_packet,
                          row->packet.request.max_packet);
        same_address(&got.packet.request.source, &row->packet.request.source);
        same_address(&got.packet.request.destination,
                     &row->packet.request.destination);
        break;
    case MTLS_SUCCESS:
        ck_assert_mem_eq(&got.packet.success, &row->packet.success,
                         sizeof(got.packet.success));
        break;
    case MTLS_ECHEC:
        ck_assert_uint_eq(got.packet.echec.half, row->packet.echec.half);
        ck_assert_uint_eq(got.packet.echec.text_len,
                          row->packet.echec.text_len);
        ck_assert_mem_eq(got.packet.echec.text, row->packet.echec.text,
                         row->packet.echec.text_len);
        break;
    default:
        ck_assert_uint_eq(got.packet.v.id, row->packet.v.id);
        ck_assert_uint_eq(got.packet.v.value, row->packet.v.value);
    }
}

/* The octets alone in memory, so that reading past them is seen. */
static unsigned char *alone(const void *octets, size_t len)
{
    unsigned char *copy = malloc(len == 0 ? 1 : len);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, octets, len);
    return copy;
}

/* --- every packet --- */

START_TEST(packets_become_the_octets_of_the_draft)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char out[64];

        memset(out, 0xee, sizeof(out));
        ck_assert_uint_eq(put(&rows[i], out, sizeof(out)), rows[i].size);
        ck_assert_msg(memcmp(out, rows[i].octets, rows[i].size) == 0, "%s",
                      rows[i].name);
        ck_assert_uint_eq(out[rows[i].size], 0xee);
    }
}
END_TEST

START_TEST(octets_become_the_packet_again)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char *in = alone(rows[i].octets, rows[i].size);
        int readable = 0;

        ck_assert_msg(get(rows[i].type, in, rows[i].size, &readable), "%s",
                      rows[i].name);
        ck_assert(readable);
        same(&rows[i]);
        free(in);
    }
}
END_TEST

START_TEST(a_packet_is_not_put_where_it_does_not_fit)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        for (size_t room = 0; room < rows[i].size; room++) {
            unsigned char *out = alone(rows[i].octets, room);

            ck_assert_uint_eq(put(&rows[i], out, room), 0);
            free(out);
        }
    }
}
END_TEST

/* How many octets it takes until the half or id can be read. */
static size_t readable_from(uint8_t type)
{
    switch (type) {
    case MTLS_REQUEST:
    case MTLS_ECHEC:
        return MTLS_HEADER_SIZE + 2;
    case MTLS_PLAINTEXT:
        return MTLS_DATA_HEADER_SIZE;
    default:
        return MTLS_HEADER_SIZE + 4;
    }
}

START_TEST(a_packet_cut_at_any_octet_is_malformed)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        for (size_t len = 0; len < rows[i].size; len++) {
            unsigned char *in = alone(rows[i].octets, len);
            int readable = -1;

            ck_assert_msg(!get(rows[i].type, in, len, &readable), "%s at %zu",
                          rows[i].name, len);
            ck_assert_int_eq(readable, len >= readable_from(rows[i].type));
            free(in);
        }
    }
}
END_TEST

START_TEST(a_packet_with_octets_to_spare_is_malformed)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char *in;
        int readable;

        if (rows[i].type == MTLS_PLAINTEXT)
            continue; /* its data follows */
        in = calloc(1, MTLS_PACKET_MAX);
        ck_assert_ptr_nonnull(in);
        memcpy(in, rows[i].octets, rows[i].size);
        ck_assert(!get(rows[i].type, in, rows[i].size + 1, &readable));
        ck_assert(readable);
        ck_assert(!get(rows[i].type, in, MTLS_PACKET_MAX, &readable));
        ck_assert(readable);
        free(in);
    }
}
END_TEST

START_TEST(a_malformed_packet_still_names_its_channel)
{
    int readable;

    ck_assert(
        !get(MTLS_REQUEST, (const void *)"\x01\x00\x05\x12\x34", 5, &readable));
    ck_assert_uint_eq(got.packet.request.half, 0x1234);
    ck_assert(!get(MTLS_SUCCESS, (const void *)"\x02\x00\x07\x12\x34\x56\x78",
                   7, &readable));
    ck_assert_uint_eq(got.packet.success.sender_half, 0x1234);
    ck_assert_uint_eq(got.packet.success.receiver_half, 0x5678);
    ck_assert(!get(MTLS_CLOSE, (const void *)"\x04\x00\x08\x12\x34\x56\x78\x00",
                   8, &readable));
    ck_assert_uint_eq(got.packet.v.id, 0x12345678);
    ck_assert(!get(MTLS_ACK, (const void *)"\x08\x00\x07\x12\x34\x56\x78", 7,
                   &readable));
    ck_assert_uint_eq(got.packet.v.id, 0x12345678);
}
END_TEST

/* --- the vectors of a Request --- */

START_TEST(the_vectors_of_a_request_are_not_empty_and_end_with_it)
{
    static const struct {
        const char *octets;
        size_t size;
    } bad[] = {
        {"\x01\x00\x16\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01" /* no source */
         "\x00\x00\x00\x00\x00\x01"
         "b\x00\x00",
         22},
        {"\x01\x00\x16\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01" /* nowhere */
         "\x00\x01"
         "a\x00\x00\x00\x00\x00\x00",
         22},
        {"\x01\x00\x17\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01" /* past it */
         "\x00\x01"
         "a\x00\x00\x00\x02"
         "b\x00\x00",
         23},
        {"\x01\x00\x17\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01" /* far past */
         "\xff\xff"
         "a\x00\x00\x00\x01"
         "b\x00\x00",
         23},
        {"\x01\x00\x18\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01" /* before it */
         "\x00\x01"
         "a\x00\x00\x00\x01"
         "b\x00\x00\x00",
         24}};

    for (size_t i = 0; i < core_count(bad); i++) {
        unsigned char *in = alone(bad[i].octets, bad[i].size);
        int readable;

        ck_assert(!get(MTLS_REQUEST, in, bad[i].size, &readable));
        ck_assert(readable);
        ck_assert_uint_eq(got.packet.request.half, 2);
        free(in);
    }
}
END_TEST

START_TEST(a_request_over_65535_octets_is_not_put)
{
    static unsigned char out[70000];
    static char host[MTLS_PACKET_MAX];
    struct mtls_request request = {.source = {host, 1, 0},
                                   .destination = {host, 65513, 0}};

    ck_assert_uint_eq(mtls_wire_put_request(out, sizeof(out), &request),
                      MTLS_PACKET_MAX);
    request.source.host_len = 2;
    ck_assert_uint_eq(mtls_wire_put_request(out, sizeof(out), &request), 0);
}
END_TEST

/* --- the text of an Echec (D1) --- */

START_TEST(an_echec_text_is_cut_to_65528_octets)
{
    static unsigned char out[70000];
    static char text[MTLS_ECHEC_TEXT_MAX + 1];
    struct mtls_echec echec = {7, text, sizeof(text)};
    int readable;

    ck_assert_uint_eq(MTLS_ECHEC_TEXT_MAX, 65528);
    memset(text, 't', sizeof(text));
    ck_assert_uint_eq(mtls_wire_put_echec(out, sizeof(out), &echec),
                      MTLS_PACKET_MAX);
    ck_assert(get(MTLS_ECHEC, out, MTLS_PACKET_MAX, &readable));
    ck_assert_uint_eq(got.packet.echec.text_len, 65528);
    ck_assert_mem_eq(got.packet.echec.text, text, 65528);
    echec.text_len = MTLS_ECHEC_TEXT_MAX;
    ck_assert_uint_eq(mtls_wire_put_echec(out, sizeof(out), &echec),
                      MTLS_PACKET_MAX);
}
END_TEST

START_TEST(of_a_long_echec_the_beginning_will_do)
{
    unsigned char in[107] = "\x03\xff\xff\x00\x02\xff\xf8"
                            "connect-failed: ";
    struct mtls_echec echec;
    int readable;

    ck_assert(mtls_wire_get_echec(in, sizeof(in), MTLS_PACKET_MAX, &echec,
                                  &readable));
    ck_assert_uint_eq(echec.text_len, 100);
    ck_assert_mem_eq(echec.text, "connect-failed: ", 16);
    ck_assert(!mtls_wire_get_echec(in, sizeof(in), MTLS_PACKET_MAX - 1, &echec,
                                   &readable));
    ck_assert(!mtls_wire_get_echec(in, 6, 6, &echec, &readable));
    ck_assert(!mtls_wire_get_echec(in, 3, 3, &echec, &readable));
}
END_TEST

/* --- heads --- */

START_TEST(a_head_waits_for_its_octets)
{
    struct mtls_head head;

    for (size_t i = 0; i < core_count(rows); i++) {
        size_t need = rows[i].type == MTLS_PLAINTEXT ? MTLS_DATA_HEADER_SIZE
                                                     : MTLS_HEADER_SIZE;

        for (size_t len = 0; len <= need; len++) {
            unsigned char *in = alone(rows[i].octets, len);

            ck_assert_int_eq(mtls_wire_head(in, len, &head),
                             len < need ? MTLS_WIRE_MORE : MTLS_WIRE_DONE);
            free(in);
        }
        ck_assert_uint_eq(head.type, rows[i].type);
        ck_assert_uint_eq(head.size, rows[i].size);
    }
}
END_TEST

START_TEST(type_0_is_no_packet_at_once)
{
    struct mtls_head head;

    ck_assert_int_eq(mtls_wire_head((const void *)"\0", 1, &head),
                     MTLS_WIRE_BAD);
}
END_TEST

START_TEST(a_length_below_3_is_no_packet_for_any_type_but_data)
{
    for (unsigned int type = 1; type < 256; type++) {
        for (unsigned int length = 0; length < 5; length++) {
            const unsigned char in[3] = {(unsigned char)type, 0,
                                         (unsigned char)length};
            struct mtls_head head;
            enum mtls_wire_answer wanted =
                type == MTLS_PLAINTEXT      ? MTLS_WIRE_MORE
                : length < MTLS_HEADER_SIZE ? MTLS_WIRE_BAD
                                            : MTLS_WIRE_DONE;

            ck_assert_int_eq(mtls_wire_head(in, sizeof(in), &head), wanted);
        }
    }
}
END_TEST

START_TEST(an_id_is_the_initiators_half_before_the_acceptors)
{
    ck_assert_uint_eq(mtls_id(0x1234, 0x5678), 0x12345678);
    ck_assert_uint_eq(mtls_id(0xffff, 0), 0xffff0000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        packets_become_the_octets_of_the_draft,
        octets_become_the_packet_again,
        a_packet_is_not_put_where_it_does_not_fit,
        a_packet_cut_at_any_octet_is_malformed,
        a_packet_with_octets_to_spare_is_malformed,
        a_malformed_packet_still_names_its_channel,
        the_vectors_of_a_request_are_not_empty_and_end_with_it,
        a_request_over_65535_octets_is_not_put,
        an_echec_text_is_cut_to_65528_octets,
        of_a_long_echec_the_beginning_will_do,
        a_head_waits_for_its_octets,
        type_0_is_no_packet_at_once,
        a_length_below_3_is_no_packet_for_any_type_but_data,
        an_id_is_the_initiators_half_before_the_acceptors};

    return core_run("wire", tests, core_count(tests));
}
