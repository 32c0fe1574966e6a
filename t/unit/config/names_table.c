/* SPDX-License-Identifier: Apache-2.0 */
#include "config/names_table.h"

#include "config_unit.h"

typedef struct there_t {
    int core, balancer, heartbeat;
} there_t;

static int module_there(void *baton, const char *name)
{
    const there_t *there = baton;

    if (strcmp(name, "mod_rproxy.c") == 0) {
        return there->core;
    }
    return strcmp(name, "mod_rproxy_balancer.c") == 0 && there->balancer;
}

static int method_there(void *baton, const char *name)
{
    return strcmp(name, "heartbeat") == 0 && ((const there_t *)baton)->heartbeat;
}

typedef struct row_t {
    const char *name;
    there_t there;
    const char *answer;
} row_t;

static const row_t rows[] = {
    {"mod_proxy.c", {1, 0, 0}, "mod_rproxy.c"},
    {"proxy_module", {1, 0, 0}, "mod_rproxy.c"},
    {"mod_proxy_http.c", {1, 0, 0}, "mod_rproxy.c"},
    {"proxy_http_module", {1, 0, 0}, "mod_rproxy.c"},
    {"proxy_wstunnel_module", {1, 0, 0}, "mod_rproxy.c"},
    {"mod_proxy_balancer.c", {1, 0, 0}, NULL},
    {"mod_proxy_balancer.c", {1, 1, 0}, "mod_rproxy_balancer.c"},
    {"proxy_hcheck_module", {1, 1, 0}, "mod_rproxy_balancer.c"},
    {"mod_lbmethod_byrequests.c", {1, 1, 0}, "mod_rproxy_balancer.c"},
    {"lbmethod_bytraffic_module", {1, 1, 0}, "mod_rproxy_balancer.c"},
    {"lbmethod_bybusyness_module", {1, 1, 0}, "mod_rproxy_balancer.c"},
    {"mod_lbmethod_heartbeat.c", {1, 1, 0}, NULL},
    {"mod_lbmethod_heartbeat.c", {1, 1, 1}, "mod_rproxy_balancer.c"},
    {"mod_proxy_fcgi.c", {1, 1, 1}, NULL},
    {"proxy_fcgi_module", {1, 1, 1}, NULL},
    {"mod_proxy_ajp.c", {1, 1, 1}, NULL},
    {"mod_proxy_connect.c", {1, 1, 1}, NULL},
    {"mod_proxy", {1, 1, 1}, NULL},
    {"proxy", {1, 1, 1}, NULL},
    {"mod_rewrite.c", {1, 1, 1}, NULL},
    {"", {1, 1, 1}, NULL},
};

START_TEST(names_rows_answer_is_true)
{
    const row_t *row = &rows[_i];
    there_t there = row->there;
    const char *answer = rp_name_answer(row->name, module_there, method_there, &there);

    if (row->answer) {
        ck_assert_ptr_nonnull(answer);
        ck_assert_str_eq(answer, row->answer);
    }
    else {
        ck_assert_ptr_null(answer);
    }
}
END_TEST

START_TEST(names_clashes_whole_family)
{
    ck_assert_int_eq(rp_name_clashes("mod_proxy.c"), 1);
    ck_assert_int_eq(rp_name_clashes("mod_proxy_http.c"), 1);
    ck_assert_int_eq(rp_name_clashes("mod_proxy_fcgi.c"), 1);
    ck_assert_int_eq(rp_name_clashes("mod_lbmethod_byrequests.c"), 1);
    ck_assert_int_eq(rp_name_clashes("mod_rproxy.c"), 0);
    /* A filter that needs no proxy module. */
    ck_assert_int_eq(rp_name_clashes("mod_proxy_html.c"), 0);
    ck_assert_int_eq(rp_name_clashes("mod_rewrite.c"), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, names_rows_answer_is_true, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tc, names_clashes_whole_family);
}

int main(void) { return run("names_table", add); }
