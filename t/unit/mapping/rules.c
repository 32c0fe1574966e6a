/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules are asked for a path: all that match it, in their order, and of the others next to none. */
#include "../pool_case.h"

#include <string.h>

#include <apr_strings.h>

#include "mapping/rules.h"

static apr_array_header_t *rules;

static rp_rule_t *add(const char *path)
{
    rp_rule_t *rule = apr_pcalloc(pool, sizeof(*rule));

    rule->path = path;
    APR_ARRAY_PUSH(rules, rp_rule_t *) = rule;
    return rule;
}

static void setup(void)
{
    pool_setup();
    rules = apr_array_make(pool, 8, sizeof(rp_rule_t *));
}

/* Candidates, as one text: the paths with blanks between them. */
static const char *asked(const rp_rule_index_t *ix, const char *path, int encoded)
{
    rp_rule_search_t s;
    const rp_rule_t *rule;
    const char *text = "";

    rp_rule_search(&s, ix, path, encoded);
    while ((rule = rp_rule_search_next(&s)) != NULL) {
        text = apr_pstrcat(pool, text, *text ? " " : "", rule->path, NULL);
    }
    ck_assert_ptr_null(rp_rule_search_next(&s));
    return text;
}

static const struct {
    const char *path, *asked;
} rows[] = {
    { "/", "/" },
    { "//", "/" },
    { "/app", "/app/ /app / /app" },
    { "/app/", "/app/ /app / /app" },
    { "/app/x", "/app/ /app / /app" },
    { "//app//x", "/app/ /app / /app" },
    { "/apple", "/" },
    { "/ap", "/" },
    { "/app/deep/er", "/app//deep /app/ /app / /app" },
    { "/app/deep", "/app//deep /app/ /app / /app" },
    { "/App", "/" },
    { "/app/deep/er/and/much/longer/than/any/rule", "/app//deep /app/ /app / /app" },
};

START_TEST(rules_of_a_path_in_order)
{
    (void)add("/app//deep");
    (void)add("/app/");
    (void)add("/app");
    (void)add("/");
    (void)add("/app"); /* hidden, but the first may decline */
    (void)add("never");
    (void)add("/longer/than/all/of/the/paths/in/the/table/above");
    ck_assert_str_eq(asked(rp_rule_index_make(pool, rules), rows[_i].path, 0), rows[_i].asked);
}
END_TEST

/* What has no fixed prefix is asked each time, at its place in the order. */
START_TEST(rules_without_prefix_keep_their_place)
{
    rp_rule_index_t *ix;

    add("^/x")->regex = (ap_regex_t *)rules;
    (void)add("/a");
    add("/${V}")->interpolate = 1;
    (void)add("/b");
    (void)add("/a/b");
    add("s")->mapping = RP_MAP_SERVLET;
    add("/a")->mapping = RP_MAP_ENCODED;
    add("e")->regex = (ap_regex_t *)rules;
    APR_ARRAY_IDX(rules, 7, rp_rule_t *)->mapping = RP_MAP_ENCODED;
    ix = rp_rule_index_make(pool, rules);
    ck_assert_str_eq(asked(ix, "/a/b/c", 0), "^/x /a /${V} /a/b");
    ck_assert_str_eq(asked(ix, "/b", 0), "^/x /${V} /b");
    ck_assert_str_eq(asked(ix, "/none", 0), "^/x /${V}");
    ck_assert_str_eq(asked(ix, "/a/b/c", 1), "s /a e");
    ck_assert_str_eq(asked(ix, "/b", 1), "s e");
}
END_TEST

START_TEST(no_rules)
{
    ck_assert_str_eq(asked(rp_rule_index_make(pool, rules), "/a", 0), "");
    ck_assert_str_eq(asked(rp_rule_index_make(pool, rules), "/a", 1), "");
}
END_TEST

/* More levels than a search has room for: then every rule of the phase is asked. */
START_TEST(whether_there_are_any)
{
    ck_assert_int_eq(rp_rule_index_has(rp_rule_index_make(pool, rules), 0), 0);
    ck_assert_int_eq(rp_rule_index_has(rp_rule_index_make(pool, rules), 1), 0);
    (void)add("/decoded");
    ck_assert_int_eq(rp_rule_index_has(rp_rule_index_make(pool, rules), 0), 1);
    ck_assert_int_eq(rp_rule_index_has(rp_rule_index_make(pool, rules), 1), 0);
    add("/servlet")->mapping = RP_MAP_SERVLET; /* has no prefix to look up */
    ck_assert_int_eq(rp_rule_index_has(rp_rule_index_make(pool, rules), 1), 1);
}
END_TEST

START_TEST(many_levels)
{
    const char *path = "";
    int i, n = 0;
    rp_rule_search_t s;
    rp_rule_index_t *ix;

    for (i = 0; i < RP_RULE_CHAINS_MAX + 3; i++) {
        path = apr_pstrcat(pool, path, "/x", NULL);
        (void)add(path);
    }
    add("/e")->mapping = RP_MAP_ENCODED;
    ix = rp_rule_index_make(pool, rules);
    rp_rule_search(&s, ix, path, 0);
    while (rp_rule_search_next(&s) != NULL) {
        n++;
    }
    ck_assert_int_eq(n, RP_RULE_CHAINS_MAX + 3);
    ck_assert_ptr_null(rp_rule_search_next(&s));
    rp_rule_search(&s, ix, "/x/x/y", 0);
    ck_assert_ptr_eq(rp_rule_search_next(&s), APR_ARRAY_IDX(rules, 0, rp_rule_t *));
    ck_assert_ptr_eq(rp_rule_search_next(&s), APR_ARRAY_IDX(rules, 1, rp_rule_t *));
    ck_assert_ptr_null(rp_rule_search_next(&s));
}
END_TEST

/* Random rules and paths: nothing that matches is missed, the order is that of the array. */
START_TEST(never_misses_a_match)
{
    static const char *const words[] = { "/", "//", "a", "b", "/a", "/b", "/ab", "ab/", "/a/b", "///" };
    unsigned seed = (unsigned)_i + 1;
    rp_rule_index_t *ix;
    int i, k;

    for (i = 0; i < 200; i++) {
        const char *path = "/";

        for (k = (int)(rand_r(&seed) % 5); k > 0; k--) {
            path = apr_pstrcat(pool, path, words[rand_r(&seed) % ROWS(words)], NULL);
        }
        (void)add(path);
    }
    ix = rp_rule_index_make(pool, rules);
    for (i = 0; i < 300; i++) {
        const char *path = "/";
        rp_rule_search_t s;
        const rp_rule_t *rule;

        for (k = (int)(rand_r(&seed) % 8); k > 0; k--) {
            path = apr_pstrcat(pool, path, words[rand_r(&seed) % ROWS(words)], NULL);
        }
        rp_rule_search(&s, ix, path, 0);
        for (k = 0; k < rules->nelts; k++) {
            const rp_rule_t *want = APR_ARRAY_IDX(rules, k, const rp_rule_t *);

            if (rp_prefix_match(path, want->path) == 0) {
                continue;
            }
            do {
                rule = rp_rule_search_next(&s);
                ck_assert_msg(rule != NULL, "%s was not asked for %s", want->path, path);
            } while (rule != want);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mapping/rules");
    TCase *tc = tcase_create("rules");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    tcase_add_loop_test(tc, rules_of_a_path_in_order, 0, ROWS(rows));
    tcase_add_test(tc, rules_without_prefix_keep_their_place);
    tcase_add_test(tc, no_rules);
    tcase_add_test(tc, whether_there_are_any);
    tcase_add_test(tc, many_levels);
    tcase_add_loop_test(tc, never_misses_a_match, 0, 20);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
