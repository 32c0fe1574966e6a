/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of httpd are evaluated for a request. A health check has none, so one is made up that looks like a client's request to
 * this server for what the check asked, answered with what came back: every member that expression functions read is there, and nothing
 * that could be sent anywhere. What would need more than that (subrequests, names of the client) is refused where the expression is read.
 */
#include "balancer/health_check.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_protocol.h>
#include <util_filter.h>

#define LOOPBACK "127.0.0.1"

static conn_rec *conn_make(server_rec *s, apr_pool_t *pool)
{
    conn_rec *c = apr_pcalloc(pool, sizeof(*c));
    apr_sockaddr_t *addr = NULL;

    if (apr_sockaddr_info_get(&addr, LOOPBACK, APR_INET, s->port, 0, pool) != APR_SUCCESS) { /* an address: no look-up */
        return NULL;
    }
    c->pool = pool;
    c->base_server = s;
    c->local_addr = c->client_addr = addr;
    c->local_ip = c->client_ip = LOOPBACK;
    c->remote_host = c->local_host = LOOPBACK; /* known already: nobody asks the resolver */
    c->conn_config = ap_create_conn_config(pool);
    c->notes = apr_table_make(pool, 2);
    c->bucket_alloc = apr_bucket_alloc_create(pool);
    c->keepalive = AP_CONN_CLOSE;
    c->log_id = "health";
    return c;
}

static request_rec *request_make(conn_rec *c, const rp_health_plan_t *plan, apr_pool_t *pool)
{
    request_rec *r = apr_pcalloc(pool, sizeof(*r));
    const char *verb = rp_health_verb(plan->method);

    r->pool = pool;
    r->connection = c;
    r->server = plan->server;
    r->method = verb != NULL ? verb : "GET";
    r->method_number = ap_method_number_of(r->method);
    r->header_only = r->method[0] == 'H';
    r->protocol = rp_health_http10(plan->method) ? "HTTP/1.0" : "HTTP/1.1";
    r->proto_num = rp_health_http10(plan->method) ? HTTP_VERSION(1, 0) : HTTP_VERSION(1, 1);
    r->unparsed_uri = apr_pstrdup(pool, rp_health_target(pool, plan->method, plan->worker->url.path, plan->uri));
    r->uri = apr_pstrdup(pool, r->unparsed_uri);
    r->args = strchr(r->uri, '?');
    if (r->args != NULL) {
        *r->args++ = '\0';
    }
    r->the_request = apr_pstrcat(pool, r->method, " ", r->unparsed_uri, " ", r->protocol, NULL);
    r->hostname = plan->server->server_hostname;
    r->filename = r->canonical_filename = r->path_info = apr_pstrdup(pool, "");
    r->request_time = apr_time_now();
    r->headers_in = apr_table_make(pool, 2);
    r->err_headers_out = apr_table_make(pool, 2);
    r->trailers_in = apr_table_make(pool, 1);
    r->trailers_out = apr_table_make(pool, 1);
    r->subprocess_env = apr_table_make(pool, 2);
    r->notes = apr_table_make(pool, 2);
    r->useragent_addr = c->client_addr;
    r->useragent_ip = c->client_ip;
    r->per_dir_config = plan->server->lookup_defaults;
    r->request_config = ap_create_request_config(pool);
    r->read_body = REQUEST_NO_BODY;
    r->log_id = "health";
    apr_table_setn(r->headers_in, "Host", plan->host != NULL && *plan->host != '\0' ? plan->host : plan->worker->authority);
    return r;
}

int rp_health_judge(const ap_expr_info_t *expr, const rp_health_plan_t *plan, const rp_probe_result_t *answer, apr_pool_t *pool,
                    const char **why)
{
    conn_rec *c = conn_make(plan->server, pool);
    const char *err = NULL;
    request_rec *r;
    int holds;

    if (c == NULL) {
        *why = "no memory";
        return -1;
    }
    r = request_make(c, plan, pool);
    r->status = answer->status;
    r->status_line = apr_itoa(pool, answer->status);
    r->headers_out = answer->headers;
    r->content_type = apr_table_get(r->headers_out, "Content-Type");
    apr_table_setn(r->notes, RP_HEALTH_BODY_NOTE, answer->body);
    holds = ap_expr_exec(r, expr, &err);
    if (err != NULL || holds < 0) {
        *why = err != NULL ? err : "it failed";
        return -1;
    }
    return holds > 0;
}
