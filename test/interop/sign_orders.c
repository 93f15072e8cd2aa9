/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * sign_orders DIR FORMAT N: a client and a server, with the certificates in DIR
 * that lib.sh makes, exchange N orders and N answers by TLS Sign, all with
 * receipts. Each keeps a log there, client.evidence and server.evidence.
 */
#include <mtls/tls_sign.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef MTLS_HAVE_XMLDSIG
#include <mtls/tls_sign_xmldsig.h>
#endif

static const char *folder;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "sign_orders: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(EXIT_FAILURE);
}

static const char *file(const char *who, const char *suffix)
{
    static char name[512];

    snprintf(name, sizeof(name), "%s/%s%s", folder, who, suffix);
    return name;
}

static BIO *stack_of(const char *who, const char *format, int fd)
{
    int client = strcmp(who, "client") == 0;
    SSL_CTX *ctx =
        SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
    BIO *b;

    must(ctx != NULL &&
             SSL_CTX_use_certificate_chain_file(ctx, file(who, ".pem")) == 1 &&
             SSL_CTX_use_PrivateKey_file(ctx, file(who, ".key"),
                                         SSL_FILETYPE_PEM) == 1 &&
             SSL_CTX_load_verify_locations(ctx, file("ca", ".pem"), NULL) == 1,
         "certificates");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    must(MTLS_sign_offer(ctx, format, 1), "the content format");
    b = BIO_push(
        BIO_new(BIO_f_tls_sign()),
        BIO_push(BIO_new_ssl(ctx, client), BIO_new_socket(fd, BIO_CLOSE)));
    SSL_CTX_free(ctx);
    must(b != NULL && BIO_tls_sign_set_receipt(b, 1) > 0 &&
             BIO_tls_sign_set_log(b, file(who, ".evidence")) > 0,
         "the filter");
    return b;
}

static void say(BIO *b, const char *what, int i)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%s %d\n", what, i);

    must(BIO_write(b, text, n) == n, "write");
}

static void hear(BIO *b, const char *what, int i)
{
    char text[64], wanted[64];
    int n = BIO_read(b, text, sizeof(text) - 1);

    must(n > 0, "read");
    text[n] = '\0';
    snprintf(wanted, sizeof(wanted), "%s %d\n", what, i);
    must(strcmp(text, wanted) == 0, text);
}

int main(int argc, char *argv[])
{
    int fds[2], n = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0, status;
    BIO *b;
    pid_t pid;

    must(n > 0, "usage: sign_orders DIR FORMAT N");
    folder = argv[1];
#ifdef MTLS_HAVE_XMLDSIG
    must(MTLS_xmldsig_init(), "XML signatures");
#else
    if (strcmp(argv[2], "xmldsig") == 0)
        return 77;
#endif
    signal(SIGPIPE, SIG_IGN); /* one of the two ends first */
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
    pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        close(fds[0]);
        b = stack_of("server", argv[2], fds[1]);
        for (int i = 0; i < n; i++) {
            hear(b, "order", i);
            say(b, "accepted", i);
        }
        must(BIO_tls_sign_wait_receipts(b) == 1, "receipts");
        BIO_free_all(b);
        return EXIT_SUCCESS;
    }
    close(fds[1]);
    b = stack_of("client", argv[2], fds[0]);
    for (int i = 0; i < n; i++) {
        say(b, "order", i);
        hear(b, "accepted", i);
    }
    must(BIO_tls_sign_wait_receipts(b) == 1, "receipts");
    must(waitpid(pid, &status, 0) == pid && status == 0, "the server failed");
    BIO_free_all(b);
    return EXIT_SUCCESS;
}
