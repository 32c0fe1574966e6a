/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/flights.h"

#include <apr_shm.h>
#include <stddef.h>
#include <string.h>

#include "upstream/process.h"

#define MAGIC 0x52504658u
#define PLACES_MIN 16
#define PLACES_PER_THREAD 64 /* an event loop serves many connections */
#define ROW_ALIGN 64

struct rp_flight_row_t {
    apr_uint32_t pid;     /**< 0: free; atomic */
    apr_uint32_t lost;    /**< under way without a place; atomic */
    apr_uint64_t free;    /**< the free ones, last given back first: place from 1, 0 none; above it how often this was written; atomic */
    apr_uint32_t fresh;   /**< places from here on were never taken; atomic */
    apr_uint32_t nplaces; /**< const */
    apr_uint64_t room[5];
    rp_flight_t places[];
};

struct rp_flights_t {
    apr_uint32_t magic, flight_size;
    int nrows;
    apr_uint32_t nplaces;
    apr_size_t row_size;
    char *rows; /**< shared */
};

/* Two, so that no two processors write to one line for what nobody reads. */
static rp_flight_t uncounted, lost;

static rp_flight_row_t *row_at(const rp_flights_t *all, int i)
{
    return (rp_flight_row_t *)(all->rows + (apr_size_t)i * all->row_size);
}

static apr_size_t row_bytes(apr_uint32_t nplaces)
{
    return APR_ALIGN(sizeof(rp_flight_row_t) + (apr_size_t)nplaces * sizeof(rp_flight_t), ROW_ALIGN);
}

static apr_uint32_t places_for(int nrows, int nthreads)
{
    apr_uint32_t n = nthreads > RP_FLIGHT_PLACES_MAX / PLACES_PER_THREAD ? RP_FLIGHT_PLACES_MAX
                                                                         : (apr_uint32_t)nthreads * PLACES_PER_THREAD;

    while (n > PLACES_MIN && (apr_size_t)nrows * row_bytes(n) > RP_FLIGHT_BYTES_MAX) {
        n /= 2;
    }
    return n;
}

apr_status_t rp_flights_create(rp_flights_t **out, apr_pool_t *pool, int nchildren, int nthreads)
{
    rp_flights_t *all = apr_pcalloc(pool, sizeof(*all));
    apr_shm_t *shm = NULL;
    apr_status_t rv;

    *out = NULL;
    all->magic = MAGIC;
    all->flight_size = sizeof(rp_flight_t);
    all->nrows = nchildren < 1 ? 1 : nchildren;
    all->nplaces = places_for(all->nrows, nthreads < 1 ? 1 : nthreads);
    all->row_size = row_bytes(all->nplaces);
    rv = apr_shm_create(&shm, (apr_size_t)all->nrows * all->row_size, NULL, pool); /* anonymous: it begins as zeros */
    if (rv == APR_SUCCESS) {
        all->rows = apr_shm_baseaddr_get(shm);
        *out = all;
    }
    return rv;
}

int rp_flights_fit(const rp_flights_t *all, int nchildren)
{
    return all->magic == MAGIC && all->flight_size == sizeof(rp_flight_t) && all->nrows >= nchildren;
}

/* ---- children ---- */

static void row_clear(rp_flight_row_t *row)
{
    apr_uint32_t used = __atomic_load_n(&row->fresh, __ATOMIC_ACQUIRE);

    memset(row->places, 0, (used < row->nplaces ? used : row->nplaces) * sizeof(rp_flight_t));
    __atomic_store_n(&row->lost, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&row->free, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&row->fresh, 0, __ATOMIC_RELEASE);
}

rp_flight_row_t *rp_flights_claim(rp_flights_t *all, pid_t pid)
{
    for (int i = 0; i < all->nrows; i++) {
        rp_flight_row_t *row = row_at(all, i);
        apr_uint32_t owner = __atomic_load_n(&row->pid, __ATOMIC_ACQUIRE);

        if (!rp_process_alive((pid_t)owner)
            && __atomic_compare_exchange_n(&row->pid, &owner, (apr_uint32_t)pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            row->nplaces = all->nplaces;
            row_clear(row);
            return row;
        }
    }
    return NULL;
}

void rp_flights_child_gone(rp_flights_t *all, pid_t pid)
{
    for (int i = 0; i < all->nrows; i++) {
        rp_flight_row_t *row = row_at(all, i);

        if (__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE) == (apr_uint32_t)pid) {
            row_clear(row);
            __atomic_store_n(&row->pid, 0, __ATOMIC_RELEASE);
            return;
        }
    }
}

/* ---- exchanges ---- */

#define WRITES 0x100000000u /* the half of `free` that no two states of it have in common */

static rp_flight_t *place_take(rp_flight_row_t *row)
{
    apr_uint64_t head = __atomic_load_n(&row->free, __ATOMIC_ACQUIRE);
    apr_uint32_t fresh;

    while ((apr_uint32_t)head != 0) {
        rp_flight_t *f = &row->places[(apr_uint32_t)head - 1];
        apr_uint64_t then = ((head + WRITES) & ~(apr_uint64_t)APR_UINT32_MAX) | __atomic_load_n(&f->next, __ATOMIC_RELAXED);

        if (__atomic_compare_exchange_n(&row->free, &head, then, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            return f;
        }
    }
    fresh = __atomic_load_n(&row->fresh, __ATOMIC_RELAXED);
    while (fresh < row->nplaces) {
        if (__atomic_compare_exchange_n(&row->fresh, &fresh, fresh + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return &row->places[fresh];
        }
    }
    return NULL;
}

static void place_give(rp_flight_row_t *row, rp_flight_t *f)
{
    apr_uint64_t head = __atomic_load_n(&row->free, __ATOMIC_RELAXED), then;

    do {
        __atomic_store_n(&f->next, (apr_uint32_t)head, __ATOMIC_RELAXED);
        then = ((head + WRITES) & ~(apr_uint64_t)APR_UINT32_MAX) | (apr_uint64_t)(f - row->places + 1);
    } while (!__atomic_compare_exchange_n(&row->free, &head, then, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

static void text_copy(char *to, apr_size_t size, const char *text)
{
    apr_size_t n = text != NULL ? strnlen(text, size - 1) : 0; /* on the path of each request: not byte by byte */

    if (n > 0) {
        memcpy(to, text, n);
    }
    to[n] = '\0';
}

/* Only the owner of a place counts, so that no count needs a locked instruction. */
static void texts_open(rp_flight_t *f)
{
    __atomic_store_n(&f->version, __atomic_load_n(&f->version, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void texts_close(rp_flight_t *f)
{
    __atomic_store_n(&f->version, __atomic_load_n(&f->version, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

rp_flight_t *rp_flight_begin(rp_flight_row_t *row, apr_time_t now_us, const rp_flight_words_t *words, apr_uint32_t viewer)
{
    rp_flight_t *f;

    if (row == NULL) {
        return &uncounted;
    }
    f = place_take(row);
    if (f == NULL) {
        __atomic_fetch_add(&row->lost, 1, __ATOMIC_RELAXED);
        return &lost;
    }
    texts_open(f);
    f->step = f->tries = f->owner = 0;
    f->viewer = viewer;
    text_copy(f->vhost, sizeof(f->vhost), words->vhost);
    text_copy(f->balancer, sizeof(f->balancer), words->balancer);
    text_copy(f->worker, sizeof(f->worker), words->worker);
    text_copy(f->request, sizeof(f->request), words->request);
    __atomic_store_n(&f->began_us, now_us, __ATOMIC_RELAXED);
    texts_close(f);
    return f;
}

void rp_flight_worker(rp_flight_t *f, const char *worker, apr_uint32_t owner)
{
    if (f == &uncounted || f == &lost) {
        return;
    }
    texts_open(f);
    f->tries++;
    f->owner = owner;
    text_copy(f->worker, sizeof(f->worker), worker);
    texts_close(f);
}

void rp_flight_end(rp_flight_row_t *row, rp_flight_t *f)
{
    if (f == NULL || f == &uncounted || row == NULL) {
        return;
    }
    if (f == &lost) {
        __atomic_fetch_sub(&row->lost, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_store_n(&f->began_us, 0, __ATOMIC_RELEASE);
    place_give(row, f);
}

/* ---- the view ---- */

_Static_assert(sizeof(rp_flight_t) % sizeof(apr_uint64_t) == 0, "copied by words");

/* May read what is just being written, and its caller throws that away: not for the thread sanitizer to judge. */
__attribute__((no_sanitize("thread"))) static void words_copy(rp_flight_t *to, const rp_flight_t *from)
{
    const volatile apr_uint64_t *words = (const volatile void *)from;
    apr_uint64_t *out = (void *)to;

    for (apr_size_t i = 0; i < sizeof(*to) / sizeof(*out); i++) {
        out[i] = words[i];
    }
}

/* A copy that is whole; 0: the place is free or was being written. */
static int place_read(const rp_flight_t *f, rp_flight_t *out)
{
    apr_uint32_t version = __atomic_load_n(&f->version, __ATOMIC_ACQUIRE);

    if (version & 1 || __atomic_load_n(&f->began_us, __ATOMIC_ACQUIRE) == 0) {
        return 0;
    }
    words_copy(out, f);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    out->vhost[sizeof(out->vhost) - 1] = out->balancer[sizeof(out->balancer) - 1] = '\0';
    out->worker[sizeof(out->worker) - 1] = out->request[sizeof(out->request) - 1] = '\0';
    return __atomic_load_n(&f->version, __ATOMIC_RELAXED) == version && out->began_us != 0;
}

int rp_flights_read(const rp_flights_t *all, rp_flight_fn_t *tell, void *ctx)
{
    rp_flight_t copy;
    int more = 0;

    for (int i = 0; i < all->nrows; i++) {
        const rp_flight_row_t *row = row_at(all, i);
        apr_uint32_t pid = __atomic_load_n(&row->pid, __ATOMIC_ACQUIRE), used;

        if (!rp_process_alive((pid_t)pid)) {
            continue;
        }
        more += (int)__atomic_load_n(&row->lost, __ATOMIC_RELAXED);
        used = __atomic_load_n(&row->fresh, __ATOMIC_ACQUIRE);
        for (apr_uint32_t k = 0; k < used && k < all->nplaces; k++) {
            if (place_read(&row->places[k], &copy)) {
                tell(ctx, &copy, (pid_t)pid);
            }
        }
    }
    return more;
}
