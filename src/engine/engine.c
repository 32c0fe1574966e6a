/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of a child: its loops, their threads and helpers, from child_init to the end of the child. */
#include "engine/engine.h"

#include <httpd.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <poll.h>
#include <unistd.h>

#include "engine/accept.h"
#include "engine/gate.h"
#include "engine/hello_time.h"
#include "engine/listener.h"
#include "engine/log_writer.h"
#include "engine/tunnels.h"
#include "upstream/buffer.h"
#include "upstream/clock.h"

#if AP_MODULE_MAGIC_AT_LEAST(20120211, 122)
#define thread_create ap_thread_create
#else
#define thread_create apr_thread_create
#endif

#define KEEP_RECORDS 64 /* requests come and go many at a time */
#define KEEP_SMALL 16   /* read buffers that a loop keeps; few hold bytes at any moment */
#define KEEP_LARGE 4
#define KEEP_SCRATCH 65536 /* bytes */
#define CARE_EVERY_US 1000000
#define ROOM_AT_ONCE 32        /* idle connections that a loop closes in a second while the child is full */
#define STOPPING_CARE_US 250000
#define TUNNELS_A_TURN 50      /* that are ended at once */
#define STRAGGLERS_US 3000000  /* at a graceful stop: for connections that the MPM gave away after it had counted none */
#define HELPERS_END_US 1500000 /* after that a stop waits for no helper: the parent sends its first second signal after 3 s */
#define DIALERS_MOST 256 /* threads that wait for resolvers and for TLS handshakes of backends; they need little but a stack */

/** Of this child; set before its threads run. */
static struct {
    rp_engine_loop_t *loops;
    int nloops;
    rp_helpers_t *helpers, *dialers;
    rp_engine_conf_t conf;
    int running;          /* atomic: connections are taken */
    int graceful;         /* atomic: how the child stops, once it does */
    int held;             /* atomic: connections that were given to loops and are not closed */
    unsigned next;        /* atomic: whose turn it is */
} engine;

int rp_engine_running(void) { return __atomic_load_n(&engine.running, __ATOMIC_ACQUIRE); }

const rp_engine_conf_t *rp_engine_conf(void) { return &engine.conf; }

rp_engine_loop_t *rp_engine_pick(void)
{
    return &engine.loops[__atomic_fetch_add(&engine.next, 1, __ATOMIC_RELAXED) % (unsigned)engine.nloops];
}

const char *rp_lane_str(rp_lane_e lane)
{
    switch (lane) {
    case RP_LANE_BLOCKING: return "blocking";
    case RP_LANE_INLINE: return "inline";
    case RP_LANE_HANDOFF: return "handoff";
    case RP_LANE_AUTO:
    case RP_LANE_UNSET: break;
    }
    return "auto";
}

const char *rp_engine_obstacle(void)
{
#if RP_HAVE_WAITIO
    int is_async = 0, can_wait = 0;

    if (ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async) != APR_SUCCESS || !is_async) {
        return "the MPM is not event";
    }
    if (ap_mpm_query(AP_MPMQ_CAN_WAITIO, &can_wait) != APR_SUCCESS || !can_wait) {
        return "this httpd can not wait for a connection without a thread (2.4.63 and later can)";
    }
    return NULL;
#else
    return "the modules were built with headers of an httpd before 2.4.63";
#endif
}

int rp_engine_announce(server_rec *s, const rp_engine_conf_t *conf)
{
    const char *obstacle = rp_engine_obstacle();

    if (conf->mode == RP_EVENT_OFF) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "RP0311: event loops are off (RProxyEventLoop off): each proxied request holds a thread");
        return OK;
    }
    if (obstacle != NULL && conf->mode == RP_EVENT_ON) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "RP0312: RProxyEventLoop on is impossible: %s; write auto or off", obstacle);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (obstacle != NULL) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "RP0311: event loops are off: %s; each proxied request holds a thread", obstacle);
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                 "RP0311: event loops are on: %d of them in each child, up to %d helper threads and %d for names and handshakes; backends without max= take as many connections "
                 "as there are requests", conf->loops, conf->helpers, DIALERS_MOST);
    if (!rp_scoreboard_has_room()) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "RP0316: ThreadLimit equals ThreadsPerChild, so that the scoreboard has no slot for the loops and mod_status does not count "
                     "their requests; write a ThreadLimit that is larger by 1");
    }
    return OK;
}

/* ---- what requests ask ---- */

rp_owned_t *rp_owned_inline(const request_rec *r)
{
    rp_owned_t *o = rp_owned_of(r->connection);

    return o != NULL && o->on_loop && r->main == NULL && r->prev == NULL ? o : NULL;
}

void rp_owned_suspend(rp_owned_t *o, const rp_suspended_t *what) { o->suspended = *what; }

void rp_owned_handoff(rp_owned_t *o)
{
    o->handoff = RP_HANDOFF_HANDLER;
    o->handler = o->r->handler;
}

rp_owned_t *rp_owned_at_helper(const request_rec *r)
{
    rp_owned_t *o = rp_owned_of(r->connection);

    return o != NULL && !o->on_loop && o->r == r && o->handoff == RP_HANDOFF_ALL && o->in_served == o->served_before ? o : NULL;
}

void rp_owned_handback(rp_owned_t *o)
{
    o->handoff = RP_HANDOFF_NO;
    o->handler = o->r->handler;
}

int rp_owned_was_handed_back(const rp_owned_t *o) { return o->hooks_over; }

rp_endpoints_t *rp_owned_endpoints(const rp_owned_t *o) { return o->el->endpoints; }
rp_scratch_t *rp_owned_scratch(const rp_owned_t *o) { return &o->el->scratch; }

apr_time_t rp_owned_now_us(const rp_owned_t *o) { return rp_loop_now_us(o->el->loop); }

rp_endpoints_t *rp_engine_endpoints(const conn_rec *c)
{
    const rp_owned_t *o = rp_owned_of(c);

    return o != NULL && o->el != NULL ? o->el->endpoints : NULL;
}

rp_lane_e rp_engine_lane(const request_rec *r)
{
    const rp_owned_t *o = r->connection->master ? NULL : rp_owned_of(r->connection);

    return o == NULL ? RP_LANE_BLOCKING : o->lane;
}

/* ---- what is looked at now and then ---- */

/* 1: there are more of them. */
static int end_tunnels(rp_engine_loop_t *el)
{
    rp_owned_t *o = APR_RING_FIRST(&el->owned); /* the oldest connection */
    int n = 0;

    while (o != APR_RING_SENTINEL(&el->owned, rp_owned_t, link) && n < TUNNELS_A_TURN) {
        rp_owned_t *next = APR_RING_NEXT(o, link);

        n += rp_owned_end_tunnel(o);
        o = next;
    }
    return n == TUNNELS_A_TURN;
}

/*
 * A child that has all the connections it may have takes no new ones, while many of those are only kept alive: the oldest idle ones go. The MPM does
 * so with its own, but knows ours as busy.
 */
static void make_room(rp_engine_loop_t *el)
{
    rp_owned_t *o = APR_RING_FIRST(&el->owned);
    int n = 0;

    while (o != APR_RING_SENTINEL(&el->owned, rp_owned_t, link) && n < ROOM_AT_ONCE) {
        rp_owned_t *next = APR_RING_NEXT(o, link);

        n += rp_owned_make_room(o);
        o = next;
    }
    if (n > 0) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, el->server,
                     "RP0342: the MPM takes no more connections in this child: %d idle ones are closed, the oldest first", n);
    }
}

/* Does the MPM take no connections? Its listener may have missed that it could: that is seen at once, and costs nobody his connection. */
static void look_at_listener(rp_engine_loop_t *el)
{
    int full = !el->stopping && rp_scoreboard_child_is_full();

    if (full && rp_listener_wake()) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, el->server, "RP0360: the MPM takes no connections in this child: its listener is woken to look again");
    }
    if (full && el->full) {
        make_room(el);
    }
    el->full = full;
}

/* Idle connections grow old although no request comes, and tunnels may have to end. */
static void on_care(rp_timer_t *t, apr_time_t now_us)
{
    rp_engine_loop_t *el = RP_ENGINE_LOOP_OF(t, care_timer);
    apr_interval_time_t next_us = el->stopping ? STOPPING_CARE_US : CARE_EVERY_US;

    rp_pool_maintain(el->endpoints, now_us);
    look_at_listener(el);
    if (el == engine.loops) { /* one of them is enough */
        rp_hello_expire(el->server, now_us);
    }
    if (el->stopping && rp_tunnels_must_end(now_us) && end_tunnels(el)) {
        next_us = 0; /* the next turn: others come first */
    }
    if (rp_loop_timer(el->loop, &el->care_timer, now_us + next_us) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, el->server, "RP0313: no memory for a timer: idle connections age only when others are put back");
    }
}

/* ---- stop ---- */

/* Graceful: idle connections end at once, the others after their request; new ones after their first. */
static void on_stop(rp_post_t *post)
{
    rp_engine_loop_t *el = RP_ENGINE_LOOP_OF(post, stop_post);
    rp_owned_t *o = APR_RING_FIRST(&el->owned);

    el->stopping = 1;
    if (el->buried) {
        return;
    }
    while (o != APR_RING_SENTINEL(&el->owned, rp_owned_t, link)) {
        rp_owned_t *next = APR_RING_NEXT(o, link);

        rp_owned_retire(o);
        o = next;
    }
    on_care(&el->care_timer, rp_loop_now_us(el->loop));
}

/* May come twice, on any thread. */
static void child_stopping(apr_pool_t *pchild, int graceful)
{
    int i;

    (void)pchild;
    rp_tunnels_stopping();
    __atomic_store_n(&engine.graceful, graceful, __ATOMIC_RELAXED);
    for (i = 0; i < engine.nloops; i++) {
        if (!__atomic_exchange_n(&engine.loops[i].stop_sent, 1, __ATOMIC_SEQ_CST)) {
            rp_loop_post(engine.loops[i].loop, &engine.loops[i].stop_post);
        }
    }
}

void rp_engine_hold(int n) { (void)__atomic_add_fetch(&engine.held, n, __ATOMIC_RELAXED); }

/* The MPM counts a connection when a thread takes it out of the queue, and its listener may have seen that there is none and ended just before.
 * So the last threads may give connections to the loops, which nobody waits for. */
static void wait_for_stragglers(void)
{
    apr_time_t until = rp_clock_now_us() + STRAGGLERS_US;

    while (__atomic_load_n(&engine.graceful, __ATOMIC_RELAXED) && __atomic_load_n(&engine.held, __ATOMIC_RELAXED) > 0
           && rp_clock_now_us() < until) {
        (void)poll(NULL, 0, 5);
    }
}

static void join_loops(void)
{
    int i;

    for (i = 0; i < engine.nloops; i++) {
        rp_loop_stop(engine.loops[i].loop);
    }
    for (i = 0; i < engine.nloops; i++) {
        apr_status_t rv;

        (void)apr_thread_join(&rv, engine.loops[i].thread);
    }
}

static int stop_helpers(apr_time_t deadline_us)
{
    return (engine.helpers != NULL ? rp_helpers_stop(engine.helpers, deadline_us) : 0)
           + (engine.dialers != NULL ? rp_helpers_stop(engine.dialers, deadline_us) : 0);
}

/*
 * A thread in getaddrinfo, or in a script's answer, can not be interrupted, and nothing that it uses may go while it is there. The parent kills a
 * child that takes ten seconds; ending here and now spares the administrator that wait. One process (-X) is killed by nobody, and has the
 * whole server's things to clean up: it waits.
 */
static void end_helpers(void)
{
    int left, i;

    (void)stop_helpers(0);
    for (i = 0; i < engine.nloops; i++) {
        rp_bury_interrupt(&engine.loops[i]);
    }
    left = stop_helpers(ap_exists_config_define("DEBUG") || ap_exists_config_define("ONE_PROCESS") ? RP_HELPERS_FOREVER
                                                                                                  : rp_clock_now_us() + HELPERS_END_US);
    if (left > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf,
                     "RP0336: %d helper threads can not be interrupted (a name look-up, a script's answer): this child ends without waiting for "
                     "them longer than %d ms", left, HELPERS_END_US / 1000);
        rp_log_writer_child_end(0);
        _exit(0);
    }
}

static apr_status_t stop(void *unused)
{
    int i;

    (void)unused;
    wait_for_stragglers();
    __atomic_store_n(&engine.running, 0, __ATOMIC_RELEASE);
    join_loops();
    end_helpers();
    for (i = 0; i < engine.nloops; i++) {
        rp_bury_settle(&engine.loops[i]);
    }
    for (i = 0; i < engine.nloops; i++) {
        rp_bury_loop(&engine.loops[i]);
    }
    if (engine.nloops > 0) {
        rp_accept_end();
        rp_stock_end(apr_pool_allocator_get(engine.loops[0].scratch.pool));
    }
    engine.nloops = 0;
    engine.helpers = engine.dialers = NULL;
    rp_log_writer_child_end(__atomic_load_n(&engine.graceful, __ATOMIC_RELAXED));
    return APR_SUCCESS;
}

/* ---- start ---- */

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    rp_engine_loop_t *el = data;

    (void)thread; /* el->thread is written before it starts */
    rp_buffer_keep(KEEP_RECORDS, KEEP_SMALL, KEEP_LARGE);
    el->care_timer.fn = on_care;
    on_care(&el->care_timer, rp_loop_clock(el->loop));
    rp_loop_run(el->loop);
    return NULL;
}

/* A pool that has to do with no other: one thread uses it. */
static apr_status_t scratch_create(apr_pool_t **scratch, apr_pool_t *p)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_allocator_max_free_set(allocator, KEEP_SCRATCH);
    rv = apr_pool_create_ex(scratch, p, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *scratch);
    apr_pool_tag(*scratch, "rproxy_scratch");
    return APR_SUCCESS;
}

static apr_status_t start_loop(rp_engine_loop_t *el, apr_pool_t *p, const rp_engine_conf_t *conf, int index)
{
    apr_status_t rv = rp_loop_create(&el->loop, p, index);

    APR_RING_INIT(&el->owned, rp_owned_t, link);
    el->stop_post.fn = on_stop;
    el->helpers = engine.helpers;
    el->stat = conf->stat;
    el->dialers = engine.dialers;
    if (rv == APR_SUCCESS) {
        rp_loop_count_in(el->loop, conf->stat);
        rv = rp_endpoints_create(&el->endpoints, p, conf->unconfigured_max);
    }
    if (rv == APR_SUCCESS) {
        rv = scratch_create(&el->scratch.pool, p);
    }
    if (rv == APR_SUCCESS) {
        rp_endpoints_dispose_by(el->endpoints, rp_backend_dispose);
        rv = thread_create(&el->thread, NULL, run, el, p);
    }
    if (rv != APR_SUCCESS && el->loop != NULL) { /* it is not one of those that stop() ends */
        rp_loop_destroy(el->loop);
        el->loop = NULL;
    }
    return rv;
}

void rp_engine_child_init(apr_pool_t *pchild, server_rec *s, const rp_engine_conf_t *conf)
{
    apr_status_t rv;
    int i;

    if (conf->mode == RP_EVENT_OFF || rp_engine_obstacle() != NULL) {
        return;
    }
    rp_owned_output_child_init();
    rp_lane_child_init();
    rp_log_writer_child_init(s, conf->stat);
    engine.conf = *conf;
    engine.loops = apr_pcalloc(pchild, (apr_size_t)conf->loops * sizeof(*engine.loops));
    apr_pool_pre_cleanup_register(pchild, NULL, stop);
    rv = rp_helpers_create(&engine.helpers, pchild, conf->helpers);
    if (rv == APR_SUCCESS) {
        rv = rp_helpers_create(&engine.dialers, pchild, DIALERS_MOST);
    }
    for (i = 0; i < conf->loops && rv == APR_SUCCESS; i++) {
        engine.loops[i].server = s;
        rv = start_loop(&engine.loops[i], pchild, conf, i);
        engine.nloops += rv == APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "RP0309: event loop %d of %d can not start; %s", i, conf->loops,
                     engine.nloops > 0 ? "the others serve" : "requests take the blocking lane");
    }
    __atomic_store_n(&engine.running, engine.nloops > 0, __ATOMIC_RELEASE);
}

static int log_transaction(request_rec *r)
{
    if (r->connection->master == NULL) {
        rp_engine_count(r);
    }
    return DECLINED;
}

void rp_engine_register_hooks(apr_pool_t *p)
{
    rp_owned_input_register();
    rp_owned_output_register();
    rp_gate_register_hooks(p);
    rp_log_writer_register_hooks(p);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
}
