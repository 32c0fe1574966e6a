/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into the request head for the backend (behaviour as administrators know it): Host first, the client's fields in their
 * order without hop-by-hop ones, then Via and X-Forwarded-*; framing and Connection are the writer's (wire/h1_req.c).
 * r->headers_in itself is never changed.
 */
#include "request/request.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <strings.h>

#include "wire/headers.h"

/** Fields under construction. */
typedef struct head_t {
    rp_request_t *rq;
    apr_pool_t *p;              /* need not outlive the head's way to the socket */
    rp_req_field_t *fields;
    int nfields;
    rp_conntok_t nominated;
    const char *fwd[4];         /* what the client sent as X-Forwarded-For, -Host, -Server, Via */
    const char *host;           /* what the client sent as Host */
    int max_forwards_seen;
} head_t;

#define OWN_FIELDS 6 /* most fields that are added to the client's: Max-Forwards, Via, X-Forwarded-* */

enum { FWD_FOR = 0, FWD_HOST, FWD_SERVER, FWD_VIA };

static const char *join(apr_pool_t *p, const char *a, const char *b)
{
    return a ? apr_pstrcat(p, a, ", ", b, NULL) : b;
}

const char *rp_request_host(rp_request_t *rq)
{
    request_rec *r = rq->r;
    const char *host;

    if (!rp_switch(rq->dconf->preserve_host, 0)) {
        const rp_worker_t *w = rq->route->worker;
        const rp_url_t *u = &rq->route->url;

        if (w != NULL && w->url.port == u->port && !strcmp(w->url.host, u->host)
            && !strcmp(w->url.scheme, u->scheme)) {
            return w->authority;
        }
        return rp_url_authority(r->pool, u);
    }
    host = apr_table_get(r->headers_in, "Host");
    if (host == NULL) { /* HTTP/1.0 client */
        host = r->server->server_hostname;
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "RP0201: no Host header from the client (HTTP/1.0?) to preserve; the ServerName %s is sent", host);
    }
    return host;
}

int rp_request_is_error_page(const request_rec *r)
{
    return r->prev != NULL && ap_is_HTTP_ERROR(r->prev->status);
}

/* What this worker may upgrade to. */
static const char *upgrades_allowed(const rp_request_t *rq)
{
    const char *scheme = rq->route->url.scheme;

    if (rq->worker->params.upgrade == NULL && (!strcasecmp(scheme, "ws") || !strcasecmp(scheme, "wss"))) {
        return "WebSocket";
    }
    return rq->worker->params.upgrade;
}

const char *rp_request_upgrades_of(rp_request_t *rq, const char *list)
{
    apr_pool_t *p = rq->r->pool;
    const char *allowed = upgrades_allowed(rq);
    const char *of = NULL;
    rp_slice_t tok;

    while (allowed != NULL && rp_list_next(&list, &tok)) {
        const char *name = apr_pstrmemdup(p, tok.p, tok.n);

        if (!strcmp(allowed, "*") || rp_list_has_token(allowed, name)) {
            of = join(p, of, name);
        }
    }
    return of;
}

/* Only the protocols that are allowed go on: a client must not smuggle h2c along with its websocket. */
const char *rp_request_upgrade(rp_request_t *rq)
{
    const request_rec *r = rq->r;
    const char *wanted = rq->seen.value[RP_HDR_UPGRADE];

    if (wanted == NULL || rq->env.http10 || r->main != NULL || r->proto_num < HTTP_VERSION(1, 1)) { /* RFC 9110 7.8 */
        return NULL;
    }
    return rp_request_upgrades_of(rq, wanted);
}

static void add_measured(head_t *h, rp_hdr_e id, const char *name, apr_size_t name_len, const char *value)
{
    h->fields[h->nfields++] = (rp_req_field_t){name, value, name_len, id};
}

/* A field of our own; its name is a literal. */
#define ADD(h, id, name, value) add_measured((h), (id), (name), sizeof(name) - 1, (value))

/* Max-Forwards: the handler has refused what can not be counted down. */
static const char *max_forwards_less(head_t *h, const char *value)
{
    apr_int64_t n = 0;

    if (rp_content_length_parse(value, strlen(value), &n) != APR_SUCCESS || n < 1) {
        return "0";
    }
    h->max_forwards_seen = 1;
    return apr_psprintf(h->p, "%" APR_INT64_T_FMT, n - 1);
}

static int is_conditional(rp_hdr_e id)
{
    return id == RP_HDR_IF_MATCH || id == RP_HDR_IF_NONE_MATCH || id == RP_HDR_IF_MODIFIED_SINCE
           || id == RP_HDR_IF_UNMODIFIED_SINCE || id == RP_HDR_IF_RANGE;
}

/* One field of the client. */
static void pass_field(head_t *h, rp_hdr_e id, const char *name, apr_size_t name_len, const char *value)
{
    rp_request_t *rq = h->rq;
    apr_pool_t *p = h->p;

    if (rp_hdr_req_dropped(id) || (h->nominated.n > 0 && rp_conntok_has(&h->nominated, name, name_len))) {
        return;
    }
    if (is_conditional(id) && (rq->r->main != NULL || rp_request_is_error_page(rq->r))) {
        return;
    }
    if (rp_switch(rq->dconf->add_headers, 1)) {
        if (id == RP_HDR_X_FORWARDED_FOR) { h->fwd[FWD_FOR] = join(p, h->fwd[FWD_FOR], value); return; }
        if (id == RP_HDR_X_FORWARDED_HOST) { h->fwd[FWD_HOST] = join(p, h->fwd[FWD_HOST], value); return; }
        if (id == RP_HDR_X_FORWARDED_SERVER) { h->fwd[FWD_SERVER] = join(p, h->fwd[FWD_SERVER], value); return; }
    }
    if (id == RP_HDR_VIA && rq->sconf->via != RP_VIA_UNSET && rq->sconf->via != RP_VIA_OFF) {
        h->fwd[FWD_VIA] = join(p, h->fwd[FWD_VIA], value);
        return;
    }
    if (id == RP_HDR_PROXY_AUTHORIZATION && rq->r->user != NULL && !rq->env.chain_auth) {
        return; /* it was meant for us */
    }
    if (id == RP_HDR_MAX_FORWARDS) {
        value = max_forwards_less(h, value);
    }
    if (id == RP_HDR_X_FORWARDED_PROTO && rq->dconf->forwarded_proto == 2) {
        return;
    }
    add_measured(h, id, name, name_len, value);
}

void rp_request_look(rp_request_t *rq)
{
    const apr_array_header_t *arr = apr_table_elts(rq->r->headers_in);
    const apr_table_entry_t *e = (const apr_table_entry_t *)arr->elts;
    rp_seen_t *s = &rq->seen;

    s->fields = apr_palloc(rq->r->pool, (apr_size_t)(arr->nelts + 1) * sizeof(*s->fields));
    for (s->n = 0; s->n < arr->nelts; s->n++) {
        apr_size_t len = strlen(e[s->n].key);
        rp_hdr_e id = rp_hdr_id(e[s->n].key, len);

        s->fields[s->n].name = e[s->n].key;
        s->fields[s->n].name_len = len;
        s->fields[s->n].id = id;
        if (s->value[id] == NULL && id != RP_HDR_OTHER) {
            s->value[id] = e[s->n].val;
        }
    }
}

/* Other modules may have changed the table since: filters on a body do. */
static int still_seen(const rp_seen_t *s, const apr_array_header_t *arr, const apr_table_entry_t *e)
{
    int i;

    for (i = 0; i < arr->nelts && i < s->n && s->fields[i].name == e[i].key; i++) {
        /* the same */
    }
    return i == arr->nelts;
}

/* Connection first: it says which of the others stay here. */
static apr_status_t client_fields(head_t *h)
{
    request_rec *r = h->rq->r;
    const apr_array_header_t *arr = apr_table_elts(r->headers_in);
    const apr_table_entry_t *e = (const apr_table_entry_t *)arr->elts;
    rp_seen_t *s = &h->rq->seen;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!still_seen(s, arr, e)) {
        memset(s, 0, sizeof(*s));
        rp_request_look(h->rq);
    }
    for (i = 0; i < arr->nelts && rv == APR_SUCCESS; i++) {
        if (s->fields[i].id == RP_HDR_CONNECTION) {
            rv = rp_conntok_add(&h->nominated, e[i].val);
        }
        else if (s->fields[i].id == RP_HDR_HOST && h->host == NULL) {
            h->host = e[i].val;
        }
    }
    for (i = 0; i < arr->nelts && rv == APR_SUCCESS; i++) {
        pass_field(h, s->fields[i].id, e[i].key, s->fields[i].name_len, e[i].val);
    }
    return rv;
}

const char *rp_request_via(rp_request_t *rq, int version)
{
    request_rec *r = rq->r;
    apr_port_t port = ap_get_server_port(r);
    /* The client's Host (UseCanonicalName Off) says nothing about this proxy. */
    const char *name = ap_get_server_name(r) == r->hostname ? r->server->server_hostname : ap_get_server_name_for_url(r);

    if (!ap_is_default_port(port, r)) {
        name = apr_psprintf(r->pool, "%s:%u", name, (unsigned)port);
    }
    return apr_psprintf(r->pool, "%d.%d %s%s", HTTP_VERSION_MAJOR(version), HTTP_VERSION_MINOR(version), name,
                        rq->sconf->via == RP_VIA_FULL ? " (" AP_SERVER_BASEVERSION ")" : "");
}

static void via_field(head_t *h)
{
    rp_request_t *rq = h->rq;

    if (rq->sconf->via == RP_VIA_ON || rq->sconf->via == RP_VIA_FULL) {
        ADD(h, RP_HDR_VIA, "Via", join(h->p, h->fwd[FWD_VIA], rp_request_via(rq, rq->r->proto_num)));
    }
}

static void forwarded_fields(head_t *h)
{
    rp_request_t *rq = h->rq;
    request_rec *r = rq->r;
    apr_pool_t *p = h->p;

    if (rp_switch(rq->dconf->add_headers, 1)) {
        ADD(h, RP_HDR_X_FORWARDED_FOR, "X-Forwarded-For", join(p, h->fwd[FWD_FOR], r->useragent_ip));
        if (h->host != NULL) {
            ADD(h, RP_HDR_X_FORWARDED_HOST, "X-Forwarded-Host", join(p, h->fwd[FWD_HOST], h->host));
        }
        else if (h->fwd[FWD_HOST] != NULL) {
            ADD(h, RP_HDR_X_FORWARDED_HOST, "X-Forwarded-Host", h->fwd[FWD_HOST]);
        }
        ADD(h, RP_HDR_X_FORWARDED_SERVER, "X-Forwarded-Server", join(p, h->fwd[FWD_SERVER], r->server->server_hostname));
    }
    if (rq->dconf->forwarded_proto == 2
        || (rq->dconf->forwarded_proto == 1 && rq->seen.value[RP_HDR_X_FORWARDED_PROTO] == NULL)) {
        ADD(h, RP_HDR_X_FORWARDED_PROTO, "X-Forwarded-Proto", ap_http_scheme(r));
    }
}

static rp_req_conn_e connection_kind(const rp_request_t *rq)
{
    if (rq->env.http10) {
        return RP_REQ_CONN_NONE;
    }
    if (rq->upgrade != NULL) {
        return RP_REQ_CONN_UPGRADE;
    }
    return rq->exconf.no_reuse ? RP_REQ_CONN_CLOSE : RP_REQ_CONN_KEEPALIVE;
}

static void head_init(head_t *h, rp_request_t *rq)
{
    int most = apr_table_elts(rq->r->headers_in)->nelts + OWN_FIELDS;

    h->rq = rq;
    h->p = rq->exconf.scratch != NULL ? rp_scratch_use(rq->exconf.scratch) : rq->r->pool;
    h->fields = apr_palloc(h->p, (apr_size_t)most * sizeof(*h->fields));
    h->nfields = 0;
    rp_conntok_init(&h->nominated);
    memset(h->fwd, 0, sizeof(h->fwd));
    h->host = NULL;
    h->max_forwards_seen = 0;
}

apr_status_t rp_request_head_build(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head,
                                   apr_size_t *len)
{
    rp_request_t *rq = ctx;
    request_rec *r = rq->r;
    rp_req_head_t wire = {0};
    head_t h;
    rp_req_err_e err = RP_REQ_OK;
    int bad = -1;
    apr_status_t rv;

    head_init(&h, rq);
    rv = client_fields(&h);
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r,
                      "RP0202: request refused: its Connection header is malformed or names more than %d fields",
                      RP_CONNTOK_MAX);
        return rv;
    }
    if (!h.max_forwards_seen && rq->sconf->max_forwards >= 0) {
        ADD(&h, RP_HDR_MAX_FORWARDS, "Max-Forwards", apr_itoa(h.p, rq->sconf->max_forwards));
    }
    via_field(&h);
    forwarded_fields(&h);
    wire.method = r->method;
    wire.target = rq->route->target;
    wire.host = rq->host;
    wire.http10 = rq->env.http10;
    wire.fields = h.fields;
    wire.nfields = h.nfields;
    wire.framing = framing;
    wire.length = length;
    wire.expect_100 = rq->exconf.expect_100;
    wire.conn = connection_kind(rq);
    wire.upgrade = rq->upgrade;
    rv = rp_req_write(&wire, h.p, head, len, &err, &bad);
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r, "RP0203: request refused: %s%s%s", rp_req_err_str(err),
                      bad >= 0 ? ", field " : "", bad >= 0 ? rp_printable(r->pool, wire.fields[bad].name) : "");
    }
    return rv;
}
