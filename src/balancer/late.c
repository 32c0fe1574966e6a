/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/late.h"

#include <apr_strings.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "balancer/keep.h"
#include "upstream/process.h"

#define LATE_KEY "rproxy_balancers_late" /* userdata of the process pool */
#define MAGIC 0x5250584cu
#define COUNTERS ((offsetof(rp_shm_member_t, counter_room) - offsetof(rp_shm_member_t, elected)) / sizeof(apr_uint64_t))
_Static_assert(COUNTERS == 16 + RP_TIMES_COUNT * (sizeof(rp_shm_histogram_t) / sizeof(apr_uint64_t)), "counters alone, without a hole");

/** A member of an earlier generation. */
typedef struct old_t {
    rp_shm_member_t *shm;     /**< in its own segment */
    const char *balancer, *url; /**< keys */
    rp_shm_member_t *to;      /**< in the running one, or NULL: it is no longer there */
    apr_uint32_t lease;       /**< of `to`: when it is another one somebody else has that place */
    apr_uint64_t *passed;     /**< of each counter, how much of it the running ones have; shared by all processes */
} old_t;

/** A generation. */
typedef struct generation_t {
    apr_pool_t *pool;
    void *mapped;
    apr_size_t mapped_size;
    void *passed;              /**< memory for all of its members' */
    apr_size_t passed_size;
    rp_shm_map_t map;
    apr_array_header_t *members; /**< of old_t */
} generation_t;

/** In the process pool: read by the next generation's code, which may be of another release. */
typedef struct late_t {
    apr_uint32_t magic, layout, size;
    int n;
    generation_t *all[RP_LATE_MAX];
} late_t;

#define LATE_SIZE (sizeof(late_t) + sizeof(generation_t) + sizeof(old_t)) /* other structs, another size */

static late_t *late; /* of this process, or NULL */

static late_t *late_get(apr_pool_t *process_pool)
{
    void *found = NULL;
    late_t *out;

    apr_pool_userdata_get(&found, LATE_KEY, process_pool);
    out = found;
    if (out != NULL && out->magic == MAGIC && out->layout == RP_SHM_LAYOUT && out->size == LATE_SIZE) {
        return out;
    }
    out = apr_pcalloc(process_pool, sizeof(*out));
    out->magic = MAGIC;
    out->layout = RP_SHM_LAYOUT;
    out->size = LATE_SIZE;
    (void)apr_pool_userdata_set(out, LATE_KEY, NULL, process_pool);
    return out;
}

/* ---- words of counters ---- */

static apr_uint64_t *counters_of(rp_shm_member_t *shm) { return &shm->elected; }

/* What a counter has and the running one has not yet: once, whoever else does the same. The counter stays, as old children show it. */
static apr_uint64_t counter_late(const apr_uint64_t *counter, apr_uint64_t *passed)
{
    apr_uint64_t had = __atomic_load_n(passed, __ATOMIC_ACQUIRE), has = __atomic_load_n(counter, __ATOMIC_RELAXED);

    while (has > had) {
        if (__atomic_compare_exchange_n(passed, &had, has, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            return has - had;
        }
    }
    return 0;
}

static void counters_move(const old_t *old)
{
    for (apr_size_t i = 0; i < COUNTERS; i++) {
        apr_uint64_t n = counter_late(&counters_of(old->shm)[i], &old->passed[i]);

        if (n != 0) {
            __atomic_fetch_add(&counters_of(old->to)[i], n, __ATOMIC_RELAXED);
        }
    }
}

/* ---- the end of a generation ---- */

/* The same memory at a second address, which stays when the first one goes. */
static void *map_again(void *mem, apr_size_t size, generation_t *g)
{
    apr_size_t page = (apr_size_t)sysconf(_SC_PAGESIZE), before = (apr_size_t)((apr_uintptr_t)mem % page);

    g->mapped_size = APR_ALIGN(before + size, page);
    g->mapped = mremap((char *)mem - before, 0, g->mapped_size, MREMAP_MAYMOVE); /* 0: shared memory is not moved but doubled */
    return g->mapped == MAP_FAILED ? NULL : (char *)g->mapped + before;
}

static const rp_kept_t *kept_of(const rp_keep_t *kept, const char *key)
{
    for (int i = 0; kept != NULL && i < kept->balancers->nelts; i++) {
        const rp_kept_t *one = APR_ARRAY_IDX(kept->balancers, i, const rp_kept_t *);

        if (strcmp(one->key, key) == 0) {
            return one;
        }
    }
    return NULL;
}

static int has_url(const rp_shm_member_t *shm, const char *url)
{
    rp_member_settings_t settings;

    return rp_shm_member_read(shm, &settings) == APR_SUCCESS && settings.state == RP_SLOT_USED && strcmp(settings.url, url) == 0;
}

/* The members of one balancer that were kept. */
static void balancer_add(generation_t *g, const rp_balancer_t *b, const rp_kept_t *kept)
{
    rp_member_settings_t settings;

    for (int k = 0; kept != NULL && k < kept->nmembers; k++) {
        if (rp_shm_member_read(&kept->members[k], &settings) != APR_SUCCESS) {
            continue;
        }
        for (int i = 0; i < b->nslots; i++) {
            rp_shm_member_t *shm = &g->map.members[b->members[i].index];

            if (has_url(shm, settings.url)) {
                old_t *old = apr_array_push(g->members);

                *old = (old_t){shm, apr_pstrdup(g->pool, b->key), apr_pstrdup(g->pool, settings.url), NULL, 0,
                               (apr_uint64_t *)g->passed + (apr_size_t)(g->members->nelts - 1) * COUNTERS};
                memcpy(old->passed, (const char *)&kept->members[k] + offsetof(rp_shm_member_t, elected), COUNTERS * sizeof(*old->passed));
                break;
            }
        }
    }
}

static void generation_drop(late_t *l, int i)
{
    generation_t *g = l->all[i];

    (void)munmap(g->mapped, g->mapped_size);
    (void)munmap(g->passed, g->passed_size);
    apr_pool_destroy(g->pool);
    l->n--;
    for (; i < l->n; i++) {
        l->all[i] = l->all[i + 1];
    }
}

/* Both memories of a generation, which is otherwise zero. 0: there is none, and nothing is left behind. */
static int generation_map(generation_t *g, void *mem, apr_size_t size, const rp_shm_map_t *map)
{
    void *again = map_again(mem, size, g);

    if (again == NULL) {
        return 0;
    }
    g->passed_size = (apr_size_t)map->header->nmembers * COUNTERS * sizeof(apr_uint64_t);
    g->passed = mmap(NULL, g->passed_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g->passed != MAP_FAILED && rp_shm_check(again, size, &g->map) == RP_SHM_OK
        && g->map.header->generation == map->header->generation) {
        return 1;
    }
    (void)munmap(g->mapped, g->mapped_size);
    if (g->passed != MAP_FAILED) {
        (void)munmap(g->passed, g->passed_size);
    }
    return 0;
}

void rp_late_keep(apr_pool_t *process_pool, void *mem, apr_size_t size, const rp_shm_map_t *map, const apr_array_header_t *balancers)
{
    late_t *l = late_get(process_pool);
    const rp_keep_t *kept = rp_keep_get(process_pool);
    generation_t *g;
    apr_pool_t *pool;

    late = NULL;
    if (kept == NULL || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return;
    }
    g = apr_pcalloc(pool, sizeof(*g));
    g->pool = pool;
    if (!generation_map(g, mem, size, map)) {
        apr_pool_destroy(pool);
        return;
    }
    g->members = apr_array_make(pool, 16, sizeof(old_t));
    for (int i = 0; i < balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, const rp_balancer_t *);
        balancer_add(g, b, kept_of(kept, b->key));
    }
    if (l->n == RP_LATE_MAX) {
        generation_drop(l, 0);
    }
    l->all[l->n++] = g;
}

/* ---- the next one ---- */

static int any_child(const generation_t *g)
{
    apr_uint32_t used = __atomic_load_n(&g->map.header->rows_used, __ATOMIC_ACQUIRE);

    for (apr_uint32_t i = 0; i < used && i < g->map.header->nrows; i++) {
        if (rp_process_alive((pid_t)__atomic_load_n(&rp_shm_row(&g->map, i)->pid, __ATOMIC_ACQUIRE))) {
            return 1;
        }
    }
    return 0;
}

static void aim_one(old_t *old, const apr_array_header_t *balancers, int (*forgotten)(const rp_balancer_t *b))
{
    old->to = NULL;
    for (int i = 0; i < balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, const rp_balancer_t *);

        if (strcmp(b->key, old->balancer) != 0 || forgotten(b)) {
            continue;
        }
        for (int k = 0; k < b->nslots; k++) {
            if (has_url(b->members[k].shm, old->url)) {
                old->to = b->members[k].shm;
                old->lease = __atomic_load_n(&old->to->lease, __ATOMIC_ACQUIRE);
                return;
            }
        }
    }
}

void rp_late_aim(apr_pool_t *process_pool, const apr_array_header_t *balancers, int (*forgotten)(const rp_balancer_t *b))
{
    late = late_get(process_pool);
    for (int i = late->n - 1; i >= 0; i--) {
        generation_t *g = late->all[i];

        for (int k = 0; k < g->members->nelts; k++) {
            aim_one(&APR_ARRAY_IDX(g->members, k, old_t), balancers, forgotten);
        }
    }
    rp_late_collect();
    for (int i = late->n - 1; i >= 0; i--) {
        if (!any_child(late->all[i])) {
            generation_drop(late, i);
        }
    }
}

void rp_late_collect(void)
{
    for (int i = 0; late != NULL && i < late->n; i++) {
        const generation_t *g = late->all[i];

        for (int k = 0; k < g->members->nelts; k++) {
            const old_t *old = &APR_ARRAY_IDX(g->members, k, const old_t);

            if (old->to != NULL && __atomic_load_n(&old->to->lease, __ATOMIC_ACQUIRE) == old->lease) {
                counters_move(old);
            }
        }
    }
}
