/* SPDX-License-Identifier: Apache-2.0 */
#include "reverse/rule.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

static const char balancer_prefix[] = "balancer://";
#define BALANCER_PREFIX_LEN (sizeof(balancer_prefix) - 1)

const char *rp_reverse_form_str(rp_reverse_form_e form)
{
    switch (form) {
    case RP_REVERSE_NOTHING: return "nothing";
    case RP_REVERSE_URL: return "URL";
    case RP_REVERSE_PATH: return "path";
    case RP_REVERSE_BALANCER: return "balancer";
    }
    return "unknown";
}

static void real_add(rp_reverse_rule_t *rule, const rp_url_t *url, apr_size_t folded)
{
    rp_reverse_real_t *real = apr_array_push(rule->reals);

    real->url = *url;
    real->path_len = strlen(url->path);
    real->folded = folded;
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

static void balancer_parse(apr_pool_t *pool, const char *real, rp_reverse_rule_t *rule)
{
    apr_size_t n = BALANCER_PREFIX_LEN + strcspn(real + BALANCER_PREFIX_LEN, "/");
    char *name = apr_pstrmemdup(pool, real, n);

    for (char *p = name; *p; p++) {
        *p = (char)apr_tolower(*p);
    }
    rule->form = n > BALANCER_PREFIX_LEN ? RP_REVERSE_BALANCER : RP_REVERSE_NOTHING;
    rule->balancer = name;
    rule->part = apr_pstrdup(pool, real + n);
}

apr_status_t rp_reverse_rule_parse(apr_pool_t *pool, const char *public_url, const char *real,
                                   rp_reverse_rule_t *rule, rp_reverse_err_e *err)
{
    const char *bar = strncasecmp(real, "unix:", 5) == 0 ? strchr(real, '|') : NULL;
    rp_url_err_e url_err;
    rp_url_t url;

    memset(rule, 0, sizeof(*rule));
    rule->public_url = public_url;
    rule->reals = apr_array_make(pool, 1, sizeof(rp_reverse_real_t));
    *err = RP_REVERSE_OK;
    if (has_ctl(public_url)) {
        *err = RP_REVERSE_BAD_PUBLIC;
        return APR_EINVAL;
    }
    if (bar) {
        real = bar + 1;
    }
    if (strncasecmp(real, balancer_prefix, BALANCER_PREFIX_LEN) == 0) {
        balancer_parse(pool, real, rule);
    }
    else if (real[0] == '/') {
        memset(&url, 0, sizeof(url));
        url.path = apr_pstrdup(pool, real);
        real_add(rule, &url, strlen(real));
        rule->form = RP_REVERSE_PATH;
    }
    else if (rp_url_parse(pool, real, 0, &url, &url_err) == APR_SUCCESS) {
        real_add(rule, &url, strlen(url.path));
        rule->form = RP_REVERSE_URL;
    }
    if (rule->form == RP_REVERSE_NOTHING) {
        *err = RP_REVERSE_NO_MATCHER;
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

void rp_reverse_rule_members(apr_pool_t *pool, rp_reverse_rule_t *rule,
                             const apr_array_header_t *urls)
{
    if (rule->form != RP_REVERSE_BALANCER) {
        return;
    }
    rule->reals = apr_array_make(pool, 4, sizeof(rp_reverse_real_t));
    for (int i = 0; urls && i < urls->nelts; i++) {
        rp_url_err_e err;
        rp_url_t url;
        apr_size_t n;

        if (rp_url_parse(pool, APR_ARRAY_IDX(urls, i, const char *), 1, &url, &err)
            != APR_SUCCESS) {
            continue;
        }
        n = strlen(url.path);
        if (rule->part[0] == '/' && n > 0 && url.path[n - 1] == '/') {
            n--; /* one slash between member and part: the form that backends write */
        }
        url.path = apr_pstrcat(pool, apr_pstrmemdup(pool, url.path, n), rule->part, NULL);
        real_add(rule, &url, n);
    }
}

/* Length of "scheme:" in front, 0 when there is none. */
static apr_size_t scheme_len(const char *text, apr_size_t n)
{
    apr_size_t i = 0;

    while (i < n && (apr_isalnum(text[i]) || strchr("+-.", text[i])) && text[i]) {
        i++;
    }
    return i > 0 && i < n && text[i] == ':' ? i + 1 : 0;
}

/* Only what a browser would ask a web server for: a link into an app or to FTP is none of ours. */
static int scheme_is_web(const char *scheme)
{
    return strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0 || strcmp(scheme, "ws") == 0
           || strcmp(scheme, "wss") == 0;
}

apr_status_t rp_reverse_ref_parse(apr_pool_t *pool, const char *text, apr_size_t n,
                                  rp_reverse_ref_t *ref)
{
    apr_size_t scheme = scheme_len(text, n);
    apr_size_t end = scheme;
    rp_url_err_e err;
    char *head;

    memset(ref, 0, sizeof(*ref));
    if (n - scheme < 2 || text[scheme] != '/' || text[scheme + 1] != '/') {
        ref->path = text;
        ref->path_len = n;
        return scheme == 0 && n > 0 && text[0] == '/' ? APR_SUCCESS : APR_NOTFOUND;
    }
    end += 2;
    while (end < n && !strchr("/?#", text[end]) && text[end] != '@') {
        end++;
    }
    if (end > RP_REVERSE_HEAD_MAX || (end < n && text[end] == '@')) {
        return APR_NOTFOUND;
    }
    head = apr_pstrcat(pool, scheme ? "" : "http:", apr_pstrmemdup(pool, text, end), NULL);
    if (rp_url_parse(pool, head, 0, &ref->head, &err) != APR_SUCCESS
        || !scheme_is_web(ref->head.scheme)) {
        return APR_NOTFOUND;
    }
    ref->has_authority = 1;
    ref->has_scheme = scheme > 0;
    ref->path = text + end;
    ref->path_len = n - end;
    return APR_SUCCESS;
}

static int same_place(const rp_url_t *real, const rp_reverse_ref_t *ref)
{
    const rp_url_t *head = &ref->head;

    if (!ref->has_authority || strcmp(real->host, head->host) != 0) {
        return 0;
    }
    if (!ref->has_scheme) { /* `//host/path`: the backend means the scheme it is spoken to with */
        return head->port_given ? head->port == real->port : real->port_default;
    }
    return head->port == real->port && strcmp(real->scheme, head->scheme) == 0;
}

/* Nothing may follow a match but the end of a segment, of the path, or of a query parameter. */
static int ends_well(const rp_reverse_real_t *real, const char *next, apr_size_t n)
{
    const char *path = real->url.path;
    int in_query = strchr(path, '?') != NULL;
    char last = real->path_len > 0 ? path[real->path_len - 1] : '\0';

    if (n == 0 || strchr("/?#;", *next) || (in_query && *next == '&')) {
        return 1;
    }
    return real->path_len > 0 && strchr(in_query ? "/?#;&=" : "/?#;", last) != NULL;
}

static int path_match(const rp_reverse_real_t *real, const char *path, apr_size_t n,
                      apr_size_t *rest, int *slash)
{
    const char *want = real->url.path;
    apr_size_t folded = real->folded;

    *slash = real->path_len > 0 && want[real->path_len - 1] == '/';
    if (real->path_len == 1 && *slash && (n == 0 || path[0] != '/')) {
        *rest = 0; /* an empty path is "/" (RFC 3986 6.2.3) */
        return 1;
    }
    if (real->path_len > n || strncasecmp(want, path, folded) != 0
        || memcmp(want + folded, path + folded, real->path_len - folded) != 0
        || !ends_well(real, path + real->path_len, n - real->path_len)) {
        return 0;
    }
    *rest = real->path_len;
    return 1;
}

int rp_reverse_rule_match(const rp_reverse_rule_t *rule, const rp_reverse_ref_t *ref,
                          apr_size_t *rest, int *slash)
{
    for (int i = 0; i < rule->reals->nelts; i++) {
        const rp_reverse_real_t *real = &APR_ARRAY_IDX(rule->reals, i, rp_reverse_real_t);

        if ((rule->form == RP_REVERSE_PATH || same_place(&real->url, ref))
            && path_match(real, ref->path, ref->path_len, rest, slash)) {
            return 1;
        }
    }
    return 0;
}
