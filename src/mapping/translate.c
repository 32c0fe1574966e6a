/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ProxyPass and ProxyPassMatch: from the request's path to r->filename = "proxy:URL".
 * First the rule of the merged Locations, then the server's in the order of the file; the first
 * that matches decides.
 */
#include "mapping/mapping_int.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "mapping/expand.h"
#include "mapping/rules.h"
#include "mapping/target.h"

APLOG_USE_MODULE(rproxy);

/* What a rule said. */
typedef enum verdict_e {
    NO_MATCH,
    EXEMPT, /* "!": the search ends, nobody proxies */
    MAPPED,
    FAILED /* status says how */
} verdict_e;

typedef struct match_t {
    const char *found; /* RP_PROXY_PREFIX and the destination's text, not canonical */
    int raw;           /* path and query as the client sent them */
    const char *clean; /* servlet: path without parameters */
    int status;
} match_t;

rp_mapping_t *rp_mapping_of(request_rec *r)
{
    rp_mapping_t *m = ap_get_module_config(r->request_config, &rproxy_module);

    if (!m) {
        m = apr_pcalloc(r->pool, sizeof(*m));
        ap_set_module_config(r->request_config, &rproxy_module, m);
    }
    return m;
}

void rp_mapping_attach(request_rec *r, void *record)
{
    rp_mapping_of(r)->attached = record;
}

void *rp_mapping_attached(const request_rec *r)
{
    const rp_mapping_t *m = ap_get_module_config(r->request_config, &rproxy_module);

    return m ? m->attached : NULL;
}

int rp_mapping_is_proxied(const request_rec *r)
{
    return r->proxyreq && r->filename
           && strncmp(r->filename, RP_PROXY_PREFIX, RP_PROXY_PREFIX_LEN) == 0;
}

static const char *env_lookup(void *baton, const char *name)
{
    return apr_table_get(((request_rec *)baton)->subprocess_env, name);
}

static verdict_e rule_failed(request_rec *r, const rp_rule_t *rule, rp_map_err_e err, match_t *m)
{
    const char *remedy = "";

    if (err == RP_MAP_NO_SLASH) {
        remedy = "; end it with '/', or take the '/' from the end of the path";
    }
    else if (err == RP_MAP_CLIENT_HOST) {
        remedy = "; let the reference begin with '/' or write a '/' in front of it";
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "RP0100: %s \"%s\" \"%s\" at %s: for the path \"%s\" the target %s%s",
                  rule->regex ? "ProxyPassMatch" : "ProxyPass", rule->path ? rule->path : "",
                  rule->url, rule->defined_at ? rule->defined_at : "?", r->uri, rp_map_err_str(err),
                  remedy);
    m->status = HTTP_INTERNAL_SERVER_ERROR;
    return FAILED;
}

static void captures_take(rp_capture_t *to, const ap_regmatch_t *from)
{
    int i;

    for (i = 0; i < RP_CAPTURES; i++) {
        to[i].start = from[i].rm_so;
        to[i].end = from[i].rm_eo;
    }
}

/* nocanon: the raw text is used when the rule matches it in the same way; otherwise decoding
 * changed what the rule saw. */
static void raw_refused(request_rec *r, const rp_rule_t *rule)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  "RP0101: nocanon of the rule \"%s\" at %s is ignored for \"%s\": the part "
                  "that the rule matches is percent-encoded there",
                  rule->path ? rule->path : "", rule->defined_at ? rule->defined_at : "?",
                  r->unparsed_uri);
}

static verdict_e match_regex(request_rec *r, const rp_rule_t *rule, rp_lookup_fn *lookup,
                             match_t *m)
{
    ap_regmatch_t pm[AP_MAX_REG_MATCH], raw_pm[AP_MAX_REG_MATCH];
    rp_capture_t captures[RP_CAPTURES];
    rp_expand_t in = { r->uri, captures, lookup, r };
    rp_expansion_t ex;
    rp_map_err_e err = RP_MAP_OK;
    const char *raw;

    if (ap_regexec(rule->regex, r->uri, AP_MAX_REG_MATCH, pm, 0) != 0) {
        return NO_MATCH;
    }
    if (rule->exempt) {
        return EXEMPT;
    }
    captures_take(captures, pm);
    if (rule->nocanon) {
        raw = rp_target_raw(r->unparsed_uri);
        m->raw = raw && ap_regexec(rule->regex, raw, AP_MAX_REG_MATCH, raw_pm, 0) == 0;
        if (m->raw) {
            captures_take(captures, raw_pm);
            in.subject = raw;
        }
        else {
            raw_refused(r, rule);
        }
    }
    if (rp_expand(r->pool, rule->url, &in, &ex, &err) != APR_SUCCESS) {
        return rule_failed(r, rule, err, m);
    }
    err = rp_expansion_check(rule->url, &ex);
    if (err != RP_MAP_OK) {
        return rule_failed(r, rule, err, m);
    }
    if (ex.refs > 0) {
        m->found = apr_pstrcat(r->pool, RP_PROXY_PREFIX, ex.text, NULL);
    }
    else if (rp_target_join(r->pool, ex.text, rule->base, in.subject, &m->found, &err)
             != APR_SUCCESS) {
        return rule_failed(r, rule, err, m);
    }
    return MAPPED;
}

/* Text with its ${VAR} filled in; NULL when that is not allowed. */
static const char *fill_in(request_rec *r, const char *text, rp_lookup_fn *lookup,
                           rp_map_err_e *err)
{
    rp_expand_t in = { NULL, NULL, lookup, r };
    rp_expansion_t ex;

    if (!strstr(text, "${")) {
        return text;
    }
    if (rp_expand(r->pool, text, &in, &ex, err) == APR_SUCCESS) {
        *err = rp_expansion_check(text, &ex);
    }
    return *err == RP_MAP_OK ? ex.text : NULL;
}

/* Text of a prefix rule; without lookup it has no variables. */
static const char *filled_in(request_rec *r, const char *text, rp_lookup_fn *lookup,
                             rp_map_err_e *err)
{
    return lookup ? fill_in(r, text, lookup, err) : text;
}

static const char *rest_of_path(request_rec *r, const rp_rule_t *rule, const char *path,
                                apr_size_t len, match_t *m)
{
    const char *raw;

    if (!rule->nocanon) {
        return r->uri + len;
    }
    raw = rp_target_raw(r->unparsed_uri);
    if (raw) {
        const char *query = ap_strchr_c(raw, '?');

        if (rp_prefix_match(query ? apr_pstrmemdup(r->pool, raw, (apr_size_t)(query - raw)) : raw,
                            path)
            == len) {
            m->raw = 1;
            return raw + len;
        }
    }
    raw_refused(r, rule);
    return r->uri + len;
}

static verdict_e match_prefix(request_rec *r, const rp_rule_t *rule, rp_lookup_fn *lookup,
                              match_t *m)
{
    rp_map_err_e err = RP_MAP_OK;
    const char *path = filled_in(r, rule->path, lookup, &err);
    const char *url, *rest = NULL;
    apr_size_t len = 0;

    if (!path) {
        return rule_failed(r, rule, err, m);
    }
    if (rule->mapping == RP_MAP_SERVLET) {
        if (rp_servlet_match(r->pool, r->uri, path, &rest, &m->clean) != APR_SUCCESS) {
            return NO_MATCH;
        }
    }
    else {
        len = rp_prefix_match(r->uri, path);
        if (len == 0) {
            return NO_MATCH;
        }
    }
    if (rule->exempt) {
        return EXEMPT;
    }
    if (!rest) {
        rest = rest_of_path(r, rule, path, len, m);
    }
    url = filled_in(r, rule->url, lookup, &err);
    if (!url || rp_target_join(r->pool, url, rule->base, rest, &m->found, &err) != APR_SUCCESS) {
        return rule_failed(r, rule, err, m);
    }
    return MAPPED;
}

/* ws:// with ProxyWebsocketFallbackToProxyHttp Off answers only requests that ask for an upgrade.
 */
static int rule_declines_plain(request_rec *r, const rp_rule_t *rule, const rp_dir_conf_t *dconf)
{
    return !rp_switch(dconf->ws_fallback, 1)
           && (strncasecmp(rule->url, "ws:", 3) == 0 || strncasecmp(rule->url, "wss:", 4) == 0)
           && !apr_table_get(r->headers_in, "Upgrade");
}

static verdict_e rule_try(request_rec *r, const rp_rule_t *rule, const rp_dir_conf_t *dconf,
                          int encoded, match_t *m)
{
    rp_lookup_fn *lookup;
    verdict_e verdict;

    if ((rule->mapping != RP_MAP_DECODED) != encoded) {
        return NO_MATCH;
    }
    lookup = rule->interpolate && rp_switch(dconf->interpolate_env, 0) ? env_lookup : NULL;
    memset(m, 0, sizeof(*m));
    verdict = rule->regex ? match_regex(r, rule, lookup, m) : match_prefix(r, rule, lookup, m);
    if (verdict == MAPPED && rule_declines_plain(r, rule, dconf)) {
        return NO_MATCH;
    }
    return verdict;
}

static void rule_apply(request_rec *r, const rp_rule_t *rule, int encoded, const match_t *m)
{
    rp_mapping_t *mapping = rp_mapping_of(r);

    r->filename = (char *)m->found;
    r->handler = RP_HANDLER_NAME;
    r->proxyreq = PROXYREQ_REVERSE;
    if (m->clean) {
        r->uri = r->parsed_uri.path = apr_pstrdup(r->pool, m->clean);
    }
    if (m->raw) {
        apr_table_setn(r->notes, "proxy-nocanon", "1");
    }
    if (encoded) {
        apr_table_setn(r->notes, "proxy-noencode", "1");
        mapping->noencode = 1;
    }
    if (rule->noquery) {
        apr_table_setn(r->notes, "proxy-noquery", "1");
    }
    mapping->rule = rule;
    mapping->filename = r->filename;
    ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, r, "RP0102: %s maps \"%s\" to \"%s\"",
                  rule->defined_at ? rule->defined_at : "a rule", r->uri,
                  m->found + RP_PROXY_PREFIX_LEN);
}

/* Requests that no rule is asked for. CONNECT asks for a tunnel to a host of the client's choice,
 * and has no path (RFC 9110 9.3.6). */
static int never_mapped(const request_rec *r)
{
    const char *sent = r->unparsed_uri;

    return !r->uri || r->uri[0] != '/' || (sent && sent[0] == '*' && sent[1] == '\0')
           || r->method_number == M_CONNECT || apr_table_get(r->subprocess_env, "no-proxy");
}

static int has_rules(const rp_server_conf_t *sconf, const rp_dir_conf_t *dconf, int encoded)
{
    return dconf->rule != NULL || (sconf->rules->nelts > 0 && rp_rule_index_has(sconf->rule_index, encoded));
}

static int translate(request_rec *r, int encoded)
{
    const rp_server_conf_t *sconf = rp_server_conf(r->server);
    const rp_dir_conf_t *dconf = rp_dir_conf(r->per_dir_config);
    const rp_rule_t *rule = dconf->rule;
    verdict_e verdict = NO_MATCH;
    rp_rule_search_t search;
    match_t m;

    if (!has_rules(sconf, dconf, encoded) || never_mapped(r)) {
        return DECLINED;
    }
    if (rule) {
        verdict = rule_try(r, rule, dconf, encoded, &m);
    }
    if (verdict == NO_MATCH && sconf->rules->nelts > 0) {
        rp_rule_search(&search, sconf->rule_index, r->uri, encoded);
        while (verdict == NO_MATCH && (rule = rp_rule_search_next(&search)) != NULL) {
            verdict = rule_try(r, rule, dconf, encoded, &m);
        }
    }
    switch (verdict) {
    case MAPPED: rule_apply(r, rule, encoded, &m); return encoded ? DONE : OK;
    case FAILED: return m.status;
    case EXEMPT:
    case NO_MATCH: break;
    }
    return DECLINED;
}

int rp_translate_encoded(request_rec *r)
{
    return r->proxyreq ? DECLINED : translate(r, 1);
}

int rp_translate_decoded(request_rec *r)
{
    /* Somebody mapped it already (mod_rewrite, or a rule on the encoded path); without an OK the
     * core would refuse. */
    return r->proxyreq ? OK : translate(r, 0);
}

void rp_mapping_register_hooks(apr_pool_t *p)
{
    static const char *const after_rewrite[] = { "mod_rewrite.c", NULL };

    (void)p;
    ap_hook_post_config(rp_route_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_translate_name(rp_translate_encoded, after_rewrite, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(rp_translate_decoded, after_rewrite, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(rp_section_walk, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_fixups(rp_route_fixups, after_rewrite, NULL, APR_HOOK_FIRST);
}
