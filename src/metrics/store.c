/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/store.h"

#include <apr_hash.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <stddef.h>
#include <string.h>

#include "upstream/process.h"

#define MAGIC 0x5250584du
#define LAYOUT (RP_STAT_LAYOUT + ((apr_uint32_t)sizeof(row_t) << 4) + ((apr_uint32_t)sizeof(rp_worker_stat_t) << 12))
#define ROW_ALIGN 64

typedef struct row_t {
    apr_uint32_t pid;   /**< 0: free */
    apr_uint32_t used;  /**< a child has counted here, now or before */
    rp_child_stat_t child;
    _Alignas(ROW_ALIGN) rp_worker_stat_t stat[]; /**< by target */
} row_t;

/** A worker that came at run time; shared, and written once. */
typedef struct grown_t {
    apr_uint32_t state; /**< GROWN_* */
    apr_uint32_t like;  /**< slot with the same server and balancer */
    char name[RP_WORKER_NAME_MAX + 1];
} grown_t;
enum { GROWN_FREE = 0, GROWN_CLAIMED, GROWN_READY };

typedef struct slot_t {
    rp_metric_labels_t labels; /**< escaped */
    const char *key;           /**< server, balancer and name */
    int nobody;
    int first;                 /**< the first slot with this key: where its sums are shown */
    apr_uint64_t max;          /**< at the first: connections that a child may have, all slots of this key */
    int unlimited;             /**< at the first: one of them has no limit */
} slot_t;

struct rp_store_t {
    apr_uint32_t magic, layout;
    apr_pool_t *pool;
    int nfixed;                /**< slots of the configuration */
    int nslots, nrows;         /**< all slots: behind the fixed ones, RP_STORE_GROWN_MAX for those that come at run time */
    slot_t *slots;             /**< the fixed ones */
    grown_t *grown;            /**< shared */
    apr_size_t row_size;
    char *rows;                /**< shared */
    rp_worker_stat_t *base;    /**< by slot: counted by generations that are gone; const once children run */
    rp_child_stat_t child_base;
    struct {
        rp_store_t *store;
        int *slot;             /**< of this store, by slot of the older one; -1: no longer there */
    } older[RP_STORE_OLDER_MAX];
    int nolder;
};

static row_t *row_at(const rp_store_t *s, int i)
{
    return (row_t *)(s->rows + (apr_size_t)i * s->row_size);
}

int rp_store_fits(const rp_store_t *s)
{
    return s->magic == MAGIC && s->layout == LAYOUT;
}

/* ---- sums ---- */

#define GAUGES (offsetof(rp_worker_stat_t, opened) / sizeof(apr_uint32_t))
_Static_assert(offsetof(rp_worker_stat_t, opened) == 4 * sizeof(apr_uint32_t), "numbers of now come first");
_Static_assert(sizeof(rp_worker_stat_t) % sizeof(apr_uint64_t) == 0, "and then counters alone");

static void add_words(apr_uint64_t *sum, const apr_uint64_t *words, apr_size_t n)
{
    for (apr_size_t i = 0; i < n; i++) {
        sum[i] += __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    }
}

static void add_counters(rp_worker_stat_t *sum, const rp_worker_stat_t *stat)
{
    add_words(&sum->opened, &stat->opened,
              (sizeof(*stat) - offsetof(rp_worker_stat_t, opened)) / sizeof(apr_uint64_t));
}

static void add_gauges(rp_worker_stat_t *sum, const rp_worker_stat_t *stat)
{
    sum->permits += __atomic_load_n(&stat->permits, __ATOMIC_RELAXED);
    sum->in_flight += __atomic_load_n(&stat->in_flight, __ATOMIC_RELAXED);
    sum->waiters += __atomic_load_n(&stat->waiters, __ATOMIC_RELAXED);
    sum->attempts += __atomic_load_n(&stat->attempts, __ATOMIC_RELAXED);
}

_Static_assert(offsetof(rp_child_stat_t, adopted) == sizeof(apr_uint64_t), "the number of now comes first");

static void add_child(rp_child_stat_t *sum, const rp_child_stat_t *stat)
{
    add_words(&sum->adopted, &stat->adopted, (sizeof(*stat) - offsetof(rp_child_stat_t, adopted)) / sizeof(apr_uint64_t));
}

static int used(const row_t *row) { return __atomic_load_n(&row->used, __ATOMIC_ACQUIRE) != 0; }

static int alive(const row_t *row) { return rp_process_alive((pid_t)__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE)); }

static int any_alive(const rp_store_t *s)
{
    for (int i = 0; i < s->nrows; i++) {
        if (alive(row_at(s, i))) {
            return 1;
        }
    }
    return 0;
}

/* ---- making one ---- */

static void fill_slots(rp_store_t *s, const apr_array_header_t *targets)
{
    apr_hash_t *seen = apr_hash_make(s->pool);

    s->nfixed = targets->nelts;
    s->nslots = s->nfixed + RP_STORE_GROWN_MAX;
    s->slots = apr_pcalloc(s->pool, sizeof(*s->slots) * (apr_size_t)(s->nfixed + 1));
    for (int i = 0; i < s->nfixed; i++) {
        const rp_target_t *t = &APR_ARRAY_IDX(targets, i, rp_target_t);
        slot_t *slot = &s->slots[i];
        const int *first;

        slot->labels.server = rp_label_escape(s->pool, t->server);
        slot->labels.balancer = rp_label_escape(s->pool, t->balancer);
        slot->labels.worker = rp_label_escape(s->pool, t->name);
        slot->key = apr_pstrcat(s->pool, slot->labels.server, "\n", slot->labels.balancer, "\n", slot->labels.worker, NULL);
        slot->nobody = t->nobody;
        first = apr_hash_get(seen, slot->key, APR_HASH_KEY_STRING);
        slot->first = first ? *first : i;
        if (first == NULL) {
            apr_hash_set(seen, slot->key, APR_HASH_KEY_STRING, &slot->first);
        }
        if (t->worker == NULL || t->worker->params.max <= 0) {
            s->slots[slot->first].unlimited = 1;
        }
        else {
            s->slots[slot->first].max += (apr_uint64_t)t->worker->params.max;
        }
    }
}

static apr_status_t map_rows(rp_store_t *s, int nchildren)
{
    apr_size_t most, front = APR_ALIGN(RP_STORE_GROWN_MAX * sizeof(grown_t), ROW_ALIGN);
    apr_shm_t *shm = NULL;
    apr_status_t rv;

    s->row_size = APR_ALIGN(sizeof(row_t) + (apr_size_t)s->nslots * sizeof(rp_worker_stat_t), ROW_ALIGN);
    most = (RP_STORE_BYTES_MAX - front) / s->row_size;
    s->nrows = (apr_size_t)nchildren < most ? nchildren : (int)most;
    if (s->nrows < 1) {
        return APR_ENOMEM;
    }
    rv = apr_shm_create(&shm, front + (apr_size_t)s->nrows * s->row_size, NULL, s->pool); /* anonymous: it begins as zeros */
    if (rv == APR_SUCCESS) {
        s->grown = apr_shm_baseaddr_get(shm);
        s->rows = (char *)s->grown + front;
    }
    return rv;
}

static int grown_ready(const rp_store_t *s, int i)
{
    return __atomic_load_n(&s->grown[i].state, __ATOMIC_ACQUIRE) == GROWN_READY;
}

static const char *grown_key(const rp_store_t *s, int i, apr_pool_t *pool)
{
    const rp_metric_labels_t *labels = &s->slots[s->grown[i].like].labels;

    return apr_pstrcat(pool, labels->server, "\n", labels->balancer, "\n", rp_label_escape(pool, s->grown[i].name), NULL);
}

/* Slot of a key in the configuration, or -1. */
static int fixed_of(apr_hash_t *by_key, const char *key)
{
    const int *first = apr_hash_get(by_key, key, APR_HASH_KEY_STRING);

    return first ? *first : -1;
}

static apr_hash_t *keys_of(const rp_store_t *s, apr_pool_t *pool)
{
    apr_hash_t *by_key = apr_hash_make(pool);

    for (int i = 0; i < s->nfixed; i++) {
        apr_hash_set(by_key, s->slots[i].key, APR_HASH_KEY_STRING, &s->slots[i].first);
    }
    return by_key;
}

/* Slots of an older store in the new one. What came at run time goes on as such while its balancer is there. */
static int *match_slots(rp_store_t *s, const rp_store_t *older)
{
    apr_hash_t *by_key = keys_of(s, s->pool);
    int *slot = apr_palloc(s->pool, sizeof(*slot) * (apr_size_t)older->nslots);

    for (int i = 0; i < older->nfixed; i++) {
        slot[i] = fixed_of(by_key, older->slots[i].key);
    }
    for (int i = 0; i < RP_STORE_GROWN_MAX; i++) {
        int *to = &slot[older->nfixed + i];

        *to = -1;
        if (grown_ready(older, i)) {
            int like = fixed_of(by_key, older->slots[older->grown[i].like].key);

            *to = fixed_of(by_key, grown_key(older, i, s->pool));
            *to = *to < 0 && like >= 0 ? rp_store_grow(s, like, older->grown[i].name) : *to;
        }
    }
    return slot;
}

/* All that a store counted goes to the base of the new one. */
static void take_over(rp_store_t *s, const rp_store_t *from, const int *slot)
{
    for (int i = 0; i < from->nrows; i++) {
        if (!used(row_at(from, i))) {
            continue;
        }
        for (int k = 0; k < from->nslots; k++) {
            if (slot[k] >= 0) {
                add_counters(&s->base[slot[k]], &row_at(from, i)->stat[k]);
            }
        }
        add_child(&s->child_base, &row_at(from, i)->child);
    }
}

static void take_base(rp_store_t *s, const rp_store_t *from, const int *slot)
{
    for (int k = 0; k < from->nslots; k++) {
        if (slot[k] >= 0) {
            add_counters(&s->base[slot[k]], &from->base[k]);
        }
    }
    add_child(&s->child_base, &from->child_base);
}

/* One generation: read on while children of it run, otherwise its counters are taken over and it goes. */
static void adopt(rp_store_t *s, rp_store_t *older)
{
    int *slot = match_slots(s, older);

    if (any_alive(older) && s->nolder < RP_STORE_OLDER_MAX) {
        s->older[s->nolder].store = older;
        s->older[s->nolder++].slot = slot;
        return;
    }
    take_over(s, older, slot);
    apr_pool_destroy(older->pool);
}

static void adopt_all(rp_store_t *s, rp_store_t *older)
{
    rp_store_t *all[RP_STORE_OLDER_MAX + 1];
    int n = 0;

    all[n++] = older;
    for (int i = 0; i < older->nolder; i++) {
        all[n++] = older->older[i].store;
    }
    take_base(s, older, match_slots(s, older));
    older->nolder = 0;
    for (int i = 0; i < n; i++) {
        adopt(s, all[i]);
    }
}

apr_status_t rp_store_create(rp_store_t **out, rp_store_t *older, const apr_array_header_t *targets, int nchildren)
{
    rp_store_t *s;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, NULL);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    s = apr_pcalloc(pool, sizeof(*s));
    s->magic = MAGIC;
    s->layout = LAYOUT;
    s->pool = pool;
    fill_slots(s, targets);
    s->base = apr_pcalloc(pool, sizeof(*s->base) * (apr_size_t)s->nslots);
    rv = map_rows(s, nchildren);
    if (rv != APR_SUCCESS) {
        rp_store_destroy(older);
        apr_pool_destroy(pool);
        return rv;
    }
    if (older != NULL) {
        adopt_all(s, older);
    }
    *out = s;
    return APR_SUCCESS;
}

void rp_store_destroy(rp_store_t *s)
{
    if (s == NULL) {
        return;
    }
    for (int i = 0; i < s->nolder; i++) {
        apr_pool_destroy(s->older[i].store->pool);
    }
    apr_pool_destroy(s->pool);
}

/* ---- children ---- */

static void clear_gauges(rp_store_t *s, row_t *row)
{
    __atomic_store_n(&row->child.connections, 0, __ATOMIC_RELAXED);
    for (int k = 0; k < s->nslots; k++) {
        __atomic_store_n(&row->stat[k].permits, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&row->stat[k].in_flight, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&row->stat[k].waiters, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&row->stat[k].attempts, 0, __ATOMIC_RELAXED);
    }
}

int rp_store_claim(rp_store_t *s, pid_t pid)
{
    for (int i = 0; i < s->nrows; i++) {
        row_t *row = row_at(s, i);
        apr_uint32_t owner = __atomic_load_n(&row->pid, __ATOMIC_ACQUIRE);

        if (owner != 0 && alive(row)) {
            continue;
        }
        if (__atomic_compare_exchange_n(&row->pid, &owner, (apr_uint32_t)pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            if (used(row)) {
                clear_gauges(s, row);
            }
            __atomic_store_n(&row->used, 1, __ATOMIC_RELEASE);
            return i;
        }
    }
    return -1;
}

rp_worker_stat_t *rp_store_stat(rp_store_t *s, int row, int target)
{
    return &row_at(s, row)->stat[target];
}

rp_child_stat_t *rp_store_child(rp_store_t *s, int row)
{
    return &row_at(s, row)->child;
}

/* Two children that do this at the same moment may make two places; their sums are shown as one. */
int rp_store_grow(rp_store_t *s, int like, const char *name)
{
    apr_size_t len = strlen(name);

    for (int i = 0; i < RP_STORE_GROWN_MAX && len < sizeof(s->grown[i].name); i++) {
        grown_t *g = &s->grown[i];
        apr_uint32_t expected = GROWN_FREE;

        if (__atomic_compare_exchange_n(&g->state, &expected, GROWN_CLAIMED, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            g->like = (apr_uint32_t)like;
            memcpy(g->name, name, len + 1);
            __atomic_store_n(&g->state, GROWN_READY, __ATOMIC_RELEASE);
            return s->nfixed + i;
        }
        if (expected == GROWN_READY && g->like == (apr_uint32_t)like && !strcmp(g->name, name)) {
            return s->nfixed + i;
        }
    }
    return -1;
}

int rp_store_target_of(const rp_store_t *s, int row, const rp_worker_stat_t *stat)
{
    const rp_worker_stat_t *first = row_at(s, row)->stat;

    return stat >= first && stat < first + s->nslots ? (int)(stat - first) : -1;
}

static void row_gone(rp_store_t *s, pid_t pid)
{
    for (int i = 0; i < s->nrows; i++) {
        row_t *row = row_at(s, i);

        if (__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE) == (apr_uint32_t)pid) {
            clear_gauges(s, row);
            __atomic_store_n(&row->pid, 0, __ATOMIC_RELEASE);
        }
    }
}

void rp_store_child_gone(rp_store_t *s, pid_t pid)
{
    row_gone(s, pid);
    for (int i = 0; i < s->nolder; i++) {
        row_gone(s->older[i].store, pid);
    }
}

/* ---- reading ---- */

/* Where the numbers of each slot are shown: the first slot with the same labels; -1: nowhere. */
static int *shown_at(const rp_store_t *s, apr_pool_t *pool)
{
    apr_hash_t *by_key = keys_of(s, pool);
    int *shown = apr_palloc(pool, sizeof(*shown) * (apr_size_t)s->nslots);

    for (int i = 0; i < s->nfixed; i++) {
        shown[i] = s->slots[i].first;
    }
    for (int i = 0; i < RP_STORE_GROWN_MAX; i++) {
        int *to = &shown[s->nfixed + i];

        *to = -1;
        if (grown_ready(s, i)) {
            const char *key = grown_key(s, i, pool);
            const int *first = apr_hash_get(by_key, key, APR_HASH_KEY_STRING);

            *to = first ? *first : s->nfixed + i;
            if (first == NULL) {
                apr_hash_set(by_key, key, APR_HASH_KEY_STRING, to);
            }
        }
    }
    return shown;
}

/* slot: of an older store, its slots in this one; NULL: they are the same. @return children that live */
static apr_uint64_t add_rows(const rp_store_t *from, const int *slot, const int *shown, rp_worker_stat_t *sums, rp_child_stat_t *child)
{
    apr_uint64_t children = 0;

    for (int i = 0; i < from->nrows; i++) {
        const row_t *row = row_at(from, i);
        int live = alive(row);

        if (!used(row)) {
            continue;
        }
        children += (apr_uint64_t)live;
        for (int k = 0; k < from->nslots; k++) {
            int own = slot ? slot[k] : k;
            int to = own >= 0 ? shown[own] : -1;

            if (to >= 0) {
                add_counters(&sums[to], &row->stat[k]);
            }
            if (to >= 0 && live) {
                add_gauges(&sums[to], &row->stat[k]);
            }
        }
        add_child(child, &row->child);
        child->connections += live ? __atomic_load_n(&row->child.connections, __ATOMIC_RELAXED) : 0;
    }
    return children;
}

/* What a record is of. */
static void name_record(const rp_store_t *s, int k, apr_uint64_t children, apr_pool_t *pool, rp_worker_record_t *r)
{
    if (k < s->nfixed) {
        r->labels = s->slots[k].labels;
        r->nobody = s->slots[k].nobody;
        r->max = s->slots[k].unlimited ? 0 : s->slots[k].max * children;
    }
    else {
        r->labels = s->slots[s->grown[k - s->nfixed].like].labels;
        r->labels.worker = rp_label_escape(pool, s->grown[k - s->nfixed].name);
    }
}

const int *rp_store_read(const rp_store_t *s, apr_pool_t *pool, const char *version, rp_metrics_page_t *page)
{
    rp_process_record_t *process = apr_pcalloc(pool, sizeof(*process));
    rp_worker_stat_t *sums = apr_pcalloc(pool, sizeof(*sums) * (apr_size_t)s->nslots);
    int *shown = shown_at(s, pool);
    int *place = apr_palloc(pool, sizeof(*place) * (apr_size_t)s->nslots);
    apr_uint64_t own;

    process->version = version;
    process->stat = s->child_base;
    for (int k = 0; k < s->nslots; k++) {
        if (shown[k] >= 0) {
            add_counters(&sums[shown[k]], &s->base[k]);
        }
    }
    own = add_rows(s, NULL, shown, sums, &process->stat);
    process->children = own;
    for (int i = 0; i < s->nolder; i++) {
        process->children += add_rows(s->older[i].store, s->older[i].slot, shown, sums, &process->stat);
    }
    page->process = process;
    page->workers = apr_pcalloc(pool, sizeof(*page->workers) * (apr_size_t)s->nslots);
    page->nworkers = 0;
    for (int k = 0; k < s->nslots; k++) { /* the slot where a record is shown is the first of its slots */
        rp_worker_record_t *r = &page->workers[page->nworkers];

        place[k] = shown[k] < 0 ? -1 : shown[k] == k ? page->nworkers++ : place[shown[k]];
        if (shown[k] != k) {
            continue;
        }
        name_record(s, k, own, pool, r);
        r->stat = sums[k];
        r->used = sums[k].in_flight;
        r->idle = sums[k].permits > sums[k].in_flight ? sums[k].permits - sums[k].in_flight : 0;
    }
    return place;
}

static void each_of(const rp_store_t *from, int target, rp_store_each_fn_t *tell, void *ctx)
{
    for (int i = 0; i < from->nrows; i++) {
        const row_t *row = row_at(from, i);

        if (alive(row)) {
            tell(ctx, (pid_t)row->pid, &row->stat[target]);
        }
    }
}

void rp_store_each(const rp_store_t *s, int target, rp_store_each_fn_t *tell, void *ctx)
{
    each_of(s, target, tell, ctx);
    for (int i = 0; i < s->nolder; i++) {
        for (int k = 0; k < s->older[i].store->nslots; k++) {
            if (s->older[i].slot[k] == target) {
                each_of(s->older[i].store, k, tell, ctx);
            }
        }
    }
}

static void each_child_of(const rp_store_t *from, rp_store_child_fn_t *tell, void *ctx)
{
    for (int i = 0; i < from->nrows; i++) {
        const row_t *row = row_at(from, i);

        if (alive(row)) {
            tell(ctx, (pid_t)row->pid, &row->child);
        }
    }
}

void rp_store_each_child(const rp_store_t *s, rp_store_child_fn_t *tell, void *ctx)
{
    each_child_of(s, tell, ctx);
    for (int i = 0; i < s->nolder; i++) {
        each_child_of(s->older[i].store, tell, ctx);
    }
}
