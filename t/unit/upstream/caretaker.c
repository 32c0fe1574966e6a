/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that closes old idle connections: it does so when nobody else moves, and ends at once. */
#include "upstream_unit.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

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
    ck_assert_int_eq(rp_pool_put(fresh, RP_REFUSE_NONE, rp_clock_now_us() + 60 * SEC), RP_REFUSE_NONE);
    ck_assert_int_eq(rp_pool_put(old, RP_REFUSE_NONE, then), RP_REFUSE_NONE); /* in the past: looks after nothing */
    rig.eps->maintained_us = 0; /* and nobody has since */
    pfd.fd = old_peer;
    ck_assert_int_eq(poll(&pfd, 1, 0), 0);
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

/* The signals that a thread of ours blocks, and whether it sleeps. */
static unsigned long long blocked(const char *tid, int *sleeps)
{
    char path[64], line[128];
    unsigned long long mask = 0;
    FILE *f;

    apr_snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "State:", 6) == 0) {
            *sleeps = strstr(line, "\tS") != NULL;
        }
        else if (strncmp(line, "SigBlk:", 7) == 0) {
            mask = strtoull(line + 7, NULL, 16);
        }
    }
    fclose(f);
    return mask;
}

/* Does this thread block a signal? A new one blocks all of them until it runs: it is looked at once it waits. */
static int blocks(const char *tid, int is_own, int sig)
{
    int sleeps;
    unsigned long long mask;

    do {
        (void)sched_yield();
        sleeps = 0;
        mask = blocked(tid, &sleeps);
    } while (!sleeps && !is_own);
    return (int)(mask >> (sig - 1) & 1);
}

/* Signals to the process are for the threads of the MPM. */
START_TEST(caretaker_takes_no_signals)
{
    char own[16];
    int others = 0;
    struct dirent *e;
    DIR *dir;

    apr_snprintf(own, sizeof(own), "%d", (int)getpid()); /* of the first thread */
    ck_assert_int_eq(rp_caretaker_start(rig.child, rig.eps), APR_SUCCESS);
    dir = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(dir);
    while ((e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.' && strcmp(e->d_name, own) != 0) {
            others++;
            ck_assert(blocks(e->d_name, 0, SIGTERM) && blocks(e->d_name, 0, SIGUSR1) && blocks(e->d_name, 0, SIGCHLD));
        }
    }
    closedir(dir);
    ck_assert_int_ge(others, 1); /* sanitizers have threads of their own */
    ck_assert(!blocks(own, 1, SIGTERM)); /* nor did ours change */
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
