/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url_servlet.c
 * mapping=servlet: a servlet container takes the parameters (";x=y") off each segment before it
 * resolves dot segments, so `/app/..;/admin` is `/admin` to it. The match is made on what the
 * container will see, and what is passed on holds no dot segment that it could resolve in another
 * way.
 */
#include "wire/url.h"

#include <string.h>

#include <apr_strings.h>

#include "wire/chars_int.h"

/** One segment of the path, without the '/' before it. */
typedef struct seg_t {
    rp_slice_t name;   /* up to the first ';' */
    rp_slice_t params; /* from that ';' on, or empty */
} seg_t;

typedef struct segs_t {
    seg_t
        *seg; /* those that remain; one without a name has parameters, else it would not be here */
    int n;
    int slash; /* 1: a '/' behind the last one */
} segs_t;

/** Number of dots when the name is nothing but dots (escaped ones too), else 0. */
static int dots(const rp_slice_t *name)
{
    apr_size_t i = 0;
    int n = 0;

    while (i < name->n) {
        if (name->p[i] == '.') {
            i++;
        }
        else if (name->n - i >= 3 && name->p[i] == '%' && name->p[i + 1] == '2'
                 && rp_ch_lower(name->p[i + 2]) == 'e') {
            i += 3;
        }
        else {
            return 0;
        }
        n++;
    }
    return n;
}

/** Take a segment in, or let it act on those before it. @return 0 when it climbs above the root */
static int seg_add(segs_t *s, const seg_t *g, int last)
{
    int ndots = dots(&g->name);

    s->slash = last && (g->name.n == 0 || ndots == 1 || ndots == 2);
    if (ndots == 2) {
        while (s->n > 0 && s->seg[s->n - 1].name.n == 0) {
            s->n--; /* segments without a name are no level for a container */
        }
        return --s->n >= 0;
    }
    if (ndots == 1 || (g->name.n == 0 && g->params.n == 0)) {
        return 1;
    }
    if (g->name.n == 0) {
        s->slash = 0; /* its parameters stand behind the slash */
    }
    s->seg[s->n++] = *g;
    return 1;
}

/** Cut the path at its slashes and resolve empty and dot segments. */
static apr_status_t segs_parse(apr_pool_t *pool, const char *uri, segs_t *s)
{
    const char *p;
    apr_size_t max = 1;

    if (uri[0] != '/') {
        return APR_NOTFOUND;
    }
    for (p = uri; *p; p++) {
        max += *p == '/';
    }
    s->seg = apr_palloc(pool, max * sizeof(*s->seg));
    s->n = 0;
    s->slash = 0;
    p = uri;
    while (*p == '/') {
        seg_t g;
        apr_size_t n = strcspn(++p, "/");

        g.name.p = p;
        g.name.n = strcspn(p, ";/");
        g.params.p = p + g.name.n;
        g.params.n = n - g.name.n;
        p += n;
        if (!seg_add(s, &g, *p == '\0')) {
            return APR_NOTFOUND;
        }
    }
    return APR_SUCCESS;
}

/** Write segments from..n, each behind its '/', with or without parameters. Without them empty
 * names vanish. */
static char *segs_write(char *out, const segs_t *s, int from, int with_params)
{
    int i;
    int slash = s->slash;

    for (i = from; i < s->n; i++) {
        const seg_t *g = &s->seg[i];

        if (!with_params && g->name.n == 0) {
            slash |= i + 1 == s->n;
            continue;
        }
        *out++ = '/';
        memcpy(out, g->name.p, g->name.n);
        out += g->name.n;
        if (with_params) {
            memcpy(out, g->params.p, g->params.n);
            out += g->params.n;
        }
    }
    if (slash) {
        *out++ = '/';
    }
    *out = '\0';
    return out;
}

/**
 * Compare the names with the rule's segments.
 * @return number of segments that the rule covers, -1 for no match
 */
static int segs_match(const segs_t *s, const char *rule)
{
    int i = 0;

    while (*rule) {
        apr_size_t n;

        rule += strspn(rule, "/");
        n = strcspn(rule, "/");
        if (n == 0) {
            break;
        }
        while (i < s->n && s->seg[i].name.n == 0) {
            i++;
        }
        if (i == s->n || s->seg[i].name.n != n || memcmp(s->seg[i].name.p, rule, n) != 0) {
            return -1;
        }
        i++;
        rule += n;
    }
    return i;
}

apr_status_t rp_servlet_match(apr_pool_t *pool, const char *uri, const char *rule,
                              const char **rest, const char **clean)
{
    apr_size_t rule_len = strlen(rule);
    apr_size_t uri_len = strlen(uri);
    segs_t s;
    int matched;
    char *out;
    char *p;

    *rest = NULL;
    *clean = NULL;
    if (rule[0] != '/' || segs_parse(pool, uri, &s) != APR_SUCCESS) {
        return APR_NOTFOUND;
    }
    matched = segs_match(&s, rule);
    if (matched < 0) {
        return APR_NOTFOUND;
    }
    out = p = apr_palloc(pool, uri_len + 2);
    if (rule[rule_len - 1] == '/') {
        if (matched == s.n && !s.slash && matched > 0) {
            return APR_NOTFOUND; /* the rule's last slash is not in the uri */
        }
        segs_write(out, &s, matched, 1);
        *rest = out[0] ? out + 1 : out;
    }
    else {
        if (matched < s.n || s.slash) {
            memcpy(p, s.seg[matched - 1].params.p, s.seg[matched - 1].params.n);
            p += s.seg[matched - 1].params.n;
        }
        segs_write(p, &s, matched, 1);
        *rest = out;
    }
    out = apr_palloc(pool, uri_len + 2);
    segs_write(out, &s, 0, 0);
    *clean = out;
    return APR_SUCCESS;
}
