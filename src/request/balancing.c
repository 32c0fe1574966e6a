/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to a balancer: which member comes next is the balancer module's business (rproxy_balancer_api_t); here the member
 * becomes the destination, and how a try ended is reported.
 */
#include "request/flight.h"

#include <apr_strings.h>
#include <http_core.h>
#include <poll.h>

#include "upstream/clock.h"

int rp_balancing_begin(rp_request_t *rq)
{
    const rproxy_balancer_api_t *api = rp_child_sisters()->balancer;

    rq->balancer_target = rq->route->target;
    rq->balancing = api ? api->begin(rq->r, rq->route->balancer, rq->route->target) : NULL;
    if (rq->balancing == NULL) {
        return rp_request_refuse(rq->r, HTTP_SERVICE_UNAVAILABLE,
                                 apr_psprintf(rq->r->pool, "RP0224: there is no %s for this virtual host: define it by a "
                                              "<Proxy> section with BalancerMember lines", rq->route->balancer),
                                 "no backend server is available");
    }
    return OK;
}

/* The member's URL with what is behind the balancer's name appended to its path, as it is written. */
static void aim_at(rp_request_t *rq, rp_worker_t *member)
{
    const char *path = member->url.path;

    rq->worker = member;
    rq->route->worker = member;
    rq->route->url = member->url;
    rq->route->target = path[0] ? apr_pstrcat(rq->r->pool, path, rq->balancer_target, NULL) : rq->balancer_target;
    rq->route->url.path = rq->route->target;
}

#define WAIT_STEP_US 20000 /* between two looks for a member that came back */

/* Let some time pass. 1: the client has left meanwhile (its half alone says nothing, unless it was told to). */
static int client_leaves(const rp_request_t *rq, apr_interval_time_t step_us)
{
    struct pollfd fd = {.fd = rp_client_fd(rq->r), .events = rq->env.eof_is_gone ? POLLRDHUP : 0}; /* poll looks away from -1 */

    return poll(&fd, 1, (int)(step_us / 1000) + 1) > 0 || rq->r->connection->aborted;
}

/* The next member, waited for as long as the balancer's `timeout` says, and as long as somebody wants it. */
static rp_worker_t *wait_for_member(rp_request_t *rq, const char **why)
{
    const rproxy_balancer_api_t *api = rp_child_sisters()->balancer;
    rp_worker_t *member = api->next(rq->balancing, why);
    apr_interval_time_t left_us;

    while (member == NULL && (left_us = api->patience(rq->balancing, rp_clock_now_us())) > 0) {
        apr_interval_time_t step_us = left_us < WAIT_STEP_US ? left_us : WAIT_STEP_US;

        if (rq->owned != NULL) {
            *why = NULL;
            return NULL;
        }
        rp_request_flight_waits(rq);
        if (client_leaves(rq, step_us)) {
            rq->r->connection->aborted = 1;
            return NULL;
        }
        member = api->next(rq->balancing, why);
    }
    return member;
}

int rp_balancing_next(rp_request_t *rq)
{
    const char *why = NULL;
    rp_worker_t *member = wait_for_member(rq, &why);

    if (member == NULL && why == NULL) {
        return SUSPENDED;
    }
    if (member == NULL && rq->r->connection->aborted) {
        return rp_request_refuse(rq->r, HTTP_BAD_REQUEST,
                                 apr_psprintf(rq->r->pool, "RP0340: %s: the client has left before a member was free", rq->route->balancer), NULL);
    }
    if (member == NULL) {
        return rp_request_refuse(rq->r, HTTP_SERVICE_UNAVAILABLE,
                                 apr_psprintf(rq->r->pool, "RP0240: %s: %s", rq->route->balancer, why),
                                 "no backend server is available");
    }
    aim_at(rq, member);
    return OK;
}

static apr_interval_time_t since(const rp_attempt_t *at, apr_time_t then_us)
{
    return then_us > 0 ? then_us - at->start_us : -1;
}

/* The member's answer, and its bytes over all its attempts: a resend goes to the same member. */
static void sum_attempts(const rp_request_t *rq, rproxy_result_t *result)
{
    int n, i;
    const rp_attempt_t *at = rp_exchange_attempts(rq->ex, &n);

    result->connect_us = result->first_byte_us = result->total_us = -1;
    for (i = 0; i < n; i++) {
        if (at[i].worker == rq->worker) {
            result->status = at[i].status;
            result->sent += at[i].sent;
            result->received += at[i].received;
            result->connect_us = at[i].reused ? -1 : since(&at[i], at[i].connected_us);
            result->first_byte_us = since(&at[i], at[i].first_byte_us);
            result->total_us = since(&at[i], at[i].end_us);
        }
    }
}

/* With ProxyPreserveHost the handshake asks for the name that the client sent: that it fails may be the client's doing. */
static int client_chose_name(const rp_request_t *rq, const rp_failure_t *f)
{
    return f->reason == RP_FAIL_TLS && rp_switch(rq->dconf->preserve_host, 0);
}

void rp_balancing_report(rp_request_t *rq)
{
    const rp_failure_t *f = rp_failure(rp_exchange_reason(rq->ex));
    rproxy_result_t result = {0};

    sum_attempts(rq, &result);
    result.from_member = result.status > 0;
    if (result.status == 0 && f->fault == RP_FAULT_BACKEND && !rp_exchange_may_failover(rq->ex)) {
        result.status = f->status; /* made in place of the member's; failonstatus may list it */
    }
    result.unreachable = f->unreachable && !client_chose_name(rq, f);
    result.timed_out = f->reason == RP_FAIL_HEAD_TIMEOUT;
    result.after_sending = f->reason == RP_FAIL_CLOSED_BEFORE_HEAD || f->reason == RP_FAIL_RESET_BEFORE_HEAD;
    rp_child_sisters()->balancer->report(rq->balancing, &result);
}
