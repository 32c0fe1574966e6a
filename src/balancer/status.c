/* SPDX-License-Identifier: Apache-2.0 */
/* The balancers on the page of mod_status. Reads the shared segment and nothing else. */
#include "balancer/status.h"

#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "balancer/balancing.h"
#include "balancer/late.h"
#include "balancer/health.h"
#include "balancer/select.h"

/* What is written of a member, at one moment. */
typedef struct row_t {
    const rp_worker_t *worker;
    const char *route, *redirect;
    char status[RP_STATUS_TEXT_MAX];
    double factor;
    int lbset;
    apr_uint64_t elected, sent, received, responses[5], unreachable;
    apr_uint32_t busy;
} row_t;

static row_t row_of(const rp_live_member_t *m)
{
    const rp_shm_member_t *shm = m->slot->shm;
    row_t row;
    int i;

    row.worker = m->worker;
    row.route = m->settings.route;
    row.redirect = m->settings.redirect;
    rp_status_text(__atomic_load_n(&shm->status, __ATOMIC_ACQUIRE), row.status, sizeof(row.status));
    row.factor = m->settings.weight_x100 / 100.0;
    row.lbset = m->settings.lbset;
    row.elected = __atomic_load_n(&shm->elected, __ATOMIC_RELAXED);
    row.sent = __atomic_load_n(&shm->sent, __ATOMIC_RELAXED);
    row.received = __atomic_load_n(&shm->received, __ATOMIC_RELAXED);
    for (i = 0; i < 5; i++) {
        row.responses[i] = __atomic_load_n(&shm->responses[i], __ATOMIC_RELAXED);
    }
    row.unreachable = __atomic_load_n(&shm->connect_errors, __ATOMIC_RELAXED);
    row.busy = rp_shared_busy_of(m->slot);
    return row;
}

/* ---- ?auto ---- */

/* Only of members that are checked. */
static void auto_health(request_rec *r, const rp_live_member_t *m, int i, int j)
{
    const rp_shm_member_t *shm = m->slot->shm;
    rp_health_settings_t health;

    if (rp_health_method(m->settings.hcmethod) == RP_HEALTH_NONE || rp_shm_health_read(shm, &health) != APR_SUCCESS) {
        return;
    }
    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]HealthChecks: %" APR_UINT64_T_FMT "\n", i, j,
               __atomic_load_n(&shm->checks, __ATOMIC_RELAXED));
    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]HealthChecksFailed: %" APR_UINT64_T_FMT "\n", i, j,
               __atomic_load_n(&shm->checks_failed, __ATOMIC_RELAXED));
    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]HealthChanges: %" APR_UINT64_T_FMT "\n", i, j,
               __atomic_load_n(&shm->checks_changed, __ATOMIC_RELAXED));
    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]HealthLast: %s\n", i, j,
               health.checked_at != 0 ? ap_escape_logitem(r->pool, health.result) : "not checked yet");
}

/* What mod_proxy's page does not have: bytes to the last one, final responses by class, failures to reach it. */
static void auto_exact(request_rec *r, const row_t *row, int i, int j)
{
    int k;

    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]SentBytes: %" APR_UINT64_T_FMT "\n", i, j, row->sent);
    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]RcvdBytes: %" APR_UINT64_T_FMT "\n", i, j, row->received);
    for (k = 0; k < 5; k++) {
        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Responses%dxx: %" APR_UINT64_T_FMT "\n", i, j, k + 1, row->responses[k]);
    }
    ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Unreachable: %" APR_UINT64_T_FMT "\n", i, j, row->unreachable);
}

/* Escaped, so that a name can not begin a line of its own. */
static void auto_balancer(request_rec *r, const rp_balancer_t *b, const rp_live_t *live, int i)
{
    int j;

    ap_rprintf(r, "ProxyBalancer[%d]Name: %s\n", i, ap_escape_logitem(r->pool, b->conf->name));
    for (j = 0; j < live->n; j++) {
        row_t row = row_of(&live->members[j]);

        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Name: %s\n", i, j, ap_escape_logitem(r->pool, row.worker->name));
        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Status: %s\n", i, j, row.status);
        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Elected: %" APR_UINT64_T_FMT "\n", i, j, row.elected);
        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Busy: %u\n", i, j, row.busy);
        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Sent: %" APR_UINT64_T_FMT "K\n", i, j, row.sent >> 10);
        ap_rprintf(r, "ProxyBalancer[%d]Worker[%d]Rcvd: %" APR_UINT64_T_FMT "K\n", i, j, row.received >> 10);
        auto_health(r, &live->members[j], i, j);
        auto_exact(r, &row, i, j);
    }
}

/* ---- HTML ---- */

static const char *html(request_rec *r, const char *text)
{
    return text != NULL ? ap_escape_html(r->pool, text) : "";
}

static void html_member(request_rec *r, const row_t *row)
{
    const rp_url_t *u = &row->worker->url;
    char sent[5], received[5];

    ap_rprintf(r, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%.2f</td><td>%d</td><td>%" APR_UINT64_T_FMT
               "</td><td>%u</td><td>%s</td><td>%s</td></tr>\n",
               html(r, u->scheme), html(r, u->uds ? u->uds : u->host), row->status, html(r, row->route), html(r, row->redirect),
               row->factor, row->lbset, row->elected, row->busy, apr_strfsize((apr_off_t)row->sent, sent),
               apr_strfsize((apr_off_t)row->received, received));
}

static void html_balancer(request_rec *r, const rp_balancer_t *b, const rp_live_t *live)
{
    int j;

    ap_rprintf(r, "<hr />\n<h1>Proxy LoadBalancer Status for <i>%s</i></h1>\n\n"
               "<table border=\"0\"><tr><th>SSes</th><th>Timeout</th><th>Method</th></tr>\n"
               "<tr><td>%s</td><td>%d</td><td>%s</td></tr>\n</table>\n"
               "<table border=\"0\"><tr><th>Sch</th><th>Host</th><th>Stat</th><th>Route</th><th>Redir</th><th>F</th><th>Set</th>"
               "<th>Acc</th><th>Busy</th><th>Wr</th><th>Rd</th></tr>\n",
               html(r, b->conf->name), live->stickysession ? html(r, live->stickysession) : " - ",
               (int)apr_time_sec(live->settings.timeout_us), html(r, live->method->name));
    for (j = 0; j < live->n; j++) {
        row_t row = row_of(&live->members[j]);
        html_member(r, &row);
    }
    ap_rputs("</table>\n", r);
}

static void html_legend(request_rec *r)
{
    static const char *const words[][2] = {
        {"SSes", "name of the session"}, {"Timeout", "seconds that a request waits for a member"}, {"Sch", "scheme"},
        {"Host", "host or socket of the member"}, {"Stat", "state of the member"}, {"Route", "route of its sessions"},
        {"Redir", "route its sessions go to when it can not be used"}, {"F", "load factor"}, {"Set", "number of its set"},
        {"Acc", "requests it was chosen for"}, {"Busy", "requests under way"}, {"Wr", "bytes sent to it"},
        {"Rd", "bytes received from it"}};
    size_t i;

    ap_rputs("<hr /><table>\n", r);
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ap_rprintf(r, "<tr><th>%s</th><td>%s</td></tr>\n", words[i][0], words[i][1]);
    }
    ap_rputs("</table>\n", r);
}

static int show(request_rec *r, int flags)
{
    const apr_array_header_t *all = rp_balancing_shown(r->server);
    int i, shown = 0;

    rp_late_collect();
    for (i = 0; rp_shared_ready() && all != NULL && i < all->nelts; i++) {
        rp_balancer_t *b = rp_balancing_of(APR_ARRAY_IDX(all, i, const rp_balancer_conf_t *));
        rp_live_t *live;

        if (b == NULL) {
            continue;
        }
        live = rp_live_acquire(b);
        if (flags & AP_STATUS_SHORT) {
            auto_balancer(r, b, live, i);
        }
        else {
            html_balancer(r, b, live);
        }
        rp_live_release(live);
        shown++;
    }
    if (shown > 0 && !(flags & AP_STATUS_SHORT)) {
        html_legend(r);
    }
    return OK;
}

void rp_balancer_status_register(apr_pool_t *p)
{
    (void)p;
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_MIDDLE);
}
