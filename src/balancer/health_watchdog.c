/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/health_watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <http_config.h>
#include <http_log.h>
#include <mod_watchdog.h>
#include <scoreboard.h>
#include <stdlib.h>
#include <unistd.h>

#include "balancer/health.h"
#include "balancer/health_run.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

#define WATCHDOG_NAME "_rproxy_health_"
#define LOCK_KEY "rproxy_health_lock" /* userdata of the process pool: int *, the descriptor */

static const rproxy_api_t *core_api;
static server_rec *main_server_rec;
static const apr_array_header_t *all_balancers;
static int lock_fd = -1;

static struct {
    int ready;                  /**< atomic: 1 what the checker needs is there, 0 not yet, -1 not any more */
    int holds_lock;             /**< of the watchdog's thread */
    ap_generation_t generation; /**< this child belongs to */
} child;

/* ---- the lock ---- */

/* Of a record of a file without a name: it belongs to the process, ends with it, and is not inherited. */
static apr_status_t lock_set(short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};

    return fcntl(lock_fd, F_SETLK, &lock) == 0 ? APR_SUCCESS : errno;
}

/* Once in the life of the main process. */
static apr_status_t lock_open(server_rec *s, apr_pool_t *ptemp)
{
    apr_pool_t *process_pool = s->process->pool;
    void *kept = NULL;
    char *name;
    int *fd;

    apr_pool_userdata_get(&kept, LOCK_KEY, process_pool);
    if (kept != NULL) {
        lock_fd = *(int *)kept;
        return APR_SUCCESS;
    }
    name = ap_runtime_dir_relative(ptemp, "rproxy_health.XXXXXX");
    lock_fd = name != NULL ? mkostemp(name, O_CLOEXEC) : -1;
    if (lock_fd < 0) {
        apr_status_t rv = name != NULL ? errno : APR_EINVAL;

        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "RP0751: health checks need a file to lock in DefaultRuntimeDir, and none can be made there");
        return rv;
    }
    (void)unlink(name);
    fd = apr_palloc(process_pool, sizeof(*fd));
    *fd = lock_fd;
    return apr_pool_userdata_set(fd, LOCK_KEY, NULL, process_pool); /* copies the key: this module may be unloaded */
}

/* ---- in a child ---- */

static int is_current(void)
{
    return ap_get_scoreboard_global() == NULL || ap_get_scoreboard_global()->running_generation == child.generation;
}

static void leave(void)
{
    rp_health_run_stop();
    if (child.holds_lock) {
        child.holds_lock = 0;
        (void)lock_set(F_UNLCK);
    }
}

/* On the watchdog's thread of each child. */
static apr_status_t watchdog(int state, void *data, apr_pool_t *pool)
{
    int ready = __atomic_load_n(&child.ready, __ATOMIC_ACQUIRE); /* the watchdog may be there before all of the child is */

    (void)data, (void)pool;
    if (state == AP_WATCHDOG_STATE_STOPPING || (ready != 0 && !is_current())) { /* a child of an old generation may live long */
        leave();
    }
    else if (ready == 1) {
        if (!child.holds_lock && lock_set(F_WRLCK) == APR_SUCCESS) {
            child.holds_lock = 1;
            rp_health_run_start(core_api, main_server_rec, all_balancers);
        }
        if (__atomic_load_n(&child.ready, __ATOMIC_ACQUIRE) == 1) {
            rp_health_run_tick(rp_clock_now_us());
        }
        else { /* the child ended while we started */
            rp_health_run_stop();
        }
    }
    return APR_SUCCESS;
}

/* Before anything of the child goes: checks use its endpoints. */
static apr_status_t child_ends(void *data)
{
    (void)data;
    __atomic_store_n(&child.ready, -1, __ATOMIC_RELEASE);
    rp_health_run_stop();
    return APR_SUCCESS;
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    (void)s;
    if (all_balancers != NULL) {
        child.generation = ap_get_scoreboard_global() != NULL ? ap_get_scoreboard_global()->running_generation : 0;
        apr_pool_pre_cleanup_register(pchild, NULL, child_ends);
        __atomic_store_n(&child.ready, 1, __ATOMIC_RELEASE);
    }
}

/* ---- in the parent ---- */

/* hcinit: what was never checked waits for its checks. */
static void member_begin(const rp_member_t *m)
{
    rp_member_settings_t settings;
    rp_health_settings_t health;

    if (m->configured == NULL || rp_shm_member_read(m->shm, &settings) != APR_SUCCESS
        || rp_shm_health_read(m->shm, &health) != APR_SUCCESS) {
        return;
    }
    if (rp_health_method(settings.hcmethod) != RP_HEALTH_NONE && health.checked_at == 0
        && rp_health_init(m->configured->params.hcinit) != RP_HEALTH_INIT_UP && !(m->configured->params.status_clear & RP_ST_HC_FAIL)) {
        m->shm->status |= RP_ST_HC_FAIL;
    }
}

static apr_status_t watchdog_add(apr_pool_t *pconf, server_rec *main_server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *instance = NULL;
    apr_status_t rv = APR_ENOTIMPL;

    if (get != NULL && add != NULL) {
        rv = get(&instance, WATCHDOG_NAME, 0, 0, pconf);
    }
    if (rv == APR_SUCCESS) {
        rv = add(instance, AP_WD_TM_SLICE, main_server, watchdog);
    }
    if (rv != APR_SUCCESS && rv != APR_ENOTIMPL) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server, "RP0748: mod_watchdog does not take the health checks of balancers");
    }
    return rv;
}

apr_status_t rp_health_configure(apr_pool_t *pconf, server_rec *main_server, const rproxy_api_t *core, const apr_array_header_t *balancers)
{
    apr_status_t rv;
    int i, k;

    all_balancers = NULL;
    child.ready = child.holds_lock = 0;
    if (balancers->nelts == 0) {
        return APR_SUCCESS;
    }
    rv = watchdog_add(pconf, main_server);
    if (rv == APR_ENOTIMPL) {
        return APR_SUCCESS; /* that something asks for checks without mod_watchdog was refused when the configuration was checked */
    }
    if (rv == APR_SUCCESS) {
        rv = lock_open(main_server, pconf);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);
        for (k = 0; k < b->nslots; k++) {
            member_begin(&b->members[k]);
        }
    }
    core_api = core;
    main_server_rec = main_server;
    all_balancers = balancers;
    return APR_SUCCESS;
}

void rp_health_register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_LAST); /* behind those that make what checks use */
}
