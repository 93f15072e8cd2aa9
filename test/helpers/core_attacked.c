/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_attacked.h"

#include <string.h>

struct core_attacked at;

void core_attacked_begin(void)
{
    core_raw_open(&at.link, NULL);
    at.ch = core_raw_accepted(&at.link, 0x100, &at.id);
}

void core_attacked_end(void)
{
    mtls_session_release(at.ch);
    core_check(at.link.server.session);
    core_link_close(&at.link);
}

struct mtls_session_stats core_attacked_stats(void)
{
    struct mtls_session_stats now;

    mtls_session_stats(at.link.server.session, &now);
    return now;
}

void core_attacked_failed(int reason)
{
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_CLOSE).id, at.id);
    core_silent(&at.link);
    ck_assert_int_eq(at.ch->rx, MTLS_RX_FAILED);
    ck_assert_int_eq(at.ch->rx_reason, reason);
    ck_assert_int_eq(at.ch->tx_reason, reason);
    ck_assert_uint_eq(core_write(at.ch, "x"), 0);
    core_healthy(&at.link);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7, at.id);
    ck_assert_int_eq(at.ch->life, MTLS_CLOSED);
    ck_assert_uint_eq(core_attacked_stats().channels, 0);
}

void core_attacked_broken(int reason)
{
    ck_assert(mtls_session_ended(at.link.server.session));
    ck_assert(mtls_session_broken(at.link.server.session));
    ck_assert(!mtls_session_can_receive(at.link.server.session));
    ck_assert_int_eq(at.ch->rx, MTLS_RX_FAILED);
    ck_assert_int_eq(at.ch->rx_reason, reason);
    ck_assert_uint_eq(core_write(at.ch, "x"), 0);
}

void core_attacked_refused(uint16_t half, const char *word)
{
    struct core_packet echec = core_hear_only(&at.link, CORE_ECHEC);

    ck_assert_uint_eq(echec.half, half);
    ck_assert_uint_gt(echec.len, strlen(word));
    ck_assert_mem_eq(echec.p, word, strlen(word));
}
