/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "app.h"
#include "datagrams.h"
#include "link.h"
#include "local.h"
#include "report.h"
#include "socks.h"
#include "tell.h"
#include "tlsmux_conn.h"
#include "watch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 1000
/* Short pieces in a turn from which on they are what there is to do. */
#define MANY_SHORT 3
/* What closed handles and cancelled look-ups get to come back. */
#define LAST_TURNS 50
#define LAST_TURN_MS 2

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* that it is active keeps the loop from waiting */
}

/* Only what the loop itself needs; nothing else is left by then. */
static void stop(struct app *app)
{
    uv_stop(&app->loop);
    if (app->end != NULL)
        app->end(app);
    uv_close((uv_handle_t *)&app->idle, NULL);
    uv_close((uv_handle_t *)&app->prepare, NULL);
    uv_close((uv_handle_t *)&app->tick, NULL);
    watch_end(app);
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&app->signals[i], NULL);
}

/*
 * There will be another turn. Amid bulk data, whoever has got something short
 * should have this processor first, if it is there that he waits for one.
 */
static void go_on(struct app *app)
{
    uv_idle_start(&app->idle, on_idle);
    if (app->n_short > 0 && app->n_short < MANY_SHORT)
        sched_yield();
}

/*
 * Before the loop waits: each connection and then each link that has something
 * to do gets one turn, in order. What the connections wrote leaves together.
 */
static void on_prepare(uv_prepare_t *prepare)
{
    struct app *app = prepare->data;
    struct link *last, *k;
    int done;

    app->n_short = 0;
    watch_turn(app);
    last = TAILQ_LAST(&app->work, link_list);
    done = last == NULL;
    while (!done) {
        k = TAILQ_FIRST(&app->work);
        done = k == last;
        TAILQ_REMOVE(&app->work, k, work_node);
        k->has_work = 0;
        link_pump(k);
    }
    if (app->drain_until != 0 && TAILQ_EMPTY(&app->links) &&
        TAILQ_EMPTY(&app->orphans) && TAILQ_EMPTY(&app->linger) &&
        app->n_others == 0)
        stop(app);
    else if (TAILQ_EMPTY(&app->work) && TAILQ_EMPTY(&app->watch.ready))
        uv_idle_stop(&app->idle);
    else
        go_on(app);
}

static void on_tick(uv_timer_t *timer)
{
    struct app *app = timer->data;
    struct link *k, *next;

    for (k = TAILQ_FIRST(&app->links); k != NULL; k = next) {
        next = TAILQ_NEXT(k, node);
        link_second(k);
    }
    app->seconds++;
    tlsmux_second(app);
    datagrams_second(app);
    chan_second(app);
    local_second(app);
    if (app->drain_until != 0 && uv_now(&app->loop) >= app->drain_until)
        app_quit(app);
}

void app_drain(struct app *app)
{
    struct link *k;

    if (app->drain_until != 0)
        return;
    app->drain_until = uv_now(&app->loop) + APP_DRAIN_MS;
    app->drain(app);
    socks_drain(app);
    tlsmux_drain(app);
    TAILQ_FOREACH(k, &app->links, node)
    {
        link_changed(k); /* so that it sees whether it is over */
    }
}

void app_quit(struct app *app)
{
    struct link *k;

    app_drain(app);
    app->drain_until = UINT64_MAX;
    TAILQ_FOREACH(k, &app->links, node)
    {
        link_close(k, LINK_ENDED, "");
    }
    socks_abandon(app);
    tlsmux_abandon(app);
    chan_abandon_orphans(app);
    local_abandon(app);
}

static void show_tables(const struct app *app)
{
    const struct link *k;

    TAILQ_FOREACH(k, &app->links, node)
    {
        tell_table(k);
    }
    tlsmux_table(app);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *app = handle->data;

    if (number == SIGUSR1) {
        show_tables(app);
    } else if (app->drain_until == 0) {
        report_note("ending; waiting for open channels");
        app_drain(app);
    } else {
        app_quit(app);
    }
}

int app_init(struct app *app)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    int error = uv_loop_init(&app->loop);

    if (error != 0) {
        report_error("no event loop: %s", uv_strerror(error));
        return 0;
    }
    TAILQ_INIT(&app->links);
    TAILQ_INIT(&app->work);
    TAILQ_INIT(&app->orphans);
    TAILQ_INIT(&app->linger);
    TAILQ_INIT(&app->socks);
    TAILQ_INIT(&app->tlsmuxes);
    TAILQ_INIT(&app->datagrams);
    if (!watch_begin(app)) {
        report_error("no event loop: %s", strerror(errno));
        return 0;
    }
    uv_prepare_init(&app->loop, &app->prepare);
    uv_idle_init(&app->loop, &app->idle);
    uv_timer_init(&app->loop, &app->tick);
    app->prepare.data = app->tick.data = app;
    uv_prepare_start(&app->prepare, on_prepare);
    uv_timer_start(&app->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(&app->loop, &app->signals[i]);
        app->signals[i].data = app;
        error = uv_signal_start(&app->signals[i], on_signal, numbers[i]);
        if (error != 0)
            report_note("signals: %s", uv_strerror(error));
    }
    return 1;
}

/*
 * Lets libuv let go of what was closed. A look-up under way can't be
 * interrupted, and libuv waits for its threads even in exit(): then the end is
 * a plain one, with nothing left to lose.
 */
static void finish(struct app *app)
{
    for (int i = 0; i < LAST_TURNS; i++) {
        if (!uv_run(&app->loop, UV_RUN_NOWAIT))
            return;
        uv_sleep(LAST_TURN_MS);
    }
    _exit(app->status);
}

int app_run(struct app *app)
{
    int error;

    uv_run(&app->loop, UV_RUN_DEFAULT);
    finish(app);
    error = uv_loop_close(&app->loop);
    if (error != 0)
        report_note("the loop ended with work left: %s", uv_strerror(error));
    return app->status;
}
