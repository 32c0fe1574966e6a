/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hand-off: a request whose hooks or handler may block runs on a helper, while its connection still belongs to the loop and comes back to
 * it. The loop touches nothing of the connection in between. When only the hooks might block (they ask for a user, say), the handler
 * gives the request back to the loop, which waits for the backend there: slow backends hold no helper.
 */
#include "engine/owned_int.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "upstream/clock.h"

#define QUEUE_WAIT_US 10000000 /* a request waits that long for a helper, then 503 */

/* As ap_invoke_handler after insert_filter, which has run already. */
static int call_handler(request_rec *r, const char *name)
{
    const char *old = r->handler;
    int status;

    r->handler = name;
    status = ap_run_handler(r);
    r->handler = old;
    if (status == DECLINED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "RP0304: no module handles \"%s\" of %s", name,
                      r->filename ? r->filename : r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

static int run_handler(request_rec *r, const char *name)
{
    int status = call_handler(r, name);

    if (status == SUSPENDED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "RP0305: the handler \"%s\" suspended a request that a helper ran", name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

/* Its hooks are over, and nothing of its body was read: as if they had run here. heard: events that came meanwhile. o may be gone. */
static void go_on_here(rp_owned_t *o, unsigned heard)
{
    request_rec *r = o->r;
    int status, waits;

    o->hooks_over = 1;
    if (apr_table_get(r->headers_in, "Transfer-Encoding") != NULL) {
        rp_owned_gate_body(o);
    }
    o->c->cs->state = CONN_STATE_HANDLER;
    status = call_handler(r, o->handler);
    if (status != SUSPENDED) {
        rp_owned_end_request(o, status);
        return;
    }
    o->c->cs->state = CONN_STATE_SUSPENDED;
    waits = o->handoff == RP_HANDOFF_NO && o->suspended.ex != NULL; /* else it may be gone behind the next line */
    rp_owned_processed(o);
    if (waits) {
        rp_owned_overheard(o, heard);
    }
}

/* Back on the loop. The helper may have taken what was announced, or left some of what was announced before: look. */
static void on_back(rp_post_t *post)
{
    rp_owned_t *o = RP_OWNED_OF(post, post);
    unsigned heard = o->heard;

    rp_loop_timer_cancel(o->el->loop, &o->timer);
    o->state = RP_OWNED_REQUEST;
    o->on_loop = 1;
    o->c->current_thread = o->el->thread;
    o->core_busy = o->c->data_in_output_filters;
    o->in_maybe = 1;
    rp_owned_note(o, heard | RP_EV_READ | RP_EV_WRITE);
    o->heard = 0;
    if (o->el->buried) {
        return;
    }
    if (o->late) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, o->r,
                      "RP0306: no helper was free within %d seconds: raise RProxyHandoffThreads or look at what keeps them busy",
                      QUEUE_WAIT_US / 1000000);
        o->c->keepalive = AP_CONN_CLOSE;
        rp_owned_finish(o->r, HTTP_SERVICE_UNAVAILABLE);
    }
    if (o->handoff == RP_HANDOFF_NO) { /* the helper handed it back */
        go_on_here(o, heard);
        return;
    }
    rp_owned_after_request(o);
}

static void come_back(rp_owned_t *o)
{
    o->post.fn = on_back;
    rp_loop_post(o->el->loop, &o->post);
}

static void through(rp_job_t *job) { come_back(RP_OWNED_OF(job, job)); }

static void on_helper(rp_job_t *job, apr_thread_t *thread, int late)
{
    rp_owned_t *o = RP_OWNED_OF(job, job);

    o->late = late;
    if (!late) {
        o->gated = 0; /* here the HTTP filter may wait for trailers */
        o->c->current_thread = thread;
        o->c->cs->state = CONN_STATE_HANDLER;
        if (o->handoff == RP_HANDOFF_ALL) {
            ap_process_async_request(o->r);
        }
        else {
            rp_owned_finish(o->r, o->handoff == RP_HANDOFF_ERROR ? o->final_status : run_handler(o->r, o->handler));
        }
    }
}

void rp_owned_no_helper(rp_owned_t *o)
{
    if (rp_helpers_cancel(o->el->helpers, &o->job)) {
        o->late = 1;
        on_back(&o->post);
    }
}

void rp_owned_to_helper(rp_owned_t *o)
{
    o->state = RP_OWNED_HELPER;
    o->lane = RP_LANE_HANDOFF;
    o->late = 0;
    o->served_before = o->in_served;
    o->on_loop = 0; /* from here on it is the helper's */
    o->job.fn = on_helper;
    o->job.done = through;
    o->job.group = NULL;
    o->job.deadline_us = rp_clock_now_us() + QUEUE_WAIT_US;
    if (rp_loop_timer(o->el->loop, &o->timer, o->job.deadline_us) != APR_SUCCESS
        || rp_helpers_submit(o->el->helpers, &o->job) != APR_SUCCESS) {
        o->late = 1;
        come_back(o);
    }
}
