/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/persist_live.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <unistd.h>

#include "balancer/persist_keep.h"
#include "balancer/persist_writer.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

#define FILE_NAME "rproxy-state"
#define COUNTERS_EVERY apr_time_from_sec(60)
#define WAIT_MAX apr_time_from_sec(2) /* of an answer to who changed something */
#define TRY_EVERY apr_time_from_sec(10) /* what could not be written, and counters that are old enough */

static struct {
    server_rec *server;
    const apr_array_header_t *balancers; /**< those with BalancerPersist On: of rp_balancer_t *; NULL: none */
    const char *path;
    pid_t owner;
    apr_uint64_t changes;  /**< sum of their counters at the last write */
    apr_uint32_t written;  /**< hash of what was written last */
    apr_time_t written_us; /**< monotonic */
    int failed;            /**< the last write did; said once */
} state;

void rp_persist_configure(apr_pool_t *pconf, server_rec *s, const rproxy_api_t *core,
                          const apr_array_header_t *balancers)
{
    apr_array_header_t *on = apr_array_make(pconf, balancers->nelts + 1, sizeof(rp_balancer_t *));
    int i;

    for (i = 0; i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);
        if (core->balancer_persist(b->conf->server) == 1) {
            APR_ARRAY_PUSH(on, rp_balancer_t *) = b;
        }
    }
    memset(&state, 0, sizeof(state));
    state.server = s;
    state.owner = getpid();
    state.path = ap_runtime_dir_relative(pconf, FILE_NAME);
    if (on->nelts > 0) {
        state.balancers = on;
    }
    else if (unlink(state.path) == 0) { /* what was switched off must not come back one day */
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "RP0788: no server has BalancerPersist On any more: %s was removed", state.path);
    }
}

static const rp_balancer_t *with_key(const char *key)
{
    int i;

    for (i = 0; i < state.balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(state.balancers, i, rp_balancer_t *);
        if (strcmp(b->key, key) == 0) {
            return b;
        }
    }
    return NULL;
}

static rp_persist_now_t clocks(void)
{
    rp_persist_now_t now = {rp_clock_now_us(), apr_time_now()};

    return now;
}

/* Rows of balancers that still have BalancerPersist On. */
static apr_array_header_t *wanted(apr_pool_t *pool, const apr_array_header_t *rows)
{
    apr_array_header_t *out = apr_array_make(pool, rows->nelts + 1, sizeof(rp_persist_row_t));
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const rp_persist_row_t *r = &APR_ARRAY_IDX(rows, i, rp_persist_row_t);
        if (with_key(r->scope) != NULL) {
            APR_ARRAY_PUSH(out, rp_persist_row_t) = *r;
        }
    }
    return out;
}

/* Damaged: out of the way of the next write, but there for people to look at. */
static void put_aside(apr_pool_t *pool, const char *why)
{
    const char *aside = apr_pstrcat(pool, state.path, ".refused", NULL);
    int moved = rename(state.path, aside) == 0;

    ap_log_error(APLOG_MARK, APLOG_ERR, 0, state.server, "RP0786: %s is refused: %s; balancers begin as configured%s%s",
                 state.path, why, moved ? "; it is now " : "", moved ? aside : "");
}

rp_keep_t *rp_persist_load(apr_pool_t *pool)
{
    apr_array_header_t *rows;
    rp_keep_t *keep = NULL;
    const char *text, *why;
    apr_size_t len;
    apr_status_t rv;

    if (state.balancers == NULL) {
        return NULL;
    }
    rv = rp_persist_read(pool, state.path, &text, &len);
    if (rv != APR_SUCCESS) {
        if (!APR_STATUS_IS_ENOENT(rv)) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, state.server,
                         "RP0785: the state of balancers in %s can not be read (it must be a file of this user or of "
                         "root that nobody else "
                         "may write, of at most %d bytes); balancers begin as configured",
                         state.path, RP_PERSIST_BYTES_MAX);
        }
        return NULL;
    }
    rv = rp_persist_decode(pool, text, len, &rows, &why);
    if (rv == APR_SUCCESS) {
        keep = rp_persist_keep(pool, wanted(pool, rows), clocks(), &why);
    }
    if (keep == NULL) {
        put_aside(pool, why);
    }
    return keep;
}

static apr_uint64_t changes_sum(void)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < state.balancers->nelts; i++) {
        sum += __atomic_load_n(&APR_ARRAY_IDX(state.balancers, i, rp_balancer_t *)->shm->changes, __ATOMIC_ACQUIRE);
    }
    return sum;
}

static apr_status_t text_make(apr_pool_t *pool, const char **text, apr_size_t *len)
{
    rp_keep_t *keep = rp_keep_take(pool, state.balancers, 0);
    apr_array_header_t *rows = apr_array_make(pool, 256, sizeof(rp_persist_row_t));
    apr_status_t rv;
    int i;

    if (keep == NULL) {
        return APR_ENOMEM;
    }
    for (i = 0; i < keep->balancers->nelts; i++) {
        const rp_kept_t *kept = APR_ARRAY_IDX(keep->balancers, i, rp_kept_t *);
        rp_persist_rows(pool, kept, APR_ARRAY_IDX(state.balancers, i, rp_balancer_t *)->conf->name, clocks(), rows);
    }
    rv = rp_persist_encode(pool, rows, text, len);
    apr_pool_destroy(keep->pool);
    return rv;
}

static void save(apr_pool_t *pool)
{
    const char *text;
    apr_size_t len;
    apr_uint32_t hash;
    apr_status_t rv = text_make(pool, &text, &len);

    hash = rv == APR_SUCCESS ? rp_shm_hash(text, len) : 0;
    if (rv == APR_SUCCESS && hash == state.written && !state.failed) {
        return;
    }
    if (rv == APR_SUCCESS) {
        rv = rp_persist_write(pool, state.path, text, len);
    }
    if (rv != APR_SUCCESS && !state.failed) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, state.server,
                     "RP0787: the state of balancers could not be written to %s; it is tried again, and lost if the "
                     "server stops before",
                     state.path);
    }
    state.failed = rv != APR_SUCCESS;
    state.written = hash;
}

/* What is written has at least these changes. */
static void save_as(apr_pool_t *pool, apr_uint64_t changes)
{
    state.changes = changes;
    state.written_us = rp_clock_now_us();
    save(pool);
}

static int is_due(apr_uint64_t changes)
{
    return state.failed || changes != state.changes || rp_clock_now_us() - state.written_us > COUNTERS_EVERY;
}

void rp_persist_save(void)
{
    apr_pool_t *pool;

    if (state.balancers == NULL || state.owner != getpid() || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return;
    }
    save_as(pool, changes_sum());
    apr_pool_destroy(pool);
}

/* On the writer's thread. */
static apr_uint64_t write_now(apr_pool_t *pool, int *failed)
{
    apr_uint64_t changes = changes_sum();

    if (is_due(changes)) {
        save_as(pool, changes);
    }
    *failed = state.failed;
    return changes;
}

void rp_persist_start(apr_pool_t *pconf)
{
    apr_status_t rv;

    if (state.balancers == NULL) {
        return;
    }
    rv = rp_persist_writer_start(pconf, write_now, TRY_EVERY);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, state.server,
                     "RP0356: the main process has no thread that writes %s: changes are written within ten seconds; raise the limits "
                     "of threads and open files (ulimit -u, -n)", state.path);
    }
}

int rp_persist_wait(const rp_balancer_t *b)
{
    int i, on = 0;

    for (i = 0; state.balancers != NULL && i < state.balancers->nelts && !on; i++) {
        on = APR_ARRAY_IDX(state.balancers, i, const rp_balancer_t *) == b;
    }
    return on ? rp_persist_writer_wait(changes_sum(), WAIT_MAX) == APR_SUCCESS : -1;
}

int rp_persist_monitor(apr_pool_t *p, server_rec *s)
{
    (void)p, (void)s;
    if (!rp_persist_writer_runs() && state.balancers != NULL && rp_shared_map()->header != NULL && is_due(changes_sum())) {
        rp_persist_save();
    }
    return DECLINED;
}
