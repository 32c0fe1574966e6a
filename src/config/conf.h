/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file conf.h
 * What a configuration says, after parsing: per server, per directory, rules, `<Proxy>` sections.
 * All of it lives in the configuration pool and is const once the configuration was checked;
 * run-time state is elsewhere (worker.h, endpoint.h).
 */
#ifndef RP_CONFIG_CONF_H
#define RP_CONFIG_CONF_H

#include <ap_expr.h>
#include <httpd.h>
#include <http_config.h>
#include <apr_tables.h>

#include "config/passline.h"
#include "upstream/endpoint.h"
#include "rproxy.h"
#include "upstream/worker.h"

/** One ProxyPass or ProxyPassMatch line. */
typedef struct rp_rule_t {
    /** prefix, or regular expression as written; in a Location: the Location's path */
    const char *path;
    /** not NULL: ProxyPassMatch (or ProxyPass ~, or a Location with wildcards/LocationMatch) */
    ap_regex_t *regex;
    /** target as written, but for a socket path, which is made absolute; "!" for an exemption */
    const char *url;
    int exempt;              /**< "!" */
    int nocanon, noquery, interpolate;
    rp_mapping_e mapping;
    /**
     * direct worker, or NULL (balancer, exemption, "$n" in the authority without parameters; with
     * some: a worker that stands for all its destinations)
     */
    rp_worker_t *worker;
    const char *balancer;    /**< "balancer://name", lower case, or NULL */
    const char *defined_at;  /**< "file:line" */
    int worker_own;          /**< the line has parameters: always this worker; see rp_rule_worker */
    const struct rp_base_t *base; /**< scheme, host, port and socket when the line alone decides them (mapping/target.h),
                                  or NULL */
} rp_rule_t;

/**
 * A balancer as configured; the balancer module reads it. Here it is parsed, validated and kept.
 */
typedef struct rp_balancer_conf_t {
    const char *name;              /**< "balancer://name", lower case */
    rp_balancer_params_t params;
    apr_array_header_t *members;   /**< of rp_worker_t * */
    void *section_conf;            /**< ap_conf_vector_t * of its <Proxy> section, or NULL */
    server_rec *server;            /**< that defines it */
    const char *defined_at;
} rp_balancer_conf_t;

typedef enum rp_via_e {
    RP_VIA_UNSET = -1,
    RP_VIA_OFF = 0,
    RP_VIA_ON,
    RP_VIA_FULL,
    RP_VIA_BLOCK
} rp_via_e;

typedef struct rp_remote_t rp_remote_t; /**< ProxyRemote line; see forward.c */

/** Per server (main or virtual host). Unwritten numbers hold -1, switches RP_UNSET. */
typedef struct rp_server_conf_t {
    server_rec *server;
    /** of rp_rule_t *: main server's first, then the vhost's, in order of the file */
    apr_array_header_t *rules;
    apr_array_header_t *location_rules; /**< the same of those in Location sections */
    struct rp_rule_index_t *rule_index; /**< of rules, made when all are there (mapping/rules.h) */
    apr_array_header_t *sections;    /**< of ap_conf_vector_t *: <Proxy>, <ProxyMatch>, in order */
    /**
     * of rp_worker_t *: the configured direct workers, for look-ups; the vhost's before those it
     * inherits. Members are in balancers; rp_config_workers has all of them.
     */
    apr_array_header_t *workers;
    rp_worker_index_t *worker_index;    /**< of workers */
    /** of rp_worker_t *: of rules whose host varies; not looked up, not inherited */
    apr_array_header_t *any_workers;
    apr_array_header_t *balancers;   /**< of rp_balancer_conf_t * */
    apr_interval_time_t timeout_us;  /**< ProxyTimeout, or -1 */
    rp_via_e via;
    int max_forwards;                /**< -1: none added */
    int bad_header;                  /**< rp_h1_badline_e or -1 */
    apr_int64_t io_buffer_size, receive_buffer_size;
    const char *source_address;      /**< literal, or NULL */
    rp_switch_e status;              /**< ProxyStatus */
    rp_switch_e pass_inherit, balancer_inherit;
    int unconfigured_max;            /**< RProxyUnconfiguredMax, or -1 */
    int event_mode;                  /**< RProxyEventLoop: rp_event_mode_e, or -1 */
    apr_uint32_t slow_calls;         /**< of this child, atomic: requests whose hooks held an event loop */
    int event_threads;               /**< RProxyEventThreads, or -1 */
    int handoff_threads;             /**< RProxyHandoffThreads, or -1 */
    int log_buffer;                  /**< RProxyLogBuffer, or -1 */
    apr_interval_time_t tunnel_shutdown_us; /**< RProxyTunnelShutdownTimeout, or -1 */
    int timeout_status;              /**< RProxyTimeoutStatus: 504 or 502, or -1 */
    apr_array_header_t *blocks;      /**< ProxyBlock: of const char * */
    apr_array_header_t *blocked;     /**< their addresses, of rp_blocked_addr_t; made when the configuration was read */
    int balancer_growth;             /**< or -1 */
    rp_switch_e balancer_persist;
    apr_array_header_t *remotes;     /**< ProxyRemote, of rp_remote_t * */
    apr_array_header_t *noproxies;   /**< NoProxy, of const char * */
    /** of ap_conf_vector_t *: the sections with SSLProxy* in them, in order */
    apr_array_header_t *ssl_sections;
    /** sections written in this very server: not inherited ones */
    apr_array_header_t *own_sections;
    /** ProxyHCTemplate, of rp_hc_name_t; of this very server only */
    apr_array_header_t *hc_templates;
    apr_array_header_t *hc_exprs;     /**< ProxyHCExpr, of rp_hc_name_t; of this very server only */
    int hc_threads;                   /**< ProxyHCTPsize, or -1 */
    rp_switch_e express;              /**< ProxyExpressEnable */
    /** ProxyExpressDBMFile, ProxyExpressDBMType, or NULL */
    const char *express_file, *express_type;
    const char *heartbeat_storage;    /**< HeartbeatStorage, or NULL */
    rp_switch_e log_fields;           /**< RProxyLogFields; unset: when the configuration names one */
    apr_uint32_t view_key;            /**< stands for this server in the view of what is under way; never 0 */
} rp_server_conf_t;

/** A name that ProxyHCTemplate or ProxyHCExpr gave, and what it stands for. */
typedef struct rp_hc_name_t {
    const char *name;
    const char *text;                 /**< as written */
    const char *defined_at;           /**< "file:line" */
    const rp_worker_params_t *params; /**< of a template: what is written there */
    ap_expr_info_t *expr;             /**< of an expression: parsed, see config/health.h */
} rp_hc_name_t;

/** Who writes a header that follows a request through many servers. */
typedef enum rp_trace_e {
    RP_TRACE_OFF = 0,          /**< the client, or nobody */
    RP_TRACE_IFABSENT,         /**< this server where the client sent none that is good */
    RP_TRACE_SET,              /**< this server */
    RP_TRACE_IFABSENT_SAMPLED, /**< the same for traceparent, asking others to record the trace */
    RP_TRACE_SET_SAMPLED
} rp_trace_e;

/** Per directory (server, <Location>, <Proxy> sections). */
typedef struct rp_dir_conf_t {
    rp_rule_t *rule;                 /**< ProxyPass in this Location, or NULL */
    rp_switch_e preserve_host, add_headers, interpolate_env, forward_100, ws_fallback;
    rp_switch_e error_override;
    apr_array_header_t *error_codes; /**< of int, or NULL: all 4xx and 5xx */
    /** RProxyForwardedProto: 0 off, 1 ifabsent, 2 set; -1 unset */
    int forwarded_proto;
    int request_id, traceparent;     /**< RProxyRequestId, RProxyTraceparent: rp_trace_e, or -1 */
    int lane;                        /**< RProxyLane: rp_lane_e, or -1 */
    const char *section_url;         /**< <Proxy url> as written, or NULL */
    /** section_url in the form of rp_target_normal, or NULL: wildcards, a regular expression, no URL */
    const char *section_normal;
    int section_wild;                /**< section_url has wildcards */
    /** section_wild: for apr_fnmatch, brackets of an IPv6 address escaped */
    const char *section_pattern;
    ap_regex_t *section_regex;       /**< <ProxyMatch> */
    apr_array_header_t *section_refs;/**< names of the regex's groups (MATCH_*) */
} rp_dir_conf_t;

rp_server_conf_t *rp_server_conf(const server_rec *s);
rp_dir_conf_t *rp_dir_conf(const ap_conf_vector_t *per_dir);

/** A switch with its default. */
static inline int rp_switch(rp_switch_e value, int dflt)
{
    return value == RP_UNSET ? dflt : value == RP_ON;
}

/**
 * The configuration that SSLProxy* settings for a request come from: the last `<Proxy>` or
 * `<ProxyMatch>` section that matches url and has SSLProxy* directives in it, else the server's
 * own. It is the identity to hand to the endpoint and the vector to bind with, so that two virtual
 * hosts with different settings never share a connection, also when one inherits the other's rule.
 * @param url the proxied URL without "proxy:"; for balancers "balancer://name/...", not the
 * member's
 * @return const after the configuration was checked, lives as long as the configuration; any thread
 */
ap_conf_vector_t *rp_ssl_conf_find(const server_rec *s, const char *url);

/**
 * The same for a member of a balancer: a section that matches the balancer ("balancer://name/..."), else one that matches the member's
 * own URL.
 */
ap_conf_vector_t *rp_ssl_conf_find_member(const server_rec *s, const char *balancer_url,
                                          const char *url);

/**
 * 1 when a section (its rp_dir_conf_t) matches a proxied URL: prefix (as written, or both in normal
 * form), shell wildcards, or regular expression.
 */
int rp_section_matches(const rp_dir_conf_t *section, const char *url);

/**
 * 1 when a ProxyRemote line, not exempted by NoProxy, asks that url be reached through another
 * proxy. Configured workers never do (that is refused at startup); a destination from elsewhere
 * that does must not be contacted directly.
 */
int rp_remote_applies(apr_pool_t *pool, const rp_server_conf_t *conf, const char *url, const char *host);

/**
 * The worker of a request that a rule sent to url: the rule's own when its line has parameters,
 * else the configured worker whose URL is the longest prefix of url (which may be a longer one, of
 * a `<Proxy>` section), else the rule's.
 * @param rule may be NULL ([P], SetHandler). @param url normal form, without the socket path uds.
 * @return or NULL
 */
rp_worker_t *rp_rule_worker(const rp_server_conf_t *conf, const rp_rule_t *rule, const char *url,
                            const char *uds);

/**
 * Every configured worker of every server once, direct ones and members, for per-child
 * initialisation; from pool.
 */
apr_array_header_t *rp_config_workers(apr_pool_t *pool, server_rec *main_server);

/** Call fn for each worker that comes at run time, when it is ready; in the child, before the worker's first request. */
void rp_member_on_ready(void (*fn)(rp_worker_t *worker));

/* For the module record. */
void *rp_server_conf_create(apr_pool_t *p, server_rec *s);
void *rp_server_conf_merge(apr_pool_t *p, void *base, void *add);
void *rp_dir_conf_create(apr_pool_t *p, char *dir);
void *rp_dir_conf_merge(apr_pool_t *p, void *base, void *add);
extern const command_rec rp_directives[];
/** Put the probe into the table of functions (rproxy_api_t): the layer above has it. From register_hooks. */
void rp_config_provide_probe(rp_probe_fn_t *probe);

/** Views over all children, for rproxy_api_t. */
typedef struct rp_views_t {
    int (*flights)(const server_rec *s, rproxy_flight_fn_t *tell, void *ctx);
    void (*pools)(const rp_worker_t *worker, rproxy_pool_fn_t *tell, void *ctx);
    void (*loops)(rproxy_loops_fn_t *tell, void *ctx);
} rp_views_t;
void rp_config_provide_views(const rp_views_t *views);
/** Hooks of the configuration: pre_config, check_config, post_config, names (shim). */
void rp_config_register_hooks(apr_pool_t *p);

/* visible here and not at its definition, which apxs -i looks for by its shape */
extern module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) rproxy_module;

#endif
