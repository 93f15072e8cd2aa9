/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Any octets into each decoder; what decodes must encode to the same again. */
#include "octets.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char out[70000];

/* The packet's length is not looked at by its decoder, but by the head's. */
static void same(const uint8_t *data, size_t size, size_t put)
{
    if (put != size || data[0] != out[0] ||
        memcmp(data + 3, out + 3, size - 3) != 0)
        abort();
}

static void try_request(const uint8_t *data, size_t size)
{
    struct mtls_request request;
    int readable;

    if (mtls_wire_get_request(data, size, &request, &readable))
        same(data, size, mtls_wire_put_request(out, sizeof(out), &request));
    else if (size >= 5 && !readable)
        abort();
}

static void try_success(const uint8_t *data, size_t size)
{
    struct mtls_success success;
    int readable;

    if (mtls_wire_get_success(data, size, &success, &readable))
        same(data, size, mtls_wire_put_success(out, sizeof(out), &success));
}

static void try_echec(const uint8_t *data, size_t size)
{
    struct mtls_echec echec;
    int readable;

    if (mtls_wire_get_echec(data, size, size, &echec, &readable))
        same(data, size, mtls_wire_put_echec(out, sizeof(out), &echec));
    if (size > 8)
        mtls_wire_get_echec(data, size / 2, size, &echec, &readable);
}

static void try_ids(const uint8_t *data, size_t size)
{
    uint32_t id, value;
    int readable;

    if (mtls_wire_get_close(data, size, &id, &readable))
        same(data, size, mtls_wire_put_close(out, sizeof(out), data[0], id));
    if (mtls_wire_get_value(data, size, &id, &value, &readable))
        same(data, size,
             mtls_wire_put_value(out, sizeof(out), data[0], id, value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mtls_head head;

    if (mtls_wire_head(data, size, &head) != MTLS_WIRE_DONE)
        return 0;
    if (head.type == 0 || head.size < MTLS_HEADER_SIZE)
        abort();
    if (size > MTLS_PACKET_MAX)
        size = MTLS_PACKET_MAX;
    switch (head.type) {
    case MTLS_REQUEST:
        try_request(data, size);
        break;
    case MTLS_SUCCESS:
        try_success(data, size);
        break;
    case MTLS_ECHEC:
        try_echec(data, size);
        break;
    default:
        try_ids(data, size);
    }
    return 0;
}
