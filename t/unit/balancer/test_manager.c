/* SPDX-License-Identifier: Apache-2.0 */
/* The manager without httpd: what gets into a page, what a form means, who may send one. */
#include <apr_strings.h>
#include <string.h>

#include "../pool_case.h"
#include "balancer/api_path.h"
#include "balancer/manager_form.h"
#include "balancer/manager_page.h"

#define EVIL "<script>\"'&\n\x80`"

static rp_show_t *view(const char *text)
{
    static rp_worker_params_t params;
    rp_show_t *show = apr_pcalloc(pool, sizeof(*show));
    rp_show_balancer_t *b = apr_pcalloc(pool, sizeof(*b));
    rp_show_member_t *m = apr_pcalloc(pool, sizeof(*m));
    int i;

    rp_worker_params_init(&params);
    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);
        rp_show_value_t *v = row->of_balancer ? &b->fields[i] : &m->fields[i];
        v->known = 1;
        v->value.number = row->kind == RP_FIELD_SWITCH ? 0 : row->min;
        v->value.text = text;
        v->origin = RP_SHOW_RUNTIME;
    }
    m->id = "0123456789abcdef";
    m->url = m->uds = m->scheme = m->host = m->error_why = m->changed_why = m->check_result = text;
    m->status = RP_ST_INITIALIZED | RP_ST_IN_ERROR;
    m->status_text = "Init Err ";
    m->changed_at = 1;
    m->added = 1;
    m->busy = 3;
    m->params = &params;
    m->drain_left_us = 5000000;
    m->nsamples = 3;
    m->samples[0].requests = 10;
    m->samples[1].requests = 1000;
    m->samples[1].errors = 1;
    b->name = text;
    b->full_name = apr_pstrcat(pool, "balancer://", text, NULL);
    b->nonce = text;
    b->members = m;
    b->nmembers = 1;
    b->nslots = 2;
    b->usable = 1;
    b->paths = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(b->paths, const char *) = text;
    b->nused = 1;
    show->vhost = show->software = show->built = text;
    show->balancers = b;
    show->nbalancers = 1;
    show->sample_every_us = apr_time_from_sec(10);
    show->events = apr_pcalloc(pool, sizeof(*show->events));
    show->events->balancer = show->events->member = show->events->text = text;
    show->nevents = 1;
    show->flights = apr_pcalloc(pool, sizeof(*show->flights));
    show->flights->vhost = show->flights->request = show->flights->balancer = show->flights->worker = show->flights->step = text;
    show->nflights = 1;
    rp_show_etags(pool, b);
    return show;
}

static rp_page_t page_of(const rp_show_t *show, const char *text)
{
    static const char *methods[2];
    rp_page_t page = {0};
    rp_page_note_t *note;

    methods[0] = text;
    page.self = text;
    page.methods = methods;
    page.balancer = &show->balancers[0];
    page.notes = apr_array_make(pool, 1, sizeof(*note));
    note = apr_array_push(page.notes);
    note->bad = 1;
    note->text = text;
    return page;
}

static int times(const char *text, const char *part)
{
    int n = 0;

    while ((text = strstr(text, part)) != NULL) {
        n++;
        text += strlen(part);
    }
    return n;
}

/* Nothing of EVIL may be there as it is. */
static void is_clean(const char *text)
{
    ck_assert_int_eq(times(text, "<script"), 0);
    ck_assert_int_eq(times(text, "\"'"), 0);
    ck_assert_int_eq(times(text, "\x80"), 0);
    ck_assert_int_ge(times(text, "&#60;script&#62;&#34;&#39;&#38;\\x0a&#128;&#96;"), 3);
}

START_TEST(text_of_others_is_harmless_in_every_page)
{
    rp_show_t *show = view(EVIL);
    rp_page_t page = page_of(show, EVIL);
    apr_table_t *posted = apr_table_make(pool, 1);

    is_clean(rp_page_html(pool, show, &page));
    is_clean(rp_page_xml(pool, show));
    page.member = &show->balancers[0].members[0];
    is_clean(rp_page_html(pool, show, &page));
    page.ask = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(page.ask, const char *) = EVIL;
    apr_table_setn(posted, EVIL, EVIL);
    page.posted = posted;
    is_clean(rp_page_html(pool, show, &page));
    page.ask = NULL;
    page.member = NULL;
    page.balancer = NULL;
    is_clean(rp_page_html(pool, show, &page));
}
END_TEST

/* Each id="x" of a control that takes text has its label for="x"; radio buttons stand inside their label. */
START_TEST(every_control_has_a_label)
{
    rp_show_t *show = view("http://127.0.0.1:1");
    rp_page_t page = page_of(show, "/manager");
    int round;

    for (round = 0; round < 2; round++) {
        const char *html, *at;

        page.member = round ? &show->balancers[0].members[0] : NULL;
        html = rp_page_html(pool, show, &page);
        for (at = html; (at = strpbrk(at, "<")) != NULL; at++) {
            const char *end = strchr(at, '>');
            char *tag = apr_pstrndup(pool, at, (apr_size_t)(end - at)), *id;

            if ((strncmp(tag, "<input", 6) && strncmp(tag, "<select", 7)) || strstr(tag, "hidden")) {
                continue;
            }
            if (strstr(tag, "radio") || strstr(tag, "checkbox")) {
                ck_assert_msg(strncmp(at - 7, "<label>", 7) == 0, "%s", tag);
                continue;
            }
            id = strstr(tag, "id=\"") + 4;
            id[strcspn(id, "\"")] = '\0';
            ck_assert_msg(times(html, apr_psprintf(pool, "<label for=\"%s\">", id)) == 1, "%s", id);
            ck_assert_msg(times(html, apr_psprintf(pool, "id=\"%s_d\"", id)) == 1, "%s", id);
        }
        ck_assert_int_eq(times(html, "<form"), times(html, "</form>"));
        ck_assert_int_eq(times(html, "<table"), times(html, "</table>"));
        ck_assert_int_eq(times(html, "<table"), times(html, "<caption>"));
    }
}
END_TEST

START_TEST(paths_and_who_is_usable_stand_in_the_table_of_the_balancer)
{
    rp_show_t *show = view("/app");
    rp_show_balancer_t *b = &show->balancers[0];
    rp_page_t page = page_of(show, "/manager");
    const char *html = rp_page_html(pool, show, &page);
    int i;

    ck_assert_int_eq(times(html, "<th scope=\"col\">Method</th><th scope=\"col\">Path</th><th scope=\"col\">Usable</th>"), 1);
    ck_assert_int_eq(times(html, "<td>/app</td><td><span class=\"state good\">1 of 1</span></td>"), 1);
    b->usable = 0;
    b->paths->nelts = 0;
    html = rp_page_html(pool, show, &page);
    ck_assert_int_eq(times(html, "<td>(None)</td><td><span class=\"state bad\">0 of 1</span></td>"), 1);
    b->members = apr_pcalloc(pool, 2 * sizeof(*b->members)); /* of no account: the numbers are what was counted */
    b->nmembers = 0;
    html = rp_page_html(pool, show, &page);
    ck_assert_int_eq(times(html, "<span class=\"state bad\">0 of 0</span>"), 1);
    for (i = 0; i < 30; i++) {
        APR_ARRAY_PUSH(b->paths, const char *) = apr_psprintf(pool, "/p%d/", i);
    }
    html = rp_page_html(pool, show, &page);
    ck_assert_int_eq(times(html, "<td>/p0/<br>/p1/<br>"), 1);
    ck_assert_int_eq(times(html, "/p19/<br><span class=\"small\">and 10 more</span></td>"), 1);
    ck_assert_int_eq(times(html, "/p20/"), 0);
}
END_TEST

START_TEST(every_field_has_its_control)
{
    rp_show_t *show = view("x");
    rp_page_t page = page_of(show, "/manager");
    const char *of_balancer = rp_page_html(pool, show, &page), *of_member;
    int i;

    page.member = &show->balancers[0].members[0];
    of_member = rp_page_html(pool, show, &page);
    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);
        const char *name = apr_psprintf(pool, "name=\"%s\"", row->form);
        ck_assert_msg((times(of_balancer, name) > 0) == row->of_balancer, "%s", name);
        ck_assert_msg((times(of_member, name) > 0) == !row->of_balancer, "%s", name);
    }
    ck_assert_int_eq(times(of_member, "name=\"w_remove\""), 1);
    ck_assert_int_eq(times(of_balancer, "name=\"b_nwrkr\""), 1);
}
END_TEST

START_TEST(no_form_where_the_nonce_is_none)
{
    rp_show_t *show = view("x");
    rp_page_t page = page_of(show, "/manager");

    show->balancers[0].nonce = "";
    ck_assert_int_eq(times(rp_page_html(pool, show, &page), "<form"), 0);
}
END_TEST

START_TEST(chart_says_what_it_shows)
{
    rp_show_t *show = view("x");
    rp_text_t *t = rp_text_make(pool);

    rp_page_chart(t, &show->balancers[0].members[0], apr_time_from_sec(10));
    ck_assert_int_eq(times(t->bytes, "class=\"req\""), 2); /* the third has none */
    ck_assert_int_eq(times(t->bytes, "class=\"err\""), 1); /* little, but not nothing */
    ck_assert_int_eq(times(t->bytes, "1010 requests, 1 of them failed; at most 1000 in 10 s"), 1);
    ck_assert_int_eq(times(t->bytes, "x=\"118\""), 0);
    ck_assert_int_eq(times(t->bytes, "height=\"28\"/>"), 1);
}
END_TEST

static const struct {
    const char *form;      /* urlencoded */
    int of_member;
    const char *changes;   /* "field=value ..." */
    int wrong;
} forms[] = {
    { "w_lf=2.5&w_ls=3", 1, "loadfactor=2.50 lbset=3 ", 0 },
    { "w_lf=&w_ls=3", 1, "lbset=3 ", 0 },
    { "w_lf=0.5&w_ls=3", 1, "lbset=3 ", 1 },
    { "w_lf=1&w_ls=0&w_status_D=0", 1, "", 0 },
    { "w_wr=&w_rr=n2", 1, "route= redirect=n2 ", 0 },
    { "w_status_D=1&w_status_N=1&w_status_X=1", 1, "draining=1 disabled=1 ", 0 },
    { "w_status_D=yes", 1, "", 1 },
    { "b_lbm=bytraffic&b_tmo=5&b_max=&b_sforce=1&b_ss=-", 0,
      "lbmethod=bytraffic timeout_s=5 nofailover=1 stickysession= ", 0 },
    { "b_tmo=7201", 0, "", 1 },
    { "b_tmo=5", 1, "", 0 },
    { "w_lf=5", 0, "", 0 },
};

START_TEST(form_means_its_changes)
{
    rp_show_t *show = view("x");
    const rp_show_balancer_t *b = &show->balancers[0];
    rp_form_t form =
        rp_form_read(pool, rp_api_query_parse(pool, forms[_i].form, 20), b, forms[_i].of_member ? b->members : NULL);
    const char *got = "";
    int i;

    for (i = 0; i < form.changes->nelts; i++) {
        const rp_change_t *c = &APR_ARRAY_IDX(form.changes, i, rp_change_t);
        got = apr_pstrcat(pool, got, c->row->json, "=", rp_field_str(pool, c->row, &c->value), " ", NULL);
    }
    ck_assert_str_eq(got, forms[_i].changes);
    ck_assert_int_eq(form.wrong->nelts, forms[_i].wrong);
}
END_TEST

START_TEST(what_drops_traffic_is_asked)
{
    rp_show_t *show = view("x");
    const rp_show_balancer_t *b = &show->balancers[0];
    static const struct {
        const char *form;
        int n;
    } rows[] = { { "w_status_D=1", 1 },
                 { "w_status_S=1&w_status_D=1", 2 },
                 { "w_status_N=1", 0 },
                 { "w_status_D=0", 0 },
                 { "w_lf=5", 0 } };
    int i;

    for (i = 0; i < ROWS(rows); i++) {
        rp_form_t form = rp_form_read(pool, rp_api_query_parse(pool, rows[i].form, 20), b, b->members);
        const apr_array_header_t *drops = rp_form_drops(pool, &form, b->members);
        ck_assert_int_eq(drops ? drops->nelts : 0, rows[i].n);
        ck_assert_int_eq(drops ? times(APR_ARRAY_IDX(drops, 0, const char *), "now: 3") : 1, 1);
    }
}
END_TEST

static const struct {
    const char *referer, *host;
    int good;
} referers[] = {
    { "http://front.test/x", "front.test", 1 },
    { "https://FRONT.test:8443/", "front.TEST", 1 },
    { "http://[::1]:80/", "[::1]", 1 },
    { "http://[::1]:80/", "::1", 1 },
    { NULL, "front.test", 0 },
    { "", "front.test", 0 },
    { "front.test", "front.test", 0 },
    { "http://front.test.evil.test/", "front.test", 0 },
    { "http://evil.test/front.test", "front.test", 0 },
    { "http://front.test@evil.test/", "front.test", 0 },
    { "http://evil.test?front.test", "front.test", 0 },
    { "/x", "front.test", 0 },
    { "http://x", NULL, 0 },
};

START_TEST(referer_must_be_of_this_host)
{
    ck_assert_int_eq(rp_form_referer_ok(pool, referers[_i].referer, referers[_i].host), referers[_i].good);
}
END_TEST

START_TEST(nonce_must_be_the_same)
{
    ck_assert_int_eq(rp_form_nonce_ok("abc", "abc"), 1);
    ck_assert_int_eq(rp_form_nonce_ok("abd", "abc"), 0);
    ck_assert_int_eq(rp_form_nonce_ok("bbc", "abc"), 0);
    ck_assert_int_eq(rp_form_nonce_ok("ab", "abc"), 0);
    ck_assert_int_eq(rp_form_nonce_ok("abcd", "abc"), 0);
    ck_assert_int_eq(rp_form_nonce_ok("", ""), 0);
    ck_assert_int_eq(rp_form_nonce_ok(NULL, "abc"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/manager");
    TCase *tc = case_new(s, "manager");

    tcase_add_test(tc, text_of_others_is_harmless_in_every_page);
    tcase_add_test(tc, every_control_has_a_label);
    tcase_add_test(tc, paths_and_who_is_usable_stand_in_the_table_of_the_balancer);
    tcase_add_test(tc, every_field_has_its_control);
    tcase_add_test(tc, no_form_where_the_nonce_is_none);
    tcase_add_test(tc, chart_says_what_it_shows);
    tcase_add_loop_test(tc, form_means_its_changes, 0, ROWS(forms));
    tcase_add_test(tc, what_drops_traffic_is_asked);
    tcase_add_loop_test(tc, referer_must_be_of_this_host, 0, ROWS(referers));
    tcase_add_test(tc, nonce_must_be_the_same);
    return suite_main(s);
}
