/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file select.h
 * Which member gets a request: the walk over the sets of a balancer with spares and standbys, and the methods that choose
 * among those that are left. Pure: works on a view (a snapshot) that the caller took, holds no lock, knows no shared memory, clock or
 * entropy. What a choice changes is reported, not done.
 */
#ifndef RP_BALANCER_SELECT_H
#define RP_BALANCER_SELECT_H

#include <apr_time.h>

#include "rproxy_lbmethod.h"
#include "upstream/params.h"
#include "wire/slice.h"

#define RP_MEMBERS_MAX 256 /**< members of one balancer */

/** Snapshot of one member. */
typedef struct rp_member_view_t {
    unsigned status;            /**< rp_status_flag_e bits */
    int lbset;
    const char *route;          /**< or NULL */
    const char *redirect;       /**< or NULL */
    apr_time_t error_us;        /**< when it was put in error; 0: by the configuration, so its retry time is over */
    apr_interval_time_t retry_us; /**< how long it stays there */
    rproxy_lbmember_t lb;       /**< what methods see; lb.index is the member's place in the view */
    int tried;                  /**< this request has tried it already */
} rp_member_view_t;

typedef struct rp_balancer_view_t {
    rp_member_view_t *members;  /**< in the order of the configuration */
    int n;
    apr_time_t now_us;
} rp_balancer_view_t;

typedef struct rp_choice_t {
    int member;                              /**< index, or -1: none can be used */
    int ncandidates;
    int candidates[RP_MEMBERS_MAX];          /**< who was offered to the method */
    int lbstatus_delta[RP_MEMBERS_MAX];      /**< what the choice adds to the lbstatus of each candidate */
} rp_choice_t;

/** 1 when a member in this state may get a request: initialised, not disabled, stopped, shutting down, failed its health check, and not
 * in error (an error whose retry time is over, or that is to be ignored, does not count). */
int rp_member_usable(const rp_member_view_t *m, apr_time_t now_us);

/**
 * Choose by method: for the sets in ascending order, the usable members that are not draining; one usable hot spare joins for each
 * unusable member; only when that leaves nobody, the hot standbys. Members already tried count as unusable.
 */
void rp_select(const rp_balancer_view_t *view, const rproxy_lbmethod_t *method, const rproxy_lbcontext_t *context, rp_choice_t *out);

#define RP_STATUS_TEXT_MAX 80 /**< bytes that rp_status_text needs at most */

/** State in words, each with a blank behind it: "Init Ign Ok "; the words that mod_proxy's users know. out holds size bytes. */
void rp_status_text(unsigned status, char *out, apr_size_t size);

/** The letter of one flag as status= has it ("D"), '?' for what is no flag. */
char rp_flag_letter(unsigned flag);

/** The flag of a letter, either case; 0: there is none. */
unsigned rp_flag_of(char letter);

/** Result of a look-up by route. */
typedef enum rp_route_result_e {
    RP_ROUTE_NONE = 0,     /**< no member has this route */
    RP_ROUTE_FOUND,        /**< *member has it (or its redirect) and can be used */
    RP_ROUTE_UNUSABLE      /**< a member has it, but neither it nor its redirect can be used */
} rp_route_result_e;

/** The member of a session: by route, members that are no standby first; draining ones and spares count, sets do not matter. An unusable
 * one leads to the member its redirect names (bounded). out gets the choice with the deltas of a sticky request. */
rp_route_result_e rp_select_route(const rp_balancer_view_t *view, const char *route, rp_choice_t *out, int *redirected);

/** 1 when every member that this request has not tried is in error and none of them would be usable: forced recovery may help. */
int rp_all_in_error(const rp_balancer_view_t *view);

#endif
