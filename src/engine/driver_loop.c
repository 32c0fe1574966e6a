/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event-loop driver: steps an exchange when what it waits for has happened. Backends are watched from their connect
 * to their close, idle time included, so that no request adds or removes a watch; name look-ups and TLS handshakes run on
 * helpers of their own.
 */
#include "engine/owned_int.h"

#include <http_core.h>
#include <http_log.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "upstream/clock.h"

#define BODY_LOOK_US 1000000 /* a body is looked for now and then although nothing came: filters with time limits of their own
                                (mod_reqtimeout) notice only then */
#define SLOW_NAME_US 1000000 /* a name that is not found only after that long is asked for by one thread at a time */

static apr_time_t now(const rp_owned_t *o) { return rp_loop_now_us(o->el->loop); }

/* ---- backends ---- */

static void on_backend(void *baton, unsigned events)
{
    rp_backend_watch_t *bw = baton;

    if (events & RP_EV_READ) {
        bw->ready |= RP_WAIT_BACKEND_READ;
    }
    if (events & RP_EV_WRITE) {
        bw->ready |= RP_WAIT_BACKEND_WRITE;
    }
    bw->eof |= (events & (RP_EV_EOF | RP_EV_GONE)) != 0;
    if (bw->user != NULL) {
        if (bw->user->trimmed) {
            rp_owned_lend(bw->user);
        }
        if (!bw->user->helper_busy) {
            rp_owned_step(bw->user, 0);
        }
    }
    else if (events & (RP_EV_READ | RP_EV_GONE)) {
        rp_pool_look(bw->conn, rp_loop_now_us(bw->loop)); /* may close it, which ends the watch */
    }
}

/* The socket of the connection is about to be closed. */
static void unwatch(rp_conn_t *conn)
{
    rp_backend_watch_t *bw = conn->watch;

    conn->watch = NULL;
    conn->unwatch = NULL;
    rp_loop_unwatch(bw->loop, bw->watch);
    if (bw->user != NULL) {
        bw->user->backend = NULL;
    }
    free(bw);
}

static void on_disposed(rp_post_t *post)
{
    rp_pool_disposed(((rp_backend_watch_t *)((char *)post - offsetof(rp_backend_watch_t, post)))->conn);
}

void rp_backend_dispose(rp_conn_t *conn)
{
    rp_backend_watch_t *bw = conn->watch;

    bw->post.fn = on_disposed;
    rp_loop_post(bw->loop, &bw->post);
}

static rp_backend_watch_t *watch(rp_owned_t *o, rp_conn_t *conn)
{
    rp_backend_watch_t *bw = calloc(1, sizeof(*bw));
    apr_status_t rv = APR_ENOMEM;

    if (bw != NULL) {
        bw->loop = o->el->loop;
        bw->conn = conn;
        bw->watch = rp_loop_watch(bw->loop, RP_WATCH_BACKEND, rp_conn_fd(conn), on_backend, bw, &rv);
    }
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, o->r, "RP0307: a backend connection can not be watched");
        free(bw);
        return NULL;
    }
    conn->watch = bw;
    conn->unwatch = unwatch;
    return bw;
}

/* After a step: whose connection is whose. */
static void settle_backend(rp_owned_t *o)
{
    rp_conn_t *conn = rp_exchange_conn(o->suspended.ex);

    if (o->backend != NULL && o->backend->conn != conn) {
        o->backend->user = NULL; /* put back to its pool */
        o->backend = NULL;
    }
    if (conn == NULL || rp_conn_fd(conn) < 0 || o->backend != NULL) {
        return;
    }
    o->backend = conn->watch != NULL ? conn->watch : watch(o, conn);
    if (o->backend != NULL) {
        o->backend->user = o;
    }
}

/* ---- helpers ---- */

static void set_timer(rp_owned_t *o, apr_time_t due_us)
{
    if (rp_loop_timer(o->el->loop, &o->timer, due_us) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, o->r, "RP0308: no memory for a timer: this request waits without a limit");
    }
}

static const char nobody_free[] = "no helper thread was free for it in time; one at a time tries a backend that does not answer";

/* ---- helpers: names ---- */

/* A look-up can not be interrupted: it stands by itself, so that its request may end before it. */
struct rp_lookup_t {
    rp_job_t job;
    rp_post_t post;
    rp_owned_t *o;           /* loop: who asked, or NULL: nobody wants it any more */
    rp_engine_loop_t *el;
    rp_endpoint_t *endpoint; /* held */
    apr_uint32_t answers;    /* of the resolver, when it was asked for */
    apr_status_t rv;
    rp_addrset_t *addrs;
};

#define LOOKUP_OF(p, member) ((rp_lookup_t *)((char *)(p) - offsetof(rp_lookup_t, member)))

static void lookup_free(rp_lookup_t *look)
{
    rp_endpoint_release(look->endpoint);
    free(look);
}

static void on_looked_up(rp_post_t *post)
{
    rp_lookup_t *look = LOOKUP_OF(post, post);
    rp_owned_t *o = look->o;

    if (o != NULL) {
        o->lookup = NULL;
        o->helper_busy = 0;
        rp_exchange_resolved(o->suspended.ex, look->rv, look->addrs);
    }
    else if (look->addrs != NULL) {
        rp_addrset_unref(look->addrs);
    }
    lookup_free(look);
    if (o != NULL && !o->el->buried) {
        rp_owned_step(o, 0);
    }
}

static void on_look_up(rp_job_t *job, apr_thread_t *thread, int late)
{
    rp_lookup_t *look = LOOKUP_OF(job, job);
    rp_address_t *address = &look->endpoint->address;
    apr_time_t began = rp_clock_now_us();

    (void)thread;
    if (late) {
        look->rv = APR_TIMEUP;
        return;
    }
    /* Another request may have asked for the same name while this one waited in line. */
    if (rp_address_lookups(address) != look->answers && rp_address_cached(address, began, -1, &look->addrs) == APR_SUCCESS) {
        look->rv = APR_SUCCESS;
        return;
    }
    look->rv = rp_address_resolve(address, began, &look->addrs);
    __atomic_store_n(&job->group->good, look->rv == APR_SUCCESS || rp_clock_now_us() - began < SLOW_NAME_US, __ATOMIC_RELAXED);
}

static void post_look_up(rp_job_t *job)
{
    rp_lookup_t *look = LOOKUP_OF(job, job);

    look->post.fn = on_looked_up;
    rp_loop_post(look->el->loop, &look->post);
}

static void look_up(rp_owned_t *o)
{
    rp_exchange_t *ex = o->suspended.ex;
    rp_lookup_t *look = calloc(1, sizeof(*look));

    if (look == NULL) {
        rp_exchange_resolved(ex, APR_ENOMEM, NULL);
        rp_owned_later(o);
        return;
    }
    look->o = o;
    look->el = o->el;
    look->endpoint = rp_exchange_endpoint(ex);
    rp_endpoint_hold(look->endpoint);
    look->answers = rp_address_lookups(&look->endpoint->address);
    look->job.fn = on_look_up;
    look->job.done = post_look_up;
    look->job.group = &look->endpoint->dial;
    look->job.deadline_us = rp_exchange_wait(ex)->deadline_us;
    o->lookup = look;
    o->helper_busy = 1;
    if (rp_helpers_submit(o->el->dialers, &look->job) != APR_SUCCESS) {
        look->rv = APR_TIMEUP;
        post_look_up(&look->job);
        return;
    }
    set_timer(o, look->job.deadline_us);
}

/* Nobody waits for it any more. */
static void forget_look_up(rp_owned_t *o)
{
    rp_lookup_t *look = o->lookup;

    o->lookup = NULL;
    o->helper_busy = 0;
    look->o = NULL;
    if (rp_helpers_cancel(o->el->dialers, &look->job)) {
        lookup_free(look);
    }
}

/* ---- helpers: handshakes ---- */

static void on_helped(rp_post_t *post)
{
    rp_owned_t *o = RP_OWNED_OF(post, post);

    o->helper_busy = 0;
    rp_exchange_tls_done(o->suspended.ex, o->helper_rv, o->helper_reason);
    if (o->backend != NULL) {
        o->backend->ready |= RP_WAIT_BACKEND_READ | RP_WAIT_BACKEND_WRITE; /* the handshake ate the edges */
    }
    if (o->el->buried) {
        return;
    }
    if (o->doomed) {
        o->doomed = 0;
        rp_owned_abort(o);
        return;
    }
    rp_owned_step(o, 0);
}

static void fail(rp_owned_t *o, apr_status_t rv, const char *reason)
{
    o->helper_rv = rv;
    o->helper_reason = reason;
}

static void on_helper(rp_job_t *job, apr_thread_t *thread, int late)
{
    rp_owned_t *o = RP_OWNED_OF(job, job);
    const rp_tls_provider_t *tls = rp_conn_tls_provider();

    (void)thread;
    if (late || tls == NULL) {
        fail(o, late ? APR_TIMEUP : APR_ENOTIMPL, late ? nobody_free : NULL);
        return;
    }
    o->helper_rv = tls->handshake(rp_exchange_conn(o->suspended.ex), job->deadline_us - rp_clock_now_us(), &o->helper_reason);
    __atomic_store_n(&job->group->good, !APR_STATUS_IS_TIMEUP(o->helper_rv), __ATOMIC_RELAXED);
}

static void through(rp_job_t *job)
{
    rp_owned_t *o = RP_OWNED_OF(job, job);

    o->post.fn = on_helped;
    rp_loop_post(o->el->loop, &o->post);
}

static void shake_hands(rp_owned_t *o)
{
    rp_exchange_t *ex = o->suspended.ex;

    o->helper_busy = 1;
    o->helper_reason = NULL;
    o->job.fn = on_helper;
    o->job.done = through;
    o->job.group = &rp_exchange_endpoint(ex)->dial;
    o->job.deadline_us = rp_exchange_wait(ex)->deadline_us;
    if (rp_helpers_submit(o->el->dialers, &o->job) != APR_SUCCESS) {
        fail(o, APR_TIMEUP, nobody_free);
        through(&o->job);
        return;
    }
    set_timer(o, o->job.deadline_us);
}

/* The deadline passed while no helper had begun. */
static void helper_overdue(rp_owned_t *o)
{
    rp_job_t *job = o->lookup != NULL ? &o->lookup->job : &o->job;

    if (now(o) < job->deadline_us || !rp_helpers_cancel(o->el->dialers, job)) {
        return;
    }
    if (o->lookup != NULL) {
        o->lookup->rv = APR_TIMEUP;
        post_look_up(job);
    }
    else {
        fail(o, APR_TIMEUP, nobody_free);
        through(job);
    }
}

/* ---- permits ---- */

static void on_permit(rp_post_t *post)
{
    rp_owned_t *o = RP_OWNED_OF(post, post);

    o->waiting_for = NULL;
    rp_exchange_permit_granted(o->suspended.ex);
    if (o->el->buried) {
        return;
    }
    if (o->doomed) {
        o->doomed = 0;
        rp_owned_abort(o);
        return;
    }
    rp_owned_step(o, 0);
}

/* Any thread, with the worker's mutex held. */
static void wake(rp_waiter_t *self)
{
    rp_owned_t *o = RP_OWNED_OF(self, waiter);

    rp_loop_post(o->el->loop, &o->post);
}

static void line_up(rp_owned_t *o)
{
    if (o->waiting_for == NULL) {
        o->waiting_for = rp_exchange_worker(o->suspended.ex);
        o->post.fn = on_permit;
        o->waiter.wake = wake;
        rp_permit_line_up(o->waiting_for, &o->waiter);
    }
}

int rp_owned_leave_line(rp_owned_t *o)
{
    if (o->waiting_for == NULL) {
        return 1;
    }
    if (!rp_permit_leave(o->waiting_for, &o->waiter)) {
        return 0;
    }
    o->waiting_for = NULL;
    return 1;
}

/* ---- steps ---- */

/* Which of the waits are over already. */
static unsigned over(rp_owned_t *o, unsigned mask)
{
    unsigned ready = 0;

    if (o->backend != NULL) {
        ready = o->backend->ready & mask;
        o->backend->ready &= ~ready;
        if (o->backend->eof) {
            ready |= mask & RP_WAIT_BACKEND_READ;
        }
    }
    if ((mask & RP_WAIT_CLIENT_READ) && rp_owned_may_read(o)) {
        ready |= RP_WAIT_CLIENT_READ;
    }
    if ((mask & RP_WAIT_CLIENT_WRITE) && !o->blocked) {
        ready |= RP_WAIT_CLIENT_WRITE;
    }
    return ready;
}

/* Until when it waits, with looks in between. */
static void set_wait_timer(rp_owned_t *o)
{
    const rp_wait_t *wait = rp_exchange_wait(o->suspended.ex);
    apr_time_t due_us = wait->deadline_us;

    o->look = (wait->mask & RP_WAIT_CLIENT_READ) && !rp_exchange_tunnel(o->suspended.ex) && due_us - now(o) > BODY_LOOK_US;
    if (o->look) {
        due_us = now(o) + BODY_LOOK_US;
    }
    if (!o->trimmed && due_us - now(o) > RP_TRIM_AFTER_US) {
        o->look = 0;
        due_us = now(o) + RP_TRIM_AFTER_US;
    }
    set_timer(o, due_us);
}

/* The exchange waits. What it can be told at once, 0: nothing yet. */
static unsigned arrange(rp_owned_t *o)
{
    const rp_wait_t *wait = rp_exchange_wait(o->suspended.ex);
    unsigned ready;

    if (wait->mask & RP_WAIT_RESOLVE) {
        look_up(o);
        return 0;
    }
    if (wait->mask & RP_WAIT_TLS) {
        shake_hands(o);
        return 0;
    }
    if (wait->mask & RP_WAIT_POOL) {
        line_up(o);
        ready = 0;
    }
    else {
        ready = over(o, wait->mask);
    }
    if (ready == 0) {
        set_wait_timer(o);
    }
    return ready;
}

void rp_owned_step(rp_owned_t *o, unsigned ready)
{
    rp_exchange_t *ex = o->suspended.ex;

    if (o->helper_busy) {
        helper_overdue(o);
        return; /* it comes back by itself */
    }
    if (o->waiting_for != NULL && (now(o) < rp_exchange_wait(ex)->deadline_us || !rp_owned_leave_line(o))) {
        return; /* so does a permit */
    }
    ready |= over(o, rp_exchange_wait(ex)->mask);
    if (!o->blocked) {
        ready |= RP_WAIT_CLIENT_WRITE;
    }
    for (;;) {
        rp_step_e step = rp_exchange_step(ex, now(o), ready);
        int status = OK;

        settle_backend(o);
        if (step == RP_STEP_WAIT) {
            ready = arrange(o);
            if (ready == 0) {
                return;
            }
            continue;
        }
        ready = 0;
        if (!o->suspended.ended(o->suspended.ctx, step, &status)) {
            rp_owned_end_request(o, status);
            return;
        }
        settle_backend(o);
    }
}

void rp_owned_wait_over(rp_owned_t *o)
{
    if (!o->trimmed) {
        rp_owned_trim(o);
        if (!o->helper_busy && now(o) < rp_exchange_wait(o->suspended.ex)->deadline_us) {
            set_wait_timer(o);
            return;
        }
    }
    o->in_maybe |= o->look;
    rp_owned_step(o, 0);
}

void rp_owned_abort(rp_owned_t *o)
{
    if (o->lookup != NULL) {
        forget_look_up(o);
    }
    if (o->helper_busy && !rp_helpers_cancel(o->el->dialers, &o->job)) {
        if (!o->doomed) { /* the handshake ends, and its helper comes back */
            (void)shutdown(rp_conn_fd(rp_exchange_conn(o->suspended.ex)), SHUT_RDWR);
        }
        o->doomed = 1;
        return;
    }
    o->helper_busy = 0;
    if (!rp_owned_leave_line(o)) {
        o->doomed = 1; /* the permit is on its way */
        return;
    }
    o->c->aborted = 1;
    rp_exchange_client_gone(o->suspended.ex, now(o));
    rp_owned_step(o, 0);
}

int rp_owned_end_tunnel(rp_owned_t *o)
{
    if (o->state != RP_OWNED_EXCHANGE || !rp_exchange_tunnel(o->suspended.ex)) {
        return 0;
    }
    rp_exchange_tunnel_end(o->suspended.ex, now(o));
    rp_owned_step(o, 0);
    return 1;
}

void rp_owned_unhook(rp_owned_t *o)
{
    if (o->backend != NULL) {
        o->backend->user = NULL;
        o->backend = NULL;
    }
}
