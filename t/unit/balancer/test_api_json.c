/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of the API, in both directions. */
#include <apr_strings.h>
#include <string.h>

#include "../pool_case.h"
#include "balancer/api_json.h"

/* A body, what it is for, and either the changes it means ("field=value ...") or the field that is wrong. */
static const struct {
    rp_api_body_e kind;
    const char *body, *changes, *wrong;
} bodies[] = {
    {RP_BODY_MEMBER, "{\"loadfactor\": 2.5}", "loadfactor=2.50 ", NULL},
    {RP_BODY_MEMBER, "{\"loadfactor\": 1.15, \"lbset\": 3}", "loadfactor=1.15 lbset=3 ", NULL},
    {RP_BODY_MEMBER, "{\"status\": {\"draining\": true, \"disabled\": false}}", "draining=1 disabled=0 ", NULL},
    {RP_BODY_MEMBER, "{\"route\": null}", "route= ", NULL},
    {RP_BODY_MEMBER, "{\"route\": \"n1\", \"reason\": \"x\"}", "route=n1 ", NULL},
    {RP_BODY_BALANCER, "{\"lbmethod\": \"bytraffic\", \"nofailover\": true}", "lbmethod=bytraffic nofailover=1 ", NULL},
    {RP_BODY_NEW_MEMBER, "{\"url\": \"http://h\"}", "", NULL},
    {RP_BODY_NEW_MEMBER, "{\"url\": \"http://h\", \"lbset\": 1}", "lbset=1 ", NULL},
    {RP_BODY_DRAIN, "", "", NULL},
    {RP_BODY_DRAIN, "{\"deadline_s\": 604800, \"then\": \"removed\"}", "", NULL},
    {RP_BODY_MEMBER, "{\"loadfactor\": 101}", NULL, "loadfactor"},
    {RP_BODY_MEMBER, "{\"loadfactor\": 1e300}", NULL, "loadfactor"},
    {RP_BODY_MEMBER, "{\"loadfactor\": \"2\"}", NULL, "loadfactor"},
    {RP_BODY_MEMBER, "{\"lbset\": 1, \"loadfactor\": -1}", NULL, "loadfactor"},
    {RP_BODY_MEMBER, "{\"lbset\": 1.5}", NULL, "lbset"},
    {RP_BODY_MEMBER, "{\"route\": 5}", NULL, "route"},
    {RP_BODY_MEMBER, "{\"route\": \"a\\nb\"}", NULL, "route"},
    {RP_BODY_MEMBER, "{\"draining\": true}", NULL, "draining"},
    {RP_BODY_MEMBER, "{\"status\": {\"in_error\": false}}", NULL, "status.in_error"},
    {RP_BODY_MEMBER, "{\"status\": {\"lbset\": 1}}", NULL, "status.lbset"},
    {RP_BODY_MEMBER, "{\"status\": {\"draining\": 1}}", NULL, "status.draining"},
    {RP_BODY_MEMBER, "{\"status\": true}", NULL, "status"},
    {RP_BODY_MEMBER, "{\"timeout_s\": 1}", NULL, "timeout_s"},
    {RP_BODY_MEMBER, "{\"url\": \"http://h\"}", NULL, "url"},
    {RP_BODY_MEMBER, "{\"lbset\": 1, \"reason\": \"a\\u0001\"}", NULL, "reason"},
    {RP_BODY_MEMBER, "{\"reason\": \"nothing else\"}", NULL, NULL},
    {RP_BODY_MEMBER, "{}", NULL, NULL},
    {RP_BODY_MEMBER, "", NULL, NULL},
    {RP_BODY_MEMBER, "[1]", NULL, NULL},
    {RP_BODY_MEMBER, "{\"lbset\": 1, \"lbset\": 2}", NULL, NULL},
    {RP_BODY_MEMBER, "{\"lbset\": 1} x", NULL, NULL},
    {RP_BODY_MEMBER, "{\"route\": \"\\u0000\"}", NULL, NULL},
    {RP_BODY_BALANCER, "{\"loadfactor\": 1}", NULL, "loadfactor"},
    {RP_BODY_BALANCER, "{\"timeout_s\": 7201}", NULL, "timeout_s"},
    {RP_BODY_NEW_MEMBER, "{\"lbset\": 1}", NULL, "url"},
    {RP_BODY_NEW_MEMBER, "{\"url\": 1}", NULL, "url"},
    {RP_BODY_DRAIN, "{\"deadline_s\": 604801}", NULL, "deadline_s"},
    {RP_BODY_DRAIN, "{\"deadline_s\": -1}", NULL, "deadline_s"},
    {RP_BODY_DRAIN, "{\"then\": \"gone\"}", NULL, "then"},
    {RP_BODY_DRAIN, "{\"lbset\": 1}", NULL, "lbset"},
};

START_TEST(body_means_its_changes_or_names_what_is_wrong)
{
    rp_field_error_t error;
    rp_api_wish_t wish;
    const char *got = "";
    int good = rp_json_wish(pool, bodies[_i].kind, bodies[_i].body, strlen(bodies[_i].body), &wish, &error), i;

    ck_assert_msg(good == (bodies[_i].changes != NULL), "%s: %s", bodies[_i].body, error.message);
    if (!good) {
        ck_assert_pstr_eq(error.field, bodies[_i].wrong);
        ck_assert_ptr_nonnull(error.message);
        return;
    }
    for (i = 0; i < wish.changes->nelts; i++) {
        const rp_change_t *c = &APR_ARRAY_IDX(wish.changes, i, rp_change_t);
        got = apr_pstrcat(pool, got, c->row->json, "=", rp_field_str(pool, c->row, &c->value), " ", NULL);
    }
    ck_assert_str_eq(got, bodies[_i].changes);
}
END_TEST

START_TEST(error_says_field_and_range)
{
    rp_field_error_t error;
    rp_api_wish_t wish;
    const char *said;

    ck_assert_int_eq(rp_json_wish(pool, RP_BODY_MEMBER, "{\"lbset\": 100}", 14, &wish, &error), 0);
    ck_assert_str_eq(error.message, "lbset: \"100\" is not a whole number from 0 to 99");
    said = rp_json_text(pool, rp_json_error(400, "bad_value", &error));
    ck_assert_ptr_nonnull(strstr(said, "\"field\": \"lbset\""));
    ck_assert_ptr_nonnull(strstr(said, "\"legal\": \"a whole number from 0 to 99\""));
}
END_TEST

START_TEST(body_cut_anywhere_never_counts)
{
    const char *body = "{\"status\":{\"draining\":true},\"route\":\"\\u00e4\"}";
    rp_field_error_t error;
    rp_api_wish_t wish;
    apr_size_t n;

    for (n = 0; n < strlen(body); n++) {
        ck_assert_int_eq(rp_json_wish(pool, RP_BODY_MEMBER, apr_pstrmemdup(pool, body, n), n, &wish, &error), 0);
    }
    ck_assert_int_eq(rp_json_wish(pool, RP_BODY_MEMBER, body, n, &wish, &error), 1);
}
END_TEST

/* A view with one balancer of two members. */
static rp_show_t *view(void)
{
    rp_show_t *show = apr_pcalloc(pool, sizeof(*show));
    rp_show_balancer_t *b = apr_pcalloc(pool, sizeof(*b));
    int i;

    b->name = "b";
    b->full_name = "balancer://b";
    b->nonce = "n";
    b->members = apr_pcalloc(pool, 2 * sizeof(*b->members));
    b->nmembers = 2;
    b->usable = 1;
    b->paths = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(b->paths, const char *) = "/app";
    APR_ARRAY_PUSH(b->paths, const char *) = "^/\"q\\.(.*)\xff";
    for (i = 0; i < 2; i++) {
        rp_show_member_t *m = &b->members[i];
        m->id = i ? "id1" : "id0";
        m->url = i ? "http://127.0.0.1:2" : "http://127.0.0.1:1";
        m->status = RP_ST_INITIALIZED;
        m->error_age_us = m->drain_left_us = -1;
        m->fields[RP_FIELD_LOADFACTOR].known = m->fields[RP_FIELD_DRAINING].known = m->fields[RP_FIELD_ROUTE].known = 1;
        m->fields[RP_FIELD_LOADFACTOR].value.number = 150;
        m->fields[RP_FIELD_ROUTE].value.text = "n\xff";
    }
    show->vhost = "front.test";
    show->balancers = b;
    show->nbalancers = 1;
    rp_show_etags(pool, b);
    return show;
}

START_TEST(etag_is_of_settings_not_of_counters)
{
    rp_show_t *show = view();
    rp_show_balancer_t *b = show->balancers;
    char before[RP_SHOW_ETAG_SIZE], whole[RP_SHOW_ETAG_SIZE];

    memcpy(before, b->members[0].etag, sizeof(before));
    memcpy(whole, b->etag, sizeof(whole));
    ck_assert_str_ne(before, b->members[1].etag);
    b->members[0].elected = b->members[0].busy = 77;
    b->members[0].status |= RP_ST_IN_ERROR;
    rp_show_etags(pool, b);
    ck_assert_str_eq(before, b->members[0].etag);
    ck_assert_str_eq(whole, b->etag);
    b->members[0].fields[RP_FIELD_DRAINING].value.number = 1;
    rp_show_etags(pool, b);
    ck_assert_str_ne(before, b->members[0].etag);
    ck_assert_str_ne(whole, b->etag);
}
END_TEST

START_TEST(member_as_json)
{
    rp_show_t *show = view();
    const char *said;
    json_t *back;

    show->balancers->members[0].fields[RP_FIELD_LOADFACTOR].origin = RP_SHOW_RUNTIME;
    said = rp_json_text(pool, rp_json_balancers(show));
    back = json_loads(said, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(back);
    json_decref(back);
    ck_assert_ptr_nonnull(strstr(said, "\"loadfactor\": 1.5,"));
    ck_assert_ptr_nonnull(strstr(said, "\"loadfactor\": \"run time\""));
    ck_assert_ptr_nonnull(strstr(said, "\"route\": \"n\\\\xff\""));
    ck_assert_ptr_nonnull(strstr(said, "\"state\": \"usable\""));
    ck_assert_ptr_nonnull(strstr(said, "\"draining\": false"));
    ck_assert_ptr_nonnull(strstr(said, "\"usable\": 1,"));
    ck_assert_ptr_nonnull(strstr(said, "\"paths\": [\n        \"/app\",\n        \"^/\\\"q\\\\.(.*)\\\\xff\"\n      ]"));
}
END_TEST

START_TEST(changes_are_those_that_differ)
{
    rp_show_t *show = view();
    rp_api_wish_t wish;
    rp_field_error_t error;
    json_t *out = json_object();
    const char *said, *body = "{\"loadfactor\": 1.5, \"status\": {\"draining\": true}}";

    ck_assert_int_eq(rp_json_wish(pool, RP_BODY_MEMBER, body, strlen(body), &wish, &error), 1);
    rp_json_add_changes(pool, out, wish.changes, show->balancers->members[0].fields);
    said = rp_json_text(pool, out);
    ck_assert_ptr_null(strstr(said, "loadfactor"));
    ck_assert_ptr_nonnull(strstr(said, "\"field\": \"draining\""));
    ck_assert_ptr_nonnull(strstr(said, "\"from\": false"));
    ck_assert_ptr_nonnull(strstr(said, "\"to\": true"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/api_json");
    TCase *tc = case_new(s, "api_json");

    tcase_add_loop_test(tc, body_means_its_changes_or_names_what_is_wrong, 0, ROWS(bodies));
    tcase_add_test(tc, error_says_field_and_range);
    tcase_add_test(tc, body_cut_anywhere_never_counts);
    tcase_add_test(tc, etag_is_of_settings_not_of_counters);
    tcase_add_test(tc, member_as_json);
    tcase_add_test(tc, changes_are_those_that_differ);
    return suite_main(s);
}
