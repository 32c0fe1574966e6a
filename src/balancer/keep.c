/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/keep.h"

#include <apr_hash.h>
#include <apr_cstr.h>
#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "balancer/settings.h"

APLOG_USE_MODULE(rproxy_balancer);

#define KEPT_KEY "rproxy_balancer_kept_4" /* userdata of the process pool; other number, other structs */

/* Flags that an administrator switches; E and C are learned. */
#define STATUS_SAID \
    (RP_ST_IGNORE_ERRORS | RP_ST_DRAIN | RP_ST_IN_SHUTDOWN | RP_ST_DISABLED | RP_ST_STOPPED | RP_ST_HOT_STANDBY | RP_ST_HOT_SPARE)

/* ---- keys ---- */

void rp_keep_keys(apr_pool_t *pconf, apr_array_header_t *balancers)
{
    apr_hash_t *seen = apr_hash_make(pconf);
    int i;

    for (i = 0; i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);
        const server_rec *s = b->conf->server;
        const char *base = apr_psprintf(pconf, "%s:%u|%s", s->server_hostname ? s->server_hostname : "", (unsigned)s->port,
                                        b->conf->name);
        int *n = apr_hash_get(seen, base, APR_HASH_KEY_STRING);

        if (n == NULL) {
            n = apr_pcalloc(pconf, sizeof(*n));
            apr_hash_set(seen, base, APR_HASH_KEY_STRING, n);
        }
        b->key = apr_psprintf(pconf, "%s|%d", base, (*n)++);
    }
}

/* ---- keeping ---- */

rp_keep_t *rp_keep_get(apr_pool_t *process_pool)
{
    void *kept = NULL;

    apr_pool_userdata_get(&kept, KEPT_KEY, process_pool);
    return kept;
}

void rp_keep_drop(apr_pool_t *process_pool)
{
    rp_keep_t *kept = rp_keep_get(process_pool);

    if (kept != NULL) {
        (void)apr_pool_userdata_set(NULL, KEPT_KEY, NULL, process_pool);
        apr_pool_destroy(kept->pool);
    }
}

static rp_kept_t *balancer_take(apr_pool_t *pool, const rp_balancer_t *b)
{
    rp_kept_t *kept = apr_pcalloc(pool, sizeof(*kept));
    rp_member_settings_t settings;
    int i;

    kept->key = apr_pstrdup(pool, b->key);
    kept->balancer = *b->shm;
    kept->members = apr_pcalloc(pool, sizeof(*kept->members) * (apr_size_t)(b->nslots + 1));
    for (i = 0; i < b->nslots; i++) {
        if (rp_shm_member_read(b->members[i].shm, &settings) == APR_SUCCESS && settings.state == RP_SLOT_USED) {
            kept->members[kept->nmembers++] = *b->members[i].shm;
        }
    }
    return kept;
}

static void events_take(rp_keep_t *kept)
{
    const rp_shm_map_t *map = rp_shared_map();
    apr_uint64_t last = __atomic_load_n(&map->header->events, __ATOMIC_ACQUIRE), i;
    rp_shm_event_t event;

    for (i = last > RP_SHM_EVENTS ? last - RP_SHM_EVENTS + 1 : 1; i <= last; i++) {
        if (rp_shm_event_read(map, i, &event)) {
            APR_ARRAY_PUSH(kept->events, rp_shm_event_t) = event;
        }
    }
}

rp_keep_t *rp_keep_take(apr_pool_t *parent, const apr_array_header_t *balancers, apr_uint64_t generation)
{
    apr_pool_t *pool;
    rp_keep_t *kept;
    int i;

    if (apr_pool_create(&pool, parent) != APR_SUCCESS) {
        return NULL;
    }
    kept = apr_pcalloc(pool, sizeof(*kept));
    kept->pool = pool;
    kept->generation = generation;
    kept->balancers = apr_array_make(pool, balancers->nelts, sizeof(rp_kept_t *));
    kept->events = apr_array_make(pool, RP_SHM_EVENTS, sizeof(rp_shm_event_t));
    for (i = 0; i < balancers->nelts; i++) {
        APR_ARRAY_PUSH(kept->balancers, rp_kept_t *) = balancer_take(pool, APR_ARRAY_IDX(balancers, i, rp_balancer_t *));
    }
    events_take(kept);
    return kept;
}

void rp_keep_store(apr_pool_t *process_pool, const apr_array_header_t *balancers, apr_uint64_t generation)
{
    rp_keep_t *kept;

    rp_keep_drop(process_pool);
    /* no child of the process pool: that one may be on its way out, and has destroyed its children before pconf */
    kept = rp_keep_take(NULL, balancers, generation);
    if (kept != NULL) {
        /* copies the key: this module may be unloaded before the next generation reads it */
        (void)apr_pool_userdata_set(kept, KEPT_KEY, NULL, process_pool);
    }
}

/* ---- taking over ---- */

/** What taking over needs everywhere. */
typedef struct taking_t {
    apr_pool_t *pool;
    server_rec *s;
    const rproxy_api_t *core;
    const rp_shm_map_t *map;
    rp_balancer_t *b;
    const rp_shm_balancer_t *old; /**< what b was */
} taking_t;

static void log_kept(const taking_t *t, const char *who, const char *what, const char *why)
{
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, t->s, "RP0716: %s: %s%s, set at run time (%s), is kept", t->b->conf->name, who, what,
                 why[0] ? why : "no reason given");
}

static void log_lost(const taking_t *t, const char *who, const char *what, const char *at)
{
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, t->s,
                 "RP0717: %s: %s%s, set at run time, gives way to %s, where it was changed", t->b->conf->name, who, what, at);
}

/** Settings of one kind, in both generations. */
typedef struct fields_t {
    const char *who, *at;            /**< for the log: whose they are, and where they are configured */
    const rp_setting_t *rows;
    int n;
    const apr_uint32_t *was, *is;    /**< hashes of the configuration, then and now */
    const void *then;                /**< settings as they were */
    const char *why;                 /**< they were changed */
} fields_t;

/* What was said at run time (bits) of fields whose configuration is the same goes into settings. @return bits that are kept */
static apr_uint32_t fields_keep(const taking_t *t, const fields_t *f, apr_uint32_t runtime, void *settings)
{
    apr_uint32_t kept = 0;
    int i;

    for (i = 0; i < f->n; i++) {
        const rp_setting_t *row = &f->rows[i];
        const char *what;

        if (!(runtime & 1u << row->field)) {
            continue;
        }
        what = apr_psprintf(t->pool, "%s=%s", row->key, rp_setting_str(t->pool, row, f->then));
        if (f->was[row->field] != f->is[row->field]) {
            log_lost(t, f->who, what, f->at);
            continue;
        }
        rp_setting_copy(row, settings, f->then);
        kept |= 1u << row->field;
        log_kept(t, f->who, what, f->why);
    }
    return kept;
}

static void counters_keep(rp_shm_member_t *shm, const rp_shm_member_t *old)
{
    shm->elected = old->elected;
    shm->sent = old->sent;
    shm->received = old->received;
    shm->failed = old->failed;
    memcpy(shm->responses, old->responses, sizeof(shm->responses));
    shm->connect_errors = old->connect_errors;
    shm->timeouts = old->timeouts;
    shm->closes = old->closes;
    shm->errors_set = old->errors_set;
    shm->checks = old->checks;
    shm->checks_failed = old->checks_failed;
    shm->checks_changed = old->checks_changed;
    memcpy(shm->times, old->times, sizeof(shm->times));
    memcpy(shm->counter_room, old->counter_room, sizeof(shm->counter_room));
    shm->latency_us = old->latency_us;
    shm->state_changed_at = old->state_changed_at;
    shm->usable_since_us = old->usable_since_us;
}

static int is_checked(const rp_member_settings_t *settings)
{
    return settings->hcmethod[0] != '\0' && apr_cstr_casecmp(settings->hcmethod, "NONE") != 0;
}

/* What was learned: an error goes on for the rest of its time; a failed check only where checks can end it. */
static void learned_keep(rp_shm_member_t *shm, const rp_shm_member_t *old, const rp_member_settings_t *settings)
{
    if ((old->status & RP_ST_IN_ERROR) && old->error_us > 0) {
        shm->status |= RP_ST_IN_ERROR;
        shm->error_us = old->error_us;
        shm->error_why = old->error_why;
        shm->error_status = old->error_status;
        shm->retries = old->retries;
    }
    if ((old->status & RP_ST_HC_FAIL) && !(old->configured_status & RP_ST_HC_FAIL) && is_checked(settings)) {
        shm->status |= RP_ST_HC_FAIL;
    }
    shm->health_version = old->health_version;
    memcpy(shm->health, old->health, sizeof(shm->health));
}

/* Flags that were switched at run time, each unless the configuration says another thing of it than it did. */
static void status_keep(const taking_t *t, const char *who, const char *at, rp_shm_member_t *shm, const rp_shm_member_t *old,
                        const char *why)
{
    unsigned said = old->status_runtime & STATUS_SAID, bit;

    for (bit = 1; bit <= said; bit <<= 1) {
        const char *what;

        if (!(said & bit)) {
            continue;
        }
        what = apr_psprintf(t->pool, "status=%c%c", old->status & bit ? '+' : '-', rp_flag_letter(bit));
        if ((old->configured_status & bit) != (shm->configured_status & bit)) {
            log_lost(t, who, what, at);
            continue;
        }
        shm->status = (shm->status & ~bit) | (old->status & bit);
        shm->status_runtime |= bit;
        log_kept(t, who, what, why);
    }
}

static void member_keep(const taking_t *t, rp_member_t *m, const rp_shm_member_t *old)
{
    rp_member_settings_t now, then;
    fields_t fields = {NULL, m->configured ? m->configured->defined_at : "the configuration", NULL, 0, old->configured,
                       m->shm->configured, &then, then.changed_why};

    if (rp_shm_member_read(m->shm, &now) != APR_SUCCESS || rp_shm_member_read(old, &then) != APR_SUCCESS) {
        return;
    }
    counters_keep(m->shm, old);
    m->shm->lbstatus = rp_shm_credit(t->old, old, then.weight_x100); /* the new segment begins without rounds */
    learned_keep(m->shm, old, &now);
    if (then.added) { /* a line of its own is a new word on everything */
        log_lost(t, "member ", now.url, fields.at);
        return;
    }
    fields.rows = rp_member_setting_rows(&fields.n);
    fields.who = apr_psprintf(t->pool, "member %s: ", now.url);
    now.runtime = fields_keep(t, &fields, then.runtime, &now);
    now.changed_at = then.changed_at;
    memcpy(now.changed_why, then.changed_why, sizeof(now.changed_why));
    status_keep(t, fields.who, fields.at, m->shm, old, then.changed_why);
    if (m->shm->status & RP_ST_DRAIN) {
        now.drain_until = then.drain_until;
        now.drain_then = then.drain_then;
    }
    rp_shm_member_write(m->shm, &now);
}

/* The configured member of this URL, or NULL. */
static rp_member_t *member_of(rp_balancer_t *b, const char *url)
{
    int i;

    for (i = 0; i < b->nconfigured; i++) {
        if (strcmp(b->members[i].configured->name, url) == 0) {
            return &b->members[i];
        }
    }
    return NULL;
}

/* A member that was added at run time takes the next place for growth. */
static void added_keep(const taking_t *t, const rp_shm_member_t *old, const rp_member_settings_t *then)
{
    rp_balancer_t *b = t->b;
    rp_member_settings_t now = *then;
    const char *why = "there is no place left for it (growth)";
    rp_member_t *m;
    int i;

    for (i = b->nconfigured; i < b->nslots && b->members[i].shm->lease != 0; i++) {
    }
    if (i == b->nslots || t->core->member_make(t->pool, b->conf, then->url, RPROXY_MEMBER_UNIX, &why) == NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, t->s, "RP0718: %s: the member %s that was added at run time is gone: %s",
                     b->conf->name, then->url, why);
        return;
    }
    m = &b->members[i];
    now.incarnation = m->shm->lease = 1;
    m->shm->status = old->status & (STATUS_SAID | RP_ST_INITIALIZED);
    m->shm->status_runtime = old->status_runtime;
    counters_keep(m->shm, old);
    learned_keep(m->shm, old, &now);
    rp_shm_member_write(m->shm, &now);
    log_kept(t, "member ", now.url, now.changed_why);
}

static void balancer_keep(taking_t *t, const rp_kept_t *kept)
{
    rp_shm_balancer_t *shm = t->b->shm;
    rp_balancer_settings_t now, then;
    fields_t fields = {"", t->b->conf->defined_at, NULL, 0, kept->balancer.configured, shm->configured, &then, then.changed_why};
    int i;

    if (rp_shm_balancer_read(shm, &now) != APR_SUCCESS || rp_shm_balancer_read(&kept->balancer, &then) != APR_SUCCESS) {
        return;
    }
    fields.rows = rp_balancer_setting_rows(&fields.n);
    now.runtime = fields_keep(t, &fields, then.runtime, &now);
    now.changed_at = then.changed_at;
    memcpy(now.changed_why, then.changed_why, sizeof(now.changed_why));
    rp_shm_balancer_write(shm, &now);
    shm->forced_recoveries = kept->balancer.forced_recoveries;
    shm->unanswered = kept->balancer.unanswered;
    memcpy(shm->counter_room, kept->balancer.counter_room, sizeof(shm->counter_room));
    if (t->b->conf->params.nonce == NULL && kept->balancer.nonce[0] != '\0') { /* pages that are open go on */
        memcpy(shm->nonce, kept->balancer.nonce, sizeof(shm->nonce));
    }
    for (i = 0; i < kept->nmembers; i++) {
        rp_member_settings_t settings;
        rp_member_t *m;

        if (rp_shm_member_read(&kept->members[i], &settings) != APR_SUCCESS) {
            continue;
        }
        m = member_of(t->b, settings.url);
        if (m != NULL) {
            member_keep(t, m, &kept->members[i]);
        }
        else if (settings.added) {
            added_keep(t, &kept->members[i], &settings);
        }
    }
}

/* Index of a balancer with this key, or -1. */
static int balancer_with(const apr_array_header_t *balancers, const char *key)
{
    int i;

    for (i = 0; i < balancers->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(balancers, i, rp_balancer_t *)->key, key) == 0) {
            return i;
        }
    }
    return -1;
}

/* Members are known by their slots, which may have moved: the text names them. */
static void events_keep(const taking_t *t, const rp_keep_t *kept, const apr_array_header_t *balancers)
{
    int i;

    for (i = 0; i < kept->events->nelts; i++) {
        const rp_shm_event_t *e = &APR_ARRAY_IDX(kept->events, i, rp_shm_event_t);
        int index = (int)e->balancer < kept->balancers->nelts
                        ? balancer_with(balancers, APR_ARRAY_IDX(kept->balancers, (int)e->balancer, rp_kept_t *)->key) : -1;

        if (index >= 0) {
            rp_shm_event_add(t->map, e->at, (apr_uint32_t)index, -1, e->text);
        }
    }
}

void rp_keep_apply(apr_pool_t *ptemp, server_rec *s, const rproxy_api_t *core, const rp_keep_t *kept, const rp_shm_map_t *map,
                   const apr_array_header_t *balancers)
{
    taking_t t = {ptemp, s, core, map, NULL, NULL};
    int i;

    for (i = 0; i < kept->balancers->nelts; i++) {
        const rp_kept_t *k = APR_ARRAY_IDX(kept->balancers, i, rp_kept_t *);
        int index = balancer_with(balancers, k->key);

        if (index >= 0) {
            t.b = APR_ARRAY_IDX(balancers, index, rp_balancer_t *);
            t.s = t.b->conf->server;
            t.old = &k->balancer;
            if (core->balancer_persist(t.s) != 0) { /* Off was written: forgotten with the generation */
                balancer_keep(&t, k);
            }
        }
    }
    events_keep(&t, kept, balancers);
}
