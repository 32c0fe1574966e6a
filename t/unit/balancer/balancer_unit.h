/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file balancer_unit.h
 * A world for what works on the shared segment of the balancers, without httpd: a segment in memory, two balancers, and stand-ins for what
 * httpd and src/balancer/shared.c would do. What is logged is kept. Two "generations" of it can exist one after the other.
 */
#ifndef RP_BALANCER_UNIT_H
#define RP_BALANCER_UNIT_H

#include "../pool_case.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>
#include <apr_strings.h>
#include <http_log.h>

#include "balancer/keep.h"
#include "balancer/lbmethods.h"
#include "balancer/live.h"
#include "balancer/settings.h"

static rp_shm_map_t world_map;
static apr_array_header_t *world; /* of rp_balancer_t * */
static rp_shm_row_t *world_row;
static int world_persist = -1;
static server_rec world_server;
static char logged[8192];
static pthread_mutex_t world_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- stand-ins for httpd ---- */

module AP_MODULE_DECLARE_DATA rproxy_balancer_module;

void ap_log_error_(const char *file, int line, int module_index, int level, apr_status_t status, const server_rec *s, const char *fmt, ...)
{
    va_list args;
    apr_size_t n;

    (void)file, (void)line, (void)module_index, (void)level, (void)status, (void)s;
    pthread_mutex_lock(&log_mutex);
    n = strlen(logged);
    va_start(args, fmt);
    vsnprintf(logged + n, sizeof(logged) - n, fmt, args);
    va_end(args);
    n = strlen(logged);
    snprintf(logged + n, sizeof(logged) - n, "\n");
    pthread_mutex_unlock(&log_mutex);
}

void *ap_lookup_provider(const char *group, const char *name, const char *version)
{
    static const rproxy_lbmethod_t *const all[] = {&rp_lb_byrequests, &rp_lb_bytraffic, &rp_lb_bybusyness};
    int i;

    ck_assert(!strcmp(group, RPROXY_LBMETHOD_GROUP) && !strcmp(version, RPROXY_LBMETHOD_VERSION));
    for (i = 0; i < ROWS(all); i++) {
        if (strcmp(all[i]->name, name) == 0) {
            union { const rproxy_lbmethod_t *in; void *out; } same = {all[i]};
            return same.out;
        }
    }
    return NULL;
}

apr_array_header_t *ap_list_provider_names(apr_pool_t *p, const char *group, const char *version)
{
    apr_array_header_t *names = apr_array_make(p, 2, sizeof(ap_list_provider_names_t));

    (void)group, (void)version;
    ((ap_list_provider_names_t *)apr_array_push(names))->provider_name = "byrequests";
    ((ap_list_provider_names_t *)apr_array_push(names))->provider_name = "bytraffic";
    return names;
}

/* ---- stand-ins for shared.c ---- */

const rp_shm_map_t *rp_shared_map(void) { return &world_map; }
apr_status_t rp_shared_lock(void) { return pthread_mutex_lock(&world_mutex); }
void rp_shared_unlock(void) { (void)pthread_mutex_unlock(&world_mutex); }
void rp_shared_changed(rp_balancer_t *b) { __atomic_fetch_add(&b->shm->changes, 1, __ATOMIC_ACQ_REL); }
apr_uint32_t rp_shared_busy_of(const rp_member_t *m) { return rp_shm_busy(&world_map, (apr_uint32_t)m->index); }
void rp_shared_busy(const rp_member_t *m, int change)
{
    __atomic_fetch_add(&world_row->busy[m->index], (apr_uint32_t)change, __ATOMIC_SEQ_CST);
}
void rp_shared_event(const rp_balancer_t *b, const rp_member_t *m, const char *text)
{
    rp_shm_event_add(&world_map, 1, (apr_uint32_t)b->index, m ? m->index : -1, text);
}

/* ---- stand-ins for mod_rproxy ---- */

static rp_worker_t *make_worker(apr_pool_t *p, const void *balancer, const char *text, int flags, const char **why)
{
    rp_url_err_e err;
    rp_url_t url;
    rp_worker_t *w;

    (void)balancer;
    if (rp_url_parse(p, text, flags & RPROXY_MEMBER_UNIX, &url, &err) != APR_SUCCESS) {
        *why = apr_psprintf(p, "the URL \"%s\" %s", text, rp_url_err_str(err));
        return NULL;
    }
    w = rp_worker_create(p, &url, NULL);
    w->defined_at = "test.conf:1";
    rp_worker_params_defaults(&w->params);
    return w;
}

static int persist(const server_rec *s)
{
    (void)s;
    return world_persist;
}

static ap_expr_info_t *find_expr(const server_rec *s, const char *name)
{
    static ap_expr_info_t known;

    (void)s;
    return strcmp(name, "known") == 0 ? &known : NULL;
}

static const rproxy_api_t world_core = {.version = RPROXY_API_VERSION,
                                        .balancer_persist = persist,
                                        .member_make = make_worker,
                                        .health_expr = find_expr,
                                        .member_ready = rp_worker_child_init};

/* ---- a generation ---- */

static void slot_fill(rp_balancer_t *b, rp_member_t *m)
{
    rp_member_settings_t s;
    int i, n;
    const rp_setting_t *rows = rp_member_setting_rows(&n);

    m->shm->balancer = (apr_uint32_t)b->index;
    if (m->configured == NULL) {
        m->shm->status = RP_ST_FREE;
        return;
    }
    rp_member_settings_fill(&s, &m->configured->params, m->configured->name);
    s.state = RP_SLOT_USED;
    s.incarnation = m->shm->lease = 1;
    m->shm->status = m->shm->configured_status = rp_member_status_fill(&m->configured->params);
    for (i = 0; i < n; i++) {
        m->shm->configured[rows[i].field] = rp_setting_hash(&rows[i], &s);
    }
    rp_shm_member_write(m->shm, &s);
}

/* A balancer of the configuration: `lines` are URLs, each with "key=value" behind it, ending with NULL. */
static rp_balancer_t *balancer_add(const char *name, int growth, const char *const *lines)
{
    rp_balancer_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));
    rp_balancer_t *b = apr_pcalloc(pool, sizeof(*b));
    const char *why;

    conf->name = name;
    conf->server = &world_server;
    conf->defined_at = "test.conf:1";
    rp_balancer_params_init(&conf->params);
    b->conf = conf;
    b->members = apr_pcalloc(pool, sizeof(*b->members) * 32);
    for (; *lines != NULL; lines++) {
        char *eq = strchr(*lines, '=');

        if (strstr(*lines, "://") != NULL) {
            b->members[b->nconfigured++].configured = make_worker(pool, NULL, *lines, 0, &why);
        }
        else {
            const char *key = apr_pstrmemdup(pool, *lines, (apr_size_t)(eq - *lines));
            if (b->nconfigured == 0) {
                ck_assert_ptr_null(rp_balancer_param_set(pool, &conf->params, key, eq + 1));
            }
            else {
                ck_assert_ptr_null(rp_worker_param_set(pool, &b->members[b->nconfigured - 1].configured->params, key, eq + 1));
            }
        }
    }
    rp_balancer_params_defaults(&conf->params);
    b->nslots = b->nconfigured + growth;
    APR_ARRAY_PUSH(world, rp_balancer_t *) = b;
    return b;
}

static void generation_begin(void)
{
    world_server.server_hostname = apr_pstrdup(pool, "localhost");
    world_server.port = 80;
    world = apr_array_make(pool, 4, sizeof(rp_balancer_t *));
    logged[0] = '\0';
}

typedef struct segment_t {
    void *mem;
    apr_size_t size;
} segment_t;

static apr_status_t segment_unmap(void *data)
{
    segment_t *seg = data;

    return munmap(seg->mem, seg->size) == 0 ? APR_SUCCESS : errno;
}

/* Shared memory, which can be mapped a second time. */
static void segment_make(apr_uint32_t nbalancers, apr_uint32_t nmembers)
{
    segment_t *seg = apr_palloc(pool, sizeof(*seg));

    seg->size = rp_shm_size(nbalancers, nmembers, 4);
    seg->mem = mmap(NULL, seg->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seg->mem, MAP_FAILED);
    apr_pool_cleanup_register(pool, seg, segment_unmap, apr_pool_cleanup_null);
    rp_shm_format(seg->mem, seg->size, nbalancers, nmembers, 4, 1, 1, &world_map);
}

/* All balancers are added: the segment with their slots, and this "child". */
static void generation_run(void)
{
    apr_uint32_t n = 0, first = 0;
    int i, k;

    for (i = 0; i < world->nelts; i++) {
        n += (apr_uint32_t)APR_ARRAY_IDX(world, i, rp_balancer_t *)->nslots;
    }
    segment_make((apr_uint32_t)world->nelts, n);
    rp_keep_keys(pool, world);
    for (i = 0; i < world->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(world, i, rp_balancer_t *);
        rp_balancer_settings_t s;
        int rows_n;
        const rp_setting_t *rows = rp_balancer_setting_rows(&rows_n);

        b->index = i;
        b->shm = &world_map.balancers[i];
        b->shm->first = first;
        b->shm->nslots = (apr_uint32_t)b->nslots;
        b->shm->nconfigured = (apr_uint32_t)b->nconfigured;
        rp_balancer_settings_fill(&s, &b->conf->params);
        for (k = 0; k < rows_n; k++) {
            b->shm->configured[rows[k].field] = rp_setting_hash(&rows[k], &s);
        }
        rp_shm_balancer_write(b->shm, &s);
        b->shm->changes = 1;
        for (k = 0; k < b->nslots; k++) {
            b->members[k].place = k;
            b->members[k].index = (int)first + k;
            b->members[k].shm = &world_map.members[first + (apr_uint32_t)k];
            slot_fill(b, &b->members[k]);
        }
        first += (apr_uint32_t)b->nslots;
    }
    world_row = rp_shm_row_claim(&world_map, 77);
    rp_live_configure(&world_core);
}

__attribute__((unused)) static void child_begin(void)
{
    ck_assert_int_eq(rp_live_child_init(world), APR_SUCCESS);
}

/* "url|url|..." of the members there are now. */
__attribute__((unused)) static const char *members_now(rp_balancer_t *b)
{
    rp_live_t *live = rp_live_acquire(b);
    const char *text = "";
    int i;

    for (i = 0; i < live->n; i++) {
        text = apr_pstrcat(pool, text, i ? "|" : "", live->members[i].worker->name, NULL);
    }
    rp_live_release(live);
    return text;
}

#endif
