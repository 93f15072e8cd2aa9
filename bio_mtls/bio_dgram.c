/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The controls of MTLS over DTLS: the filter's own, and those of OpenSSL's
 * datagram BIOs, which filter and channels answer. */
#include "bio_local.h"

#include "mux_dgram.h"

static long get_timeout(const struct mtls_mux *mux, struct timeval *out)
{
    uint64_t left = mtls_mux_dgram_timeout(mux);

    if (left == MTLS_NEVER)
        return 0;
    out->tv_sec = (time_t)(left / 1000000);
    out->tv_usec = (suseconds_t)(left % 1000000);
    return 1;
}

long mtls_bio_dgram_ctrl(struct mtls_mux *mux, int cmd, long num, void *ptr)
{
    switch (cmd) {
    case BIO_CTRL_MTLS_SET_DATAGRAM_BIO:
        return mtls_mux_dgram_set(mux, ptr);
    case BIO_CTRL_MTLS_GET_DATAGRAM_BIO:
        *(BIO **)ptr =
            mtls_mux_dgram_alone(mux) ? NULL : mtls_mux_dgram_bio(mux);
        return 1;
    case BIO_CTRL_MTLS_SET_WAITING:
        return mtls_mux_dgram_await(mux, ptr);
    case BIO_CTRL_MTLS_GET_TIMEOUT:
        return get_timeout(mux, ptr);
    case BIO_CTRL_MTLS_DATAGRAM_SHOULD_WRITE:
        return mtls_mux_dgram_blocked(mux);
    case BIO_CTRL_MTLS_SET_KEEPALIVE:
        return mtls_mux_dgram_set_keepalive(mux, num);
    default:
        return 0;
    }
}

int mtls_bio_datagrams_ctrl(struct mtls_mux *mux, const struct mtls_channel *c,
                            int cmd, long num, long *result)
{
    uint32_t mtu;

    if (mux->dgram == NULL)
        return 0;
    switch (cmd) {
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_MTU:
        mtu = mtls_mux_dgram_mtu(mux, cmd == BIO_CTRL_DGRAM_QUERY_MTU);
        *result = (long)(c != NULL ? mtls_session_datagram_limit(c) : mtu);
        return 1;
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        *result = (long)mtls_mux_dgram_fallback_mtu(mux);
        return 1;
    case BIO_CTRL_DGRAM_SET_MTU:
        *result = mtls_mux_dgram_set_mtu(mux, num);
        return 1;
    case BIO_C_NREAD0: /* of streams: they know no boundaries */
    case BIO_C_NREAD:
    case BIO_C_NWRITE0:
    case BIO_C_NWRITE:
        *result = -2;
        return 1;
    default:
        return 0;
    }
}
