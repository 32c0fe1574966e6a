/* SPDX-License-Identifier: Apache-2.0 */
/* A loop on its own thread: messages, watches of descriptors, timers, the end. */
#include "../pool_case.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_thread_proc.h>

#include "engine/loop.h"
#include "upstream/clock.h"

#define SENDERS 4
#define EACH 5000

static rp_loop_t *loop;

static void setup(void)
{
    pool_setup();
    ck_assert_int_eq(rp_loop_create(&loop, pool, 3), APR_SUCCESS);
}

static void teardown(void)
{
    rp_loop_destroy(loop);
    pool_teardown();
}

/* ---- messages ---- */

typedef struct message_t {
    rp_post_t post; /* first */
    int sender, number;
} message_t;

static message_t messages[SENDERS][EACH];
static int next_of[SENDERS], got, wrong_thread;

static void on_message(rp_post_t *post)
{
    message_t *m = (message_t *)post;

    wrong_thread += !rp_loop_is_current(loop);
    ck_assert_int_eq(m->number, next_of[m->sender]);
    next_of[m->sender]++;
    if (++got == SENDERS * EACH) {
        rp_loop_stop(loop);
    }
}

static void *APR_THREAD_FUNC send_all(apr_thread_t *thread, void *data)
{
    message_t *mine = data;
    int i;

    (void)thread;
    for (i = 0; i < EACH; i++) {
        mine[i].post.fn = on_message;
        mine[i].number = i;
        rp_loop_post(loop, &mine[i].post);
    }
    return NULL;
}

START_TEST(messages_of_each_sender_come_in_order_and_all)
{
    apr_thread_t *threads[SENDERS];
    apr_status_t rv;
    int i, j;

    for (i = 0; i < SENDERS; i++) {
        for (j = 0; j < EACH; j++) {
            messages[i][j].sender = i;
        }
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, send_all, messages[i], pool), APR_SUCCESS);
    }
    rp_loop_run(loop);
    for (i = 0; i < SENDERS; i++) {
        ck_assert_int_eq(apr_thread_join(&rv, threads[i]), APR_SUCCESS);
        ck_assert_int_eq(next_of[i], EACH);
    }
    ck_assert_int_eq(wrong_thread, 0);
    ck_assert_int_eq(rp_loop_is_current(loop), 0);
    ck_assert_int_eq(rp_loop_index(loop), 3);
}
END_TEST

static int resent;

static void on_resend(rp_post_t *post)
{
    if (++resent < 100) {
        rp_loop_post(loop, post);
    }
    else {
        rp_loop_stop(loop);
    }
}

START_TEST(message_may_be_sent_again_by_its_call)
{
    static rp_post_t post = {.fn = on_resend};

    rp_loop_post(loop, &post);
    rp_loop_run(loop);
    ck_assert_int_eq(resent, 100);
}
END_TEST

/* ---- descriptors ---- */

typedef struct ear_t {
    int fd, other;
    rp_watch_t *watch;
    unsigned last;
    int calls, stop_at;
    struct ear_t *victim; /* its watch goes in the first call, and a new one takes the place */
    int old_heard;
} ear_t;

static void ear_close(ear_t *e)
{
    close(e->fd);
    close(e->other);
}

static void on_ear(void *baton, unsigned events)
{
    ear_t *e = baton;

    e->last |= events;
    e->calls++;
    if (e->calls == e->stop_at) {
        rp_loop_stop(loop);
    }
}

static void ear_open_at(ear_t *e, rp_watch_side_e side, rp_watch_fn fn)
{
    int pair[2];
    apr_status_t rv;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    memset(e, 0, sizeof(*e));
    e->fd = pair[0];
    e->other = pair[1];
    e->watch = rp_loop_watch(loop, side, e->fd, fn, e, &rv);
    ck_assert_ptr_nonnull(e->watch);
    ck_assert_int_eq(rv, APR_SUCCESS);
}

static void ear_open(ear_t *e, rp_watch_fn fn)
{
    ear_open_at(e, RP_WATCH_CLIENT, fn);
}

static void on_stop_timer(rp_timer_t *t, apr_time_t now_us)
{
    (void)t;
    (void)now_us;
    rp_loop_stop(loop);
}

/* Run the loop for a while. */
static void run_for(apr_interval_time_t us)
{
    static rp_timer_t t;

    t.fn = on_stop_timer;
    ck_assert_int_eq(rp_loop_timer(loop, &t, rp_loop_clock(loop) + us), APR_SUCCESS);
    rp_loop_run(loop);
}

START_TEST(watch_begins_with_the_present_state)
{
    ear_t e;

    ear_open(&e, on_ear);
    ck_assert_int_eq(write(e.other, "x", 1), 1);
    run_for(20000);
    ck_assert_uint_eq(e.last, RP_EV_READ | RP_EV_WRITE);
    ck_assert_int_eq(e.calls, 1); /* once for each change: it was not read, and is not said again */
    ear_close(&e);
}
END_TEST

START_TEST(end_of_the_peer_is_said)
{
    ear_t e;

    ear_open(&e, on_ear);
    ck_assert_int_eq(shutdown(e.other, SHUT_WR), 0);
    run_for(20000);
    ck_assert_uint_eq(e.last, RP_EV_READ | RP_EV_WRITE | RP_EV_EOF);
    ear_close(&e);
}
END_TEST

START_TEST(peer_that_is_gone_is_said)
{
    ear_t e;

    ear_open(&e, on_ear);
    close(e.other);
    run_for(20000);
    ck_assert_uint_eq(e.last & RP_EV_GONE, RP_EV_GONE);
    ck_assert_uint_eq(e.last & RP_EV_READ, RP_EV_READ);
    close(e.fd);
}
END_TEST

static ear_t fresh;

/* Both of a pair are ready in one batch; the first that is called takes the other away, whose place goes to a new one. */
static void on_kill(void *baton, unsigned events)
{
    ear_t *e = baton;

    (void)events;
    e->calls++;
    if (e->victim != NULL) {
        rp_loop_unwatch(loop, e->victim->watch);
        e->victim->watch = NULL;
        e->victim->victim = NULL;
        ear_open(&fresh, on_ear);
        close(fresh.other); /* never writable events only: what comes for it is its own */
        fresh.other = -1;
        e->victim = NULL;
    }
}

START_TEST(event_taken_before_its_watch_went_is_not_delivered)
{
    ear_t a, b;

    ear_open(&a, on_kill);
    ear_open(&b, on_kill);
    a.victim = &b;
    b.victim = &a;
    ck_assert_int_eq(write(a.other, "x", 1), 1);
    ck_assert_int_eq(write(b.other, "x", 1), 1);
    run_for(20000);
    ck_assert_int_eq(a.calls + b.calls, 1);
    ck_assert_int_eq(fresh.calls, 1); /* its own event, with its own state, not the stale one too */
    ck_assert_uint_eq(fresh.last & RP_EV_GONE, RP_EV_GONE);
    ear_close(&a);
    ear_close(&b);
    close(fresh.fd);
}
END_TEST

START_TEST(many_watches_keep_their_owners)
{
    enum { N = 600 };
    static ear_t ears[N];
    int i;

    for (i = 0; i < N; i++) {
        ear_open(&ears[i], on_ear);
    }
    run_for(20000);
    for (i = 0; i < N; i++) {
        ck_assert_uint_eq(ears[i].last, RP_EV_WRITE);
        if (i % 3 == 0) {
            rp_loop_unwatch(loop, ears[i].watch);
            ear_close(&ears[i]);
        }
    }
    rp_loop_unwatch(loop, NULL);
    for (i = 1; i < N; i += 3) {
        ears[i].last = 0;
        ck_assert_int_eq(write(ears[i].other, "x", 1), 1);
    }
    for (i = 0; i < N; i += 3) {
        ear_open(&ears[i], on_ear);
    }
    ck_assert_int_eq(ears[1].last, 0);
}
END_TEST

static ear_t *heard[4];
static int nheard;

static void on_turn_of(void *baton, unsigned events)
{
    (void)events;
    heard[nheard++] = baton;
}

START_TEST(backends_come_before_clients)
{
    ear_t client[2], backend[2];

    ear_open_at(&client[0], RP_WATCH_CLIENT, on_turn_of);
    ear_open_at(&backend[0], RP_WATCH_BACKEND, on_turn_of);
    ear_open_at(&client[1], RP_WATCH_CLIENT, on_turn_of);
    ear_open_at(&backend[1], RP_WATCH_BACKEND, on_turn_of);
    run_for(20000);
    ck_assert_int_eq(nheard, 4);
    ck_assert_ptr_eq(heard[0], &backend[0]);
    ck_assert_ptr_eq(heard[1], &backend[1]);
    ck_assert_ptr_eq(heard[2], &client[0]);
    ck_assert_ptr_eq(heard[3], &client[1]);
    ear_close(&client[0]);
    ear_close(&client[1]);
    ear_close(&backend[0]);
    ear_close(&backend[1]);
}
END_TEST

START_TEST(closed_descriptor_is_refused)
{
    apr_status_t rv = APR_SUCCESS;
    int pair[2];

    ck_assert_int_eq(pipe(pair), 0);
    close(pair[0]);
    close(pair[1]);
    ck_assert_ptr_null(rp_loop_watch(loop, RP_WATCH_CLIENT, pair[0], on_ear, NULL, &rv));
    ck_assert_int_eq(rv, EBADF);
}
END_TEST

/* ---- timers, deferred ---- */

static apr_time_t called_us;

static void on_timer(rp_timer_t *t, apr_time_t now_us)
{
    (void)t;
    called_us = now_us;
    rp_loop_stop(loop);
}

START_TEST(timer_is_called_in_time)
{
    static rp_timer_t t = {.fn = on_timer}, never = {.fn = on_timer};
    apr_time_t began = rp_loop_clock(loop);
    rp_child_stat_t stat = {0};

    ck_assert_int_eq(rp_loop_timer(loop, &never, began + 5000), APR_SUCCESS);
    rp_loop_timer_cancel(loop, &never);
    ck_assert_int_eq(rp_loop_timer(loop, &t, began + 30000), APR_SUCCESS);
    rp_loop_count_in(loop, &stat);
    rp_loop_run(loop);
    ck_assert(called_us >= began + 30000);
    ck_assert(called_us < began + 5000000);
    ck_assert_uint_ge(rp_histogram_times(&stat.turn), 1);
    ck_assert_uint_lt(rp_histogram_times(&stat.turn), 20); /* it slept meanwhile */
}
END_TEST

static int order[4], norder;

static void on_deferred(rp_post_t *post)
{
    (void)post;
    order[norder++] = 2;
    rp_loop_stop(loop);
}

static void on_post(rp_post_t *post)
{
    static rp_post_t later = {.fn = on_deferred};

    (void)post;
    order[norder++] = 1;
    rp_loop_defer(loop, &later);
}

START_TEST(deferred_comes_soon)
{
    static rp_post_t post = {.fn = on_post};

    rp_loop_post(loop, &post);
    rp_loop_run(loop); /* would wait for ever otherwise */
    ck_assert_int_eq(norder, 2);
    ck_assert_int_eq(order[0], 1);
    ck_assert_int_eq(order[1], 2);
}
END_TEST

/* ---- shares of a turn ---- */

#define LONG 100 /* so many calls, each as long as all of them may take in a turn */

static ear_t bystander;
static int calls_of_many, calls_when_heard;

static void on_bystander(void *baton, unsigned events)
{
    (void)baton;
    if (events & RP_EV_READ) {
        calls_when_heard = calls_of_many;
    }
}

/* The first speaks to the bystander, whom the loop hears before the last. */
static void one_of_many(void)
{
    apr_time_t until = rp_clock_now_us() + RP_LOOP_SHARE_US;

    if (++calls_of_many == 1) {
        ck_assert_int_eq(write(bystander.other, "x", 1), 1);
    }
    while (rp_clock_now_us() < until) {
    }
    if (calls_of_many == LONG) {
        rp_loop_stop(loop);
    }
}

static message_t many[LONG];

static void on_long_message(rp_post_t *post)
{
    ck_assert_int_eq(((message_t *)post)->number, calls_of_many);
    one_of_many();
}

static void post_many(int from, int to)
{
    for (; from < to; from++) {
        many[from].post.fn = on_long_message;
        many[from].number = from;
        rp_loop_post(loop, &many[from].post);
    }
}

START_TEST(messages_leave_descriptors_their_turn)
{
    ear_open(&bystander, on_bystander);
    post_many(0, LONG);
    rp_loop_run(loop);
    ck_assert_int_eq(calls_of_many, LONG);
    ck_assert_int_ge(calls_when_heard, 1);
    ck_assert_int_lt(calls_when_heard, LONG / 2);
    ear_close(&bystander);
}
END_TEST

static void on_last_of_some(rp_post_t *post)
{
    (void)post;
    post_many(LONG / 2, LONG); /* behind those that were left for the next turn */
}

START_TEST(messages_left_for_the_next_turn_keep_their_order)
{
    static rp_post_t first = {.fn = on_last_of_some};

    ear_open(&bystander, on_bystander);
    rp_loop_post(loop, &first);
    post_many(0, LONG / 2);
    rp_loop_run(loop);
    ck_assert_int_eq(calls_of_many, LONG);
    ear_close(&bystander);
}
END_TEST

START_TEST(messages_left_when_it_ends_are_drained)
{
    ear_open(&bystander, on_bystander);
    post_many(0, LONG - 1);
    rp_loop_stop(loop);
    rp_loop_run(loop);
    rp_loop_drain(loop);
    ck_assert_int_eq(calls_of_many, LONG - 1);
    ear_close(&bystander);
}
END_TEST

static void on_long_timer(rp_timer_t *t, apr_time_t now_us)
{
    (void)t;
    (void)now_us;
    one_of_many();
}

START_TEST(timers_leave_descriptors_their_turn)
{
    static rp_timer_t timers[LONG];
    int i;

    ear_open(&bystander, on_bystander);
    for (i = 0; i < LONG; i++) {
        timers[i].fn = on_long_timer;
        ck_assert_int_eq(rp_loop_timer(loop, &timers[i], rp_loop_now_us(loop)), APR_SUCCESS);
    }
    rp_loop_run(loop);
    ck_assert_int_eq(calls_of_many, LONG);
    ck_assert_int_ge(calls_when_heard, 1);
    ck_assert_int_lt(calls_when_heard, LONG / 2);
    ear_close(&bystander);
}
END_TEST

START_TEST(stopped_before_it_runs_ends_at_once)
{
    rp_loop_stop(loop);
    rp_loop_stop(loop);
    rp_loop_run(loop);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TCase *tc = tcase_create("loop");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, messages_of_each_sender_come_in_order_and_all);
    tcase_add_test(tc, message_may_be_sent_again_by_its_call);
    tcase_add_test(tc, watch_begins_with_the_present_state);
    tcase_add_test(tc, end_of_the_peer_is_said);
    tcase_add_test(tc, peer_that_is_gone_is_said);
    tcase_add_test(tc, event_taken_before_its_watch_went_is_not_delivered);
    tcase_add_test(tc, many_watches_keep_their_owners);
    tcase_add_test(tc, backends_come_before_clients);
    tcase_add_test(tc, closed_descriptor_is_refused);
    tcase_add_test(tc, timer_is_called_in_time);
    tcase_add_test(tc, deferred_comes_soon);
    tcase_add_test(tc, messages_leave_descriptors_their_turn);
    tcase_add_test(tc, messages_left_for_the_next_turn_keep_their_order);
    tcase_add_test(tc, messages_left_when_it_ends_are_drained);
    tcase_add_test(tc, timers_leave_descriptors_their_turn);
    tcase_add_test(tc, stopped_before_it_runs_ends_at_once);
    return suite_main(s);
}
