/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/health_run.h"

#include <apr_strings.h>
#include <http_log.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/health_check.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

#define BACK_ROOM 0 /* place in rp_health_settings_t.room: rp_health_counts_t.back */

/** A member's place and its times; by index of the slot in the segment. */
typedef struct job_t {
    rp_balancer_t *balancer;
    rp_member_t *slot;
    apr_uint32_t incarnation;      /**< of the member these times are of */
    int known;                     /**< there is one, and it is checked */
    apr_interval_time_t interval_us;
    apr_time_t due_us;             /**< monotonic */
    int could_not;                 /**< the last check was not possible, which was logged */
    int busy;                      /**< in the queue or under way; under the mutex */
    struct job_t *next;            /**< in the queue; under the mutex */
} job_t;

/** A thread. */
typedef struct thread_t {
    pthread_t id;
    rp_probe_cancel_t cancel;
} thread_t;

static struct {
    pthread_mutex_t control;       /**< start, tick and stop exclude each other */
    const rproxy_api_t *core;
    server_rec *server;
    const apr_array_header_t *balancers;
    job_t *jobs;
    int njobs;
    thread_t *threads;
    int nthreads;
    int started;
    int threads_tried;             /**< they are made when there is something to check for the first time */
    pthread_mutex_t mutex;         /**< of the queue */
    pthread_cond_t more;
    job_t *first, *last;
    int stopping;
} run = {.control = PTHREAD_MUTEX_INITIALIZER, .mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

/* ---- results ---- */

static void text_set(char *to, apr_size_t size, const char *from)
{
    apr_size_t n = strlen(from);

    n = n < size ? n : size - 1;
    memset(to, 0, size);
    memcpy(to, from, n);
}

static void log_change(const job_t *job, const rp_health_plan_t *plan, const rp_health_outcome_t *outcome, const rp_health_counts_t *counts,
                       rp_health_change_e change, apr_pool_t *pool)
{
    const char *balancer = job->balancer->conf->name, *member = plan->worker->name;
    const char *method = rp_health_method_str(plan->method);
    const char *reason = apr_pstrndup(pool, outcome->reason, RP_HEALTH_REASON_MAX);

    if (change == RP_HEALTH_OUT) {
        int passes = plan->rules.passes > 1 ? plan->rules.passes : 1;

        ap_log_error(APLOG_MARK, APLOG_ERR, 0, plan->server,
                     "RP0742: %s: member %s is out of service: health check %s failed %u time%s in a row: %s; %d good check%s will "
                     "bring it back",
                     balancer, member, method, counts->fails, counts->fails == 1 ? "" : "s", reason, passes, passes == 1 ? "" : "s");
        rp_shared_event(job->balancer, job->slot, apr_psprintf(pool, "%s: out of service: health check %s failed: %s", member, method, reason));
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, plan->server,
                     "RP0743: %s: member %s is back in service: health check %s passed: %s", balancer, member, method, reason);
        rp_shared_event(job->balancer, job->slot, apr_psprintf(pool, "%s: back in service: health check %s passed: %s", member, method, reason));
    }
}

static void status_switch(rp_shm_member_t *shm, unsigned set, unsigned clear, rp_health_change_e change)
{
    if (clear & RP_ST_IN_ERROR) {
        __atomic_store_n(&shm->retries, 0, __ATOMIC_RELAXED);
    }
    if (clear != 0) {
        __atomic_fetch_and(&shm->status, ~(apr_uint32_t)clear, __ATOMIC_ACQ_REL);
    }
    if (set != 0) {
        __atomic_fetch_or(&shm->status, (apr_uint32_t)set, __ATOMIC_ACQ_REL);
    }
    if (set | clear) {
        __atomic_fetch_add(&rp_shared_map()->balancers[shm->balancer].states, 1, __ATOMIC_ACQ_REL);
    }
    if (change != RP_HEALTH_SAME) {
        __atomic_store_n(&shm->state_changed_at, apr_time_now(), __ATOMIC_RELAXED);
        __atomic_fetch_add(&shm->checks_changed, 1, __ATOMIC_RELAXED);
    }
    if (change == RP_HEALTH_BACK) {
        __atomic_store_n(&shm->usable_since_us, rp_clock_now_us(), __ATOMIC_RELAXED);
    }
}

/* The member is as good as the check says. */
static void apply(const job_t *job, const rp_health_plan_t *plan, const rp_health_outcome_t *outcome, apr_time_t began_at, apr_pool_t *pool)
{
    rp_shm_member_t *shm = job->slot->shm;
    rp_health_settings_t health;
    rp_health_counts_t counts;
    rp_health_change_e change;
    unsigned set, clear;
    int good = outcome->result == RP_HEALTH_GOOD;

    if (rp_shm_health_read(shm, &health) != APR_SUCCESS) {
        return; /* can not be: nobody else writes */
    }
    counts.passes = health.passes;
    counts.fails = health.fails;
    counts.back = (apr_uint32_t)health.room[BACK_ROOM];
    counts.checked = health.checked_at != 0;
    change = rp_health_step(&plan->rules, __atomic_load_n(&shm->status, __ATOMIC_ACQUIRE), good, &counts, &set, &clear);
    health.passes = counts.passes;
    health.fails = counts.fails;
    health.room[BACK_ROOM] = counts.back;
    health.checked_at = began_at;
    health.took_us = outcome->took_us;
    health.status = (apr_uint32_t)outcome->status;
    text_set(health.result, sizeof(health.result), outcome->reason);
    rp_shm_health_write(shm, &health);
    __atomic_fetch_add(&shm->checks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shm->checks_failed, good ? 0 : 1, __ATOMIC_RELAXED);
    status_switch(shm, set, clear, change);
    if (change != RP_HEALTH_SAME) {
        log_change(job, plan, outcome, &counts, change, pool);
    }
}

/* ---- one check ---- */

/* The member as it is now, if it is still the one that was due. */
static int member_copy(const job_t *job, rp_live_member_t *out)
{
    rp_live_t *live = rp_live_acquire(job->balancer);
    int i, found = 0;

    for (i = 0; i < live->n && !found; i++) {
        if (live->members[i].slot == job->slot && live->members[i].incarnation == job->incarnation) {
            *out = live->members[i];
            found = 1;
        }
    }
    rp_live_release(live);
    return found;
}

static void plan_make(const job_t *job, const rp_live_member_t *m, rp_health_plan_t *plan)
{
    const rp_worker_params_t *p = &m->worker->params;
    server_rec *s = job->balancer->conf->server;

    plan->worker = m->worker;
    plan->server = s;
    plan->method = rp_health_method(m->settings.hcmethod);
    plan->uri = m->settings.hcuri;
    plan->host = m->settings.hchost;
    plan->expr = m->settings.hcexpr;
    plan->interval_us = m->settings.hcinterval_us;
    plan->timeout_us = rp_health_timeout(m->settings.hctimeout_us, m->settings.hcinterval_us,
                                         p->timeout_us > 0 ? p->timeout_us : run.core->io_timeout(s));
    plan->rules.passes = m->settings.hcpasses;
    plan->rules.fails = m->settings.hcfails;
    plan->rules.init = rp_health_init(p->hcinit);
}

static void check(job_t *job, rp_probe_cancel_t *cancel, apr_pool_t *pool)
{
    apr_time_t began_at = apr_time_now();
    rp_live_member_t member, now;
    rp_health_outcome_t outcome;
    rp_health_plan_t plan;

    if (!member_copy(job, &member)) {
        return;
    }
    plan_make(job, &member, &plan);
    rp_health_check(run.core, &plan, cancel, pool, &outcome);
    if (rp_probe_cancelled(cancel) || !member_copy(job, &now)) {
        return;
    }
    if (outcome.result == RP_HEALTH_UNKNOWN) {
        ap_log_error(APLOG_MARK, job->could_not ? APLOG_DEBUG : APLOG_WARNING, 0, plan.server,
                     "RP0745: %s: member %s could not be checked: %s; it stays as it is", job->balancer->conf->name, plan.worker->name,
                     outcome.reason);
        job->could_not = 1;
        return;
    }
    job->could_not = 0;
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, plan.server, "RP0744: %s: member %s: health check %s is %s after %" APR_TIME_T_FMT " ms: %s",
                 job->balancer->conf->name, plan.worker->name, rp_health_method_str(plan.method),
                 outcome.result == RP_HEALTH_GOOD ? "good" : "bad", outcome.took_us / 1000, outcome.reason);
    apply(job, &plan, &outcome, began_at, pool);
}

/* ---- threads ---- */

/* The next one, waited for; NULL: it is over. */
static job_t *queue_take(void)
{
    job_t *job;

    (void)pthread_mutex_lock(&run.mutex);
    while (run.first == NULL && !run.stopping) {
        (void)pthread_cond_wait(&run.more, &run.mutex);
    }
    job = run.stopping ? NULL : run.first;
    if (job != NULL) {
        run.first = job->next;
    }
    (void)pthread_mutex_unlock(&run.mutex);
    return job;
}

static void queue_put(job_t *job)
{
    job->next = NULL;
    job->busy = 1;
    if (run.first == NULL) {
        run.first = job;
    }
    else {
        run.last->next = job;
    }
    run.last = job;
}

static void *thread_main(void *data)
{
    thread_t *self = data;
    apr_pool_t *pool = NULL;
    job_t *job;

    /* of no other pool, so that threads do not meet in a parent */
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return NULL;
    }
    while ((job = queue_take()) != NULL) {
        check(job, &self->cancel, pool);
        apr_pool_clear(pool);
        (void)pthread_mutex_lock(&run.mutex);
        job->busy = 0;
        (void)pthread_mutex_unlock(&run.mutex);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static int count_places(const apr_array_header_t *balancers)
{
    int i, n = 0;

    for (i = 0; i < balancers->nelts; i++) {
        n += APR_ARRAY_IDX(balancers, i, rp_balancer_t *)->nslots;
    }
    return n;
}

static void jobs_make(void)
{
    int i, k, n = 0;

    run.njobs = count_places(run.balancers);
    run.jobs = calloc((size_t)run.njobs + 1, sizeof(*run.jobs));
    for (i = 0; run.jobs != NULL && i < run.balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(run.balancers, i, rp_balancer_t *);
        for (k = 0; k < b->nslots; k++, n++) {
            run.jobs[n].balancer = b;
            run.jobs[n].slot = &b->members[k];
        }
    }
}

/* As many as the system gives: one is enough to go on with. */
static void threads_make(void)
{
    int i, n = run.core->health_threads(run.server);

    n = n < run.njobs ? n : run.njobs;
    n = n > 1 ? n : 1;
    run.threads_tried = 1;
    run.threads = run.jobs != NULL ? calloc((size_t)n, sizeof(*run.threads)) : NULL;
    for (i = 0; run.threads != NULL && i < n; i++) {
        rp_probe_cancel_init(&run.threads[i].cancel);
        if (pthread_create(&run.threads[i].id, NULL, thread_main, &run.threads[i]) != 0) {
            rp_probe_cancel_destroy(&run.threads[i].cancel);
            break;
        }
        run.nthreads++;
    }
    if (run.nthreads < n) {
        ap_log_error(APLOG_MARK, run.nthreads > 0 ? APLOG_WARNING : APLOG_CRIT, 0, run.server,
                     "RP0746: %d threads instead of %d (ProxyHCTPsize) check members' health; the system gives no more", run.nthreads, n);
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, run.server, "RP0750: this child checks the health of members, %d at once", run.nthreads);
}

void rp_health_run_start(const rproxy_api_t *core, server_rec *main_server, const apr_array_header_t *balancers)
{
    (void)pthread_mutex_lock(&run.control);
    if (!run.started) {
        run.core = core;
        run.server = main_server;
        run.balancers = balancers;
        run.first = NULL;
        run.stopping = 0;
        run.threads_tried = 0;
        jobs_make();
        run.started = run.jobs != NULL;
    }
    (void)pthread_mutex_unlock(&run.control);
}

void rp_health_run_stop(void)
{
    int i;

    (void)pthread_mutex_lock(&run.control);
    (void)pthread_mutex_lock(&run.mutex);
    run.stopping = 1;
    (void)pthread_cond_broadcast(&run.more);
    (void)pthread_mutex_unlock(&run.mutex);
    for (i = 0; i < run.nthreads; i++) {
        rp_probe_cancel(&run.threads[i].cancel);
    }
    for (i = 0; i < run.nthreads; i++) {
        (void)pthread_join(run.threads[i].id, NULL);
        rp_probe_cancel_destroy(&run.threads[i].cancel);
    }
    run.nthreads = run.started = 0;
    free(run.threads);
    free(run.jobs);
    run.threads = NULL;
    run.jobs = NULL;
    run.njobs = 0;
    (void)pthread_mutex_unlock(&run.control);
}

/* ---- what is due ---- */

static unsigned status_of(const rp_live_member_t *m)
{
    return __atomic_load_n(&m->slot->shm->status, __ATOMIC_ACQUIRE);
}

/* Checks were switched off while it was out for them: nothing else would ever bring it back. */
static void let_go(rp_balancer_t *b, const rp_live_member_t *m)
{
    rp_shm_member_t *shm = m->slot->shm;
    rp_health_settings_t health;

    if (rp_shm_health_read(shm, &health) != APR_SUCCESS || health.checked_at == 0) {
        return; /* the flag is an administrator's */
    }
    memset(&health, 0, sizeof(health));
    rp_shm_health_write(shm, &health);
    if (shm->configured_status & RP_ST_HC_FAIL) {
        return;
    }
    status_switch(shm, 0, RP_ST_HC_FAIL, RP_HEALTH_BACK);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, b->conf->server, "RP0747: %s: member %s is back in service: its health checks were switched off",
                 b->conf->name, m->worker->name);
    rp_shared_event(b, m->slot, "back in service: its health checks were switched off");
}

/* When its first check by this process is due. */
static apr_time_t first_due(const rp_live_member_t *m, int i, int n, apr_time_t now_us)
{
    rp_health_settings_t health;
    apr_interval_time_t ago_us = -1;

    if (rp_shm_health_read(m->slot->shm, &health) == APR_SUCCESS && health.checked_at != 0) {
        ago_us = apr_time_now() - health.checked_at;
        ago_us = ago_us > 0 ? ago_us : 0; /* the clock was set back */
    }
    return now_us + rp_health_first(m->settings.hcinterval_us, i, n, rp_health_init(m->worker->params.hcinit), ago_us);
}

/* i: its number among the n members that are checked. */
static void look_at(job_t *job, const rp_live_member_t *m, int i, int n, apr_time_t now_us)
{
    apr_interval_time_t interval_us = m->settings.hcinterval_us;

    if (!job->known || job->incarnation != m->incarnation) {
        job->due_us = first_due(m, i, n, now_us);
        job->could_not = 0;
    }
    else if (job->interval_us != interval_us && job->due_us > now_us + interval_us) {
        job->due_us = now_us + interval_us; /* it was made shorter at run time */
    }
    job->known = 1;
    job->incarnation = m->incarnation;
    job->interval_us = interval_us;
    if (now_us >= job->due_us) {
        queue_put(job);
        job->due_us = now_us + interval_us;
    }
}

/* All balancers; with queue 0 only counted. */
static int walk(int queue, int n, apr_time_t now_us)
{
    int i, k, checked = 0;

    for (i = 0; i < run.balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(run.balancers, i, rp_balancer_t *);
        rp_live_t *live = rp_live_acquire(b);

        for (k = 0; k < live->n; k++) {
            const rp_live_member_t *m = &live->members[k];
            job_t *job = &run.jobs[m->slot->index];

            if (rp_health_checked(rp_health_method(m->settings.hcmethod), status_of(m))) {
                if (queue && !job->busy) {
                    look_at(job, m, checked, n, now_us);
                }
                checked++;
            }
            else if (queue && !job->busy) {
                job->known = 0;
                if ((status_of(m) & RP_ST_HC_FAIL) && rp_health_method(m->settings.hcmethod) == RP_HEALTH_NONE) {
                    let_go(b, m);
                }
            }
        }
        rp_live_release(live);
    }
    return checked;
}

void rp_health_run_tick(apr_time_t now_us)
{
    (void)pthread_mutex_lock(&run.control);
    if (run.started) {
        int n = walk(0, 0, now_us);

        if (n > 0 && !run.threads_tried) {
            threads_make();
        }
        (void)pthread_mutex_lock(&run.mutex);
        if (n == 0 || run.nthreads > 0) {
            (void)walk(1, n, now_us);
        }
        if (run.first != NULL) {
            (void)pthread_cond_broadcast(&run.more);
        }
        (void)pthread_mutex_unlock(&run.mutex);
    }
    (void)pthread_mutex_unlock(&run.control);
}
