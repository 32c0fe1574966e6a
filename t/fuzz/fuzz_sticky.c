/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions in URLs and cookies. Input in lines: stickysession, separator (its first byte; empty line: none) with "s" behind it for
 * scolonpathdelim, the Cookie header ("-": none), last the URL. Held: a route is never empty, stands in what was given behind "name=" at a
 * boundary, and holds nothing that ends a value; where a slow reading of the same finds a route there is that one.
 */
#include "fuzz_wire.h"

#include <apr_strings.h>

#include "balancer/sticky.h"

/* Value of the first `name=` behind the beginning or one of `before`, up to one of `after`; by copying it apart. */
static const char *slow_value(apr_pool_t *pool, const char *text, const char *name, const char *before, const char *after)
{
    const char *key = apr_pstrcat(pool, name, "=", NULL);

    for (const char *p = text; *p && *name; p++) {
        if ((p == text || strchr(before, p[-1])) && strncmp(p, key, strlen(key)) == 0) {
            const char *value = p + strlen(key);
            return apr_pstrmemdup(pool, value, strcspn(value, after));
        }
    }
    return NULL;
}

static const char *slow_route(apr_pool_t *pool, const rp_sticky_t *s, const char *value)
{
    size_t n = value ? strlen(value) : 0;
    const char *sep;

    if (n > 1 && value[0] == '"' && value[n - 1] == '"') {
        value = apr_pstrmemdup(pool, value + 1, n - 2);
        n -= 2;
    }
    if (n == 0) {
        return NULL;
    }
    sep = s->sep ? strchr(value, s->sep) : value - 1;
    return sep && sep[1] ? sep + 1 : NULL;
}

/* In the path, then in the query: ';' ends values of the path alone. */
static const char *slow_url(apr_pool_t *pool, const rp_sticky_t *s, const char *url)
{
    const char *query = strchr(url, '?');
    const char *path = query ? apr_pstrmemdup(pool, url, (size_t)(query - url) + 1) : url;
    const char *value = slow_value(pool, path, s->param, ";?&/", s->semicolon_ends ? "?&;" : "?&");

    if (value == NULL && query != NULL) {
        value = slow_value(pool, url, s->param, ";?&/", "?&");
    }
    return slow_route(pool, s, value);
}

static void check(apr_pool_t *pool, const rp_sticky_t *s, const char *url, const char *cookie)
{
    const char *name = NULL, *route = rp_sticky_route(s, pool, url, cookie, &name), *slow = slow_url(pool, s, url);
    int in_url = slow != NULL;

    if (!in_url && cookie != NULL) {
        slow = slow_route(pool, s, slow_value(pool, cookie, s->cookie, "; ,\t", ";,"));
    }
    FUZZ_ASSERT((route == NULL) == (slow == NULL));
    if (route == NULL) {
        return;
    }
    FUZZ_ASSERT(strcmp(route, slow) == 0);
    FUZZ_ASSERT(route[0] != '\0');
    FUZZ_ASSERT(strcmp(name, in_url ? s->param : s->cookie) == 0);
    FUZZ_ASSERT(strstr(in_url ? url : cookie, route) != NULL);
    FUZZ_ASSERT(strpbrk(route, in_url ? "?&" : ";,") == NULL);
}

/* The line at *text, which moves on; the last one is all that is left. */
static char *line_of(char **text)
{
    char *line = *text, *end = strchr(line, '\n');

    if (end != NULL) {
        *end = '\0';
        *text = end + 1;
    }
    else {
        *text = line + strlen(line);
    }
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_string(data, size), *rest = text;
    const char *names = line_of(&rest), *how = line_of(&rest), *cookie = line_of(&rest);
    rp_sticky_t s = {0};
    char *url = fuzz_string(rest, strlen(rest));

    rp_sticky_parse(&s, pool, names);
    FUZZ_ASSERT(strlen(s.cookie) + strlen(s.param) <= 2 * strlen(names));
    s.sep = how[0];
    s.semicolon_ends = how[0] && how[1] == 's';
    check(pool, &s, url, strcmp(cookie, "-") ? cookie : NULL);
    free(url);
    free(text);
    return 0;
}
