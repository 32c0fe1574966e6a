/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the making of a connection's pool and that of its bucket allocator the MPM calls one thing that others may choose: the accept function of
 * the listening socket. It sets that when it starts its threads, behind all hooks of a child's start, so that ours is put before it by
 * the first of these threads that has a connection. The listener's thread may read the pointer meanwhile: it calls either of them.
 */
#include "engine/accept.h"

#include <ap_listen.h>
#include <unixd.h>

#include "engine/gate.h"
#include "engine/owned_int.h"

#define KEY "rproxy-loan"

typedef struct loan_t {
    apr_allocator_t *allocator;
    int n;
} loan_t;

static int begun; /* atomic */

/* The pool goes, or is cleared for the MPM's next connection; all that was made in it or below it has gone. */
static apr_status_t give_back(void *baton)
{
    const loan_t *loan = baton;

    if (rp_engine_running()) {
        rp_stock_take(loan->allocator, loan->n);
    }
    return APR_SUCCESS;
}

static apr_status_t accept_with_loan(void **csd, ap_listen_rec *lr, apr_pool_t *p)
{
    apr_status_t rv = ap_unixd_accept(csd, lr, p);
    apr_allocator_t *a = apr_pool_allocator_get(p);
    int n = rv == APR_SUCCESS && *csd != NULL ? rp_stock_lend(a) : 0;

    if (n > 0) {
        loan_t *loan = apr_palloc(p, sizeof(*loan));

        loan->allocator = a;
        loan->n = n;
        apr_pool_cleanup_register(p, loan, give_back, apr_pool_cleanup_null);
        (void)apr_socket_data_set(*csd, loan, KEY, NULL);
    }
    return rv;
}

int rp_accept_loan(apr_socket_t *sock, apr_pool_t *p)
{
    void *data = NULL;
    loan_t *loan;

    if (apr_socket_data_get(&data, KEY, sock) != APR_SUCCESS || data == NULL) {
        return 0;
    }
    loan = data;
    apr_pool_cleanup_kill(p, loan, give_back);
    return loan->n;
}

void rp_accept_begin(void)
{
    ap_listen_rec *lr;

    if (__atomic_load_n(&begun, __ATOMIC_RELAXED) || __atomic_exchange_n(&begun, 1, __ATOMIC_ACQ_REL)) {
        return; /* as a rule it is read only */
    }
    for (lr = ap_listeners; lr != NULL; lr = lr->next) {
        if (__atomic_load_n(&lr->accept_func, __ATOMIC_RELAXED) == ap_unixd_accept) { /* the MPM's, and nobody else's */
            __atomic_store_n(&lr->accept_func, accept_with_loan, __ATOMIC_RELEASE);
        }
    }
}

void rp_accept_end(void)
{
    ap_listen_rec *lr;

    for (lr = ap_listeners; lr != NULL; lr = lr->next) {
        if (lr->accept_func == accept_with_loan) {
            lr->accept_func = ap_unixd_accept;
        }
    }
    __atomic_store_n(&begun, 0, __ATOMIC_RELEASE);
}
