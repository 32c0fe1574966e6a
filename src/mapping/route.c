/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixups: from r->filename = "proxy:TEXT" to a canonical destination: socket split off, scheme and
 * host normal, path encoded, query joined, worker chosen. What is not fit for a request line is
 * refused here.
 */
#include "mapping/mapping_int.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>

APLOG_USE_MODULE(rproxy);

/* r->filename that needs no further encoding; survives a fast redirect */
#define NOTE_CANONICAL "rproxy-canonical"
#define NOTE_SOCKET    "uds_path"

/* Who wrote the destination text. */
typedef enum origin_e {
    FROM_RULE,     /* ProxyPass: this module joined it */
    FROM_REWRITE,  /* another module set r->filename: configuration and client text mixed */
    FROM_HANDLER,  /* SetHandler "proxy:URL" with the file name behind it */
    FROM_CANONICAL /* was canonical already (mod_dir moved a subrequest's result here) */
} origin_e;

/* How the path stands in the text. */
typedef enum form_e {
    DECODED, /* needs encoding, query is in r->args */
    ENCODED, /* encoded, query is in r->args */
    RAW      /* encoded, with the query */
} form_e;

/* 1: mod_rewrite before 2.4.63 escapes a per-directory [P] itself and adds the query. Set in
 * post_config, read-only after. */
static int rewrite_escapes;

static int names_proxy(const char *const *names)
{
    for (; names && *names; names++) {
        if (strcmp(*names, "mod_proxy.c") == 0) {
            return 1;
        }
    }
    return 0;
}

/* A mod_rewrite that wants to run behind the proxy hands over finished URLs. */
int rp_route_post_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_array_header_t *hooks = ap_hook_get_fixups();
    int i;

    (void)p;
    (void)plog;
    (void)ptemp;
    (void)s;
    rewrite_escapes = 0;
    for (i = 0; hooks && i < hooks->nelts; i++) {
        const ap_LINK_fixups_t *h = &APR_ARRAY_IDX(hooks, i, ap_LINK_fixups_t);

        rewrite_escapes |= strcmp(h->szName, "mod_rewrite.c") == 0
                           && names_proxy(h->aszPredecessors);
    }
    return OK;
}

/* Nearly always it is the very string that was set. */
static int file_name_is(const request_rec *r, const char *name)
{
    return r->filename && name && (r->filename == name || strcmp(r->filename, name) == 0);
}

rp_route_t *rp_route_of(request_rec *r)
{
    const rp_mapping_t *m = ap_get_module_config(r->request_config, &rproxy_module);

    if (!m || !m->route || !file_name_is(r, m->filename)) {
        return NULL; /* none, or somebody changed the file name since */
    }
    return m->route;
}

static int any_header_contains(request_rec *r, const char *needle)
{
    const apr_array_header_t *fields = apr_table_elts(r->headers_in);
    const apr_table_entry_t *e = (const apr_table_entry_t *)fields->elts;
    int i;

    for (i = 0; i < fields->nelts; i++) {
        if (e[i].val && rp_text_contains(r->pool, e[i].val, needle)) {
            return 1;
        }
    }
    return 0;
}

/* Is this in the target of this request, or of one that it was made from? As it was sent, and in
 * normal form (slashes merged, dots resolved). */
static int any_target_contains(request_rec *r, const char *needle)
{
    const request_rec *q;

    for (q = r; q; q = q->main ? q->main : q->prev) {
        if ((q->unparsed_uri && rp_text_contains(r->pool, q->unparsed_uri, needle))
            || (q->uri && rp_text_contains(r->pool, q->uri, needle))) {
            return 1;
        }
    }
    return 0;
}

static int client_wrote(request_rec *r, const char *needle)
{
    return any_target_contains(r, needle) || any_header_contains(r, needle);
}

static int refuse_client_text(request_rec *r, const char *text, const char *what)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "RP0103: \"%s\" is refused: %s comes from the client; only the configuration "
                  "may name it. Check the RewriteRule with [P] that applies to \"%s\"",
                  text, what, r->unparsed_uri);
    return HTTP_FORBIDDEN;
}

/*
 * The socket of a rewritten destination is refused when the client's own text has "unix:",
 * "|scheme:" or the whole path in it (a relative path or one of one level is a mere word that may
 * stand in any URL).
 */
static int socket_is_clients(request_rec *r, const char *text, const char *bar)
{
    const char *path = text + strlen("unix:");

    if (client_wrote(r, "unix:")
        || client_wrote(r, apr_pstrmemdup(r->pool, bar, strcspn(bar, ":/") + 1))) {
        return 1;
    }
    path = apr_pstrmemdup(r->pool, path, (apr_size_t)(bar - path));
    return path[0] == '/' && ap_strchr_c(path + 1, '/') && client_wrote(r, path);
}

/*
 * A destination that another module made is a mixture of configuration and client text: neither the
 * socket nor the userinfo in front of the host nor "proxy:scheme:" itself may be the client's.
 */
static int rewrite_trust(request_rec *r, const char *text, int *allow_uds)
{
    apr_size_t a = 0, z = 0;
    int uds = rp_text_is_uds(text);
    const char *at;

    *allow_uds = 0;
    if (uds) {
        const char *bar = ap_strchr_c(text, '|');

        if (!bar || socket_is_clients(r, text, bar)) {
            return refuse_client_text(r, text, "a unix socket");
        }
        *allow_uds = 1;
    }
    if (!rp_authority_find(text, uds, &a, &z)) {
        return OK; /* not a URL: the parser says so */
    }
    if (!uds
        && any_target_contains(r, apr_pstrcat(r->pool, RP_PROXY_PREFIX,
                                              apr_pstrmemdup(r->pool, text, strcspn(text, ":") + 1),
                                              NULL))) {
        return refuse_client_text(r, text, "a proxy: URL");
    }
    at = memchr(text + a, '@', z - a);
    if (at && client_wrote(r, apr_pstrmemdup(r->pool, at, (apr_size_t)(text + z - at)))) {
        return refuse_client_text(r, text, "the host behind '@'");
    }
    return OK;
}

/* May text begin with "unix:"? OK or a status. */
static int origin_trust(request_rec *r, const char *text, origin_e origin, int *allow_uds)
{
    const rp_mapping_t *m = rp_mapping_of(r);

    *allow_uds = 0;
    switch (origin) {
    case FROM_RULE: *allow_uds = rp_text_is_uds(m->rule->url); break;
    case FROM_HANDLER:
        *allow_uds = rp_text_is_uds(text) && r->handler && ap_strchr_c(r->handler, '|') != NULL;
        break;
    case FROM_REWRITE: return rewrite_trust(r, text, allow_uds);
    case FROM_CANONICAL: break;
    }
    return OK;
}

static origin_e origin_of(request_rec *r)
{
    const rp_mapping_t *m = rp_mapping_of(r);
    const char *canonical = apr_table_get(r->notes, NOTE_CANONICAL);

    if (file_name_is(r, canonical)) {
        return FROM_CANONICAL;
    }
    return m->rule && file_name_is(r, m->filename) ? FROM_RULE : FROM_REWRITE;
}

static form_e form_of(request_rec *r, origin_e origin)
{
    const rp_mapping_t *m = rp_mapping_of(r);

    if (origin == FROM_CANONICAL || apr_table_get(r->notes, "proxy-nocanon")) {
        return RAW;
    }
    if (origin == FROM_RULE && m->noencode) {
        return ENCODED;
    }
    if (origin == FROM_REWRITE && rewrite_escapes
        && (!m->seen || strcmp(m->seen, r->filename) != 0)) {
        return RAW;
    }
    return DECODED;
}

static int path_refused(request_rec *r, const char *path)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "RP0104: the path to send, \"%s\", contains a control character or a space; "
                  "without nocanon or [NE] it would be encoded",
                  path);
    return HTTP_FORBIDDEN;
}

static int query_refused(request_rec *r)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "RP0105: the query to send, \"%s\", contains a control character or a space",
                  r->args);
    return HTTP_FORBIDDEN;
}

/* The path as it goes on the wire; NULL when it can not. */
static const char *path_encoded(request_rec *r, const char *path, form_e form)
{
    const core_dir_config *core;

    if (form != DECODED) {
        return rp_target_ok(path, strlen(path)) ? path : NULL;
    }
    core = ap_get_core_module_config(r->per_dir_config);
    return rp_path_encode(r->pool, path, strlen(path),
                          core && core->allow_encoded_slashes && !core->decode_encoded_slashes);
}

/* The canonical file name: base, path and query. *target is the end of it that goes on the wire. */
static int name_build(request_rec *r, const rp_base_t *base, const char *rest, form_e form,
                      const char **name, const char **target)
{
    const char *path = rp_base_path(r->pool, rest);
    const char *encoded = path_encoded(r, path, form);
    const char *query = form == RAW ? NULL : r->args;
    apr_size_t path_len, query_len;
    char *p;

    if (!encoded) {
        return path_refused(r, path);
    }
    path_len = strlen(encoded);
    query_len = query ? strlen(query) : 0;
    if (!rp_target_ok(query, query_len)) {
        return query_refused(r);
    }
    *name = p = apr_palloc(r->pool, base->len + path_len + query_len + 2);
    memcpy(p, base->text, base->len);
    p += base->len;
    *target = p;
    memcpy(p, encoded, path_len);
    p += path_len;
    if (query) {
        *p++ = '?';
        memcpy(p, query, query_len);
        p += query_len;
    }
    *p = '\0';
    return OK;
}

static int scheme_spoken(const char *scheme)
{
    static const char *const spoken[] = { "http", "https", "ws", "wss", "balancer", NULL };
    int i;

    for (i = 0; spoken[i]; i++) {
        if (strcmp(scheme, spoken[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Socket path: relative to DefaultRuntimeDir. 0 when that is no path or too long. */
static int socket_absolute(apr_pool_t *pool, rp_url_t *url)
{
    if (url->uds) {
        url->uds = ap_runtime_dir_relative(pool, url->uds);
        return url->uds && strlen(url->uds) <= RP_URL_UDS_MAX;
    }
    return 1;
}

const rp_base_t *rp_rule_base(apr_pool_t *pool, const rp_rule_t *rule)
{
    rp_base_t *base = apr_palloc(pool, sizeof(*base));
    rp_url_err_e err;

    /* No host has a '$' or '\': they stand for something else there, or the URL is faulty. */
    if (rp_base_parse(pool, rule->url, rp_text_is_uds(rule->url), base, &err) != APR_SUCCESS
        || memchr(rule->url, '$', base->written) || memchr(rule->url, '\\', base->written)
        || !socket_absolute(pool, &base->url)) {
        return NULL;
    }
    return base;
}

static int url_refused(request_rec *r, const char *text, rp_url_err_e err)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "RP0106: the destination \"%s\" for \"%s\" %s", text,
                  r->unparsed_uri, rp_url_err_str(err));
    return HTTP_BAD_REQUEST;
}

static int socket_refused(request_rec *r, const char *written)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "RP0107: the unix socket \"%s\" is not a path of at most %d bytes "
                  "(a relative one begins at DefaultRuntimeDir)",
                  written, RP_URL_UDS_MAX);
    return HTTP_BAD_REQUEST;
}

/* The base of this request's text. OK or a status. */
static int base_make(request_rec *r, const char *text, origin_e origin, rp_base_t *base)
{
    rp_url_err_e err = RP_URL_OK;
    int allow_uds = 0;
    int status = origin_trust(r, text, origin, &allow_uds);
    const char *written;

    if (status != OK) {
        return status;
    }
    if (rp_base_parse(r->pool, text, allow_uds, base, &err) != APR_SUCCESS) {
        return url_refused(r, text, err);
    }
    if (!scheme_spoken(base->url.scheme)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "RP0108: the destination \"%s\" has the scheme \"%s\"; this proxy speaks "
                      "http, https, ws, wss and balancer",
                      text, base->url.scheme);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (origin == FROM_CANONICAL) { /* its URL has no socket any more */
        base->url.uds = apr_table_get(r->notes, NOTE_SOCKET);
        return OK;
    }
    written = base->url.uds;
    return socket_absolute(r->pool, &base->url) ? OK : socket_refused(r, written);
}

/* r->filename, notes and the request's record say what was found. */
static void route_publish(request_rec *r, rp_route_t *route, const char *name, origin_e origin)
{
    rp_mapping_t *m = rp_mapping_of(r);

    r->filename = (char *)name;
    if (route->url.uds) {
        apr_table_setn(r->notes, NOTE_SOCKET, route->url.uds);
    }
    if (r->main && origin != FROM_CANONICAL) {
        /* mod_dir may move the subrequest's file name and notes into its main request, but not this
         * record. */
        apr_table_setn(r->notes, NOTE_CANONICAL, r->filename);
    }
    m->filename = r->filename;
    m->rule = NULL; /* this name is not as the rule wrote it */
    m->route = route;
}

static int route_build(request_rec *r, const char *text, origin_e origin, rp_route_t **out)
{
    const rp_rule_t *rule = origin == FROM_RULE ? rp_mapping_of(r)->rule : NULL;
    const rp_base_t *base = rule ? rule->base : NULL;
    rp_route_t *route = apr_pcalloc(r->pool, sizeof(*route));
    const char *name = NULL;
    rp_base_t made;
    int status = OK;

    if (!base) {
        status = base_make(r, text, origin, &made);
        base = &made;
    }
    if (status == OK) {
        status = name_build(r, base, text + base->written, form_of(r, origin), &name,
                            &route->target);
    }
    if (status != OK) {
        return status;
    }
    route->rule = rule;
    route->balancer = base->balancer;
    route->url = base->url;
    route->url.path = route->target;
    route_publish(r, route, name, origin);
    if (!route->balancer) {
        route->worker = rp_rule_worker(rp_server_conf(r->server), rule,
                                       name + RP_PROXY_PREFIX_LEN, route->url.uds);
    }
    *out = route;
    return OK;
}

int rp_route_fixups(request_rec *r)
{
    rp_mapping_t *m;
    rp_route_t *route = NULL;

    if (!rp_mapping_is_proxied(r)) {
        return DECLINED;
    }
    if (rp_route_of(r)) {
        return OK;
    }
    m = rp_mapping_of(r);
    if (m->noencode && !file_name_is(r, m->filename)) {
        apr_table_unset(r->notes, "proxy-noencode"); /* mod_rewrite made something else of it */
        m->noencode = 0;
    }
    return route_build(r, r->filename + RP_PROXY_PREFIX_LEN, origin_of(r), &route);
}

/* A handler that is a content type in truth: old httpd takes any module's, not only the
 * configuration's. */
static int handler_untrusted(const request_rec *r)
{
#ifdef AP_REQUEST_IS_TRUSTED_CT
    if (AP_REQUEST_IS_TRUSTED_CT(r)) {
        return 0;
    }
#endif
    return r->content_type && r->handler
           && strncmp(r->content_type, RP_PROXY_PREFIX, RP_PROXY_PREFIX_LEN) == 0
           && strncmp(r->content_type, r->handler, strlen(r->handler)) == 0;
}

int rp_route_make(request_rec *r, rp_route_t **out)
{
    const char *handler = r->handler;

    *out = NULL;
    if (!handler || strncmp(handler, RP_PROXY_PREFIX, RP_PROXY_PREFIX_LEN) != 0) {
        if (!rp_mapping_is_proxied(r)) {
            return route_build(r, "", FROM_REWRITE, out);
        }
        return route_build(r, r->filename + RP_PROXY_PREFIX_LEN, origin_of(r), out);
    }
    if (handler_untrusted(r)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "RP0109: the handler \"%s\" comes from a content type; only SetHandler, "
                      "AddHandler and their kin may name a proxy: URL",
                      handler);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!r->proxyreq) {
        r->proxyreq = PROXYREQ_REVERSE;
    }
    apr_table_setn(r->notes, "proxy-sethandler", "1");
    /* The file name is appended, as administrators of SetHandler know it. */
    return route_build(r,
                       apr_pstrcat(r->pool, handler + RP_PROXY_PREFIX_LEN,
                                   r->filename ? r->filename : "", NULL),
                       FROM_HANDLER, out);
}
