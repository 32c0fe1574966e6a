/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/visits.h"

#include <stdlib.h>

static __thread rp_visitor_t *mine;
static rp_visitor_t *newest; /* atomic */

static void enter(rp_visitor_t *v)
{
    v->older = __atomic_load_n(&newest, __ATOMIC_ACQUIRE);
    do {
        v->index = v->older != NULL ? v->older->index + 1 : 0;
    } while (!__atomic_compare_exchange_n(&newest, &v->older, v, 1, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

void rp_visit_begin(void)
{
    if (mine == NULL) {
        mine = calloc(1, sizeof(*mine));
        if (mine != NULL) {
            enter(mine);
        }
    }
    else { /* release: behind all that the last visit has written */
        __atomic_store_n(&mine->visits, mine->visits + 1, __ATOMIC_RELEASE);
    }
}

rp_visit_t rp_visit_current(void)
{
    if (mine == NULL) {
        rp_visit_begin();
    }
    return (rp_visit_t){.who = mine, .n = mine != NULL ? mine->visits : 0};
}

int rp_visit_is_over(const rp_visit_t *visit)
{
    return visit->who != NULL && __atomic_load_n(&visit->who->visits, __ATOMIC_ACQUIRE) != visit->n;
}
