/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The packets of MTLS-05: octets <-> structs. No state, no allocation; a
 * decoded struct points into the octets that it was decoded from.
 */
#ifndef MTLS_WIRE_H
#define MTLS_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* MTLS-05 2.4 */
enum mtls_packet_type {
    MTLS_REQUEST = 1,      /* ChannelEstablishmentRequest */
    MTLS_SUCCESS = 2,      /* ChannelEstablishmentSuccess */
    MTLS_ECHEC = 3,        /* ChannelRequestEchec */
    MTLS_CLOSE = 4,        /* ChannelCloseRequest */
    MTLS_CONFIRMATION = 5, /* ChannelCloseConfirmation */
    MTLS_PLAINTEXT = 6,    /* MTLSPlaintext */
    MTLS_NEW_MAX = 7,      /* NewMaxPacketLength */
    MTLS_ACK = 8           /* Acknowledgment */
};

/* clang-format off */
#define MTLS_HEADER_SIZE      3     /* type, length */
#define MTLS_DATA_HEADER_SIZE 9     /* type, length, channel_id */
#define MTLS_DATA_LENGTH      1     /* where in it those are */
#define MTLS_DATA_ID          5
#define MTLS_REQUEST_FIXED    21    /* a Request without its addresses */
#define MTLS_SUCCESS_SIZE     15
#define MTLS_ECHEC_FIXED      7     /* header, half, the text's length */
#define MTLS_CLOSE_SIZE       7     /* and Confirmation */
#define MTLS_VALUE_SIZE       11    /* NewMaxPacketLength, Acknowledgment */
#define MTLS_PACKET_MAX       65535 /* of all types with a 2-octet length */
#define MTLS_ECHEC_TEXT_MAX   (MTLS_PACKET_MAX - MTLS_ECHEC_FIXED)
/* clang-format on */

enum mtls_wire_answer {
    MTLS_WIRE_DONE,
    MTLS_WIRE_MORE, /* octets are missing */
    MTLS_WIRE_BAD   /* not a packet: the stream can't be followed (D10) */
};

/* What the first octets of a packet tell: of MTLSPlaintext, its channel too. */
struct mtls_head {
    uint8_t type;
    uint32_t size;   /* the whole packet; of MTLSPlaintext, its header */
    uint32_t length; /* of MTLSPlaintext, its data */
    uint32_t id;     /* of MTLSPlaintext */
};

struct mtls_address {
    const char *host; /* not terminated */
    size_t host_len;
    uint16_t port;
};

struct mtls_request {
    uint16_t half;
    uint32_t window;
    uint32_t max_packet;
    struct mtls_address source;
    struct mtls_address destination;
};

struct mtls_success {
    uint16_t sender_half;
    uint16_t receiver_half;
    uint32_t window;
    uint32_t max_packet;
};

struct mtls_echec {
    uint16_t half;
    const char *text; /* not terminated */
    size_t text_len;
};

/* mtls_wire_head reads |in|'s header; on DONE, head->size octets are due. */
enum mtls_wire_answer mtls_wire_head(const unsigned char *in, size_t len,
                                     struct mtls_head *head);

/*
 * The get functions decode a whole packet of |len| octets and return 1, or 0
 * when it is malformed (D1). A malformed one's half or id is set if readable
 * (the packet is long enough) and *readable tells so.
 */
int mtls_wire_get_request(const unsigned char *in, size_t len,
                          struct mtls_request *request, int *readable);
int mtls_wire_get_success(const unsigned char *in, size_t len,
                          struct mtls_success *success, int *readable);
int mtls_wire_get_close(const unsigned char *in, size_t len, uint32_t *id,
                        int *readable);
int mtls_wire_get_value(const unsigned char *in, size_t len, uint32_t *id,
                        uint32_t *value, int *readable);

/* Of an Echec of |size| octets the first |have| will do: the text is cut. */
int mtls_wire_get_echec(const unsigned char *in, size_t have, size_t size,
                        struct mtls_echec *echec, int *readable);

static inline void mtls_wire_put_u32(unsigned char *out, uint32_t v)
{
    out[0] = (unsigned char)(v >> 24);
    out[1] = (unsigned char)(v >> 16 & 0xff);
    out[2] = (unsigned char)(v >> 8 & 0xff);
    out[3] = (unsigned char)(v & 0xff);
}

static inline uint32_t mtls_wire_get_u32(const unsigned char *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 |
           (uint32_t)in[2] << 8 | in[3];
}

/* The put functions return the octets written, or 0 when |room| is short. */
size_t mtls_wire_put_request(unsigned char *out, size_t room,
                             const struct mtls_request *request);
size_t mtls_wire_put_success(unsigned char *out, size_t room,
                             const struct mtls_success *success);
size_t mtls_wire_put_echec(unsigned char *out, size_t room,
                           const struct mtls_echec *echec);
size_t mtls_wire_put_close(unsigned char *out, size_t room, uint8_t type,
                           uint32_t id);
size_t mtls_wire_put_value(unsigned char *out, size_t room, uint8_t type,
                           uint32_t id, uint32_t value);

/* Inline, since each piece of data wants one. */
static inline size_t mtls_wire_put_data_header(unsigned char *out, size_t room,
                                               uint32_t id, uint32_t length)
{
    if (room < MTLS_DATA_HEADER_SIZE)
        return 0;
    out[0] = MTLS_PLAINTEXT;
    mtls_wire_put_u32(out + MTLS_DATA_LENGTH, length);
    mtls_wire_put_u32(out + MTLS_DATA_ID, id);
    return MTLS_DATA_HEADER_SIZE;
}

/* channel_id is the initiator's half before the acceptor's (D2). */
static inline uint32_t mtls_id(uint16_t initiator, uint16_t acceptor)
{
    return (uint32_t)initiator << 16 | acceptor;
}

#endif
