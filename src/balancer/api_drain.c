/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_drain.h"

#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "balancer/admin.h"
#include "balancer/balancing.h"

APLOG_USE_MODULE(rproxy_balancer);

static const char *const then_words[] = {"stopped", "disabled", "removed"};

/* The slot of a member and its settings, under rp_shared_lock; NULL: there is none of this name. */
static rp_member_t *find_locked(const rp_balancer_t *b, const char *url, rp_member_settings_t *out)
{
    int i;

    for (i = 0; i < b->nslots; i++) {
        if (rp_shm_member_read(b->members[i].shm, out) == APR_SUCCESS && out->state == RP_SLOT_USED
            && strcmp(out->url, url) == 0) {
            return &b->members[i];
        }
    }
    return NULL;
}

/* Set or clear the deadline. */
static apr_status_t deadline_set(rp_balancer_t *b, const char *url, apr_time_t until, rp_drain_then_e then)
{
    rp_member_settings_t settings;
    rp_member_t *m;
    apr_status_t rv = rp_shared_lock();

    if (rv != APR_SUCCESS) {
        return rv;
    }
    m = find_locked(b, url, &settings);
    rv = m != NULL ? APR_SUCCESS : APR_NOTFOUND;
    if (m != NULL && (settings.drain_until != until || settings.drain_then != (apr_uint32_t)then)) {
        settings.drain_until = until;
        settings.drain_then = then;
        rp_shm_member_write(m->shm, &settings);
        rp_shared_changed(b);
    }
    rp_shared_unlock();
    return rv;
}

static rp_balancer_t *running(const rp_asker_t *asker, const rp_show_balancer_t *b)
{
    const apr_array_header_t *visible = rp_balancing_visible(asker->r->pool, asker->r->server);
    int i;

    for (i = 0; i < visible->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(visible, i, rp_balancer_t *)->conf->name, b->full_name) == 0) {
            return APR_ARRAY_IDX(visible, i, rp_balancer_t *);
        }
    }
    return NULL;
}

static rp_done_t flag_switch(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m, int on)
{
    apr_array_header_t *one = apr_array_make(asker->r->pool, 1, sizeof(rp_change_t));
    rp_change_t *change = apr_array_push(one);

    change->row = rp_field_row(RP_FIELD_DRAINING);
    change->value.number = on;
    return rp_live_change(asker, b, m, one);
}

static void refuse(rp_done_t *done, int status, const char *code, const char *field, const char *message)
{
    done->status = status;
    done->code = code;
    done->error.field = field;
    done->error.message = message;
}

rp_done_t rp_drain_begin(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m,
                         int deadline_s, const char *then)
{
    rp_asker_t why = *asker;
    rp_balancer_t *bal = running(asker, b);
    rp_drain_then_e what = strcmp(then, "removed") == 0    ? RP_DRAIN_REMOVED
                           : strcmp(then, "disabled") == 0 ? RP_DRAIN_DISABLED
                                                           : RP_DRAIN_STOPPED;
    rp_done_t done = {HTTP_OK, NULL, {0}, NULL};

    if (what == RP_DRAIN_REMOVED && !m->added) {
        refuse(&done, HTTP_FORBIDDEN, "not_allowed", "then",
               "then: it is in the configuration and can not be removed at run time; write stopped or disabled");
        return done;
    }
    if (deadline_s >= 0 && !rp_drain_ready()) {
        refuse(&done, HTTP_NOT_IMPLEMENTED, "no_watchdog", "deadline_s",
               "deadline_s: a deadline needs mod_watchdog, which is not loaded");
        return done;
    }
    if (deadline_s >= 0) {
        why.why = apr_psprintf(asker->r->pool, "%s%s%s in %d s", asker->why ? asker->why : "", asker->why ? "; " : "",
                               then, deadline_s);
    }
    done = flag_switch(&why, b, m, 1);
    if (done.status == HTTP_OK && !asker->dry_run && bal != NULL) {
        apr_time_t until = deadline_s >= 0 ? apr_time_now() + apr_time_from_sec(deadline_s) : 0;
        if (deadline_set(bal, m->url, until, what) != APR_SUCCESS) {
            refuse(&done, HTTP_INTERNAL_SERVER_ERROR, "system", NULL, "it drains, but the deadline could not be set");
        }
    }
    return done;
}

rp_done_t rp_drain_end(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m)
{
    rp_balancer_t *bal = running(asker, b);
    rp_done_t done = flag_switch(asker, b, m, 0);

    if (done.status == HTTP_OK && !asker->dry_run && bal != NULL) {
        (void)deadline_set(bal, m->url, 0, RP_DRAIN_STOPPED);
    }
    return done;
}

/* ---- deadlines ---- */

/* The deadline of one member has passed. */
static void drained(apr_pool_t *pool, server_rec *s, rp_balancer_t *b, const rp_member_settings_t *settings)
{
    const rp_admin_t a = {.pool = pool, .server = s, .actor = "drain", .why = "its deadline is over"};
    const char *message = NULL;
    apr_status_t rv;

    if (deadline_set(b, settings->url, 0, RP_DRAIN_STOPPED) != APR_SUCCESS) {
        return;
    }
    if (settings->drain_then == RP_DRAIN_REMOVED) {
        rv = rp_admin_member_remove(&a, b, settings->url, &message);
    }
    else {
        rv = rp_admin_member_flags(&a, b, settings->url,
                                   settings->drain_then == RP_DRAIN_DISABLED ? RP_ST_DISABLED : RP_ST_STOPPED,
                                   RP_ST_DRAIN, &message);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "RP0783: %s: member %s has drained but could not be %s: %s",
                     b->conf->name, settings->url, then_words[settings->drain_then % 3], message ? message : "");
    }
}

void rp_drain_look(apr_pool_t *pool, server_rec *s)
{
    const apr_array_header_t *all = rp_shared_balancers();
    apr_time_t now = apr_time_now();
    int i, k;

    for (i = 0; all != NULL && i < all->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(all, i, rp_balancer_t *);
        for (k = 0; k < b->nslots; k++) {
            rp_member_settings_t settings;
            unsigned status = __atomic_load_n(&b->members[k].shm->status, __ATOMIC_ACQUIRE);

            if (rp_shm_member_read(b->members[k].shm, &settings) != APR_SUCCESS || settings.state != RP_SLOT_USED
                || settings.drain_until == 0) {
                continue;
            }
            if (!(status & RP_ST_DRAIN)) { /* somebody ended it */
                (void)deadline_set(b, settings.url, 0, RP_DRAIN_STOPPED);
            }
            else if (settings.drain_until <= now) {
                drained(pool, s, b, &settings);
            }
        }
    }
}
