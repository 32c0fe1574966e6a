/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of a worker: what each kind of end adds, and nothing else. */
#include "world.h"

#include "exchange/count.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

static rp_worker_stat_t *stat_of(void) { return worker.stat; }

START_TEST(an_answer_counts_once_everywhere)
{
    script_t s = {.responses = {OK_HEAD "ok"}, .cached = 1};
    rp_exchange_t *ex = expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    const rp_attempt_t *at = ex->at;

    ck_assert_uint_eq(stat_of()->failed[RP_FAIL_NONE], 1);
    ck_assert_uint_eq(stat_of()->sent, (apr_uint64_t)at->sent);
    ck_assert_uint_eq(stat_of()->received, (apr_uint64_t)at->received);
    ck_assert_uint_gt(stat_of()->received, 0);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->connect), 1);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->first_byte), 1);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->total), 1);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->waited), 0);
    ck_assert_uint_eq(stat_of()->connect.sum_us, (apr_uint64_t)(at->connected_us - at->taken_us));
    ck_assert_uint_eq(stat_of()->total.sum_us, (apr_uint64_t)(at->end_us - at->start_us));
}
END_TEST

START_TEST(a_reused_connection_is_no_connect)
{
    script_t s = {.responses = {OK_HEAD "ok"}, .reused = {1}};

    (void)expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->connect), 0);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->total), 1);
}
END_TEST

START_TEST(waiting_for_a_permit_is_timed)
{
    script_t s = {.responses = {OK_HEAD "ok"}, .pool_waits = 1};

    (void)expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->waited), 1);
}
END_TEST

START_TEST(waiting_in_vain_is_timed_too)
{
    script_t s = {.responses = {OK_HEAD "ok"}, .pool_waits = 1000};

    (void)expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_POOL_TIMEOUT);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->waited), 1);
    ck_assert_uint_ge(stat_of()->waited.sum_us, 1000000);
    ck_assert_uint_eq(stat_of()->failed[RP_FAIL_POOL_TIMEOUT], 1);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->total), 0);
}
END_TEST

START_TEST(a_resend_is_two_attempts)
{
    script_t s = {.responses = {"", OK_HEAD "ok"}, .reused = {1}, .end = {END_EOF}};

    (void)expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(stat_of()->failed[RP_FAIL_CLOSED_BEFORE_HEAD], 1);
    ck_assert_uint_eq(stat_of()->resent[RP_FAIL_CLOSED_BEFORE_HEAD], 1);
    ck_assert_uint_eq(stat_of()->failed[RP_FAIL_NONE], 1);
    ck_assert_uint_eq(rp_histogram_times(&stat_of()->total), 1);
}
END_TEST

START_TEST(an_abort_is_the_clients_end)
{
    script_t s = {.responses = {OK_HEAD "o"}};

    (void)world_begin(&W, &s, &base_conf, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_uint_eq(stat_of()->attempts, 1);
    rp_exchange_abort(W.ex, W.now);
    rp_exchange_abort(W.ex, W.now);
    ck_assert_uint_eq(stat_of()->attempts, 0);
    ck_assert_uint_eq(stat_of()->failed[RP_FAIL_CLIENT_GONE], 1);
    ck_assert_uint_eq(stat_of()->failed[RP_FAIL_NONE], 0);
}
END_TEST

START_TEST(answers_by_class)
{
    static const int statuses[] = {100, 101, 200, 204, 304, 404, 499, 500, 599, 0, 99, 600, -1};
    static const apr_uint64_t expected[RP_STAT_CLASSES] = {2, 2, 1, 2, 2};
    size_t i;

    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        rp_count_answer(stat_of(), statuses[i]);
    }
    for (i = 0; i < RP_STAT_CLASSES; i++) {
        ck_assert_uint_eq(stat_of()->answered[i], expected[i]);
    }
    rp_count_failover(&worker, RP_FAIL_CONNECT_REFUSED);
    ck_assert_uint_eq(stat_of()->left[RP_FAIL_CONNECT_REFUSED], 1);
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("count");

    tcase_add_test(tc, an_answer_counts_once_everywhere);
    tcase_add_test(tc, a_reused_connection_is_no_connect);
    tcase_add_test(tc, waiting_for_a_permit_is_timed);
    tcase_add_test(tc, waiting_in_vain_is_timed_too);
    tcase_add_test(tc, a_resend_is_two_attempts);
    tcase_add_test(tc, an_abort_is_the_clients_end);
    tcase_add_test(tc, answers_by_class);
    return world_main(tc);
}
