/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rproxy.h
 * The only header that the three modules and third parties share: one versioned table of functions, fetched as an
 * optional function, and the hooks that the sister modules provide. Nothing here is called by symbol across modules.
 */
#ifndef RPROXY_H
#define RPROXY_H

#include <ap_expr.h>
#include <apr_errno.h>
#include <apr_optional.h>
#include <apr_tables.h>
#include <httpd.h>

#define RPROXY_VERSION_STRING "0.1.0"
/** In the first file of a module: its name and version as text in the .so, so that a file without its package can be told. */
#define RPROXY_VERSION_MARK(name) \
    static const char rproxy_version_mark[] __attribute__((used)) = name " " RPROXY_VERSION_STRING
#define RPROXY_API_VERSION 8

#define RP_HEALTH_BODY_NOTE "rproxy-health-body" /**< note of a request: the body that hc('body') stands for */

struct rp_probe_ask_t;
struct rp_probe_result_t;
typedef void rp_probe_fn_t(const struct rp_probe_ask_t *ask, apr_pool_t *pool, struct rp_probe_result_t *out);

/** One exchange under way, in whichever child. Texts may be cut, and are gone after the call. Since version 7. */
typedef struct rproxy_flight_t {
    apr_interval_time_t age_us;
    int pid;
    const char *vhost, *request;
    const char *balancer;   /**< without "balancer://"; "": none */
    const char *worker;     /**< URL of the worker or member; "": none yet */
    const char *step;       /**< what it does */
    unsigned tries;         /**< members so far, 0 without a balancer */
} rproxy_flight_t;
typedef void rproxy_flight_fn_t(void *ctx, const rproxy_flight_t *flight);

/** What one child has of a worker's connections. Since version 7. */
typedef struct rproxy_pool_t {
    int pid;
    apr_uint32_t connections, in_flight, waiting;
    apr_uint64_t opened, reused, closed;
} rproxy_pool_t;
typedef void rproxy_pool_fn_t(void *ctx, const rproxy_pool_t *pool);

/** The event loops of one child. Since version 7. */
typedef struct rproxy_loops_t {
    int pid;
    apr_uint64_t connections;          /**< client connections now */
    apr_uint64_t adopted;              /**< client connections that were taken */
    apr_uint64_t turns, slow_turns, busy_us;
} rproxy_loops_t;
typedef void rproxy_loops_fn_t(void *ctx, const rproxy_loops_t *loops);

/** Functions of mod_rproxy. Fields are only ever appended; `version` says how many there are. */
typedef struct rproxy_api_t {
    int version;
    /** Value of ProxyPassInterpolateEnv in effect for this request. */
    int (*interpolate_env)(request_rec *r);
    /** Balancers visible to a server: array of const rp_balancer_conf_t * (config/conf.h), the server's own and inherited ones; one that
     * is inherited is the same object in every server. Const after the configuration was checked. */
    const apr_array_header_t *(*balancers)(const server_rec *s);
    /** 1: ProxyStatus is On for this server. Since version 3. */
    int (*proxy_status)(const server_rec *s);
    /** BalancerPersist of this server: 1 On, 0 Off, -1 not written. Since version 4. */
    int (*balancer_persist)(const server_rec *s);
    /**
     * A worker for a URL that becomes a member while the server runs, as the configuration would make it for this balancer (const
     * rp_balancer_conf_t *): judged in the same way, parameters at their defaults. From pool.
     * @param flags RPROXY_MEMBER_*. @return NULL: *why is the sentence that says what is wrong. Any thread. Since version 4.
     */
    struct rp_worker_t *(*member_make)(apr_pool_t *pool, const void *balancer, const char *url, int flags, const char **why);
    /** Child: what is per child of such a worker; lives as long as pool. Since version 4. */
    apr_status_t (*member_ready)(struct rp_worker_t *worker, apr_pool_t *pool);
    /** ProxyHCTPsize: health checks that may be under way at once; 0: one. Since version 5, as are the next three. */
    int (*health_threads)(const server_rec *s);
    /** The ProxyHCExpr of that name of the server that defines it, or NULL. hc('body') reads the note RP_HEALTH_BODY_NOTE of the request
     * it is evaluated for. */
    ap_expr_info_t *(*health_expr)(const server_rec *s, const char *name);
    /** How long a read from or a write to a backend may take where its worker does not say: ProxyTimeout, else Timeout. */
    apr_interval_time_t (*io_timeout)(const server_rec *s);
    /** Ask a backend something outside of any request (upstream/probe.h). Blocks; only in a child, on a thread that may wait. *out is
     * filled in any case, from pool. */
    rp_probe_fn_t *probe;
    /** Tell of the exchanges under way in all children that server s may see: its own requests, and those to balancers and workers that it has
     * or inherits; NULL: all. @return how many more there are for which there was no place. Since version 7, as are the next three. */
    int (*flights)(const server_rec *s, rproxy_flight_fn_t *tell, void *ctx);
    /** Workers that are no members: array of rp_worker_t *, the server's own and those it inherits. Const. */
    const apr_array_header_t *(*workers)(const server_rec *s);
    /** Tell of a worker's connections in each child that runs, those of generations that still end too. */
    void (*pools)(const struct rp_worker_t *worker, rproxy_pool_fn_t *tell, void *ctx);
    /** Tell of the event loops of each child that runs. */
    void (*loops)(rproxy_loops_fn_t *tell, void *ctx);
    /** Paths of a server whose ProxyPass or ProxyPassMatch lines lead to a balancer ("balancer://name", lower case): those of the main server
     * first, then its own, then those of <Location> sections; as written, so that some are regular expressions. Array of const char *, from
     * pool. Since version 8. */
    apr_array_header_t *(*balancer_paths)(apr_pool_t *pool, const server_rec *s, const char *name);
} rproxy_api_t;

#define RPROXY_MEMBER_UNIX 1 /**< unix:/path|http://... is allowed */

/** mod_rproxy: the table, or NULL when version is newer than what this mod_rproxy has. */
APR_DECLARE_OPTIONAL_FN(const rproxy_api_t *, rproxy_api, (int version));

/** mod_rproxy_reverse: map the header fields in r->headers_out of a response that came from a backend (final responses only,
 * before ErrorDocument handling, after hop-by-hop fields are gone). Called for r->proxyreq == PROXYREQ_REVERSE. */
APR_DECLARE_OPTIONAL_FN(void, rproxy_reverse_headers, (request_rec *r));

/** mod_rproxy: URLs of the members of a balancer ("balancer://name", lower case) visible to this server, those added at run time too; an
 * array of const char * from pool, or NULL when there is no such balancer. */
APR_DECLARE_OPTIONAL_FN(apr_array_header_t *, rproxy_balancer_members, (apr_pool_t *pool, server_rec *s, const char *name));

/** How one try of a member ended. */
typedef struct rproxy_result_t {
    int status;             /**< of the response, 0: there was none */
    int unreachable;        /**< no connection could be made: the member may be put in error */
    int timed_out;          /**< it did not answer in time */
    int after_sending;      /**< it closed after bytes of the request were sent */
    apr_off_t sent, received; /**< bytes to and from the member */
    apr_interval_time_t connect_us, first_byte_us, total_us; /**< from the start of its last attempt; -1: that was not reached, or no
                                 connection had to be made. Since version 4. */
    int from_member;        /**< status is the member's own, not made in its place. Since version 4. */
} rproxy_result_t;

/** What a balancer knows of a member, at one moment. Since version 6. */
typedef struct rproxy_member_facts_t {
    struct rp_worker_t *worker;
    unsigned status;        /**< rp_status_flag_e bits */
    int usable;             /**< 1: it may get requests */
    apr_uint32_t weight_x100, lbset;
    apr_uint64_t elected;   /**< requests that it was chosen for */
    apr_uint64_t errors;    /**< times it was put in error */
    apr_uint64_t checks, checks_failed; /**< health checks */
} rproxy_member_facts_t;

/** Called for each member, with facts that are gone afterwards. */
typedef void rproxy_member_fn_t(void *ctx, const rproxy_member_facts_t *facts);

typedef struct rproxy_balancing_t rproxy_balancing_t; /**< one request on its way through a balancer; of the balancer module */

/** Functions of mod_rproxy_balancer. */
typedef struct rproxy_balancer_api_t {
    int version;
    /** Start for a request to `name` ("balancer://x"); target: path and query as they would go on the wire. NULL: this server has no such
     * balancer. Lives in r->pool; what it counted is undone when that pool goes. */
    rproxy_balancing_t *(*begin)(request_rec *r, const char *name, const char *target);
    /** The next member (rp_worker_t *, upstream/worker.h) to try; sets the BALANCER_* environment. NULL: none can be used, or no further one
     * may be tried; *why is a sentence for the log. */
    struct rp_worker_t *(*next)(rproxy_balancing_t *b, const char **why);
    /** How the try of the member from next() ended; once for each. */
    void (*report)(rproxy_balancing_t *b, const rproxy_result_t *result);
    /** After next() said NULL: microseconds from now_us (monotonic) that the caller may go on asking it (`timeout` of the balancer);
     * 0: waiting is over or can not help. Since version 3. */
    apr_interval_time_t (*patience)(rproxy_balancing_t *b, apr_time_t now_us);
    /** URLs of the members that a balancer has now, added ones too: of const char *, from pool; NULL: no such balancer. Since version 4. */
    apr_array_header_t *(*members)(apr_pool_t *pool, const server_rec *s, const char *name);
    /** Tell of all members of all balancers, as this child sees them. Since version 6. */
    void (*facts)(rproxy_member_fn_t *tell, void *ctx);
    /** 1: after the member that next() said last, another one could be tried now. Since version 7. */
    int (*others)(rproxy_balancing_t *b);
} rproxy_balancer_api_t;

/** mod_rproxy_balancer: its functions, or NULL when version is newer than what it has. */
APR_DECLARE_OPTIONAL_FN(const rproxy_balancer_api_t *, rproxy_balancer_api, (int version));

#endif
