/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/admin.h"

#include <ap_provider.h>
#include <apr_cstr.h>
#include <apr_strings.h>
#include <stdarg.h>
#include <http_log.h>
#include <stddef.h>
#include <string.h>

#include "balancer/health_check.h"
#include "balancer/live.h"
#include "balancer/settings.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

/* Flags that can be switched; the others are of the machinery. */
#define FLAGS_SETTABLE \
    (RP_ST_IGNORE_ERRORS | RP_ST_DRAIN | RP_ST_IN_SHUTDOWN | RP_ST_DISABLED | RP_ST_STOPPED | RP_ST_IN_ERROR | RP_ST_HOT_STANDBY \
     | RP_ST_HC_FAIL | RP_ST_HOT_SPARE)
#define FLAGS_LEARNED (RP_ST_IN_ERROR | RP_ST_HC_FAIL)
#define FLAGS_UNUSABLE (RP_ST_IN_SHUTDOWN | RP_ST_DISABLED | RP_ST_STOPPED | RP_ST_IN_ERROR | RP_ST_HC_FAIL)

/* ---- under the lock ---- */

/** A member under the lock, with what it is now. */
typedef struct held_t {
    rp_member_t *m;
    rp_member_settings_t settings;
} held_t;

static const char *said(const rp_admin_t *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *said(const rp_admin_t *a, const char *fmt, ...)
{
    va_list args;
    const char *text;

    va_start(args, fmt);
    text = apr_pvsprintf(a->pool, fmt, args);
    va_end(args);
    return text;
}

static const char *reason(const rp_admin_t *a)
{
    return a->why != NULL && a->why[0] ? apr_pstrcat(a->pool, a->actor, ": ", a->why, NULL) : a->actor;
}

/* NULL: there is none of this name. */
static const char *find_locked(rp_balancer_t *b, const char *name, held_t *out)
{
    int i;

    for (i = 0; i < b->nslots; i++) {
        out->m = &b->members[i];
        if (rp_shm_member_read(out->m->shm, &out->settings) == APR_SUCCESS && out->settings.state == RP_SLOT_USED
            && strcmp(out->settings.url, name) == 0) {
            return name;
        }
    }
    return NULL;
}

static apr_status_t lock(const rp_admin_t *a, const char **message)
{
    apr_status_t rv;
    char text[120];

    *message = NULL;
    rv = rp_shared_lock();
    if (rv != APR_SUCCESS) {
        *message = said(a, "the balancers can not be changed now: %s", apr_strerror(rv, text, sizeof(text)));
    }
    return rv;
}

/* Lock and find; on success the lock is held. */
static apr_status_t hold(const rp_admin_t *a, rp_balancer_t *b, const char *member, held_t *out, const char **message)
{
    apr_status_t rv = lock(a, message);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (find_locked(b, member, out) == NULL) {
        rp_shared_unlock();
        *message = said(a, "%s has no member %s", b->conf->name, member);
        return APR_NOTFOUND;
    }
    return APR_SUCCESS;
}

/* After a change of weights or methods everybody begins anew: old credits would be paid out in a burst. */
static void credits_clear(rp_balancer_t *b)
{
    int i;

    __atomic_store_n(&b->shm->rounds, 0, __ATOMIC_RELAXED);
    for (i = 0; i < b->nslots; i++) {
        __atomic_store_n(&b->members[i].shm->lbstatus, 0, __ATOMIC_RELAXED);
    }
}

static void announce(const rp_admin_t *a, rp_balancer_t *b, const rp_member_t *m, const char *name, const char *what)
{
    const char *text = name ? said(a, "%s: %s (%s)", name, what, reason(a)) : said(a, "%s (%s)", what, reason(a));

    rp_shared_event(b, m, text);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, a->server, "RP0719: %s: %s", b->conf->name, text);
}

static void member_publish(const rp_admin_t *a, rp_balancer_t *b, held_t *h)
{
    h->settings.changed_at = apr_time_now();
    rp_setting_text(h->settings.changed_why, sizeof(h->settings.changed_why), reason(a));
    rp_shm_member_write(h->m->shm, &h->settings);
    rp_shared_changed(b);
}

/* ---- flags ---- */

static const char *flags_str(const rp_admin_t *a, unsigned set, unsigned clear)
{
    const char *text = "status=";
    unsigned bit;

    for (bit = 1; bit <= RP_ST_HOT_SPARE; bit <<= 1) {
        if ((set | clear) & bit) {
            text = said(a, "%s%c%c", text, set & bit ? '+' : '-', rp_flag_letter(bit));
        }
    }
    return text;
}

static void flags_switch(const rp_balancer_t *b, const held_t *h, unsigned set, unsigned clear)
{
    rp_shm_member_t *shm = h->m->shm;
    unsigned before = __atomic_load_n(&shm->status, __ATOMIC_ACQUIRE), after;

    if (set & RP_ST_IN_ERROR) {
        __atomic_store_n(&shm->error_us, rp_clock_now_us(), __ATOMIC_RELAXED);
        __atomic_store_n(&shm->error_why, RP_WHY_CONFIGURED, __ATOMIC_RELAXED);
    }
    if (clear & RP_ST_IN_ERROR) {
        __atomic_store_n(&shm->retries, 0, __ATOMIC_RELAXED);
    }
    __atomic_fetch_or(&shm->status, set, __ATOMIC_ACQ_REL);
    after = __atomic_and_fetch(&shm->status, ~clear, __ATOMIC_ACQ_REL);
    __atomic_fetch_or(&shm->status_runtime, (set | clear) & ~FLAGS_LEARNED, __ATOMIC_ACQ_REL);
    if ((set | clear) & FLAGS_LEARNED) {
        __atomic_store_n(&shm->state_changed_at, apr_time_now(), __ATOMIC_RELAXED);
    }
    if ((before & FLAGS_UNUSABLE) && !(after & FLAGS_UNUSABLE)) {
        __atomic_store_n(&shm->usable_since_us, rp_clock_now_us(), __ATOMIC_RELAXED);
        rp_shm_credit_clear(b->shm, shm, h->settings.weight_x100);
    }
}

apr_status_t rp_admin_member_flags(const rp_admin_t *a, rp_balancer_t *b, const char *member, unsigned set, unsigned clear,
                                   const char **message)
{
    unsigned now;
    held_t h;
    apr_status_t rv;

    if ((set | clear) & ~(unsigned)FLAGS_SETTABLE || set & clear) {
        *message = said(a, "status: %s: write letters of I N U D S E H C R with + or - before them, each once",
                        flags_str(a, set, clear));
        return APR_EINVAL;
    }
    rv = hold(a, b, member, &h, message);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    now = __atomic_load_n(&h.m->shm->status, __ATOMIC_ACQUIRE);
    set &= ~now;
    clear &= now;
    if (set | clear) {
        *message = flags_str(a, set, clear);
        if (!a->dry_run) {
            flags_switch(b, &h, set, clear);
            member_publish(a, b, &h);
            announce(a, b, h.m, member, *message);
        }
    }
    rp_shared_unlock();
    return APR_SUCCESS;
}

/* ---- single settings ---- */

/* The keys there are, for a message. */
static const char *keys_str(const rp_admin_t *a, const rp_setting_t *rows, int n)
{
    const char *text = rows[0].key;
    int i;

    for (i = 1; i < n; i++) {
        text = apr_pstrcat(a->pool, text, ", ", rows[i].key, NULL);
    }
    return text;
}

/* What may not be written in a configuration but means something at run time: as if nothing were written. */
static int member_none(const rp_setting_t *row, const char *value)
{
    return row != NULL
           && (row->field == RP_MF_HCTIMEOUT ? value[0] == '\0' || strcmp(value, "0") == 0
                                             : row->field == RP_MF_HCHOST && value[0] == '\0');
}

/* What a key and its value mean for a member; NULL: fine, else the sentence. */
static const char *member_parse(const rp_admin_t *a, const rp_balancer_t *b, const char *key, const char *value,
                                const rp_setting_t **row, rp_member_settings_t *out, unsigned *set, unsigned *clear)
{
    rp_worker_params_t params;
    const char *wrong;
    int n;
    const rp_setting_t *rows = rp_member_setting_rows(&n);

    *row = rp_member_setting(key);
    *set = *clear = 0;
    if (*row == NULL && apr_cstr_casecmp(key, "status") != 0) {
        return said(a, "%s: can not be changed at run time; these can: %s, status", key, keys_str(a, rows, n));
    }
    rp_worker_params_init(&params);
    wrong = member_none(*row, value) ? NULL : rp_worker_param_set(a->pool, &params, key, value);
    if (wrong == NULL) {
        wrong = rp_health_setting_check(rp_live_core(), b->conf->server, a->pool, key, value);
    }
    if (wrong == NULL) {
        *set = params.status_set;
        *clear = params.status_clear;
        rp_worker_params_defaults(&params);
        rp_member_settings_fill(out, &params, "");
    }
    return wrong;
}

/* What changes, as text, or NULL. */
static const char *setting_diff(const rp_admin_t *a, const rp_setting_t *row, const void *from, const void *to)
{
    return rp_setting_equal(row, from, to) ? NULL
                                           : said(a, "%s %s -> %s", row->key, rp_setting_str(a->pool, row, from),
                                                  rp_setting_str(a->pool, row, to));
}

apr_status_t rp_admin_member_set(const rp_admin_t *a, rp_balancer_t *b, const char *member, const char *key, const char *value,
                                 const char **message)
{
    const rp_setting_t *row;
    rp_member_settings_t wanted;
    unsigned set, clear;
    held_t h;
    apr_status_t rv;

    *message = member_parse(a, b, key, value, &row, &wanted, &set, &clear);
    if (*message != NULL) {
        return APR_EINVAL;
    }
    if (row == NULL) {
        return rp_admin_member_flags(a, b, member, set, clear, message);
    }
    rv = hold(a, b, member, &h, message);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *message = setting_diff(a, row, &h.settings, &wanted);
    if (*message != NULL && !a->dry_run) {
        rp_setting_copy(row, &h.settings, &wanted);
        h.settings.runtime |= 1u << row->field;
        if (row->field == RP_MF_WEIGHT || row->field == RP_MF_LBSET) {
            credits_clear(b);
        }
        member_publish(a, b, &h);
        announce(a, b, h.m, member, *message);
    }
    rp_shared_unlock();
    return APR_SUCCESS;
}

apr_status_t rp_admin_member_reset(const rp_admin_t *a, rp_balancer_t *b, const char *member, const char **message)
{
    int i, n;
    const rp_setting_t *rows = rp_member_setting_rows(&n);
    rp_member_settings_t configured;
    unsigned runtime, was, is;
    held_t h;
    apr_status_t rv = hold(a, b, member, &h, message);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (h.m->configured == NULL) {
        rp_shared_unlock();
        *message = said(a, "%s is not in the configuration: there is nothing to go back to", member);
        return APR_EACCES;
    }
    rp_member_settings_fill(&configured, &h.m->configured->params, member);
    runtime = __atomic_load_n(&h.m->shm->status_runtime, __ATOMIC_ACQUIRE);
    was = __atomic_load_n(&h.m->shm->status, __ATOMIC_ACQUIRE);
    is = h.m->shm->configured_status;
    if (h.settings.runtime | runtime) {
        *message = "as configured";
        if (!a->dry_run) {
            for (i = 0; i < n; i++) {
                rp_setting_copy(&rows[i], &h.settings, &configured);
            }
            h.settings.runtime = 0;
            flags_switch(b, &h, runtime & is & ~was, runtime & ~is & was);
            __atomic_store_n(&h.m->shm->status_runtime, 0, __ATOMIC_RELEASE);
            credits_clear(b);
            member_publish(a, b, &h);
            announce(a, b, h.m, member, *message);
        }
    }
    rp_shared_unlock();
    return APR_SUCCESS;
}

/* ---- balancers ---- */

/* The methods there are, for a message. */
static const char *methods_str(const rp_admin_t *a)
{
    const apr_array_header_t *names = ap_list_provider_names(a->pool, RPROXY_LBMETHOD_GROUP, RPROXY_LBMETHOD_VERSION);
    const char *text = "";
    int i;

    for (i = 0; i < names->nelts; i++) {
        text = apr_pstrcat(a->pool, text, i ? ", " : "", APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name, NULL);
    }
    return text;
}

/* The same of a balancer: nothing of this kind any more. */
static int balancer_none(const rp_setting_t *row, const char *value)
{
    switch (row->field) {
    case RP_BF_STICKYSESSION:
        return value[0] == '\0' || strcmp(value, "-") == 0;
    case RP_BF_FAILONSTATUS:
        return value[0] == '\0';
    case RP_BF_TIMEOUT:
        return strcmp(value, "0") == 0;
    default:
        return 0;
    }
}

static const char *balancer_parse(const rp_admin_t *a, const char *key, const char *value, const rp_setting_t **row,
                                  rp_balancer_settings_t *out)
{
    rp_balancer_params_t params;
    const char *wrong;
    int n;
    const rp_setting_t *rows = rp_balancer_setting_rows(&n);

    *row = rp_balancer_setting(key);
    if (*row == NULL) {
        return said(a, "%s: can not be changed at run time; these can: %s", key, keys_str(a, rows, n));
    }
    rp_balancer_params_init(&params);
    wrong = balancer_none(*row, value) ? NULL : rp_balancer_param_set(a->pool, &params, key, value);
    if (wrong != NULL) {
        return wrong;
    }
    rp_balancer_params_defaults(&params);
    rp_balancer_settings_fill(out, &params);
    if ((*row)->field == RP_BF_LBMETHOD && ap_lookup_provider(RPROXY_LBMETHOD_GROUP, out->lbmethod, RPROXY_LBMETHOD_VERSION) == NULL) {
        return said(a, "lbmethod: \"%s\" is provided by no module; there are: %s", value, methods_str(a));
    }
    return NULL;
}

apr_status_t rp_admin_balancer_set(const rp_admin_t *a, rp_balancer_t *b, const char *key, const char *value, const char **message)
{
    const rp_setting_t *row;
    rp_balancer_settings_t wanted, now;
    apr_status_t rv;

    *message = balancer_parse(a, key, value, &row, &wanted);
    if (*message != NULL) {
        return APR_EINVAL;
    }
    rv = lock(a, message);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rp_shm_balancer_read(b->shm, &now);
    *message = rv == APR_SUCCESS ? setting_diff(a, row, &now, &wanted) : NULL;
    if (*message != NULL && !a->dry_run) {
        rp_setting_copy(row, &now, &wanted);
        now.runtime |= 1u << row->field;
        now.changed_at = apr_time_now();
        rp_setting_text(now.changed_why, sizeof(now.changed_why), reason(a));
        rp_shm_balancer_write(b->shm, &now);
        if (row->field == RP_BF_LBMETHOD) {
            credits_clear(b);
        }
        rp_shared_changed(b);
        announce(a, b, NULL, NULL, *message);
    }
    rp_shared_unlock();
    return rv;
}

/* ---- members that come and go ---- */

/* A place that nobody has, or nobody uses any more. */
static rp_member_t *place_locked(const rp_balancer_t *b)
{
    int i;

    for (i = b->nconfigured; i < b->nslots; i++) {
        rp_member_t *m = &b->members[i];

        if (!(__atomic_load_n(&m->shm->lease, __ATOMIC_SEQ_CST) & 1) && rp_shared_busy_of(m) == 0) {
            return m;
        }
    }
    return NULL;
}

int rp_admin_places_free(const rp_balancer_t *b)
{
    int i, n = 0;

    for (i = b->nconfigured; i < b->nslots; i++) {
        n += !(__atomic_load_n(&b->members[i].shm->lease, __ATOMIC_SEQ_CST) & 1) && rp_shared_busy_of(&b->members[i]) == 0;
    }
    return n;
}

/* Parameters of a new member over its defaults; NULL or a sentence. */
static const char *new_settings(const rp_admin_t *a, const rp_balancer_t *b, const rp_worker_t *worker, const char *const *params,
                                rp_member_settings_t *out, unsigned *status)
{
    int i;

    rp_member_settings_fill(out, &worker->params, worker->name);
    for (i = 0; params != NULL && params[i] != NULL && params[i + 1] != NULL; i += 2) {
        const rp_setting_t *row;
        rp_member_settings_t one;
        unsigned set, clear;
        const char *wrong = member_parse(a, b, params[i], params[i + 1], &row, &one, &set, &clear);

        if (wrong == NULL && row == NULL && (set | clear) & ~(unsigned)FLAGS_SETTABLE) {
            wrong = said(a, "status: \"%s\": write letters of I N U D S E H C R with + or - before them", params[i + 1]);
        }
        if (wrong != NULL) {
            return wrong;
        }
        if (row != NULL) {
            rp_setting_copy(row, out, &one);
        }
        *status = (*status | set) & ~clear;
    }
    out->state = RP_SLOT_USED;
    out->added = 1;
    out->runtime = (1u << RP_MF_COUNT) - 1;
    return NULL;
}

_Static_assert(offsetof(rp_shm_member_t, version) % sizeof(apr_uint32_t) == 0, "cleared by words");

/* The slot as that of a new member: nothing of the one before is left but that its lease goes on. Others may be looking: word by word. */
static void slot_start(rp_shm_member_t *shm, unsigned status)
{
    static const rp_health_settings_t never = {0};
    apr_uint32_t *words = (apr_uint32_t *)(void *)shm;
    apr_int64_t now_us = rp_clock_now_us();
    apr_size_t i;

    for (i = 0; i < offsetof(rp_shm_member_t, version) / sizeof(*words); i++) {
        if (&words[i] != &shm->lease) {
            __atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
        }
    }
    memset(shm->configured, 0, sizeof(shm->configured));
    rp_shm_health_write(shm, &never);
    shm->configured_status = 0;
    __atomic_store_n(&shm->status_runtime, FLAGS_SETTABLE & ~FLAGS_LEARNED, __ATOMIC_RELAXED);
    __atomic_store_n(&shm->usable_since_us, now_us, __ATOMIC_RELAXED);
    __atomic_store_n(&shm->error_us, status & RP_ST_IN_ERROR ? now_us : 0, __ATOMIC_RELAXED);
    __atomic_store_n(&shm->status, RP_ST_INITIALIZED | status, __ATOMIC_RELEASE);
}

static apr_status_t add_locked(const rp_admin_t *a, rp_balancer_t *b, rp_member_settings_t *settings, unsigned status, const char **message)
{
    held_t h;

    if (find_locked(b, settings->url, &h) != NULL) {
        *message = said(a, "%s is a member of %s already", settings->url, b->conf->name);
        return APR_EEXIST;
    }
    h.m = place_locked(b);
    if (h.m == NULL) {
        *message = said(a, "%s has no place for one more member: growth=%d of its definition at %s says how many may be added", b->conf->name,
                        b->nslots - b->nconfigured, b->conf->defined_at);
        return APR_ENOSPC;
    }
    *message = "added";
    if (!a->dry_run) {
        h.settings = *settings;
        slot_start(h.m->shm, status);
        h.settings.incarnation = h.m->shm->lease + 1;
        __atomic_store_n(&h.m->shm->lease, h.settings.incarnation, __ATOMIC_SEQ_CST);
        credits_clear(b);
        member_publish(a, b, &h);
        announce(a, b, h.m, settings->url, *message);
    }
    return APR_SUCCESS;
}

apr_status_t rp_admin_member_add(const rp_admin_t *a, rp_balancer_t *b, const char *url, unsigned status, const char *const *params,
                                 const char **name, const char **message)
{
    rp_member_settings_t settings;
    rp_worker_t *worker = rp_live_worker_try(a->pool, b, url, a->allow_unix ? RPROXY_MEMBER_UNIX : 0, message);
    apr_status_t rv;

    *name = NULL;
    if (worker == NULL) {
        *message = said(a, "url: %s", *message);
        return APR_EINVAL;
    }
    *message = new_settings(a, b, worker, params, &settings, &status);
    if (*message != NULL) {
        return APR_EINVAL;
    }
    *name = worker->name;
    rv = lock(a, message);
    if (rv == APR_SUCCESS) {
        rv = add_locked(a, b, &settings, status, message);
        rp_shared_unlock();
    }
    return rv;
}

apr_status_t rp_admin_member_remove(const rp_admin_t *a, rp_balancer_t *b, const char *member, const char **message)
{
    held_t h;
    apr_status_t rv = hold(a, b, member, &h, message);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!h.settings.added) {
        rp_shared_unlock();
        *message = said(a, "%s is in the configuration (%s) and can not be removed at run time: disable it (status=+D), or take the line "
                        "out and restart", member, h.m->configured->defined_at);
        return APR_EACCES;
    }
    *message = "removed";
    if (!a->dry_run) {
        h.settings.state = RP_SLOT_LEAVING;
        __atomic_store_n(&h.m->shm->lease, h.settings.incarnation + 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_or(&h.m->shm->status, RP_ST_FREE, __ATOMIC_ACQ_REL);
        credits_clear(b);
        member_publish(a, b, &h);
        announce(a, b, h.m, member, *message);
    }
    rp_shared_unlock();
    return APR_SUCCESS;
}

/* ---- origins ---- */

rp_origin_e rp_admin_member_origin(const rp_live_member_t *m, const char *key)
{
    const rp_setting_t *row = rp_member_setting(key);
    apr_uint32_t status = __atomic_load_n(&m->slot->shm->status_runtime, __ATOMIC_ACQUIRE);

    if (row != NULL) {
        return m->settings.runtime >> row->field & 1 ? RP_ORIGIN_RUNTIME : RP_ORIGIN_CONFIGURATION;
    }
    return strncmp(key, "status=", 7) == 0 && status & rp_flag_of(key[7]) ? RP_ORIGIN_RUNTIME : RP_ORIGIN_CONFIGURATION;
}

rp_origin_e rp_admin_balancer_origin(const rp_live_t *live, const char *key)
{
    const rp_setting_t *row = rp_balancer_setting(key);

    return row != NULL && live->settings.runtime >> row->field & 1 ? RP_ORIGIN_RUNTIME : RP_ORIGIN_CONFIGURATION;
}
