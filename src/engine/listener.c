/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event MPM's listener stops taking connections while all threads are busy, and a thread that becomes idle wakes it. When the listener decides
 * so just after the last thread became idle (it lost the processor between its look at the threads and the decision), nobody
 * wakes it any more: every client waits, until something else happens in its poll set. The connections of our loops are not in there, so that
 * this may take as long as the longest Timeout. A timed callback that is due already is the MPM's own way to wake it.
 */
#include "engine/listener.h"

#include <ap_mpm.h>

#define LONG_DUE_US (-apr_time_from_sec(365 * 86400)) /* before all other callbacks: only what becomes the first one wakes it for certain */

static int runs;      /* atomic */
static int under_way; /* atomic */

void rp_listener_runs(void)
{
    if (!__atomic_load_n(&runs, __ATOMIC_RELAXED)) { /* as a rule it is read only */
        __atomic_store_n(&runs, 1, __ATOMIC_RELEASE);
    }
}

/* On a thread of the MPM; that the listener's turn goes on is all that was wanted. */
static void woken(void *unused)
{
    (void)unused;
    __atomic_store_n(&under_way, 0, __ATOMIC_RELEASE);
}

int rp_listener_wake(void)
{
    if (!__atomic_load_n(&runs, __ATOMIC_ACQUIRE) || __atomic_exchange_n(&under_way, 1, __ATOMIC_ACQ_REL)) {
        return 0;
    }
    if (ap_mpm_register_timed_callback(LONG_DUE_US, woken, NULL) != APR_SUCCESS) {
        __atomic_store_n(&under_way, 0, __ATOMIC_RELEASE);
        return 0;
    }
    return 1;
}
