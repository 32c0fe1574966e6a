/* SPDX-License-Identifier: Apache-2.0 */
/* The fakes, and what drives them: see world.h. */
#include "world.h"

apr_pool_t *root;
rp_worker_t worker;
rp_endpoint_t endpoint;
rp_exchange_conf_t base_conf;
world_t W;

static world_t *world;
static char addrset_stand_in;

static int block_now(void)
{
    if (!world->slow) {
        return 0;
    }
    world->again = world->again * 1103515245u + 12345u; /* irregular, the same in every run */
    return (world->again >> 16) & 1;
}

/* Count the call; 1: it shall fail. */
static int fault(fault_e f)
{
    world->after_end |= world->ended && f != F_SHUTDOWN_WRITE;
    world->calls[f]++;
    return world->calls[f] == world->fault_at[f];
}

/* ---- backend ---- */

static int this_conn(void) { return world->nconn - 1; }

static int gate_open(int i)
{
    const char *gate = world->script->gate[i];

    return world->flush_left == 0 && (gate == NULL || strstr(world->backend_saw[i], gate) != NULL);
}

static apr_size_t response_left(int i)
{
    const char *text = world->script->responses[i];

    apr_size_t have;

    if (text == NULL) {
        return 0;
    }
    have = gate_open(i) ? strlen(text) : world->flush_left == 0 ? world->script->gate_from[i] : 0;
    return have > world->rpos ? have - world->rpos : 0;
}

static int backend_readable(void)
{
    int i = this_conn();

    return world->script->end[i] == END_DEAD || response_left(i) > 0 || (gate_open(i) && world->script->end[i] != END_OPEN);
}

static apr_size_t backend_room(void)
{
    int i = this_conn();
    apr_size_t takes = world->script->takes[i];

    return takes == 0 ? SEEN_MAX / 16 - world->nbackend[i] - 1 : takes > world->nbackend[i] ? takes - world->nbackend[i] : 0;
}

static int backend_writable(void)
{
    return backend_room() > 0 || world->script->takes_then_breaks || world->script->end[this_conn()] == END_DEAD;
}

static apr_status_t fake_recv(rp_conn_t *conn, char *buf, apr_size_t *len)
{
    int i = this_conn();
    apr_size_t left = response_left(i);

    (void)conn;
    if (fault(F_RECV)) {
        return world->fault_rv;
    }
    if (world->script->end[i] == END_DEAD) {
        return APR_ECONNRESET;
    }
    if (left == 0) {
        switch (gate_open(i) ? world->script->end[i] : END_OPEN) {
        case END_UNCLEAN: conn->unclean_eof = 1; return APR_EOF;
        case END_EOF: return APR_EOF;
        case END_RESET: return APR_ECONNRESET;
        case END_ETIMEDOUT: return ETIMEDOUT;
        default: return APR_EAGAIN;
        }
    }
    if (block_now()) {
        return APR_EAGAIN;
    }
    if (world->slow) {
        left = 1;
    }
    *len = *len < left ? *len : left;
    memcpy(buf, world->script->responses[i] + world->rpos, *len);
    world->rpos += *len;
    return APR_SUCCESS;
}

static apr_status_t fake_sendv(rp_conn_t *conn, const struct iovec *vec, int nvec, apr_size_t *sent)
{
    int i, k = this_conn();
    apr_size_t room = backend_room();

    (void)conn;
    *sent = 0;
    if (fault(F_SENDV)) {
        return world->fault_rv;
    }
    if (world->script->end[k] == END_DEAD) {
        return APR_EPIPE;
    }
    if (block_now()) {
        return APR_EAGAIN;
    }
    if (room == 0) {
        return world->script->takes_then_breaks ? APR_ECONNRESET : APR_EAGAIN;
    }
    for (i = 0; i < nvec && room > 0; i++) {
        apr_size_t n = world->slow ? 1 : vec[i].iov_len;
        n = n < room ? n : room;
        memcpy(world->backend_saw[k] + world->nbackend[k], vec[i].iov_base, n);
        world->nbackend[k] += n;
        room -= n;
        *sent += n;
        if (world->slow) {
            break;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t fake_flush(rp_conn_t *conn)
{
    (void)conn;
    if (fault(F_FLUSH)) {
        return world->fault_rv;
    }
    if (world->flush_left > 0) {
        world->flush_left--;
        return APR_EAGAIN;
    }
    return APR_SUCCESS;
}

static apr_status_t fake_shutdown(rp_conn_t *conn)
{
    (void)conn;
    world->shut_backend++;
    return fault(F_SHUTDOWN_WRITE) ? world->fault_rv : APR_SUCCESS;
}

static int fake_buffered(rp_conn_t *conn)
{
    int i = this_conn();
    apr_size_t buffered = world->script->in_buffer;

    (void)conn;
    return i >= 0 && buffered > world->rpos && response_left(i) > 0 ? (int)(buffered - world->rpos) : 0;
}

static void fake_close(rp_conn_t *conn) { (void)conn; }

static const rp_conn_ops_t fake_ops = {fake_recv, fake_sendv, fake_flush, fake_shutdown, fake_buffered, fake_close};

/* ---- upstream ---- */

apr_status_t rp_pool_take(rp_endpoint_t *ep, rp_worker_t *w, void *pinned_to, int flags, apr_time_t now_us, rp_conn_t **out)
{
    rp_conn_t *conn;

    (void)pinned_to, (void)now_us;
    *out = NULL;
    world->take_flags = flags;
    if (flags & RP_TAKE_GRANTED) {
        world->grants--;
    }
    if (fault(F_TAKE)) {
        return world->fault_rv;
    }
    if (world->ntakes++ < world->script->pool_waits) {
        return APR_EAGAIN;
    }
    ck_assert_int_lt(world->nconn, WORLD_CONNS);
    conn = apr_pcalloc(world->pool, sizeof(*conn));
    conn->endpoint = ep;
    conn->worker = w;
    conn->ops = &fake_ops;
    conn->state = RP_CONN_NEW;
    conn->is_tls = world->script->tls;
    if (world->script->reused[world->nconn]) {
        ck_assert(!(flags & RP_TAKE_FRESH));
        conn->state = RP_CONN_READY;
        conn->requests = 1;
    }
    world->nconn++;
    world->rpos = 0;
    *out = conn;
    return APR_SUCCESS;
}

rp_refuse_e rp_pool_put(rp_conn_t *conn, rp_refuse_e why, apr_time_t now_us)
{
    (void)conn, (void)now_us;
    world->nput++;
    world->refused[this_conn()] = why;
    return why;
}

apr_status_t rp_address_cached(rp_address_t *a, apr_time_t now_us, apr_interval_time_t max_age_us, rp_addrset_t **out)
{
    (void)a, (void)now_us, (void)max_age_us;
    if (!world->script->cached) {
        return APR_EAGAIN;
    }
    world->addr_refs++;
    *out = (rp_addrset_t *)&addrset_stand_in;
    return APR_SUCCESS;
}

int rp_addrset_count(const rp_addrset_t *set)
{
    (void)set;
    return world->script->naddr ? world->script->naddr : 1;
}

apr_sockaddr_t *rp_addrset_at(const rp_addrset_t *set, int i)
{
    ck_assert_ptr_eq(set, &addrset_stand_in);
    ck_assert_int_lt(i, rp_addrset_count(set));
    return NULL;
}

void rp_addrset_unref(rp_addrset_t *set)
{
    (void)set;
    world->addr_refs--;
}

int rp_pool_free_one(rp_endpoints_t *eps)
{
    (void)eps;
    return 0;
}

apr_status_t rp_conn_connect_start(rp_conn_t *conn, apr_sockaddr_t *addr, apr_time_t now_us)
{
    (void)addr, (void)now_us;
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    world->nconnects++;
    if (fault(F_CONNECT_START)) {
        return world->fault_rv;
    }
    conn->state = RP_CONN_CONNECTING;
    return APR_EINPROGRESS;
}

apr_status_t rp_conn_connect_finish(rp_conn_t *conn)
{
    apr_status_t rv = world->script->connect[world->nconnects > 8 ? 7 : world->nconnects - 1];

    if (fault(F_CONNECT_FINISH)) {
        return world->fault_rv;
    }
    if (world->connect_left > 0) {
        world->connect_left--;
        return APR_EINPROGRESS;
    }
    if (world->script->responses[this_conn()] == NULL) {
        return APR_ECONNREFUSED;
    }
    if (rv == APR_SUCCESS) {
        conn->state = conn->is_tls ? RP_CONN_CONNECTED : RP_CONN_READY;
    }
    return rv;
}

void rp_permit_release(rp_worker_t *w)
{
    (void)w;
    world->grants--;
    world->released++;
}

void rp_conn_reset(rp_conn_t *conn) { conn->state = RP_CONN_NEW; }

/* ---- client ---- */

static apr_size_t body_left(void)
{
    apr_size_t all = world->script->body ? strlen(world->script->body) : 0;
    apr_size_t stop = world->script->body_stops;

    if (world->script->body_gate_interim && world->interims == 0) {
        return 0;
    }
    return (stop > 0 && stop < all ? stop : all) - world->bpos;
}

static int body_stopped(void)
{
    return (world->script->body_stops > 0 && world->bpos >= world->script->body_stops)
           || (world->script->body_gate_interim && world->interims == 0);
}

static apr_status_t cl_read_body(void *ctx, apr_bucket_brigade *bb, apr_off_t max, int *eos, rp_reason_e *why)
{
    apr_size_t left = body_left();
    apr_size_t n = left < (apr_size_t)max ? left : (apr_size_t)max;

    (void)ctx;
    ck_assert_msg(max > 0, "a read of nothing");
    *eos = 0;
    if (fault(F_READ_BODY)) {
        *why = RP_FAIL_CLIENT_GONE;
        return world->fault_rv;
    }
    if (block_now() || (n == 0 && body_stopped())) {
        return APR_EAGAIN;
    }
    if (n == 0 && world->script->body_error) {
        *why = world->script->body_why;
        return world->script->body_error;
    }
    if (world->slow && n > 1) {
        n = 1;
    }
    if (world->script->body_piece && n > world->script->body_piece) {
        n = world->script->body_piece;
    }
    if (n > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(world->script->body + world->bpos, n, world->ba));
        world->bpos += n;
    }
    *eos = world->script->body_error == 0 && world->bpos == strlen(world->script->body);
    return APR_SUCCESS;
}

static apr_status_t cl_spool(void *ctx, apr_bucket_brigade *bb, rp_reason_e *why)
{
    apr_bucket *b;

    (void)ctx;
    if (fault(F_SPOOL)) {
        *why = RP_FAIL_LOCAL_RESOURCE;
        return world->fault_rv;
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        ck_assert_int_eq(apr_bucket_setaside(b, world->pool), APR_SUCCESS);
    }
    return APR_SUCCESS;
}

static char borrowed[64]; /* a head's bytes, which do not outlive the step */

static apr_status_t cl_request_head(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head, apr_size_t *len)
{
    (void)ctx;
    if (fault(F_REQUEST_HEAD)) {
        return world->fault_rv;
    }
    switch (framing) {
    case RP_REQ_NO_BODY: apr_cpystrn(borrowed, "HEAD none\n", sizeof(borrowed)); break;
    case RP_REQ_CHUNKED: apr_cpystrn(borrowed, "HEAD chunked\n", sizeof(borrowed)); break;
    case RP_REQ_LENGTH:
    default: apr_snprintf(borrowed, sizeof(borrowed), "HEAD %d\n", (int)length); break;
    }
    *head = borrowed;
    *len = strlen(borrowed);
    return APR_SUCCESS;
}

static void saw(const char *p, apr_size_t n)
{
    ck_assert(world->nclient + n < SEEN_MAX);
    memcpy(world->client_saw + world->nclient, p, n);
    world->nclient += n;
}

static apr_status_t cl_interim(void *ctx, const rp_h1_resp_t *resp)
{
    (void)ctx, (void)resp;
    if (fault(F_INTERIM)) {
        return world->fault_rv;
    }
    world->interims++;
    return APR_SUCCESS;
}

static void cl_trailers(void *ctx, const rp_h1_resp_t *trailers)
{
    (void)ctx;
    ck_assert(world->head_status != 0 && !world->finished);
    world->trailers += trailers->nfields;
}

static apr_status_t cl_head(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard)
{
    (void)ctx, (void)framing;
    if (fault(F_HEAD)) {
        return world->fault_rv;
    }
    ck_assert_int_eq(world->head_status, 0);
    world->head_status = resp->status;
    *discard = world->script->discard;
    return APR_SUCCESS;
}

/* The client gets these bytes. */
static void take(apr_bucket_brigade *bb)
{
    apr_bucket *b;
    int buckets = 0;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        const char *p;
        apr_size_t n;
        ck_assert_int_eq(apr_bucket_read(b, &p, &n, APR_BLOCK_READ), APR_SUCCESS);
        saw(p, n);
        buckets++;
    }
    world->most_buckets = buckets > world->most_buckets ? buckets : world->most_buckets;
    apr_brigade_cleanup(bb);
}

static apr_status_t cl_write(void *ctx, apr_bucket_brigade *bb, int flush, int may_wait)
{
    (void)ctx;
    ck_assert_msg(world->head_status != 0, "body before the head");
    ck_assert_msg(!world->finished, "body behind the end");
    ck_assert_msg(!world->script->client_stuck || may_wait, "a write to a client that takes nothing");
    world->flushes += flush != 0;
    world->writes++;
    world->waiting_writes += may_wait != 0;
    if (fault(F_WRITE)) {
        apr_brigade_cleanup(bb);
        return world->fault_rv;
    }
    take(bb);
    return APR_SUCCESS;
}

static int cl_backlog(void *ctx)
{
    (void)ctx;
    return world->slow ? block_now() : world->script->client_stuck;
}

static apr_status_t cl_finish(void *ctx, apr_bucket_brigade *bb, rp_reason_e reason)
{
    (void)ctx;
    world->finished++;
    world->finish_reason = reason;
    if (fault(F_FINISH)) {
        apr_brigade_cleanup(bb);
        return world->fault_rv;
    }
    take(bb);
    return APR_SUCCESS;
}

static apr_status_t cl_tunnel_start(void *ctx, const rp_h1_resp_t *resp)
{
    (void)ctx, (void)resp;
    if (fault(F_TUNNEL_START)) {
        return world->fault_rv;
    }
    world->tunnel_opened = 1;
    world->flush_left = world->script->tunnel_flush_again;
    return APR_SUCCESS;
}

static apr_size_t tunnel_left(void)
{
    return world->script->tunnel_in ? strlen(world->script->tunnel_in) - world->tpos : 0;
}

static apr_status_t cl_tunnel_read(void *ctx, char *buf, apr_size_t *len)
{
    apr_size_t left = tunnel_left();

    (void)ctx;
    if (fault(F_TUNNEL_READ)) {
        return world->fault_rv;
    }
    if (left == 0) {
        return world->script->tunnel_open ? APR_EAGAIN : APR_EOF;
    }
    if (block_now()) {
        return APR_EAGAIN;
    }
    if (world->slow) {
        left = 1;
    }
    *len = *len < left ? *len : left;
    memcpy(buf, world->script->tunnel_in + world->tpos, *len);
    world->tpos += *len;
    return APR_SUCCESS;
}

static apr_status_t cl_tunnel_write(void *ctx, const char *buf, apr_size_t *len)
{
    (void)ctx;
    if (fault(F_TUNNEL_WRITE)) {
        return world->fault_rv;
    }
    if (block_now() || world->script->client_stuck) {
        return APR_EAGAIN;
    }
    *len = world->slow ? 1 : *len;
    saw(buf, *len);
    return APR_SUCCESS;
}

static apr_status_t cl_tunnel_shutdown(void *ctx)
{
    (void)ctx;
    if (fault(F_TUNNEL_SHUTDOWN)) {
        return world->fault_rv;
    }
    world->shut_client++;
    return APR_SUCCESS;
}

static const rp_client_ops_t client_ops = {
    .read_body = cl_read_body, .spool = cl_spool, .request_head = cl_request_head, .interim = cl_interim, .head = cl_head, .trailers = cl_trailers,
    .write = cl_write, .backlog = cl_backlog, .finish = cl_finish, .tunnel_start = cl_tunnel_start, .tunnel_read = cl_tunnel_read,
    .tunnel_write = cl_tunnel_write, .tunnel_shutdown = cl_tunnel_shutdown,
};

/* ---- driving ---- */

void world_setup(void)
{
    apr_initialize();
    apr_pool_create(&root, NULL);
    memset(&base_conf, 0, sizeof(base_conf));
    memset(&worker.own_stat, 0, sizeof(worker.own_stat));
    worker.stat = &worker.own_stat;
    base_conf.worker = &worker;
    base_conf.endpoint = &endpoint;
    base_conf.connect_us = base_conf.io_us = base_conf.acquire_us = 1000000;
    base_conf.client_us = base_conf.tunnel_us = 1000000;
    base_conf.limits.max_line = 8192;
    base_conf.limits.max_head = 131072;
    base_conf.limits.max_fields = 100;
    base_conf.idempotent = 1;
    base_conf.body_length = -1;
    base_conf.dns_max_age_us = -1;
}

void world_teardown(void) { apr_pool_destroy(root); }

rp_exchange_t *world_begin(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, int slow)
{
    int fault_at[F_COUNT];
    apr_status_t fault_rv = w->fault_rv;

    memcpy(fault_at, w->fault_at, sizeof(fault_at)); /* set by the caller before */
    memset(w, 0, sizeof(*w));
    memcpy(w->fault_at, fault_at, sizeof(fault_at));
    w->fault_rv = fault_rv ? fault_rv : APR_ECONNABORTED;
    world = w;
    apr_pool_create(&w->pool, root);
    w->ba = apr_bucket_alloc_create(w->pool);
    w->script = script;
    w->conf = conf;
    w->slow = slow;
    w->now = 1000;
    w->flush_left = script->flush_again;
    w->connect_left = script->connect_again;
    endpoint.address.literal = script->literal;
    w->ex = rp_exchange_create(w->pool, w->ba, conf, &client_ops, w);
    return w->ex;
}

static unsigned truly_ready(world_t *w, unsigned mask)
{
    unsigned ready = 0;

    if (w->ex->conn != NULL) {
        if (w->ex->state == RP_EX_CONNECTING) {
            return w->connect_left > 100 ? 0 : RP_WAIT_BACKEND_WRITE;
        }
        ready |= backend_readable() && fake_buffered(NULL) == 0 ? RP_WAIT_BACKEND_READ : 0;
        ready |= backend_writable() ? RP_WAIT_BACKEND_WRITE : 0;
    }
    if (w->tunnel_opened) {
        ready |= tunnel_left() > 0 || !w->script->tunnel_open ? RP_WAIT_CLIENT_READ : 0;
    }
    else {
        ready |= w->script->body && !body_stopped() ? RP_WAIT_CLIENT_READ : 0;
    }
    ready |= w->script->client_stuck ? 0 : RP_WAIT_CLIENT_WRITE;
    return ready & mask;
}

/* What the driver does for the exchange. */
static void serve(world_t *w, unsigned mask)
{
    if (mask & RP_WAIT_RESOLVE) {
        w->nresolves++;
        if (w->script->resolve_fails) {
            rp_exchange_resolved(w->ex, APR_ENOENT, NULL);
        }
        else {
            w->addr_refs++;
            rp_exchange_resolved(w->ex, APR_SUCCESS, (rp_addrset_t *)&addrset_stand_in);
        }
    }
    if (mask & RP_WAIT_TLS) {
        if (w->script->tls_result == APR_SUCCESS) {
            rp_exchange_conn(w->ex)->state = RP_CONN_READY;
        }
        rp_exchange_tls_done(w->ex, w->script->tls_result, "no certificate");
    }
    if ((mask & RP_WAIT_POOL) && w->ntakes <= w->script->pool_waits && w->script->pool_waits < 100) {
        w->grants++;
        rp_exchange_permit_granted(w->ex);
    }
}

static apr_size_t moved(const world_t *w)
{
    return w->nclient + w->nbackend[0] + w->nbackend[1] + w->nbackend[2] + w->rpos + w->bpos + w->tpos + (apr_size_t)w->nconn
           + (apr_size_t)w->interims + (apr_size_t)w->nconnects + (apr_size_t)w->ntakes + (apr_size_t)w->flush_left;
}

rp_step_e world_run(world_t *w, int steps)
{
    unsigned ready = RP_WAIT_CLIENT_READ | RP_WAIT_CLIENT_WRITE;
    apr_size_t before = 0;
    int turns, idle = 0;

    for (turns = 0; turns < 200000; turns++) {
        const rp_wait_t *wait;
        rp_step_e step;
        apr_size_t sum;

        if (turns == steps) {
            return RP_STEP_WAIT;
        }
        step = rp_exchange_step(w->ex, w->now, ready);
        memset(borrowed, '?', sizeof(borrowed));
        if (step != RP_STEP_WAIT) {
            w->ended = 1;
            return step;
        }
        wait = rp_exchange_wait(w->ex);
        ck_assert_msg(wait->mask != 0, "waits for nothing");
        serve(w, wait->mask);
        sum = moved(w);
        idle = sum == before ? idle + 1 : 0;
        before = sum;
        ready = wait->mask & 0x0f;
        if (!w->slow) {
            ready = truly_ready(w, ready);
            ck_assert_msg(idle < 10 || !ready, "busy loop: waits for %#x, ready %#x", wait->mask, ready);
        }
        if ((w->slow && idle > 200) || (!w->slow && !ready && !(wait->mask & (RP_WAIT_RESOLVE | RP_WAIT_TLS)) && w->ex->granted == 0)) {
            if (w->stop_idle) {
                return RP_STEP_WAIT;
            }
            ck_assert_msg(wait->deadline_us < w->now + 100000000, "waits for ever");
            w->now = wait->deadline_us;
            ready = 0;
        }
        w->now++;
    }
    ck_abort_msg("no end after %d turns", turns);
    return RP_STEP_WAIT;
}

void world_settle(world_t *w)
{
    ck_assert_uint_eq(worker.own_stat.attempts, 0); /* none is under way */
    int n, i;
    const rp_attempt_t *at = rp_exchange_attempts(w->ex, &n);

    ck_assert_msg(!w->after_end, "called after the end");
    ck_assert_int_eq(w->nput, w->nconn);
    ck_assert_int_eq(w->addr_refs, 0);
    ck_assert_int_eq(w->grants, 0);
    ck_assert_int_le(w->finished, 1);
    ck_assert_ptr_null(rp_exchange_conn(w->ex));
    for (i = 0; i < n; i++) {
        ck_assert(at[i].end_us > 0);
    }
}

rp_step_e drive(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, int slow, rp_exchange_t **pex)
{
    rp_step_e step;

    *pex = world_begin(w, script, conf, slow);
    step = world_run(w, -1);
    world_settle(w);
    if (!rp_exchange_tunnel(*pex)) {
        ck_assert_int_eq(w->finished, w->head_status != 0);
    }
    ck_assert_int_eq(step == RP_STEP_DONE, rp_exchange_reason(*pex) == RP_FAIL_NONE);
    return step;
}

rp_step_e both(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, rp_exchange_t **pex)
{
    static world_t slow;
    rp_exchange_t *ex;
    rp_step_e s = drive(&slow, script, conf, 1, &ex), f;
    rp_reason_e why = rp_exchange_reason(ex);
    int i;

    f = drive(w, script, conf, 0, pex);
    ck_assert_str_eq(rp_failure(why)->name, rp_failure(rp_exchange_reason(*pex))->name);
    ck_assert_int_eq(s, f);
    ck_assert_uint_eq(slow.nclient, w->nclient);
    ck_assert_mem_eq(slow.client_saw, w->client_saw, w->nclient);
    ck_assert_int_eq(slow.head_status, w->head_status);
    ck_assert_int_eq(slow.interims, w->interims);
    ck_assert_int_eq(slow.trailers, w->trailers);
    ck_assert_int_eq(slow.nconn, w->nconn);
    ck_assert_int_eq(slow.finished, w->finished);
    for (i = 0; i < w->nconn && i < WORLD_CONNS; i++) {
        ck_assert_int_eq(slow.refused[i], w->refused[i]);
    }
    return f;
}

void expect_answer(const script_t *s, const rp_exchange_conf_t *c, int status, const char *body, rp_refuse_e refuse)
{
    rp_exchange_t *ex;

    ck_assert_int_eq(both(&W, s, c, &ex), RP_STEP_DONE);
    ck_assert_int_eq(W.head_status, status);
    ck_assert_uint_eq(W.nclient, strlen(body));
    ck_assert_mem_eq(W.client_saw, body, W.nclient);
    ck_assert_int_eq(W.finished, 1);
    ck_assert_int_eq(W.finish_reason, RP_FAIL_NONE);
    ck_assert_int_eq(W.refused[W.nconn - 1], refuse);
}

void expect_failure(const script_t *s, const rp_exchange_conf_t *c, rp_reason_e reason, int connections)
{
    rp_exchange_t *ex;

    ck_assert_int_eq(both(&W, s, c, &ex), RP_STEP_FAILED);
    ck_assert_str_eq(rp_failure(rp_exchange_reason(ex))->name, rp_failure(reason)->name);
    ck_assert_int_eq(W.nconn, connections);
}

rp_exchange_t *expect_gulp(const script_t *s, const rp_exchange_conf_t *c, rp_step_e step, rp_reason_e reason)
{
    rp_exchange_t *ex;
    rp_step_e got = drive(&W, s, c, 0, &ex);

    ck_assert_str_eq(rp_failure(rp_exchange_reason(ex))->name, rp_failure(reason)->name);
    ck_assert_int_eq(got, step);
    return ex;
}

static SRunner *runner;

TCase *world_tcase(const char *name)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, world_setup, world_teardown);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    return tc;
}

int world_main(TCase *tc)
{
    int failed;

    (void)tc;
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
