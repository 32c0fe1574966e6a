/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges under way on the page of mod_status, where ProxyStatus is On. */
#include <httpd.h>
#include <http_protocol.h>
#include <apr_optional_hooks.h>
#include <mod_status.h>

#include "balancer/api_live.h"
#include "balancer/balancing.h"
#include "balancer/manager.h"
#include "balancer/manager_page.h"

static int show(request_rec *r, int flags)
{
    const rp_show_t *view;
    rp_text_t *t;

    if (rp_balancing_shown(r->server) == NULL) {
        return OK;
    }
    view = rp_view_make(r, RP_VIEW_FLIGHTS);
    if (flags & AP_STATUS_SHORT) {
        ap_rprintf(r, "ProxyExchangesUnderWay: %d\n", view->nflights + view->flights_lost);
        return OK;
    }
    t = rp_text_make(r->pool);
    rp_text_add(t, "<hr />\n");
    rp_page_flights(t, view);
    ap_rputs(t->bytes, r);
    return OK;
}

void rp_manager_status_register(apr_pool_t *p)
{
    (void)p;
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_LAST);
}
