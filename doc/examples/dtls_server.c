/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * dtls_server HOST:PORT CERT.PEM KEY.PEM: MTLS over DTLS; echoes datagrams. UDP
 * and TCP have the same port number; each client has two threads, one while its
 * DTLS session waits for its TLS connection, one from then on.
 */
#include <arpa/inet.h>
#include <mtls/mtls_dtls.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *dtls_ctx, *tls_ctx;
static MTLS_DTLS_WAITING *waiting;
static unsigned char cookie_key[32];
static BIO_ADDR *own; /* where the server listens */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* --- cookies: nobody gets more than he sends before he has shown his address
 */

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned int *len)
{
    BIO_ADDR *peer = BIO_ADDR_new();
    unsigned char at[64];
    size_t n = sizeof(at);
    int ok =
        peer != NULL &&
        BIO_ctrl(SSL_get_rbio(ssl), BIO_CTRL_DGRAM_GET_PEER, 0, peer) > 0 &&
        BIO_ADDR_rawaddress(peer, at, &n) && n + 2 <= sizeof(at);

    if (ok) {
        unsigned short port = BIO_ADDR_rawport(peer);

        memcpy(at + n, &port, sizeof(port));
        ok = HMAC(EVP_sha256(), cookie_key, sizeof(cookie_key), at, n + 2,
                  cookie, len) != NULL;
    }
    BIO_ADDR_free(peer);
    return ok;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len)
{
    unsigned char right[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    return make_cookie(ssl, right, &n) && n == len &&
           CRYPTO_memcmp(right, cookie, n) == 0;
}

/* --- DTLS sessions ----------------------------------------------------------
 */

static int udp_socket(void)
{
    int fd = BIO_socket(BIO_ADDR_family(own), SOCK_DGRAM, 0, 0), on = 1;

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        !BIO_bind(fd, own, BIO_SOCK_REUSEADDR))
        return -1;
    return fd;
}

/* Its last flight may have been lost: then the client asks for it again. */
static void *run_dtls(void *arg)
{
    BIO *dtls = arg;
    struct pollfd fd = {.events = POLLIN};
    char name[33] = "";
    unsigned int len;
    SSL *ssl;

    BIO_get_ssl(dtls, &ssl);
    BIO_get_fd(dtls, &fd.fd);
    if (BIO_do_handshake(dtls) <= 0) {
        ERR_print_errors_fp(stderr);
        BIO_free_all(dtls);
        return NULL;
    }
    memcpy(name, SSL_SESSION_get_id(SSL_get0_session(ssl), &len), 32);
    if (!MTLS_dtls_waiting_add(waiting, dtls)) {
        ERR_print_errors_fp(stderr);
        BIO_free_all(dtls);
        return NULL;
    }
    printf("waits: %s\n", name);
    do {
        poll(&fd, 1, 200);
        MTLS_dtls_waiting_expire(waiting);
    } while (MTLS_dtls_waiting_receive(waiting, dtls));
    return NULL;
}

static void detach(void *(*run)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, arg) != 0)
        fail("no thread");
    pthread_detach(thread);
}

/* From here on the client has a socket of its own, with the same port. */
static void adopt(BIO *dtls, BIO *udp, const BIO_ADDR *peer)
{
    int fd = udp_socket();

    if (fd < 0 || !BIO_connect(fd, peer, 0)) {
        BIO_free_all(dtls);
        return;
    }
    BIO_set_fd(udp, fd, BIO_CLOSE);
    BIO_ctrl(udp, BIO_CTRL_DGRAM_SET_CONNECTED, 0, (void *)peer);
    detach(run_dtls, dtls);
}

static void *listen_udp(void *arg)
{
    int fd = udp_socket();
    BIO_ADDR *peer = BIO_ADDR_new();

    (void)arg;
    if (fd < 0 || peer == NULL)
        fail("no UDP");
    for (;;) {
        BIO *udp = BIO_new_dgram(fd, BIO_NOCLOSE);
        BIO *dtls = BIO_push(BIO_new_ssl(dtls_ctx, 0), udp);
        SSL *ssl;

        BIO_get_ssl(dtls, &ssl);
        SSL_set_options(ssl, SSL_OP_COOKIE_EXCHANGE);
        while (DTLSv1_listen(ssl, peer) <= 0)
            ERR_clear_error();
        adopt(dtls, udp, peer);
    }
}

/* --- TLS connections ---------------------------------------------------------
 */

static void *echo(void *arg)
{
    BIO *channel = arg;
    char data[16384];
    int n;

    while ((n = BIO_read(channel, data, sizeof(data))) > 0)
        if (BIO_write(channel, data, n) <= 0)
            break;
    BIO_free(channel);
    return NULL;
}

static void *run_session(void *arg)
{
    BIO *mtls = arg, *channel;

    if (BIO_do_handshake(mtls) <= 0) {
        ERR_print_errors_fp(stderr);
    } else {
        printf("bound\n");
        while ((channel = BIO_mtls_accept_channel(mtls)) != NULL)
            detach(echo, channel);
    }
    BIO_free_all(mtls);
    return NULL;
}

static void listen_tcp(const char *host_port)
{
    BIO *in = BIO_new_accept(host_port);

    BIO_set_bind_mode(in, BIO_BIND_REUSEADDR);
    if (BIO_do_accept(in) <= 0)
        fail("can't listen");
    while (BIO_do_accept(in) > 0) {
        BIO *mtls = BIO_push(BIO_new(BIO_f_mtls()), BIO_new_ssl(tls_ctx, 0));

        BIO_mtls_set_waiting(mtls, waiting);
        detach(run_session, BIO_push(mtls, BIO_pop(in)));
    }
}

static void resolve(const char *host_port)
{
    char *host = NULL, *port = NULL;
    BIO_ADDRINFO *found = NULL;
    const BIO_ADDR *address;
    unsigned char octets[sizeof(struct in6_addr)];
    size_t len;

    if (!BIO_parse_hostserv(host_port, &host, &port, BIO_PARSE_PRIO_HOST) ||
        !BIO_lookup_ex(host, port, BIO_LOOKUP_SERVER, AF_UNSPEC, SOCK_DGRAM, 0,
                       &found))
        fail(host_port);
    address = BIO_ADDRINFO_address(found);
    own = BIO_ADDR_new();
    if (!BIO_ADDR_rawaddress(address, octets, &len) ||
        !BIO_ADDR_rawmake(own, BIO_ADDR_family(address), octets, len,
                          BIO_ADDR_rawport(address)))
        fail(host_port);
    BIO_ADDRINFO_free(found);
    OPENSSL_free(host);
    OPENSSL_free(port);
}

int main(int argc, char *argv[])
{
    if (argc != 4) {
        fprintf(stderr, "Usage: dtls_server HOST:PORT CERT.PEM KEY.PEM\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    resolve(argv[1]);
    waiting = MTLS_dtls_waiting_new(1000, 30);
    dtls_ctx = SSL_CTX_new(DTLS_server_method());
    tls_ctx = SSL_CTX_new(TLS_server_method());
    if (waiting == NULL || RAND_bytes(cookie_key, sizeof(cookie_key)) <= 0 ||
        !MTLS_dtls_set_datagram_ctx(dtls_ctx) ||
        !MTLS_dtls_set_control_ctx(tls_ctx, waiting) ||
        !SSL_CTX_use_certificate_chain_file(dtls_ctx, argv[2]) ||
        !SSL_CTX_use_PrivateKey_file(dtls_ctx, argv[3], SSL_FILETYPE_PEM))
        fail("no context");
    SSL_CTX_set_cookie_generate_cb(dtls_ctx, make_cookie);
    SSL_CTX_set_cookie_verify_cb(dtls_ctx, check_cookie);
    detach(listen_udp, NULL);
    listen_tcp(argv[1]);
    return 1;
}
