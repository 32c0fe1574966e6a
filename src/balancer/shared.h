/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file shared.h
 * The balancers of the running configuration as a process sees them: their slots in the segment that all children share (layout.h), the
 * members with this child's workers, and what holds now (rp_live_t), copied from the segment when it changed.
 *
 * Who may do what:
 *   requests: rp_live_acquire, atomics of a member slot, rp_shared_busy. No lock but a short one of this child alone, and that only when
 *     something was changed since the last request.
 *   administrators and health checks: admin.h, which takes rp_shared_lock (one writer on the machine) and publishes.
 *   pages: rp_balancing_visible (balancing.h), rp_live_acquire, rp_shm_*_read, counters by atomic loads.
 */
#ifndef RP_BALANCER_SHARED_H
#define RP_BALANCER_SHARED_H

#include <httpd.h>

#include "balancer/layout.h"
#include "balancer/select.h"
#include "balancer/sticky.h"
#include "config/conf.h"
#include "rproxy.h"

/** A place for a member, as this process sees it: stable as long as the process lives, whoever has the slot. */
typedef struct rp_member_t {
    rp_shm_member_t *shm;
    int index;                     /**< of the slot in the segment */
    int place;                     /**< among the slots of the balancer */
    rp_worker_t *configured;       /**< of the configuration; NULL: a place for growth */
} rp_member_t;

/** A member as it is now. Const; as long as the rp_live_t. */
typedef struct rp_live_member_t {
    rp_member_t *slot;
    rp_worker_t *worker;           /**< lives as long as the child */
    apr_uint32_t incarnation;
    rp_member_settings_t settings;
} rp_live_member_t;

/** Which method a calm choice is made by. */
typedef enum rp_calm_e { RP_CALM_NOT = 0, RP_CALM_BYREQUESTS, RP_CALM_BYTRAFFIC, RP_CALM_BYBUSYNESS } rp_calm_e;

/** A balancer as it is now: what does not change from request to request. Const until it is released. */
typedef struct rp_live_t {
    apr_uint32_t refs;             /**< atomic */
    apr_uint64_t changes;          /**< the balancer's counter when this was made */
    apr_pool_t *pool;
    rp_balancer_settings_t settings;
    const char *stickysession;     /**< or NULL */
    rp_sticky_t sticky;            /**< when stickysession is not NULL */
    const struct rproxy_lbmethod_t *method;
    int method_wants_counts;       /**< it looks at more than weights and credits */
    int n;                         /**< members: no free slots, none that leave */
    rp_live_member_t *members;     /**< in the order of their places */
    rp_member_view_t *views;       /**< of each, with what is constant filled in */
    rp_calm_e calm;                /**< as long as the balancer's `states` is this one, the candidates are those below, and all are well */
    apr_uint64_t states;
    int ncandidates;               /**< of a calm one, in order */
    int *candidates;               /**< indices in members; behind the candidates, from ncandidates to n, the others */
    int *places;                   /**< of each of these, as are the next two */
    apr_int32_t *weights;          /**< x100 */
    rp_shm_member_t **shms;
    apr_int32_t total;             /**< of the candidates' weights */
    int alike;                     /**< their weights are all the same */
    struct rp_live_t *next;        /**< of all that were ever made for this balancer in this child */
} rp_live_t;

/** A balancer of the running configuration. */
typedef struct rp_balancer_t {
    const rp_balancer_conf_t *conf;
    const char *key;               /**< of its kept state: the same in the next generation */
    int index;                     /**< of its slot */
    rp_shm_balancer_t *shm;
    rp_member_t *members;          /**< all places: configured ones first, then those for growth */
    int nslots, nconfigured;
    int changes_allowed;           /**< 0: nonce=None, pages must not change it */
    rp_live_t *live;               /**< per child; atomic pointer, use rp_live_acquire */
    rp_live_t *lives;              /**< all, under the child's lock */
    apr_hash_t *grown;             /**< workers of members added at run time, by name, under the child's lock */
} rp_balancer_t;

/** Parent, post_config: make the segment for all balancers of all servers. balancers: of rp_balancer_t *, whose slots are filled in
 * here; state of the last generation is taken over. Errors are logged. */
apr_status_t rp_shared_create(apr_pool_t *pconf, server_rec *s, const rproxy_api_t *core, apr_array_header_t *balancers) RP_WARN_UNUSED;

/** Child: claim a row of gauges, open the mutex, make what is per child. */
void rp_shared_child_init(apr_pool_t *pool, server_rec *s);

/** Parent: a child is gone; what it had under way is not any more. */
void rp_shared_child_gone(pid_t pid);

/** Where everything is; map->header is NULL while there is no segment (no balancers). */
const rp_shm_map_t *rp_shared_map(void);

/** 0: this child could not set itself up, and must not serve balancers. */
int rp_shared_ready(void);

/** Member slots of these balancers (of rp_balancer_t *), free ones included. */
apr_uint32_t rp_shared_slots(const apr_array_header_t *balancers);
/** The balancers of the running configuration: of rp_balancer_t *, in the order of their slots; NULL: none. */
const apr_array_header_t *rp_shared_balancers(void);

/** One writer on the machine. Never on the path of a request. APR_SUCCESS, or the mutex can not be used. */
apr_status_t rp_shared_lock(void) RP_WARN_UNUSED;
void rp_shared_unlock(void);

/** Say to all children that something of b was set: under rp_shared_lock, when it is written. */
void rp_shared_changed(rp_balancer_t *b);

/** A request of this child goes to (+1) or has left (-1) a member. The only place that changes gauges. */
void rp_shared_busy(const rp_member_t *m, int change);

/** Requests under way to a member, all children. */
apr_uint32_t rp_shared_busy_of(const rp_member_t *m);

/** Of all places of b, into out (nslots of it). */
void rp_shared_busy_all(const rp_balancer_t *b, apr_uint32_t *out);

/** Something happened: remembered for pages. m may be NULL. Any thread. */
void rp_shared_event(const rp_balancer_t *b, const rp_member_t *m, const char *text);

/**
 * What holds now, made anew when something changed. Never NULL after rp_shared_child_init. To be released by the thread that has it,
 * within the request: nothing in it is valid afterwards but worker and slot.
 */
rp_live_t *rp_live_acquire(rp_balancer_t *b);
void rp_live_release(rp_live_t *live);

/** States of members changed since live was made: let the next rp_live_acquire look whether it can be a calm one. */
void rp_live_calm(rp_balancer_t *b, const rp_live_t *live);

/** In live, the member with this name, or NULL. */
const rp_live_member_t *rp_live_find(const rp_live_t *live, const char *name);

#endif
