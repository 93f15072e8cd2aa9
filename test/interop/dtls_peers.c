/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * dtls_peers ADDRESS PORT COUNT: so many clients, each at an address of its own
 * in 127.0.0.0/8, that finish a DTLS handshake and then make no TLS connection.
 * Says how many got that far, and how many did not; then, when the server has
 * ended those sessions, how many it has told so.
 */
#include <arpa/inet.h>
#include <mtls/mtls_dtls.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 0x7f100001 /* 127.16.0.1 */
#define ALERT 21         /* a record's type */
#define PATIENCE 60000   /* milliseconds, without a word from the server */

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

/* SSL_free() alone says nothing to the server. The socket stays. */
static int come(SSL_CTX *ctx, int fd, struct sockaddr_in *server)
{
    BIO *udp = BIO_new_dgram(fd, BIO_NOCLOSE);
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

/* 1 when it was an alert: that can only be close_notify. */
static int hear(int fd)
{
    unsigned char record[2048];

    return recv(fd, record, sizeof(record), MSG_DONTWAIT) > 0 &&
           record[0] == ALERT;
}

static unsigned int hear_ends(struct pollfd *fds, unsigned int count)
{
    unsigned int ended = 0;

    while (ended < count && poll(fds, count, PATIENCE) > 0) {
        for (unsigned int i = 0; i < count; i++) {
            if (fds[i].revents != 0 && hear(fds[i].fd)) {
                fds[i].fd = -1;
                ended++;
            }
        }
    }
    return ended;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
    unsigned int count, good = 0;
    struct sockaddr_in server;
    struct pollfd *fds;

    memset(&server, 0, sizeof(server));
    server.sin_family = AF_INET;
    if (argc != 4 || ctx == NULL || !MTLS_dtls_set_datagram_ctx(ctx) ||
        inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        fprintf(stderr, "Usage: dtls_peers ADDRESS PORT COUNT\n");
        return 2;
    }
    server.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    count = (unsigned int)strtoul(argv[3], NULL, 10);
    fds = calloc(count + 1, sizeof(*fds));
    if (fds == NULL)
        return 2;
    for (unsigned int i = 0; i < count; i++) {
        fds[good].fd = socket_of(i, &server);
        fds[good].events = POLLIN;
        if (come(ctx, fds[good].fd, &server))
            good++;
        else
            close(fds[good].fd);
    }
    printf("%u %u\n", good, count - good);
    fflush(stdout);
    printf("%u\n", hear_ends(fds, good));
    free(fds);
    SSL_CTX_free(ctx);
    return 0;
}
