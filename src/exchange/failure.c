/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/failure.h"

#include <stddef.h>

#define ROW(r, name, text, status, failover, unreachable, fault) \
    [r] = {r, name, text, status, failover, unreachable, fault}

static const rp_failure_t table[RP_FAIL_COUNT] = {
    ROW(RP_FAIL_NONE, "none", "no failure", 200, 0, 0, RP_FAULT_NOBODY),
    ROW(RP_FAIL_CONNECT_REFUSED, "connect-refused", "the backend server refused the connection", 503, 1, 1,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_UNREACHABLE, "unreachable", "the backend server could not be reached", 503, 1, 1,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_CONNECT_TIMEOUT, "connect-timeout", "the backend server did not accept the connection in time",
        503, 1, 1, RP_FAULT_BACKEND),
    ROW(RP_FAIL_POOL_TIMEOUT, "pool-timeout", "all connections to the backend server were busy for too long",
        503, 1, 0, RP_FAULT_OURS),
    ROW(RP_FAIL_NO_MEMBER, "no-member", "no backend server is available", 503, 0, 0, RP_FAULT_BACKEND),
    ROW(RP_FAIL_LOCAL_RESOURCE, "local-resource", "the proxy has no resources left for a connection", 503, 0, 0,
        RP_FAULT_OURS),
    ROW(RP_FAIL_NAME, "name-lookup", "the name of the backend server could not be resolved", 502, 1, 1,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_TLS, "tls-handshake", "the TLS handshake with the backend server failed", 502, 1, 1,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_TLS_DISABLED, "tls-not-enabled", "TLS to backend servers is not enabled here", 502, 0, 0,
        RP_FAULT_OURS),
    ROW(RP_FAIL_PING_TIMEOUT, "ping-timeout", "the backend server did not answer 100 Continue in time", 503, 1, 1,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_WRITE_TIMEOUT, "write-timeout", "the backend server did not take the request in time", 504, 0, 0,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_CLOSED_BEFORE_HEAD, "closed-before-head",
        "the backend server closed the connection without an answer", 502, 1, 0, RP_FAULT_BACKEND),
    ROW(RP_FAIL_RESET_BEFORE_HEAD, "reset-before-head",
        "the backend server reset the connection without an answer", 502, 1, 0, RP_FAULT_BACKEND),
    ROW(RP_FAIL_HEAD_TIMEOUT, "head-timeout", "the backend server did not answer in time", 504, 0, 0,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_BAD_HEAD, "bad-head", "the backend server sent an invalid response head", 502, 0, 0,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_BAD_FRAMING, "bad-framing", "the backend server sent a response without a clear end", 502, 0, 0,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_TOO_MANY_INTERIM, "too-many-interim", "the backend server sent too many interim responses", 502,
        0, 0, RP_FAULT_BACKEND),
    ROW(RP_FAIL_BAD_UPGRADE, "bad-upgrade", "the backend server switched to a protocol nobody asked for", 502, 0,
        0, RP_FAULT_BACKEND),
    ROW(RP_FAIL_BODY_SHORT, "body-short", "the backend server cut its response short", 502, 0, 0,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_BODY_TIMEOUT, "body-timeout", "the backend server stopped in the middle of its response", 504, 0,
        0, RP_FAULT_BACKEND),
    ROW(RP_FAIL_BODY_BAD_CHUNK, "body-bad-chunk", "the backend server sent invalid chunks", 502, 0, 0,
        RP_FAULT_BACKEND),
    ROW(RP_FAIL_TUNNEL_TIMEOUT, "tunnel-timeout", "the tunnel was idle for too long", 504, 0, 0,
        RP_FAULT_NOBODY),
    ROW(RP_FAIL_CLIENT_BODY_BAD, "client-body-bad", "the request body is malformed", 400, 0, 0, RP_FAULT_CLIENT),
    ROW(RP_FAIL_CLIENT_BODY_TIMEOUT, "client-body-timeout", "the request body did not arrive in time", 408, 0, 0,
        RP_FAULT_CLIENT),
    ROW(RP_FAIL_CLIENT_BODY_TOO_LARGE, "client-body-too-large", "the request body is larger than allowed", 413, 0,
        0, RP_FAULT_CLIENT),
    ROW(RP_FAIL_CLIENT_GONE, "client-gone", "the client closed the connection", 400, 0, 0, RP_FAULT_CLIENT),
    ROW(RP_FAIL_BAD_REQUEST, "bad-request", "the request can not be passed on", 400, 0, 0, RP_FAULT_CLIENT),
    ROW(RP_FAIL_INTERNAL, "internal", "the proxy failed", 500, 0, 0, RP_FAULT_OURS),
    ROW(RP_FAIL_TUNNEL_SHUTDOWN, "tunnel-shutdown", "the server restarts or stops, and its tunnels end", 503, 0, 0,
        RP_FAULT_NOBODY),
};

const rp_failure_t *rp_failure(rp_reason_e reason)
{
    if ((unsigned)reason >= RP_FAIL_COUNT || table[reason].name == NULL) {
        return &table[RP_FAIL_INTERNAL];
    }
    return &table[reason];
}
