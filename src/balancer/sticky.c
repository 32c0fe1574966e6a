/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/sticky.h"

#include <apr_strings.h>
#include <string.h>

#include "wire/slice.h"

void rp_sticky_parse(rp_sticky_t *out, apr_pool_t *pool, const char *stickysession)
{
    const char *bar = strchr(stickysession, '|');

    out->cookie = bar ? apr_pstrmemdup(pool, stickysession, (apr_size_t)(bar - stickysession)) : stickysession;
    out->param = bar ? bar + 1 : stickysession;
}

/* What may stand before a parameter of a URL, and before a cookie's name. */
static int url_boundary(char c) { return c == ';' || c == '?' || c == '&' || c == '/'; }
static int cookie_boundary(char c) { return c == ';' || c == ',' || c == ' ' || c == '\t'; }

/* The first `name=` at a boundary; the value behind it, or NULL. */
static const char *find_value(const char *text, const char *name, int (*boundary)(char))
{
    apr_size_t len = strlen(name);
    const char *p = text;

    while (len > 0 && (p = strstr(p, name)) != NULL) {
        if (p[len] == '=' && (p == text || boundary(p[-1]))) {
            return p + len + 1;
        }
        p++;
    }
    return NULL;
}

/* Text behind the separator; NULL when there is no route in the value. */
static const char *route_of(const rp_sticky_t *s, apr_pool_t *pool, const char *value, apr_size_t len)
{
    const char *sep;

    if (len > 1 && value[0] == '"' && value[len - 1] == '"') {
        value++;
        len -= 2;
    }
    if (s->sep == 0) {
        return len > 0 ? apr_pstrmemdup(pool, value, len) : NULL;
    }
    sep = memchr(value, s->sep, len);
    if (sep == NULL || sep + 1 == value + len) {
        return NULL;
    }
    return apr_pstrmemdup(pool, sep + 1, (apr_size_t)(value + len - sep - 1));
}

const char *rp_sticky_route(const rp_sticky_t *s, apr_pool_t *pool, const char *url, const char *cookie, const char **name)
{
    const char *value = find_value(url, s->param, url_boundary);

    *name = s->param;
    if (value != NULL) {
        const char *query = strchr(url, '?');
        int in_path = query == NULL || value < query;
        const char *route = route_of(s, pool, value, strcspn(value, in_path && s->semicolon_ends ? "?&;" : "?&"));
        if (route != NULL) {
            return route;
        }
    }
    value = cookie ? find_value(cookie, s->cookie, cookie_boundary) : NULL;
    if (value == NULL) {
        return NULL;
    }
    *name = s->cookie;
    return route_of(s, pool, value, strcspn(value, ";,"));
}
