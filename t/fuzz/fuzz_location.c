/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Location, Refresh and Link. Input in lines: first the kind (u, r or l; in capitals: variables are
 * filled in) and the members of all balancers, then lines of public and real side, last the value.
 * Held: a mapped URL names this server or is one of the public sides; a URL is only mapped when its
 * host is one of the configuration; a value brings its control characters along, and nobody
 * else does; results are bounded; a Link has as many ends of URLs as before.
 */
#include "fuzz_wire.h"

#include <ctype.h>

#include <apr_strings.h>

#include "reverse/interpolate.h"
#include "reverse/location.h"

#define FRONT "http://front"
#define RULES_MAX 8

static const char *front(void *baton, apr_pool_t *pool, const char *path)
{
    (void)baton;
    FUZZ_ASSERT(path[0] == '/');
    return apr_pstrcat(pool, FRONT, path, NULL);
}

/** The name's own text, or the members. */
static const char *variable(void *baton, const char *name)
{
    return name[0] == 'M' ? baton : name[0] == 'E' ? NULL : name;
}

static int has_ctl(const char *s)
{
    for (; *s; s++) {
        if (iscntrl((unsigned char)*s)) {
            return 1;
        }
    }
    return 0;
}

static size_t count(const char *s, char c)
{
    size_t n = 0;

    for (; *s; s++) {
        n += *s == c;
    }
    return n;
}

static apr_array_header_t *words(apr_pool_t *pool, const char *text)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));
    char *last = NULL;
    char *copy = apr_pstrdup(pool, text);

    for (char *w = apr_strtok(copy, " ", &last); w; w = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(list, const char *) = w;
    }
    return list;
}

static const char *filled(apr_pool_t *pool, const char *text, const char *members, const char *bad)
{
    rp_reverse_err_e err;
    const char *out;

    if (rp_interpolate(pool, text, variable, (void *)members, bad, &out, &err) != APR_SUCCESS) {
        FUZZ_ASSERT(!out && err != RP_REVERSE_OK && rp_reverse_err_str(err)[0]);
        return "";
    }
    FUZZ_ASSERT(strlen(out) <= RP_REVERSE_VALUE_MAX && err == RP_REVERSE_OK);
    return out;
}

/** A rule from "public real". */
static void add_rule(apr_pool_t *pool, apr_array_header_t *rules, const char *line,
                     const char *members, int variables)
{
    const char *space = strchr(line, ' ');
    rp_reverse_rule_t *rule = apr_palloc(pool, sizeof(*rule));
    const char *public_url;
    rp_reverse_err_e err;

    if (!space || rules->nelts == RULES_MAX) {
        return;
    }
    public_url = apr_pstrmemdup(pool, line, (size_t)(space - line));
    line = space + 1;
    if (variables) {
        public_url = filled(pool, public_url, members, " <>");
        line = filled(pool, line, members, NULL);
    }
    if (rp_reverse_rule_parse(pool, public_url, line, rule, &err) != APR_SUCCESS) {
        FUZZ_ASSERT(err != RP_REVERSE_OK && rule->form == RP_REVERSE_NOTHING);
    }
    else {
        FUZZ_ASSERT(!has_ctl(public_url) && rule->form != RP_REVERSE_NOTHING);
    }
    rp_reverse_rule_members(pool, rule, members[0] ? words(pool, members) : NULL);
    FUZZ_ASSERT(rp_reverse_form_str(rule->form)[0]);
    APR_ARRAY_PUSH(rules, const rp_reverse_rule_t *) = rule;
}

/** Seen with other eyes: is the host of `scheme://host` one that a rule names? */
static int host_is_known(apr_pool_t *pool, const apr_array_header_t *rules, const char *url)
{
    const char *host = strstr(url, "//");
    size_t n;

    host = host ? host + 2 : "";
    n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":/?#");
    for (int i = 0; i < rules->nelts; i++) {
        const rp_reverse_rule_t *rule = APR_ARRAY_IDX(rules, i, const rp_reverse_rule_t *);

        for (int k = 0; k < rule->reals->nelts; k++) {
            const rp_url_t *real = &APR_ARRAY_IDX(rule->reals, k, rp_reverse_real_t).url;

            if (rule->form == RP_REVERSE_PATH
                || (real->ipv6 == (*host == '[') && strlen(real->host) + (size_t)real->ipv6 == n
                    && strncasecmp(host + real->ipv6, real->host, strlen(real->host)) == 0)) {
                return 1;
            }
        }
    }
    (void)pool;
    return 0;
}

static int is_public(const apr_array_header_t *rules, const char *out)
{
    for (int i = 0; i < rules->nelts; i++) {
        const char *url = APR_ARRAY_IDX(rules, i, const rp_reverse_rule_t *)->public_url;

        if (strncmp(out, url, strlen(url)) == 0 && strstr(url, "://")) {
            return 1;
        }
    }
    return strncmp(out, FRONT "/", sizeof(FRONT)) == 0;
}

static void try_map(apr_pool_t *pool, const rp_reverse_map_t *map, rp_reverse_kind_e kind,
                    const char *value)
{
    rp_reverse_err_e err;
    const char *out;
    apr_status_t rv = rp_reverse_map(pool, map, kind, value, &out, &err);

    FUZZ_ASSERT(rp_reverse_kind_of(rp_reverse_kind_str(kind)) == kind);
    FUZZ_ASSERT((rv == APR_SUCCESS) == (out != NULL));
    FUZZ_ASSERT((rv == APR_EINVAL) == (err != RP_REVERSE_OK));
    FUZZ_ASSERT(rv == APR_SUCCESS || rv == APR_EINVAL || rv == APR_NOTFOUND);
    if (!out) {
        return;
    }
    FUZZ_ASSERT(strlen(out) <= RP_REVERSE_VALUE_MAX + sizeof(FRONT));
    FUZZ_ASSERT(has_ctl(value) || !has_ctl(out));
    if (kind == RP_REVERSE_KIND_URL) {
        FUZZ_ASSERT(is_public(map->rules, out));
        FUZZ_ASSERT(host_is_known(pool, map->rules, value));
    }
    else if (kind == RP_REVERSE_KIND_LINK) {
        FUZZ_ASSERT(count(out, '>') == count(value, '>'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rp_reverse_kind_e kinds[] = { RP_REVERSE_KIND_URL, RP_REVERSE_KIND_REFRESH,
                                               RP_REVERSE_KIND_LINK };
    static const char letters[] = "url";
    apr_pool_t *pool = fuzz_pool();
    rp_reverse_map_t map = { NULL, front, NULL };
    apr_array_header_t *rules = apr_array_make(pool, RULES_MAX, sizeof(const rp_reverse_rule_t *));
    char *text = fuzz_string(data, size);
    char *members = text;
    char *line = strchr(text, '\n');
    const char *letter = size ? strchr(letters, tolower((unsigned char)text[0])) : NULL;
    int variables = size && isupper((unsigned char)text[0]);
    char *value;

    if (line && letter && *letter) {
        *line++ = '\0';
        for (char *end = strchr(line, '\n'); end; end = strchr(line, '\n')) {
            *end = '\0';
            add_rule(pool, rules, line, members + 1, variables);
            line = end + 1;
        }
        map.rules = rules;
        value = fuzz_string(line, strlen(line));
        try_map(pool, &map, kinds[letter - letters], value);
        free(value);
    }
    free(text);
    return 0;
}
