/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process with a tunnel keeps its place in the scoreboard, and each restart needs new places: with enough of them the server could start no new
 * process and would serve nobody. So the oldest processes give their tunnels up before that.
 */
#include "engine/tunnels.h"

#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>
#include <scoreboard.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/slots.h"
#include "upstream/clock.h"

#define LOOK_EVERY_US 250000
#define SLOTS_MOST 4096 /* of ServerLimit that are looked at */

APLOG_USE_MODULE(rproxy);

static struct {
    server_rec *server;
    apr_interval_time_t timeout_us; /* -1: none */
    int open;                       /* atomic: tunnels of this child */
    int decided;                    /* atomic: they end */
    apr_time_t since_us;            /* atomic: when the child's end began, 0: it has not */
    apr_time_t looked_us;           /* atomic */
} tunnels = {.timeout_us = -1};

void rp_tunnels_child_init(server_rec *s, apr_interval_time_t timeout_us)
{
    tunnels.server = s;
    tunnels.timeout_us = timeout_us;
}

void rp_tunnels_stopping(void)
{
    apr_time_t never = 0;

    (void)__atomic_compare_exchange_n(&tunnels.since_us, &never, rp_clock_now_us(), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static apr_status_t uncount(void *unused)
{
    (void)unused;
    (void)__atomic_sub_fetch(&tunnels.open, 1, __ATOMIC_RELAXED);
    return APR_SUCCESS;
}

void rp_tunnels_count(request_rec *r)
{
    (void)__atomic_add_fetch(&tunnels.open, 1, __ATOMIC_RELAXED);
    apr_pool_cleanup_register(r->pool, NULL, uncount, apr_pool_cleanup_null);
}

/* The places of all processes. Their number; *mine: ours, or -1. */
static int read_slots(rp_slot_t *slots, int *mine)
{
    int n = 0, i;
    pid_t me = getpid();

    *mine = -1;
    if (ap_scoreboard_image == NULL || ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &n) != APR_SUCCESS) {
        return 0;
    }
    n = n < SLOTS_MOST ? n : SLOTS_MOST;
    for (i = 0; i < n; i++) {
        const process_score *ps = &ap_scoreboard_image->parent[i];

        slots[i].used = ps->pid != 0;
        slots[i].generation = (int)ps->generation;
        slots[i].quiescing = ps->quiescing != 0;
        if (ps->pid == me) {
            *mine = i;
        }
    }
    return n;
}

/* 1 for the one caller that may say why. */
static int decide(void)
{
    return !__atomic_exchange_n(&tunnels.decided, 1, __ATOMIC_SEQ_CST);
}

static void look_at_slots(void)
{
    rp_slot_t *slots = malloc(SLOTS_MOST * sizeof(*slots));
    int mine = -1, nfree, n = slots != NULL ? read_slots(slots, &mine) : 0;

    if (mine >= 0 && rp_slots_must_go(slots, n, mine, &nfree) && decide()) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, tunnels.server,
                     "RP0338: only %d of %d process slots (ServerLimit) are free: this old process of generation %d ends its %d tunnels, oldest first. "
                     "Raise ServerLimit, or limit tunnels by RProxyTunnelShutdownTimeout", nfree, n, slots[mine].generation,
                     __atomic_load_n(&tunnels.open, __ATOMIC_RELAXED));
    }
    free(slots);
}

static void look_at_clock(apr_time_t now_us, apr_time_t since_us)
{
    if (tunnels.timeout_us >= 0 && now_us - since_us >= tunnels.timeout_us && decide()) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, tunnels.server,
                     "RP0339: RProxyTunnelShutdownTimeout is over: this ending process closes its %d tunnels, oldest first",
                     __atomic_load_n(&tunnels.open, __ATOMIC_RELAXED));
    }
}

int rp_tunnels_must_end(apr_time_t now_us)
{
    apr_time_t since_us = __atomic_load_n(&tunnels.since_us, __ATOMIC_SEQ_CST);
    apr_time_t looked_us = __atomic_load_n(&tunnels.looked_us, __ATOMIC_RELAXED);

    if (since_us == 0 || __atomic_load_n(&tunnels.open, __ATOMIC_RELAXED) == 0) {
        return 0;
    }
    if (!__atomic_load_n(&tunnels.decided, __ATOMIC_RELAXED)) {
        look_at_clock(now_us, since_us);
        if (now_us - looked_us >= LOOK_EVERY_US
            && __atomic_compare_exchange_n(&tunnels.looked_us, &looked_us, now_us, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            look_at_slots();
        }
    }
    return __atomic_load_n(&tunnels.decided, __ATOMIC_RELAXED);
}
