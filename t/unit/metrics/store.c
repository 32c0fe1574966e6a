/* SPDX-License-Identifier: Apache-2.0 */
/* The store: sums over children and generations, what "now" means when a child is gone. Children are real processes. */
#include "../pool_case.h"

#include <apr_strings.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics/store.h"

static apr_array_header_t *targets;
static rp_worker_t workers[4];

static void target(const char *name, int max)
{
    rp_target_t *t = apr_array_push(targets);
    rp_worker_t *w = &workers[targets->nelts - 1];

    memset(w, 0, sizeof(*w));
    w->params.max = max;
    *t = (rp_target_t){w, 0, "h:80", "", name};
}

static void setup(void)
{
    targets = apr_array_make(pool, 4, sizeof(rp_target_t));
}

static rp_store_t *make(rp_store_t *older, int rows)
{
    rp_store_t *s;

    ck_assert_int_eq(rp_store_create(&s, older, targets, rows), APR_SUCCESS);
    ck_assert_int_eq(rp_store_fits(s), 1);
    return s;
}

static rp_metrics_page_t page;
static const rp_worker_record_t *record(const rp_store_t *s, const char *name)
{
    (void)rp_store_read(s, pool, "v", &page);
    for (int i = 0; i < page.nworkers; i++) {
        if (strcmp(page.workers[i].labels.worker, name) == 0) {
            return &page.workers[i];
        }
    }
    ck_abort_msg("no record of %s", name);
    return NULL;
}

/* A process that is there until ended() is called. */
static pid_t child(int *pipe_end)
{
    int fds[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        close(fds[1]);
        _exit((int)read(fds[0], &byte, 1));
    }
    close(fds[0]);
    *pipe_end = fds[1];
    return pid;
}

static void ended(pid_t pid, int pipe_end)
{
    close(pipe_end);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(sums_over_children)
{
    rp_store_t *s;
    int end, own, other;
    pid_t pid = child(&end);

    target("a", 3);
    target("b", 0);
    s = make(NULL, 4);
    own = rp_store_claim(s, getpid());
    other = rp_store_claim(s, pid);
    ck_assert_int_ne(own, other);
    rp_store_stat(s, own, 0)->opened = 2;
    rp_store_stat(s, other, 0)->opened = 3;
    rp_store_stat(s, own, 0)->total.sum_us = 5;
    rp_store_stat(s, other, 0)->total.sum_us = 6;
    rp_store_stat(s, own, 0)->permits = 4;
    rp_store_stat(s, own, 0)->in_flight = 1;
    rp_store_stat(s, other, 1)->attempts = 9;
    rp_store_child(s, other)->scrapes = 7;
    rp_store_child(s, other)->connections = 2;
    rp_store_child(s, own)->connections = 1;
    ck_assert_uint_eq(record(s, "a")->stat.opened, 5);
    ck_assert_uint_eq(record(s, "a")->stat.total.sum_us, 11);
    ck_assert_uint_eq(record(s, "a")->idle, 3);
    ck_assert_uint_eq(record(s, "a")->used, 1);
    ck_assert_uint_eq(record(s, "a")->max, 6);
    ck_assert_uint_eq(record(s, "b")->max, 0);
    ck_assert_uint_eq(record(s, "b")->stat.attempts, 9);
    ck_assert_uint_eq(page.process->children, 2);
    ck_assert_uint_eq(page.process->stat.scrapes, 7);
    ck_assert_uint_eq(page.process->stat.connections, 3);
    ck_assert_str_eq(page.process->version, "v");
    ended(pid, end);
    (void)record(s, "a");
    ck_assert_uint_eq(page.process->stat.connections, 1);
    ck_assert_uint_eq(page.process->stat.scrapes, 7);
    rp_store_destroy(s);
}
END_TEST

START_TEST(a_child_that_is_gone_leaves_its_counters)
{
    rp_store_t *s;
    int end, row;
    pid_t pid = child(&end);

    target("a", 0);
    s = make(NULL, 1);
    row = rp_store_claim(s, pid);
    rp_store_stat(s, row, 0)->opened = 2;
    rp_store_stat(s, row, 0)->attempts = 2;
    ck_assert_int_eq(rp_store_claim(s, getpid()), -1);
    ended(pid, end);
    ck_assert_uint_eq(record(s, "a")->stat.attempts, 0); /* although nobody told */
    rp_store_child_gone(s, pid);
    ck_assert_uint_eq(record(s, "a")->stat.opened, 2);
    row = rp_store_claim(s, getpid());
    ck_assert_int_eq(row, 0);
    rp_store_stat(s, row, 0)->opened++;
    ck_assert_uint_eq(record(s, "a")->stat.opened, 3);
    ck_assert_uint_eq(record(s, "a")->stat.attempts, 0);
    ck_assert_uint_eq(page.process->children, 1);
    rp_store_destroy(s);
}
END_TEST

START_TEST(a_row_of_a_killed_child_is_claimed_again)
{
    rp_store_t *s;
    int end;
    pid_t pid = child(&end);

    target("a", 0);
    s = make(NULL, 1);
    rp_store_stat(s, rp_store_claim(s, pid), 0)->permits = 3;
    ended(pid, end);
    ck_assert_int_eq(rp_store_claim(s, getpid()), 0);
    ck_assert_uint_eq(record(s, "a")->idle, 0);
    rp_store_destroy(s);
}
END_TEST

START_TEST(a_generation_that_still_ends_goes_on_counting)
{
    rp_store_t *s;
    rp_worker_stat_t *old;
    int end;
    pid_t pid = child(&end);

    target("gone", 0);
    target("a", 2);
    s = make(NULL, 2);
    old = rp_store_stat(s, rp_store_claim(s, pid), 1);
    old->opened = 5;
    targets->nelts = 0;
    target("new", 0);
    target("a", 2);
    s = make(s, 2);
    ck_assert_uint_eq(record(s, "a")->stat.opened, 5);
    old->opened++;
    old->attempts = 1;
    rp_store_stat(s, rp_store_claim(s, getpid()), 1)->opened = 10;
    ck_assert_uint_eq(record(s, "a")->stat.opened, 16);
    ck_assert_uint_eq(record(s, "a")->stat.attempts, 1);
    ck_assert_uint_eq(record(s, "a")->max, 2);
    ck_assert_uint_eq(record(s, "new")->stat.opened, 0);
    ck_assert_uint_eq(page.process->children, 2);
    rp_store_child_gone(s, pid);
    ck_assert_uint_eq(record(s, "a")->stat.attempts, 0);
    ended(pid, end);
    s = make(s, 2); /* takes over what the first one counted; the second still has a child: this process */
    ck_assert_uint_eq(record(s, "a")->stat.opened, 16);
    ck_assert_uint_eq(page.nworkers, 2);
    rp_store_destroy(s);
}
END_TEST

START_TEST(many_generations)
{
    rp_store_t *s = NULL;

    target("a", 0);
    for (int i = 0; i < 3 * RP_STORE_OLDER_MAX; i++) { /* each has a child that does not end */
        s = make(s, 2);
        rp_store_stat(s, rp_store_claim(s, getpid()), 0)->opened = 1;
        ck_assert_uint_eq(record(s, "a")->stat.opened, (apr_uint64_t)i + 1);
    }
    rp_store_destroy(s);
}
END_TEST

START_TEST(equal_names_are_one_record)
{
    rp_store_t *s;
    int row;

    target("a", 2);
    target("b", 1);
    target("a", 3);
    target("b", 0);
    s = make(NULL, 1);
    row = rp_store_claim(s, getpid());
    rp_store_stat(s, row, 0)->opened = 1;
    rp_store_stat(s, row, 2)->opened = 2;
    ck_assert_uint_eq(record(s, "a")->stat.opened, 3);
    ck_assert_uint_eq(record(s, "a")->max, 5);
    ck_assert_uint_eq(record(s, "b")->max, 0);
    ck_assert_int_eq(page.nworkers, 2);
    s = make(s, 1);
    ck_assert_uint_eq(record(s, "a")->stat.opened, 3);
    rp_store_destroy(s);
}
END_TEST

START_TEST(more_permits_out_than_connections)
{
    rp_store_t *s;
    int row;

    target("a", 0);
    s = make(NULL, 1);
    row = rp_store_claim(s, getpid());
    rp_store_stat(s, row, 0)->in_flight = 2;
    rp_store_stat(s, row, 0)->permits = 1;
    ck_assert_uint_eq(record(s, "a")->idle, 0);
    rp_store_destroy(s);
}
END_TEST

START_TEST(rows_are_limited_by_memory)
{
    rp_store_t *s;
    int n = 0;

    for (int i = 0; i < 4; i++) {
        target("a", 0);
    }
    s = make(NULL, 2000000);
    while (n < 1000 && rp_store_claim(s, getpid()) == n) {
        n++;
    }
    ck_assert_int_eq(n, 1000);
    rp_store_destroy(s);
    rp_store_destroy(NULL);
}
END_TEST

START_TEST(workers_that_come_at_run_time)
{
    rp_store_t *s;
    rp_target_t *t;
    const int *place;
    int row, x;

    target("a", 0);
    t = apr_array_push(targets);
    *t = (rp_target_t){NULL, 1, "h:80", "c", "-"};
    s = make(NULL, 2);
    row = rp_store_claim(s, getpid());
    x = rp_store_grow(s, 1, "http://x/");
    ck_assert_int_ge(x, 2);
    ck_assert_int_eq(rp_store_grow(s, 1, "http://x/"), x);
    ck_assert_int_ne(rp_store_grow(s, 1, "http://y/"), x);
    rp_store_stat(s, row, x)->opened = 4;
    ck_assert_int_eq(rp_store_target_of(s, row, rp_store_stat(s, row, x)), x);
    ck_assert_int_eq(rp_store_target_of(s, row, &workers[0].own_stat), -1);
    ck_assert_uint_eq(record(s, "http://x/")->stat.opened, 4);
    ck_assert_str_eq(record(s, "http://x/")->labels.balancer, "c");
    ck_assert_int_eq(record(s, "http://x/")->nobody, 0);
    place = rp_store_read(s, pool, "v", &page);
    ck_assert_str_eq(page.workers[place[x]].labels.worker, "http://x/");
    ck_assert_int_eq(place[x + 10], -1);

    s = make(s, 2); /* they go on */
    ck_assert_uint_eq(record(s, "http://x/")->stat.opened, 4);
    row = rp_store_claim(s, getpid());
    rp_store_stat(s, row, rp_store_grow(s, 1, "http://x/"))->opened = 1;
    ck_assert_uint_eq(record(s, "http://x/")->stat.opened, 5);

    t = apr_array_push(targets); /* one is written into the configuration */
    *t = (rp_target_t){&workers[3], 0, "h:80", "c", "http://x/"};
    s = make(s, 2);
    ck_assert_uint_eq(record(s, "http://x/")->stat.opened, 5);
    ck_assert_int_eq(page.nworkers, 4);

    targets->nelts = 1; /* their balancer goes */
    s = make(s, 2);
    (void)record(s, "a");
    ck_assert_int_eq(page.nworkers, 1);
    rp_store_destroy(s);
}
END_TEST

START_TEST(room_for_workers_that_come_is_limited)
{
    rp_store_t *s;
    char longer[RP_WORKER_NAME_MAX + 2];

    target("a", 0);
    s = make(NULL, 1);
    memset(longer, 'x', sizeof(longer));
    longer[RP_WORKER_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(rp_store_grow(s, 0, longer), -1);
    longer[RP_WORKER_NAME_MAX] = '\0';
    ck_assert_int_ge(rp_store_grow(s, 0, longer), 0);
    for (int i = 1; i < RP_STORE_GROWN_MAX; i++) {
        ck_assert_int_ge(rp_store_grow(s, 0, apr_itoa(pool, i)), 0);
    }
    ck_assert_int_eq(rp_store_grow(s, 0, "one more"), -1);
    ck_assert_int_ge(rp_store_grow(s, 0, "5"), 0);
    rp_store_destroy(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store");
    TCase *tc = case_new(s, "store");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, sums_over_children);
    tcase_add_test(tc, a_child_that_is_gone_leaves_its_counters);
    tcase_add_test(tc, a_row_of_a_killed_child_is_claimed_again);
    tcase_add_test(tc, a_generation_that_still_ends_goes_on_counting);
    tcase_add_test(tc, many_generations);
    tcase_add_test(tc, equal_names_are_one_record);
    tcase_add_test(tc, more_permits_out_than_connections);
    tcase_add_test(tc, rows_are_limited_by_memory);
    tcase_add_test(tc, workers_that_come_at_run_time);
    tcase_add_test(tc, room_for_workers_that_come_is_limited);
    return suite_main(s);
}
