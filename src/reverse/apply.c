/* SPDX-License-Identifier: Apache-2.0 */
/* One response: which fields are mapped, with which lines. */
#include "reverse/conf.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <strings.h>

#include "reverse/interpolate.h"
#include "reverse/location.h"

APLOG_USE_MODULE(rproxy_reverse);

#define VALUE_LOG_MAX 200 /* bytes of a value in a log line */

static const char *const default_headers[] = { "Location",    "Content-Location", "URI",
                                               "Destination", "Refresh",          "Link" };

/* Bytes that would break a URL, or a cookie attribute, if a variable brought them in. */
static const char not_in_url[] = " <>\"\\";
static const char not_in_cookie[] = ";";

/** One run over the fields. The lines are made ready when the first field asks for them. */
typedef struct run_t {
    request_rec *r;
    const rp_reverse_conf_t *conf;
    const rp_reverse_sisters_t *sisters;
    int interpolate;             /**< ProxyPassInterpolateEnv is on here */
    apr_array_header_t *rules;   /**< of rp_reverse_rule_t * */
    apr_array_header_t *domains; /**< of rp_cookie_map_t * */
    apr_array_header_t *paths;   /**< of rp_cookie_map_t * */
} run_t;

static const char *variable(void *baton, const char *name)
{
    return apr_table_get(((request_rec *)baton)->subprocess_env, name);
}

static const char *absolute(void *baton, apr_pool_t *pool, const char *path)
{
    return ap_construct_url(pool, path, baton);
}

/* Both sides of a line for this request; 0 when the line can not be used. */
static int line_fill(const run_t *run, const rp_reverse_line_t *line, const char *forbidden,
                     const char **internal, const char **public_text)
{
    request_rec *r = run->r;
    rp_reverse_err_e err;

    if (rp_interpolate(r->pool, line->internal, variable, r, NULL, internal, &err) == APR_SUCCESS
        && rp_interpolate(r->pool, line->public_text, variable, r, forbidden, public_text, &err)
               == APR_SUCCESS) {
        return 1;
    }
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  "RP0609: %s: not used for this response, as with its variables \"%s\" "
                  "or \"%s\" %s",
                  line->defined_at, line->internal, line->public_text, rp_reverse_err_str(err));
    return 0;
}

/* A line's rule for this request, or NULL. */
static const rp_reverse_rule_t *rule_of(const run_t *run, const rp_reverse_line_t *line)
{
    request_rec *r = run->r;
    rp_reverse_rule_t *rule = NULL;
    const char *internal;
    const char *public_text;
    rp_reverse_err_e err;

    if (run->interpolate && line->interpolate) {
        if (!line_fill(run, line, not_in_url, &internal, &public_text)) {
            return NULL;
        }
        rule = apr_palloc(r->pool, sizeof(*rule));
        if (rp_reverse_rule_parse(r->pool, public_text, internal, rule, &err) != APR_SUCCESS) {
            return NULL; /* an empty variable, say: matches nothing */
        }
    }
    else if (line->rule.form != RP_REVERSE_BALANCER) {
        return &line->rule;
    }
    else {
        rule = apr_pmemdup(r->pool, &line->rule, sizeof(*rule));
    }
    if (rule->form == RP_REVERSE_BALANCER && run->sisters->members) {
        rp_reverse_rule_members(r->pool, rule,
                                run->sisters->members(r->pool, r->server, rule->balancer));
    }
    return rule;
}

static const apr_array_header_t *rules_of(run_t *run)
{
    const apr_array_header_t *lines = run->conf->urls;

    if (!run->rules) {
        run->rules = apr_array_make(run->r->pool, lines->nelts, sizeof(const rp_reverse_rule_t *));
        for (int i = 0; i < lines->nelts; i++) {
            const rp_reverse_rule_t *rule =
                rule_of(run, APR_ARRAY_IDX(lines, i, const rp_reverse_line_t *));

            if (rule) {
                APR_ARRAY_PUSH(run->rules, const rp_reverse_rule_t *) = rule;
            }
        }
    }
    return run->rules;
}

static const apr_array_header_t *cookie_maps_of(run_t *run, apr_array_header_t **ready,
                                                const apr_array_header_t *lines)
{
    if (*ready) {
        return *ready;
    }
    *ready = apr_array_make(run->r->pool, lines->nelts, sizeof(const rp_cookie_map_t *));
    for (int i = 0; i < lines->nelts; i++) {
        const rp_reverse_line_t *line = APR_ARRAY_IDX(lines, i, const rp_reverse_line_t *);
        const rp_cookie_map_t *map = &line->cookie;

        if (run->interpolate && line->interpolate) {
            rp_cookie_map_t *filled = apr_palloc(run->r->pool, sizeof(*filled));

            if (!line_fill(run, line, not_in_cookie, &filled->internal, &filled->public_value)) {
                continue;
            }
            map = filled;
        }
        APR_ARRAY_PUSH(*ready, const rp_cookie_map_t *) = map;
    }
    return *ready;
}

/* Most fields differ in their first letter: no call for them. */
static int same_name(const char *a, const char *b)
{
    return ((a[0] ^ b[0]) & 0xdf) == 0 && strcasecmp(a, b) == 0;
}

static int listed(const rp_reverse_conf_t *conf, const char *name)
{
    int n = conf->headers ? conf->headers->nelts
                          : (int)(sizeof(default_headers) / sizeof(default_headers[0]));

    for (int i = 0; i < n; i++) {
        const char *want =
            conf->headers ? APR_ARRAY_IDX(conf->headers, i, const char *) : default_headers[i];

        if (same_name(name, want)) {
            return 1;
        }
    }
    return 0;
}

/* A value for a log line: not too long, and without bytes that could do harm there. */
static const char *printable(apr_pool_t *p, const char *value)
{
    return ap_escape_logitem(p, apr_pstrndup(p, value, VALUE_LOG_MAX));
}

/* The new value of a field, or NULL. */
static const char *field_map(run_t *run, const char *name, const char *value)
{
    request_rec *r = run->r;
    const char *out = NULL;
    rp_reverse_err_e err = RP_REVERSE_OK;
    apr_status_t rv = APR_NOTFOUND;

    if (same_name(name, "Set-Cookie")) {
        if (run->conf->domains->nelts > 0 || run->conf->paths->nelts > 0) {
            rv = rp_cookie_map(r->pool, cookie_maps_of(run, &run->domains, run->conf->domains),
                               cookie_maps_of(run, &run->paths, run->conf->paths), value, &out,
                               &err);
        }
    }
    else if (run->conf->urls->nelts > 0 && listed(run->conf, name)) {
        rp_reverse_map_t map = { rules_of(run), absolute, r };

        rv = rp_reverse_map(r->pool, &map, rp_reverse_kind_of(name), value, &out, &err);
    }
    if (rv == APR_EINVAL) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "RP0606: header field %s: \"%s\" is left as the backend sent it: "
                      "mapped by ProxyPassReverse or a cookie directive it %s",
                      name, printable(r->pool, value), rp_reverse_err_str(err));
        return NULL;
    }
    return rv == APR_SUCCESS ? out : NULL;
}

void rp_reverse_apply(request_rec *r, const rp_reverse_conf_t *conf,
                      const rp_reverse_sisters_t *sisters)
{
    const apr_array_header_t *arr = apr_table_elts(r->headers_out);
    apr_table_entry_t *fields = (apr_table_entry_t *)arr->elts;
    run_t run = { .r = r, .conf = conf, .sisters = sisters };

    if (conf->urls->nelts == 0 && conf->domains->nelts == 0 && conf->paths->nelts == 0) {
        return;
    }
    run.interpolate = sisters->api->interpolate_env(r);
    for (int i = 0; i < arr->nelts; i++) {
        const char *mapped = field_map(&run, fields[i].key, fields[i].val);

        if (mapped) {
            ap_log_rerror(APLOG_MARK, APLOG_TRACE2, 0, r,
                          "RP0607: header field %s: \"%s\" becomes \"%s\"", fields[i].key,
                          printable(r->pool, fields[i].val), printable(r->pool, mapped));
            fields[i].val = (char *)mapped;
        }
    }
}
