/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Any octets to either role of SOCKS, or as datagrams in a stream. How they are
 * cut makes no difference; no octet is taken that is not due; what was decoded
 * encodes to the same again.
 */
#include "octets.h"
#include "socks5_exchange.h"
#include "socks5_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)   \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

/* --- exchanges --- */

/* What the peer gets to hear, and how far its octets were taken. */
struct outcome {
    struct mtls_exchange x;
    unsigned char said[2000];
    size_t said_len, taken;
};

static void begin(struct mtls_exchange *x, uint8_t how)
{
    const struct mtls_socks5_address to = {
        .type = MTLS_SOCKS5_NAME, .len = 4, .port = 80, .octets = "host"};

    mtls_exchange_init(x);
    if (how & 4)
        mtls_exchange_serve(x);
    else
        must(mtls_exchange_ask(x, 1 + how % 3, &to));
}

/* A program that grants, or refuses; with BIND, the second time. */
static void answer(struct mtls_exchange *x, uint8_t how)
{
    int again = x->state == MTLS_EXCHANGE_LISTENING;

    if (how & 8 || (again && how & 16))
        must(mtls_exchange_refuse(x, MTLS_SOCKS5_NOT_ALLOWED));
    else
        must(mtls_exchange_grant(x, &x->destination));
}

static void run(struct outcome *o, uint8_t how, const uint8_t *data,
                size_t size, size_t piece)
{
    struct mtls_exchange *x = &o->x;
    const unsigned char *out;
    unsigned char *in;
    size_t n;

    memset(o, 0, sizeof(*o));
    begin(x, how);
    for (;;) {
        switch (mtls_exchange_want(x)) {
        case MTLS_EXCHANGE_SEND:
            out = mtls_exchange_out(x, &n);
            n = n < piece ? n : piece;
            must(n > 0 && o->said_len + n <= sizeof(o->said));
            memcpy(o->said + o->said_len, out, n);
            o->said_len += n;
            mtls_exchange_sent(x, n);
            break;
        case MTLS_EXCHANGE_RECEIVE:
            in = mtls_exchange_in(x, &n);
            must(n > 0 && in + n <= x->in + sizeof(x->in));
            n = n < piece ? n : piece;
            n = n < size - o->taken ? n : size - o->taken;
            if (n == 0)
                return;
            memcpy(in, data + o->taken, n);
            o->taken += n;
            mtls_exchange_received(x, n);
            break;
        case MTLS_EXCHANGE_ANSWER:
            answer(x, how);
            break;
        default:
            must(x->state == MTLS_EXCHANGE_OPEN ||
                 (x->state == MTLS_EXCHANGE_FAILED && x->reason != 0));
            return;
        }
    }
}

static int same_address(const struct mtls_socks5_address *a,
                        const struct mtls_socks5_address *b)
{
    return a->type == b->type && a->len == b->len && a->port == b->port &&
           memcmp(a->octets, b->octets, a->len) == 0;
}

static void exchange(uint8_t how, const uint8_t *data, size_t size)
{
    static struct outcome whole, cut;

    run(&whole, how, data, size, SIZE_MAX);
    run(&cut, how, data, size, 1);
    must(whole.x.state == cut.x.state && whole.x.reason == cut.x.reason);
    must(whole.x.code == cut.x.code && whole.x.command == cut.x.command);
    must(same_address(&whole.x.destination, &cut.x.destination));
    must(same_address(&whole.x.bound, &cut.x.bound));
    must(same_address(&whole.x.peer, &cut.x.peer));
    must(whole.taken == cut.taken ||
         (whole.x.state == MTLS_EXCHANGE_FAILED && whole.taken > cut.taken));
    must(whole.said_len == cut.said_len);
    must(memcmp(whole.said, cut.said, whole.said_len) == 0);
}

/* --- messages --- */

static void message(const uint8_t *data, size_t size)
{
    unsigned char out[MTLS_SOCKS5_MESSAGE_MAX];
    struct mtls_socks5_message m;
    uint8_t earned;
    size_t due;

    switch (mtls_socks5_get_request(data, size, &due, &m, &earned)) {
    case MTLS_SOCKS5_DONE:
        must(due <= size && earned == 0);
        must(mtls_socks5_put_message(out, sizeof(out), &m) == due);
        must(memcmp(out, data, due) == 0);
        break;
    case MTLS_SOCKS5_MORE:
        must(due > size && due <= sizeof(out));
        break;
    default:
        must(earned == 1 || earned == 7 || earned == 8);
    }
}

/* --- datagrams --- */

static void datagram(const unsigned char *request, size_t len)
{
    unsigned char header[MTLS_SOCKS5_MESSAGE_MAX];
    struct mtls_socks5_udp udp;
    struct mtls_frame out = {0};

    if (!mtls_socks5_get_udp(request, len, &udp))
        return;
    must(udp.data + udp.len == request + len);
    must(mtls_socks5_put_udp(header, sizeof(header), &udp.address) ==
         len - udp.len);
    must(memcmp(header, request, len - udp.len) == 0);
    must(mtls_frame_put(&out, &udp.address, udp.data, udp.len) ==
         MTLS_FRAME_PUT);
    must(out.size == MTLS_FRAME_PREFIX + len &&
         memcmp(out.p + MTLS_FRAME_PREFIX, request, len) == 0);
    mtls_frame_cleanup(&out);
}

static void frames(const uint8_t *data, size_t size, size_t piece)
{
    struct mtls_frame in = {0};
    size_t room, len;

    for (;;) {
        unsigned char *p = mtls_frame_in(&in, &room);

        must(p != NULL);
        if (room == 0) {
            datagram(mtls_frame_whole(&in, &len), len);
            mtls_frame_next(&in);
            continue;
        }
        must(mtls_frame_whole(&in, &len) == NULL);
        if (size == 0)
            break;
        room = room < piece ? room : piece;
        room = room < size ? room : size;
        memcpy(p, data, room);
        in.done += room;
        data += room;
        size -= room;
    }
    mtls_frame_cleanup(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t how;

    if (size == 0)
        return 0;
    how = *data++;
    size--;
    if (how & 0x80) {
        frames(data, size, 1 + how % 64);
    } else {
        exchange(how, data, size);
        message(data, size);
    }
    return 0;
}
