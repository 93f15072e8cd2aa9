/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * dtls_client HOST:PORT CA.PEM: MTLS over DTLS. Each line of standard input is
 * one datagram through a channel; whatever comes back within a second is shown.
 */
#include <arpa/inet.h>
#include <mtls/mtls_dtls.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* DTLS above a UDP socket that is connected to the server. */
static BIO *dtls_to(const char *host_port, SSL_CTX *ctx)
{
    char *host = NULL, *port = NULL;
    BIO_ADDRINFO *found = NULL;
    BIO *udp = NULL, *dtls;
    SSL *ssl = NULL;
    int fd = -1;

    if (BIO_parse_hostserv(host_port, &host, &port, BIO_PARSE_PRIO_HOST) &&
        BIO_lookup_ex(host, port, BIO_LOOKUP_CLIENT, AF_UNSPEC, SOCK_DGRAM, 0,
                      &found)) {
        fd = BIO_socket(BIO_ADDRINFO_family(found), SOCK_DGRAM, 0, 0);
        if (fd >= 0 && BIO_connect(fd, BIO_ADDRINFO_address(found), 0))
            udp = BIO_new_dgram(fd, BIO_CLOSE);
        else if (fd >= 0)
            BIO_closesocket(fd);
    }
    if (udp != NULL)
        BIO_ctrl(udp, BIO_CTRL_DGRAM_SET_CONNECTED, 0,
                 (void *)BIO_ADDRINFO_address(found));
    BIO_ADDRINFO_free(found);
    OPENSSL_free(host);
    OPENSSL_free(port);
    dtls = udp == NULL ? NULL : BIO_new_ssl(ctx, 1);
    if (dtls == NULL)
        return udp;
    BIO_get_ssl(dtls, &ssl);
    SSL_set1_host(ssl, "localhost"); /* whom the certificate must be for */
    return BIO_push(dtls, udp);
}

/* Both connections, and the multiplexer on top. */
static BIO *connect_to(const char *host_port, SSL_CTX *dtls_ctx,
                       SSL_CTX *tls_ctx)
{
    BIO *mtls = BIO_push(BIO_new(BIO_f_mtls()), BIO_new_ssl_connect(tls_ctx));
    BIO *dtls = dtls_to(host_port, dtls_ctx);

    if (dtls != NULL && BIO_set_conn_hostname(mtls, host_port) > 0 &&
        BIO_mtls_set_datagram_bio(mtls, dtls) > 0 && BIO_do_handshake(mtls) > 0)
        return mtls;
    BIO_free_all(mtls);
    return NULL;
}

static int converse(BIO *mtls)
{
    char line[1000], answer[2000];
    BIO *channel = BIO_new_mtls_channel(mtls, "localhost:7");
    struct pollfd udp = {.events = POLLIN};

    if (channel == NULL || BIO_do_connect(channel) <= 0)
        return 0;
    BIO_get_fd(BIO_mtls_get_datagram_bio(mtls), &udp.fd);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        int n = -1;

        if (BIO_puts(channel, line) <= 0)
            return 0;
        if (poll(&udp, 1, 1000) > 0)
            n = BIO_read(channel, answer, sizeof(answer));
        printf("%.*s", n < 0 ? 5 : n, n < 0 ? "lost\n" : answer);
        fflush(stdout);
    }
    BIO_free(channel);
    return 1;
}

int main(int argc, char *argv[])
{
    SSL_CTX *dtls_ctx = SSL_CTX_new(DTLS_client_method());
    SSL_CTX *tls_ctx = SSL_CTX_new(TLS_client_method());
    BIO *mtls = NULL;
    int ok = 0;

    if (argc != 3) {
        fprintf(stderr, "Usage: dtls_client HOST:PORT CA.PEM\n");
        return 2;
    }
    /* The certificate is verified in DTLS; what follows is bound to that. */
    if (MTLS_dtls_set_datagram_ctx(dtls_ctx) &&
        MTLS_dtls_set_control_ctx(tls_ctx, NULL) &&
        SSL_CTX_load_verify_locations(dtls_ctx, argv[2], NULL)) {
        SSL_CTX_set_verify(dtls_ctx, SSL_VERIFY_PEER, NULL);
        mtls = connect_to(argv[1], dtls_ctx, tls_ctx);
    }
    if (mtls != NULL)
        ok = converse(mtls);
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(mtls);
    SSL_CTX_free(dtls_ctx);
    SSL_CTX_free(tls_ctx);
    return ok ? 0 : 1;
}
