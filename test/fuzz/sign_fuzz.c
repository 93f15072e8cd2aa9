/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Any octets as a stream of TLSSigntext, however it is cut; as a hello
 * extension, a CertificateSign and a context; and as a SignedData's shape.
 */
#include "octets.h"
#include "sign_reader.h"
#include "sign_shape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)   \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

#define LIMIT 5000

/* What came of a stream: the sum of its messages. */
struct outcome {
    size_t taken, messages, octets;
    uint32_t sum;
    int reason;
};

static void read_stream(const uint8_t *data, size_t size, size_t piece,
                        struct outcome *o)
{
    struct mtls_sign_reader r;
    size_t room;

    memset(o, 0, sizeof(*o));
    mtls_sign_reader_init(&r, LIMIT);
    while (o->taken < size && r.reason == 0) {
        unsigned char *p = mtls_sign_reader_in(&r, &room);

        must(p != NULL && room > 0 && room <= MTLS_SIGN_PIECE_MAX);
        room = room < piece ? room : piece;
        room = room < size - o->taken ? room : size - o->taken;
        memcpy(p, data + o->taken, room);
        o->taken += room;
        if (mtls_sign_reader_received(&r, room) != 1)
            continue;
        must(r.whole && (r.len <= LIMIT || r.header.version == 0));
        for (size_t i = 0; i < r.len; i++)
            o->sum = o->sum * 31 + r.data[i];
        o->messages++;
        o->octets += r.len;
        mtls_sign_reader_next(&r);
    }
    o->reason = r.reason;
    mtls_sign_reader_cleanup(&r);
}

static void structs(const uint8_t *data, size_t size)
{
    unsigned char out[MTLS_SIGN_CONTEXT];
    const unsigned char *list, *cert;
    struct mtls_sign_request request;
    struct mtls_sign_context context;
    size_t list_len, len, sum = 0;

    if (mtls_sign_get_request(data, size, &request))
        must(request.types + request.types_len == data + size);
    if (mtls_sign_get_context(data, size, &context)) {
        mtls_sign_put_context(out, &context);
        must(size == sizeof(out) && memcmp(out, data, size) == 0);
    }
    if (mtls_sign_get_certs(data, size, &list, &list_len)) {
        must(list_len == size - MTLS_SIGN_CERT_PREFIX);
        while (mtls_sign_next_cert(&list, &list_len, &cert, &len) > 0)
            sum += len + MTLS_SIGN_CERT_PREFIX;
        must(sum <= size);
    }
}

static void shape_of(const uint8_t *data, size_t size)
{
    struct mtls_sign_shape shape;

    if (mtls_sign_shape_of(data, size, &shape) != NULL)
        return;
    must(shape.sid > data && shape.sid + shape.sid_len < data + size);
    must(shape.certs > 0 && shape.digest_bits >= 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;
    size_t piece;

    if (size == 0)
        return 0;
    piece = 1 + data[0] % 16;
    data++;
    size--;
    read_stream(data, size, SIZE_MAX, &whole);
    read_stream(data, size, piece, &cut);
    must(memcmp(&whole, &cut, sizeof(whole)) == 0);
    structs(data, size);
    shape_of(data, size);
    return 0;
}
