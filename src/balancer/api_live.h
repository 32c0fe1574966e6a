/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_live.h
 * Between the running balancers and what pages show and ask for: views are made, wishes are carried out (by admin.h).
 * In a child, within one request.
 */
#ifndef RP_BALANCER_API_LIVE_H
#define RP_BALANCER_API_LIVE_H

#include <httpd.h>

#include "balancer/api_json.h"
#include "balancer/api_view.h"
#include "balancer/shared.h"

/** How much of a view is wanted. */
#define RP_VIEW_EVENTS 1
#define RP_VIEW_FLIGHTS 2

/** What the server of this request shows: its own balancers and those it inherits, and events and exchanges of these
 * alone. From r->pool. */
rp_show_t *rp_view_make(request_rec *r, int parts);

/** The balancer with this name (with or without "balancer://"), or NULL; the member of it with this URL or id, or NULL.
 */
rp_show_balancer_t *rp_view_balancer(const rp_show_t *show, const char *name);
rp_show_member_t *rp_view_member(const rp_show_balancer_t *b, const char *url_or_id);

/** After changes of b: until they are in the state file, for two seconds at most. 1: they are; 0: not yet; -1: its state is in no file. */
int rp_live_saved(request_rec *r, const rp_show_balancer_t *b);

/** How a wish ended. */
typedef struct rp_done_t {
    int status;              /**< HTTP_OK, or what the client gets */
    const char *code;        /**< word for programs */
    rp_field_error_t error;  /**< when status is not HTTP_OK */
    apr_array_header_t *said; /**< of const char *: what was changed, or would be */
} rp_done_t;

/** Who asks. */
typedef struct rp_asker_t {
    request_rec *r;
    const char *through;     /**< "API", "manager" */
    const char *why;         /**< or NULL */
    int dry_run;
    const apr_uint64_t
        *unchanged_since; /**< NULL, or the balancer's counter of changes: refuse (412) when it has moved on */
} rp_asker_t;

/** The counter of changes of a balancer of the view; read before the view is made. */
apr_uint64_t rp_view_changes(request_rec *r, const char *name);

/** Carry out changes (of rp_change_t) on a member, or with m NULL on the balancer: all are judged before the first is
 * done. */
rp_done_t rp_live_change(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m,
                         const apr_array_header_t *changes);

/** Add a member that begins with the flags of `status` (rp_status_flag_e); *url: its name, as it is then. */
rp_done_t rp_live_add(const rp_asker_t *asker, const rp_show_balancer_t *b, const char **url, unsigned status,
                      const apr_array_header_t *changes);

/** Remove a member that was added at run time. */
rp_done_t rp_live_remove(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m);

#endif
