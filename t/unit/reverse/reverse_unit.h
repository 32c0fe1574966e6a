/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file reverse_unit.h
 * What the unit tests of src/reverse share: a pool for each test, lists of lines, the server that
 * URLs are made absolute with.
 */
#ifndef RP_REVERSE_UNIT_H
#define RP_REVERSE_UNIT_H

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <check.h>

#include "../pool_case.h"
#include "reverse/location.h"

/** What httpd does with a path: the name of this server in front. */
__attribute__((unused)) static const char *front(void *baton, apr_pool_t *p, const char *path)
{
    return apr_pstrcat(p, (const char *)baton, path, NULL);
}

/** n times c. */
__attribute__((unused)) static char *repeated(char c, size_t n)
{
    char *s = apr_palloc(pool, n + 1);

    memset(s, c, n);
    s[n] = '\0';
    return s;
}

/** Words of a text, split at single spaces; "" is written as "-". */
__attribute__((unused)) static apr_array_header_t *words(const char *text)
{
    apr_array_header_t *list = apr_array_make(pool, 8, sizeof(const char *));
    char *last = NULL;
    char *copy = apr_pstrdup(pool, text);

    for (char *w = apr_strtok(copy, " ", &last); w; w = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(list, const char *) = strcmp(w, "-") == 0 ? "" : w;
    }
    return list;
}

/** A map of lines "public real public real ...", on the server http://front. */
__attribute__((unused)) static rp_reverse_map_t map_of(const char *lines, const char *members)
{
    rp_reverse_map_t map = { NULL, front, "http://front" };
    const apr_array_header_t *list = words(lines);
    apr_array_header_t *rules = apr_array_make(pool, 4, sizeof(const rp_reverse_rule_t *));

    for (int i = 0; i + 1 < list->nelts; i += 2) {
        rp_reverse_rule_t *rule = apr_palloc(pool, sizeof(*rule));
        rp_reverse_err_e err;
        apr_status_t rv =
            rp_reverse_rule_parse(pool, APR_ARRAY_IDX(list, i, const char *),
                                  APR_ARRAY_IDX(list, i + 1, const char *), rule, &err);

        ck_assert_int_eq(rv == APR_SUCCESS, err == RP_REVERSE_OK);
        rp_reverse_rule_members(pool, rule, members ? words(members) : NULL);
        APR_ARRAY_PUSH(rules, const rp_reverse_rule_t *) = rule;
    }
    map.rules = rules;
    return map;
}

/** A value mapped as a kind; NULL: it stays. */
__attribute__((unused)) static const char *mapped_as(rp_reverse_kind_e kind, const char *lines,
                                                     const char *members, const char *value)
{
    rp_reverse_map_t map = map_of(lines, members);
    rp_reverse_err_e err;
    const char *out;
    apr_status_t rv = rp_reverse_map(pool, &map, kind, value, &out, &err);

    ck_assert_int_eq(err, RP_REVERSE_OK);
    ck_assert_int_eq(rv, out ? APR_SUCCESS : APR_NOTFOUND);
    return out;
}

/** The same where it fails. */
__attribute__((unused)) static rp_reverse_err_e failure_as(rp_reverse_kind_e kind,
                                                           const char *lines, const char *value)
{
    rp_reverse_map_t map = map_of(lines, NULL);
    rp_reverse_err_e err;
    const char *out;

    ck_assert_int_eq(rp_reverse_map(pool, &map, kind, value, &out, &err), APR_EINVAL);
    ck_assert_int_ne(err, RP_REVERSE_OK);
    return err;
}

__attribute__((unused)) static void check_mapped(const char *got, const char *want,
                                                 const char *value)
{
    if (want) {
        ck_assert_msg(got != NULL, "\"%s\" is not mapped, expected \"%s\"", value, want);
        ck_assert_str_eq(got, want);
    }
    else {
        ck_assert_msg(got == NULL, "\"%s\" became \"%s\"", value, got);
    }
}

#endif
