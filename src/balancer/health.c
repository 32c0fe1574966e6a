/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/health.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <string.h>

static const struct {
    const char *word, *verb;
    int http10;
} methods[RP_HEALTH_METHODS] = {
    [RP_HEALTH_NONE] = {"NONE", NULL, 0},          [RP_HEALTH_TCP] = {"TCP", NULL, 0},
    [RP_HEALTH_OPTIONS] = {"OPTIONS", "OPTIONS", 1}, [RP_HEALTH_HEAD] = {"HEAD", "HEAD", 1},
    [RP_HEALTH_GET] = {"GET", "GET", 1},           [RP_HEALTH_OPTIONS11] = {"OPTIONS11", "OPTIONS", 0},
    [RP_HEALTH_HEAD11] = {"HEAD11", "HEAD", 0},    [RP_HEALTH_GET11] = {"GET11", "GET", 0},
};

rp_health_method_e rp_health_method(const char *word)
{
    int i;

    for (i = 0; word != NULL && i < RP_HEALTH_METHODS; i++) {
        if (apr_cstr_casecmp(word, methods[i].word) == 0) {
            return (rp_health_method_e)i;
        }
    }
    return RP_HEALTH_NONE;
}

static int known(rp_health_method_e m)
{
    return (unsigned)m < RP_HEALTH_METHODS;
}

const char *rp_health_method_str(rp_health_method_e m) { return methods[known(m) ? m : RP_HEALTH_NONE].word; }
const char *rp_health_verb(rp_health_method_e m) { return methods[known(m) ? m : RP_HEALTH_NONE].verb; }
int rp_health_http10(rp_health_method_e m) { return methods[known(m) ? m : RP_HEALTH_NONE].http10; }

rp_health_init_e rp_health_init(const char *word)
{
    if (word != NULL && apr_cstr_casecmp(word, "down") == 0) {
        return RP_HEALTH_INIT_DOWN;
    }
    return word != NULL && apr_cstr_casecmp(word, "check") == 0 ? RP_HEALTH_INIT_CHECK : RP_HEALTH_INIT_UP;
}

/* ---- results ---- */

static void count_up(apr_uint32_t *n)
{
    if (*n < APR_UINT32_MAX) {
        (*n)++;
    }
}

static apr_uint32_t at_least_one(int n)
{
    return n > 1 ? (apr_uint32_t)n : 1;
}

static rp_health_change_e good_one(const rp_health_rules_t *rules, unsigned status, int first, rp_health_counts_t *counts,
                                   unsigned *clear)
{
    unsigned out = status & (RP_ST_HC_FAIL | RP_ST_IN_ERROR);

    count_up(&counts->passes);
    counts->fails = 0;
    if (out == 0) {
        counts->back = 0;
        return RP_HEALTH_SAME;
    }
    count_up(&counts->back);
    if (!first && counts->back < at_least_one(rules->passes)) {
        return RP_HEALTH_SAME;
    }
    counts->back = 0;
    *clear = out;
    return RP_HEALTH_BACK;
}

static rp_health_change_e bad_one(const rp_health_rules_t *rules, unsigned status, int first, rp_health_counts_t *counts,
                                  unsigned *set)
{
    int never_checked = !counts->checked;

    count_up(&counts->fails);
    counts->passes = 0;
    counts->back = 0;
    if (status & RP_ST_HC_FAIL) {
        return never_checked ? RP_HEALTH_OUT : RP_HEALTH_SAME; /* the reason why it stays out is worth a line once */
    }
    if (!first && counts->fails < at_least_one(rules->fails)) {
        return RP_HEALTH_SAME;
    }
    *set = RP_ST_HC_FAIL;
    return RP_HEALTH_OUT;
}

rp_health_change_e rp_health_step(const rp_health_rules_t *rules, unsigned status, int good, rp_health_counts_t *counts, unsigned *set,
                                  unsigned *clear)
{
    int first = rules->init == RP_HEALTH_INIT_CHECK && !counts->checked;
    rp_health_change_e change;

    *set = *clear = 0;
    change = good ? good_one(rules, status, first, counts, clear) : bad_one(rules, status, first, counts, set);
    counts->checked = 1;
    return change;
}

/* ---- when ---- */

int rp_health_checked(rp_health_method_e method, unsigned status)
{
    return method != RP_HEALTH_NONE && (status & (RP_ST_STOPPED | RP_ST_FREE)) == 0;
}

apr_interval_time_t rp_health_timeout(apr_interval_time_t written_us, apr_interval_time_t interval_us, apr_interval_time_t io_us)
{
    apr_interval_time_t us = interval_us > RP_HEALTH_TIMEOUT_MIN_US ? interval_us : RP_HEALTH_TIMEOUT_MIN_US;

    if (written_us > 0) {
        return written_us;
    }
    return io_us > 0 && io_us < us ? io_us : us;
}

apr_interval_time_t rp_health_first(apr_interval_time_t interval_us, int i, int n, rp_health_init_e init, apr_interval_time_t ago_us)
{
    if (ago_us >= 0) {
        return ago_us < interval_us ? interval_us - ago_us : 0;
    }
    if (init != RP_HEALTH_INIT_UP) {
        return 0;
    }
    return n > 0 ? interval_us / (2 * n) * (2 * (i % n) + 1) : interval_us;
}

/* ---- what ---- */

const char *rp_health_target(apr_pool_t *pool, rp_health_method_e method, const char *path, const char *uri)
{
    const char *verb = rp_health_verb(method);
    apr_size_t n = path != NULL ? strlen(path) : 0;

    if (verb != NULL && strcmp(verb, "OPTIONS") == 0) {
        return "*";
    }
    if (uri == NULL || *uri == '\0') {
        return n > 0 ? path : "/";
    }
    if (*uri == '?' && n > 0) {
        return apr_pstrcat(pool, path, uri, NULL);
    }
    while (n > 0 && path[n - 1] == '/') {
        n--;
    }
    return apr_pstrcat(pool, n > 0 ? apr_pstrmemdup(pool, path, n) : "", *uri == '/' ? "" : "/", uri, NULL);
}
