/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a balancer, one row each. */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "upstream/params_int.h"

#define B(member) offsetof(rp_balancer_params_t, member)

static const rp_param_row_t rows[] = {
    {.key = "lbmethod", .kind = RP_PARAM_STRING, .offset = B(lbmethod), .min = 1, .max = 15, .example = "byrequests",
     .dflt = "byrequests", .help = "How a member is chosen."},
    {.key = "stickysession", .kind = RP_PARAM_STICKY, .offset = B(stickysession), .min = 1, .max = 63,
     .example = "JSESSIONID|jsessionid", .dflt = "none",
     .help = "Cookie, and behind the | the URL parameter, whose value ends in the route of the member that has the session."},
    {.key = "stickysessionsep", .kind = RP_PARAM_CHAR_OR_OFF, .offset = B(stickysep), .example = ".", .dflt = ".",
     .help = "The character before the route; Off: the whole value is the route."},
    {.key = "scolonpathdelim", .kind = RP_PARAM_SWITCH, .offset = B(scolonpathdelim), .example = "On", .dflt = "Off",
     .help = "On: a semicolon ends the value of a session parameter in the path."},
    {.key = "nofailover", .kind = RP_PARAM_SWITCH, .offset = B(nofailover), .example = "On", .dflt = "Off",
     .help = "On: a session whose member can not be used is answered with 503 and not given to another member."},
    {.key = "timeout", .kind = RP_PARAM_TIME, .offset = B(timeout_us), .min = RP_MSEC_US,
     .max = (apr_int64_t)INT_MAX * RP_SEC_US, .unit = RP_SEC_US, .example = "5", .dflt = "0 (do not wait)",
     .help = "How long a request waits for a member that can be used."},
    {.key = "maxattempts", .kind = RP_PARAM_INT, .offset = B(maxattempts), .min = 0, .max = INT_MAX, .example = "2",
     .dflt = "members less one", .help = "How many other members are tried after a failure."},
    {.key = "failonstatus", .kind = RP_PARAM_CODES, .offset = B(failonstatus), .min = 100, .max = 599,
     .example = "500,503", .dflt = "none", .help = "Status codes that put the member that sent them in error."},
    {.key = "failontimeout", .kind = RP_PARAM_SWITCH, .offset = B(failontimeout), .example = "On", .dflt = "Off",
     .help = "On: a member that does not answer within its timeout is put in error."},
    {.key = "forcerecovery", .kind = RP_PARAM_SWITCH, .offset = B(forcerecovery), .example = "Off", .dflt = "On",
     .help = "On: when all members are in error they are all tried again at once, whatever retry says."},
    {.key = "nonce", .kind = RP_PARAM_STRING, .offset = B(nonce), .min = 1, .max = 36, .example = "None",
     .dflt = "a random one", .later = "the balancer manager is not there yet",
     .help = "Secret that changes in the balancer manager must name; None: no change is possible."},
    {.key = "growth", .kind = RP_PARAM_INT, .offset = B(growth), .min = 1, .max = 100, .example = "10", .dflt = "0",
     .later = "members can not be added at run time yet", .help = "How many members may be added at run time."},
};

const rp_param_table_t rp_balancer_param_table = {"balancer", rows, (int)(sizeof(rows) / sizeof(rows[0])), B(written)};
_Static_assert(sizeof(rows) / sizeof(rows[0]) <= 64, "one bit of `written` a row");

const rp_param_row_t *rp_balancer_param_rows(int *n)
{
    *n = rp_balancer_param_table.nrows;
    return rows;
}

const rp_param_row_t *rp_balancer_param_row(const char *key) { return rp_param_find(&rp_balancer_param_table, key); }

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

const char *rp_balancer_param_set(apr_pool_t *pool, rp_balancer_params_t *p, const char *key, const char *value)
{
    return rp_param_set(pool, &rp_balancer_param_table, &rp_worker_param_table, p, key, value);
}

void rp_balancer_params_merge(rp_balancer_params_t *base, const rp_balancer_params_t *add)
{
    rp_param_merge(&rp_balancer_param_table, base, add);
}
