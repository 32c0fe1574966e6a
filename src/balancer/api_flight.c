/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_flight.h"

#include <ap_mpm.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

#define VHOST_SIZE 64
#define REQUEST_SIZE 120
#define PLACES_MAX 1024  /* of one child */
#define LOOKS 8          /* places that a request looks at */

struct rp_flight_t {
    apr_uint32_t version;     /**< odd: being written; atomic */
    apr_uint32_t taken;       /**< atomic */
    apr_uint32_t step, tries; /**< rp_flight_step_e; atomic */
    apr_int32_t balancer;     /**< index of its slot */
    apr_int32_t member;       /**< index of its slot, or -1; atomic */
    apr_int64_t began_us;     /**< monotonic */
    char vhost[VHOST_SIZE], request[REQUEST_SIZE];
};

/** Places of one child. */
typedef struct row_t {
    apr_uint32_t pid;         /**< 0: free; atomic */
    apr_uint32_t lost;        /**< under way without a place; atomic */
    apr_uint32_t next;        /**< where the next one looks first; atomic */
    apr_uint32_t reserved;
    rp_flight_t places[];
} row_t;

static struct {
    char *rows;
    apr_size_t row_size, nplaces;
    int nrows;
    row_t *own;
} table;

static rp_flight_t lost; /* stands for a request that is only counted */

static row_t *row_at(int i) { return (row_t *)(table.rows + (apr_size_t)i * table.row_size); }

const char *rp_flight_step_str(rp_flight_step_e step)
{
    static const char *const words[] = {"chooses a member", "is at the member", "waits for a member", "has its answer"};

    return words[(unsigned)step % 4];
}

void rp_flights_configure(apr_pool_t *pconf, server_rec *s)
{
    int children = 1, threads = 1;
    apr_shm_t *shm = NULL;
    apr_status_t rv;

    memset(&table, 0, sizeof(table));
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_THREADS, &threads);
    table.nrows = children > 0 ? children : 1;
    table.nplaces = threads < 1 ? 1 : threads > PLACES_MAX ? PLACES_MAX : (apr_size_t)threads;
    table.row_size = APR_ALIGN(sizeof(row_t) + table.nplaces * sizeof(rp_flight_t), 64);
    rv = apr_shm_create(&shm, (apr_size_t)table.nrows * table.row_size, NULL, pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, "RP0790: no shared memory for the view of exchanges under way");
        return;
    }
    table.rows = apr_shm_baseaddr_get(shm);
    memset(table.rows, 0, (apr_size_t)table.nrows * table.row_size);
}

void rp_flights_child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_uint32_t pid = (apr_uint32_t)getpid();
    int i;

    (void)pchild, (void)s;
    table.own = NULL;
    for (i = 0; table.rows != NULL && i < table.nrows; i++) {
        apr_uint32_t expected = 0;
        if (__atomic_compare_exchange_n(&row_at(i)->pid, &expected, pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            table.own = row_at(i);
            return;
        }
    }
}

void rp_flights_child_gone(pid_t pid)
{
    int i;

    for (i = 0; table.rows != NULL && i < table.nrows; i++) {
        row_t *row = row_at(i);
        if (__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE) == (apr_uint32_t)pid) {
            memset(row->places, 0, table.nplaces * sizeof(rp_flight_t));
            __atomic_store_n(&row->lost, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&row->pid, 0, __ATOMIC_RELEASE);
            return;
        }
    }
}

/* ---- requests ---- */

static rp_flight_t *place_take(row_t *row)
{
    apr_uint32_t start = __atomic_fetch_add(&row->next, 1, __ATOMIC_RELAXED), i;

    for (i = 0; i < LOOKS && i < table.nplaces; i++) {
        rp_flight_t *f = &row->places[(start + i) % table.nplaces];
        if (__atomic_load_n(&f->taken, __ATOMIC_RELAXED) == 0
            && __atomic_exchange_n(&f->taken, 1, __ATOMIC_ACQ_REL) == 0) {
            return f;
        }
    }
    return NULL;
}

static void text_copy(char *to, apr_size_t size, const char *text)
{
    apr_size_t n = text != NULL ? strnlen(text, size - 1) : 0; /* on the path of each request: not byte by byte */

    if (n > 0) {
        memcpy(to, text, n);
    }
    to[n] = '\0';
}

rp_flight_t *rp_flight_begin(const request_rec *r, const rp_balancer_t *b)
{
    rp_flight_t *f;

    if (table.own == NULL) {
        return NULL;
    }
    f = place_take(table.own);
    if (f == NULL) {
        __atomic_fetch_add(&table.own->lost, 1, __ATOMIC_RELAXED);
        return &lost;
    }
    __atomic_fetch_add(&f->version, 1, __ATOMIC_ACQ_REL);
    f->step = RP_FLIGHT_CHOOSING;
    f->tries = 0;
    f->balancer = b->index;
    f->member = -1;
    f->began_us = rp_clock_now_us();
    text_copy(f->vhost, sizeof(f->vhost), r->server->server_hostname);
    text_copy(f->request, sizeof(f->request), r->the_request);
    __atomic_fetch_add(&f->version, 1, __ATOMIC_ACQ_REL);
    return f;
}

void rp_flight_step(rp_flight_t *f, rp_flight_step_e step, int member)
{
    if (f == NULL || f == &lost) {
        return;
    }
    __atomic_store_n(&f->member, member, __ATOMIC_RELAXED);
    __atomic_store_n(&f->tries, f->tries + (step == RP_FLIGHT_AT_MEMBER), __ATOMIC_RELAXED);
    __atomic_store_n(&f->step, step, __ATOMIC_RELEASE);
}

void rp_flight_end(rp_flight_t *f)
{
    if (f == &lost && table.own != NULL) {
        __atomic_fetch_sub(&table.own->lost, 1, __ATOMIC_RELAXED);
    }
    else if (f != NULL) {
        __atomic_store_n(&f->taken, 0, __ATOMIC_RELEASE);
    }
}

/* ---- the view ---- */

/* A copy that is whole; 0: the place is free or was being written. */
static int place_read(const rp_flight_t *f, rp_flight_t *out)
{
    apr_uint32_t version = __atomic_load_n(&f->version, __ATOMIC_ACQUIRE);

    if (!__atomic_load_n(&f->taken, __ATOMIC_ACQUIRE) || version & 1) {
        return 0;
    }
    memcpy(out, f, sizeof(*out));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    out->vhost[VHOST_SIZE - 1] = out->request[REQUEST_SIZE - 1] = '\0';
    return __atomic_load_n(&f->version, __ATOMIC_RELAXED) == version && __atomic_load_n(&f->taken, __ATOMIC_RELAXED);
}

static const rp_balancer_t *shown(const apr_array_header_t *visible, int index)
{
    int i;

    for (i = 0; i < visible->nelts; i++) {
        if (APR_ARRAY_IDX(visible, i, rp_balancer_t *)->index == index) {
            return APR_ARRAY_IDX(visible, i, rp_balancer_t *);
        }
    }
    return NULL;
}

static void flight_show(apr_pool_t *pool, const rp_flight_t *f, const rp_balancer_t *b, apr_uint32_t pid,
                        rp_show_flight_t *out)
{
    rp_member_settings_t settings;
    int i;

    out->age_us = rp_clock_now_us() - f->began_us;
    out->pid = (int)pid;
    out->vhost = apr_pstrdup(pool, f->vhost);
    out->request = apr_pstrdup(pool, f->request);
    out->balancer = b->conf->name + sizeof("balancer://") - 1;
    out->step = f->tries > 1
                    ? apr_psprintf(pool, "%s (try %u)", rp_flight_step_str((rp_flight_step_e)f->step), f->tries)
                    : rp_flight_step_str((rp_flight_step_e)f->step);
    for (i = 0; i < b->nslots; i++) {
        if (b->members[i].index == f->member && rp_shm_member_read(b->members[i].shm, &settings) == APR_SUCCESS) {
            out->member = apr_pstrdup(pool, settings.url);
        }
    }
}

static int by_age(const void *a, const void *b)
{
    apr_interval_time_t x = ((const rp_show_flight_t *)a)->age_us, y = ((const rp_show_flight_t *)b)->age_us;

    return x < y ? 1 : x > y ? -1 : 0;
}

void rp_flights_read(apr_pool_t *pool, const apr_array_header_t *visible, rp_show_t *show)
{
    apr_array_header_t *all = apr_array_make(pool, 32, sizeof(rp_show_flight_t));
    rp_flight_t copy;
    apr_size_t k;
    int i;

    for (i = 0; table.rows != NULL && i < table.nrows; i++) {
        const row_t *row = row_at(i);
        apr_uint32_t pid = __atomic_load_n(&row->pid, __ATOMIC_ACQUIRE);

        show->flights_lost += pid ? (int)__atomic_load_n(&row->lost, __ATOMIC_RELAXED) : 0;
        for (k = 0; pid != 0 && k < table.nplaces; k++) {
            const rp_balancer_t *b = place_read(&row->places[k], &copy) ? shown(visible, copy.balancer) : NULL;
            if (b != NULL) {
                flight_show(pool, &copy, b, pid, apr_array_push(all));
            }
        }
    }
    qsort(all->elts, (size_t)all->nelts, sizeof(rp_show_flight_t), by_age);
    show->flights = (rp_show_flight_t *)all->elts;
    show->nflights = all->nelts;
}
