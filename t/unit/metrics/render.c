/* SPDX-License-Identifier: Apache-2.0 */
/* The page: lines of both formats, labels of hostile names, which format is asked for. */
#include "../pool_case.h"

#include <apr_strings.h>
#include <string.h>

#include "exchange/count.h"
#include "exchange/failure.h"
#include "upstream/params.h"
#include "metrics/render.h"

static char text[1 << 22];
static apr_size_t len;
static rp_process_record_t process;
static rp_worker_record_t workers[3];
static rp_metrics_page_t page;

static void gather(void *ctx, const char *bytes, apr_size_t n)
{
    (void)ctx;
    ck_assert_uint_lt(len + n, sizeof(text));
    memcpy(text + len, bytes, n);
    len += n;
    text[len] = '\0';
}

static void setup(void)
{
    memset(workers, 0, sizeof(workers));
    memset(&process, 0, sizeof(process));
    process.version = "1.2.3";
    workers[2].labels = (rp_metric_labels_t){"h:80", "c", "-"};
    workers[2].nobody = 1;
    workers[0].labels = (rp_metric_labels_t){"h:80", "c", "http://a/"};
    workers[1].labels = (rp_metric_labels_t){"h:80", "", "http://b/"};
    page = (rp_metrics_page_t){&process, workers, 3};
}

static const char *rendered(rp_metrics_format_e format)
{
    len = 0;
    rp_metrics_render(&page, format, gather, NULL);
    return text;
}

static int has_line(const char *line)
{
    const char *at = strstr(text, line);

    while (at != NULL && !((at == text || at[-1] == '\n') && at[strlen(line)] == '\n')) {
        at = strstr(at + 1, line);
    }
    return at != NULL;
}

#define ck_line(line) ck_assert_msg(has_line(line), "no line \"%s\" in\n%s", line, text)
#define ck_no(part) ck_assert_msg(strstr(text, part) == NULL, "\"%s\" is there", part)
#define A "{server=\"h:80\",balancer=\"c\",worker=\"http://a/\""

START_TEST(lines_of_the_old_format)
{
    workers[0].stat.answered[1] = 7;
    workers[0].stat.sent = 18446744073709551615u;
    workers[0].max = 5;
    process.stat.turn.sum_us = 1500000;
    (void)rendered(RP_METRICS_TEXT);
    ck_line("# TYPE rproxy_requests_total counter");
    ck_line("rproxy_requests_total" A ",class=\"2xx\"} 7");
    ck_line("rproxy_requests_total" A ",class=\"5xx\"} 0");
    ck_line("rproxy_requests_total{server=\"h:80\",worker=\"http://b/\",class=\"2xx\"} 0");
    ck_line("# TYPE rproxy_build_info gauge");
    ck_line("rproxy_build_info{version=\"1.2.3\"} 1");
    ck_line("rproxy_scrapes_total 0");
    ck_line("rproxy_loop_turn_seconds_sum 1.5");
    ck_line("rproxy_sent_bytes_total" A "} 18446744073709551615");
    ck_line("rproxy_pool_max_connections" A "} 5");
    ck_assert_ptr_nonnull(strstr(text, "# HELP rproxy_requests_total Requests by"));
    ck_assert_ptr_nonnull(strstr(text, "worker \"-\": none was."));
    ck_line("rproxy_requests_total{server=\"h:80\",balancer=\"c\",worker=\"-\",class=\"2xx\"} 0");
    ck_no("rproxy_sent_bytes_total{server=\"h:80\",balancer=\"c\",worker=\"-\"}"); /* nobody's */
    ck_no("rproxy_failovers_total{server=\"h:80\",worker=\"http://b/\""); /* no member */
    ck_no("# UNIT");
    ck_no("# EOF");
    ck_no("rproxy_pool_max_connections{server=\"h:80\",worker=\"http://b/\"}"); /* it has no limit */
}
END_TEST

START_TEST(lines_of_openmetrics)
{
    (void)rendered(RP_METRICS_OPENMETRICS);
    ck_line("# TYPE rproxy_requests counter");
    ck_line("# TYPE rproxy_build info");
    ck_line("rproxy_build_info{version=\"1.2.3\"} 1");
    ck_line("# UNIT rproxy_sent_bytes bytes");
    ck_line("# TYPE rproxy_sent_bytes counter");
    ck_line("rproxy_sent_bytes_total" A "} 0");
    ck_assert_ptr_nonnull(strstr(text, "worker \\\"-\\\": none was."));
    ck_assert_str_eq(text + len - 6, "# EOF\n");
}
END_TEST

START_TEST(reasons_that_never_happened_are_left_out)
{
    (void)rendered(RP_METRICS_TEXT);
    ck_line("rproxy_attempts_total" A ",reason=\"none\"} 0");
    ck_line("rproxy_resends_total" A ",reason=\"closed-before-head\"} 0");
    ck_line("rproxy_failovers_total" A ",reason=\"connect-refused\"} 0");
    ck_no("reason=\"bad-head\"");
    ck_no("rproxy_connections_refused_total{");
    ck_no("rproxy_member_usable{"); /* nobody told of it */
    workers[0].stat.failed[RP_FAIL_BAD_HEAD] = 1;
    (void)rendered(RP_METRICS_TEXT);
    ck_line("rproxy_attempts_total" A ",reason=\"bad-head\"} 1");
}
END_TEST

START_TEST(histogram_is_cumulative_in_seconds)
{
    rp_histogram_t *h = &workers[0].stat.connect;

    rp_histogram_add(h, 250);
    rp_histogram_add(h, 900);
    rp_histogram_add(h, 60000001);
    (void)rendered(RP_METRICS_TEXT);
    ck_line("# TYPE rproxy_connect_seconds histogram");
    ck_line("rproxy_connect_seconds_bucket" A ",le=\"0.00025\"} 1");
    ck_line("rproxy_connect_seconds_bucket" A ",le=\"0.0005\"} 1");
    ck_line("rproxy_connect_seconds_bucket" A ",le=\"0.001\"} 2");
    ck_line("rproxy_connect_seconds_bucket" A ",le=\"1.0\"} 2");
    ck_line("rproxy_connect_seconds_bucket" A ",le=\"60.0\"} 2");
    ck_line("rproxy_connect_seconds_bucket" A ",le=\"+Inf\"} 3");
    ck_line("rproxy_connect_seconds_sum" A "} 60.001151");
    ck_line("rproxy_connect_seconds_count" A "} 3");
}
END_TEST

START_TEST(what_a_balancer_tells_of_its_members)
{
    workers[0].known = 1;
    workers[0].member.usable = 1;
    workers[0].member.status = RP_ST_INITIALIZED | RP_ST_DRAIN;
    workers[0].member.weight_x100 = 205;
    workers[0].member.elected = 3;
    (void)rendered(RP_METRICS_TEXT);
    ck_line("rproxy_member_usable" A "} 1");
    ck_line("rproxy_member_state" A ",flag=\"drain\"} 1");
    ck_line("rproxy_member_state" A ",flag=\"disabled\"} 0");
    ck_no("flag=\"initialized\"");
    ck_line("rproxy_member_load_factor" A "} 2.05");
    ck_line("rproxy_member_elected_total" A "} 3");
    ck_no("rproxy_member_usable{server=\"h:80\",worker=\"http://b/\"");
}
END_TEST

/* Every family has its three lines once, and all its lines follow them. */
START_TEST(families_are_not_mixed)
{
    int n;
    const rp_metric_t *rows = rp_metric_rows(&n);
    const char *at = rendered(RP_METRICS_OPENMETRICS);

    for (int i = 0; i < n; i++) {
        const char *help = apr_psprintf(pool, "# HELP %s ", rows[i].name);
        const char *found = strstr(text, help);

        ck_assert_msg(found != NULL && found >= at, "%s", rows[i].name);
        ck_assert_ptr_null(strstr(found + 1, help));
        at = found;
    }
}
END_TEST

START_TEST(labels_longer_than_the_buffer)
{
    char *longer = apr_palloc(pool, 20001);

    memset(longer, 'x', 20000);
    longer[20000] = '\0';
    workers[0].labels.worker = longer;
    (void)rendered(RP_METRICS_TEXT);
    ck_assert_ptr_nonnull(strstr(text, longer));
    ck_line("rproxy_scrapes_total 0");
}
END_TEST

START_TEST(hostile_labels_are_escaped)
{
    static const char *const rows[][2] = {
        {"plain", "plain"}, {"", ""}, {"a\"b", "a\\\"b"}, {"a\\b", "a\\\\b"}, {"a\nb", "a\\nb"}, {"a\rb", "a\\\\x0db"},
        {"\x01\x7f", "\\\\x01\\\\x7f"}, {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"}, {"\xff", "\\\\xff"},
        {"\xc3", "\\\\xc3"}, {"\xc3(", "\\\\xc3("}, {"\xc0\xaf", "\\\\xc0\\\\xaf"}, {"\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80"},
        {"\xe2\x82\xac", "\xe2\x82\xac"}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}, {"\xf4\x90\x80\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80"},
        {"\xe2\x82", "\\\\xe2\\\\x82"}, {"\"} 1\nevil 1", "\\\"} 1\\nevil 1"}};

    for (int i = 0; i < ROWS(rows); i++) {
        ck_assert_str_eq(rp_label_escape(pool, rows[i][0]), rows[i][1]);
    }
}
END_TEST

START_TEST(labels_are_cut)
{
    char *longer = apr_palloc(pool, 3000);

    memset(longer, '\x01', 2999);
    longer[2999] = '\0';
    ck_assert_uint_eq(strlen(rp_label_escape(pool, longer)), RP_LABEL_MAX * 5);
    memset(longer, 'x', 2999);
    memcpy(longer + RP_LABEL_MAX - 1, "\xc3\xbc", 2); /* a character across the end is not cut in two */
    ck_assert_str_eq(rp_label_escape(pool, longer) + RP_LABEL_MAX - 1, "\\\\xc3");
}
END_TEST

START_TEST(format_by_accept)
{
    static const struct { const char *accept; rp_metrics_format_e format; } rows[] = {
        {NULL, RP_METRICS_TEXT}, {"", RP_METRICS_TEXT}, {"*/*", RP_METRICS_TEXT}, {"text/plain", RP_METRICS_TEXT},
        {"application/openmetrics-text", RP_METRICS_OPENMETRICS}, {"Application/OpenMetrics-Text", RP_METRICS_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5",
         RP_METRICS_OPENMETRICS},
        {"text/plain, application/openmetrics-text; q=0.001", RP_METRICS_OPENMETRICS},
        {"application/openmetrics-text;q=0", RP_METRICS_TEXT}, {"application/openmetrics-text;q=0.000", RP_METRICS_TEXT},
        {"application/openmetrics-text;q=0,text/plain;q=1", RP_METRICS_TEXT},
        {"application/openmetrics-textual", RP_METRICS_TEXT}, {"x-application/openmetrics-text", RP_METRICS_TEXT},
        {",,", RP_METRICS_TEXT}, {"application/openmetrics-text;", RP_METRICS_OPENMETRICS}};

    for (int i = 0; i < ROWS(rows); i++) {
        ck_assert_msg(rp_metrics_format(rows[i].accept) == rows[i].format, "%s", rows[i].accept ? rows[i].accept : "-");
    }
    ck_assert_str_eq(rp_metrics_type(RP_METRICS_TEXT), "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_str_eq(rp_metrics_type(RP_METRICS_OPENMETRICS), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("render");
    TCase *tc = case_new(s, "render");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, lines_of_the_old_format);
    tcase_add_test(tc, lines_of_openmetrics);
    tcase_add_test(tc, reasons_that_never_happened_are_left_out);
    tcase_add_test(tc, histogram_is_cumulative_in_seconds);
    tcase_add_test(tc, what_a_balancer_tells_of_its_members);
    tcase_add_test(tc, families_are_not_mixed);
    tcase_add_test(tc, labels_longer_than_the_buffer);
    tcase_add_test(tc, hostile_labels_are_escaped);
    tcase_add_test(tc, labels_are_cut);
    tcase_add_test(tc, format_by_accept);
    return suite_main(s);
}
