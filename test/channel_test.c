/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* One channel's state machine: each event in each state (MTLS-05 2.1). */
#include "channel.h"
#include "core_suite.h"

#include <mtls/mtls_err.h>
#include <string.h>

enum state {
    NEW,
    ASKING,  /* our Request is owed */
    OPENING, /* and sent */
    ASKED,
    OPEN,
    CLOSE_OWED,
    CLOSING, /* our CloseRequest is sent */
    CLOSED,
    STATES
};

enum event {
    REQUEST, /* what the program does */
    ACCEPT,
    REJECT,
    END,
    RESET,
    CLOSE,
    RELEASE,
    SUCCESS, /* what the peer does; these two only answer */
    REFUSED,
    CLOSE_REQUEST,
    CONFIRMATION,
    ACK,
    NEW_MAX,
    DATA,
    CUT,
    EVENTS
};

static const struct mtls_request a_request = {
    .half = 7, .window = 100, .max_packet = 50};
static const struct mtls_success a_success = {
    .sender_half = 2, .receiver_half = 9, .window = 100, .max_packet = 50};

static void bring_to(struct mtls_channel *c, enum state state)
{
    memset(c, 0, sizeof(*c));
    c->own_half = 2;
    mtls_flow_rx_init(&c->in, 100, 50);
    if (state == ASKED)
        mtls_channel_asked(c, &a_request);
    if (state == NEW || state == ASKED)
        return;
    mtls_channel_request(c);
    if (state >= OPENING)
        mtls_channel_sent(c, MTLS_OWE_REQUEST);
    if (state >= OPEN)
        mtls_channel_success(c, &a_success);
    if (state >= CLOSE_OWED)
        mtls_channel_reset(c, MTLS_R_CHANNEL_RESET);
    if (state >= CLOSING)
        mtls_channel_sent(c, MTLS_OWE_CLOSE);
    if (state >= CLOSED)
        mtls_channel_confirmation(c);
    c->events = 0;
}

static int happen(struct mtls_channel *c, enum event event)
{
    switch (event) {
    case REQUEST:
        return mtls_channel_request(c);
    case ACCEPT:
        return mtls_channel_accept(c);
    case REJECT:
        return mtls_channel_reject(c);
    case END:
        return mtls_channel_end(c);
    case RESET:
        mtls_channel_reset(c, MTLS_R_CHANNEL_RESET);
        return 1;
    case CLOSE:
        mtls_channel_close(c);
        return 1;
    case RELEASE:
        mtls_channel_release(c);
        return 1;
    case SUCCESS:
        mtls_channel_success(c, &a_success);
        return 1;
    case REFUSED:
        mtls_channel_refused(c, MTLS_R_CHANNEL_REFUSED);
        return 1;
    case CLOSE_REQUEST:
        return mtls_channel_close_request(c);
    case CONFIRMATION:
        return mtls_channel_confirmation(c);
    case ACK:
        return mtls_channel_ack(c, 10);
    case NEW_MAX:
        return mtls_channel_new_max(c, 10);
    case DATA:
        return mtls_channel_packet(c, 10);
    default:
        mtls_channel_cut(c, MTLS_R_TRUNCATED);
        return 1;
    }
}

/* --- the table: what is not in it changes nothing --- */

/* clang-format off */
static const struct rule {
    enum state state;
    enum event event;
    enum mtls_channel_life life;
    int owed;
    enum mtls_channel_rx rx;
    int rx_reason, tx_reason;
} rules[] = {
    {NEW,     REQUEST, MTLS_OPENING, MTLS_OWE_REQUEST, MTLS_RX_OPEN, 0, 0},
    {NEW,     RESET,   MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {NEW,     CLOSE,   MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    {NEW,     RELEASE, MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {NEW,     CUT,     MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    /* a Request that was not sent need not be answered */
    {ASKING,  END,     MTLS_OPENING, MTLS_OWE_REQUEST, MTLS_RX_OPEN, 0, 0},
    {ASKING,  RESET,   MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {ASKING,  CLOSE,   MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    {ASKING,  RELEASE, MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {ASKING,  CUT,     MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    /* one that was can only be closed when its id is known */
    {OPENING, END,     MTLS_OPENING, 0, MTLS_RX_OPEN, 0, 0},
    {OPENING, RESET,   MTLS_OPENING, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {OPENING, CLOSE,   MTLS_OPENING, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    {OPENING, RELEASE, MTLS_OPENING, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {OPENING, SUCCESS, MTLS_OPEN, 0, MTLS_RX_OPEN, 0, 0},
    {OPENING, REFUSED, MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_REFUSED, MTLS_R_CHANNEL_REFUSED},
    {OPENING, CUT,     MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    {ASKED,   ACCEPT,  MTLS_OPEN, MTLS_OWE_SUCCESS, MTLS_RX_OPEN, 0, 0},
    {ASKED,   REJECT,  MTLS_CLOSED, MTLS_OWE_ECHEC, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {ASKED,   RESET,   MTLS_CLOSED, MTLS_OWE_ECHEC, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {ASKED,   CLOSE,   MTLS_CLOSED, MTLS_OWE_ECHEC, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {ASKED,   RELEASE, MTLS_CLOSED, MTLS_OWE_ECHEC, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {ASKED,   CUT,     MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    {OPEN,    END,     MTLS_OPEN, MTLS_OWE_END, MTLS_RX_OPEN, 0, 0},
    {OPEN,    RESET,   MTLS_CLOSING, MTLS_OWE_CLOSE, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {OPEN,    CLOSE,   MTLS_CLOSING, MTLS_OWE_END | MTLS_OWE_CLOSE, MTLS_RX_FAILED, MTLS_R_SESSION_ENDED, MTLS_R_SESSION_ENDED},
    {OPEN,    RELEASE, MTLS_CLOSING, MTLS_OWE_END | MTLS_OWE_CLOSE, MTLS_RX_OPEN, 0, 0},
    {OPEN,    CLOSE_REQUEST, MTLS_CLOSED, MTLS_OWE_CONFIRMATION, MTLS_RX_CUT, 0, MTLS_R_CLOSED_BY_PEER},
    {OPEN,    ACK,     MTLS_OPEN, 0, MTLS_RX_OPEN, 0, 0},
    {OPEN,    NEW_MAX, MTLS_OPEN, 0, MTLS_RX_OPEN, 0, 0},
    {OPEN,    DATA,    MTLS_OPEN, 0, MTLS_RX_OPEN, 0, 0},
    {OPEN,    CUT,     MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_TRUNCATED, MTLS_R_SESSION_ENDED},
    /* CloseRequests that cross: ours is not sent any more, or confirmed too */
    {CLOSE_OWED, CLOSE_REQUEST, MTLS_CLOSED, MTLS_OWE_CONFIRMATION, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {CLOSE_OWED, CUT,  MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {CLOSING, CLOSE_REQUEST, MTLS_CLOSING, MTLS_OWE_CONFIRMATION, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {CLOSING, CONFIRMATION, MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET},
    {CLOSING, CUT,     MTLS_CLOSED, 0, MTLS_RX_FAILED, MTLS_R_CHANNEL_RESET, MTLS_R_CHANNEL_RESET}};
/* clang-format on */

static const struct rule *find_rule(enum state state, enum event event)
{
    for (size_t i = 0; i < core_count(rules); i++)
        if (rules[i].state == state && rules[i].event == event)
            return &rules[i];
    return NULL;
}

static void check_rule(const struct rule *rule)
{
    struct mtls_channel c;

    bring_to(&c, rule->state);
    ck_assert_int_eq(happen(&c, rule->event), 1);
    ck_assert_int_eq(c.life, rule->life);
    ck_assert_int_eq(c.owed, rule->owed);
    ck_assert_int_eq(c.rx, rule->rx);
    ck_assert_int_eq(c.rx_reason, rule->rx_reason);
    ck_assert_int_eq(c.tx_reason, rule->tx_reason);
}

/* Some return 1 as there is nothing more to do; none changes anything. */
static void check_ignored(enum state state, enum event event)
{
    struct mtls_channel before, after;
    int r;

    bring_to(&before, state);
    bring_to(&after, state);
    r = happen(&after, event);
    if (event != RESET && event != CLOSE && event != RELEASE && event != CUT)
        ck_assert_msg(r == 0, "state %d, event %d", state, event);
    ck_assert_int_eq(after.life, before.life);
    ck_assert_int_eq(after.owed, before.owed);
    ck_assert_int_eq(after.rx, before.rx);
    ck_assert_int_eq(after.tx, before.tx);
    ck_assert_int_eq(after.rx_reason, before.rx_reason);
    ck_assert_int_eq(after.tx_reason, before.tx_reason);
    ck_assert_mem_eq(&after.in, &before.in, sizeof(after.in));
    ck_assert_mem_eq(&after.out, &before.out, sizeof(after.out));
}

START_TEST(each_event_in_each_state)
{
    for (int state = 0; state < STATES; state++) {
        for (int event = 0; event < EVENTS; event++) {
            const struct rule *rule = find_rule(state, event);

            if (rule != NULL)
                check_rule(rule);
            else if (event != SUCCESS && event != REFUSED)
                check_ignored(state, event);
        }
    }
}
END_TEST

/* --- opening --- */

START_TEST(an_id_is_the_same_at_both_ends)
{
    struct mtls_channel ours, theirs;
    const struct mtls_success success = {2, 7, 1, 1};
    const struct mtls_request request = {.half = 2};

    bring_to(&ours, OPENING);
    mtls_channel_success(&ours, &success);
    bring_to(&theirs, NEW);
    theirs.own_half = 7;
    mtls_channel_asked(&theirs, &request);
    ck_assert_uint_eq(mtls_channel_id(&ours), 0x00020007);
    ck_assert_uint_eq(mtls_channel_id(&theirs), 0x00020007);
}
END_TEST

START_TEST(an_answer_sets_credit_and_names_the_channel)
{
    struct mtls_channel c;

    bring_to(&c, OPENING);
    ck_assert(!c.named);
    mtls_channel_success(&c, &a_success);
    ck_assert(c.named);
    ck_assert_uint_eq(c.out.credit, 100);
    ck_assert_uint_eq(c.out.max_packet, 50);
    ck_assert_uint_eq(c.events, MTLS_OPENED);
    bring_to(&c, ASKED);
    mtls_channel_accept(&c);
    ck_assert(!c.named);
    mtls_channel_sent(&c, MTLS_OWE_SUCCESS);
    ck_assert(c.named);
    ck_assert_uint_eq(c.out.credit, 100);
}
END_TEST

START_TEST(a_success_with_max_packet_0_is_malformed)
{
    struct mtls_success success = a_success;
    struct mtls_channel c;

    success.max_packet = 0;
    bring_to(&c, OPENING);
    mtls_channel_success(&c, &success);
    ck_assert_int_eq(c.life, MTLS_CLOSING);
    ck_assert_int_eq(c.owed, MTLS_OWE_CLOSE);
    ck_assert_int_eq(c.rx_reason, MTLS_R_MALFORMED_PACKET);
}
END_TEST

/* What was decided meanwhile is done when the id is known. */
START_TEST(an_answer_finds_what_was_decided_while_opening)
{
    static const struct {
        enum event before;
        enum mtls_channel_life life;
        int owed;
    } rows[] = {{END, MTLS_OPEN, MTLS_OWE_END},
                {RESET, MTLS_CLOSING, MTLS_OWE_CLOSE},
                {RELEASE, MTLS_CLOSING, MTLS_OWE_END | MTLS_OWE_CLOSE}};

    for (size_t i = 0; i < core_count(rows); i++) {
        struct mtls_channel c;

        bring_to(&c, OPENING);
        happen(&c, rows[i].before);
        mtls_channel_success(&c, &a_success);
        ck_assert_int_eq(c.life, rows[i].life);
        ck_assert_int_eq(c.owed, rows[i].owed);
    }
}
END_TEST

/* --- data --- */

START_TEST(credit_and_max_packet_are_enforced)
{
    static const struct {
        uint32_t length;
        int reason;
    } rows[] = {{50, 0},
                {51, MTLS_R_PACKET_TOO_LONG},
                {UINT32_MAX, MTLS_R_PACKET_TOO_LONG}};

    for (size_t i = 0; i < core_count(rows); i++) {
        struct mtls_channel c;

        bring_to(&c, OPEN);
        ck_assert_int_eq(mtls_channel_packet(&c, rows[i].length),
                         rows[i].reason == 0);
        ck_assert_int_eq(c.rx_reason, rows[i].reason);
        ck_assert_int_eq(c.life, rows[i].reason ? MTLS_CLOSING : MTLS_OPEN);
        if (rows[i].reason != 0)
            continue;
        ck_assert(mtls_channel_packet(&c, 50));
        ck_assert(!mtls_channel_packet(&c, 1));
        ck_assert_int_eq(c.rx_reason, MTLS_R_CREDIT_OVERRUN);
        ck_assert_int_eq(c.owed, MTLS_OWE_CLOSE);
    }
}
END_TEST

START_TEST(an_empty_packet_is_the_half_close_and_costs_no_credit)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    ck_assert(mtls_channel_packet(&c, 50));
    ck_assert(mtls_channel_packet(&c, 50));
    ck_assert(!mtls_channel_packet(&c, 0));
    ck_assert_int_eq(c.rx, MTLS_RX_ENDED);
    ck_assert_int_eq(c.life, MTLS_OPEN);
    ck_assert(mtls_channel_sends(&c));
    ck_assert(!mtls_channel_receives(&c));
}
END_TEST

START_TEST(data_after_the_half_close_fails_the_channel)
{
    for (uint32_t length = 0; length < 2; length++) {
        struct mtls_channel c;

        bring_to(&c, OPEN);
        mtls_channel_packet(&c, 0);
        ck_assert(!mtls_channel_packet(&c, length));
        ck_assert_int_eq(c.life, MTLS_CLOSING);
        ck_assert_int_eq(c.rx, MTLS_RX_FAILED);
        ck_assert_int_eq(c.rx_reason, MTLS_R_DATA_AFTER_END);
        bring_to(&c, OPEN); /* unless the reader has had its end-of-file */
        mtls_channel_packet(&c, 0);
        c.told_end = 1;
        mtls_channel_packet(&c, length);
        ck_assert_int_eq(c.rx, MTLS_RX_ENDED);
        ck_assert_int_eq(c.tx_reason, MTLS_R_DATA_AFTER_END);
    }
}
END_TEST

START_TEST(an_acknowledgment_adds_to_the_credit)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    ck_assert_int_eq(mtls_channel_ack(&c, 0), 0);
    ck_assert_int_eq(mtls_channel_ack(&c, UINT32_MAX - 100), 1);
    ck_assert_uint_eq(c.out.credit, UINT32_MAX);
    ck_assert_int_eq(c.life, MTLS_OPEN);
    ck_assert_int_eq(mtls_channel_ack(&c, 1), 1);
    ck_assert_int_eq(c.life, MTLS_CLOSING);
    ck_assert_int_eq(c.rx_reason, MTLS_R_WINDOW_OVERFLOW);
}
END_TEST

START_TEST(a_new_max_packet_replaces_the_old_and_is_not_0)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    mtls_channel_new_max(&c, 10);
    ck_assert_uint_eq(mtls_flow_tx_limit(&c.out), 10);
    mtls_channel_new_max(&c, UINT32_MAX);
    ck_assert_uint_eq(mtls_flow_tx_limit(&c.out), 100);
    mtls_channel_new_max(&c, 0);
    ck_assert_int_eq(c.life, MTLS_CLOSING);
    ck_assert_int_eq(c.rx_reason, MTLS_R_ZERO_MAX_PACKET);
}
END_TEST

/* --- closing --- */

START_TEST(who_finishes_in_good_order_half_closes_once)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    mtls_channel_end(&c);
    mtls_channel_release(&c);
    ck_assert_int_eq(c.owed, MTLS_OWE_END | MTLS_OWE_CLOSE);
    bring_to(&c, OPEN);
    mtls_channel_end(&c);
    mtls_channel_sent(&c, MTLS_OWE_END);
    ck_assert_int_eq(c.tx, MTLS_TX_ENDED);
    mtls_channel_release(&c);
    ck_assert_int_eq(c.owed, MTLS_OWE_CLOSE);
}
END_TEST

START_TEST(who_gives_up_does_not_half_close)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    mtls_channel_end(&c);
    mtls_channel_reset(&c, MTLS_R_CHANNEL_RESET);
    ck_assert_int_eq(c.owed, MTLS_OWE_CLOSE);
}
END_TEST

START_TEST(a_close_before_our_success_went_out_waits_for_it)
{
    struct mtls_channel c;

    bring_to(&c, ASKED);
    mtls_channel_accept(&c);
    mtls_channel_release(&c);
    ck_assert_int_eq(c.owed, MTLS_OWE_SUCCESS | MTLS_OWE_END | MTLS_OWE_CLOSE);
}
END_TEST

START_TEST(crossing_closes_are_each_confirmed)
{
    struct mtls_channel c;

    bring_to(&c, CLOSING);
    ck_assert(mtls_channel_close_request(&c));
    ck_assert(!mtls_channel_close_request(&c)); /* one Confirmation is owed */
    mtls_channel_sent(&c, MTLS_OWE_CONFIRMATION);
    ck_assert(!mtls_channel_over(&c));
    ck_assert(mtls_channel_confirmation(&c));
    ck_assert(mtls_channel_over(&c));
    bring_to(&c, CLOSING);
    mtls_channel_close_request(&c);
    mtls_channel_confirmation(&c); /* the other order */
    ck_assert(!mtls_channel_over(&c));
    mtls_channel_sent(&c, MTLS_OWE_CONFIRMATION);
    ck_assert(mtls_channel_over(&c));
}
END_TEST

START_TEST(a_close_tells_whether_the_end_was_in_good_order)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    mtls_channel_close_request(&c);
    ck_assert_int_eq(c.rx, MTLS_RX_CUT);
    bring_to(&c, OPEN);
    mtls_channel_packet(&c, 0);
    mtls_channel_close_request(&c);
    ck_assert_int_eq(c.rx, MTLS_RX_ENDED);
    ck_assert_int_eq(c.rx_reason, 0);
}
END_TEST

START_TEST(a_half_closed_channel_does_not_fail_when_the_session_ends)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    mtls_channel_packet(&c, 0);
    mtls_channel_cut(&c, MTLS_R_TRUNCATED);
    ck_assert_int_eq(c.rx, MTLS_RX_ENDED);
    ck_assert_int_eq(c.tx_reason, MTLS_R_SESSION_ENDED);
}
END_TEST

START_TEST(the_first_reason_stays)
{
    struct mtls_channel c;

    bring_to(&c, OPEN);
    mtls_channel_fail(&c, MTLS_R_CREDIT_OVERRUN);
    mtls_channel_fail(&c, MTLS_R_MALFORMED_PACKET);
    mtls_channel_close_request(&c);
    mtls_channel_cut(&c, MTLS_R_TRUNCATED);
    ck_assert_int_eq(c.rx_reason, MTLS_R_CREDIT_OVERRUN);
    ck_assert_int_eq(c.tx_reason, MTLS_R_CREDIT_OVERRUN);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_event_in_each_state,
        an_id_is_the_same_at_both_ends,
        an_answer_sets_credit_and_names_the_channel,
        a_success_with_max_packet_0_is_malformed,
        an_answer_finds_what_was_decided_while_opening,
        credit_and_max_packet_are_enforced,
        an_empty_packet_is_the_half_close_and_costs_no_credit,
        data_after_the_half_close_fails_the_channel,
        an_acknowledgment_adds_to_the_credit,
        a_new_max_packet_replaces_the_old_and_is_not_0,
        who_finishes_in_good_order_half_closes_once,
        who_gives_up_does_not_half_close,
        a_close_before_our_success_went_out_waits_for_it,
        crossing_closes_are_each_confirmed,
        a_close_tells_whether_the_end_was_in_good_order,
        a_half_closed_channel_does_not_fail_when_the_session_ends,
        the_first_reason_stays};

    return core_run("channel", tests, core_count(tests));
}
