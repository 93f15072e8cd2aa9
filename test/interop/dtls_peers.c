/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * dtls_peers ADDRESS PORT COUNT: so many clients, each at an address of its own
 * in 127.0.0.0/8, that finish a DTLS handshake and are not heard of again: no
 * TLS connection, no close_notify. Says how many got that far, and how many did
 * not.
 */
#include <arpa/inet.h>
#include <mtls/mtls_dtls.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST 0x7f100001 /* 127.16.0.1 */

static int socket_of(unsigned int number, const struct sockaddr_in *server)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in own;

    memset(&own, 0, sizeof(own));
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(FIRST + number);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0 &&
        connect(fd, (const struct sockaddr *)server, sizeof(*server)) == 0)
        return fd;
    perror("dtls_peers");
    exit(2);
}

/* It goes without a word: SSL_free() alone says nothing. */
static int come_and_go(SSL_CTX *ctx, unsigned int number,
                       struct sockaddr_in *server)
{
    BIO *udp = BIO_new_dgram(socket_of(number, server), BIO_CLOSE);
    SSL *ssl = SSL_new(ctx);
    int r;

    if (udp == NULL || ssl == NULL)
        exit(2);
    BIO_ctrl(udp, BIO_CTRL_DGRAM_SET_CONNECTED, 0, server);
    SSL_set_bio(ssl, udp, udp);
    r = SSL_connect(ssl);
    SSL_free(ssl);
    ERR_clear_error();
    return r == 1;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
    unsigned int count, good = 0;
    struct sockaddr_in server;

    memset(&server, 0, sizeof(server));
    server.sin_family = AF_INET;
    if (argc != 4 || ctx == NULL || !MTLS_dtls_set_datagram_ctx(ctx) ||
        inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        fprintf(stderr, "Usage: dtls_peers ADDRESS PORT COUNT\n");
        return 2;
    }
    server.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    count = (unsigned int)strtoul(argv[3], NULL, 10);
    for (unsigned int i = 0; i < count; i++)
        good += (unsigned int)come_and_go(ctx, i, &server);
    printf("%u %u\n", good, count - good);
    SSL_CTX_free(ctx);
    return 0;
}
