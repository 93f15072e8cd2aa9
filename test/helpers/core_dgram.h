/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A path for datagrams beside a core_link: with a clock and chances, so that
 * the same seed is the same weather.
 */
#ifndef MTLS_CORE_DGRAM_H
#define MTLS_CORE_DGRAM_H

#include "core_link.h"
#include "session_dgram.h"

#define CORE_FLIGHT_MAX 256

struct core_flight {
    struct mtls_session *to;
    uint64_t at; /* when it arrives */
    size_t len;
    unsigned char octets[1500];
};

struct core_path {
    struct core_link link;
    struct core_random random;
    unsigned int lose, twice; /* percent */
    uint64_t delay, jitter;   /* microseconds; jitter reorders */
    struct core_flight flights[CORE_FLIGHT_MAX];
    unsigned int count;
    unsigned int sent, lost;
};

void core_path_open(struct core_path *path,
                    const struct mtls_session_config *config);
void core_path_close(struct core_path *path);

/* core_path_pass lets |time| pass in steps of a millisecond. */
void core_path_pass(struct core_path *path, uint64_t time);

/* core_path_send takes what the ends have to send, now. */
void core_path_send(struct core_path *path);

#endif
