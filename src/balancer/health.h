/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file health.h
 * What the result of a health check means for a member, when the next check is due, and what is asked. Pure: no clock, no shared
 * memory, no I/O. Any thread.
 */
#ifndef RP_BALANCER_HEALTH_H
#define RP_BALANCER_HEALTH_H

#include <apr_pools.h>
#include <apr_time.h>

#include "upstream/params.h"
#include "wire/slice.h"

#define RP_HEALTH_TIMEOUT_MIN_US 5000000 /**< hctimeout unset: at least this, however short hcinterval is */
#define RP_HEALTH_BODY_MAX 262144        /**< bytes of a body that are read and that hc('body') sees */
#define RP_HEALTH_REASON_MAX 200         /**< bytes of a reason in a log line */

/** hcmethod. */
typedef enum rp_health_method_e {
    RP_HEALTH_NONE = 0, RP_HEALTH_TCP, RP_HEALTH_OPTIONS, RP_HEALTH_HEAD, RP_HEALTH_GET, RP_HEALTH_OPTIONS11, RP_HEALTH_HEAD11,
    RP_HEALTH_GET11, RP_HEALTH_METHODS
} rp_health_method_e;

/** By the word of hcmethod; case does not matter; RP_HEALTH_NONE for what is no word of it, and for NULL. */
rp_health_method_e rp_health_method(const char *word);
/** The word; never NULL. */
const char *rp_health_method_str(rp_health_method_e m);
/** What goes on the wire: "GET"; NULL: nothing does. */
const char *rp_health_verb(rp_health_method_e m);
/** 1: the request says HTTP/1.0. */
int rp_health_http10(rp_health_method_e m);

/** hcinit. */
typedef enum rp_health_init_e { RP_HEALTH_INIT_UP = 0, RP_HEALTH_INIT_DOWN, RP_HEALTH_INIT_CHECK } rp_health_init_e;
/** By its word; UP for NULL and what is none. */
rp_health_init_e rp_health_init(const char *word);

/** What decides. */
typedef struct rp_health_rules_t {
    int passes, fails;       /**< hcpasses, hcfails; less than 1 is 1 */
    rp_health_init_e init;
} rp_health_rules_t;

/** What is known of a member; zero before its first check. */
typedef struct rp_health_counts_t {
    apr_uint32_t passes, fails; /**< good ones, bad ones in a row: one of them is 0 */
    apr_uint32_t back;          /**< good ones in a row since it is out */
    int checked;                /**< there was a check */
} rp_health_counts_t;

typedef enum rp_health_change_e {
    RP_HEALTH_SAME = 0,
    RP_HEALTH_OUT,   /**< it is not used any more, or its first check says that it stays so */
    RP_HEALTH_BACK   /**< it is used again */
} rp_health_change_e;

/**
 * One check more. A member is out while it has the flag C (failed its checks) or E (in error by requests).
 * In: `passes` good ones in a row bring back a member that is out: C and E are cleared. `fails` bad ones in a row set C, also while E
 * is set, so that no request tries out what is known to be dead. A result of the other kind begins the count anew. With init CHECK the
 * first check decides alone.
 * @param status rp_status_flag_e bits of the member
 * @param set, clear bits to switch; 0 with RP_HEALTH_SAME
 */
rp_health_change_e rp_health_step(const rp_health_rules_t *rules, unsigned status, int good, rp_health_counts_t *counts, unsigned *set,
                                  unsigned *clear);

/** 1: the member is to be checked now and then. Not when it is stopped (S). */
int rp_health_checked(rp_health_method_e method, unsigned status);

/** hctimeout where it was not written (0 or less): the interval, but at least RP_HEALTH_TIMEOUT_MIN_US, and at most io_us. */
apr_interval_time_t rp_health_timeout(apr_interval_time_t written_us, apr_interval_time_t interval_us, apr_interval_time_t io_us);

/**
 * How long from now the first check of this checker is due. Members are spread over the interval, the i-th of n in the middle of its
 * share; one that nobody knows yet and that waits for its first check (init DOWN or CHECK) is asked at once. One that was checked
 * before, by another process, goes on in its rhythm.
 * @param ago_us since its last check began; -1: there was none
 */
apr_interval_time_t rp_health_first(apr_interval_time_t interval_us, int i, int n, rp_health_init_e init, apr_interval_time_t ago_us);

/** The request target: path of the member and hcuri with one slash between them. Either may be NULL or "". From pool. */
const char *rp_health_target(apr_pool_t *pool, rp_health_method_e method, const char *path, const char *uri);

#endif
