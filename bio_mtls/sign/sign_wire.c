/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_wire.h"

#include "octets.h"

/* --- the hello extension --- */

int mtls_sign_get_request(const unsigned char *in, size_t len,
                          struct mtls_sign_request *request)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    request->format = (uint8_t)mtls_get_uint(&r, 1);
    request->method = (uint8_t)mtls_get_uint(&r, 1);
    request->types_len = mtls_get_uint(&r, 2);
    request->types = mtls_get_octets(&r, request->types_len);
    return r.ok && r.left == 0 && request->types_len != 0 &&
           request->types_len % 2 == 0;
}

void mtls_sign_put_request(unsigned char out[MTLS_SIGN_REQUEST_SIZE],
                           uint8_t format)
{
    struct mtls_writer w = mtls_writer_of(out, MTLS_SIGN_REQUEST_SIZE);

    mtls_put_uint(&w, 1, format);
    mtls_put_uint(&w, 1, MTLS_SIGN_METHOD_CERT);
    mtls_put_uint(&w, 2, 2);
    mtls_put_uint(&w, 2, MTLS_SIGN_WITH_PROOF);
}

int mtls_sign_has_type(const struct mtls_sign_request *request, uint16_t type)
{
    struct mtls_reader r = mtls_reader_of(request->types, request->types_len);

    while (r.left != 0)
        if (mtls_get_uint(&r, 2) == type)
            return 1;
    return 0;
}

/* --- TLSSigntext --- */

/* Which flags a type may have. Data that is not signed comes whole. */
static int may_be(const struct mtls_sign_header *h)
{
    if (h->flags & MTLS_SIGN_MORE && h->length == 0)
        return 0; /* could go on forever */
    switch (h->type) {
    case MTLS_SIGN_ALERT:
        return h->flags == 0 && h->length == MTLS_SIGN_ALERT_SIZE;
    case MTLS_SIGN_ON_OFF:
        return h->flags == 0 && h->length == 1;
    case MTLS_SIGN_CERTIFICATE:
        return (h->flags & ~MTLS_SIGN_MORE) == 0;
    case MTLS_SIGN_DATA:
        if (h->version == MTLS_SIGN_UNSIGNED)
            return h->flags == 0 && h->length != 0;
        return (h->flags & ~(MTLS_SIGN_RECEIPT | MTLS_SIGN_MORE)) == 0;
    default:
        return 0;
    }
}

int mtls_sign_get_header(const unsigned char in[MTLS_SIGN_HEADER],
                         struct mtls_sign_header *header)
{
    struct mtls_reader r = mtls_reader_of(in, MTLS_SIGN_HEADER);

    header->type = (uint8_t)mtls_get_uint(&r, 1);
    header->flags = (uint8_t)mtls_get_uint(&r, 1);
    header->version = (uint16_t)mtls_get_uint(&r, 2);
    header->length = (uint16_t)mtls_get_uint(&r, 2);
    if (header->version != MTLS_SIGN_VERSION &&
        (header->version != MTLS_SIGN_UNSIGNED ||
         header->type != MTLS_SIGN_DATA))
        return 0;
    return may_be(header);
}

void mtls_sign_put_header(unsigned char out[MTLS_SIGN_HEADER],
                          const struct mtls_sign_header *header)
{
    struct mtls_writer w = mtls_writer_of(out, MTLS_SIGN_HEADER);

    mtls_put_uint(&w, 1, header->type);
    mtls_put_uint(&w, 1, header->flags);
    mtls_put_uint(&w, 2, header->version);
    mtls_put_uint(&w, 2, header->length);
}

size_t mtls_sign_size(size_t len)
{
    size_t pieces = len == 0 ? 1 : (len - 1) / MTLS_SIGN_PIECE_MAX + 1;

    return len + pieces * MTLS_SIGN_HEADER;
}

size_t mtls_sign_put(unsigned char *out, size_t room, enum mtls_sign_type type,
                     uint8_t flags, uint16_t version, const void *data,
                     size_t len)
{
    struct mtls_writer w = mtls_writer_of(out, room);
    struct mtls_sign_header h = {(uint8_t)type, flags, version, 0};
    unsigned char head[MTLS_SIGN_HEADER];
    size_t done = 0;

    do {
        size_t n = len - done;

        h.flags = flags;
        if (n > MTLS_SIGN_PIECE_MAX) {
            n = MTLS_SIGN_PIECE_MAX;
            h.flags |= MTLS_SIGN_MORE;
        }
        h.length = (uint16_t)n;
        mtls_sign_put_header(head, &h);
        mtls_put_octets(&w, head, sizeof(head));
        mtls_put_octets(&w, (const unsigned char *)data + done, n);
        done += n;
    } while (done < len);
    return w.ok ? room - w.left : 0;
}

/* --- CertificateSign --- */

static uint32_t get_length(struct mtls_reader *r)
{
    uint32_t high = mtls_get_uint(r, 1);

    return high << 16 | mtls_get_uint(r, 2);
}

void mtls_sign_put_length(unsigned char out[MTLS_SIGN_CERT_PREFIX], size_t len)
{
    struct mtls_writer w = mtls_writer_of(out, MTLS_SIGN_CERT_PREFIX);

    mtls_put_uint(&w, 1, (uint32_t)(len >> 16 & 0xff));
    mtls_put_uint(&w, 2, (uint32_t)(len & 0xffff));
}

int mtls_sign_get_certs(const unsigned char *in, size_t len,
                        const unsigned char **list, size_t *list_len)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    *list_len = get_length(&r);
    *list = mtls_get_octets(&r, *list_len);
    return r.ok && r.left == 0 && *list_len != 0;
}

int mtls_sign_next_cert(const unsigned char **list, size_t *list_len,
                        const unsigned char **cert, size_t *len)
{
    struct mtls_reader r = mtls_reader_of(*list, *list_len);

    if (*list_len == 0)
        return 0;
    *len = get_length(&r);
    *cert = mtls_get_octets(&r, *len);
    if (!r.ok || *len == 0)
        return -1;
    *list = r.at;
    *list_len = r.left;
    return 1;
}

/* --- the context --- */

void mtls_sign_put_context(unsigned char out[MTLS_SIGN_CONTEXT],
                           const struct mtls_sign_context *context)
{
    struct mtls_writer w = mtls_writer_of(out, MTLS_SIGN_CONTEXT);

    mtls_put_octets(&w, context->binding, sizeof(context->binding));
    mtls_put_uint(&w, 1, context->direction);
    mtls_put_uint(&w, 1, context->flags);
    mtls_put_uint(&w, 4, (uint32_t)(context->sequence >> 32));
    mtls_put_uint(&w, 4, (uint32_t)(context->sequence & 0xffffffff));
}

int mtls_sign_get_context(const unsigned char *in, size_t len,
                          struct mtls_sign_context *context)
{
    struct mtls_reader r = mtls_reader_of(in, len);
    const unsigned char *binding = mtls_get_octets(&r, MTLS_SIGN_BINDING);

    context->direction = (uint8_t)mtls_get_uint(&r, 1);
    context->flags = (uint8_t)mtls_get_uint(&r, 1);
    context->sequence = (uint64_t)mtls_get_uint(&r, 4) << 32;
    context->sequence |= mtls_get_uint(&r, 4);
    if (!r.ok || r.left != 0)
        return 0;
    memcpy(context->binding, binding, MTLS_SIGN_BINDING);
    return context->direction <= MTLS_SIGN_FROM_SERVER &&
           (context->flags == 0 || context->flags == MTLS_SIGN_RECEIPT ||
            context->flags == MTLS_SIGN_WANTS_RECEIPT);
}
