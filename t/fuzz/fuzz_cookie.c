/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set-Cookie. Input in lines: "d internal public" or "p internal public" for each configured line,
 * last the value. Held: the result is what a slow and simple mapping of the same value gives; the
 * cookie's own name and value stay; results are bounded.
 */
#include "fuzz_wire.h"

#include <strings.h>

#include <apr_strings.h>

#include "reverse/cookie.h"

#define LINES_MAX 8

/** Without blanks at both ends; changes s. */
static char *trimmed(char *s)
{
    size_t n;

    s += strspn(s, " \t");
    for (n = strlen(s); n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'); n--) {
        s[n - 1] = '\0';
    }
    return s;
}

static const char *slow_path(const apr_array_header_t *paths, const char *value)
{
    for (int i = 0; i < paths->nelts; i++) {
        const rp_cookie_map_t *map = APR_ARRAY_IDX(paths, i, const rp_cookie_map_t *);
        size_t n = strlen(map->internal);

        if (n && strstr(value, map->internal) == value
            && (strchr("/", value[n]) || map->internal[n - 1] == '/')) {
            return map->public_value;
        }
    }
    return NULL;
}

static const char *slow_domain(const apr_array_header_t *domains, const char *value)
{
    const char *second = NULL;

    for (int i = 0; i < domains->nelts; i++) {
        const rp_cookie_map_t *map = APR_ARRAY_IDX(domains, i, const rp_cookie_map_t *);

        if (map->internal[0] && strcasecmp(map->internal, value) == 0) {
            return map->public_value;
        }
        if (!second && map->internal[map->internal[0] == '.']
            && strcasecmp(map->internal + (map->internal[0] == '.'), value + (value[0] == '.'))
                   == 0) {
            second = map->public_value;
        }
    }
    return second;
}

/** One attribute, mapped by copying it apart and together. */
static const char *slow_attribute(apr_pool_t *pool, const apr_array_header_t *domains,
                                  const apr_array_header_t *paths, const char *text)
{
    const char *equals = strchr(text, '=');
    const char *found = NULL;
    const char *front;
    char *name;
    char *value;
    char *bare;
    size_t n;
    size_t quoted = 0;

    if (!equals) {
        return text;
    }
    name = trimmed(apr_pstrmemdup(pool, text, (size_t)(equals - text)));
    value = apr_pstrdup(pool, equals + 1);
    bare = trimmed(apr_pstrdup(pool, value));
    n = strlen(bare);
    if (n >= 2 && bare[0] == '"' && bare[n - 1] == '"') {
        bare[n - 1] = '\0';
        bare++;
        n -= 2;
        quoted = 1;
    }
    if (strcasecmp(name, "path") == 0) {
        found = slow_path(paths, bare);
    }
    else if (strcasecmp(name, "domain") == 0) {
        found = slow_domain(domains, bare);
    }
    if (!found) {
        return text;
    }
    front = value + strspn(value, " \t") + quoted;
    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (size_t)(equals + 1 - text)),
                       apr_pstrmemdup(pool, value, (size_t)(front - value)), found, front + n,
                       NULL);
}

static const char *slow_map(apr_pool_t *pool, const apr_array_header_t *domains,
                            const apr_array_header_t *paths, const char *value)
{
    size_t n = strcspn(value, ";");
    const char *out = apr_pstrmemdup(pool, value, n);

    while (value[n]) {
        value += n + 1;
        n = strcspn(value, ";");
        out =
            apr_pstrcat(pool, out, ";",
                        slow_attribute(pool, domains, paths, apr_pstrmemdup(pool, value, n)), NULL);
    }
    return out;
}

static void try_map(apr_pool_t *pool, const apr_array_header_t *domains,
                    const apr_array_header_t *paths, const char *value)
{
    rp_reverse_err_e err;
    const char *out;
    apr_status_t rv = rp_cookie_map(pool, domains, paths, value, &out, &err);
    const char *slow = slow_map(pool, domains, paths, value);

    FUZZ_ASSERT((rv == APR_SUCCESS) == (out != NULL));
    FUZZ_ASSERT((rv == APR_EINVAL) == (err != RP_REVERSE_OK));
    if (rv == APR_NOTFOUND) {
        FUZZ_ASSERT(strcmp(slow, value) == 0);
    }
    else if (err == RP_REVERSE_TOO_LONG) {
        FUZZ_ASSERT(strlen(slow) > RP_REVERSE_VALUE_MAX);
    }
    else if (rv == APR_SUCCESS) {
        size_t own = strcspn(value, ";");

        FUZZ_ASSERT(strcmp(slow, out) == 0);
        FUZZ_ASSERT(strlen(out) <= RP_REVERSE_VALUE_MAX);
        FUZZ_ASSERT(strncmp(out, value, own + 1) == 0);
    }
    else {
        FUZZ_ASSERT(err == RP_REVERSE_BAD_PUBLIC);
    }
}

/** "d internal public" or "p internal public". */
static void add_line(apr_pool_t *pool, apr_array_header_t *domains, apr_array_header_t *paths,
                     const char *line)
{
    apr_array_header_t *maps = line[0] == 'd' ? domains : paths;
    const char *space = line[0] && line[1] == ' ' ? strchr(line + 2, ' ') : NULL;
    rp_cookie_map_t *map = apr_palloc(pool, sizeof(*map));

    if (space && maps->nelts < LINES_MAX) {
        map->internal = apr_pstrmemdup(pool, line + 2, (size_t)(space - line) - 2);
        map->public_value = apr_pstrdup(pool, space + 1);
        APR_ARRAY_PUSH(maps, const rp_cookie_map_t *) = map;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    apr_array_header_t *domains = apr_array_make(pool, 4, sizeof(const rp_cookie_map_t *));
    apr_array_header_t *paths = apr_array_make(pool, 4, sizeof(const rp_cookie_map_t *));
    char *text = fuzz_string(data, size);
    char *line = text;
    char *value;

    for (char *end = strchr(line, '\n'); end; end = strchr(line, '\n')) {
        *end = '\0';
        add_line(pool, domains, paths, line);
        line = end + 1;
    }
    value = fuzz_string(line, strlen(line));
    try_map(pool, domains, paths, value);
    free(value);
    free(text);
    return 0;
}
