/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "socks5_exchange.h"

#include <mtls/mtls_err.h>
#include <string.h>

static void await(struct mtls_exchange *x, enum mtls_exchange_state state,
                  size_t due)
{
    x->state = state;
    x->have = 0;
    x->due = due;
}

static void fail(struct mtls_exchange *x, int reason)
{
    await(x, MTLS_EXCHANGE_FAILED, 0);
    x->reason = reason;
}

void mtls_exchange_lose(struct mtls_exchange *x, int reason)
{
    x->sent = x->queued = 0;
    if (x->state != MTLS_EXCHANGE_FAILED)
        fail(x, reason);
}

struct mtls_socks5_address mtls_exchange_none(void)
{
    struct mtls_socks5_address none = {.type = MTLS_SOCKS5_IPV4, .len = 4};

    return none;
}

/* Of a bad message: whether it is one of SOCKS 5 at all. */
static int bad_reason(const struct mtls_exchange *x)
{
    return x->in[0] == 5 ? MTLS_R_SOCKS_MALFORMED : MTLS_R_SOCKS_VERSION;
}

/* --- what goes out --- */

/* The least octets of which the kind of a message can be told. */
#define GREETING_HEAD 2
#define MESSAGE_HEAD 4

static unsigned char *room_for(struct mtls_exchange *x, size_t *room)
{
    *room = sizeof(x->out) - x->queued;
    return x->out + x->queued;
}

static void queue_choice(struct mtls_exchange *x, uint8_t method)
{
    size_t room;
    unsigned char *out = room_for(x, &room);

    x->queued += mtls_socks5_put_choice(out, room, method);
}

static int queue_message(struct mtls_exchange *x, uint8_t code,
                         const struct mtls_socks5_address *address)
{
    struct mtls_socks5_message message = {code, *address};
    size_t room, n;
    unsigned char *out = room_for(x, &room);

    n = mtls_socks5_put_message(out, room, &message);
    x->queued += n;
    return n != 0;
}

static int queue_reply(struct mtls_exchange *x, uint8_t code,
                       const struct mtls_socks5_address *address)
{
    if (!queue_message(x, code, address))
        return 0;
    x->code = code;
    return 1;
}

const unsigned char *mtls_exchange_out(const struct mtls_exchange *x,
                                       size_t *len)
{
    *len = x->queued - x->sent;
    return x->out + x->sent;
}

void mtls_exchange_sent(struct mtls_exchange *x, size_t n)
{
    x->sent += n;
    if (x->sent == x->queued)
        x->sent = x->queued = 0;
}

/* --- the client --- */

void mtls_exchange_init(struct mtls_exchange *x)
{
    memset(x, 0, sizeof(*x));
    x->code = -1;
}

int mtls_exchange_ask(struct mtls_exchange *x, uint8_t command,
                      const struct mtls_socks5_address *destination)
{
    const unsigned char anonymous = MTLS_SOCKS5_ANONYMOUS;
    struct mtls_socks5_greeting greeting = {&anonymous, 1};

    if (!mtls_socks5_usable(destination))
        return 0;
    x->command = command;
    x->destination = *destination;
    x->queued = mtls_socks5_put_greeting(x->out, sizeof(x->out), &greeting);
    await(x, MTLS_EXCHANGE_CHOICE, MTLS_SOCKS5_CHOICE_SIZE);
    return 1;
}

static void on_choice(struct mtls_exchange *x)
{
    uint8_t method;

    switch (mtls_socks5_get_choice(x->in, x->have, &x->due, &method)) {
    case MTLS_SOCKS5_MORE:
        break;
    case MTLS_SOCKS5_BAD:
        fail(x, MTLS_R_SOCKS_VERSION);
        break;
    case MTLS_SOCKS5_DONE:
        if (method == MTLS_SOCKS5_NO_METHOD) {
            fail(x, MTLS_R_SOCKS_NO_METHOD);
        } else if (method != MTLS_SOCKS5_ANONYMOUS) { /* was not offered */
            fail(x, MTLS_R_SOCKS_MALFORMED);
        } else {
            queue_message(x, x->command, &x->destination);
            await(x, MTLS_EXCHANGE_REPLY, MESSAGE_HEAD);
        }
    }
}

static void on_success(struct mtls_exchange *x,
                       const struct mtls_socks5_address *address)
{
    if (x->state == MTLS_EXCHANGE_AWAITED) {
        x->peer = *address;
        await(x, MTLS_EXCHANGE_OPEN, 0);
        return;
    }
    x->bound = *address;
    if (x->command == MTLS_SOCKS5_BIND)
        await(x, MTLS_EXCHANGE_AWAITED, MESSAGE_HEAD);
    else if (x->command == MTLS_SOCKS5_UDP && !mtls_socks5_is_none(address))
        fail(x, MTLS_R_UDP_OUTSIDE_TLS); /* S8 */
    else
        await(x, MTLS_EXCHANGE_OPEN, 0);
}

/* What refuses is a refusal, whatever else is wrong with it (S4). */
static void on_reply(struct mtls_exchange *x)
{
    struct mtls_socks5_message reply;
    enum mtls_socks5_answer answer =
        mtls_socks5_get_reply(x->in, x->have, &x->due, &reply);

    if (answer == MTLS_SOCKS5_MORE)
        return;
    if (reply.code != MTLS_SOCKS5_SUCCEEDED) {
        x->code = reply.code;
        fail(x, MTLS_R_SOCKS_REFUSED);
    } else if (answer == MTLS_SOCKS5_BAD) {
        fail(x, bad_reason(x));
    } else {
        x->code = reply.code;
        on_success(x, &reply.address);
    }
}

/* --- the server --- */

void mtls_exchange_serve(struct mtls_exchange *x)
{
    x->serves = 1;
    await(x, MTLS_EXCHANGE_GREETING, GREETING_HEAD);
}

static void on_greeting(struct mtls_exchange *x)
{
    struct mtls_socks5_greeting greeting;
    uint8_t method;

    switch (mtls_socks5_get_greeting(x->in, x->have, &x->due, &greeting)) {
    case MTLS_SOCKS5_MORE:
        break;
    case MTLS_SOCKS5_BAD:
        queue_choice(x, MTLS_SOCKS5_NO_METHOD);
        fail(x, bad_reason(x));
        break;
    case MTLS_SOCKS5_DONE:
        method = mtls_socks5_choose(&greeting);
        queue_choice(x, method);
        if (method == MTLS_SOCKS5_NO_METHOD)
            fail(x, MTLS_R_SOCKS_NO_METHOD);
        else
            await(x, MTLS_EXCHANGE_REQUEST, MESSAGE_HEAD);
    }
}

static void on_request(struct mtls_exchange *x)
{
    const struct mtls_socks5_address none = mtls_exchange_none();
    struct mtls_socks5_message request;
    uint8_t earned;

    switch (
        mtls_socks5_get_request(x->in, x->have, &x->due, &request, &earned)) {
    case MTLS_SOCKS5_MORE:
        break;
    case MTLS_SOCKS5_BAD:
        queue_reply(x, earned, &none);
        fail(x, bad_reason(x));
        break;
    case MTLS_SOCKS5_DONE:
        x->command = request.code;
        x->destination = request.address;
        await(x, MTLS_EXCHANGE_ASKED, 0);
    }
}

static int is_asked(const struct mtls_exchange *x)
{
    return x->state == MTLS_EXCHANGE_ASKED ||
           x->state == MTLS_EXCHANGE_LISTENING;
}

int mtls_exchange_grant(struct mtls_exchange *x,
                        const struct mtls_socks5_address *bound)
{
    if (!is_asked(x) || !queue_reply(x, MTLS_SOCKS5_SUCCEEDED, bound))
        return 0;
    if (x->state == MTLS_EXCHANGE_LISTENING) {
        x->peer = *bound;
        x->state = MTLS_EXCHANGE_OPEN;
        return 1;
    }
    x->bound = *bound;
    x->state = x->command == MTLS_SOCKS5_BIND ? MTLS_EXCHANGE_LISTENING
                                              : MTLS_EXCHANGE_OPEN;
    return 1;
}

int mtls_exchange_refuse(struct mtls_exchange *x, uint8_t code)
{
    const struct mtls_socks5_address none = mtls_exchange_none();

    if (!is_asked(x) || code == MTLS_SOCKS5_SUCCEEDED ||
        code > MTLS_SOCKS5_BAD_TYPE || !queue_reply(x, code, &none))
        return 0;
    fail(x, MTLS_R_SOCKS_REFUSED);
    return 1;
}

/* --- what moves it --- */

enum mtls_exchange_want mtls_exchange_want(const struct mtls_exchange *x)
{
    if (x->queued != 0)
        return MTLS_EXCHANGE_SEND;
    if (is_asked(x))
        return MTLS_EXCHANGE_ANSWER;
    return x->due != 0 ? MTLS_EXCHANGE_RECEIVE : MTLS_EXCHANGE_NOTHING;
}

unsigned char *mtls_exchange_in(struct mtls_exchange *x, size_t *room)
{
    *room = x->due - x->have;
    return x->in + x->have;
}

void mtls_exchange_received(struct mtls_exchange *x, size_t n)
{
    x->have += n;
    switch (x->state) {
    case MTLS_EXCHANGE_CHOICE:
        on_choice(x);
        break;
    case MTLS_EXCHANGE_REPLY:
    case MTLS_EXCHANGE_AWAITED:
        on_reply(x);
        break;
    case MTLS_EXCHANGE_GREETING:
        on_greeting(x);
        break;
    case MTLS_EXCHANGE_REQUEST:
        on_request(x);
        break;
    default:
        break;
    }
}
