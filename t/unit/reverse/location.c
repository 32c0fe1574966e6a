/* SPDX-License-Identifier: Apache-2.0 */
/* A URL that names the backend, and what the client gets instead. */
#include "reverse_unit.h"

static const struct {
    const char *lines;
    const char *value;
    const char *want; /* NULL: stays as it is */
} url_rows[] = {
    /* URL form: the URL itself, and what is below it */
    { "/foo http://h", "http://h/bar", "http://front/foo/bar" },
    { "/foo http://h", "http://h", "http://front/foo" },
    { "/foo http://h", "http://h?q=1", "http://front/foo?q=1" },
    { "/foo http://h", "http://h#top", "http://front/foo#top" },
    { "/foo/ http://h/", "http://h/bar", "http://front/foo/bar" },
    { "/foo/ http://h/", "http://h/", "http://front/foo/" },
    { "/foo http://h/app", "http://h/app/x/../y?a=/b//c#d", "http://front/foo/x/../y?a=/b//c#d" },
    { "/foo http://h/app", "http://h/app;jsessionid=1", "http://front/foo;jsessionid=1" },
    { "/foo http://h/app", "http://h/app?q", "http://front/foo?q" },
    { "/foo http://h/app", "http://h/", NULL },
    { "/foo http://h/app/", "http://h/app", NULL },
    /* an empty path is the path "/" */
    { "/foo/ http://h/", "http://h", "http://front/foo/" },
    { "/foo/ http://h/", "http://h?q", "http://front/foo/?q" },
    /* a prefix is not enough */
    { "/foo http://h/app", "http://h/apple", NULL },
    { "/foo http://h/app", "http://h/app%2Fx", NULL },
    { "/foo http://h/app", "http://h/app.html", NULL },
    { "/foo http://h/app", "http://h/app&x", NULL },
    { "/foo http://h", "http://hx/", NULL },
    { "/foo http://h", "http://h.example/", NULL },
    { "/foo http://h", "http://x.h/", NULL },
    { "/foo http://h:80", "http://h:8080/", NULL },
    { "/foo http://h:80", "http://h:8/", NULL },
    { "/foo http://h:81", "http://h:81@evil/", NULL },
    { "/foo http://h", "http://h@evil/", NULL },
    { "/foo http://h/", "http://h@evil/", NULL },
    { "/foo http://h", "http://u:p@h/", NULL },
    { "/pub/ /", "http://u@h/y", NULL },
    { "/foo http://h", "http://evil\\@h/", NULL },
    { "/foo http://h", "http://h\\x/", NULL },
    { "/foo http://h", "http://h:99999/", NULL },
    { "/foo http://h", "http:/h/x", NULL },
    { "/foo http://h", "http:h/x", NULL },
    { "/foo http://h", "http://", NULL },
    { "/foo http://h", "http:", NULL },
    { "/foo http://h", "mailto:a@h", NULL },
    /* scheme, host and path whatever their case; a default port is no port */
    { "/foo http://Back.End/App", "HTTP://bAck.eNd/aPP/Path", "http://front/foo/Path" },
    { "/foo http://h/", "http://h:80/x", "http://front/foo/x" },
    { "/foo http://h:80/", "http://h/x", "http://front/foo/x" },
    { "/foo http://h:80/", "http://h:/x", "http://front/foo/x" },
    { "/foo https://h/", "https://h:443/x", "http://front/foo/x" },
    { "/foo https://h/", "https://h:80/x", NULL },
    { "/foo http://h/", "https://h/x", NULL },
    { "/foo http://h/", "https://h:80/x", NULL },
    { "/foo http://h:443/", "https://h/x", NULL },
    { "/foo http://[::1]:81/", "http://[::1]:81/x", "http://front/foo/x" },
    { "/foo http://[::1]:81/", "http://[::2]:81/x", NULL },
    /* a network path means the scheme that the backend is spoken to with */
    { "/foo http://h/", "//h/x", "http://front/foo/x" },
    { "/foo http://h/", "//h:80/x", "http://front/foo/x" },
    { "/foo https://h/", "//h/x", "http://front/foo/x" },
    { "/foo http://h:81/", "//h/x", NULL },
    { "/foo http://h:81/", "//h:81/x", "http://front/foo/x" },
    { "/foo http://h/", "//hx/x", NULL },
    { "/foo http://h/", "//", NULL },
    /* exactly one slash where they join, nothing else is touched */
    { "/x/ http://h", "http://h/y", "http://front/x/y" },
    { "/x/ http://h", "http://h//y//z", "http://front/x//y//z" },
    { "/ http://h", "http://h/y", "http://front/y" },
    { "/ http://h", "http://h", "http://front/" },
    { "/x/ http://h/a/", "http://h/a//y", "http://front/x//y" },
    { "/x http://h/a/", "http://h/a/y", "http://front/x/y" },
    { "/x http://h/a/", "http://h/a/", "http://front/x" },
    { "/x http://h/a/", "http://h/a//y", "http://front/x/y" },
    { "/x http://h/a/", "http://h/a/?q", "http://front/x?q" },
    { "/x/ http://h/a", "http://h/a", "http://front/x/" },
    /* queries in the real side */
    { "/x?a= http://h/y?b=", "http://h/y?b=1", "http://front/x?a=1" },
    { "/x http://h/y?b", "http://h/y?b&c", "http://front/x&c" },
    { "/x http://h/y?b", "http://h/y?bc", NULL },
    /* path form: whatever the host, web URLs and absolute paths only */
    { "/pub /int", "https://elsewhere/int/foo", "http://front/pub/foo" },
    { "/pub /int", "/int/foo", "http://front/pub/foo" },
    { "/pub /int", "/INT/foo", "http://front/pub/foo" },
    { "/pub /int", "/int", "http://front/pub" },
    { "/pub /int", "/internal", NULL },
    { "/pub /int", "//elsewhere:81/int/foo", "http://front/pub/foo" },
    { "/pub /int", "int/foo", NULL },
    { "/pub /int", "../int/foo", NULL },
    { "/pub /int", "?/int", NULL },
    { "/pub /int", "/x?u=http://h/int/y", NULL },
    { "/pub /int", "ftp://elsewhere/int/foo", NULL },
    { "/pub/ /", "https://elsewhere", "http://front/pub/" },
    { "/pub/ /", "/x", "http://front/pub/x" },
    /* other relative references stay: a URL form does not match them */
    { "/foo http://h/app", "/app/x", NULL },
    { "/foo http://h/", "x", NULL },
    { "/foo http://h/", "", NULL },
    /* a public side that is a URL is used as it is; one without a slash gets one */
    { "https://cdn/x http://h", "http://h/y", "https://cdn/x/y" },
    { "https://cdn/ http://h", "http://h/y", "https://cdn/y" },
    { "foo http://h", "http://h/y", "http://front/foo/y" },
    { "- http://h", "http://h/y", "http://front/y" },
    { "- http://h", "http://h", "http://front/" },
    { "/a://b http://h", "http://h/y", "http://front/a://b/y" },
    /* a socket in front of the real side is not part of it */
    { "/foo unix:/run/s|http://localhost/", "http://localhost/x", "http://front/foo/x" },
    { "/foo UNIX:/run/s|http://localhost/", "http://localhost/x", "http://front/foo/x" },
    /* the first that matches decides */
    { "/a http://h /b http://h/x", "http://h/x/y", "http://front/a/x/y" },
    { "/b http://h/x /a http://h", "http://h/x/y", "http://front/b/y" },
    { "/a http://g /b http://h", "http://h/x/y", "http://front/b/x/y" },
    /* lines that match nothing */
    { "/foo -", "http://h/x", NULL },
    { "/foo h", "http://h/x", NULL },
    { "/foo http://", "http:///x", NULL },
    { "/foo balancer://", "http://h/x", NULL },
    { "/foo balancer://c", "http://h/x", NULL },
};

START_TEST(location_table)
{
    check_mapped(mapped_as(RP_REVERSE_KIND_URL, url_rows[_i].lines, NULL, url_rows[_i].value),
                 url_rows[_i].want, url_rows[_i].value);
}
END_TEST

static const char members[] =
    "http://m1:81 https://m2/base/ unix:/run/s|http://localhost/up nonsense";

static const struct {
    const char *line;
    const char *value;
    const char *want;
} balancer_rows[] = {
    { "/x/ balancer://c", "http://m1:81/y", "http://front/x/y" },
    { "/x/ balancer://c", "http://m1:81//y//z", "http://front/x//y//z" },
    { "/x balancer://c", "http://m1:81/y", "http://front/x/y" },
    { "/x/ balancer://c/", "http://m1:81/y", "http://front/x/y" },
    { "/x/ balancer://c/", "http://m1:81", "http://front/x/" },
    { "/ balancer://c", "http://m1:81/y", "http://front/y" },
    { "/x BALANCER://C", "http://M1:81/y", "http://front/x/y" },
    { "/x/ balancer://c", "https://m2/base/y", "http://front/x/y" },
    { "/x/ balancer://c", "https://m2/BASE/y", "http://front/x/y" },
    { "/x/ balancer://c/p", "https://m2/base/p/y", "http://front/x/y" },
    { "/x/ balancer://c/p", "https://m2/BASE/p/y", "http://front/x/y" },
    { "/x/ balancer://c/p", "https://m2/base/P/y", NULL },
    { "/x/ balancer://c/p", "https://m2/base/pq", NULL },
    { "/x/ balancer://c/p", "http://m1:81/p", "http://front/x/" },
    { "/x/ balancer://c", "http://localhost/up/y", "http://front/x/y" },
    { "/x/ balancer://c", "http://localhost/upper", NULL },
    { "/x/ balancer://c", "https://m2/other", NULL },
    { "/x/ balancer://c", "http://m1:8/y", NULL },
    { "/x/ balancer://c", "http://m3/y", NULL },
    { "/x/ balancer://c", "/y", NULL },
};

START_TEST(location_balancer_table)
{
    check_mapped(
        mapped_as(RP_REVERSE_KIND_URL, balancer_rows[_i].line, members, balancer_rows[_i].value),
        balancer_rows[_i].want, balancer_rows[_i].value);
}
END_TEST

/* "/x/aaa": the slash that is put in counts. */
START_TEST(location_result_too_long_is_an_error)
{
    const char *fits = repeated('a', RP_REVERSE_VALUE_MAX - 3);

    ck_assert_ptr_nonnull(mapped_as(RP_REVERSE_KIND_URL, "/x http://h/", NULL,
                                    apr_pstrcat(pool, "http://h/", fits, NULL)));
    ck_assert_int_eq(failure_as(RP_REVERSE_KIND_URL, "/x http://h/",
                                apr_pstrcat(pool, "http://h/a", fits, NULL)),
                     RP_REVERSE_TOO_LONG);
}
END_TEST

START_TEST(location_authority_too_long_stays)
{
    const char *user = repeated('h', RP_REVERSE_HEAD_MAX);
    const char *value = apr_pstrcat(pool, "http://", user, "/int", NULL);

    check_mapped(mapped_as(RP_REVERSE_KIND_URL, "/pub /int", NULL, value), NULL, value);
}
END_TEST

START_TEST(location_need_not_end_with_nul)
{
    rp_reverse_map_t map = map_of("/x http://h/a", NULL);
    rp_reverse_err_e err;
    const char *out;
    char *text = malloc(11);

    memcpy(text, "http://h/ab", 11);
    ck_assert_int_eq(rp_location_map(pool, &map, text, 10, &out, &err), APR_SUCCESS);
    ck_assert_str_eq(out, "http://front/x");
    ck_assert_int_eq(rp_location_map(pool, &map, text, 11, &out, &err), APR_NOTFOUND);
    ck_assert_int_eq(rp_location_map(pool, &map, text, 9, &out, &err), APR_NOTFOUND);
    ck_assert_int_eq(rp_location_map(pool, &map, text, 0, &out, &err), APR_NOTFOUND);
    free(text);
}
END_TEST

START_TEST(kind_by_name)
{
    ck_assert_int_eq(rp_reverse_kind_of("refresh"), RP_REVERSE_KIND_REFRESH);
    ck_assert_int_eq(rp_reverse_kind_of("LINK"), RP_REVERSE_KIND_LINK);
    ck_assert_int_eq(rp_reverse_kind_of("Location"), RP_REVERSE_KIND_URL);
    ck_assert_int_eq(rp_reverse_kind_of("X-Link"), RP_REVERSE_KIND_URL);
    ck_assert_str_eq(rp_reverse_kind_str(RP_REVERSE_KIND_URL), "URL");
    ck_assert_str_eq(rp_reverse_kind_str(RP_REVERSE_KIND_REFRESH), "Refresh");
    ck_assert_str_eq(rp_reverse_kind_str(RP_REVERSE_KIND_LINK), "Link");
    ck_assert_str_eq(rp_reverse_kind_str((rp_reverse_kind_e)9), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/location");
    TCase *tc = case_new(s, "all");

    tcase_add_loop_test(tc, location_table, 0, ROWS(url_rows));
    tcase_add_loop_test(tc, location_balancer_table, 0, ROWS(balancer_rows));
    tcase_add_test(tc, location_result_too_long_is_an_error);
    tcase_add_test(tc, location_authority_too_long_stays);
    tcase_add_test(tc, location_need_not_end_with_nul);
    tcase_add_test(tc, kind_by_name);
    return suite_main(s);
}
