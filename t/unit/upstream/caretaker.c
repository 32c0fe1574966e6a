/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that closes old idle connections: it does so when nobody else moves, and ends at once. */
#include "upstream_unit.h"

#include <signal.h>

#include "upstream/caretaker.h"
#include "upstream/clock.h"
#include "upstream/endpoint_int.h"

static rig_t rig;

static void setup(void)
{
    pool_setup();
    rig_setup(&rig);
}

static void teardown(void)
{
    rig_teardown(&rig);
    pool_teardown();
}

static int closed(int peer)
{
    char c;

    return wait_fd(peer, POLLIN) == 1 && read(peer, &c, 1) <= 0;
}

START_TEST(caretaker_closes_without_requests)
{
    apr_pool_t *p;
    apr_time_t then = rp_clock_now_us() - 10 * SEC;
    int old_peer, fresh_peer;
    rp_conn_t *old, *fresh;
    struct pollfd pfd = {.events = POLLIN};

    rig.w->params.ttl_s = 5;
    old = take_connected(&rig, rig.ep, rig.w, NULL, then, &old_peer);
    fresh = take_connected(&rig, rig.ep, rig.w, NULL, then, &fresh_peer);
    ck_assert_int_eq(rp_pool_put(old, RP_REFUSE_NONE, then), RP_REFUSE_NONE);
    ck_assert_int_eq(rp_pool_put(fresh, RP_REFUSE_NONE, rp_clock_now_us() + 60 * SEC), RP_REFUSE_NONE);
    rig.eps->maintained_us = 0; /* that put looked after the old one; as if nobody had */
    ck_assert_int_eq(apr_pool_create(&p, pool), APR_SUCCESS);
    ck_assert_int_eq(rp_caretaker_start(p, rig.eps), APR_SUCCESS);
    ck_assert(closed(old_peer));
    pfd.fd = fresh_peer;
    ck_assert_int_eq(poll(&pfd, 1, 0), 0);
    apr_pool_destroy(p);
    close(old_peer);
    close(fresh_peer);
}
END_TEST

/* It must not wait for its next turn, nor be there any more. */
START_TEST(caretaker_ends_at_once)
{
    int i;
    apr_time_t start = rp_clock_now_us();

    for (i = 0; i < 20; i++) {
        apr_pool_t *p;

        ck_assert_int_eq(apr_pool_create(&p, pool), APR_SUCCESS);
        ck_assert_int_eq(rp_caretaker_start(p, rig.eps), APR_SUCCESS);
        apr_pool_destroy(p);
    }
    ck_assert_int_lt(rp_clock_now_us() - start, 10 * SEC);
}
END_TEST

static volatile sig_atomic_t on_thread;
static pthread_t main_thread;

static void on_signal(int sig)
{
    (void)sig;
    on_thread = pthread_equal(pthread_self(), main_thread) ? 1 : 2;
}

/* A signal to the process comes to a thread of the MPM; while all of those block it, it waits. */
START_TEST(caretaker_takes_no_signals)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t usr1, pending;

    main_thread = pthread_self();
    ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
    ck_assert_int_eq(rp_caretaker_start(rig.child, rig.eps), APR_SUCCESS);
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert(sigismember(&pending, SIGUSR1));
    ck_assert_int_eq(on_thread, 0);
    ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
    ck_assert_int_eq(on_thread, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("upstream/caretaker");
    TCase *tc = tcase_create("caretaker");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, caretaker_closes_without_requests);
    tcase_add_test(tc, caretaker_ends_at_once);
    tcase_add_test(tc, caretaker_takes_no_signals);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
