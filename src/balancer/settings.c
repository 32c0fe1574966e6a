/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/settings.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <stddef.h>
#include <string.h>

#define M(k, f, knd, member) \
    {k, RP_MF_##f, RP_SETTING_##knd, offsetof(rp_member_settings_t, member), sizeof(((rp_member_settings_t *)0)->member)}
#define B(k, f, knd, member) \
    {k, RP_BF_##f, RP_SETTING_##knd, offsetof(rp_balancer_settings_t, member), sizeof(((rp_balancer_settings_t *)0)->member)}

static const rp_setting_t member_rows[] = {
    M("loadfactor", WEIGHT, X100, weight_x100), M("lbset", LBSET, INT, lbset), M("route", ROUTE, TEXT, route),
    M("redirect", REDIRECT, TEXT, redirect), M("hcmethod", HCMETHOD, TEXT, hcmethod), M("hcuri", HCURI, TEXT, hcuri),
    M("hcexpr", HCEXPR, TEXT, hcexpr), M("hcinterval", HCINTERVAL, TIME, hcinterval_us), M("hcpasses", HCPASSES, INT, hcpasses),
    M("hcfails", HCFAILS, INT, hcfails),
    M("hctimeout", HCTIMEOUT, TIME, hctimeout_us), M("hchost", HCHOST, TEXT, hchost)};
_Static_assert(RP_SHM_HOST_SIZE > RP_HCHOST_MAX, "hchost as long as in the configuration");
_Static_assert(sizeof(member_rows) / sizeof(member_rows[0]) == RP_MF_COUNT, "a row for each field");

static const rp_setting_t balancer_rows[] = {
    B("lbmethod", LBMETHOD, TEXT, lbmethod), B("stickysession", STICKYSESSION, TEXT, stickysession),
    B("stickysessionsep", STICKYSEP, CHAR, stickysep), B("scolonpathdelim", SCOLONPATHDELIM, SWITCH, scolonpathdelim),
    B("nofailover", NOFAILOVER, SWITCH, nofailover), B("timeout", TIMEOUT, TIME, timeout_us),
    B("maxattempts", MAXATTEMPTS, INT, maxattempts), B("failonstatus", FAILONSTATUS, CODES, failonstatus),
    B("failontimeout", FAILONTIMEOUT, SWITCH, failontimeout), B("forcerecovery", FORCERECOVERY, SWITCH, forcerecovery)};
_Static_assert(sizeof(balancer_rows) / sizeof(balancer_rows[0]) == RP_BF_COUNT, "a row for each field");

const rp_setting_t *rp_member_setting_rows(int *n)
{
    *n = RP_MF_COUNT;
    return member_rows;
}

const rp_setting_t *rp_balancer_setting_rows(int *n)
{
    *n = RP_BF_COUNT;
    return balancer_rows;
}

static const rp_setting_t *find(const rp_setting_t *rows, int n, const char *key)
{
    int i;

    for (i = 0; i < n; i++) {
        if (apr_cstr_casecmp(rows[i].key, key) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const rp_setting_t *rp_member_setting(const char *key) { return find(member_rows, RP_MF_COUNT, key); }
const rp_setting_t *rp_balancer_setting(const char *key) { return find(balancer_rows, RP_BF_COUNT, key); }

void rp_setting_text(char *to, apr_size_t size, const char *text)
{
    apr_size_t n = text ? strlen(text) : 0;

    memset(to, 0, size);
    memcpy(to, text ? text : "", n < size ? n : size - 1);
}

void rp_member_settings_fill(rp_member_settings_t *out, const rp_worker_params_t *p, const char *url)
{
    memset(out, 0, sizeof(*out));
    out->weight_x100 = p->loadfactor_x100 > 0 ? p->loadfactor_x100 : 100;
    out->lbset = p->lbset > 0 ? p->lbset : 0;
    out->hcpasses = p->hcpasses >= 0 ? p->hcpasses : 1;
    out->hcfails = p->hcfails >= 0 ? p->hcfails : 1;
    out->hcinterval_us = p->hcinterval_us >= 0 ? p->hcinterval_us : apr_time_from_sec(30);
    out->hctimeout_us = p->hctimeout_us > 0 ? p->hctimeout_us : 0;
    rp_setting_text(out->url, sizeof(out->url), url);
    rp_setting_text(out->route, sizeof(out->route), p->route);
    rp_setting_text(out->redirect, sizeof(out->redirect), p->redirect);
    rp_setting_text(out->hcuri, sizeof(out->hcuri), p->hcuri);
    rp_setting_text(out->hcmethod, sizeof(out->hcmethod), p->hcmethod ? p->hcmethod : "NONE");
    rp_setting_text(out->hcexpr, sizeof(out->hcexpr), p->hcexpr);
    rp_setting_text(out->hchost, sizeof(out->hchost), p->hchost);
}

void rp_balancer_settings_fill(rp_balancer_settings_t *out, const rp_balancer_params_t *p)
{
    memset(out, 0, sizeof(*out));
    out->stickysep = p->stickysep >= 0 ? p->stickysep : '.';
    out->scolonpathdelim = p->scolonpathdelim == RP_ON;
    out->nofailover = p->nofailover == RP_ON;
    out->failontimeout = p->failontimeout == RP_ON;
    out->forcerecovery = p->forcerecovery != RP_OFF;
    out->maxattempts = p->maxattempts;
    out->timeout_us = p->timeout_us > 0 ? p->timeout_us : 0;
    rp_setting_text(out->lbmethod, sizeof(out->lbmethod), p->lbmethod ? p->lbmethod : "byrequests");
    rp_setting_text(out->stickysession, sizeof(out->stickysession), p->stickysession);
    rp_shm_codes_set(out->failonstatus, p->failonstatus);
}

unsigned rp_member_status_fill(const rp_worker_params_t *p)
{
    return (RP_ST_INITIALIZED | p->status_set) & ~p->status_clear;
}

int rp_setting_equal(const rp_setting_t *row, const void *a, const void *b)
{
    return memcmp((const char *)a + row->offset, (const char *)b + row->offset, row->size) == 0;
}

void rp_setting_copy(const rp_setting_t *row, void *to, const void *from)
{
    memcpy((char *)to + row->offset, (const char *)from + row->offset, row->size);
}

apr_uint32_t rp_setting_hash(const rp_setting_t *row, const void *settings)
{
    return rp_shm_hash((const char *)settings + row->offset, row->size);
}

static const char *codes_str(apr_pool_t *pool, const unsigned char *bits)
{
    const char *list = "";
    int code;

    for (code = 100; code <= 599; code++) {
        if (rp_shm_codes_has(bits, code)) {
            list = apr_psprintf(pool, "%s%s%d", list, *list ? "," : "", code);
        }
    }
    return *list ? list : "none";
}

const char *rp_setting_str(apr_pool_t *pool, const rp_setting_t *row, const void *settings)
{
    const char *at = (const char *)settings + row->offset;
    apr_int32_t number = 0;
    apr_int64_t us = 0;

    if (row->size == sizeof(number)) {
        memcpy(&number, at, sizeof(number));
    }
    if (row->kind == RP_SETTING_TIME) {
        memcpy(&us, at, sizeof(us));
    }
    if (us == 0 && strcmp(row->key, "hctimeout") == 0) {
        return "by hcinterval";
    }
    switch (row->kind) {
    case RP_SETTING_INT:
        return number < 0 ? "members less one" : apr_itoa(pool, number);
    case RP_SETTING_X100:
        return apr_psprintf(pool, "%d.%02d", number / 100, number % 100);
    case RP_SETTING_TIME:
        return (us % APR_USEC_PER_SEC) != 0 ? apr_psprintf(pool, "%" APR_INT64_T_FMT "ms", us / 1000)
                                     : apr_psprintf(pool, "%" APR_INT64_T_FMT, apr_time_sec(us));
    case RP_SETTING_SWITCH:
        return number ? "On" : "Off";
    case RP_SETTING_CHAR:
        return number ? apr_psprintf(pool, "%c", number) : "Off";
    case RP_SETTING_CODES:
        return codes_str(pool, (const unsigned char *)at);
    default:
        return *at ? apr_pstrdup(pool, at) : "none";
    }
}
