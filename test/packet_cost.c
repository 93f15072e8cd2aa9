/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * packet_cost [OCTETS PACKETS]: writes packets of so many octets to a channel
 * and reads them at the other end, for packet_cost.py to count instructions.
 * No TLS: what is counted is the multiplexer, whatever the processor's AES.
 * Without arguments, tells the compiler.
 */

#include <mtls/bio_mtls.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define WARM_UP 2000 /* packets: windows have their size, pools are filled */

static unsigned char sent[16384], got[16384];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "packet_cost: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static BIO *end_of(BIO *transport, int role)
{
    BIO *mtls = BIO_new(BIO_f_mtls());

    if (mtls == NULL || !BIO_mtls_set_role(mtls, role))
        fail("a session");
    return BIO_push(mtls, transport);
}

/* Opens a channel and accepts it. */
static void open_channel(BIO *client, BIO *server, BIO **out, BIO **in)
{
    *out = BIO_new_mtls_channel(client, "localhost:7");
    *in = NULL;
    for (int i = 0; *out != NULL && i < 100; i++) {
        if (*in == NULL)
            *in = BIO_mtls_accept_channel(server);
        else if (BIO_do_handshake(*in) <= 0 && !BIO_should_retry(*in))
            break;
        if (BIO_do_connect(*out) == 1 && *in != NULL)
            return;
        BIO_mtls_process(client);
        BIO_mtls_process(server);
    }
    fail("opening a channel");
}

/* A packet may be cut where the credit ends: two then. */
static void move_packet(BIO *out, BIO *in, int len)
{
    int put = 0, had = 0;

    while (had < len) {
        int n = put < len ? BIO_write(out, sent + put, len - put) : 0;
        int m = BIO_read(in, got + had, (int)sizeof(got) - had);

        if (n <= 0 && m <= 0)
            fail("moving a packet");
        put += n > 0 ? n : 0;
        had += m > 0 ? m : 0;
    }
    if (put != len || had != len)
        fail("the length of a packet");
}

static void move_packets(BIO *out, BIO *in, int len, long packets)
{
    for (long i = 0; i < packets; i++)
        move_packet(out, in, len);
}

/* What this calls is counted. */
static __attribute__((noinline)) void counted(BIO *out, BIO *in, int len,
                                              long packets)
{
    move_packets(out, in, len, packets);
}

int main(int argc, char *argv[])
{
    BIO *a, *b, *client, *server, *out, *in;
    long len = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long packets = argc == 3 ? strtol(argv[2], NULL, 10) : 0;

    if (argc == 1) {
#ifdef __clang__
        puts(__VERSION__);
#else
        puts("gcc " __VERSION__);
#endif
        return 0;
    }
    if (len < 1 || len > (long)sizeof(sent) || packets < 1) {
        fprintf(stderr, "Usage: packet_cost [OCTETS PACKETS], "
                        "1 to 16384 octets\n");
        return 2;
    }
    if (!BIO_new_bio_pair(&a, 0, &b, 0))
        fail("a BIO pair");
    client = end_of(a, MTLS_ROLE_CLIENT);
    server = end_of(b, MTLS_ROLE_SERVER);
    open_channel(client, server, &out, &in);
    move_packets(out, in, (int)len, WARM_UP);
    counted(out, in, (int)len, packets);
    BIO_free(out);
    BIO_free(in);
    BIO_free_all(client);
    BIO_free_all(server);
    return 0;
}
