/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/shared.h"

#include <ap_mpm.h>
#include <ap_provider.h>
#include <ap_slotmem.h>
#include <apr_strings.h>
#include <http_log.h>
#include <unistd.h>
#include <util_mutex.h>

#include "balancer/keep.h"
#include "balancer/late.h"
#include "balancer/live.h"
#include "balancer/persist_live.h"
#include "balancer/settings.h"

APLOG_USE_MODULE(rproxy_balancer);

#define SEGMENT_NAME "rproxy_balancers"
/* mod_rproxy registers this name, which administrators' Mutex lines may already have */
#define MUTEX_NAME "proxy-balancer-shm"

/** The segment of this generation; set in the parent, inherited by children. */
static struct {
    rp_shm_map_t map;
    void *mem;
    apr_size_t size;
    apr_array_header_t *balancers; /**< of rp_balancer_t * */
    apr_global_mutex_t *mutex;
    rp_shm_row_t *own;             /**< this process's row, or NULL */
    server_rec *server;
    apr_pool_t *process_pool;
    pid_t owner;                   /**< who made it */
} seg;

const rp_shm_map_t *rp_shared_map(void) { return &seg.map; }
int rp_shared_ready(void) { return seg.map.header != NULL && seg.own != NULL; }
const apr_array_header_t *rp_shared_balancers(void) { return seg.map.header ? seg.balancers : NULL; }

/* ---- making the segment ---- */

static void *slotmem_get(apr_pool_t *pconf, server_rec *s, apr_size_t size)
{
    const ap_slotmem_provider_t *slotmem = ap_lookup_provider(AP_SLOTMEM_PROVIDER_GROUP, "shm", AP_SLOTMEM_PROVIDER_VERSION);
    ap_slotmem_instance_t *instance = NULL;
    void *mem = NULL;
    apr_status_t rv;

    if (slotmem == NULL) { /* said by the check of the configuration already */
        return NULL;
    }
    rv = slotmem->create(&instance, SEGMENT_NAME, size, 1, AP_SLOTMEM_TYPE_PREGRAB, pconf);
    if (rv == APR_SUCCESS) {
        rv = slotmem->dptr(instance, 0, &mem);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "RP0701: no shared memory of %" APR_SIZE_T_FMT " bytes for the balancers; see DefaultRuntimeDir and the "
                     "limits of the system for shared memory", size);
        return NULL;
    }
    return mem;
}

apr_uint32_t rp_shared_slots(const apr_array_header_t *balancers)
{
    apr_uint32_t n = 0;
    int i;

    for (i = 0; i < balancers->nelts; i++) {
        n += (apr_uint32_t)APR_ARRAY_IDX(balancers, i, rp_balancer_t *)->nslots;
    }
    return n;
}

static apr_status_t segment_make(apr_pool_t *pconf, server_rec *s, const apr_array_header_t *balancers, apr_uint64_t generation)
{
    apr_uint32_t nmembers = rp_shared_slots(balancers);
    int children = 0;

    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    children = children > 0 ? children + 1 : 2; /* one for those that get none of their own */
    seg.size = rp_shm_size((apr_uint32_t)balancers->nelts, nmembers, (apr_uint32_t)children);
    seg.mem = slotmem_get(pconf, s, seg.size);
    if (seg.mem == NULL) {
        return APR_ENOTIMPL;
    }
    rp_shm_format(seg.mem, seg.size, (apr_uint32_t)balancers->nelts, nmembers, (apr_uint32_t)children, generation, apr_time_now(),
                  &seg.map);
    return APR_SUCCESS;
}

/* ---- filling it from the configuration ---- */

static void member_start(rp_balancer_t *b, rp_member_t *m)
{
    rp_shm_member_t *shm = m->shm;
    rp_member_settings_t settings;
    int i, n;
    const rp_setting_t *rows = rp_member_setting_rows(&n);

    shm->balancer = (apr_uint32_t)b->index;
    if (m->configured == NULL) {
        shm->status = RP_ST_FREE;
        return;
    }
    rp_member_settings_fill(&settings, &m->configured->params, m->configured->name);
    settings.state = RP_SLOT_USED;
    settings.incarnation = shm->lease = 1;
    shm->status = shm->configured_status = rp_member_status_fill(&m->configured->params);
    shm->error_why = shm->status & RP_ST_IN_ERROR ? RP_WHY_CONFIGURED : RP_WHY_NONE;
    for (i = 0; i < n; i++) {
        shm->configured[rows[i].field] = rp_setting_hash(&rows[i], &settings);
    }
    rp_shm_member_write(shm, &settings);
}

static const char *nonce_make(apr_pool_t *p)
{
    unsigned char random[16];
    char *hex = apr_palloc(p, sizeof(random) * 2 + 1);
    size_t i;

    if (apr_generate_random_bytes(random, sizeof(random)) != APR_SUCCESS) {
        return ""; /* nothing can be changed: better than a secret that can be guessed */
    }
    for (i = 0; i < sizeof(random); i++) {
        apr_snprintf(hex + 2 * i, 3, "%02x", random[i]);
    }
    return hex;
}

static void balancer_start(apr_pool_t *p, rp_balancer_t *b, apr_uint32_t first)
{
    rp_shm_balancer_t *shm = b->shm = &seg.map.balancers[b->index];
    const char *nonce = b->conf->params.nonce;
    rp_balancer_settings_t settings;
    int i, n;
    const rp_setting_t *rows = rp_balancer_setting_rows(&n);

    shm->first = first;
    shm->nslots = (apr_uint32_t)b->nslots;
    shm->nconfigured = (apr_uint32_t)b->nconfigured;
    rp_setting_text(shm->name, sizeof(shm->name), b->conf->name);
    b->changes_allowed = nonce == NULL || ap_cstr_casecmp(nonce, "None") != 0;
    rp_setting_text(shm->nonce, sizeof(shm->nonce), !b->changes_allowed ? "" : nonce ? nonce : nonce_make(p));
    rp_balancer_settings_fill(&settings, &b->conf->params);
    for (i = 0; i < n; i++) {
        shm->configured[rows[i].field] = rp_setting_hash(&rows[i], &settings);
    }
    rp_shm_balancer_write(shm, &settings);
    shm->changes = 1;
    for (i = 0; i < b->nslots; i++) {
        b->members[i].place = i;
        b->members[i].index = (int)first + i;
        b->members[i].shm = &seg.map.members[first + (apr_uint32_t)i];
        member_start(b, &b->members[i]);
    }
}

/* ---- from generation to generation ---- */

/* The end of this generation: what is in the segment is judged before anything of it is believed. */
static apr_status_t generation_end(void *data)
{
    rp_shm_map_t map;
    rp_shm_err_e err;

    (void)data;
    if (seg.map.header == NULL || seg.owner != getpid()) { /* children come here too, at their exit */
        return APR_SUCCESS;
    }
    rp_late_collect();
    err = rp_shm_check(seg.mem, seg.size, &map);
    if (err == RP_SHM_OK) {
        rp_persist_save();
        rp_keep_store(seg.process_pool, seg.balancers, map.header->generation);
        rp_late_keep(seg.process_pool, seg.mem, seg.size, &map, seg.balancers);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, seg.server,
                     "RP0714: the shared memory of the balancers %s: it is not used, and made anew; counters and changes made at "
                     "run time are lost", rp_shm_err_str(err));
        rp_keep_drop(seg.process_pool);
    }
    seg.map.header = NULL;
    seg.balancers = NULL;
    return APR_SUCCESS;
}

static const rproxy_api_t *core_api;

static int forgotten(const rp_balancer_t *b) { return core_api->balancer_persist(b->conf->server) == 0; }

static apr_status_t mutex_make(apr_pool_t *pconf, server_rec *s)
{
    apr_status_t rv = ap_global_mutex_create(&seg.mutex, NULL, MUTEX_NAME, NULL, s, pconf, 0);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "RP0715: no mutex for changes of the balancers: see \"Mutex\" for " MUTEX_NAME);
    }
    return rv;
}

apr_status_t rp_shared_create(apr_pool_t *pconf, server_rec *s, const rproxy_api_t *core, apr_array_header_t *balancers)
{
    rp_keep_t *kept = rp_keep_get(s->process->pool);
    apr_uint32_t first = 0;
    apr_status_t rv = mutex_make(pconf, s);
    int i;

    if (rv == APR_SUCCESS) {
        rv = segment_make(pconf, s, balancers, kept ? kept->generation + 1 : 1);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rp_live_configure(core);
    for (i = 0; i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);

        b->index = i;
        balancer_start(pconf, b, first);
        first += (apr_uint32_t)b->nslots;
    }
    if (kept == NULL) { /* the first generation of this server */
        kept = rp_persist_load(pconf);
    }
    if (kept != NULL) {
        rp_keep_apply(pconf, s, core, kept, &seg.map, balancers);
    }
    core_api = core;
    rp_late_aim(s->process->pool, balancers, forgotten);
    seg.balancers = balancers;
    seg.own = NULL;
    seg.server = s;
    seg.process_pool = s->process->pool;
    seg.owner = getpid();
    apr_pool_pre_cleanup_register(pconf, NULL, generation_end);
    rp_persist_start(pconf); /* it ends before that */
    return APR_SUCCESS;
}

/* ---- writers ---- */

apr_status_t rp_shared_lock(void)
{
    return seg.mutex != NULL ? apr_global_mutex_lock(seg.mutex) : APR_ENOLOCK;
}

void rp_shared_unlock(void)
{
    (void)apr_global_mutex_unlock(seg.mutex);
}

void rp_shared_changed(rp_balancer_t *b)
{
    __atomic_fetch_add(&b->shm->changes, 1, __ATOMIC_ACQ_REL);
}

void rp_shared_event(const rp_balancer_t *b, const rp_member_t *m, const char *text)
{
    rp_shm_event_add(&seg.map, apr_time_now(), (apr_uint32_t)b->index, m ? m->index : -1, text);
}

/* ---- children ---- */

void rp_shared_child_init(apr_pool_t *pool, server_rec *s)
{
    apr_status_t rv;

    if (seg.map.header == NULL) {
        return;
    }
    seg.own = rp_shm_row_claim(&seg.map, (apr_uint32_t)getpid());
    if (seg.own == NULL) {
        seg.own = rp_shm_row_spare(&seg.map);
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "RP0702: no gauge is free for this child; what it has under way stays counted if it crashes");
    }
    rv = apr_global_mutex_child_init(&seg.mutex, apr_global_mutex_lockfile(seg.mutex), pool);
    if (rv == APR_SUCCESS) {
        rv = rp_live_child_init(seg.balancers);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "RP0720: this child can not set up its balancers and answers their requests with 503");
        seg.map.header = NULL;
    }
}

void rp_shared_child_gone(pid_t pid)
{
    if (seg.map.header != NULL) {
        (void)rp_shm_row_release(&seg.map, (apr_uint32_t)pid);
        rp_late_collect(); /* it may be of an earlier generation */
    }
}

void rp_shared_busy(const rp_member_t *m, int change)
{
    __atomic_fetch_add(&seg.own->busy[m->index], (apr_uint32_t)change, __ATOMIC_SEQ_CST);
}

void rp_shared_busy_all(const rp_balancer_t *b, apr_uint32_t *out)
{
    rp_shm_busy_all(&seg.map, b->shm->first, (apr_uint32_t)b->nslots, out);
}

apr_uint32_t rp_shared_busy_of(const rp_member_t *m)
{
    return rp_shm_busy(&seg.map, (apr_uint32_t)m->index);
}
