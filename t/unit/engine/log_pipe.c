/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes to log programs: what is written at once, what waits, what is lost and what is told of it, the end. */
#include "../pool_case.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/log_pipe.h"
#include "upstream/clock.h"

#define LIMIT 300000
#define LONG (3 * PIPE_BUF + 17)

/* What was told; under the lock. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static apr_uint64_t told[RP_LOG_GIVEN_UP + 1];
static int times[RP_LOG_GIVEN_UP + 1];
static apr_status_t broken_rv;

static rp_child_stat_t stat_of_child;
static int ends[2]; /* of the pipe */
static rp_log_pipes_t *ps;
static rp_log_pipe_t *p;

static void on_report(void *ctx, const char *name, rp_log_event_e event, apr_uint64_t n, apr_status_t rv)
{
    ck_assert_ptr_eq(ctx, &stat_of_child);
    ck_assert_str_eq(name, "|prog");
    (void)pthread_mutex_lock(&mutex);
    told[event] += n;
    times[event]++;
    if (event == RP_LOG_BROKEN) {
        broken_rv = rv;
    }
    (void)pthread_mutex_unlock(&mutex);
}

static apr_uint64_t told_of(rp_log_event_e event)
{
    apr_uint64_t n;

    (void)pthread_mutex_lock(&mutex);
    n = told[event];
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

static int times_of(rp_log_event_e event)
{
    int n;

    (void)pthread_mutex_lock(&mutex);
    n = times[event];
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

static apr_uint64_t counted(apr_uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

static void begin_with(int start, apr_size_t limit)
{
    rp_log_pipes_conf_t conf = {.limit = limit, .stat = &stat_of_child, .report = on_report, .ctx = &stat_of_child};

    (void)signal(SIGPIPE, SIG_IGN);
    memset(told, 0, sizeof(told));
    memset(times, 0, sizeof(times));
    memset(&stat_of_child, 0, sizeof(stat_of_child));
    ck_assert_int_eq(pipe(ends), 0);
    ps = rp_log_pipes_create(pool);
    ck_assert_int_eq(rp_log_pipes_add(ps, ends[1], "|prog", &p), APR_SUCCESS);
    ck_assert_int_eq(rp_log_pipes_count(ps), 1);
    if (start) {
        ck_assert_int_eq(rp_log_pipes_start(ps, &conf), APR_SUCCESS);
    }
}

static void begin(int start) { begin_with(start, LIMIT); }

/* Line i, of len bytes and in three pieces. */
static apr_status_t put(int i, int len)
{
    char number[16], fill[LONG];
    const char *pieces[3] = {number, fill, "\n"};
    int lengths[3];

    (void)snprintf(number, sizeof(number), "%08d ", i);
    memset(fill, 'a' + i % 26, sizeof(fill));
    lengths[0] = 9;
    lengths[1] = len - 10;
    lengths[2] = 1;
    return rp_log_pipe_write(p, pieces, lengths, 3, (apr_size_t)len);
}

/* Read line i, which has to be whole. */
static void expect_line(int i, int len)
{
    char line[LONG + 1], number[16];
    int n = 0;

    while (n < len) {
        struct pollfd fd = {.fd = ends[0], .events = POLLIN};
        ssize_t got;

        ck_assert_msg(poll(&fd, 1, 20000) == 1, "line %d: %d of %d bytes came", i, n, len);
        got = read(ends[0], line + n, (size_t)(len - n));
        ck_assert_int_gt(got, 0);
        n += (int)got;
    }
    (void)snprintf(number, sizeof(number), "%08d ", i);
    ck_assert_msg(!memcmp(line, number, 9), "line %d is %.9s", i, line);
    for (int k = 9; k < len - 1; k++) {
        ck_assert_int_eq(line[k], 'a' + i % 26);
    }
    ck_assert_int_eq(line[len - 1], '\n');
}

static int in_pipe(void)
{
    int n = 0;

    ck_assert_int_eq(ioctl(ends[0], FIONREAD, &n), 0);
    return n;
}

static void await(apr_uint64_t (*value)(rp_log_event_e), rp_log_event_e event, apr_uint64_t least)
{
    apr_time_t until = rp_clock_now_us() + 20000000;

    while (value(event) < least && rp_clock_now_us() < until) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_ge(value(event), least);
}

static void finish(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- cases ---- */

START_TEST(a_line_is_written_at_once)
{
    begin(1);
    ck_assert_int_eq(put(1, 100), APR_SUCCESS);
    ck_assert_int_eq(in_pipe(), 100);
    expect_line(1, 100);
    ck_assert_int_eq(put(2, PIPE_BUF), APR_SUCCESS);
    ck_assert_int_eq(in_pipe(), PIPE_BUF);
    expect_line(2, PIPE_BUF);
    ck_assert_uint_eq(counted(&stat_of_child.log_waited), 0);
    rp_log_pipes_end(ps, rp_clock_now_us() + 1000000);
    finish();
}
END_TEST

START_TEST(the_shared_pipe_still_waits)
{
    begin(1);
    ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    rp_log_pipes_end(ps, rp_clock_now_us());
    finish();
}
END_TEST

START_TEST(lines_of_all_sizes_keep_their_order)
{
    static const int sizes[] = {100, LONG, 11, PIPE_BUF, PIPE_BUF + 1, 3000, 2000, LONG};
    int i;

    begin(1);
    for (i = 0; i < 60; i++) {
        ck_assert_int_eq(put(i, sizes[i % ROWS(sizes)]), APR_SUCCESS);
    }
    ck_assert_uint_gt(counted(&stat_of_child.log_waited), 20);
    for (i = 0; i < 60; i++) {
        expect_line(i, sizes[i % ROWS(sizes)]);
    }
    ck_assert_int_eq(put(60, 50), APR_SUCCESS);
    expect_line(60, 50);
    ck_assert_uint_eq(counted(&stat_of_child.log_lost), 0);
    rp_log_pipes_end(ps, rp_clock_now_us() + 1000000);
    ck_assert_uint_eq(told_of(RP_LOG_GIVEN_UP), 0);
    finish();
}
END_TEST

START_TEST(beyond_the_limit_lines_are_lost_and_told)
{
    apr_uint64_t lost;
    int i, n = 500, kept;

    begin(1);
    for (i = 0; i < n; i++) {
        ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
    }
    await(told_of, RP_LOG_LOST, 1);
    for (; i < n + 5; i++) { /* told of at once, but once */
        ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
        (void)poll(NULL, 0, 20);
    }
    ck_assert_int_eq(times_of(RP_LOG_LOST), 1);
    lost = counted(&stat_of_child.log_lost);
    kept = i - (int)lost;
    ck_assert_int_ge(kept, (LIMIT + 60000) / 1100);
    ck_assert_int_le(kept, LIMIT / 1000 + 65536 / 1000 + 1);
    for (i = 0; i < kept; i++) { /* the first ones */
        expect_line(i, 1000);
    }
    ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
    expect_line(i, 1000);
    rp_log_pipes_end(ps, rp_clock_now_us() + 1000000);
    ck_assert_uint_eq(told_of(RP_LOG_LOST), lost); /* what was lost after the first report is told at the end */
    ck_assert_int_eq(times_of(RP_LOG_LOST), 2);
    finish();
}
END_TEST

/* A program that reads on. */
static void *read_30(void *unused)
{
    for (int i = 0; i < 30; i++) {
        expect_line(i, 5000);
    }
    return unused;
}

START_TEST(the_end_writes_what_is_read)
{
    pthread_t reader;
    int i;

    begin(1);
    for (i = 0; i < 30; i++) {
        ck_assert_int_eq(put(i, 5000), APR_SUCCESS);
    }
    ck_assert_int_eq(pthread_create(&reader, NULL, read_30, NULL), 0);
    rp_log_pipes_end(ps, rp_clock_now_us() + 20000000);
    (void)pthread_join(reader, NULL);
    ck_assert_uint_eq(told_of(RP_LOG_GIVEN_UP), 0);
    ck_assert_uint_eq(counted(&stat_of_child.log_lost), 0);
    finish();
}
END_TEST

START_TEST(the_end_does_not_wait_beyond_its_time)
{
    apr_time_t began;
    int i;

    begin(1);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
    }
    began = rp_clock_now_us();
    rp_log_pipes_end(ps, began + 200000);
    ck_assert_int_ge(rp_clock_now_us() - began, 200000);
    ck_assert_int_lt(rp_clock_now_us() - began, 5000000);
    ck_assert_uint_ge(told_of(RP_LOG_GIVEN_UP), 30);
    ck_assert_uint_eq(told_of(RP_LOG_GIVEN_UP), counted(&stat_of_child.log_lost));
    rp_log_pipes_end(ps, began); /* again */
    ck_assert_int_eq(put(100, 1000), APR_SUCCESS); /* lost, not waited for */
    ck_assert_uint_eq(counted(&stat_of_child.log_lost), told_of(RP_LOG_GIVEN_UP) + 1);
    finish();
}
END_TEST

START_TEST(behind_the_end_lines_are_written_if_they_can_be)
{
    begin(1);
    rp_log_pipes_end(ps, rp_clock_now_us() + 1000000);
    ck_assert_int_eq(put(1, 100), APR_SUCCESS);
    expect_line(1, 100);
    finish();
}
END_TEST

START_TEST(without_a_thread_nothing_waits)
{
    int i;

    begin(0);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
    }
    expect_line(0, 1000);
    rp_log_pipes_end(ps, rp_clock_now_us());
    finish();
}
END_TEST

START_TEST(a_program_that_is_gone)
{
    int i;

    begin(1);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
    }
    (void)close(ends[0]);
    await(told_of, RP_LOG_BROKEN, 30);
    ck_assert_int_eq(broken_rv, EPIPE);
    ck_assert_uint_eq(counted(&stat_of_child.log_lost), told_of(RP_LOG_BROKEN));
    ck_assert_int_eq(put(100, 1000), EPIPE);
    rp_log_pipes_end(ps, rp_clock_now_us() + 1000000);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_program_that_does_not_read_is_told_of_once)
{
    int i;

    begin(1);
    for (i = 0; i < 70; i++) {
        ck_assert_int_eq(put(i, 1000), APR_SUCCESS);
    }
    await(told_of, RP_LOG_STALLED, 1000);
    ck_assert_uint_lt(told_of(RP_LOG_STALLED), 20000);
    ck_assert_int_eq(put(70, 1000), APR_SUCCESS);
    rp_log_pipes_end(ps, rp_clock_now_us() + 100000);
    ck_assert_uint_lt(told_of(RP_LOG_STALLED), 20000);
    finish();
}
END_TEST

/* ---- several threads ---- */

static int number_of(const char *line)
{
    int n = 0;

    for (int i = 0; i < 8; i++) {
        n = n * 10 + (line[i] - '0');
    }
    return n;
}

#define WRITERS 3
#define EACH 300

static void *write_many(void *data)
{
    int base = *(const int *)data;

    for (int i = 0; i < EACH; i++) {
        ck_assert_int_eq(put(base + i, i % 10 == 9 ? LONG : 200), APR_SUCCESS);
        if (i % 16 == 0) {
            (void)poll(NULL, 0, 1);
        }
    }
    return NULL;
}

/* Whole lines, those of each thread in their order. */
START_TEST(threads_write_together)
{
    static int bases[WRITERS];
    int next[WRITERS], left = WRITERS * EACH, k;
    pthread_t threads[WRITERS];

    begin_with(1, 10 * LIMIT);
    for (k = 0; k < WRITERS; k++) {
        bases[k] = next[k] = k * 1000;
        ck_assert_int_eq(pthread_create(&threads[k], NULL, write_many, &bases[k]), 0);
    }
    while (left > 0) {
        char line[LONG + 1];
        int n = 0, i;

        do {
            struct pollfd fd = {.fd = ends[0], .events = POLLIN};

            ck_assert_int_eq(poll(&fd, 1, 20000), 1);
            ck_assert_int_lt(n, LONG);
            ck_assert_int_eq(read(ends[0], line + n, 1), 1);
        } while (line[n++] != '\n');
        i = number_of(line);
        ck_assert(i >= 0 && i < WRITERS * 1000);
        ck_assert_int_eq(i, next[i / 1000]);
        next[i / 1000]++;
        ck_assert_int_eq(n, i % 1000 % 10 == 9 ? LONG : 200);
        left--;
    }
    ck_assert_uint_eq(counted(&stat_of_child.log_lost), 0);
    for (k = 0; k < WRITERS; k++) {
        (void)pthread_join(threads[k], NULL);
    }
    rp_log_pipes_end(ps, rp_clock_now_us() + 1000000);
    finish();
}
END_TEST

START_TEST(what_is_no_pipe_is_refused)
{
    rp_log_pipe_t *none;

    ps = rp_log_pipes_create(pool);
    ck_assert_int_ne(rp_log_pipes_add(ps, -1, "|prog", &none), APR_SUCCESS);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(rp_log_pipes_count(ps), 0);
    rp_log_pipes_end(ps, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine/log_pipe");
    TCase *tc = case_new(s, "log_pipe");

    tcase_add_test(tc, a_line_is_written_at_once);
    tcase_add_test(tc, the_shared_pipe_still_waits);
    tcase_add_test(tc, lines_of_all_sizes_keep_their_order);
    tcase_add_test(tc, beyond_the_limit_lines_are_lost_and_told);
    tcase_add_test(tc, the_end_writes_what_is_read);
    tcase_add_test(tc, the_end_does_not_wait_beyond_its_time);
    tcase_add_test(tc, behind_the_end_lines_are_written_if_they_can_be);
    tcase_add_test(tc, without_a_thread_nothing_waits);
    tcase_add_test(tc, a_program_that_is_gone);
    tcase_add_test(tc, a_program_that_does_not_read_is_told_of_once);
    tcase_add_test(tc, threads_write_together);
    tcase_add_test(tc, what_is_no_pipe_is_refused);
    return suite_main(s);
}
