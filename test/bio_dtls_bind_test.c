/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Which TLS connection belongs to which DTLS session: U2 and U3 of the attacks.
 * A client by hand stands for the attacker.
 */
#include "dtls_ends.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static struct dtls_ends ends;

/* What the client by hand says. */
static char identity[300];
static unsigned char key[48];

static unsigned int by_hand(SSL *ssl, const char *hint, char *id,
                            unsigned int max_id, unsigned char *psk,
                            unsigned int max_psk)
{
    (void)ssl;
    (void)hint;
    ck_assert_uint_ge(max_psk, sizeof(key));
    if (strlen(identity) >= max_id)
        return 0;
    memcpy(id, identity, strlen(identity) + 1);
    memcpy(psk, key, sizeof(key));
    return sizeof(key);
}

static void learn(BIO *datagrams)
{
    unsigned int len;
    const unsigned char *id;
    SSL *ssl;

    BIO_get_ssl(datagrams, &ssl);
    id = SSL_SESSION_get_id(SSL_get0_session(ssl), &len);
    ck_assert_uint_eq(len, 32);
    memcpy(identity, id, len);
    identity[len] = '\0';
    for (unsigned int i = 0; i < len; i++)
        ck_assert(id[i] > ' ' && id[i] < 127);
    ck_assert_uint_eq(
        SSL_SESSION_get_master_key(SSL_get0_session(ssl), key, sizeof(key)),
        sizeof(key));
}

/* A server's filter above one end of a socket pair, a client's SSL at the
 * other. */
struct hand {
    SSL *client;
    BIO *server;
};

static struct hand new_hand(const char *ciphers)
{
    struct hand h;
    BIO *ssl_bio;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    ssl_bio = BIO_new_ssl(ends.server_tls, 0);
    BIO_push(ssl_bio, BIO_new_socket(fds[1], BIO_CLOSE));
    h.server = BIO_push(BIO_new(BIO_f_mtls()), ssl_bio);
    ck_assert_int_eq(BIO_mtls_set_waiting(h.server, ends.waiting), 1);
    h.client = SSL_new(ends.client_tls);
    SSL_set_fd(h.client, fds[0]);
    SSL_set_connect_state(h.client);
    SSL_set_psk_client_callback(h.client, by_hand);
    if (ciphers != NULL)
        ck_assert(SSL_set_cipher_list(h.client, ciphers));
    return h;
}

static void free_hand(struct hand *h)
{
    int fd = SSL_get_fd(h->client);

    SSL_free(h->client);
    close(fd);
    BIO_free_all(h->server);
}

/* 1 when both ends are through. */
static int shake_hand(const struct hand *h)
{
    int c = 0, s = 0;

    for (int i = 0; i < 50 && (c <= 0 || s <= 0); i++) {
        c = SSL_do_handshake(h->client);
        s = (int)BIO_do_handshake(h->server);
        if (s <= 0 && !BIO_should_retry(h->server))
            return 0;
    }
    return c > 0 && s > 0;
}

static int try_hand(const char *ciphers)
{
    struct hand h = new_hand(ciphers);
    int r = shake_hand(&h);

    ERR_clear_error();
    free_hand(&h);
    return r;
}

static void set_up(void)
{
    dtls_ends_new(&ends);
    memset(identity, 0, sizeof(identity));
    memset(key, 'k', sizeof(key));
}

/* The session that waits is still there, and for its own client. */
static void all_is_as_before(void)
{
    char got[10] = "";
    BIO *c, *s;

    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 1);
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    ck_assert_int_eq(BIO_puts(c, "still"), 5);
    for (int i = 0; i < 100 && BIO_read(s, got, sizeof(got)) <= 0; i++)
        dtls_ends_wait(&ends);
    ck_assert_str_eq(got, "still");
    BIO_free(c);
    BIO_free(s);
}

START_TEST(U2_no_connection_before_its_session)
{
    set_up();
    strcpy(identity, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    ck_assert(!try_hand(NULL));
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(U2_a_session_waits_no_longer_than_it_may)
{
    dtls_ends_contexts(&ends, 8, 0);
    dtls_ends_sockets(&ends, 0);
    ck_assert(dtls_ends_arrive(&ends));
    ends.arrived = NULL; /* it may be gone at any time now */
    ck_assert_int_eq(MTLS_dtls_waiting_expire(ends.waiting), -1);
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 0);
    learn(ends.client_beside);
    ck_assert(!try_hand(NULL));
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(U2_a_session_that_ended_waits_no_more)
{
    SSL *ssl;
    int i;

    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    ck_assert_int_gt(MTLS_dtls_waiting_expire(ends.waiting), 50000);
    learn(ends.client_beside);
    BIO_get_ssl(ends.client_beside, &ssl);
    SSL_shutdown(ssl);
    for (i = 0;
         i < 100 && MTLS_dtls_waiting_receive(ends.waiting, ends.arrived); i++)
        dtls_ends_wait(&ends);
    ck_assert_int_lt(i, 100);
    ends.arrived = NULL;
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 0);
    ck_assert(!try_hand(NULL));
    dtls_ends_free(&ends);
}
END_TEST

/* Or a reader would wait for ever for what can't come any more. */
START_TEST(U2_the_session_ends_with_its_dtls_session)
{
    SSL *ssl;
    BIO *c, *s;
    char got[10];
    int n = 0, flags;
    const char *text;

    set_up();
    ck_assert(dtls_ends_shake(&ends));
    dtls_ends_open(&ends, &c, &s);
    BIO_get_ssl(ends.client_beside, &ssl);
    SSL_shutdown(ssl);
    for (time_t until = time(NULL) + 60; time(NULL) < until;) {
        n = BIO_read(s, got, sizeof(got));
        if (!BIO_should_retry(s))
            break;
        dtls_ends_wait(&ends);
    }
    ck_assert_int_eq(n, -1);
    ck_assert(!BIO_should_retry(s));
    ERR_peek_error_all(NULL, NULL, NULL, &text, &flags);
    ck_assert_ptr_nonnull(strstr(text, "DTLS session has ended"));
    ck_reason(MTLS_R_TRUNCATED);
    BIO_free(c);
    BIO_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(U3_wrong_names_and_keys_fail_and_change_nothing)
{
    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    learn(ends.client_beside);
    key[0] ^= 1; /* the right name, as anyone on the path can read it */
    ck_assert(!try_hand(NULL));
    ck_assert(!try_hand("PSK-AES128-CBC-SHA"));
    key[0] ^= 1;
    identity[31] ^= 1; /* another name */
    ck_assert(!try_hand(NULL));
    identity[31] = '\0'; /* a part of it */
    ck_assert(!try_hand(NULL));
    identity[0] = '\0'; /* none */
    ck_assert(!try_hand(NULL));
    memset(identity, 'A', 255); /* a long one */
    identity[255] = '\0';
    ck_assert(!try_hand(NULL));
    all_is_as_before();
    dtls_ends_free(&ends);
}
END_TEST

/* A client with a session of its own, and another's name. */
START_TEST(U3_anothers_name_does_not_go_with_ones_own_key)
{
    struct dtls_ends other;
    char own_name[33];

    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    other = ends;
    dtls_ends_sockets(&other, 0);
    ck_assert(dtls_ends_arrive(&other));
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 2);
    learn(ends.client_beside);
    memcpy(own_name, identity, sizeof(own_name));
    learn(other.client_beside);                   /* this key, ... */
    memcpy(identity, own_name, sizeof(own_name)); /* ... that name */
    ck_assert(!try_hand(NULL));
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 2);
    ck_assert(dtls_ends_shake(&other));
    all_is_as_before();
    dtls_ends_close(&other);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(U3_a_session_is_bound_once)
{
    struct hand first, second;
    SSL *raced;

    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    learn(ends.client_beside);
    first = new_hand(NULL);
    second = new_hand(NULL);
    BIO_get_ssl(second.server, &raced); /* through, and not bound yet */
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(second.client);
        SSL_do_handshake(raced);
    }
    ck_assert(SSL_is_init_finished(raced));
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 1);
    ck_assert(shake_hand(&first));
    ends.arrived = NULL;
    ck_assert_uint_eq(MTLS_dtls_waiting_count(ends.waiting), 0);
    ERR_clear_error();
    ck_assert_int_le(BIO_do_handshake(second.server), 0);
    ck_assert(!BIO_should_retry(second.server));
    ck_reason(MTLS_R_NO_DTLS_SESSION);
    ck_assert(!try_hand(NULL)); /* a third one does not get that far */
    ck_assert_ptr_nonnull(BIO_mtls_get_datagram_bio(first.server));
    ck_assert_int_gt(BIO_mtls_process(first.server), 0);
    free_hand(&second);
    free_hand(&first);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(the_suite_of_the_draft_can_be_negotiated)
{
    struct hand h;
    SSL *ssl;

    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    learn(ends.client_beside);
    ends.arrived = NULL;
    h = new_hand("PSK-AES128-CBC-SHA");
    ck_assert(shake_hand(&h));
    BIO_get_ssl(h.server, &ssl);
    ck_assert_str_eq(SSL_get_cipher_name(ssl), "PSK-AES128-CBC-SHA");
    free_hand(&h);
    dtls_ends_free(&ends);
}
END_TEST

/* A client whose context allows certificates does not take one for the key. */
START_TEST(U3_a_connection_without_the_key_is_none_of_the_session)
{
    SSL_CTX *c = stacks_client_ctx(TLS1_2_VERSION);
    SSL_CTX *s = stacks_server_ctx(TLS1_2_VERSION);
    BIO *other, *mtls, *ssl_bio = BIO_new_ssl(c, 1);
    int fds[2], r = 0;
    SSL *server = SSL_new(s);

    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    BIO_push(ssl_bio, BIO_new_socket(fds[0], BIO_CLOSE));
    mtls = BIO_push(BIO_new(BIO_f_mtls()), ssl_bio);
    BIO_up_ref(ends.client_beside);
    ck_assert_int_eq(BIO_mtls_set_datagram_bio(mtls, ends.client_beside), 1);
    other = BIO_new_socket(fds[1], BIO_CLOSE);
    SSL_set_bio(server, other, other);
    for (int i = 0; i < 50 && r <= 0; i++) {
        r = (int)BIO_do_handshake(mtls);
        if (r <= 0 && !BIO_should_retry(mtls))
            break;
        SSL_accept(server);
    }
    ck_assert_int_le(r, 0);
    ck_reason(MTLS_R_NO_DTLS_SESSION);
    BIO_free_all(mtls);
    SSL_free(server);
    SSL_CTX_free(c);
    SSL_CTX_free(s);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(the_table_has_a_bound)
{
    struct dtls_ends more;

    dtls_ends_contexts(&ends, 1, 60);
    dtls_ends_sockets(&ends, 0);
    ck_assert(dtls_ends_arrive(&ends));
    more = ends;
    dtls_ends_sockets(&more, 0);
    ck_assert(!dtls_ends_arrive(&more));
    ck_reason(MTLS_R_RESOURCE_SHORTAGE);
    ck_assert_ptr_nonnull(more.arriving); /* still ours */
    all_is_as_before();
    dtls_ends_close(&more);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(without_extended_master_secret_nothing_is_bound)
{
    set_up();
    dtls_ends_close(&ends);
    SSL_CTX_set_options(ends.client_dtls, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    dtls_ends_sockets(&ends, 0);
    ck_assert(!dtls_ends_shake(&ends));
    ck_reason(MTLS_R_NO_EXTENDED_MASTER_SECRET);
    dtls_ends_free(&ends);
}
END_TEST

static int draw_zero(SSL *ssl, unsigned char *id, unsigned int *len)
{
    (void)ssl;
    memset(id, 'x', *len);
    id[7] = 0;
    return 1;
}

/* A server that is not ours may issue such an ID. */
START_TEST(an_id_with_a_zero_octet_is_refused)
{
    SSL *ssl;

    set_up();
    dtls_ends_close(&ends);
    SSL_CTX_set_generate_session_id(ends.server_dtls, draw_zero);
    dtls_ends_sockets(&ends, 0);
    ck_assert(!dtls_ends_shake(&ends));
    ERR_clear_error();
    BIO_get_ssl(ends.client_beside, &ssl);
    if (SSL_is_init_finished(ssl)) {
        ck_assert_int_le(BIO_do_handshake(ends.client), 0);
        ck_assert(!BIO_should_retry(ends.client));
    }
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(ids_differ_and_are_not_resumed)
{
    SSL_SESSION *session;
    SSL *ssl;
    char first[33];

    set_up();
    ck_assert(dtls_ends_arrive(&ends));
    learn(ends.client_beside);
    memcpy(first, identity, sizeof(first));
    BIO_get_ssl(ends.client_beside, &ssl);
    session = SSL_get1_session(ssl);
    dtls_ends_close(&ends);
    dtls_ends_sockets(&ends, 0);
    BIO_get_ssl(ends.client_beside, &ssl);
    ck_assert(SSL_set_session(ssl, session));
    ck_assert(dtls_ends_arrive(&ends));
    ck_assert(!SSL_session_reused(ssl));
    learn(ends.client_beside);
    ck_assert_str_ne(first, identity);
    SSL_SESSION_free(session);
    dtls_ends_free(&ends);
}
END_TEST

START_TEST(a_table_outlives_its_owner)
{
    MTLS_DTLS_WAITING *w;

    set_up();
    w = ends.waiting;
    ends.waiting = NULL;
    MTLS_dtls_waiting_free(w); /* contexts and the filter have it still */
    ends.waiting = w;
    ck_assert(dtls_ends_shake(&ends));
    ends.waiting = NULL;
    dtls_ends_free(&ends);
    MTLS_dtls_waiting_free(NULL);
}
END_TEST

/* The chain of BIO_set_accept_bios() may have it. */
START_TEST(a_copy_of_the_filter_looks_in_the_same_table)
{
    BIO *m = BIO_new(BIO_f_mtls()), *copy;

    set_up();
    ck_assert_int_eq(BIO_mtls_set_waiting(m, ends.waiting), 1);
    copy = BIO_dup_chain(m);
    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(BIO_mtls_set_waiting(copy, ends.waiting), 0); /* has it */
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_free(copy);
    BIO_free(m);
    dtls_ends_free(&ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_dtls_bind");
    TCase *tc = tcase_create("bind");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, U2_no_connection_before_its_session);
    tcase_add_test(tc, U2_a_session_waits_no_longer_than_it_may);
    tcase_add_test(tc, U2_a_session_that_ended_waits_no_more);
    tcase_add_test(tc, U2_the_session_ends_with_its_dtls_session);
    tcase_add_test(tc, U3_wrong_names_and_keys_fail_and_change_nothing);
    tcase_add_test(tc, U3_anothers_name_does_not_go_with_ones_own_key);
    tcase_add_test(tc, U3_a_session_is_bound_once);
    tcase_add_test(tc, the_suite_of_the_draft_can_be_negotiated);
    tcase_add_test(tc, U3_a_connection_without_the_key_is_none_of_the_session);
    tcase_add_test(tc, the_table_has_a_bound);
    tcase_add_test(tc, without_extended_master_secret_nothing_is_bound);
    tcase_add_test(tc, an_id_with_a_zero_octet_is_refused);
    tcase_add_test(tc, ids_differ_and_are_not_resumed);
    tcase_add_test(tc, a_table_outlives_its_owner);
    tcase_add_test(tc, a_copy_of_the_filter_looks_in_the_same_table);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
