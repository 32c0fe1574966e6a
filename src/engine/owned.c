/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an owned client connection: adoption, request heads, requests, the last bytes of each, keep-alive, and an end that
 * the client sees whole. Everything here runs on the loop's thread.
 */
#include "engine/owned_int.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>

#include "engine/hello_time.h"

#define LINGER_STEP_US 2000000     /* the client may be silent for that long after our end ... */
#define LINGER_MOST_US 30000000    /* ... and take that long in all */
#define HOOKS_MAX_US 5000          /* longer than that a request's hooks may not hold the loop */
#define BUCKET_BLOCKS 1            /* what is left of an allocator that gave all back: its bucket allocator's block */
#define LET_GO_US 1000             /* look again whether the MPM has let go */

static void set_timer(rp_owned_t *o, apr_time_t due_us)
{
    if (rp_loop_timer(o->el->loop, &o->timer, due_us) != APR_SUCCESS) {
        o->c->keepalive = AP_CONN_CLOSE; /* no memory for a timer: at least not again */
    }
}

static apr_time_t now(const rp_owned_t *o) { return rp_loop_now_us(o->el->loop); }

/* ---- the end ---- */

/* How many blocks its allocator is known to have, when all is free in it: a request without a loan took them from the system. */
static int blocks_of(const rp_owned_t *o)
{
    int n = (o->trimmed_once ? BUCKET_BLOCKS : o->requests > 0 ? RP_STOCK_LEND : o->stocked) + o->lent;

    return n < RP_STOCK_LEND ? n : RP_STOCK_LEND;
}

void rp_owned_close(rp_owned_t *o)
{
    rp_engine_loop_t *el = o->el;
    conn_rec *c = o->c;
    apr_pool_t *pool;
    rp_visit_t visit;

    if (o->state != RP_OWNED_CLOSED) {
        rp_owned_unhook(o);
        rp_loop_timer_cancel(el->loop, &o->timer);
        rp_loop_unwatch(el->loop, o->watch);
        APR_RING_REMOVE(o, link);
        (void)__atomic_sub_fetch(&el->stat->connections, 1, __ATOMIC_RELAXED);
        o->state = RP_OWNED_CLOSED;
        rp_engine_hold(-1);
    }
    if (o->later_set) {
        return; /* when that call comes */
    }
    c->cs->state = CONN_STATE_SUSPENDED; /* what the MPM's own cleanup counts by */
    visit = o->visit;
    pool = c->pool;
    rp_stock_clear(pool, blocks_of(o)); /* o is gone */
    rp_grave_dig(el, pool, &visit);
}

static void linger_read(rp_owned_t *o)
{
    apr_status_t rv;

    do {
        rv = rp_owned_discard(o);
    } while (rv == APR_SUCCESS);
    if (!APR_STATUS_IS_EAGAIN(rv) || now(o) >= o->linger_until_us) {
        rp_owned_close(o);
        return;
    }
    set_timer(o, now(o) + LINGER_STEP_US < o->linger_until_us ? now(o) + LINGER_STEP_US : o->linger_until_us);
}

/* Our last byte is out: FIN, then read until the client's. */
static void linger(rp_owned_t *o)
{
    int is_short = apr_table_get(o->c->notes, "short-lingering-close") != NULL;

    o->state = RP_OWNED_LINGER;
    if (o->c->aborted || (o->shutdown_write != 2 && apr_socket_shutdown(o->sock, APR_SHUTDOWN_WRITE) != APR_SUCCESS)) {
        rp_owned_close(o);
        return;
    }
    o->linger_until_us = now(o) + (is_short ? LINGER_STEP_US : LINGER_MOST_US);
    linger_read(o);
}

/* httpd's hooks before a close, and TLS' close-notify. */
static void say_goodbye(rp_owned_t *o)
{
    o->goodbye = 1;
    if (!o->c->aborted) {
        (void)ap_prep_lingering_close(o->c);
        (void)ap_shutdown_conn(o->c, 0);
    }
}

/* ---- between requests ---- */

/* Until when a head of which a part is here has to be whole. Without a limit for heads, as with one for reads alone: now something came. */
static apr_time_t head_due(const rp_owned_t *o)
{
    if (o->head_time->first_us == 0) {
        return now(o) + o->c->base_server->timeout;
    }
    return o->head_since_us + rp_head_time_for(o->head_time, o->scan.bytes);
}

/* How long nothing may come. */
static apr_interval_time_t patience_of(const rp_owned_t *o)
{
    if (o->requests > 0) {
        return o->keepalive_us;
    }
    return o->head_time->first_us > 0 ? o->head_time->first_us : o->c->base_server->timeout;
}

static int anything_here(const rp_owned_t *o)
{
    return o->in_len > 0;
}

static void start_request(rp_owned_t *o);

/* Nothing, or not all, of a head is here. */
static void await_head(rp_owned_t *o)
{
    if (anything_here(o)) {
        if (o->head_since_us == 0) {
            o->head_since_us = now(o);
        }
        set_timer(o, head_due(o));
    }
    else if (!rp_timer_is_set(&o->timer)) {
        apr_interval_time_t patience = patience_of(o);

        o->idle_until_us = now(o) + patience;
        set_timer(o, patience > RP_TRIM_IDLE_AFTER_US ? now(o) + RP_TRIM_IDLE_AFTER_US : o->idle_until_us);
    }
}

/* 1: a head is still awaited; 0: it came or will not, and o may be gone. */
static int read_head(rp_owned_t *o)
{
    rp_owned_fill_head(o);
    if (rp_owned_head_ready(o) || (o->in_status != APR_SUCCESS && anything_here(o))) {
        start_request(o);
        return 0;
    }
    if (o->in_status != APR_SUCCESS) {
        o->c->aborted |= !APR_STATUS_IS_EOF(o->in_status);
        o->closing = 1;
        rp_owned_after_request(o);
        return 0;
    }
    await_head(o);
    return 1;
}

/* The last bytes of a request are out. */
static void drained(rp_owned_t *o)
{
    o->closing |= o->el->stopping; /* since the request ended */
    if (o->closing) {
        if (o->goodbye) {
            linger(o);
            return;
        }
        say_goodbye(o);
        rp_owned_after_request(o);
        return;
    }
    o->state = RP_OWNED_HEAD;
    o->head_since_us = 0;
    rp_timer_rest(&o->timer);
    o->lean = o->lent > 0;
    if (o->lean) { /* the next one will wait, too: it has what it needs to wait */
        rp_owned_trim(o);
    }
    await_head(o);
    if (anything_here(o) || o->readable || o->in_maybe || o->peer_eof) {
        rp_owned_later(o); /* the next request, but first others' */
    }
}

static void drain(rp_owned_t *o)
{
    apr_status_t rv = rp_owned_push(o);

    if (APR_STATUS_IS_EAGAIN(rv)) {
        set_timer(o, o->stuck_us + o->c->base_server->timeout);
        return;
    }
    o->closing |= rv != APR_SUCCESS || o->c->aborted;
    drained(o);
}

void rp_owned_after_request(rp_owned_t *o)
{
    conn_rec *c = o->c;

    o->r = NULL;
    o->state = RP_OWNED_DRAIN;
    if (!o->closing) {
        o->closing = c->cs->state != CONN_STATE_WRITE_COMPLETION || c->keepalive != AP_CONN_KEEPALIVE || c->aborted
                     || o->el->stopping;
        rp_owned_next_head(o);
    }
    drain(o);
}

/* A connection ends between requests, not before its first one. */
static int is_between_requests(const rp_owned_t *o)
{
    return o->state == RP_OWNED_HEAD && o->requests > 0;
}

/* Not before a last look for a request that is on its way. */
void rp_owned_retire(rp_owned_t *o)
{
    if (!is_between_requests(o)) {
        return;
    }
    o->readable = 1;
    if (read_head(o) && !anything_here(o)) {
        o->closing = 1;
        rp_owned_after_request(o);
    }
}

int rp_owned_make_room(rp_owned_t *o)
{
    if (!is_between_requests(o) || anything_here(o)) {
        return 0;
    }
    rp_owned_retire(o);
    return 1;
}

/* ---- a request ---- */

static apr_interval_time_t keepalive_of(const request_rec *r)
{
    return r->server->keep_alive_timeout_set ? r->server->keep_alive_timeout : r->connection->base_server->keep_alive_timeout;
}

void rp_owned_processed(rp_owned_t *o)
{
    if (o->c->cs->state != CONN_STATE_SUSPENDED) {
        rp_owned_after_request(o);
    }
    else if (o->handoff != RP_HANDOFF_NO) {
        rp_owned_to_helper(o);
    }
    else if (o->suspended.ex != NULL) {
        o->state = RP_OWNED_EXCHANGE;
        rp_owned_later(o); /* with what others have to send in this turn */
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, o->r,
                      "RP0302: the handler \"%s\" suspended a request on a connection that it does not own; set \"RProxyLane blocking\" for it",
                      o->r->handler ? o->r->handler : "(none)");
        rp_owned_end_request(o, HTTP_INTERNAL_SERVER_ERROR);
    }
}

/* httpd's own processing. A module that makes the loop wait makes everybody wait: that is told while the request is there. */
static void run_hooks(rp_owned_t *o)
{
    rp_engine_loop_t *el = o->el;
    apr_time_t began = now(o);
    apr_interval_time_t took;

    rp_slow_begin(&el->slow);
    ap_process_async_request(o->r);
    took = rp_loop_clock(el->loop) - began;
    if (rp_slow_end(&el->slow, took, HOOKS_MAX_US) && o->c->cs->state == CONN_STATE_SUSPENDED) { /* else it may be gone */
        rp_engine_conf()->slow_call(o->r, took);
    }
}

static void start_request(rp_owned_t *o)
{
    conn_rec *c = o->c;
    request_rec *r;

    rp_timer_rest(&o->timer);
    (void)rp_loop_clock(o->el->loop);
    o->state = RP_OWNED_REQUEST;
    o->scanning = 0;
    o->requests++;
    o->handoff = RP_HANDOFF_NO;
    o->hooks_over = 0;
    o->suspended.ex = NULL;
    o->trimmed = o->lean;
    o->lane = RP_LANE_INLINE;
    c->cs->state = CONN_STATE_PROCESSING;
    rp_owned_reqtimeout_in(o);
    r = ap_read_request(c);
    o->r = r;
    if (r == NULL) { /* refused and logged, or nothing but an end */
        o->closing = 1;
        rp_owned_after_request(o);
        return;
    }
    o->keepalive_us = keepalive_of(r);
    if (r->status != HTTP_OK) {
        rp_owned_after_request(o);
        return;
    }
    if (apr_table_get(r->headers_in, "Transfer-Encoding") != NULL) {
        rp_owned_gate_body(o);
    }
    c->cs->state = CONN_STATE_HANDLER;
    if (rp_engine_conf()->needs_helper(r)) {
        o->handoff = RP_HANDOFF_ALL;
        rp_owned_to_helper(o);
        return;
    }
    run_hooks(o);
    rp_owned_processed(o);
}

/* An ErrorDocument that is another request of this server: its handler may block, and may be a proxy again. */
static int has_local_error_document(request_rec *r, int status)
{
    const char *doc = ap_is_HTTP_ERROR(status) ? ap_response_code_string(r, ap_index_of_response(status)) : NULL;

    return doc != NULL && doc[0] == '/';
}

/*
 * The answer is out to its end and the request has no body that would have to be read away: all that httpd does to finalize a request is
 * done. A status that ends the connection is left to httpd.
 */
static int is_final(const request_rec *r)
{
    return r->eos_sent && r->next == NULL && r->status < HTTP_BAD_REQUEST && r->input_filters == r->proto_input_filters
           && apr_table_get(r->headers_in, "Content-Length") == NULL && apr_table_get(r->headers_in, "Transfer-Encoding") == NULL;
}

void rp_owned_finish(request_rec *r, int status)
{
    int is_error = status != OK && status != DONE;

    if (is_error) {
        r->status = HTTP_OK; /* an error of the error page would be no news otherwise */
    }
    if (is_error || !is_final(r)) {
        ap_die(status, r);
    }
    ap_process_request_after_handler(r);
}

void rp_owned_end_request(rp_owned_t *o, int status)
{
    request_rec *r = o->r;

    rp_owned_unhook(o);
    rp_timer_rest(&o->timer);
    o->suspended.ex = NULL;
    o->state = RP_OWNED_REQUEST;
    if (has_local_error_document(r, status)) {
        o->handoff = RP_HANDOFF_ERROR;
        o->final_status = status;
        rp_owned_to_helper(o);
        return;
    }
    o->c->cs->state = CONN_STATE_HANDLER;
    rp_owned_finish(r, status);
    rp_owned_after_request(o);
}

/* ---- events ---- */

void rp_owned_advance(rp_owned_t *o)
{
    switch (o->state) {
    case RP_OWNED_HEAD: (void)read_head(o); return;
    case RP_OWNED_EXCHANGE:
        if (o->blocked && o->writable) {
            (void)rp_owned_push(o); /* a client that is gone shows in the exchange's next write */
        }
        rp_owned_step(o, 0);
        return;
    case RP_OWNED_DRAIN:
        if (o->writable) {
            drain(o);
        }
        return;
    case RP_OWNED_LINGER: linger_read(o); return;
    case RP_OWNED_ADOPTING:
    case RP_OWNED_REQUEST:
    case RP_OWNED_HELPER:
    case RP_OWNED_CLOSED: return;
    }
}

/* A tunnel has two ends of its own. */
static int client_left(const rp_owned_t *o, unsigned events)
{
    if (rp_exchange_tunnel(o->suspended.ex)) {
        return 0;
    }
    return (events & RP_EV_GONE) || ((events & RP_EV_EOF) && o->suspended.eof_is_gone);
}

void rp_owned_note(rp_owned_t *o, unsigned events)
{
    if (events & RP_EV_READ) {
        o->readable = 1;
    }
    if (events & RP_EV_WRITE) {
        o->writable = 1;
    }
    if (events & (RP_EV_EOF | RP_EV_GONE)) {
        o->peer_eof = 1;
    }
}

static void on_event(void *baton, unsigned events)
{
    rp_owned_t *o = baton;

    if (o->state == RP_OWNED_HELPER) { /* not ours: its helper brings it back */
        o->heard |= events;
        return;
    }
    o->trimmed = 0;
    rp_owned_note(o, events);
    if (o->state == RP_OWNED_EXCHANGE && client_left(o, events)) {
        rp_owned_abort(o);
        return;
    }
    rp_owned_advance(o);
}

void rp_owned_overheard(rp_owned_t *o, unsigned events)
{
    if (client_left(o, events)) {
        rp_owned_abort(o);
    }
}

/* Time is up for a head: what is there of it gets its 408 by httpd; an idle connection ends. */
static void head_timeout(rp_owned_t *o)
{
    if (anything_here(o)) {
        o->head_late = 1;
        start_request(o);
    }
    else if (now(o) < o->idle_until_us) { /* only so far that its memory may be given back */
        rp_owned_trim(o);
        set_timer(o, o->idle_until_us);
    }
    else {
        o->closing = 1;
        rp_owned_after_request(o);
    }
}

static void on_timer(rp_timer_t *t, apr_time_t now_us)
{
    rp_owned_t *o = RP_OWNED_OF(t, timer);

    (void)now_us;
    switch (o->state) {
    case RP_OWNED_ADOPTING: rp_owned_adopted(o); return;
    case RP_OWNED_HEAD: head_timeout(o); return;
    case RP_OWNED_EXCHANGE: rp_owned_wait_over(o); return;
    case RP_OWNED_DRAIN:
        o->c->aborted = 1; /* it takes nothing */
        drain(o);
        return;
    case RP_OWNED_LINGER: rp_owned_close(o); return;
    case RP_OWNED_HELPER: rp_owned_no_helper(o); return;
    case RP_OWNED_REQUEST:
    case RP_OWNED_CLOSED: return;
    }
}

static void on_later(rp_post_t *post)
{
    rp_owned_t *o = RP_OWNED_OF(post, later);

    o->later_set = 0;
    if (o->state == RP_OWNED_CLOSED) {
        rp_owned_close(o);
    }
    else if (o->el->buried) {
        return;
    }
    else if (o->state == RP_OWNED_EXCHANGE) {
        rp_owned_step(o, RP_WAIT_CLIENT_READ); /* its first step, or one too many */
    }
    else {
        rp_owned_advance(o);
    }
}

void rp_owned_later(rp_owned_t *o)
{
    if (!o->later_set) {
        o->later_set = 1;
        o->later.fn = on_later;
        rp_loop_defer(o->el->loop, &o->later);
    }
}

/* ---- adoption ---- */

/* The MPM's last act is to take its scoreboard handle away: before that the connection is not ours. */
void rp_owned_adopted(rp_owned_t *o)
{
    apr_status_t rv;

    if (o->timer.fn == NULL) { /* the first look */
        o->timer.fn = on_timer;
        APR_RING_INSERT_TAIL(&o->el->owned, o, rp_owned_t, link);
        rp_stat_add(&o->el->stat->connections, 1);
    }
    if (o->el->buried) {
        return;
    }
    if (__atomic_load_n(&o->c->sbh, __ATOMIC_ACQUIRE) != NULL) {
        set_timer(o, now(o) + LET_GO_US);
        return;
    }
    o->head_time = rp_head_time_of(o->c->base_server);
    rp_owned_trim_init(o);
    rp_scoreboard_open(o->el, o->c);
    o->on_loop = 1;
    o->c->current_thread = o->el->thread;
    rp_stat_add(&o->el->stat->adopted, 1);
    o->state = RP_OWNED_HEAD;
    o->readable = o->writable = o->in_maybe = 1;
    o->watch = rp_loop_watch(o->el->loop, RP_WATCH_CLIENT, o->fd, on_event, o, &rv);
    if (o->watch == NULL) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, rv, o->c, "RP0303: a client connection can not be watched and is closed");
        o->c->aborted = 1;
        rp_owned_close(o);
        return;
    }
    (void)read_head(o); /* while the child stops, too: the client was accepted, and gets its answer */
}
