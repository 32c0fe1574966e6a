/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a balancer, one row each. */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "upstream/params_int.h"

#define B(member) offsetof(rp_balancer_params_t, member)

/* A row up to what is written out. Times end where a number of seconds does. */
#define ROW(k, knd, member, lo, hi) \
    .key = (k), .kind = RP_PARAM_##knd, .offset = B(member), .min = (lo), .max = (hi)
#define TIME(k, member, lo, unit_us) \
    ROW(k, TIME, member, lo, (apr_int64_t)INT_MAX * RP_SEC_US), .unit = (unit_us)

static const rp_param_row_t rows[] = {
    {ROW("lbmethod", STRING, lbmethod, 1, 15), .example = "byrequests", .dflt = "byrequests",
     .help = "How a member is chosen."},
    {ROW("stickysession", STICKY, stickysession, 1, 63), .example = "JSESSIONID|jsessionid",
     .dflt = "none",
     .help = "Cookie, and behind the | the URL parameter, whose value ends in the route of the "
             "member that has the session."},
    {ROW("stickysessionsep", CHAR_OR_OFF, stickysep, 0, 0), .example = ".", .dflt = ".",
     .help = "The character before the route; Off: the whole value is the route."},
    {ROW("scolonpathdelim", SWITCH, scolonpathdelim, 0, 0), .example = "On", .dflt = "Off",
     .help = "On: a semicolon ends the value of a session parameter in the path."},
    {ROW("nofailover", SWITCH, nofailover, 0, 0), .example = "On", .dflt = "Off",
     .help = "On: a session whose member can not be used is answered with 503 and not given to "
             "another member."},
    {TIME("timeout", timeout_us, RP_MSEC_US, RP_SEC_US), .example = "5", .dflt = "0 (do not wait)",
     .help = "How long a request waits for a member that can be used."},
    {ROW("maxattempts", INT, maxattempts, 0, INT_MAX), .example = "2", .dflt = "members less one",
     .help = "How many other members are tried after a failure."},
    {ROW("failonstatus", CODES, failonstatus, 100, 599), .example = "500,503", .dflt = "none",
     .help = "Status codes that put the member that sent them in error."},
    {ROW("failontimeout", SWITCH, failontimeout, 0, 0), .example = "On", .dflt = "Off",
     .help = "On: a member that does not answer within its timeout is put in error."},
    {ROW("forcerecovery", SWITCH, forcerecovery, 0, 0), .example = "Off", .dflt = "On",
     .help = "On: when all members are in error they are all tried again at once, whatever retry "
             "says."},
    {ROW("nonce", STRING, nonce, 1, 36), .example = "None", .dflt = "a random one",
     .help = "Secret that changes in the balancer manager must name; None: no change is possible."},
    {ROW("growth", INT, growth, 1, RP_GROWTH_MAX), .example = "10",
     .dflt = "0, or what BalancerGrowth says",
     .help = "How many members may be added at run time."},
};

const rp_param_table_t rp_balancer_param_table = {
    "balancer", rows, (int)(sizeof(rows) / sizeof(rows[0])), B(written)};
_Static_assert(sizeof(rows) / sizeof(rows[0]) <= 64, "one bit of `written` a row");

const rp_param_row_t *rp_balancer_param_rows(int *n)
{
    *n = rp_balancer_param_table.nrows;
    return rows;
}

void rp_balancer_params_init(rp_balancer_params_t *p)
{
    memset(p, 0, sizeof(*p));
    p->stickysep = p->maxattempts = p->growth = -1;
    p->timeout_us = -1;
    p->scolonpathdelim = p->nofailover = p->failontimeout = p->forcerecovery = RP_UNSET;
}

static void dflt_switch(rp_switch_e *member, rp_switch_e value)
{
    if (*member == RP_UNSET) {
        *member = value;
    }
}

void rp_balancer_params_defaults(rp_balancer_params_t *p)
{
    p->lbmethod = p->lbmethod ? p->lbmethod : "byrequests";
    p->stickysep = p->stickysep < 0 ? '.' : p->stickysep;
    dflt_switch(&p->scolonpathdelim, RP_OFF);
    dflt_switch(&p->nofailover, RP_OFF);
    dflt_switch(&p->failontimeout, RP_OFF);
    dflt_switch(&p->forcerecovery, RP_ON);
    p->timeout_us = p->timeout_us < 0 ? 0 : p->timeout_us;
    p->growth = p->growth < 0 ? 0 : p->growth;
}

const char *rp_balancer_param_set(apr_pool_t *pool, rp_balancer_params_t *p, const char *key,
                                  const char *value)
{
    return rp_param_set(pool, &rp_balancer_param_table, &rp_worker_param_table, p, key, value);
}

void rp_balancer_params_merge(rp_balancer_params_t *base, const rp_balancer_params_t *add)
{
    rp_param_merge(&rp_balancer_param_table, base, add);
}
