/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file request.h
 * Glue between one httpd request and one exchange: the handler, the client side of the exchange, what goes into the
 * request head, what comes out of the response head, error pages and the log line.
 */
#ifndef RP_REQUEST_REQUEST_H
#define RP_REQUEST_REQUEST_H

#include <httpd.h>
#include <http_log.h>

#include "config/conf.h"
#include "engine/engine.h"
#include "exchange/exchange.h"
#include "mapping/mapping.h"
#include "rproxy.h"
#include "upstream/probe.h"
#include "wire/headers.h"

APLOG_USE_MODULE(rproxy);

/** Switches that an administrator sets per request as environment variables; one pass over r->subprocess_env. */
typedef struct rp_req_env_t {
    int http10;             /**< force-proxy-request-1.0 */
    int nokeepalive;        /**< proxy-nokeepalive */
    int sendcl;             /**< proxy-sendcl */
    int sendchunked;        /**< proxy-sendchunked, proxy-sendchunks */
    int extra_crlf;         /**< proxy-sendextracrlf */
    int chain_auth;         /**< Proxy-Chain-Auth */
    int not_pooled;         /**< proxy-initial-not-pooled */
    int prefetch_nonblock;  /**< proxy-prefetch-nonblocking */
    int no_halfclose;       /**< proxy-nohalfclose */
    int no_resend;          /**< rproxy-no-resend */
    int eof_is_gone;        /**< rproxy-client-eof-aborts */
    int tls_eof_ok;         /**< rproxy-tls-eof-ok */
    const char *interim;    /**< proxy-interim-response: RFC or Suppress; NULL */
} rp_req_env_t;

/** The client's header fields by what they are: one pass over r->headers_in, before anything is decided. */
typedef struct rp_seen_t {
    struct {
        const char *name;   /**< the table's own: the same pointer means the same name */
        apr_size_t name_len;
        rp_hdr_e id;
    } *fields;
    int n;
    const char *value[RP_HDR_COUNT]; /**< of the first field that is called so, NULL: none; not of RP_HDR_OTHER */
} rp_seen_t;

/** Everything of one proxied request; lives in r->pool. */
typedef struct rp_request_t {
    request_rec *r;
    rp_server_conf_t *sconf;
    rp_dir_conf_t *dconf;
    rp_route_t *route;
    rp_worker_t *worker;
    rp_endpoint_t *endpoint;
    rp_owned_t *owned;            /**< the exchange is stepped by the loop that owns the connection, or NULL: it blocks */
    rp_endpoints_t *endpoints;    /**< owner of the backend connections */
    rproxy_balancing_t *balancing; /**< of a balancer://, or NULL */
    struct rp_flight_t *flight;   /**< its place in the view of what is under way */
    const char *balancer_target;  /**< path and query behind the balancer's name */
    rp_req_env_t env;
    rp_seen_t seen;
    rp_exchange_t *ex;
    rp_exchange_conf_t exconf;
    /* request */
    const char *host;             /**< value of the Host header for the backend */
    const char *upgrade;          /**< protocol to ask for, or NULL */
    int client_expects;           /**< the client waits for 100 Continue and the backend decides */
    apr_off_t body_limit;         /**< LimitRequestBody; 0 none */
    apr_off_t body_read;          /**< bytes so far */
    apr_file_t *spool;            /**< temporary file, or NULL */
    int filter_busy;              /**< an input filter took bytes and gave none: it may have more at once */
    int filter_error;             /**< an input filter has answered already: AP_FILTER_ERROR */
    /* response */
    int override_status;          /**< ProxyErrorOverride: status to hand to ErrorDocument, or 0 */
    int finished;                 /**< EOS was passed */
    apr_bucket_brigade *bb;       /**< scratch for the client connection */
    apr_bucket_brigade *tunnel_in;/**< bytes of the client not yet taken */
} rp_request_t;

/* handler.c */
void rp_request_register_hooks(apr_pool_t *p);

/* child.c: what a child process owns */
void rp_child_register_hooks(apr_pool_t *p);
rp_endpoints_t *rp_child_endpoints(void);
/** Worker that stands for all destinations outside the configuration. */
rp_worker_t *rp_child_unconfigured_worker(void);

/** What the sister modules provide; NULL where one is not loaded. */
typedef struct rp_sisters_t {
    APR_OPTIONAL_FN_TYPE(rproxy_reverse_headers) *reverse_headers;
    const rproxy_balancer_api_t *balancer;
} rp_sisters_t;
/** Set when the child starts, the same until it ends; any thread. */
const rp_sisters_t *rp_child_sisters(void);

/* request_env.c */
void rp_req_env_read(rp_req_env_t *env, request_rec *r);

/* trace.c */
/** Give the request the ids that the configuration asks for (X-Request-Id, traceparent in r->headers_in). */
void rp_request_trace(rp_request_t *rq);

/* request_head.c */
/** Fill rq->seen. */
void rp_request_look(rp_request_t *rq);
/** rp_client_ops_t.request_head */
apr_status_t rp_request_head_build(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head,
                                   apr_size_t *len);
/** 1 when r fetches the ErrorDocument of a request that failed. */
int rp_request_is_error_page(const request_rec *r);
/** Host header for the backend: the client's (ProxyPreserveHost) or the destination's. NULL and a logged reason when there is none. */
const char *rp_request_host(rp_request_t *rq);
/** This proxy's entry for a Via field: protocol version (HTTP_VERSION), name, and what ProxyVia Full adds; from r->pool. */
const char *rp_request_via(rp_request_t *rq, int version);
/** The protocols of the client's Upgrade header that the worker allows, or NULL. */
const char *rp_request_upgrade(rp_request_t *rq);
/** Of a list of protocols (NULL: none) those that the worker allows, with commas between them, from r->pool; NULL: none. */
const char *rp_request_upgrades_of(rp_request_t *rq, const char *list);

/* response_head.c: rp_client_ops_t.head and interim */
apr_status_t rp_response_head_apply(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard);
apr_status_t rp_response_interim(void *ctx, const rp_h1_resp_t *resp);
/** Trailers of the body: for logs (%{...}^to), they are not sent on. */
void rp_response_trailers(void *ctx, const rp_h1_resp_t *trailers);
/** Copy end-to-end fields of a response head into out, hop-by-hop ones left out. APR_EINVAL: Connection names too many fields. */
apr_status_t rp_response_fields(rp_request_t *rq, const rp_h1_resp_t *resp, apr_table_t *out);
/** After a body was discarded for ProxyErrorOverride: make room for the error page. @return the status for ErrorDocument */
int rp_response_override(rp_request_t *rq);

/* client.c: the rest of rp_client_ops_t */
extern const rp_client_ops_t rp_client_ops;
/** Descriptor of the client connection, or -1 when it has none of its own (HTTP/2 streams). */
int rp_client_fd(request_rec *r);

/* log_failure.c */
/** Log a failed exchange once, set the notes for the error page. @return the HTTP status for httpd */
int rp_request_failed(rp_request_t *rq);
/** An error before there was an exchange. */
int rp_request_refuse(request_rec *r, int status, const char *tagged_message, const char *page_text);
/** Printable form of bytes that came from a peer, cut at 200 bytes. */
const char *rp_printable(apr_pool_t *p, const char *s);

/* probe.c: rproxy_api_t.probe. Blocks the calling thread for ask->timeout_us at most (and what the system's resolver takes). */
void rp_request_probe(const rp_probe_ask_t *ask, apr_pool_t *pool, rp_probe_result_t *out);

/* balancing.c: destinations that are a balancer */
/** OK, or the status when there is no such balancer. */
int rp_balancing_begin(rp_request_t *rq);
/** Make the next member the destination (worker, route). OK, 503, or SUSPENDED: it would have to wait for one, which an event loop can not. */
int rp_balancing_next(rp_request_t *rq);
/** Tell how the exchange with the current member ended. */
void rp_balancing_report(rp_request_t *rq);

/* lane_choice.c */
/** Parent, all modules are loaded: look for modules that may block, and say so. */
void rp_lane_look_around(server_rec *main_server);
/** 1: no hook of this request may run on an event loop. Before any did. */
int rp_lane_needs_helper(request_rec *r);
/** 1: what is behind the hooks of this request, which ran on a helper, may run on an event loop: its filters and who logs it are known
 * not to block. First thing of its handlers. */
int rp_lane_may_return(const request_rec *r);
/** The hooks of a request took this long on an event loop: logged, and from the third time on they do not run there any more. */
void rp_lane_slow_call(request_rec *r, apr_interval_time_t us);

#endif
