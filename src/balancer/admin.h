/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file admin.h
 * Changes of balancers while the server runs, in one place: the manager page, the API and health checks call these and nothing else. Each
 * judges its values by the same rows as the configuration, publishes to all children at once, and leaves one log line and one event
 * that say who did what and why. To be called in a child, on any thread, outside of rp_shared_lock (taken inside).
 */
#ifndef RP_BALANCER_ADMIN_H
#define RP_BALANCER_ADMIN_H

#include "balancer/shared.h"

/** Who changes something, and why: in each call. */
typedef struct rp_admin_t {
    apr_pool_t *pool;            /**< for messages */
    server_rec *server;          /**< whose log gets the line */
    const char *actor;           /**< "manager 127.0.0.1 (admin)", "health check" */
    const char *why;             /**< or NULL */
    int dry_run;                 /**< judge and say what would change, change nothing */
    int allow_unix;              /**< a unix: URL may be added; 0 for what comes over the network */
} rp_admin_t;

/*
 * Results. APR_SUCCESS: done, *message says what changed ("loadfactor 1.00 -> 3.00"), or is NULL: it was like that already.
 * APR_EINVAL: *message says which field has which value, and what is legal. APR_NOTFOUND: there is no such member (any more).
 * APR_EEXIST: a member of that URL is there already. APR_ENOSPC: no place is free (growth). APR_EACCES: the change is not allowed
 * (a configured member can not be removed). Others: the system; *message is a sentence in any case.
 */

/** One parameter of a member by its key: loadfactor, lbset, route, redirect (empty: none), hcmethod, hcuri, hchost (empty: none), hcexpr,
 * hcinterval, hctimeout (empty or 0: by hcinterval), hcpasses, hcfails as in the configuration, or status=+D-N. member: its name. */
apr_status_t rp_admin_member_set(const rp_admin_t *a, rp_balancer_t *b, const char *member, const char *key, const char *value,
                                 const char **message);

/** Switch flags (RP_ST_* bits): those of set on, those of clear off. Only I N U D S E H C R. E and C are learned: they are not said to be
 * of run time, and clearing E ends the error at once. */
apr_status_t rp_admin_member_flags(const rp_admin_t *a, rp_balancer_t *b, const char *member, unsigned set, unsigned clear,
                                   const char **message);

/** Everything of a member that was said at run time is again as the configuration says. */
apr_status_t rp_admin_member_reset(const rp_admin_t *a, rp_balancer_t *b, const char *member, const char **message);

/** One parameter of a balancer by its key: lbmethod, stickysession ("" or "-": none), stickysessionsep, scolonpathdelim, nofailover,
 * timeout (0: do not wait), maxattempts, failonstatus ("": none), failontimeout, forcerecovery. */
apr_status_t rp_admin_balancer_set(const rp_admin_t *a, rp_balancer_t *b, const char *key, const char *value, const char **message);

/**
 * Add a member. @param status flags it begins with (RP_ST_DISABLED: gets no request until it is enabled), 0 none.
 * @param params of key, value, key, value ... (rp_admin_member_set), NULL-terminated, or NULL. @param name set to the name it has.
 */
apr_status_t rp_admin_member_add(const rp_admin_t *a, rp_balancer_t *b, const char *url, unsigned status, const char *const *params,
                                 const char **name, const char **message);

/** Remove a member that was added: no new request goes to it from now on; those under way end well. */
apr_status_t rp_admin_member_remove(const rp_admin_t *a, rp_balancer_t *b, const char *member, const char **message);

/** How many more members may be added now. */
int rp_admin_places_free(const rp_balancer_t *b);

/** Where a value comes from: for pages. key: as above, or "status=D" for one flag. */
rp_origin_e rp_admin_member_origin(const rp_live_member_t *m, const char *key);
rp_origin_e rp_admin_balancer_origin(const rp_live_t *live, const char *key);

#endif
