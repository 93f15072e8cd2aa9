/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "wire.h"

#include "octets.h"

enum mtls_wire_answer mtls_wire_head(const unsigned char *in, size_t len,
                                     struct mtls_head *head)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    memset(head, 0, sizeof(*head));
    if (len == 0)
        return MTLS_WIRE_MORE;
    head->type = (uint8_t)mtls_get_uint(&r, 1);
    if (head->type == 0)
        return MTLS_WIRE_BAD;
    if (head->type == MTLS_PLAINTEXT) {
        head->size = MTLS_DATA_HEADER_SIZE;
        head->length = mtls_get_uint(&r, 4);
        head->id = mtls_get_uint(&r, 4);
        return r.ok ? MTLS_WIRE_DONE : MTLS_WIRE_MORE;
    }
    head->size = mtls_get_uint(&r, 2);
    if (!r.ok)
        return MTLS_WIRE_MORE;
    return head->size < MTLS_HEADER_SIZE ? MTLS_WIRE_BAD : MTLS_WIRE_DONE;
}

/* A vector <1..2^16-1> and a port. */
static void get_address(struct mtls_reader *r, struct mtls_address *address)
{
    address->host_len = mtls_get_uint(r, 2);
    if (address->host_len == 0)
        r->ok = 0;
    address->host = (const char *)mtls_get_octets(r, address->host_len);
    address->port = (uint16_t)mtls_get_uint(r, 2);
}

static void put_address(struct mtls_writer *w,
                        const struct mtls_address *address)
{
    mtls_put_uint(w, 2, (uint32_t)address->host_len);
    mtls_put_octets(w, address->host, address->host_len);
    mtls_put_uint(w, 2, address->port);
}

int mtls_wire_get_request(const unsigned char *in, size_t len,
                          struct mtls_request *request, int *readable)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    memset(request, 0, sizeof(*request));
    mtls_get_octets(&r, MTLS_HEADER_SIZE);
    request->half = (uint16_t)mtls_get_uint(&r, 2);
    *readable = r.ok;
    request->window = mtls_get_uint(&r, 4);
    request->max_packet = mtls_get_uint(&r, 4);
    get_address(&r, &request->source);
    get_address(&r, &request->destination);
    return r.ok && r.left == 0;
}

int mtls_wire_get_success(const unsigned char *in, size_t len,
                          struct mtls_success *success, int *readable)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    memset(success, 0, sizeof(*success));
    mtls_get_octets(&r, MTLS_HEADER_SIZE);
    success->sender_half = (uint16_t)mtls_get_uint(&r, 2);
    success->receiver_half = (uint16_t)mtls_get_uint(&r, 2);
    *readable = r.ok;
    success->window = mtls_get_uint(&r, 4);
    success->max_packet = mtls_get_uint(&r, 4);
    return r.ok && r.left == 0;
}

int mtls_wire_get_echec(const unsigned char *in, size_t have, size_t size,
                        struct mtls_echec *echec, int *readable)
{
    struct mtls_reader r = mtls_reader_of(in, have);
    size_t text_len;

    memset(echec, 0, sizeof(*echec));
    mtls_get_octets(&r, MTLS_HEADER_SIZE);
    echec->half = (uint16_t)mtls_get_uint(&r, 2);
    *readable = r.ok;
    text_len = mtls_get_uint(&r, 2);
    if (!r.ok || text_len != size - MTLS_ECHEC_FIXED)
        return 0;
    echec->text_len = text_len < r.left ? text_len : r.left;
    echec->text = (const char *)mtls_get_octets(&r, echec->text_len);
    return 1;
}

int mtls_wire_get_close(const unsigned char *in, size_t len, uint32_t *id,
                        int *readable)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    mtls_get_octets(&r, MTLS_HEADER_SIZE);
    *id = mtls_get_uint(&r, 4);
    *readable = r.ok;
    return r.ok && r.left == 0;
}

int mtls_wire_get_value(const unsigned char *in, size_t len, uint32_t *id,
                        uint32_t *value, int *readable)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    mtls_get_octets(&r, MTLS_HEADER_SIZE);
    *id = mtls_get_uint(&r, 4);
    *readable = r.ok;
    *value = mtls_get_uint(&r, 4);
    return r.ok && r.left == 0;
}

static void put_header(struct mtls_writer *w, uint8_t type, size_t size)
{
    mtls_put_uint(w, 1, type);
    mtls_put_uint(w, 2, (uint32_t)size);
}

size_t mtls_wire_put_request(unsigned char *out, size_t room,
                             const struct mtls_request *request)
{
    struct mtls_writer w = mtls_writer_of(out, room);
    size_t size = MTLS_REQUEST_FIXED + request->source.host_len +
                  request->destination.host_len;

    if (size > MTLS_PACKET_MAX)
        return 0;
    put_header(&w, MTLS_REQUEST, size);
    mtls_put_uint(&w, 2, request->half);
    mtls_put_uint(&w, 4, request->window);
    mtls_put_uint(&w, 4, request->max_packet);
    put_address(&w, &request->source);
    put_address(&w, &request->destination);
    return w.ok ? size : 0;
}

size_t mtls_wire_put_success(unsigned char *out, size_t room,
                             const struct mtls_success *success)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    put_header(&w, MTLS_SUCCESS, MTLS_SUCCESS_SIZE);
    mtls_put_uint(&w, 2, success->sender_half);
    mtls_put_uint(&w, 2, success->receiver_half);
    mtls_put_uint(&w, 4, success->window);
    mtls_put_uint(&w, 4, success->max_packet);
    return w.ok ? MTLS_SUCCESS_SIZE : 0;
}

size_t mtls_wire_put_echec(unsigned char *out, size_t room,
                           const struct mtls_echec *echec)
{
    struct mtls_writer w = mtls_writer_of(out, room);
    size_t text_len = echec->text_len;

    if (text_len > MTLS_ECHEC_TEXT_MAX)
        text_len = MTLS_ECHEC_TEXT_MAX;
    put_header(&w, MTLS_ECHEC, MTLS_ECHEC_FIXED + text_len);
    mtls_put_uint(&w, 2, echec->half);
    mtls_put_uint(&w, 2, (uint32_t)text_len);
    mtls_put_octets(&w, echec->text, text_len);
    return w.ok ? MTLS_ECHEC_FIXED + text_len : 0;
}

size_t mtls_wire_put_close(unsigned char *out, size_t room, uint8_t type,
                           uint32_t id)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    put_header(&w, type, MTLS_CLOSE_SIZE);
    mtls_put_uint(&w, 4, id);
    return w.ok ? MTLS_CLOSE_SIZE : 0;
}

size_t mtls_wire_put_value(unsigned char *out, size_t room, uint8_t type,
                           uint32_t id, uint32_t value)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    put_header(&w, type, MTLS_VALUE_SIZE);
    mtls_put_uint(&w, 4, id);
    mtls_put_uint(&w, 4, value);
    return w.ok ? MTLS_VALUE_SIZE : 0;
}
