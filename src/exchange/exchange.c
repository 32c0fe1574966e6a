/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine's frame: step(), taking a connection, resolving, connecting, TLS, and the end of an attempt with the
 * resend rule. What happens on the connection is in send.c, receive.c, body.c and tunnel.c.
 */
#include "exchange/exchange_int.h"
#include "exchange/count.h"

#include <apr_strings.h>
#include <string.h>

_Static_assert(sizeof(((rp_attempt_t *)0)->addr) == sizeof(((rp_conn_t *)0)->addr_str), "copied as a whole");

_Static_assert(sizeof(rp_exchange_t) <= RP_EXCHANGE_ROOM, "raise RP_EXCHANGE_ROOM");

/* Buckets hold memory that no pool knows of. */
static apr_status_t drop_buckets(void *data)
{
    rp_exchange_t *ex = data;
    apr_size_t i;

    for (i = 0; i < sizeof(ex->brigades) / sizeof(ex->brigades[0]); i++) {
        if (!APR_BRIGADE_EMPTY(&ex->brigades[i])) {
            (void)apr_brigade_cleanup(&ex->brigades[i]);
        }
    }
    return APR_SUCCESS;
}

/* Four brigades by apr_brigade_create would be four allocations and four cleanups. */
static void make_brigades(rp_exchange_t *ex)
{
    apr_size_t i;

    for (i = 0; i < sizeof(ex->brigades) / sizeof(ex->brigades[0]); i++) {
        ex->brigades[i].p = ex->pool;
        ex->brigades[i].bucket_alloc = ex->ba;
        APR_RING_INIT(&ex->brigades[i].list, apr_bucket, link);
    }
    ex->kept = &ex->brigades[0];
    ex->out = &ex->brigades[1];
    ex->in = &ex->brigades[2];
    ex->bb = &ex->brigades[3];
    apr_pool_cleanup_register(ex->pool, ex, drop_buckets, apr_pool_cleanup_null);
}

rp_exchange_t *rp_exchange_create(apr_pool_t *pool, apr_bucket_alloc_t *ba, const rp_exchange_conf_t *conf,
                                  const rp_client_ops_t *ops, void *ctx)
{
    return rp_exchange_create_in(apr_palloc(pool, sizeof(rp_exchange_t)), pool, ba, conf, ops, ctx);
}

rp_exchange_t *rp_exchange_create_in(void *room, apr_pool_t *pool, apr_bucket_alloc_t *ba, const rp_exchange_conf_t *conf,
                                     const rp_client_ops_t *ops, void *ctx)
{
    rp_exchange_t *ex = room;

    memset(ex, 0, sizeof(*ex));
    ex->pool = pool;
    ex->ba = ba;
    ex->conf = *conf;
    ex->ops = ops;
    ex->ctx = ctx;
    ex->attempts = &ex->first_attempt;
    ex->attempts_room = 1;
    make_brigades(ex);
    ex->fresh = conf->fresh;
    ex->body_eos = !conf->has_body;
    ex->state = conf->has_body ? RP_EX_PREFETCH : RP_EX_TAKE;
    return ex;
}

rp_move_e rp_ex_wait(rp_exchange_t *ex, unsigned mask, apr_time_t deadline_us, rp_reason_e on_timeout)
{
    ex->wait.mask = mask;
    ex->wait.deadline_us = deadline_us;
    ex->wait.on_timeout = on_timeout;
    return RP_MOVE_WAIT;
}

rp_move_e rp_ex_go(rp_exchange_t *ex, rp_ex_state_e state)
{
    ex->state = state;
    return RP_MOVE_ON;
}

void rp_ex_progress(rp_exchange_t *ex)
{
    ex->progress_us = ex->now_us;
}

apr_status_t rp_ex_recv(rp_exchange_t *ex, char *buf, apr_size_t *len)
{
    apr_status_t rv = ex->conn->ops->recv(ex->conn, buf, len);

    if (ex->conn->read_at_us > ex->now_us) {
        ex->now_us = ex->conn->read_at_us;
    }
    return rv;
}

rp_reason_e rp_ex_client_reason(apr_status_t rv)
{
    return rv == APR_EINVAL ? RP_FAIL_BAD_HEAD : RP_FAIL_CLIENT_GONE;
}

/* Nearly every exchange has one attempt: room for more is made when they come. */
static void make_room(rp_exchange_t *ex)
{
    rp_attempt_t *bigger = apr_palloc(ex->pool, RP_ATTEMPTS_MAX * sizeof(*bigger));

    memcpy(bigger, ex->attempts, (apr_size_t)ex->nattempts * sizeof(*bigger));
    ex->attempts = bigger;
    ex->attempts_room = RP_ATTEMPTS_MAX;
}

/* A new record; when the table is full the last one is used again, so that the first attempts stay visible. */
static void begin_attempt(rp_exchange_t *ex)
{
    if (ex->nattempts < RP_ATTEMPTS_MAX) {
        if (ex->nattempts == ex->attempts_room) {
            make_room(ex);
        }
        ex->nattempts++;
    }
    ex->at = &ex->attempts[ex->nattempts - 1];
    memset(ex->at, 0, sizeof(*ex->at));
    ex->at->worker = ex->conf.worker;
    ex->at->start_us = ex->now_us;
    rp_count_attempt_begin(ex->at);
}

void rp_ex_put(rp_exchange_t *ex, rp_refuse_e why)
{
    rp_conn_t *conn = ex->conn;

    rp_ex_head_free(ex);
    rp_ex_tunnel_free(ex);
    if (ex->at != NULL && ex->at->end_us == 0) {
        ex->at->end_us = ex->now_us;
        rp_count_attempt_end(ex->at);
    }
    if (conn == NULL) {
        return;
    }
    ex->conn = NULL;
    if (why == RP_REFUSE_NONE) {
        conn->requests++;
        conn->pinned_to = conn->pinned_to ? conn->pinned_to : ex->conf.pinned_to;
    }
    why = rp_pool_put(conn, why, ex->now_us);
    if (ex->at != NULL) {
        ex->at->refused = why;
    }
}

static void drop_addrs(rp_exchange_t *ex)
{
    if (ex->addrs != NULL) {
        rp_addrset_unref(ex->addrs);
        ex->addrs = NULL;
    }
    ex->addr_next = 0;
    ex->addrs_fresh = 0;
}

/* Back to what a new attempt needs; `kept` and, while nothing was sent, `out` stay. */
static void reset_attempt(rp_exchange_t *ex)
{
    drop_addrs(ex);
    ex->recv = RP_RECV_HEAD;
    memset(&ex->scan, 0, sizeof(ex->scan));
    ex->interims = 0;
    ex->got_100 = 0;
    ex->acquire_deadline_us = 0;
    ex->extra_bytes = 0;
    ex->flushing = 0;
}

/* With `failoverafter` the administrator has said that another member may do the same once more. */
static int asked_too_long(const rp_exchange_t *ex) { return ex->reason == RP_FAIL_HEAD_TIMEOUT && ex->conf.failover_us > 0; }

/*
 * The resend rule. A request of which no byte was handed to the socket may always go again; any other one only when it is
 * idempotent, its body is whole in memory, no byte of a response was read, and the connection was closed or reset. A head that
 * announced a body of which no byte followed is no request yet (RFC 9112 8): when its `ping` is over it may go to another member,
 * whatever its method.
 */
static int resend_rule(const rp_exchange_t *ex)
{
    const rp_attempt_t *at = ex->at;

    if (ex->head_sent || at == NULL || at->received > 0) {
        return 0;
    }
    if (at->sent == 0) {
        return 1;
    }
    if (ex->reason == RP_FAIL_PING_TIMEOUT) {
        return ex->send == RP_SEND_HOLD && ex->streamed == 0 && !ex->conf.no_resend;
    }
    if (!ex->conf.idempotent || ex->conf.no_resend || ex->streamed > 0 || !ex->body_eos) {
        return 0;
    }
    return asked_too_long(ex) || ex->reason == RP_FAIL_CLOSED_BEFORE_HEAD || ex->reason == RP_FAIL_RESET_BEFORE_HEAD;
}

static int may_resend(const rp_exchange_t *ex)
{
    /* A reused connection that was dead before its first byte is no resend: nothing was ever sent. */
    if (ex->resent || (ex->conf.no_resend && !(ex->at != NULL && ex->at->reused && ex->at->sent == 0))) {
        return 0;
    }
    /* With other members at hand, only the race with an idle time-out is worth the same member once more. */
    if (ex->conf.others_first && ex->at != NULL && !ex->at->reused) {
        return 0;
    }
    return (ex->reason == RP_FAIL_CLOSED_BEFORE_HEAD || ex->reason == RP_FAIL_RESET_BEFORE_HEAD) && resend_rule(ex);
}

int rp_exchange_may_failover(const rp_exchange_t *ex)
{
    return ex->state == RP_EX_FAILED && (rp_failure(ex->reason)->failover || asked_too_long(ex)) && resend_rule(ex);
}

static void restart(rp_exchange_t *ex)
{
    reset_attempt(ex);
    ex->reason = RP_FAIL_NONE;
    rp_ex_go(ex, RP_EX_TAKE);
}

void rp_exchange_retarget(rp_exchange_t *ex, const rp_exchange_conf_t *conf)
{
    ex->conf = *conf;
    ex->resent = 0;
    ex->fresh = conf->fresh;
    ex->retargeted = 1;
    restart(ex);
}

/* The body was not wanted, so it does not matter how it ended; the connection is lost. */
static rp_move_e discarded(rp_exchange_t *ex)
{
    ex->reason = RP_FAIL_NONE;
    ex->detail = NULL;
    apr_brigade_cleanup(ex->bb);
    (void)ex->ops->finish(ex->ctx, ex->bb, RP_FAIL_NONE);
    return rp_ex_go(ex, RP_EX_DONE);
}

/* The head is out: what was understood of the body goes too, then the visible cut. */
static void cut_answer(rp_exchange_t *ex)
{
    if (!APR_BRIGADE_EMPTY(ex->bb) && !ex->discard && ex->reason != RP_FAIL_CLIENT_GONE) {
        (void)ex->ops->write(ex->ctx, ex->bb, 0, 1);
    }
    apr_brigade_cleanup(ex->bb);
    (void)ex->ops->finish(ex->ctx, ex->bb, ex->reason);
}

rp_move_e rp_ex_fail(rp_exchange_t *ex, rp_reason_e reason, apr_status_t os_error, const char *detail)
{
    ex->reason = reason;
    ex->detail = detail;
    if (detail == NULL && os_error != APR_SUCCESS && os_error < APR_OS_START_ERROR) { /* the system's words, not APR's */
        char buf[120];
        ex->detail = apr_pstrdup(ex->pool, apr_strerror(os_error, buf, sizeof(buf)));
    }
    if (ex->at != NULL) {
        ex->at->reason = reason;
        ex->at->os_error = os_error;
    }
    rp_ex_put(ex, reason == RP_FAIL_BODY_SHORT ? RP_REFUSE_SHORT_BODY : RP_REFUSE_ERROR);
    if (may_resend(ex)) {
        ex->resent = 1;
        ex->fresh = 1;
        rp_count_resend(ex->at);
        restart(ex);
        return RP_MOVE_ON;
    }
    drop_addrs(ex);
    if (ex->head_sent && ex->discard && reason != RP_FAIL_CLIENT_GONE) {
        return discarded(ex);
    }
    if (ex->head_sent && !ex->tunnel) {
        cut_answer(ex);
    }
    return rp_ex_go(ex, RP_EX_FAILED);
}

/* ---- connection ---- */

static rp_move_e look_up(rp_exchange_t *ex)
{
    ex->connect_deadline_us = ex->now_us + ex->conf.connect_us;
    return rp_ex_go(ex, RP_EX_RESOLVE);
}

static rp_move_e take(rp_exchange_t *ex)
{
    apr_status_t rv;
    int flags;

    if (ex->acquire_deadline_us == 0) {
        begin_attempt(ex);
        ex->acquire_deadline_us = ex->now_us + ex->conf.acquire_us;
    }
    flags = (ex->fresh ? RP_TAKE_FRESH : 0) | (ex->granted ? RP_TAKE_GRANTED : 0);
    if (ex->conf.idempotent && !ex->conf.has_body && !ex->conf.no_resend) { /* dead after all: it goes again */
        flags |= RP_TAKE_WATCHED;
    }
    ex->granted = 0; /* it passes to the pool in any case */
    rv = rp_pool_take(ex->conf.endpoint, ex->conf.worker, ex->conf.pinned_to, flags, ex->now_us, &ex->conn);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        ex->at->waited = 1;
        return rp_ex_wait(ex, RP_WAIT_POOL, ex->acquire_deadline_us, RP_FAIL_POOL_TIMEOUT);
    }
    if (rv != APR_SUCCESS) {
        return rp_ex_fail(ex, RP_FAIL_LOCAL_RESOURCE, rv, NULL);
    }
    ex->at->taken_us = ex->now_us;
    if (ex->conn->state == RP_CONN_READY) {
        ex->at->reused = ex->conn->requests > 0;
        memcpy(ex->at->addr, ex->conn->addr_str, sizeof(ex->at->addr));
        ex->at->local_port = ex->conn->local_port;
        return rp_ex_go(ex, RP_EX_START);
    }
    if (rp_address_cached(&ex->conf.endpoint->address, ex->now_us, ex->conf.dns_max_age_us, &ex->addrs)
        == APR_SUCCESS) {
        return rp_ex_go(ex, RP_EX_CONNECT);
    }
    return look_up(ex);
}

void rp_exchange_permit_granted(rp_exchange_t *ex)
{
    if (ex->state == RP_EX_TAKE && !ex->granted) {
        ex->granted = 1;
    }
    else { /* ended meanwhile */
        rp_permit_release(ex->conf.worker);
    }
}

static rp_move_e resolve(rp_exchange_t *ex)
{
    if (ex->addrs != NULL) {
        return rp_ex_go(ex, RP_EX_CONNECT);
    }
    /* the driver answers by rp_exchange_resolved; the resolver has its own time limits */
    return rp_ex_wait(ex, RP_WAIT_RESOLVE, ex->connect_deadline_us, RP_FAIL_NAME);
}

void rp_exchange_resolved(rp_exchange_t *ex, apr_status_t rv, rp_addrset_t *set)
{
    if (ex->state != RP_EX_RESOLVE) { /* timed out or aborted meanwhile */
        if (set != NULL) {
            rp_addrset_unref(set);
        }
        return;
    }
    if (rv != APR_SUCCESS || set == NULL || rp_addrset_count(set) == 0) {
        if (set != NULL) {
            rp_addrset_unref(set);
        }
        (void)rp_ex_fail(ex, RP_FAIL_NAME, rv, NULL);
        return;
    }
    ex->addrs = set;
    ex->addrs_fresh = 1;
    ex->addr_next = 0;
    (void)rp_ex_go(ex, RP_EX_CONNECT);
}

static rp_reason_e connect_reason(apr_status_t rv)
{
    if (APR_STATUS_IS_ECONNREFUSED(rv) || APR_STATUS_IS_ENOENT(rv)) {
        return RP_FAIL_CONNECT_REFUSED;
    }
    if (APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_ETIMEDOUT(rv)) {
        return RP_FAIL_CONNECT_TIMEOUT;
    }
    if (APR_STATUS_IS_EMFILE(rv) || rv == ENFILE || rv == ENOBUFS || APR_STATUS_IS_ENOMEM(rv)
        || rv == EADDRNOTAVAIL) {
        return RP_FAIL_LOCAL_RESOURCE;
    }
    return RP_FAIL_UNREACHABLE;
}

/* One address failed: the next one, or one fresh look-up when the addresses came from the cache, or the end. */
static rp_move_e next_address(rp_exchange_t *ex, apr_status_t rv)
{
    const rp_address_t *address = &ex->conf.endpoint->address;

    rp_conn_reset(ex->conn);
    if (ex->addr_next < rp_addrset_count(ex->addrs)) {
        return rp_ex_go(ex, RP_EX_CONNECT);
    }
    if (!ex->addrs_fresh && !address->literal && connect_reason(rv) != RP_FAIL_LOCAL_RESOURCE) {
        drop_addrs(ex);
        return look_up(ex);
    }
    return rp_ex_fail(ex, connect_reason(rv), rv, NULL);
}

static rp_move_e connected(rp_exchange_t *ex)
{
    apr_cpystrn(ex->at->addr, ex->conn->addr_str, sizeof(ex->at->addr));
    ex->at->local_port = ex->conn->local_port;
    drop_addrs(ex);
    ex->connect_deadline_us = ex->now_us + ex->conf.io_us;
    return rp_ex_go(ex, ex->conn->state == RP_CONN_READY ? RP_EX_START : RP_EX_TLS);
}

static rp_move_e connect_next(rp_exchange_t *ex)
{
    apr_status_t rv;

    ex->ready &= ~(unsigned)(RP_WAIT_BACKEND_READ | RP_WAIT_BACKEND_WRITE);
    rv = rp_conn_connect_start(ex->conn, rp_addrset_at(ex->addrs, ex->addr_next++), ex->now_us);
    apr_cpystrn(ex->at->addr, ex->conn->addr_str, sizeof(ex->at->addr));
    if (rv == APR_SUCCESS) {
        return connected(ex);
    }
    if (APR_STATUS_IS_EINPROGRESS(rv)) {
        ex->connect_deadline_us = ex->now_us + ex->conf.connect_us;
        return rp_ex_go(ex, RP_EX_CONNECTING);
    }
    if (APR_STATUS_IS_EMFILE(rv) && rp_pool_free_one(ex->conf.endpoint->owner)) {
        ex->addr_next--; /* the same again: an idle connection is worth less than a request */
        return rp_ex_go(ex, RP_EX_CONNECT);
    }
    return next_address(ex, rv);
}

static rp_move_e connecting(rp_exchange_t *ex)
{
    if (ex->ready & RP_WAIT_BACKEND_WRITE) {
        apr_status_t rv = rp_conn_connect_finish(ex->conn);

        if (rv == APR_SUCCESS) {
            return connected(ex);
        }
        if (!APR_STATUS_IS_EINPROGRESS(rv)) {
            return next_address(ex, rv);
        }
        ex->ready &= ~(unsigned)RP_WAIT_BACKEND_WRITE;
    }
    if (ex->now_us >= ex->connect_deadline_us) {
        return next_address(ex, APR_TIMEUP);
    }
    return rp_ex_wait(ex, RP_WAIT_BACKEND_WRITE, ex->connect_deadline_us, RP_FAIL_NONE);
}

static rp_move_e tls(rp_exchange_t *ex)
{
    if (ex->conn->state == RP_CONN_READY) {
        return rp_ex_go(ex, RP_EX_START);
    }
    return rp_ex_wait(ex, RP_WAIT_TLS, ex->connect_deadline_us, RP_FAIL_TLS);
}

void rp_exchange_tls_done(rp_exchange_t *ex, apr_status_t rv, const char *reason)
{
    if (ex->state != RP_EX_TLS) {
        return;
    }
    if (rv != APR_SUCCESS) {
        (void)rp_ex_fail(ex, rv == APR_ENOTIMPL ? RP_FAIL_TLS_DISABLED : RP_FAIL_TLS, rv, reason);
    }
    else if (ex->conn->state == RP_CONN_READY) {
        (void)rp_ex_go(ex, RP_EX_START);
    }
}

/* ---- transfer ---- */

/* Why the connection can not be used again after a whole response. */
static rp_refuse_e reuse_verdict(const rp_exchange_t *ex)
{
    if (ex->send != RP_SEND_DONE || ex->gave_up || ex->refused_early) {
        return RP_REFUSE_SHORT_BODY;
    }
    if (ex->extra_bytes || ex->conn->ops->buffered(ex->conn) > 0) {
        return RP_REFUSE_EXTRA_BYTES;
    }
    if (!ex->resp_framing.keepalive) {
        return RP_REFUSE_CLOSE_ASKED;
    }
    return ex->conf.no_reuse ? RP_REFUSE_DISABLED : RP_REFUSE_NONE;
}

static rp_move_e finish(rp_exchange_t *ex)
{
    int bytes;

    ex->conn->peer_keepalive_s = ex->resp_framing.keepalive_timeout_s;
    rp_ex_put(ex, reuse_verdict(ex));
    if (ex->discard) {
        apr_brigade_cleanup(ex->bb);
    }
    bytes = !APR_BRIGADE_EMPTY(ex->bb);
    if (ex->ops->finish(ex->ctx, ex->bb, RP_FAIL_NONE) != APR_SUCCESS && bytes) {
        ex->reason = RP_FAIL_CLIENT_GONE; /* a client that had all it wanted before may well be gone */
    }
    apr_brigade_cleanup(ex->bb);
    ex->at->reason = ex->reason;
    return rp_ex_go(ex, ex->reason == RP_FAIL_NONE ? RP_EX_DONE : RP_EX_FAILED);
}

/* The answer's half of transfer_wait: bits to wait for, until when, what it means when that passes. */
static unsigned answer_wait(rp_exchange_t *ex, apr_time_t *deadline, rp_reason_e *why)
{
    if (ex->recv == RP_RECV_BODY && rp_ex_client_stuck(ex)) {
        ex->stuck_us = ex->stuck_us ? ex->stuck_us : ex->now_us;
        *deadline = ex->stuck_us + ex->conf.client_us;
        *why = RP_FAIL_CLIENT_GONE;
        return RP_WAIT_CLIENT_WRITE;
    }
    ex->stuck_us = 0;
    *deadline = ex->progress_us + ex->conf.io_us;
    *why = ex->recv == RP_RECV_BODY ? RP_FAIL_BODY_TIMEOUT : RP_FAIL_HEAD_TIMEOUT;
    if (ex->discard && *deadline > ex->discard_until_us) {
        *deadline = ex->discard_until_us;
    }
    if (ex->recv == RP_RECV_HEAD && ex->conf.failover_us > 0 && ex->conf.failover_us < ex->conf.io_us && ex->send == RP_SEND_DONE) {
        *deadline = ex->progress_us + ex->conf.failover_us;
    }
    if (ex->recv == RP_RECV_HEAD && ex->conf.ping_us > 0 && !ex->got_100 && ex->send == RP_SEND_HOLD) {
        *deadline = ex->progress_us + ex->conf.ping_us;
        *why = RP_FAIL_PING_TIMEOUT;
    }
    return ex->at->sent > 0 ? RP_WAIT_BACKEND_READ : 0; /* nothing can be an answer before */
}

/*
 * The backend's clock runs only while we wait for the backend: for its answer once the request is out (or while the body is
 * held back), or for it to take more bytes. While we wait for the client's body, the client's clock runs; an answer that flows
 * meanwhile winds it up.
 */
static rp_move_e transfer_wait(rp_exchange_t *ex)
{
    unsigned mask;
    apr_time_t deadline;
    rp_reason_e why;

    if ((ex->unflushed || !APR_BRIGADE_EMPTY(ex->bb)) && rp_ex_flush_client(ex) != APR_SUCCESS) {
        return rp_ex_fail(ex, RP_FAIL_CLIENT_GONE, APR_SUCCESS, NULL);
    }
    mask = answer_wait(ex, &deadline, &why);
    if (!APR_BRIGADE_EMPTY(ex->out) || ex->flushing) {
        mask |= RP_WAIT_BACKEND_WRITE;
        if (ex->recv == RP_RECV_HEAD && why != RP_FAIL_PING_TIMEOUT) {
            why = RP_FAIL_WRITE_TIMEOUT;
        }
    }
    else if (ex->send == RP_SEND_BODY) {
        apr_time_t since = ex->client_wait_us;

        if (ex->recv == RP_RECV_BODY && ex->progress_us > since) {
            since = ex->progress_us;
        }
        mask |= RP_WAIT_CLIENT_READ;
        deadline = since + ex->conf.client_us;
        why = RP_FAIL_CLIENT_BODY_TIMEOUT;
    }
    else if (rp_ex_client_may_release(ex)) {
        mask |= RP_WAIT_CLIENT_READ;
    }
    return rp_ex_wait(ex, mask, deadline, why);
}

static rp_move_e transfer(rp_exchange_t *ex)
{
    int progress;

    do {
        progress = 0;
        rp_ex_send_some(ex, &progress);
        if (rp_ex_alive(ex) && ex->recv == RP_RECV_HEAD && ex->at->sent > 0) {
            rp_ex_recv_head(ex, &progress);
        }
        if (rp_ex_alive(ex) && ex->recv == RP_RECV_BODY) {
            rp_ex_recv_body(ex, &progress);
        }
        if (!rp_ex_alive(ex)) {
            return RP_MOVE_ON;
        }
        if (ex->recv == RP_RECV_DONE) {
            return finish(ex);
        }
    } while (progress);
    return transfer_wait(ex);
}

static rp_move_e run_state(rp_exchange_t *ex)
{
    switch (ex->state) {
    case RP_EX_PREFETCH: return rp_ex_prefetch(ex);
    case RP_EX_TAKE: return take(ex);
    case RP_EX_RESOLVE: return resolve(ex);
    case RP_EX_CONNECT: return connect_next(ex);
    case RP_EX_CONNECTING: return connecting(ex);
    case RP_EX_TLS: return tls(ex);
    case RP_EX_START: return rp_ex_start(ex);
    case RP_EX_TRANSFER: return transfer(ex);
    case RP_EX_TUNNEL: return rp_ex_tunnel_step(ex);
    case RP_EX_DONE:
    case RP_EX_FAILED: break;
    }
    return RP_MOVE_WAIT;
}

const char *rp_progress_str(rp_progress_e progress)
{
    static const char *const words[] = {"reads the request body", "waits for a connection", "looks the name up", "connects",
                                        "makes the TLS handshake", "sends the request", "waits for the answer",
                                        "passes the answer on", "is a tunnel", "has its answer"};

    return words[(unsigned)progress < sizeof(words) / sizeof(words[0]) ? progress : RP_PROGRESS_ENDED];
}

static rp_progress_e progress_of(const rp_exchange_t *ex)
{
    static const unsigned char of_state[] = {
        [RP_EX_PREFETCH] = RP_PROGRESS_REQUEST_BODY, [RP_EX_TAKE] = RP_PROGRESS_POOL, [RP_EX_RESOLVE] = RP_PROGRESS_RESOLVE,
        [RP_EX_CONNECT] = RP_PROGRESS_CONNECT, [RP_EX_CONNECTING] = RP_PROGRESS_CONNECT, [RP_EX_TLS] = RP_PROGRESS_TLS,
        [RP_EX_START] = RP_PROGRESS_SEND, [RP_EX_TRANSFER] = RP_PROGRESS_SEND, [RP_EX_TUNNEL] = RP_PROGRESS_TUNNEL,
        [RP_EX_DONE] = RP_PROGRESS_ENDED, [RP_EX_FAILED] = RP_PROGRESS_ENDED};

    if (ex->state != RP_EX_TRANSFER) {
        return (rp_progress_e)of_state[ex->state];
    }
    if (ex->recv == RP_RECV_BODY) {
        return RP_PROGRESS_RESPONSE_BODY;
    }
    return ex->send >= RP_SEND_DONE ? RP_PROGRESS_ANSWER : RP_PROGRESS_SEND;
}

static rp_step_e step_over(const rp_exchange_t *ex, rp_step_e step)
{
    if (ex->conf.progress != NULL) {
        __atomic_store_n(ex->conf.progress, (apr_uint32_t)progress_of(ex), __ATOMIC_RELAXED);
    }
    return step;
}

rp_step_e rp_exchange_step(rp_exchange_t *ex, apr_time_t now_us, unsigned ready)
{
    ex->now_us = now_us;
    ex->ready |= ready;
    for (;;) {
        rp_move_e move = run_state(ex);

        if (ex->state == RP_EX_DONE) {
            return step_over(ex, RP_STEP_DONE);
        }
        if (ex->state == RP_EX_FAILED) {
            return step_over(ex, RP_STEP_FAILED);
        }
        if (move == RP_MOVE_ON) {
            continue;
        }
        if (ex->wait.on_timeout == RP_FAIL_NONE || ex->now_us < ex->wait.deadline_us) {
            return step_over(ex, RP_STEP_WAIT);
        }
        (void)rp_ex_fail(ex, ex->wait.on_timeout, APR_TIMEUP, NULL);
    }
}

/* ---- questions ---- */

const rp_wait_t *rp_exchange_wait(const rp_exchange_t *ex) { return &ex->wait; }
rp_conn_t *rp_exchange_conn(const rp_exchange_t *ex) { return ex->conn; }
rp_worker_t *rp_exchange_worker(const rp_exchange_t *ex) { return ex->conf.worker; }
rp_endpoint_t *rp_exchange_endpoint(const rp_exchange_t *ex) { return ex->conf.endpoint; }
rp_reason_e rp_exchange_reason(const rp_exchange_t *ex) { return ex->reason; }
const char *rp_exchange_detail(const rp_exchange_t *ex) { return ex->detail; }
int rp_exchange_head_sent(const rp_exchange_t *ex) { return ex->head_sent; }
int rp_exchange_body_read(const rp_exchange_t *ex) { return ex->body_eos; }
int rp_exchange_tunnel(const rp_exchange_t *ex) { return ex->tunnel; }

const rp_attempt_t *rp_exchange_attempts(const rp_exchange_t *ex, int *n)
{
    *n = ex->nattempts;
    return ex->attempts;
}

void rp_exchange_client_gone(rp_exchange_t *ex, apr_time_t now_us)
{
    if (ex->state != RP_EX_DONE && ex->state != RP_EX_FAILED) {
        ex->now_us = now_us;
        (void)rp_ex_fail(ex, RP_FAIL_CLIENT_GONE, APR_SUCCESS, "while the backend was waited for");
    }
}

int rp_exchange_over(const rp_exchange_t *ex)
{
    return ex->state == RP_EX_DONE || ex->state == RP_EX_FAILED;
}

void rp_exchange_abort(rp_exchange_t *ex, apr_time_t now_us)
{
    if (!rp_exchange_over(ex)) {
        ex->now_us = now_us;
    }
    if (ex->granted) {
        ex->granted = 0;
        rp_permit_release(ex->conf.worker);
    }
    if (ex->at != NULL && ex->at->end_us == 0) {
        ex->at->reason = RP_FAIL_CLIENT_GONE;
    }
    rp_ex_put(ex, RP_REFUSE_ERROR);
    drop_addrs(ex);
    if (ex->state != RP_EX_DONE && ex->state != RP_EX_FAILED) {
        ex->reason = RP_FAIL_CLIENT_GONE;
        ex->state = RP_EX_FAILED;
    }
}
