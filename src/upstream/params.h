/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file params.h
 * key=value parameters of workers and balancers: rows of tables (key, kind, range, unit, default,
 * help), one parser, one merge. Error sentences, the manual and the tests come from the rows. libc
 * + APR only.
 */
#ifndef RP_UPSTREAM_PARAMS_H
#define RP_UPSTREAM_PARAMS_H

#include <apr_pools.h>
#include <apr_time.h>

#include "wire/slice.h"

#define RP_ROUTE_MAX 63
#define RP_LBSET_MAX 99
#define RP_HCHOST_MAX 255  /**< bytes of hchost */
#define RP_GROWTH_MAX 100 /**< members of one balancer that may be added at run time */

/** Tri-state of a switch that may be left unwritten. */
typedef enum rp_switch_e { RP_UNSET = -1, RP_OFF = 0, RP_ON = 1 } rp_switch_e;

/** Member status flags, bits as in the manager and the status page. */
typedef enum rp_status_flag_e {
    RP_ST_INITIALIZED = 0x001, RP_ST_IGNORE_ERRORS = 0x002, RP_ST_DRAIN = 0x004,
    RP_ST_GENERIC = 0x008, RP_ST_IN_SHUTDOWN = 0x010, RP_ST_DISABLED = 0x020,
    RP_ST_STOPPED = 0x040, RP_ST_IN_ERROR = 0x080, RP_ST_HOT_STANDBY = 0x100,
    RP_ST_FREE = 0x200, RP_ST_HC_FAIL = 0x400, RP_ST_HOT_SPARE = 0x800
} rp_status_flag_e;

/**
 * Parameters of a worker. A member left unwritten holds its sentinel (-1 for numbers and times,
 * NULL for strings, RP_UNSET for switches); rp_worker_params_defaults fills what has a default.
 * Immutable after the configuration was checked.
 */
typedef struct rp_worker_params_t {
    int loadfactor_x100;                   /**< 100..10000 */
    int retry_s;                           /**< hold time of the error state */
    apr_interval_time_t timeout_us;        /**< I/O; unset: ProxyTimeout, else Timeout */
    apr_interval_time_t connecttimeout_us; /**< per address; unset: as the I/O timeout */
    apr_interval_time_t failoverafter_us;  /**< how long an idempotent request waits for an answer before another member gets it */
    apr_interval_time_t ping_us;           /**< wait for the answer to Expect: 100-continue */
    int ttl_s;                             /**< idle longer: not used; unset: no limit */
    int min;                               /**< idle connections that age and smax leave open */
    int smax;                              /**< idle connections above this are closed */
    int max;                               /**< connections per child; 0, unset: no limit */
    apr_interval_time_t acquire_us;        /**< wait for a permit; unset: the I/O timeout */
    rp_switch_e keepalive;                 /**< SO_KEEPALIVE */
    rp_switch_e reuse;                     /**< enablereuse and disablereuse: the last one wins */
    int addressttl_s;                      /**< unset: the child's life; 0: each connection */
    int flushpackets, flushwait_ms;        /**< accepted, no effect on HTTP */
    apr_int64_t iobuffersize;              /**< accepted, no effect on HTTP */
    apr_int64_t receivebuffersize;         /**< SO_RCVBUF */
    apr_int64_t responsefieldsize;         /**< longest status or header line */
    const char *route, *redirect;
    unsigned status_set, status_clear;     /**< rp_status_flag_e bits switched by status= */
    int lbset;
    const char *upgrade;                   /**< comma list; "*" any; "" none; NULL unwritten */
    const char *flusher, *secret;          /**< accepted (other protocols) */
    const char *hcmethod, *hcuri, *hchost; /**< health checks: what is asked */
    const char *hctemplate, *hcexpr;       /**< names of the server that defines the worker */
    const char *hcinit;                    /**< "up", "down" or "check" */
    apr_interval_time_t hcinterval_us;
    apr_interval_time_t hctimeout_us;      /**< unset: see the row */
    int hcpasses, hcfails;                 /**< 0 counts as 1 */
    apr_uint64_t written;                  /**< bit i: row i of the table was written */
} rp_worker_params_t;

typedef struct rp_balancer_params_t {
    const char *lbmethod, *stickysession;
    int stickysep;                       /**< one byte; 0: Off; -1 unset */
    rp_switch_e scolonpathdelim, nofailover, failontimeout, forcerecovery;
    apr_interval_time_t timeout_us;
    int maxattempts;
    const char *failonstatus;            /**< validated list as written */
    const char *nonce;
    int growth;
    apr_uint64_t written;
} rp_balancer_params_t;

typedef enum rp_param_kind_e {
    RP_PARAM_INT,             /**< int, digits only */
    RP_PARAM_DECIMAL_X100,    /**< int, "1.5" is 150; further digits are cut off */
    RP_PARAM_TIME,            /**< apr_interval_time_t; suffix ms, s, mi, min, h, or none */
    RP_PARAM_SECONDS,         /**< int; the same suffixes, if it comes to whole seconds */
    RP_PARAM_SWITCH,          /**< rp_switch_e; On or Off */
    RP_PARAM_SWITCH_INVERTED, /**< the same, On means RP_OFF */
    RP_PARAM_STRING,          /**< const char *; no control characters */
    RP_PARAM_ENUM,            /**< int: index into `words` */
    RP_PARAM_WORD,            /**< const char *: one of `words`, spelled as there */
    RP_PARAM_STATUS,          /**< two unsigned, set and clear: letters with + and - */
    RP_PARAM_CHAR_OR_OFF,     /**< int: one byte, or 0 for Off */
    RP_PARAM_CODES,           /**< const char *: list of HTTP status codes, as written */
    RP_PARAM_SIZE,            /**< apr_int64_t bytes, or 0 */
    RP_PARAM_PROTOCOLS,       /**< const char *: names; ANY and * become "*", NONE becomes "" */
    RP_PARAM_STICKY           /**< const char *: COOKIE or COOKIE|PARAMETER */
} rp_param_kind_e;

/** A row. */
typedef struct rp_param_row_t {
    const char *key;
    rp_param_kind_e kind;
    apr_size_t offset;       /**< of the member in the params struct */
    apr_int64_t min, max;    /**< in the member's unit; for strings: length */
    apr_int64_t unit;        /**< RP_PARAM_TIME: microseconds of a number without suffix */
    apr_int64_t zero_means;  /**< RP_PARAM_SIZE: value that 0 stands for, or -1 */
    const char *const *words;/**< RP_PARAM_ENUM and _WORD: legal values, NULL behind the last */
    const char *example;     /**< a value that is right, for messages and the manual */
    const char *dflt;        /**< default as the manual prints it */
    const char *later;       /**< not NULL: no effect yet; the notice at startup says why */
    const char *help;        /**< one sentence for the manual */
} rp_param_row_t;

/** The tables, *n rows; static. */
const rp_param_row_t *rp_worker_param_rows(int *n);
const rp_param_row_t *rp_balancer_param_rows(int *n);

/** All members to their sentinel. */
void rp_worker_params_init(rp_worker_params_t *p);
void rp_balancer_params_init(rp_balancer_params_t *p);

/** Give members that hold their sentinel the default that the manual names; those whose default
 * depends on other directives (timeouts) or means "no limit" keep it. */
void rp_worker_params_defaults(rp_worker_params_t *p);
void rp_balancer_params_defaults(rp_balancer_params_t *p);

/** What a row accepts, for messages and the manual: "a whole number from 0 to 99". From pool. */
const char *rp_param_range(apr_pool_t *pool, const rp_param_row_t *row);

/**
 * Apply one key=value. Keys are case-insensitive. Strings are copied to pool.
 * @return NULL, or a sentence from pool with the thing, the value, the legal range and what to
 *         write: max: "x" is not a whole number from 0 to 2147483647; write for example max=100
 */
const char *rp_worker_param_set(apr_pool_t *pool, rp_worker_params_t *p, const char *key,
                                const char *value);
const char *rp_balancer_param_set(apr_pool_t *pool, rp_balancer_params_t *p, const char *key,
                                  const char *value);

/**
 * Can hcuri and hchost stand in the head of a request? What can not must not be found out by the first check. Either may be NULL or "":
 * none. For the configuration and for changes at run time. @return NULL, or the rest of a sentence from pool: hchost=a b can not stand
 * in a request (bad-host): write for example hchost=www.example.com
 */
const char *rp_health_request_wrong(apr_pool_t *pool, const char *hcuri, const char *hchost);

/** Members written in add win over base; result in base. */
void rp_worker_params_merge(rp_worker_params_t *base, const rp_worker_params_t *add);
void rp_balancer_params_merge(rp_balancer_params_t *base, const rp_balancer_params_t *add);

#endif
