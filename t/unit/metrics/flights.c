/* SPDX-License-Identifier: Apache-2.0 */
/* What is under way: places taken and given back, by threads too; children that are gone; texts that are cut. */
#include "../pool_case.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics/flights.h"

static rp_flights_t *all;
static rp_flight_row_t *row;
static const rp_flight_words_t words = {"front.test", "one", NULL, "GET / HTTP/1.1"};

static void make(int children, int threads)
{
    ck_assert_int_eq(rp_flights_create(&all, pool, children, threads), APR_SUCCESS);
    row = rp_flights_claim(all, getpid());
    ck_assert_ptr_nonnull(row);
}

static rp_flight_t last;
static void count(void *ctx, const rp_flight_t *flight, pid_t pid)
{
    ck_assert_int_ne(pid, 0);
    last = *flight;
    ++*(int *)ctx;
}

static int under_way(int *more)
{
    int n = 0, lost = rp_flights_read(all, count, &n);

    if (more != NULL) {
        *more = lost;
    }
    return n;
}

START_TEST(comes_and_goes)
{
    rp_flight_t *f, *g;

    make(2, 4);
    f = rp_flight_begin(row, 7, &words, 42);
    ck_assert_int_eq(under_way(NULL), 1);
    ck_assert_str_eq(last.vhost, "front.test");
    ck_assert_str_eq(last.balancer, "one");
    ck_assert_str_eq(last.worker, "");
    ck_assert_str_eq(last.request, "GET / HTTP/1.1");
    ck_assert_uint_eq(last.viewer, 42);
    ck_assert_int_eq(last.began_us, 7);
    rp_flight_worker(f, "http://a", 43);
    rp_flight_worker(f, "http://b", 44);
    rp_flight_step(f, 5);
    ck_assert_int_eq(under_way(NULL), 1);
    ck_assert_str_eq(last.worker, "http://b");
    ck_assert_uint_eq(last.owner, 44);
    ck_assert_uint_eq(last.tries, 2);
    ck_assert_uint_eq(last.step, 5);
    rp_flight_end(row, f);
    ck_assert_int_eq(under_way(NULL), 0);
    g = rp_flight_begin(row, 8, &words, 42);
    ck_assert_ptr_eq(f, g); /* the one that is still in the cache */
    (void)under_way(NULL);
    ck_assert_uint_eq(last.tries, 0);
    ck_assert_uint_eq(last.owner, 0);
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char text[1024];
    rp_flight_words_t big = {text, text, text, text};

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    make(1, 1);
    (void)rp_flight_begin(row, 1, &big, 1);
    ck_assert_int_eq(under_way(NULL), 1);
    ck_assert_uint_eq(strlen(last.vhost), RP_FLIGHT_VHOST_SIZE - 1);
    ck_assert_uint_eq(strlen(last.balancer), RP_FLIGHT_BALANCER_SIZE - 1);
    ck_assert_uint_eq(strlen(last.worker), RP_FLIGHT_WORKER_SIZE - 1);
    ck_assert_uint_eq(strlen(last.request), RP_FLIGHT_REQUEST_SIZE - 1);
}
END_TEST

/* Every place is used before one is only counted, and all come back. */
START_TEST(more_than_there_are_places)
{
    rp_flight_t *f[RP_FLIGHT_PLACES_MAX + 10];
    int more;

    make(1, 1000);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < RP_FLIGHT_PLACES_MAX + 10; i++) {
            f[i] = rp_flight_begin(row, 1, &words, 1);
            rp_flight_worker(f[i], "http://a", 1);
        }
        ck_assert_int_eq(under_way(&more), RP_FLIGHT_PLACES_MAX);
        ck_assert_int_eq(more, 10);
        for (int i = 0; i < RP_FLIGHT_PLACES_MAX + 10; i++) {
            rp_flight_end(row, f[i]);
        }
        ck_assert_int_eq(under_way(&more), 0);
        ck_assert_int_eq(more, 0);
    }
}
END_TEST

START_TEST(without_a_row_nothing_is_kept)
{
    rp_flight_t *f;

    make(1, 1);
    f = rp_flight_begin(NULL, 1, &words, 1);
    rp_flight_worker(f, "http://a", 1);
    rp_flight_step(f, 3);
    rp_flight_end(NULL, f);
    rp_flight_end(row, NULL);
    ck_assert_int_eq(under_way(NULL), 0);
}
END_TEST

static void in_child(int fd)
{
    rp_flight_row_t *own = rp_flights_claim(all, getpid());

    if (own == NULL) {
        _exit(3);
    }
    (void)rp_flight_begin(own, 1, &words, 1);
    (void)rp_flight_begin(own, 1, &words, 1);
    _exit(write(fd, "x", 1) == 1 ? 0 : 4);
}

START_TEST(a_dead_child_has_nothing_under_way)
{
    int fds[2];
    char byte;
    pid_t pid;

    make(2, 4);
    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        in_child(fds[1]);
    }
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(under_way(NULL), 0); /* nobody told yet */
    rp_flights_child_gone(all, pid);
    ck_assert_int_eq(under_way(NULL), 0);
    ck_assert_ptr_nonnull(rp_flights_claim(all, getpid())); /* the row is free again, and empty */
    ck_assert_int_eq(under_way(NULL), 0);
    ck_assert_ptr_null(rp_flights_claim(all, getpid()));
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(memory_of_other_code_is_not_used)
{
    make(4, 1);
    ck_assert_int_eq(rp_flights_fit(all, 4), 1);
    ck_assert_int_eq(rp_flights_fit(all, 5), 0);
    *(apr_uint32_t *)all = 1;
    ck_assert_int_eq(rp_flights_fit(all, 4), 0);
}
END_TEST

#define THREADS 4
static void *work(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        rp_flight_t *f = rp_flight_begin(row, 1, &words, 1), *g = rp_flight_begin(row, 1, &words, 1);

        rp_flight_worker(f, "http://a", 1);
        rp_flight_step(g, 2);
        rp_flight_end(row, f);
        rp_flight_end(row, g);
    }
    return NULL;
}

/* No place is lost or given twice. */
START_TEST(threads)
{
    pthread_t t[THREADS];
    int more;

    make(1, 4);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&t[i], NULL, work, NULL), 0);
    }
    for (int i = 0; i < 200; i++) {
        ck_assert_int_le(under_way(NULL), 2 * THREADS);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    }
    ck_assert_int_eq(under_way(&more), 0);
    ck_assert_int_eq(more, 0);
    for (int i = 0; i < 256; i++) {
        (void)rp_flight_begin(row, 1, &words, 1);
    }
    ck_assert_int_eq(under_way(&more), 256);
    ck_assert_int_eq(more, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flights");
    TCase *tc = case_new(s, "flights");

    tcase_add_test(tc, comes_and_goes);
    tcase_add_test(tc, long_texts_are_cut);
    tcase_add_test(tc, more_than_there_are_places);
    tcase_add_test(tc, without_a_row_nothing_is_kept);
    tcase_add_test(tc, a_dead_child_has_nothing_under_way);
    tcase_add_test(tc, memory_of_other_code_is_not_used);
    tcase_add_test(tc, threads);
    return suite_main(s);
}
