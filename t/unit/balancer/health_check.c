/* SPDX-License-Identifier: Apache-2.0 */
/* One health check with a probe that answers what a test says: what it is asked, and what becomes of its answer. */
#include <string.h>

#include "../pool_case.h"
#include "balancer/health_check.h"

static rp_probe_ask_t asked;
static rp_probe_result_t answer;
static rp_health_plan_t plan;
static rp_health_outcome_t outcome;
static rp_worker_t worker;
static ap_expr_info_t known_expr;
static int judgement; /* 1 true, 0 false, -1 it can not be evaluated */
static int judged;

int rp_health_judge(const ap_expr_info_t *expr, const rp_health_plan_t *p, const rp_probe_result_t *a, apr_pool_t *pl, const char **why)
{
    (void)pl;
    ck_assert_ptr_eq(expr, &known_expr);
    ck_assert_ptr_eq(p, &plan);
    ck_assert_int_eq(a->status, answer.status);
    judged++;
    *why = "it is \x01 odd";
    return judgement;
}

static void probe(const rp_probe_ask_t *ask, apr_pool_t *p, rp_probe_result_t *out)
{
    (void)p;
    asked = *ask;
    *out = answer;
}

static ap_expr_info_t *find_expr(const server_rec *s, const char *name)
{
    (void)s;
    return strcmp(name, "known") == 0 ? &known_expr : NULL;
}

static const rproxy_api_t core = {.version = RPROXY_API_VERSION, .health_expr = find_expr, .probe = probe};

static void setup(void)
{
    pool_setup();
    memset(&answer, 0, sizeof(answer));
    memset(&plan, 0, sizeof(plan));
    memset(&worker, 0, sizeof(worker));
    worker.url.path = "/app";
    plan.worker = &worker;
    plan.method = RP_HEALTH_GET;
    plan.uri = "/hc";
    plan.timeout_us = 7000000;
    answer.ok = 1;
    answer.status = 200;
    answer.took_us = 5;
    judgement = judged = 0;
}

static void expect(rp_health_result_e result, const char *reason)
{
    rp_health_check(&core, &plan, NULL, pool, &outcome);
    ck_assert_int_eq(outcome.result, result);
    ck_assert_str_eq(outcome.reason, reason);
    ck_assert_int_eq(outcome.status, answer.status);
    ck_assert_int_eq(outcome.took_us, 5);
}

START_TEST(what_is_asked)
{
    rp_probe_cancel_t cancel;

    plan.host = "";
    rp_health_check(&core, &plan, &cancel, pool, &outcome);
    ck_assert_str_eq(asked.method, "GET");
    ck_assert_str_eq(asked.target, "/app/hc");
    ck_assert_ptr_null(asked.host);
    ck_assert_int_eq(asked.http10, 1);
    ck_assert_int_eq(asked.timeout_us, 7000000);
    ck_assert_uint_eq(asked.body_max, RP_HEALTH_BODY_MAX);
    ck_assert_ptr_eq(asked.cancel, &cancel);
    ck_assert_ptr_eq(asked.worker, &worker);
    plan.host = "h:1";
    plan.method = RP_HEALTH_HEAD11;
    rp_health_check(&core, &plan, NULL, pool, &outcome);
    ck_assert_str_eq(asked.host, "h:1");
    ck_assert_str_eq(asked.method, "HEAD");
    ck_assert_int_eq(asked.http10, 0);
}
END_TEST

START_TEST(status_decides)
{
    static const struct {
        int status;
        rp_health_result_e result;
        const char *reason;
    } rows[] = {{200, RP_HEALTH_GOOD, "status 200"}, {399, RP_HEALTH_GOOD, "status 399"}, {199, RP_HEALTH_BAD, "status 199"},
                {400, RP_HEALTH_BAD, "status 400"},  {503, RP_HEALTH_BAD, "status 503"},  {999, RP_HEALTH_BAD, "status 999"}};
    int i;

    for (i = 0; i < ROWS(rows); i++) {
        answer.status = rows[i].status;
        expect(rows[i].result, rows[i].reason);
    }
    ck_assert_int_eq(judged, 0);
}
END_TEST

START_TEST(expression_decides_instead)
{
    plan.expr = "known";
    answer.status = 500;
    judgement = 1;
    expect(RP_HEALTH_GOOD, "hcexpr=known is true (status 500)");
    answer.status = 200;
    judgement = 0;
    expect(RP_HEALTH_BAD, "hcexpr=known is false (status 200)");
    judgement = -1;
    expect(RP_HEALTH_BAD, "hcexpr=known can not be evaluated: it is \\x01 odd");
    ck_assert_int_eq(judged, 3);
    plan.expr = "gone";
    expect(RP_HEALTH_BAD, "hcexpr=gone can not be evaluated: this server has no ProxyHCExpr of that name");
    plan.expr = "";
    expect(RP_HEALTH_GOOD, "status 200");
    ck_assert_int_eq(judged, 3);
}
END_TEST

START_TEST(connecting_is_enough_for_tcp)
{
    plan.method = RP_HEALTH_TCP;
    plan.expr = "known";
    answer.status = 0;
    expect(RP_HEALTH_GOOD, "connected");
    ck_assert_ptr_null(asked.method);
    ck_assert_int_eq(judged, 0);
}
END_TEST

START_TEST(what_fails_is_bad)
{
    answer.ok = 0;
    answer.reason = "it \r\n broke";
    plan.expr = "known";
    judgement = 1;
    expect(RP_HEALTH_BAD, "it \\r\\n broke");
    ck_assert_int_eq(judged, 0);
}
END_TEST

START_TEST(what_is_our_fault_says_nothing)
{
    answer.ok = 0;
    answer.reason = "no descriptors";
    answer.ours = 1;
    expect(RP_HEALTH_UNKNOWN, "no descriptors");
    answer.ours = 0;
    answer.cancelled = 1;
    expect(RP_HEALTH_UNKNOWN, "no descriptors");
}
END_TEST

START_TEST(settings_of_run_time_are_judged)
{
    static const struct {
        const char *key, *value, *wrong;
    } rows[] = {{"hcexpr", "known", NULL},       {"hcexpr", "", NULL},
                {"HCexpr", "gone", "has no ProxyHCExpr \"gone\""}, {"hcuri", "/a%20b", NULL},
                {"hcuri", "/a b", "hcuri=/a b can not stand in a request"}, {"hcmethod", "a b", NULL},
                {"hchost", "h:1", NULL},         {"hchost", "", NULL},
                {"HChost", "a b", "write for example hchost=www.example.com"}};
    int i;

    for (i = 0; i < ROWS(rows); i++) {
        const char *said = rp_health_setting_check(&core, NULL, pool, rows[i].key, rows[i].value);

        ck_assert(rows[i].wrong == NULL ? said == NULL : said != NULL && strstr(said, rows[i].wrong) != NULL);
    }
    ck_assert_ptr_null(rp_health_setting_check(NULL, NULL, pool, "hcexpr", "gone"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/health_check");
    TCase *tc = tcase_create("health_check");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, what_is_asked);
    tcase_add_test(tc, status_decides);
    tcase_add_test(tc, expression_decides_instead);
    tcase_add_test(tc, connecting_is_enough_for_tcp);
    tcase_add_test(tc, what_fails_is_bad);
    tcase_add_test(tc, what_is_our_fault_says_nothing);
    tcase_add_test(tc, settings_of_run_time_are_judged);
    return suite_main(s);
}
