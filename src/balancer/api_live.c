/* SPDX-License-Identifier: Apache-2.0 */
/* Wishes, carried out. */
#include "balancer/api_live.h"

#include <apr_strings.h>
#include <http_core.h>
#include <string.h>

#include "balancer/admin.h"
#include "balancer/api_path.h"
#include "balancer/balancing.h"
#include "balancer/persist_live.h"

/* ---- names ---- */

static const char *short_name(const char *name) { return strncmp(name, "balancer://", 11) == 0 ? name + 11 : name; }

rp_show_balancer_t *rp_view_balancer(const rp_show_t *show, const char *name)
{
    int i;

    for (i = 0; i < show->nbalancers; i++) {
        if (strcmp(show->balancers[i].name, short_name(name)) == 0) {
            return &show->balancers[i];
        }
    }
    return NULL;
}

rp_show_member_t *rp_view_member(const rp_show_balancer_t *b, const char *url_or_id)
{
    int i;

    for (i = 0; i < b->nmembers; i++) {
        if (strcmp(b->members[i].id, url_or_id) == 0 || strcmp(b->members[i].url, url_or_id) == 0) {
            return &b->members[i];
        }
    }
    return NULL;
}

static rp_balancer_t *running(request_rec *r, const char *full_name)
{
    const apr_array_header_t *all = rp_balancing_visible(r->pool, r->server);
    int i;

    for (i = 0; all != NULL && i < all->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(all, i, rp_balancer_t *);
        if (strcmp(short_name(b->conf->name), short_name(full_name)) == 0) {
            return b;
        }
    }
    return NULL;
}

apr_uint64_t rp_view_changes(request_rec *r, const char *name)
{
    const rp_balancer_t *b = running(r, name);

    return b != NULL ? __atomic_load_n(&b->shm->changes, __ATOMIC_ACQUIRE) : 0;
}

int rp_live_saved(request_rec *r, const rp_show_balancer_t *b)
{
    const rp_balancer_t *bal = running(r, b->full_name);

    return bal != NULL ? rp_persist_wait(bal) : -1;
}

/* ---- asking admin.h ---- */

static rp_admin_t admin_of(const rp_asker_t *asker, int dry_run)
{
    request_rec *r = asker->r;
    rp_admin_t a = {0};

    a.pool = r->pool;
    a.server = r->server;
    a.actor = r->user != NULL ? apr_psprintf(r->pool, "%s, %.40s at %s", asker->through, r->user, r->useragent_ip)
                              : apr_psprintf(r->pool, "%s, %s", asker->through, r->useragent_ip);
    a.why = asker->why;
    a.dry_run = dry_run;
    return a;
}

static void fail(rp_done_t *done, int status, const char *code, const char *field, const char *message)
{
    done->status = status;
    done->code = code;
    done->error.field = field;
    done->error.message = message;
}

/* What admin.h said of one wish. */
static void note(rp_done_t *done, apr_status_t rv, const rp_field_row_t *row, const char *message, apr_pool_t *pool)
{
    const char *field = row != NULL ? row->json : NULL;

    if (rv == APR_SUCCESS) {
        if (message != NULL) {
            APR_ARRAY_PUSH(done->said, const char *) = message;
        }
        return;
    }
    if (rv == APR_EINVAL) {
        fail(done, HTTP_BAD_REQUEST, "bad_value", field, message);
        done->error.legal = row != NULL ? rp_field_legal(pool, row) : NULL;
        return;
    }
    if (rv == APR_NOTFOUND) {
        fail(done, HTTP_NOT_FOUND, "no_such_member", field, message);
    }
    else if (rv == APR_EEXIST) {
        fail(done, HTTP_CONFLICT, "member_exists", "url", message);
    }
    else if (rv == APR_ENOSPC) {
        fail(done, HTTP_CONFLICT, "no_place", "url", message);
    }
    else if (rv == APR_EACCES) {
        fail(done, HTTP_FORBIDDEN, "not_allowed", field, message);
    }
    else {
        fail(done, HTTP_INTERNAL_SERVER_ERROR, "system", field, message);
    }
}

static rp_done_t begin(const rp_asker_t *asker, const rp_show_balancer_t *b, rp_balancer_t **out)
{
    rp_done_t done = {HTTP_OK, NULL, {0}, apr_array_make(asker->r->pool, 4, sizeof(const char *))};

    *out = running(asker->r, b->full_name);
    if (*out == NULL) {
        fail(&done, HTTP_NOT_FOUND, "no_such_balancer", NULL, "this virtual host has no such balancer any more");
    } else if (asker->unchanged_since != NULL
               && __atomic_load_n(&(*out)->shm->changes, __ATOMIC_ACQUIRE) != *asker->unchanged_since) {
        fail(&done, HTTP_PRECONDITION_FAILED, "changed_meanwhile", NULL,
             "somebody else changed this balancer in the meantime; read it again");
    }
    return done;
}

/* ---- fields as admin.h knows them ---- */

static const char *admin_key(const rp_field_row_t *row)
{
    switch (row->id) {
    case RP_FIELD_HCINTERVAL:
        return "hcinterval";
    case RP_FIELD_HCTIMEOUT:
        return "hctimeout";
    case RP_FIELD_TIMEOUT:
        return "timeout";
    default:
        return row->json;
    }
}

static const char *admin_value(apr_pool_t *pool, const rp_field_row_t *row, const rp_field_value_t *v)
{
    if (row->kind == RP_FIELD_SWITCH) {
        return v->number ? "On" : "Off";
    }
    if (row->id == RP_FIELD_HCINTERVAL || (row->id == RP_FIELD_HCTIMEOUT && v->number > 0)) {
        return apr_psprintf(pool, "%" APR_INT64_T_FMT "ms", v->number);
    }
    return rp_field_str(pool, row, v);
}

static void change_one(const rp_admin_t *a, rp_balancer_t *b, const rp_show_member_t *m, const rp_change_t *c,
                       rp_done_t *done)
{
    const char *message = NULL;
    apr_status_t rv;

    if (c->row->flag != 0) {
        rv = rp_admin_member_flags(a, b, m->url, c->value.number ? c->row->flag : 0, c->value.number ? 0 : c->row->flag,
                                   &message);
    }
    else if (m != NULL) {
        rv = rp_admin_member_set(a, b, m->url, admin_key(c->row), admin_value(a->pool, c->row, &c->value), &message);
    }
    else {
        rv = rp_admin_balancer_set(a, b, admin_key(c->row), admin_value(a->pool, c->row, &c->value), &message);
    }
    note(done, rv, c->row, message, a->pool);
}

rp_done_t rp_live_change(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m,
                         const apr_array_header_t *changes)
{
    rp_balancer_t *bal;
    rp_done_t done = begin(asker, b, &bal);
    int i, dry;

    for (dry = 1; dry >= (asker->dry_run ? 1 : 0); dry--) { /* judge all, then do all */
        rp_admin_t a = admin_of(asker, dry);

        apr_array_clear(done.said);
        for (i = 0; i < changes->nelts && done.status == HTTP_OK; i++) {
            change_one(&a, bal, m, &APR_ARRAY_IDX(changes, i, rp_change_t), &done);
        }
    }
    return done;
}

rp_done_t rp_live_add(const rp_asker_t *asker, const rp_show_balancer_t *b, const char **url, unsigned status,
                      const apr_array_header_t *changes)
{
    apr_pool_t *pool = asker->r->pool;
    const char **params = apr_pcalloc(pool, sizeof(*params) * (2 * (apr_size_t)(changes ? changes->nelts : 0) + 1));
    const char *refused = rp_api_member_url_refused(*url), *message = NULL, *name = NULL;
    rp_balancer_t *bal;
    rp_done_t done = begin(asker, b, &bal);
    rp_admin_t a = admin_of(asker, asker->dry_run);
    apr_status_t rv;
    int i, n = 0;

    if (done.status == HTTP_OK && refused != NULL) {
        fail(&done, HTTP_BAD_REQUEST, "bad_value", "url", apr_psprintf(pool, "url: \"%.200s\": %s", *url, refused));
    }
    if (done.status != HTTP_OK) {
        return done;
    }
    for (i = 0; changes != NULL && i < changes->nelts; i++) {
        const rp_change_t *c = &APR_ARRAY_IDX(changes, i, rp_change_t);
        if (c->row->flag != 0) {
            status = c->value.number ? status | c->row->flag : status & ~c->row->flag;
        }
        else {
            params[n++] = admin_key(c->row);
            params[n++] = admin_value(pool, c->row, &c->value);
        }
    }
    rv = rp_admin_member_add(&a, bal, *url, status, params, &name, &message);
    note(&done, rv, NULL, message, pool);
    if (rv == APR_EINVAL) {
        done.error.field = strncmp(message, "url:", 4) == 0 ? "url" : NULL;
    }
    *url = name != NULL ? name : *url;
    return done;
}

rp_done_t rp_live_remove(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m)
{
    rp_balancer_t *bal;
    rp_done_t done = begin(asker, b, &bal);
    const char *message = NULL;

    if (done.status == HTTP_OK) {
        rp_admin_t a = admin_of(asker, asker->dry_run);
        apr_status_t rv = rp_admin_member_remove(&a, bal, m->url, &message);
        note(&done, rv, NULL, message, asker->r->pool);
    }
    return done;
}
