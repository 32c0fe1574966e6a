/* SPDX-License-Identifier: Apache-2.0 */
#include "config/passline.h"

#include "config_unit.h"

#define COUNT(rows) (int)(sizeof(rows) / sizeof(rows[0]))
#define MAX_WORDS 8

static const char *parse(const char *line, int in_location, int is_match, rp_passline_t *out)
{
    static const char *words[MAX_WORDS];
    char *last = NULL;
    int n = 0;

    for (char *w = apr_strtok(apr_pstrdup(pool, line), " ", &last); w && n < MAX_WORDS;
         w = apr_strtok(NULL, " ", &last)) {
        words[n++] = w;
    }
    return rp_passline_parse(pool, is_match ? "ProxyPassMatch" : "ProxyPass", in_location,
                             is_match, n, words, out);
}

typedef struct row_t {
    const char *line;
    int in_location, is_match;
    const char *path, *url;
    int regex, exempt, nocanon, noquery, interpolate;
    rp_mapping_e mapping;
    int params;
} row_t;

static const row_t rows[] = {
    {"/a http://h/", 0, 0, "/a", "http://h/", 0, 0, 0, 0, 0, RP_MAP_DECODED, 0},
    {"/a !", 0, 0, "/a", "!", 0, 1, 0, 0, 0, RP_MAP_DECODED, 0},
    {"/a http://h/ timeout=5 ttl=3", 0, 0, "/a", "http://h/", 0, 0, 0, 0, 0, RP_MAP_DECODED, 2},
    {"/a http://h/ nocanon", 0, 0, "/a", "http://h/", 0, 0, 1, 0, 0, RP_MAP_DECODED, 0},
    {"/a http://h/ NoCanon NOQUERY Interpolate", 0, 0, "/a", "http://h/", 0, 0, 1, 1, 1,
     RP_MAP_DECODED, 0},
    {"/a http://h/ mapping=encoded", 0, 0, "/a", "http://h/", 0, 0, 0, 0, 0, RP_MAP_ENCODED, 0},
    {"/a http://h/ Mapping=Servlet", 0, 0, "/a", "http://h/", 0, 0, 0, 0, 0, RP_MAP_SERVLET, 0},
    {"~ ^/a http://h/", 0, 0, "^/a", "http://h/", 1, 0, 0, 0, 0, RP_MAP_DECODED, 0},
    {"^/a http://h/$1", 0, 1, "^/a", "http://h/$1", 1, 0, 0, 0, 0, RP_MAP_DECODED, 0},
    {"http://h/", 1, 0, NULL, "http://h/", 0, 0, 0, 0, 0, RP_MAP_DECODED, 0},
    {"http://h/?a=b timeout=5", 1, 0, NULL, "http://h/?a=b", 0, 0, 0, 0, 0, RP_MAP_DECODED, 1},
    {"! ", 1, 0, NULL, "!", 0, 1, 0, 0, 0, RP_MAP_DECODED, 0},
    {"unix:/s|http: nocanon", 1, 0, NULL, "unix:/s|http:", 0, 0, 1, 0, 0, RP_MAP_DECODED, 0},
    {"/a http://h/ upgrade=", 0, 0, "/a", "http://h/", 0, 0, 0, 0, 0, RP_MAP_DECODED, 1},
};

START_TEST(passline_rows_accepted)
{
    const row_t *row = &rows[_i];
    rp_passline_t out;
    const char *err = parse(row->line, row->in_location, row->is_match, &out);

    ck_assert_msg(err == NULL, "%s: %s", row->line, err);
    ck_assert_pstr_eq(out.path, row->path);
    ck_assert_str_eq(out.url, row->url);
    ck_assert_int_eq(out.regex, row->regex);
    ck_assert_int_eq(out.exempt, row->exempt);
    ck_assert_int_eq(out.nocanon, row->nocanon);
    ck_assert_int_eq(out.noquery, row->noquery);
    ck_assert_int_eq(out.interpolate, row->interpolate);
    ck_assert_int_eq(out.mapping, row->mapping);
    ck_assert_int_eq(out.params->nelts, row->params);
}
END_TEST

typedef struct bad_row_t {
    const char *line;
    int in_location, is_match;
    const char *says;
} bad_row_t;

static const bad_row_t bad_rows[] = {
    {"", 0, 0, "needs a path and a URL"},
    {"/a", 0, 0, "needs a path and a URL"},
    {"~ /a", 0, 0, "needs a path and a URL"},
    {"", 1, 0, "needs a URL"},
    {"/a http://h/", 1, 0, "can not have a path (\"/a\")"},
    {"/a !", 1, 0, "can not have a path (\"/a\")"},
    {"~ ^/a http://h/", 1, 0, "can not have a path (\"^/a\")"},
    {"/a http://h/ bogus", 0, 0, "Invalid ProxyPass parameter \"bogus\""},
    {"/a http://h/ =5", 0, 0, "Invalid ProxyPass parameter \"=5\""},
    {"/a http://h/ mapping=other", 0, 0, "\"other\" is not one of encoded, servlet"},
    {"^/a http://h/ mapping=encoded", 0, 1, "mapping= is for ProxyPass only"},
    {"~ ^/a http://h/ mapping=encoded", 0, 0, "does not go with a regular expression"},
    {"/a ! timeout=5", 0, 0, "takes no parameters (\"timeout\")"},
};

START_TEST(passline_rows_refused_with_reason)
{
    const bad_row_t *row = &bad_rows[_i];
    rp_passline_t out;
    const char *err = parse(row->line, row->in_location, row->is_match, &out);

    ck_assert_msg(err != NULL, "%s: accepted", row->line);
    ck_assert_msg(strstr(err, row->says) != NULL, "%s: %s", row->line, err);
    ck_assert_msg(strstr(err, row->is_match ? "ProxyPassMatch" : "ProxyPass") != NULL, "%s", err);
}
END_TEST

START_TEST(passline_empty_words_refused)
{
    const char *words[] = {"", "http://h/"};
    const char *swapped[] = {"/a", ""};
    rp_passline_t out;

    ck_assert_ptr_nonnull(rp_passline_parse(pool, "ProxyPass", 0, 0, 2, words, &out));
    ck_assert_ptr_nonnull(rp_passline_parse(pool, "ProxyPass", 0, 0, 2, swapped, &out));
}
END_TEST

START_TEST(keyvalue_split_first_equals)
{
    rp_keyvalue_t kv;

    ck_assert_int_eq(rp_keyvalue_split(pool, "route=a=b", &kv), 1);
    ck_assert_str_eq(kv.key, "route");
    ck_assert_str_eq(kv.value, "a=b");
    ck_assert_int_eq(rp_keyvalue_split(pool, "route=", &kv), 1);
    ck_assert_str_eq(kv.value, "");
    ck_assert_int_eq(rp_keyvalue_split(pool, "=x", &kv), 0);
    ck_assert_int_eq(rp_keyvalue_split(pool, "route", &kv), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, passline_rows_accepted, 0, COUNT(rows));
    tcase_add_loop_test(tc, passline_rows_refused_with_reason, 0, COUNT(bad_rows));
    tcase_add_test(tc, passline_empty_words_refused);
    tcase_add_test(tc, keyvalue_split_first_equals);
}

int main(void) { return run("passline", add); }
