/* SPDX-License-Identifier: Apache-2.0 */
/* What a request to the API names, which values the fields take, and what members may be added. */
#include <apr_strings.h>
#include <string.h>

#include "../pool_case.h"
#include "balancer/api_field.h"
#include "balancer/api_path.h"

static const struct {
    const char *uri;
    rp_api_resource_e resource;
    const char *balancer, *member;
} paths[] = {
    {"/rproxy/v1", RP_API_INDEX, NULL, NULL},
    {"/rproxy/v1/", RP_API_INDEX, NULL, NULL},
    {"/v1/balancers", RP_API_BALANCERS, NULL, NULL},
    {"/v1/balancers/", RP_API_BALANCERS, NULL, NULL},
    {"/v1/balancers/a", RP_API_BALANCER, "a", NULL},
    {"/v1/balancers/v1", RP_API_BALANCER, "v1", NULL},
    {"/v1/balancers/a/members", RP_API_MEMBERS, "a", NULL},
    {"/v1/balancers/a/members/0123", RP_API_MEMBER, "a", "0123"},
    {"/v1/balancers/a/members/0123/drain", RP_API_DRAIN, "a", "0123"},
    {"/v1/x/v1/balancers/a", RP_API_BALANCER, "a", NULL},
    {"/v12/v1/health", RP_API_HEALTH, NULL, NULL},
    {"/x/v1/pools", RP_API_POOLS, NULL, NULL},
    {"/x/v1/loops", RP_API_LOOPS, NULL, NULL},
    {"/x/v1/events", RP_API_EVENTS, NULL, NULL},
    {"/x/v1/in-flight", RP_API_IN_FLIGHT, NULL, NULL},
    {"/x", RP_API_NONE, NULL, NULL},
    {"/v1x", RP_API_NONE, NULL, NULL},
    {"/v1/nothing", RP_API_NONE, NULL, NULL},
    {"/v1/health/x", RP_API_NONE, NULL, NULL},
    {"/v1/balancers//members", RP_API_NONE, NULL, NULL},
    {"/v1/balancers/a/member", RP_API_NONE, NULL, NULL},
    {"/v1/balancers/a/members/b/x", RP_API_NONE, NULL, NULL},
    {"/v1/balancers/a/members/b/drain/x", RP_API_NONE, NULL, NULL},
    {"", RP_API_NONE, NULL, NULL},
};

START_TEST(path_names_a_resource)
{
    rp_api_path_t got = rp_api_path_parse(pool, paths[_i].uri);

    ck_assert_msg(got.resource == paths[_i].resource, "%s is %d", paths[_i].uri, got.resource);
    ck_assert_pstr_eq(got.balancer, paths[_i].balancer);
    ck_assert_pstr_eq(got.member, paths[_i].member);
}
END_TEST

START_TEST(name_too_long_is_nothing)
{
    char *uri = apr_palloc(pool, 600);

    memset(uri, 'a', 600);
    memcpy(uri, "/v1/balancers/", 14);
    uri[14 + RP_API_NAME_MAX] = '\0';
    ck_assert_int_eq(rp_api_path_parse(pool, uri).resource, RP_API_BALANCER);
    uri[14 + RP_API_NAME_MAX] = 'a';
    uri[15 + RP_API_NAME_MAX] = '\0';
    ck_assert_int_eq(rp_api_path_parse(pool, uri).resource, RP_API_NONE);
}
END_TEST

START_TEST(query_is_read_once_decoded)
{
    apr_table_t *t = rp_api_query_parse(pool, "a=1&b=x%3d%26+y&&c&d=&=e&a=2&%61b=%252", 10);

    ck_assert_ptr_nonnull(t);
    ck_assert_str_eq(apr_table_get(t, "a"), "2");
    ck_assert_str_eq(apr_table_get(t, "b"), "x=& y");
    ck_assert_str_eq(apr_table_get(t, "c"), "");
    ck_assert_str_eq(apr_table_get(t, "d"), "");
    ck_assert_str_eq(apr_table_get(t, "ab"), "%2");
    ck_assert_int_eq(apr_table_elts(t)->nelts, 5);
    ck_assert_int_eq(apr_table_elts(rp_api_query_parse(pool, NULL, 10))->nelts, 0);
}
END_TEST

START_TEST(malformed_query_is_refused)
{
    static const char *const bad[] = {"a=%", "a=%1", "a=%zz", "a=%00", "%0g=1", "a=1&b=%4", "a&b&c&d"};
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(rp_api_query_parse(pool, bad[i], 3) == NULL, "%s", bad[i]);
    }
    ck_assert_ptr_nonnull(rp_api_query_parse(pool, "a&b&c", 3));
}
END_TEST

START_TEST(ids_differ_and_stay)
{
    const char *a = rp_api_member_id(pool, "http://127.0.0.1:80");

    ck_assert_uint_eq(strlen(a), RP_API_ID_LEN);
    ck_assert_str_eq(a, rp_api_member_id(pool, "http://127.0.0.1:80"));
    ck_assert_str_ne(a, rp_api_member_id(pool, "http://127.0.0.1:81"));
    ck_assert_str_eq(rp_api_member_id(pool, ""), "cbf29ce484222325");
}
END_TEST

START_TEST(urls_of_new_members)
{
    static const char *const good[] = { "http://h", "HTTPS://h:8443/app", "ws://127.0.0.1:1/", "wss://[::1]:9/x",
                                        "http://h/a%20b" };
    static const char *const bad[] = { "",
                                       "h",
                                       "unix:/run/x|http://h",
                                       "ajp://h",
                                       "fcgi://h",
                                       "ftp://h",
                                       "balancer://b",
                                       "http://",
                                       "http:///x",
                                       "http://:80/",
                                       "http://u@h",
                                       "http://h?q",
                                       "http://h#f",
                                       "http://h/$1",
                                       "http://h/ x",
                                       "http://h/\n",
                                       "http://h|x",
                                       "http://h\xc3\xa4",
                                       "http://h\"",
                                       "h2://h",
                                       " http://h" };
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(rp_api_member_url_refused(good[i]) == NULL, "%s", good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(rp_api_member_url_refused(bad[i]) != NULL, "%s", bad[i]);
    }
}
END_TEST

static const struct {
    rp_field_e id;
    const char *text;
    int good;
    apr_int64_t number;
    const char *as_text;
} values[] = {
    {RP_FIELD_LOADFACTOR, "1", 1, 100, NULL},       {RP_FIELD_LOADFACTOR, "2.5", 1, 250, NULL},
    {RP_FIELD_LOADFACTOR, "100", 1, 10000, NULL},   {RP_FIELD_LOADFACTOR, "1.999", 1, 199, NULL},
    {RP_FIELD_LOADFACTOR, "100.01", 0, 0, NULL},    {RP_FIELD_LOADFACTOR, "0.99", 0, 0, NULL},
    {RP_FIELD_LOADFACTOR, "-1", 0, 0, NULL},        {RP_FIELD_LOADFACTOR, "1e1", 0, 0, NULL},
    {RP_FIELD_LOADFACTOR, "", 0, 0, NULL},          {RP_FIELD_LOADFACTOR, ".", 0, 0, NULL},
    {RP_FIELD_LOADFACTOR, "99999999999999999999", 0, 0, NULL},
    {RP_FIELD_LBSET, "0", 1, 0, NULL},              {RP_FIELD_LBSET, "99", 1, 99, NULL},
    {RP_FIELD_LBSET, "100", 0, 0, NULL},            {RP_FIELD_LBSET, "1.5", 0, 0, NULL},
    {RP_FIELD_ROUTE, "", 1, 0, ""},                 {RP_FIELD_ROUTE, "<b>", 1, 0, "<b>"},
    {RP_FIELD_ROUTE, "a\nb", 0, 0, NULL},           {RP_FIELD_ROUTE, "a\x7f", 0, 0, NULL},
    {RP_FIELD_DISABLED, "1", 1, 1, NULL},           {RP_FIELD_DISABLED, "2", 0, 0, NULL},
    {RP_FIELD_HCMETHOD, "GET11", 1, 0, "GET11"},    {RP_FIELD_HCMETHOD, "PUT", 0, 0, NULL},
    {RP_FIELD_HCINTERVAL, "99", 0, 0, NULL},        {RP_FIELD_HCINTERVAL, "100", 1, 100, NULL},
    {RP_FIELD_HCPASSES, "0", 0, 0, NULL},           {RP_FIELD_HCEXPR, "", 1, 0, ""},
    {RP_FIELD_LBMETHOD, "", 0, 0, NULL},            {RP_FIELD_LBMETHOD, "bytraffic", 1, 0, "bytraffic"},
    {RP_FIELD_TIMEOUT, "7200", 1, 7200, NULL},      {RP_FIELD_TIMEOUT, "7201", 0, 0, NULL},
    {RP_FIELD_MAXATTEMPTS, "99", 1, 99, NULL},      {RP_FIELD_MAXATTEMPTS, "100", 0, 0, NULL},
    {RP_FIELD_STICKYSESSION, "-", 1, 0, ""},        {RP_FIELD_STICKYSESSION, "A|B", 1, 0, "A|B"},
    {RP_FIELD_STICKYSESSION, "A|", 0, 0, NULL},     {RP_FIELD_STICKYSESSION, "|B", 0, 0, NULL},
    {RP_FIELD_STICKYSESSION, "A|B|C", 0, 0, NULL},
};

START_TEST(value_of_a_form)
{
    const rp_field_row_t *row = rp_field_row(values[_i].id);
    rp_field_error_t error = {0};
    rp_field_value_t v;
    int good = rp_field_parse(pool, row, values[_i].text, &v, &error);

    ck_assert_msg(good == values[_i].good, "%s=%s", row->form, values[_i].text);
    if (!good) {
        ck_assert_str_eq(error.field, row->form);
        ck_assert_ptr_nonnull(strstr(error.message, error.legal));
        return;
    }
    ck_assert_int_eq(v.number, values[_i].number);
    ck_assert_pstr_eq(v.text, values[_i].as_text);
}
END_TEST

START_TEST(texts_end_where_they_must)
{
    char *route = apr_palloc(pool, 65);
    rp_field_error_t error;
    rp_field_value_t v;

    memset(route, 'r', 64);
    route[63] = '\0';
    ck_assert_int_eq(rp_field_parse(pool, rp_field_row(RP_FIELD_ROUTE), route, &v, &error), 1);
    route[63] = 'r';
    route[64] = '\0';
    ck_assert_int_eq(rp_field_parse(pool, rp_field_row(RP_FIELD_ROUTE), route, &v, &error), 0);
}
END_TEST

START_TEST(rows_are_found_by_their_names_alone)
{
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);
        ck_assert_int_eq(row->id, i);
        ck_assert_ptr_eq(rp_field_by_json(row->of_balancer, row->json), row);
        ck_assert_ptr_eq(rp_field_by_form(row->of_balancer, row->form), row);
        ck_assert_ptr_null(rp_field_by_json(!row->of_balancer, row->json));
        ck_assert_ptr_null(rp_field_by_form(!row->of_balancer, row->form));
        ck_assert_ptr_nonnull(row->label);
        ck_assert_ptr_nonnull(row->help);
    }
}
END_TEST

static const struct {
    unsigned status;
    const char *word;
} states[] = {
    { 0, "not set up" },
    { RP_ST_INITIALIZED, "usable" },
    { RP_ST_INITIALIZED | RP_ST_IN_ERROR, "in error" },
    { RP_ST_INITIALIZED | RP_ST_IN_ERROR | RP_ST_IGNORE_ERRORS, "usable" },
    { RP_ST_INITIALIZED | RP_ST_DISABLED | RP_ST_STOPPED, "stopped" },
    { RP_ST_INITIALIZED | RP_ST_DISABLED | RP_ST_DRAIN, "disabled" },
    { RP_ST_INITIALIZED | RP_ST_HC_FAIL | RP_ST_IGNORE_ERRORS, "health check failed" },
    { RP_ST_INITIALIZED | RP_ST_DRAIN, "draining" },
    { RP_ST_INITIALIZED | RP_ST_HOT_STANDBY, "standby" },
    { RP_ST_INITIALIZED | RP_ST_HOT_SPARE, "spare" },
};

START_TEST(state_in_one_word)
{
    ck_assert_str_eq(rp_state_word(states[_i].status), states[_i].word);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/api");
    TCase *tc = case_new(s, "api");

    tcase_add_loop_test(tc, path_names_a_resource, 0, ROWS(paths));
    tcase_add_test(tc, name_too_long_is_nothing);
    tcase_add_test(tc, query_is_read_once_decoded);
    tcase_add_test(tc, malformed_query_is_refused);
    tcase_add_test(tc, ids_differ_and_stay);
    tcase_add_test(tc, urls_of_new_members);
    tcase_add_loop_test(tc, value_of_a_form, 0, ROWS(values));
    tcase_add_test(tc, texts_end_where_they_must);
    tcase_add_test(tc, rows_are_found_by_their_names_alone);
    tcase_add_loop_test(tc, state_in_one_word, 0, ROWS(states));
    return suite_main(s);
}
