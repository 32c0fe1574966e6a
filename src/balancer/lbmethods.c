/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/lbmethods.h"

/* Every candidate earns its weight. @return the sum of the weights */
static int earn(const rproxy_lbmember_t *const *candidates, int n, int *delta)
{
    int i, total = 0;

    for (i = 0; i < n; i++) {
        delta[i] = candidates[i]->weight_x100;
        total += candidates[i]->weight_x100;
    }
    return total;
}

static int credit(const rproxy_lbmember_t *const *candidates, const int *delta, int i)
{
    return candidates[i]->lbstatus + delta[i];
}

static int byrequests(const rproxy_lbmember_t *const *candidates, int n, const rproxy_lbcontext_t *context, int *delta)
{
    int total = earn(candidates, n, delta), best = 0, i;

    (void)context;
    for (i = 1; i < n; i++) {
        if (credit(candidates, delta, i) > credit(candidates, delta, best)) {
            best = i;
        }
    }
    delta[best] -= total;
    return best;
}

static int bybusyness(const rproxy_lbmember_t *const *candidates, int n, const rproxy_lbcontext_t *context, int *delta)
{
    int total = earn(candidates, n, delta), best = 0, i;

    (void)context;
    for (i = 1; i < n; i++) {
        apr_uint32_t busy = candidates[i]->busy, least = candidates[best]->busy;
        if (busy < least || (busy == least && credit(candidates, delta, i) > credit(candidates, delta, best))) {
            best = i;
        }
    }
    delta[best] -= total;
    return best;
}

/* Integer divisions, each: administrators have seen these sequences for years. */
static apr_uint64_t traffic(const rproxy_lbmember_t *m)
{
    apr_uint64_t weight = m->weight_x100 > 0 ? (apr_uint64_t)m->weight_x100 : 1;

    return m->sent / weight + m->received / weight;
}

static int bytraffic(const rproxy_lbmember_t *const *candidates, int n, const rproxy_lbcontext_t *context, int *delta)
{
    int best = 0, i;

    (void)context;
    (void)delta;
    for (i = 1; i < n; i++) {
        if (traffic(candidates[i]) < traffic(candidates[best])) {
            best = i;
        }
    }
    return best;
}

const rproxy_lbmethod_t rp_lb_byrequests = {"byrequests", byrequests};
const rproxy_lbmethod_t rp_lb_bytraffic = {"bytraffic", bytraffic};
const rproxy_lbmethod_t rp_lb_bybusyness = {"bybusyness", bybusyness};
