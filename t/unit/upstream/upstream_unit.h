/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file upstream_unit.h
 * What the unit tests of src/upstream share: a pool for each test, listeners on loopback and their
 * accepted sockets, workers and endpoints, main().
 */
#ifndef RP_UPSTREAM_UNIT_H
#define RP_UPSTREAM_UNIT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <check.h>

#include "../pool_case.h"
#include "upstream/endpoint.h"
#include "upstream/worker.h"

#define SEC ((apr_time_t)1000000)
#define MAYBE __attribute__((unused))

/** A listener on 127.0.0.1; *port gets its number. */
MAYBE static int tcp_listen(int *port, int backlog)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    *port = ntohs(sin.sin_port);
    return fd;
}

/** A listener on a unix socket; whatever was there is removed. */
MAYBE static int unix_listen(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    apr_cpystrn(sun.sun_path, path, sizeof(sun.sun_path));
    (void)unlink(path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

/** Wait (at most 5 s) until fd has the event. */
MAYBE static int wait_fd(int fd, short events)
{
    struct pollfd pfd = {.fd = fd, .events = events};

    return poll(&pfd, 1, 5000);
}

MAYBE static int accept_one(int listener)
{
    ck_assert_int_eq(wait_fd(listener, POLLIN), 1);
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/** An owner, a worker and an endpoint for 127.0.0.1:port. */
typedef struct rig_t {
    apr_pool_t *child;
    rp_endpoints_t *eps;
    rp_worker_t *w;
    rp_endpoint_t *ep;
    int listener, port;
} rig_t;

MAYBE static rp_worker_t *make_worker(apr_pool_t *p, int port, const char *path)
{
    rp_url_t url = {
        .scheme = "http", .host = "127.0.0.1", .port = port, .port_given = 1, .path = path};
    rp_worker_t *w = rp_worker_create(p, &url, NULL);

    w->configured = 1;
    ck_assert_int_eq(rp_worker_child_init(w, p), APR_SUCCESS);
    return w;
}

MAYBE static rp_endpoint_t *make_endpoint(rp_endpoints_t *eps, int port, int configured)
{
    rp_endpoint_key_t key = {.host = "127.0.0.1", .port = port};
    rp_endpoint_t *ep = NULL;

    ck_assert_int_eq(rp_endpoint_get(eps, &key, configured, 1, &ep), APR_SUCCESS);
    return ep;
}

MAYBE static void rig_setup(rig_t *rig)
{
    ck_assert_int_eq(apr_pool_create(&rig->child, pool), APR_SUCCESS);
    rig->listener = tcp_listen(&rig->port, 64);
    ck_assert_int_eq(rp_endpoints_create(&rig->eps, rig->child, 4), APR_SUCCESS);
    rig->w = make_worker(rig->child, rig->port, "/");
    rig->ep = make_endpoint(rig->eps, rig->port, 1);
}

MAYBE static void rig_teardown(rig_t *rig)
{
    rp_endpoint_release(rig->ep);
    apr_pool_destroy(rig->child);
    close(rig->listener);
}

/** Connect a new connection to its endpoint's address; *peer gets the accepted socket. */
MAYBE static void connect_conn(rp_conn_t *conn, int listener, apr_time_t now_us, int *peer)
{
    rp_addrset_t *set = NULL;
    apr_status_t rv;

    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert_int_eq(rp_address_cached(&conn->endpoint->address, now_us, -1, &set), APR_SUCCESS);
    rv = rp_conn_connect_start(conn, rp_addrset_at(set, 0), now_us);
    if (APR_STATUS_IS_EINPROGRESS(rv)) {
        ck_assert_int_eq(wait_fd(rp_conn_fd(conn), POLLOUT), 1);
        rv = rp_conn_connect_finish(conn);
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    rp_addrset_unref(set);
    *peer = accept_one(listener);
    ck_assert_int_ge(*peer, 0);
}

/** Take a connection that must be new, and connect it. */
MAYBE static rp_conn_t *take_connected(rig_t *rig, rp_endpoint_t *ep, rp_worker_t *w, void *pin,
                                       apr_time_t now_us, int *peer)
{
    rp_conn_t *conn = NULL;

    ck_assert_int_eq(rp_pool_take(ep, w, pin, 0, now_us, &conn), APR_SUCCESS);
    connect_conn(conn, rig->listener, now_us, peer);
    ck_assert_int_eq(conn->state, RP_CONN_READY);
    return conn;
}

/** An exchange went well: count it and give the connection back. */
MAYBE static rp_refuse_e put_ok(rp_conn_t *conn, apr_time_t now_us)
{
    conn->requests++;
    return rp_pool_put(conn, RP_REFUSE_NONE, now_us);
}

#endif
