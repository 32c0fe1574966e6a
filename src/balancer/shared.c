/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/shared.h"

#include <ap_mpm.h>
#include <ap_provider.h>
#include <ap_slotmem.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <http_log.h>
#include <unistd.h>

APLOG_USE_MODULE(rproxy_balancer);

#define SEGMENT_NAME "rproxy_balancers"
#define KEPT_KEY "rproxy_balancer_kept" /* userdata of the process pool: state between generations */

/** A row of gauges: what one child has under way. */
typedef struct row_t {
    apr_uint32_t pid;  /**< 0: free */
    apr_uint32_t busy[]; /**< by member */
} row_t;

/** The segment of this generation; set in the parent, inherited by children. */
static struct {
    rp_shm_header_t *header;
    rp_shm_member_t *members;
    char *rows;
    apr_size_t row_size;
    row_t *own;        /**< this child's row, or NULL */
} seg;

/** State of a member between two generations. */
typedef struct kept_t {
    rp_shm_member_t shm;
    apr_uint32_t configured; /**< fingerprint of its configuration */
} kept_t;

static row_t *row_at(apr_uint32_t i)
{
    return (row_t *)(seg.rows + (apr_size_t)i * seg.row_size);
}

/* ---- from generation to generation ---- */

static const char *member_key(apr_pool_t *p, const rp_balancer_t *b, const rp_member_t *m)
{
    const server_rec *s = b->conf->server;

    return apr_psprintf(p, "%s:%u|%s|%s", s->server_hostname ? s->server_hostname : "", (unsigned)s->port, b->conf->name,
                        m->worker->name);
}

/* What the configuration says of a member, as one number: a change of its line must win over what is remembered. */
static apr_uint32_t fingerprint(const rp_worker_params_t *p)
{
    apr_uint32_t h = 2166136261u;
    const int parts[] = {p->loadfactor_x100, p->lbset, (int)p->status_set, (int)p->status_clear};
    apr_size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        h = (h ^ (apr_uint32_t)parts[i]) * 16777619u;
    }
    return h;
}

/** What the cleanup of a generation needs. */
typedef struct keeper_t {
    server_rec *server;
    apr_pool_t *process_pool;
    apr_array_header_t *balancers;
} keeper_t;

static apr_status_t keep_state(void *data)
{
    const keeper_t *k = data;
    apr_pool_t *pool;
    apr_hash_t *kept;
    void *old = NULL;
    int i, j;

    /* no child of the process pool: that one may be on its way out, and has destroyed its children before pconf */
    if (seg.header == NULL || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return APR_SUCCESS;
    }
    apr_pool_userdata_get(&old, KEPT_KEY, k->process_pool);
    if (old != NULL) {
        apr_pool_destroy(apr_hash_pool_get(old));
    }
    kept = apr_hash_make(pool);
    for (i = 0; i < k->balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(k->balancers, i, rp_balancer_t *);
        for (j = 0; j < b->nmembers; j++) {
            kept_t *entry = apr_palloc(pool, sizeof(*entry));
            entry->shm = *b->members[j].shm;
            entry->configured = fingerprint(&b->members[j].worker->params);
            apr_hash_set(kept, member_key(pool, b, &b->members[j]), APR_HASH_KEY_STRING, entry);
        }
    }
    /* copies the key: this module may be unloaded before the next generation reads it */
    (void)apr_pool_userdata_set(kept, KEPT_KEY, NULL, k->process_pool);
    seg.header = NULL;
    return APR_SUCCESS;
}

static void member_start(rp_shm_member_t *shm, const rp_worker_params_t *p)
{
    memset(shm, 0, sizeof(*shm));
    shm->weight_x100 = p->loadfactor_x100 > 0 ? p->loadfactor_x100 : 100;
    shm->lbset = p->lbset > 0 ? p->lbset : 0;
    shm->status = (RP_ST_INITIALIZED | p->status_set) & ~p->status_clear;
}

/* Counters go on; what was learned (an error) goes on unless the configuration of the member changed. */
static void member_resume(rp_shm_member_t *shm, const kept_t *kept, const rp_worker_params_t *p)
{
    shm->elected = kept->shm.elected;
    shm->sent = kept->shm.sent;
    shm->received = kept->shm.received;
    shm->failed = kept->shm.failed;
    if (kept->configured != fingerprint(p)) {
        return;
    }
    shm->lbstatus = kept->shm.lbstatus;
    if (kept->shm.status & RP_ST_IN_ERROR) {
        shm->status |= RP_ST_IN_ERROR;
        shm->error_us = kept->shm.error_us;
        shm->retries = kept->shm.retries;
    }
}

/* ---- making the segment ---- */

static int count_members(const apr_array_header_t *balancers)
{
    int i, n = 0;

    for (i = 0; i < balancers->nelts; i++) {
        n += APR_ARRAY_IDX(balancers, i, rp_balancer_t *)->nmembers;
    }
    return n;
}

static apr_status_t segment_make(apr_pool_t *pconf, server_rec *s, apr_uint32_t nmembers, apr_uint32_t nchildren)
{
    const ap_slotmem_provider_t *slotmem = ap_lookup_provider(AP_SLOTMEM_PROVIDER_GROUP, "shm", AP_SLOTMEM_PROVIDER_VERSION);
    apr_size_t members_size = (apr_size_t)nmembers * sizeof(rp_shm_member_t), size;
    ap_slotmem_instance_t *instance = NULL;
    void *mem = NULL;
    apr_status_t rv;

    if (slotmem == NULL) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "RP0700: balancers need mod_slotmem_shm, which is not loaded: add the line "
                     "\"LoadModule slotmem_shm_module modules/mod_slotmem_shm.so\"");
        return APR_ENOTIMPL;
    }
    seg.row_size = APR_ALIGN(sizeof(row_t) + (apr_size_t)nmembers * sizeof(apr_uint32_t), 64);
    size = sizeof(rp_shm_header_t) + members_size + (apr_size_t)nchildren * seg.row_size;
    rv = slotmem->create(&instance, SEGMENT_NAME, size, 1, AP_SLOTMEM_TYPE_PREGRAB, pconf);
    if (rv == APR_SUCCESS) {
        rv = slotmem->dptr(instance, 0, &mem);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "RP0701: no shared memory of %" APR_SIZE_T_FMT " bytes for the balancers; see DefaultRuntimeDir and the "
                     "limits of the system for shared memory", size);
        return rv;
    }
    memset(mem, 0, size);
    seg.header = mem;
    seg.members = (rp_shm_member_t *)((char *)mem + sizeof(rp_shm_header_t));
    seg.rows = (char *)seg.members + members_size;
    seg.own = NULL;
    seg.header->magic = RP_SHM_MAGIC;
    seg.header->layout = RP_SHM_LAYOUT;
    seg.header->member_size = sizeof(rp_shm_member_t);
    seg.header->nmembers = nmembers;
    seg.header->nchildren = nchildren;
    return APR_SUCCESS;
}

static void members_fill(apr_pool_t *ptemp, server_rec *s, const apr_array_header_t *balancers)
{
    void *kept = NULL;
    int i, j, index = 0;

    apr_pool_userdata_get(&kept, KEPT_KEY, s->process->pool);
    for (i = 0; i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);
        for (j = 0; j < b->nmembers; j++, index++) {
            rp_member_t *m = &b->members[j];
            const kept_t *old = kept ? apr_hash_get(kept, member_key(ptemp, b, m), APR_HASH_KEY_STRING) : NULL;

            m->index = index;
            m->shm = &seg.members[index];
            member_start(m->shm, &m->worker->params);
            if (old != NULL) {
                member_resume(m->shm, old, &m->worker->params);
            }
        }
    }
}

apr_status_t rp_shared_create(apr_pool_t *pconf, server_rec *s, apr_array_header_t *balancers)
{
    keeper_t *keeper = apr_palloc(pconf, sizeof(*keeper));
    int children = 0;
    apr_status_t rv;

    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    if (children < 1) {
        children = 1;
    }
    /* an old generation may still be leaving while a new one is complete */
    rv = segment_make(pconf, s, (apr_uint32_t)count_members(balancers), (apr_uint32_t)children);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    members_fill(pconf, s, balancers);
    keeper->server = s;
    keeper->process_pool = s->process->pool;
    keeper->balancers = balancers;
    apr_pool_pre_cleanup_register(pconf, keeper, keep_state);
    return APR_SUCCESS;
}

/* ---- gauges ---- */

void rp_shared_child_init(apr_pool_t *pool, server_rec *s)
{
    apr_uint32_t i, pid = (apr_uint32_t)getpid();

    (void)pool;
    for (i = 0; seg.header != NULL && i < seg.header->nchildren; i++) {
        apr_uint32_t expected = 0;
        if (__atomic_compare_exchange_n(&row_at(i)->pid, &expected, pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            seg.own = row_at(i);
            return;
        }
    }
    if (seg.header != NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "RP0702: no gauge is free for this child; what it has under way stays counted if it crashes");
    }
}

void rp_shared_child_gone(pid_t pid)
{
    apr_uint32_t i, k;

    for (i = 0; seg.header != NULL && i < seg.header->nchildren; i++) {
        row_t *row = row_at(i);

        if (row->pid != (apr_uint32_t)pid) {
            continue;
        }
        for (k = 0; k < seg.header->nmembers; k++) {
            apr_uint32_t left = __atomic_exchange_n(&row->busy[k], 0, __ATOMIC_ACQ_REL);
            __atomic_fetch_sub(&seg.members[k].busy, left, __ATOMIC_ACQ_REL);
        }
        __atomic_store_n(&row->pid, 0, __ATOMIC_RELEASE);
        return;
    }
}

void rp_shared_busy(rp_member_t *m, int change)
{
    __atomic_fetch_add(&m->shm->busy, (apr_uint32_t)change, __ATOMIC_ACQ_REL);
    if (seg.own != NULL) {
        __atomic_fetch_add(&seg.own->busy[m->index], (apr_uint32_t)change, __ATOMIC_ACQ_REL);
    }
}
