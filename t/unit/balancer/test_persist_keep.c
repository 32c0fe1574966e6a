/* SPDX-License-Identifier: Apache-2.0 */
/* Slots as rows of the state file and back: every value comes back, values that can not be refuse the whole. */
#include <apr_strings.h>
#include <string.h>

#include "../pool_case.h"
#include "balancer/persist_keep.h"
#include "balancer/settings.h"

static const rp_persist_now_t then = {5000000000, 1700000000000000}, now = {7000000000, 1700000100000000};

static rp_kept_t *sample(void)
{
    rp_kept_t *kept = apr_pcalloc(pool, sizeof(*kept));
    rp_shm_member_t *m = apr_pcalloc(pool, 2 * sizeof(*m));
    rp_balancer_settings_t b = {0};
    rp_member_settings_t s = {0};
    int i;

    kept->key = "front.test:80|balancer://b|0";
    kept->members = m;
    kept->nmembers = 2;
    kept->balancer.unanswered = 7;
    kept->balancer.forced_recoveries = 8;
    b.runtime = (1u << RP_BF_COUNT) - 1;
    b.maxattempts = -1;
    b.stickysep = '!';
    b.nofailover = b.forcerecovery = 1;
    b.timeout_us = 1500000;
    rp_setting_text(b.lbmethod, sizeof(b.lbmethod), "bytraffic");
    rp_shm_codes_set(b.failonstatus, "500,503");
    b.changed_at = 12;
    rp_setting_text(b.changed_why, sizeof(b.changed_why), "me: \n");
    for (i = 0; i < RP_BF_COUNT; i++) {
        kept->balancer.configured[i] = 0xfffffff0u + (unsigned)i;
    }
    rp_shm_balancer_write(&kept->balancer, &b);

    s.state = RP_SLOT_USED;
    s.runtime = 1u << RP_MF_WEIGHT | 1u << RP_MF_REDIRECT | 1u << RP_MF_HCINTERVAL | 1u << RP_MF_HCTIMEOUT | 1u << RP_MF_HCHOST;
    s.weight_x100 = 250;
    s.hcinterval_us = 100000;
    s.hctimeout_us = 1500000;
    memset(s.hchost, 'h', sizeof(s.hchost) - 1); /* as long as it may be */
    s.drain_until = 99;
    s.drain_then = RP_DRAIN_DISABLED;
    rp_setting_text(s.url, sizeof(s.url), "http://127.0.0.1:1");
    rp_setting_text(s.redirect, sizeof(s.redirect), "");
    rp_shm_member_write(&m[0], &s);
    m[0].status = RP_ST_INITIALIZED | RP_ST_IN_ERROR | RP_ST_DRAIN;
    m[0].status_runtime = RP_ST_DRAIN;
    m[0].configured_status = RP_ST_INITIALIZED;
    m[0].error_us = then.mono_us - 1000;
    m[0].error_why = RP_WHY_STATUS;
    m[0].error_status = 503;
    m[0].retries = 3;
    m[0].elected = APR_UINT64_MAX;
    m[0].responses[4] = 5;
    m[0].checks_changed = 11;
    m[0].latency_us = 17;
    m[0].times[RP_TIMES_TOTAL].sum_us = 1234;
    m[0].times[RP_TIMES_TOTAL].count[RP_SHM_BUCKETS - 1] = 9;
    s = (rp_member_settings_t){0};
    s.state = RP_SLOT_USED;
    s.added = 1;
    rp_setting_text(s.url, sizeof(s.url), "http://127.0.0.1:2");
    rp_shm_member_write(&m[1], &s);
    m[1].status = RP_ST_INITIALIZED | RP_ST_DISABLED;
    return kept;
}

static apr_array_header_t *rows_of_sample(void)
{
    apr_array_header_t *rows = apr_array_make(pool, 64, sizeof(rp_persist_row_t)), *back;
    const char *text, *why;
    apr_size_t len;

    rp_persist_rows(pool, sample(), "balancer://b", then, rows);
    /* over the text of a file */
    ck_assert_int_eq(rp_persist_encode(pool, rows, &text, &len), APR_SUCCESS);
    ck_assert_int_eq(rp_persist_decode(pool, text, len, &back, &why), APR_SUCCESS);
    return back;
}

START_TEST(every_value_comes_back)
{
    const rp_kept_t *want = sample(), *got;
    rp_balancer_settings_t b, wanted_b;
    rp_member_settings_t s, wanted_s;
    const char *why;
    rp_keep_t *keep = rp_persist_keep(pool, rows_of_sample(), now, &why);

    ck_assert_ptr_nonnull(keep);
    ck_assert_int_eq(keep->balancers->nelts, 1);
    got = APR_ARRAY_IDX(keep->balancers, 0, rp_kept_t *);
    ck_assert_str_eq(got->key, want->key);
    ck_assert_uint_eq(got->balancer.unanswered, 7);
    ck_assert_uint_eq(got->balancer.forced_recoveries, 8);
    ck_assert_mem_eq(got->balancer.configured, want->balancer.configured, sizeof(want->balancer.configured));
    ck_assert_int_eq(rp_shm_balancer_read(&got->balancer, &b), APR_SUCCESS);
    ck_assert_int_eq(rp_shm_balancer_read(&want->balancer, &wanted_b), APR_SUCCESS);
    ck_assert_mem_eq(&b, &wanted_b, sizeof(b));
    ck_assert_int_eq(got->nmembers, 2);
    ck_assert_int_eq(rp_shm_member_read(&got->members[0], &s), APR_SUCCESS);
    ck_assert_int_eq(rp_shm_member_read(&want->members[0], &wanted_s), APR_SUCCESS);
    ck_assert_mem_eq(&s, &wanted_s, sizeof(s));
    ck_assert_int_eq(rp_shm_member_read(&got->members[1], &s), APR_SUCCESS);
    ck_assert_uint_eq(s.added, 1);
    ck_assert_str_eq(s.url, "http://127.0.0.1:2");
    ck_assert_uint_eq(got->members[1].status, want->members[1].status);
}
END_TEST

START_TEST(what_was_learned_and_counted_comes_back)
{
    const rp_shm_member_t *want = &sample()->members[0], *got;
    const char *why;
    rp_keep_t *keep = rp_persist_keep(pool, rows_of_sample(), now, &why);

    ck_assert_ptr_nonnull(keep);
    got = &APR_ARRAY_IDX(keep->balancers, 0, rp_kept_t *)->members[0];
    ck_assert_uint_eq(got->status, want->status);
    ck_assert_uint_eq(got->status_runtime, want->status_runtime);
    ck_assert_uint_eq(got->configured_status, want->configured_status);
    ck_assert_uint_eq(got->error_why, want->error_why);
    ck_assert_uint_eq(got->error_status, want->error_status);
    ck_assert_uint_eq(got->retries, want->retries);
    ck_assert_uint_eq(got->elected, want->elected);
    ck_assert_uint_eq(got->responses[4], want->responses[4]);
    ck_assert_uint_eq(got->checks_changed, want->checks_changed);
    ck_assert_uint_eq(got->latency_us, want->latency_us);
    ck_assert_mem_eq(got->times, want->times, sizeof(want->times));
    /* the error is 100 s older by the wall clock, and by the monotonic one, too */
    ck_assert_int_eq(now.mono_us - got->error_us, 100000000 + 1000);
}
END_TEST

START_TEST(error_from_before_the_machine_started_is_over)
{
    const rp_persist_now_t fresh = {50000000, now.wall}, back = {now.mono_us, then.wall - 5000000};
    const char *why;
    rp_keep_t *keep = rp_persist_keep(pool, rows_of_sample(), fresh, &why);

    ck_assert_int_eq(APR_ARRAY_IDX(keep->balancers, 0, rp_kept_t *)->members[0].error_us, 0);
    keep = rp_persist_keep(pool, rows_of_sample(), back, &why); /* a wall clock that was set back */
    ck_assert_int_eq(APR_ARRAY_IDX(keep->balancers, 0, rp_kept_t *)->members[0].error_us, 0);
}
END_TEST

static const struct {
    const char *member, *key, *configured, *value;
    int good;
} rows[] = {
    { "http://h", "loadfactor", "1", "100", 1 },
    { "http://h", "loadfactor", "1", "99", 0 },
    { "http://h", "loadfactor", "1", "10001", 0 },
    { "http://h", "loadfactor", NULL, "100", 0 },
    { "http://h", "loadfactor", "4294967296", "100", 0 },
    { "http://h", "loadfactor", "x", "100", 0 },
    { "http://h", "lbset", "1", "99", 1 },
    { "http://h", "lbset", "1", "100", 0 },
    { "http://h", "lbset", "1", "-1", 0 },
    { "http://h", "lbset", "1", "", 0 },
    { "http://h", "hcpasses", "1", "2147483648", 0 },
    { "http://h", "hcinterval", "1", "-5", 0 },
    { "http://h", "hctimeout", "1", "0", 1 },
    { "http://h", "hctimeout", "1", "-1", 0 },
    { "http://h", "hchost", "1", "", 1 },
    { "http://h", "hchost", NULL, "h", 0 },
    { "http://h", "route", "1", "", 1 },
    { "http://h", "route", "1", "0123456789012345678901234567890123456789012345678901234567890123", 0 },
    { "http://h", "status", "1", "4294967295", 1 },
    { "http://h", "status", NULL, "1", 0 },
    { "http://h", "status", "1", "4294967296", 0 },
    { "http://h", "added", NULL, "2", 0 },
    { "http://h", "elected", NULL, "18446744073709551616", 0 },
    { "http://h", "elected", NULL, "1x", 0 },
    { "http://h", "retries", NULL, "4294967296", 0 },
    { "http://h", "drain_then", NULL, "3", 0 },
    { "http://h", "error_at", NULL, "99999999999999999999", 0 },
    { "http://h", "times_total", NULL, "1,2", 0 },
    { "http://h", "times_total", NULL, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 1 },
    { "http://h", "times_total", NULL, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18", 0 },
    { "http://h", "times_total", NULL, ",,,,,,,,,,,,,,,,", 0 },
    { "http://h", "of_the_future", NULL, "x", 1 },
    { NULL, "of_the_future", NULL, "x", 1 },
    { NULL, "maxattempts", "1", "-1", 1 },
    { NULL, "maxattempts", "1", "-2", 0 },
    { NULL, "nofailover", "1", "2", 0 },
    { NULL, "stickysessionsep", "1", "256", 0 },
    { NULL, "failonstatus", "1", "00", 0 },
    { NULL, "lbmethod", "1", "0123456789abcdef", 0 },
    { NULL, "unanswered", NULL, "-1", 0 },
    { NULL, "changed_at", NULL, "x", 0 },
};

START_TEST(value_that_can_not_be_refuses_the_whole)
{
    apr_array_header_t *all = rows_of_sample();
    rp_persist_row_t row = {"k", "balancer://b", rows[_i].member, rows[_i].key, rows[_i].configured, rows[_i].value};
    const char *why;
    rp_keep_t *keep;

    APR_ARRAY_PUSH(all, rp_persist_row_t) = row;
    keep = rp_persist_keep(pool, all, now, &why);
    ck_assert_msg((keep != NULL) == rows[_i].good, "%s=%s", rows[_i].key, rows[_i].value);
    ck_assert_int_eq(keep == NULL, why != NULL);
}
END_TEST

START_TEST(name_too_long_refuses_the_whole)
{
    apr_array_header_t *all = apr_array_make(pool, 1, sizeof(rp_persist_row_t));
    char *url = apr_palloc(pool, RP_SHM_URL_SIZE + 1);
    rp_persist_row_t row = {"k", "balancer://b", url, "added", NULL, "1"};
    const char *why;

    memset(url, 'u', RP_SHM_URL_SIZE);
    url[RP_SHM_URL_SIZE] = '\0';
    APR_ARRAY_PUSH(all, rp_persist_row_t) = row;
    ck_assert_ptr_null(rp_persist_keep(pool, all, now, &why));
    url[RP_SHM_URL_SIZE - 1] = '\0';
    ck_assert_ptr_nonnull(rp_persist_keep(pool, all, now, &why));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/persist_keep");
    TCase *tc = case_new(s, "persist_keep");

    tcase_add_test(tc, every_value_comes_back);
    tcase_add_test(tc, what_was_learned_and_counted_comes_back);
    tcase_add_test(tc, error_from_before_the_machine_started_is_over);
    tcase_add_loop_test(tc, value_that_can_not_be_refuses_the_whole, 0, ROWS(rows));
    tcase_add_test(tc, name_too_long_refuses_the_whole);
    return suite_main(s);
}
