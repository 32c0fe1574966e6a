/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file failure.h
 * The one table of what can go wrong with an exchange: reason, text, status, may fail over. Logs, error pages, the balancer and
 * metrics read it; nobody else maps a failure to a status.
 */
#ifndef RP_EXCHANGE_FAILURE_H
#define RP_EXCHANGE_FAILURE_H

/** Append only: metrics and logs show the order. */
typedef enum rp_reason_e {
    RP_FAIL_NONE = 0,
    /* nothing of the request has left us */
    RP_FAIL_CONNECT_REFUSED,
    RP_FAIL_UNREACHABLE,
    RP_FAIL_CONNECT_TIMEOUT,
    RP_FAIL_POOL_TIMEOUT,
    RP_FAIL_NO_MEMBER,
    RP_FAIL_LOCAL_RESOURCE,
    RP_FAIL_NAME,
    RP_FAIL_TLS,
    RP_FAIL_TLS_DISABLED,
    /* the request was sent or was being sent */
    RP_FAIL_PING_TIMEOUT,
    RP_FAIL_WRITE_TIMEOUT,
    RP_FAIL_CLOSED_BEFORE_HEAD,
    RP_FAIL_RESET_BEFORE_HEAD,
    RP_FAIL_HEAD_TIMEOUT,
    RP_FAIL_BAD_HEAD,
    RP_FAIL_BAD_FRAMING,
    RP_FAIL_TOO_MANY_INTERIM,
    RP_FAIL_BAD_UPGRADE,
    /* the response head was read */
    RP_FAIL_BODY_SHORT,
    RP_FAIL_BODY_TIMEOUT,
    RP_FAIL_BODY_BAD_CHUNK,
    RP_FAIL_TUNNEL_TIMEOUT,
    /* the client's doing */
    RP_FAIL_CLIENT_BODY_BAD,
    RP_FAIL_CLIENT_BODY_TIMEOUT,
    RP_FAIL_CLIENT_BODY_TOO_LARGE,
    RP_FAIL_CLIENT_GONE,
    RP_FAIL_BAD_REQUEST,
    /* ours */
    RP_FAIL_INTERNAL,
    RP_FAIL_TUNNEL_SHUTDOWN,
    RP_FAIL_COUNT
} rp_reason_e;

/** Whose fault a failure is; only the backend's may ever count against a member. */
typedef enum rp_fault_e { RP_FAULT_NOBODY = 0, RP_FAULT_BACKEND, RP_FAULT_CLIENT, RP_FAULT_OURS } rp_fault_e;

typedef struct rp_failure_t {
    rp_reason_e reason;
    const char *name;     /**< stable, for logs and metrics: "connect-refused" */
    const char *text;     /**< sentence for the error page; names no address */
    int status;           /**< HTTP status for the client while no head was sent */
    int failover;         /**< another member may be tried (within the resend rule) */
    int unreachable;      /**< the member could not be reached at all: it may be put in error */
    rp_fault_e fault;
} rp_failure_t;

/** The row of a reason; never NULL. Any thread. */
const rp_failure_t *rp_failure(rp_reason_e reason);

#endif
