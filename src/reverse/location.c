/* SPDX-License-Identifier: Apache-2.0 */
#include "reverse/location.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

const char *rp_reverse_kind_str(rp_reverse_kind_e kind)
{
    switch (kind) {
    case RP_REVERSE_KIND_URL: return "URL";
    case RP_REVERSE_KIND_REFRESH: return "Refresh";
    case RP_REVERSE_KIND_LINK: return "Link";
    }
    return "unknown";
}

rp_reverse_kind_e rp_reverse_kind_of(const char *name)
{
    if (strcasecmp(name, "Refresh") == 0) {
        return RP_REVERSE_KIND_REFRESH;
    }
    return strcasecmp(name, "Link") == 0 ? RP_REVERSE_KIND_LINK : RP_REVERSE_KIND_URL;
}

/* 1 for `scheme://...`: that needs no server's name in front. */
static int is_absolute(const char *url)
{
    const char *p = url;

    while (apr_isalnum(*p) || *p == '+' || *p == '-' || *p == '.') {
        p++;
    }
    return p > url && strncmp(p, "://", 3) == 0;
}

/* The public side and what followed the matched part, with exactly one slash between them. */
static void join(rp_pieces_t *pieces, const char *public_url, const char *rest, apr_size_t n,
                 int real_slash)
{
    apr_size_t len = strlen(public_url);
    int has_slash = len > 0 && public_url[len - 1] == '/';

    rp_pieces_add(pieces, public_url, len);
    if (n > 0 && rest[0] == '/' && has_slash && !real_slash) {
        rest++; /* `/x/ balancer://c`: both sides brought one. With a slash in the real side this
                   one is the backend's. */
        n--;
    }
    else if (n > 0 && !strchr("/?#;&", rest[0]) && !has_slash && !strpbrk(public_url, "?#")) {
        rp_pieces_add(pieces, "/", 1); /* `/foo http://h/bar/`: the matched part swallowed it */
    }
    rp_pieces_add(pieces, rest, n);
}

static apr_status_t apply(apr_pool_t *pool, const rp_reverse_map_t *map, const char *public_url,
                          const char *rest, apr_size_t n, int real_slash, const char **out,
                          rp_reverse_err_e *err)
{
    int absolute = is_absolute(public_url);
    rp_pieces_t pieces;
    apr_status_t rv;

    if (!absolute && public_url[0] != '/') {
        public_url = apr_pstrcat(pool, "/", public_url, NULL); /* not to run into the host's name */
    }
    rp_pieces_init(&pieces, pool);
    join(&pieces, public_url, rest, n, real_slash);
    rv = rp_pieces_join(&pieces, out, err);
    if (rv == APR_SUCCESS && !absolute) {
        *out = map->absolute(map->baton, pool, *out);
    }
    return rv;
}

apr_status_t rp_location_map(apr_pool_t *pool, const rp_reverse_map_t *map, const char *text,
                             apr_size_t n, const char **out, rp_reverse_err_e *err)
{
    rp_reverse_ref_t ref;
    apr_size_t rest = 0;
    int slash = 0;

    *out = NULL;
    *err = RP_REVERSE_OK;
    if (rp_reverse_ref_parse(pool, text, n, &ref) != APR_SUCCESS) {
        return APR_NOTFOUND;
    }
    for (int i = 0; i < map->rules->nelts; i++) {
        const rp_reverse_rule_t *rule = APR_ARRAY_IDX(map->rules, i, const rp_reverse_rule_t *);

        if (rp_reverse_rule_match(rule, &ref, &rest, &slash)) {
            return apply(pool, map, rule->public_url, ref.path + rest, ref.path_len - rest, slash,
                         out, err);
        }
    }
    return APR_NOTFOUND;
}

apr_status_t rp_reverse_map(apr_pool_t *pool, const rp_reverse_map_t *map, rp_reverse_kind_e kind,
                            const char *value, const char **out, rp_reverse_err_e *err)
{
    switch (kind) {
    case RP_REVERSE_KIND_REFRESH: return rp_refresh_map(pool, map, value, out, err);
    case RP_REVERSE_KIND_LINK: return rp_link_map(pool, map, value, out, err);
    case RP_REVERSE_KIND_URL: break;
    }
    return rp_location_map(pool, map, value, strlen(value), out, err);
}
