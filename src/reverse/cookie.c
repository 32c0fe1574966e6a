/* SPDX-License-Identifier: Apache-2.0 */
#include "reverse/cookie.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>

#include "reverse/pieces.h"

/* Without white space at both ends. */
static rp_slice_t trim(const char *p, const char *end)
{
    rp_slice_t s;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    s.p = p;
    s.n = (apr_size_t)(end - p);
    return s;
}

static int is_word(const rp_slice_t *s, const char *word)
{
    return s->n == strlen(word) && strncasecmp(s->p, word, s->n) == 0;
}

static int path_matches(const char *internal, const rp_slice_t *value)
{
    apr_size_t n = strlen(internal);

    if (n == 0 || n > value->n || memcmp(internal, value->p, n) != 0) {
        return 0;
    }
    return n == value->n || internal[n - 1] == '/' || value->p[n] == '/';
}

static const rp_cookie_map_t *path_find(const apr_array_header_t *paths, const rp_slice_t *value)
{
    for (int i = 0; i < paths->nelts; i++) {
        const rp_cookie_map_t *map = APR_ARRAY_IDX(paths, i, const rp_cookie_map_t *);

        if (path_matches(map->internal, value)) {
            return map;
        }
    }
    return NULL;
}

static int domain_same(const char *internal, const rp_slice_t *value, int undot)
{
    rp_slice_t v = *value;

    if (undot) { /* a leading dot means nothing (RFC 6265 5.2.3) */
        internal += internal[0] == '.';
        v.p += v.n > 0 && v.p[0] == '.';
        v.n -= (apr_size_t)(v.p - value->p);
    }
    return internal[0] && is_word(&v, internal);
}

static const rp_cookie_map_t *domain_find(const apr_array_header_t *domains,
                                          const rp_slice_t *value)
{
    for (int undot = 0; undot <= 1; undot++) {
        for (int i = 0; i < domains->nelts; i++) {
            const rp_cookie_map_t *map = APR_ARRAY_IDX(domains, i, const rp_cookie_map_t *);

            if (domain_same(map->internal, value, undot)) {
                return map;
            }
        }
    }
    return NULL;
}

/* The line for the attribute in [p, end), and where in it the value to replace is; NULL when there
 * is none. */
static const rp_cookie_map_t *attribute_find(const apr_array_header_t *domains,
                                             const apr_array_header_t *paths, const char *p,
                                             const char *end, rp_slice_t *value)
{
    const char *equals = memchr(p, '=', (apr_size_t)(end - p));
    rp_slice_t name;

    if (!equals) {
        return NULL;
    }
    name = trim(p, equals);
    *value = trim(equals + 1, end);
    if (value->n >= 2 && value->p[0] == '"' && value->p[value->n - 1] == '"') {
        value->p++;
        value->n -= 2;
    }
    if (is_word(&name, "Path")) {
        return path_find(paths, value);
    }
    return is_word(&name, "Domain") ? domain_find(domains, value) : NULL;
}

static int has_ctl(const char *s)
{
    for (; *s; s++) {
        if (apr_iscntrl(*s)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t rp_cookie_map(apr_pool_t *pool, const apr_array_header_t *domains,
                           const apr_array_header_t *paths, const char *value, const char **out,
                           rp_reverse_err_e *err)
{
    const char *p = strchr(value, ';'); /* in front of it: the cookie's name and value */
    const char *done = value;
    rp_pieces_t pieces;

    *out = NULL;
    *err = RP_REVERSE_OK;
    rp_pieces_init(&pieces, pool);
    while (p) {
        const char *end = strchr(p + 1, ';');
        rp_slice_t old;
        const rp_cookie_map_t *map =
            attribute_find(domains, paths, p + 1, end ? end : p + strlen(p), &old);

        if (map) {
            if (has_ctl(map->public_value)) {
                *err = RP_REVERSE_BAD_PUBLIC;
                return APR_EINVAL;
            }
            rp_pieces_add(&pieces, done, (apr_size_t)(old.p - done));
            rp_pieces_add(&pieces, map->public_value, strlen(map->public_value));
            done = old.p + old.n;
        }
        p = end;
    }
    if (done == value) {
        return APR_NOTFOUND;
    }
    rp_pieces_add(&pieces, done, strlen(done));
    return rp_pieces_join(&pieces, out, err);
}
