/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool: idle connections of an endpoint, most recently used first, and who may take, keep or
 * close them.
 *
 * A worker's connections are counted in stat.permits and never number more than `max`. Busy ones
 * are covered by a permit (permit.c). Whoever has a permit and no connection finds either room, or
 * an idle connection of the same worker somewhere, which is closed and its place taken. No lock is
 * held while a connection is closed, opened or checked.
 */
#include "upstream/endpoint.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "upstream/endpoint_int.h"

#define MAINTAIN_EVERY_US 1000000
#define MAINTAIN_ROUNDS 64 /* of as many connections as rp_doomed_t holds: no thread does this for long */
#define LOOK_AT_ONCE 64    /* connections in one poll */
#define PLACE_TRIES 1000 /* a failed look means that others moved connections meanwhile */

static void stat_add(apr_uint64_t *counter)
{
    (void)__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* ---- closing ---- */

void rp_pool_detach_locked(rp_endpoint_t *ep, rp_conn_t *conn)
{
    APR_RING_REMOVE(conn, link);
    APR_RING_ELEM_INIT(conn, link);
    ep->shared.nidle--;
    if (conn->pinned_to != NULL) {
        (void)__atomic_sub_fetch(&ep->owner->npinned, 1, __ATOMIC_RELAXED);
    }
}

static void count_close(const rp_conn_t *conn, rp_refuse_e why)
{
    rp_worker_t *w = conn->worker;

    if (conn->state != RP_CONN_NEW) {
        stat_add(&w->stat->closed);
    }
    stat_add(&w->stat->refused[why]);
}

/* The socket goes, its place in the count stays with the caller. */
static void close_keep_place(rp_conn_t *conn, rp_refuse_e why)
{
    count_close(conn, why);
    rp_conn_destroy(conn);
}

void rp_pool_close(rp_conn_t *conn, rp_refuse_e why)
{
    rp_worker_t *w = conn->worker;

    close_keep_place(conn, why);
    (void)__atomic_sub_fetch(&w->stat->permits, 1, __ATOMIC_SEQ_CST);
}

static void doom(rp_doomed_t *d, rp_endpoint_t *ep, rp_conn_t *conn, rp_refuse_e why)
{
    rp_pool_detach_locked(ep, conn);
    d->conn[d->n] = conn;
    d->why[d->n++] = why;
}

static int doomed_full(const rp_doomed_t *d)
{
    return d->n == (int)(sizeof(d->conn) / sizeof(d->conn[0]));
}

static void doomed_close(rp_doomed_t *d)
{
    while (d->n > 0) {
        d->n--;
        rp_pool_close(d->conn[d->n], d->why[d->n]);
    }
}

void rp_pool_drain(rp_endpoint_t *ep, rp_refuse_e why)
{
    rp_doomed_t d;

    do {
        d.n = 0;
        apr_thread_mutex_lock(ep->shared.mutex);
        while (!doomed_full(&d) && !APR_RING_EMPTY(&ep->shared.idle, rp_conn_t, link)) {
            doom(&d, ep, APR_RING_LAST(&ep->shared.idle), why);
        }
        apr_thread_mutex_unlock(ep->shared.mutex);
        if (d.n == 0) {
            break;
        }
        doomed_close(&d);
    } while (1);
}

/* ---- places: at most `max` connections of a worker ---- */

static int place_try(rp_worker_t *w)
{
    apr_uint32_t max = w->params.max > 0 ? (apr_uint32_t)w->params.max : 0;
    apr_uint32_t n = __atomic_load_n(&w->stat->permits, __ATOMIC_SEQ_CST);

    do {
        if (max != 0 && n >= max) {
            return 0;
        }
    } while (!__atomic_compare_exchange_n(&w->stat->permits, &n, n + 1, 0, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return 1;
}

static rp_conn_t *oldest_of_locked(rp_endpoint_t *ep, const rp_worker_t *w)
{
    rp_conn_t *conn;

    for (conn = APR_RING_LAST(&ep->shared.idle);
         conn != APR_RING_SENTINEL(&ep->shared.idle, rp_conn_t, link);
         conn = APR_RING_PREV(conn, link)) {
        if (w == NULL || conn->worker == w) {
            return conn;
        }
    }
    return NULL;
}

/* Take an idle connection of w, or of anybody, out of whichever list has one. */
static rp_conn_t *steal(rp_endpoints_t *eps, const rp_worker_t *w)
{
    rp_conn_t *conn = NULL;
    apr_hash_index_t *hi;

    apr_thread_mutex_lock(eps->mutex);
    for (hi = apr_hash_first(NULL, eps->shared.by_id); hi != NULL && conn == NULL;
         hi = apr_hash_next(hi)) {
        rp_endpoint_t *ep = apr_hash_this_val(hi);

        apr_thread_mutex_lock(ep->shared.mutex);
        conn = oldest_of_locked(ep, w);
        if (conn != NULL) {
            rp_pool_detach_locked(ep, conn);
            conn->state = RP_CONN_READY; /* not idle any more, whoever looks at it */
            rp_endpoint_hold(ep);        /* while it is closed */
        }
        apr_thread_mutex_unlock(ep->shared.mutex);
    }
    apr_thread_mutex_unlock(eps->mutex);
    return conn;
}

void rp_pool_disposed(rp_conn_t *conn)
{
    rp_endpoint_t *ep = conn->endpoint;

    rp_conn_destroy(conn);
    rp_endpoint_release(ep);
}

/*
 * Close what steal() found and keep its place. A connection of a loop is closed by that loop's thread; until it comes to that the
 * backend sees the end of the connection already.
 */
static void close_stolen(rp_conn_t *conn)
{
    rp_endpoints_t *owner = conn->endpoint->owner;

    count_close(conn, RP_REFUSE_EVICTED);
    if (owner->dispose != NULL && conn->watch != NULL) {
        (void)shutdown(rp_conn_fd(conn), SHUT_RDWR);
        owner->dispose(conn);
    }
    else {
        rp_pool_disposed(conn);
    }
}

/* Idle connections elsewhere: on loops, or of the child's threads. */
static rp_conn_t *steal_elsewhere(const rp_endpoints_t *mine, const rp_worker_t *w)
{
    rp_endpoints_t *eps;
    rp_conn_t *conn = NULL;

    for (eps = rp_owners_lock(); eps != NULL && conn == NULL; eps = eps->next_owner) {
        if (eps != mine) {
            conn = steal(eps, w);
        }
    }
    rp_owners_unlock();
    return conn;
}

/* The caller has a permit of w, so there is room, or an idle connection in its place; others may
 * move them while we look. */
static apr_status_t place_get(rp_endpoints_t *eps, rp_worker_t *w)
{
    int tries;

    for (tries = 0; tries < PLACE_TRIES; tries++) {
        rp_conn_t *victim;

        if (place_try(w)) {
            return APR_SUCCESS;
        }
        victim = steal(eps, w);
        if (victim != NULL) {
            count_close(victim, RP_REFUSE_EVICTED);
            rp_pool_disposed(victim);
            return APR_SUCCESS;
        }
        victim = steal_elsewhere(eps, w);
        if (victim != NULL) {
            close_stolen(victim);
            return APR_SUCCESS;
        }
        (void)sched_yield();
    }
    return APR_EAGAIN;
}

int rp_pool_free_one(rp_endpoints_t *eps)
{
    rp_conn_t *victim = steal(eps, NULL);

    if (victim == NULL) {
        return 0;
    }
    (void)__atomic_sub_fetch(&victim->worker->stat->permits, 1, __ATOMIC_SEQ_CST);
    count_close(victim, RP_REFUSE_EVICTED);
    rp_pool_disposed(victim);
    return 1;
}

/* ---- may an idle connection be used? ---- */

/* How long the backend's own hint lets us use an idle connection. */
static apr_interval_time_t hint_limit_us(int hint_s)
{
    apr_interval_time_t hint = apr_time_from_sec(hint_s);

    return hint_s >= 2 ? hint - apr_time_from_sec(1) : hint / 2;
}

static int learned_forbids(const rp_endpoint_t *ep, apr_interval_time_t idle, apr_time_t now_us)
{
    return ep != NULL && ep->shared.learned_idle_us > 0
           && now_us - ep->shared.learned_at_us < RP_LEARN_FOR_US
           && idle >= ep->shared.learned_idle_us;
}

int rp_conn_fresh_enough(const rp_conn_t *conn, const rp_worker_t *w, apr_time_t now_us,
                         rp_refuse_e *why)
{
    apr_interval_time_t idle = now_us - conn->idle_since_us;

    *why = RP_REFUSE_NONE;
    if (w->params.ttl_s > 0 && idle >= apr_time_from_sec(w->params.ttl_s)) {
        *why = RP_REFUSE_TTL;
    }
    else if (conn->peer_keepalive_s >= 0 && idle >= hint_limit_us(conn->peer_keepalive_s)) {
        *why = RP_REFUSE_TTL;
    }
    else if (learned_forbids(conn->endpoint, idle, now_us)) {
        *why = RP_REFUSE_TTL;
    }
    return *why == RP_REFUSE_NONE;
}

/* addressttl: the connection's address must be one that the name is known to have. */
static rp_refuse_e address_check(rp_conn_t *conn, const rp_worker_t *w, apr_time_t now_us)
{
    if (w->params.addressttl_s <= 0 || conn->endpoint->address.literal) {
        return RP_REFUSE_NONE;
    }
    return rp_address_has(&conn->endpoint->address, conn->addr, now_us,
                          apr_time_from_sec(w->params.addressttl_s))
                   == APR_SUCCESS
               ? RP_REFUSE_NONE
               : RP_REFUSE_ADDRESS;
}

/* A close that came after some idle time says how patient this backend is. */
static void learn_locked(rp_endpoint_t *ep, apr_interval_time_t idle, apr_time_t now_us)
{
    if (idle < RP_LEARN_MIN_US) {
        return;
    }
    if (!learned_forbids(ep, idle, now_us)) { /* shorter than believed, or that is too old */
        ep->shared.learned_idle_us = idle;
        ep->shared.learned_at_us = now_us;
    }
}

static void learn(rp_endpoint_t *ep, apr_interval_time_t idle, apr_time_t now_us)
{
    apr_thread_mutex_lock(ep->shared.mutex);
    learn_locked(ep, idle, now_us);
    apr_thread_mutex_unlock(ep->shared.mutex);
}

/* ---- take ---- */

/* The asker's own pinned connection, else the most recently used one that is nobody's. One that is
 * too old stays where it is: rp_pool_maintain closes it soon, and no request has to wait for that.
 */
static rp_conn_t *pick_locked(rp_endpoint_t *ep, const rp_worker_t *w, const void *pinned_to,
                              apr_time_t now_us)
{
    rp_conn_t *conn, *free_one = NULL;
    rp_refuse_e why;

    for (conn = APR_RING_FIRST(&ep->shared.idle);
         conn != APR_RING_SENTINEL(&ep->shared.idle, rp_conn_t, link);
         conn = APR_RING_NEXT(conn, link)) {
        int mine = conn->pinned_to == pinned_to;

        if ((conn->pinned_to != NULL && !mine) || !rp_conn_fresh_enough(conn, w, now_us, &why)) {
            continue;
        }
        if (mine) {
            return conn;
        }
        free_one = free_one ? free_one : conn;
    }
    return free_one;
}

static rp_refuse_e check_idle(rp_endpoint_t *ep, rp_conn_t *conn, const rp_worker_t *w, int flags,
                              apr_time_t now_us)
{
    rp_refuse_e why = address_check(conn, w, now_us);

    if ((flags & RP_TAKE_WATCHED) && conn->watch != NULL && !conn->is_tls) {
        return why; /* what the loop hears closes it */
    }
    if (why == RP_REFUSE_NONE) {
        why = (rp_refuse_e)rp_conn_reuse_check(conn);
    }
    if (why == RP_REFUSE_PEER_CLOSED) {
        learn(ep, now_us - conn->idle_since_us, now_us);
    }
    return why;
}

/* One idle connection that is good, or NULL. */
static rp_conn_t *take_idle(rp_endpoint_t *ep, rp_worker_t *w, const void *pinned_to, int flags,
                            apr_time_t now_us)
{
    for (;;) {
        rp_refuse_e why;
        rp_conn_t *conn;

        apr_thread_mutex_lock(ep->shared.mutex);
        conn = pick_locked(ep, w, pinned_to, now_us);
        if (conn != NULL) {
            rp_pool_detach_locked(ep, conn);
        }
        apr_thread_mutex_unlock(ep->shared.mutex);
        if (conn == NULL) {
            return NULL;
        }
        why = check_idle(ep, conn, w, flags, now_us);
        if (why == RP_REFUSE_NONE) {
            return conn;
        }
        rp_pool_close(conn, why);
    }
}

/* The connection was opened for another worker: it counts for w now. */
static apr_status_t change_worker(rp_conn_t *conn, rp_worker_t *w)
{
    rp_worker_t *old = conn->worker;
    apr_status_t rv;

    if (old == w) {
        return APR_SUCCESS;
    }
    rv = place_get(conn->endpoint->owner, w);
    if (rv == APR_SUCCESS) {
        conn->worker = w;
        (void)__atomic_sub_fetch(&old->stat->permits, 1, __ATOMIC_SEQ_CST);
    }
    return rv;
}

static apr_status_t take_new(rp_endpoint_t *ep, rp_worker_t *w, rp_conn_t **out)
{
    apr_status_t rv = place_get(ep->owner, w);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *out = rp_conn_create(ep, w);
    if (*out == NULL) {
        (void)__atomic_sub_fetch(&w->stat->permits, 1, __ATOMIC_SEQ_CST);
        return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

apr_status_t rp_pool_take(rp_endpoint_t *ep, rp_worker_t *w, void *pinned_to, int flags,
                          apr_time_t now_us, rp_conn_t **out)
{
    rp_conn_t *conn = NULL;
    apr_status_t rv = (flags & RP_TAKE_GRANTED) ? APR_SUCCESS : rp_permit_try(w);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!(flags & RP_TAKE_FRESH)) {
        conn = take_idle(ep, w, pinned_to, flags, now_us);
    }
    if (conn != NULL && change_worker(conn, w) != APR_SUCCESS) {
        rp_pool_close(conn, RP_REFUSE_EVICTED);
        conn = NULL;
    }
    if (conn != NULL) {
        conn->state = RP_CONN_READY;
        stat_add(&w->stat->reused);
    }
    else {
        rv = take_new(ep, w, &conn);
    }
    if (rv != APR_SUCCESS) {
        rp_permit_release(w);
        return rv;
    }
    rp_endpoint_hold(ep);
    *out = conn;
    return APR_SUCCESS;
}

/* ---- put ---- */

/* What the rules say of a connection whose exchange ended well. */
static rp_refuse_e may_keep(rp_conn_t *conn)
{
    const rp_worker_t *w = conn->worker;

    if (conn->state != RP_CONN_READY) {
        return RP_REFUSE_ERROR;
    }
    if (w->params.reuse == RP_OFF || w->params.addressttl_s == 0) {
        return RP_REFUSE_DISABLED;
    }
    if (conn->peer_keepalive_s == 0) {
        return RP_REFUSE_CLOSE_ASKED;
    }
    if (conn->ops->flush(conn) != APR_SUCCESS) {
        return RP_REFUSE_SHORT_BODY; /* bytes of the request are still here */
    }
    if (conn->ops->buffered(conn) > 0) {
        return RP_REFUSE_EXTRA_BYTES;
    }
    return RP_REFUSE_NONE;
}

/* Idle connections that may be in the list after a put. smax without ttl closes at once; with ttl,
 * age decides. */
static int idle_limit(const rp_worker_t *w)
{
    int limit = RP_IDLE_MAX;

    if (w->params.smax >= 0 && w->params.ttl_s <= 0 && w->params.smax < limit) {
        limit = w->params.smax > w->params.min ? w->params.smax : w->params.min;
    }
    return limit;
}

/* Into the list; *victim: one that is too many then, perhaps conn itself. */
static rp_refuse_e keep(rp_conn_t *conn, apr_time_t now_us, rp_conn_t **victim)
{
    rp_endpoint_t *ep = conn->endpoint;
    rp_refuse_e why = RP_REFUSE_NONE;
    int limit = idle_limit(conn->worker);

    *victim = NULL;
    if (conn->is_tls && rp_conn_tls_provider() != NULL && rp_conn_tls_provider()->rebind != NULL) {
        rp_conn_tls_provider()->rebind(conn, NULL);
    }
    apr_thread_mutex_lock(ep->shared.mutex);
    if (__atomic_load_n(&ep->owner->stopping, __ATOMIC_SEQ_CST)) {
        why = RP_REFUSE_SHUTDOWN;
    }
    else {
        conn->state = RP_CONN_IDLE;
        conn->idle_since_us = now_us;
        APR_RING_INSERT_HEAD(&ep->shared.idle, conn, rp_conn_t, link);
        ep->shared.nidle++;
        if (conn->pinned_to != NULL) {
            (void)__atomic_add_fetch(&ep->owner->npinned, 1, __ATOMIC_RELAXED);
        }
        if (ep->shared.nidle > limit) {
            *victim = APR_RING_LAST(&ep->shared.idle);
            rp_pool_detach_locked(ep, *victim);
        }
    }
    apr_thread_mutex_unlock(ep->shared.mutex);
    return why;
}

rp_refuse_e rp_pool_put(rp_conn_t *conn, rp_refuse_e why, apr_time_t now_us)
{
    rp_endpoint_t *ep = conn->endpoint;
    rp_endpoints_t *eps = ep->owner; /* ep may be gone at the end */
    rp_worker_t *w = conn->worker;
    rp_conn_t *victim = NULL;

    if (why == RP_REFUSE_NONE) {
        why = may_keep(conn);
    }
    if (why == RP_REFUSE_NONE) {
        why = keep(conn, now_us, &victim);
        if (victim == conn) {
            why = RP_REFUSE_IDLE_LIMIT;
        }
    }
    if (why != RP_REFUSE_NONE) {
        rp_pool_close(conn, why);
    }
    else if (victim != NULL) {
        rp_pool_close(victim, RP_REFUSE_IDLE_LIMIT);
    }
    rp_permit_release(w);
    rp_endpoint_release(ep);
    rp_pool_maintain(eps, now_us);
    return why;
}

/* ---- maintenance ---- */

/* `min` idle connections stay open however old they are; whether they are used is for the time
 * rules to say. */
static void doom_expired_locked(rp_endpoint_t *ep, apr_time_t now_us, rp_doomed_t *d)
{
    rp_conn_t *conn = APR_RING_LAST(&ep->shared.idle);

    while (conn != APR_RING_SENTINEL(&ep->shared.idle, rp_conn_t, link) && !doomed_full(d)) {
        rp_conn_t *next = APR_RING_PREV(conn, link);
        rp_refuse_e why;

        if (!rp_conn_fresh_enough(conn, conn->worker, now_us, &why)
            && ep->shared.nidle > conn->worker->params.min) {
            doom(d, ep, conn, why);
        }
        conn = next;
    }
}

/* Look at n connections at once. */
static void doom_closed_some_locked(rp_endpoint_t *ep, rp_conn_t **conns, int n, apr_time_t now_us,
                                    rp_doomed_t *d)
{
    struct pollfd fds[LOOK_AT_ONCE];
    int i;

    for (i = 0; i < n; i++) {
        fds[i].fd = rp_conn_fd(conns[i]);
        fds[i].events = POLLIN;
        fds[i].revents = 0;
    }
    if (n == 0 || poll(fds, (nfds_t)n, 0) <= 0) {
        return;
    }
    for (i = 0; i < n && !doomed_full(d); i++) {
        rp_refuse_e why =
            fds[i].revents ? (rp_refuse_e)rp_conn_reuse_check(conns[i]) : RP_REFUSE_NONE;

        if (why == RP_REFUSE_PEER_CLOSED) { /* some time since the last look */
            learn_locked(ep, now_us - conns[i]->idle_since_us - MAINTAIN_EVERY_US, now_us);
        }
        if (why != RP_REFUSE_NONE) {
            doom(d, ep, conns[i], why);
        }
    }
}

/* Backends that closed while nobody looked: one poll for many connections, so that sockets do not
 * pile up half closed. */
static void doom_closed_locked(rp_endpoint_t *ep, apr_time_t now_us, rp_doomed_t *d)
{
    rp_conn_t *conns[LOOK_AT_ONCE];
    rp_conn_t *conn = APR_RING_LAST(&ep->shared.idle);

    while (conn != APR_RING_SENTINEL(&ep->shared.idle, rp_conn_t, link) && !doomed_full(d)) {
        int n;

        for (n = 0;
             conn != APR_RING_SENTINEL(&ep->shared.idle, rp_conn_t, link) && n < LOOK_AT_ONCE; n++) {
            conns[n] = conn;
            conn = APR_RING_PREV(conn, link);
        }
        doom_closed_some_locked(ep, conns, n, now_us, d);
    }
}

/* 1 for the one caller of this second. */
static int maintain_turn(rp_endpoints_t *eps, apr_time_t now_us)
{
    apr_time_t last = __atomic_load_n(&eps->maintained_us, __ATOMIC_RELAXED);

    if (now_us - last < MAINTAIN_EVERY_US) {
        return 0;
    }
    return __atomic_compare_exchange_n(&eps->maintained_us, &last, now_us, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* Take what is to be closed out of the lists, as much as d holds. */
static void doom_all(rp_endpoints_t *eps, apr_time_t now_us, rp_doomed_t *d)
{
    apr_hash_index_t *hi;

    apr_thread_mutex_lock(eps->mutex);
    for (hi = apr_hash_first(NULL, eps->shared.by_id); hi != NULL && !doomed_full(d);
         hi = apr_hash_next(hi)) {
        rp_endpoint_t *ep = apr_hash_this_val(hi);

        apr_thread_mutex_lock(ep->shared.mutex);
        doom_expired_locked(ep, now_us, d);
        doom_closed_locked(ep, now_us, d);
        apr_thread_mutex_unlock(ep->shared.mutex);
    }
    apr_thread_mutex_unlock(eps->mutex);
}

void rp_pool_maintain(rp_endpoints_t *eps, apr_time_t now_us)
{
    int rounds, full = 1;

    if (!maintain_turn(eps, now_us)) {
        return;
    }
    for (rounds = 0; full && rounds < MAINTAIN_ROUNDS; rounds++) {
        rp_doomed_t d = {.n = 0};

        doom_all(eps, now_us, &d);
        full = doomed_full(&d);
        doomed_close(&d);
    }
}

void rp_pool_look(rp_conn_t *conn, apr_time_t now_us)
{
    rp_endpoint_t *ep = conn->endpoint;
    rp_refuse_e why = RP_REFUSE_NONE;

    apr_thread_mutex_lock(ep->shared.mutex);
    if (conn->state == RP_CONN_IDLE) {
        why = (rp_refuse_e)rp_conn_reuse_check(conn);
        if (why != RP_REFUSE_NONE) {
            rp_pool_detach_locked(ep, conn);
        }
    }
    apr_thread_mutex_unlock(ep->shared.mutex);
    if (why == RP_REFUSE_PEER_CLOSED) {
        learn(ep, now_us - conn->idle_since_us, now_us);
    }
    if (why != RP_REFUSE_NONE) {
        rp_pool_close(conn, why);
    }
}

static void doom_pinned_locked(rp_endpoint_t *ep, const void *pinned_to, rp_doomed_t *d)
{
    rp_conn_t *conn = APR_RING_FIRST(&ep->shared.idle);

    while (conn != APR_RING_SENTINEL(&ep->shared.idle, rp_conn_t, link) && !doomed_full(d)) {
        rp_conn_t *next = APR_RING_NEXT(conn, link);

        if (conn->pinned_to == pinned_to) {
            doom(d, ep, conn, RP_REFUSE_PINNED);
        }
        conn = next;
    }
}

void rp_pool_unpin(rp_endpoints_t *eps, void *pinned_to)
{
    rp_doomed_t d;
    int full;

    if (pinned_to == NULL) {
        return;
    }
    do {
        apr_hash_index_t *hi;

        d.n = 0;
        if (__atomic_load_n(&eps->npinned, __ATOMIC_RELAXED) == 0) {
            return;
        }
        apr_thread_mutex_lock(eps->mutex);
        for (hi = apr_hash_first(NULL, eps->shared.by_id); hi != NULL && !doomed_full(&d);
             hi = apr_hash_next(hi)) {
            rp_endpoint_t *ep = apr_hash_this_val(hi);

            apr_thread_mutex_lock(ep->shared.mutex);
            doom_pinned_locked(ep, pinned_to, &d);
            apr_thread_mutex_unlock(ep->shared.mutex);
        }
        apr_thread_mutex_unlock(eps->mutex);
        full = doomed_full(&d);
        doomed_close(&d);
    } while (full);
}
