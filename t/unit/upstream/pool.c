/* SPDX-License-Identifier: Apache-2.0 */
/* The pool on real sockets: what is used again, what is refused and why, limits, age, pinned
 * connections. */
#include "upstream_unit.h"

#include <fcntl.h>

#include "upstream/clock.h"

static rig_t rig;

static void setup(void)
{
    pool_setup();
    rig_setup(&rig);
}

static void teardown(void)
{
    rig_teardown(&rig);
    pool_teardown();
}

static apr_uint64_t refused(rp_refuse_e why) { return rig.w->stat->refused[why]; }

/* Is the other end of a connection closed (now or within 5 s)? */
static int closed(int peer)
{
    char c;

    return wait_fd(peer, POLLIN) == 1 && read(peer, &c, 1) <= 0;
}

static int open_still(int peer)
{
    struct pollfd pfd = {.fd = peer, .events = POLLIN};

    return poll(&pfd, 1, 0) == 0;
}

static rp_conn_t *take_new(apr_time_t now_us)
{
    rp_conn_t *conn = NULL;

    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, NULL, 0, now_us, &conn), APR_SUCCESS);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    return conn;
}

static void drop(rp_conn_t *conn) { (void)rp_pool_put(conn, RP_REFUSE_ERROR, 999 * SEC); }

/* Take; NULL when there is no permit. */
static rp_conn_t *take(apr_time_t now_us)
{
    rp_conn_t *conn = NULL;
    apr_status_t rv = rp_pool_take(rig.ep, rig.w, NULL, 0, now_us, &conn);

    ck_assert(rv == APR_SUCCESS || rv == APR_EAGAIN);
    return conn;
}

START_TEST(pool_put_and_take_again_same_connection)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1 * SEC, &peer);

    ck_assert_uint_eq(conn->requests, 0);
    ck_assert_int_eq(put_ok(conn, 2 * SEC), RP_REFUSE_NONE);
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    ck_assert_uint_eq(rig.w->stat->in_flight, 0);
    ck_assert_ptr_eq(take(3 * SEC), conn);
    ck_assert_int_eq(conn->state, RP_CONN_READY);
    ck_assert_uint_eq(conn->requests, 1);
    ck_assert_uint_eq(rig.w->stat->reused, 1);
    ck_assert_uint_eq(rig.w->stat->opened, 1);
    ck_assert_int_eq(rp_pool_put(conn, RP_REFUSE_CLOSE_ASKED, 3 * SEC), RP_REFUSE_CLOSE_ASKED);
    ck_assert(closed(peer));
    ck_assert_uint_eq(rig.w->stat->permits, 0);
    ck_assert_uint_eq(rig.w->stat->closed, 1);
    ck_assert_uint_eq(refused(RP_REFUSE_CLOSE_ASKED), 1);
    close(peer);
}
END_TEST

START_TEST(pool_most_recently_used_first)
{
    int p1, p2;
    rp_conn_t *a = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p1);
    rp_conn_t *b = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p2);

    ck_assert_int_eq(put_ok(a, 2), RP_REFUSE_NONE);
    ck_assert_int_eq(put_ok(b, 3), RP_REFUSE_NONE);
    ck_assert_ptr_eq(take(4), b);
    ck_assert_ptr_eq(take(4), a);
    (void)rp_pool_put(a, RP_REFUSE_ERROR, 5);
    (void)rp_pool_put(b, RP_REFUSE_ERROR, 5);
    close(p1);
    close(p2);
}
END_TEST

START_TEST(pool_fresh_asked_idle_left_alone)
{
    int peer;
    rp_conn_t *idle = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), *conn = NULL;

    (void)put_ok(idle, 2);
    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, NULL, RP_TAKE_FRESH, 3, &conn), APR_SUCCESS);
    ck_assert_ptr_ne(conn, idle);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert_int_eq(rp_pool_put(conn, RP_REFUSE_ERROR, 3), RP_REFUSE_ERROR);
    ck_assert_uint_eq(rig.w->stat->closed, 0); /* it was never open */
    ck_assert_int_eq(rig.ep->shared.nidle, 1);
    close(peer);
}
END_TEST

START_TEST(pool_closed_by_backend_not_used)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    (void)put_ok(conn, 2);
    close(peer);
    conn = take(3);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert_uint_eq(refused(RP_REFUSE_PEER_CLOSED), 1);
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 3);
}
END_TEST

/* Bytes that nobody asked for: the answer to whom? */
START_TEST(pool_unasked_bytes_not_used)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    (void)put_ok(conn, 2);
    ck_assert_int_eq(write(peer, "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    conn = take(3);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert_uint_eq(refused(RP_REFUSE_EXTRA_BYTES), 1);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 3);
    close(peer);
}
END_TEST

/* Each reason of the exchange closes and is counted under its name. */
START_TEST(pool_put_with_a_reason_closes)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    ck_assert_int_eq(rp_pool_put(conn, (rp_refuse_e)_i, 2), _i);
    ck_assert(closed(peer));
    ck_assert_uint_eq(refused((rp_refuse_e)_i), 1);
    ck_assert_int_eq(rig.ep->shared.nidle, 0);
    ck_assert_uint_eq(rig.w->stat->in_flight, 0);
    close(peer);
}
END_TEST

START_TEST(pool_put_not_ready_is_an_error)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    conn->state = RP_CONN_CONNECTED; /* say, TLS not done */
    ck_assert_int_eq(put_ok(conn, 2), RP_REFUSE_ERROR);
    close(peer);
}
END_TEST

START_TEST(pool_reuse_switched_off)
{
    int peer;

    rig.w->params.reuse = RP_OFF;
    ck_assert_int_eq(put_ok(take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), 2),
                     RP_REFUSE_DISABLED);
    close(peer);
    rig.w->params.reuse = RP_ON;
    ck_assert_int_eq(put_ok(take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), 2),
                     RP_REFUSE_NONE);
    close(peer);
}
END_TEST

START_TEST(pool_addressttl_zero_is_no_reuse)
{
    int peer;

    rig.w->params.addressttl_s = 0;
    ck_assert_int_eq(put_ok(take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), 2),
                     RP_REFUSE_DISABLED);
    close(peer);
}
END_TEST

/* ---- age ---- */

START_TEST(pool_ttl_to_the_microsecond)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    rig.w->params.ttl_s = 5;
    (void)put_ok(conn, 10 * SEC);
    ck_assert_ptr_eq(take(15 * SEC - 1), conn);
    (void)put_ok(conn, 20 * SEC);
    conn = take_new(25 * SEC);
    ck_assert_uint_eq(refused(RP_REFUSE_TTL), 0); /* it is not closed on the way of a request ... */
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 25 * SEC);
    ck_assert_uint_eq(refused(RP_REFUSE_TTL), 1); /* ... but soon */
    ck_assert(closed(peer));
    close(peer);
}
END_TEST

static const struct {
    int hint;
    apr_time_t idle_us;
    int usable;
} hints[] = {
    {-1, 3600 * SEC, 1}, {5, 4 * SEC - 1, 1}, {5, 4 * SEC, 0},
    {2, 1 * SEC - 1, 1}, {2, 1 * SEC, 0},     {1, SEC / 2 - 1, 1},
    {1, SEC / 2, 0},     {60, 58 * SEC, 1},   {2147483647, 9999 * SEC, 1},
};

START_TEST(pool_keep_alive_hint_less_a_margin)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);
    rp_refuse_e why;

    conn->peer_keepalive_s = hints[_i].hint;
    ck_assert_int_eq(put_ok(conn, 10 * SEC), RP_REFUSE_NONE);
    ck_assert_int_eq(rp_conn_fresh_enough(conn, rig.w, 10 * SEC + hints[_i].idle_us, &why),
                     hints[_i].usable);
    ck_assert_int_eq(why, hints[_i].usable ? RP_REFUSE_NONE : RP_REFUSE_TTL);
    close(peer);
}
END_TEST

START_TEST(pool_keep_alive_hint_zero_is_a_close)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    conn->peer_keepalive_s = 0;
    ck_assert_int_eq(put_ok(conn, 2), RP_REFUSE_CLOSE_ASKED);
    close(peer);
}
END_TEST

/* A close seen after 7 s of idleness: for some minutes nothing that old is trusted. */
START_TEST(pool_learns_from_a_close)
{
    int p1, p2;
    rp_conn_t *a = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p1);
    rp_conn_t *b = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p2);
    rp_refuse_e why;

    (void)put_ok(b, 10 * SEC);
    (void)put_ok(a, 10 * SEC);
    close(p1);
    ck_assert_int_eq(rp_conn_fresh_enough(b, rig.w, 18 * SEC, &why), 1);
    a = take_new(17 * SEC); /* finds a closed after 7 s, and does not trust b either */
    ck_assert_uint_eq(refused(RP_REFUSE_PEER_CLOSED), 1);
    connect_conn(a, rig.listener, 17 * SEC, &p1);
    (void)put_ok(a, 20 * SEC);
    ck_assert_uint_eq(refused(RP_REFUSE_TTL), 1);
    ck_assert(closed(p2));
    ck_assert_int_eq(rp_conn_fresh_enough(a, rig.w, 27 * SEC - 1, &why), 1);
    ck_assert_int_eq(rp_conn_fresh_enough(a, rig.w, 27 * SEC, &why), 0);
    ck_assert_int_eq(rp_conn_fresh_enough(a, rig.w, 17 * SEC + RP_LEARN_FOR_US, &why),
                     1); /* forgotten */
    close(p1);
    close(p2);
}
END_TEST

/* A backend that restarts closes fresh connections too: that says nothing about its patience. */
START_TEST(pool_learns_nothing_from_a_quick_close)
{
    int peer;
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);

    (void)put_ok(conn, 10 * SEC);
    close(peer);
    conn = take(10 * SEC + RP_LEARN_MIN_US - 1);
    ck_assert_uint_eq(refused(RP_REFUSE_PEER_CLOSED), 1);
    ck_assert_int_eq(rig.ep->shared.learned_idle_us, 0);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 11 * SEC);
}
END_TEST

/* ---- limits ---- */

START_TEST(pool_max_is_hard)
{
    int p1, p2;
    rp_conn_t *a, *b;

    rig.w->params.max = 2;
    a = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p1);
    b = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p2);
    ck_assert_ptr_null(take(1));
    ck_assert_uint_eq(rig.w->stat->permits, 2);
    (void)put_ok(a, 2);
    ck_assert_ptr_eq(take(2), a); /* idle ones count, but may be used */
    (void)rp_pool_put(a, RP_REFUSE_ERROR, 3);
    a = take(3);
    ck_assert_int_eq(a->state, RP_CONN_NEW);
    drop(a);
    drop(b);
    close(p1);
    close(p2);
}
END_TEST

/* One worker, two endpoints (two SNI names, say): its idle connection at the other one makes room.
 */
START_TEST(pool_idle_elsewhere_gives_its_place)
{
    int peer;
    rp_endpoint_key_t key = {.host = "127.0.0.1", .port = rig.port, .source = "127.0.0.1"};
    rp_endpoint_t *other = NULL;
    rp_conn_t *idle, *conn = NULL;

    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, 1, &other), APR_SUCCESS);
    rig.w->params.max = 1;
    idle = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);
    (void)put_ok(idle, 2);
    ck_assert_int_eq(rp_pool_take(other, rig.w, NULL, 0, 3, &conn), APR_SUCCESS);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert(closed(peer));
    ck_assert_uint_eq(refused(RP_REFUSE_EVICTED), 1);
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    ck_assert_ptr_null(take(3));
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 4);
    rp_endpoint_release(other);
    close(peer);
}
END_TEST

/* Also where the idle one is here and a fresh one is wanted. */
START_TEST(pool_fresh_at_max_closes_an_idle_one)
{
    int peer;
    rp_conn_t *idle, *conn = NULL;

    rig.w->params.max = 1;
    idle = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);
    (void)put_ok(idle, 2);
    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, NULL, RP_TAKE_FRESH, 3, &conn), APR_SUCCESS);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert(closed(peer));
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 4);
    close(peer);
}
END_TEST

/* Two workers of one server share its idle connections; each is counted where it is used. */
START_TEST(pool_connection_changes_worker)
{
    int peer;
    rp_worker_t *w2 = make_worker(pool, rig.port, "/two");
    rp_conn_t *conn = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), *same = NULL;

    (void)put_ok(conn, 2);
    ck_assert_int_eq(rp_pool_take(rig.ep, w2, NULL, 0, 3, &same), APR_SUCCESS);
    ck_assert_ptr_eq(same, conn);
    ck_assert_ptr_eq(same->worker, w2);
    ck_assert_uint_eq(rig.w->stat->permits, 0);
    ck_assert_uint_eq(w2->stat->permits, 1);
    ck_assert_uint_eq(w2->stat->in_flight, 1);
    ck_assert_uint_eq(w2->stat->reused, 1);
    (void)rp_pool_put(same, RP_REFUSE_ERROR, 4);
    ck_assert_uint_eq(w2->stat->permits, 0);
    ck_assert_uint_eq(w2->stat->in_flight, 0);
    close(peer);
}
END_TEST

START_TEST(pool_granted_permit_is_used_and_returned)
{
    rp_conn_t *conn = NULL;

    rig.w->params.max = 1;
    ck_assert_int_eq(rp_permit_acquire(rig.w, rp_clock_now_us(), NULL), APR_SUCCESS);
    ck_assert_ptr_null(take(1));
    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, NULL, RP_TAKE_GRANTED, 1, &conn), APR_SUCCESS);
    ck_assert_uint_eq(rig.w->stat->in_flight, 1);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 1);
    ck_assert_uint_eq(rig.w->stat->in_flight, 0);
}
END_TEST

static rp_conn_t *disposed;
static void dispose(rp_conn_t *conn)
{
    disposed = conn;
}

/* A second owner with an endpoint for the same place. */
static rp_endpoint_t *other_owner(rp_endpoints_t **eps)
{
    rp_endpoint_t *ep = NULL;

    ck_assert_int_eq(rp_endpoints_create(eps, rig.child, 4), APR_SUCCESS);
    ck_assert_int_eq(rp_endpoint_get(*eps, &rig.ep->key, 1, 1, &ep), APR_SUCCESS);
    return ep;
}

START_TEST(pool_max_takes_the_place_of_an_idle_one_of_another_owner)
{
    rp_endpoints_t *eps;
    rp_endpoint_t *ep = other_owner(&eps);
    rp_conn_t *conn;
    int peer;

    rig.w->params.max = 1;
    conn = take_connected(&rig, ep, rig.w, NULL, 1, &peer);
    ck_assert_int_eq(put_ok(conn, 2), RP_REFUSE_NONE);
    conn = take(3);
    ck_assert_ptr_nonnull(conn);
    ck_assert(closed(peer));
    ck_assert_uint_eq(refused(RP_REFUSE_EVICTED), 1);
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 4);
    ck_assert_uint_eq(rig.w->stat->permits, 0);
    rp_endpoint_release(ep);
    close(peer);
}
END_TEST

START_TEST(pool_owner_closes_by_its_own_thread_what_was_taken_from_it)
{
    static int watch;
    rp_endpoints_t *eps;
    rp_endpoint_t *ep = other_owner(&eps);
    rp_conn_t *conn, *theirs;
    int peer;

    rp_endpoints_dispose_by(eps, dispose);
    rig.w->params.max = 1;
    theirs = take_connected(&rig, ep, rig.w, NULL, 1, &peer);
    theirs->watch = &watch;
    ck_assert_int_eq(put_ok(theirs, 2), RP_REFUSE_NONE);
    disposed = NULL;
    conn = take(3);
    ck_assert_ptr_nonnull(conn);
    ck_assert_ptr_eq(disposed, theirs);
    ck_assert(closed(peer)); /* at once all the same */
    rp_pool_look(theirs, 4); /* its owner hears of the end: nothing to do for it */
    theirs->watch = NULL;
    rp_pool_disposed(theirs);
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    ck_assert_uint_eq(rig.w->stat->closed, 1);
    (void)rp_pool_put(conn, RP_REFUSE_ERROR, 4);
    rp_endpoint_release(ep);
    ck_assert_uint_eq(ep->users, 0);
    close(peer);
}
END_TEST

START_TEST(pool_smax_without_ttl_at_once)
{
    int p[3], i;
    rp_conn_t *c[3];

    rig.w->params.smax = 2;
    for (i = 0; i < 3; i++) {
        c[i] = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p[i]);
    }
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(put_ok(c[i], 2 + i), RP_REFUSE_NONE);
    }
    ck_assert_int_eq(rig.ep->shared.nidle, 2);
    ck_assert(closed(p[0])); /* the one longest idle */
    ck_assert(open_still(p[1]) && open_still(p[2]));
    ck_assert_uint_eq(refused(RP_REFUSE_IDLE_LIMIT), 1);
    for (i = 0; i < 3; i++) {
        close(p[i]);
    }
}
END_TEST

START_TEST(pool_smax_zero_keeps_none_min_keeps_some)
{
    int peer;

    rig.w->params.smax = 0;
    ck_assert_int_eq(put_ok(take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), 2),
                     RP_REFUSE_IDLE_LIMIT);
    ck_assert(closed(peer));
    close(peer);
    rig.w->params.min = 1;
    ck_assert_int_eq(put_ok(take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer), 2),
                     RP_REFUSE_NONE);
    close(peer);
}
END_TEST

START_TEST(pool_maintain_closes_expired_but_min)
{
    int p[3], i;
    rp_conn_t *c[3];

    rig.w->params.ttl_s = 5;
    rig.w->params.min = 1;
    rig.w->params.smax = 0; /* with ttl, age decides */
    for (i = 0; i < 3; i++) {
        c[i] = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p[i]);
    }
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(put_ok(c[i], (10 + i) * SEC), RP_REFUSE_NONE);
    }
    rp_pool_maintain(rig.eps, 14 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 3);
    rp_pool_maintain(rig.eps, 16 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 1);
    ck_assert(closed(p[0]) && closed(p[1]));
    ck_assert(open_still(p[2]));
    rp_pool_maintain(rig.eps, 100 * SEC);
    ck_assert(open_still(p[2])); /* min: left open ... */
    drop(take_new(100 * SEC)); /* ... but not used */
    ck_assert(open_still(p[2]));
    ck_assert_uint_eq(refused(RP_REFUSE_TTL), 2);
    for (i = 0; i < 3; i++) {
        close(p[i]);
    }
}
END_TEST

/* Putting back looks too, but no more than once a second. */
START_TEST(pool_maintain_once_a_second)
{
    int p1, p2;
    rp_conn_t *a = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p1);
    rp_conn_t *b = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p2);

    rig.w->params.ttl_s = 1;
    (void)put_ok(a, 10 * SEC); /* looks */
    (void)put_ok(b, 10 * SEC + SEC / 2);
    rp_pool_maintain(rig.eps, 11 * SEC - 1);
    ck_assert_int_eq(rig.ep->shared.nidle, 2);
    rp_pool_maintain(rig.eps, 11 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 1);
    rp_pool_maintain(rig.eps, 12 * SEC - 1); /* b is due, but the last look is not a second ago */
    ck_assert_int_eq(rig.ep->shared.nidle, 1);
    a = take_new(12 * SEC - 1); /* b is too old to be used */
    connect_conn(a, rig.listener, 12 * SEC, &p2);
    (void)put_ok(a, 12 * SEC); /* looks, and closes b */
    ck_assert_int_eq(rig.ep->shared.nidle, 1);
    close(p1);
    close(p2);
}
END_TEST

START_TEST(pool_maintain_collects_what_backends_closed)
{
    int p1, p2;
    rp_conn_t *a = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p1);
    rp_conn_t *b = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p2);

    (void)put_ok(a, 2);
    (void)put_ok(b, 2);
    close(p1);
    ck_assert_int_eq(wait_fd(a->fd, POLLIN), 1);
    rp_pool_maintain(rig.eps, 3 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 1);
    ck_assert_uint_eq(refused(RP_REFUSE_PEER_CLOSED), 1);
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    ck_assert(open_still(p2));
    close(p2);
}
END_TEST

/* More than one round takes. */
START_TEST(pool_maintain_many)
{
    int p[70], i;
    rp_conn_t *c[70];

    rig.w->params.ttl_s = 1;
    for (i = 0; i < 70; i++) {
        c[i] = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p[i]);
    }
    for (i = 0; i < 70; i++) {
        (void)put_ok(c[i], SEC);
    }
    rp_pool_maintain(rig.eps, 10 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 0);
    ck_assert_uint_eq(rig.w->stat->permits, 0);
    for (i = 0; i < 70; i++) {
        close(p[i]);
    }
}
END_TEST

/* Also those behind the first 64; and what they teach is not forgotten because nobody met them in a take. */
START_TEST(pool_maintain_learns_from_what_backends_closed)
{
    int p[70], i;
    rp_conn_t *c[70];

    for (i = 0; i < 70; i++) {
        c[i] = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p[i]);
    }
    for (i = 0; i < 70; i++) {
        (void)put_ok(c[i], 10 * SEC);
    }
    close(p[69]);
    ck_assert_int_eq(wait_fd(c[69]->fd, POLLIN), 1);
    rp_pool_maintain(rig.eps, 16 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 69);
    ck_assert_uint_eq(refused(RP_REFUSE_PEER_CLOSED), 1);
    ck_assert_int_eq(rig.ep->shared.learned_idle_us, 5 * SEC); /* 6 seconds, and a second between two looks */
    rp_pool_maintain(rig.eps, 18 * SEC);
    ck_assert_int_eq(rig.ep->shared.nidle, 0);
    for (i = 0; i < 69; i++) {
        close(p[i]);
    }
}
END_TEST

/* ---- addressttl ---- */

/* "localhost" is what the system says; a connection elsewhere is one to an address that the name
 * has lost. */
START_TEST(pool_addressttl_stale_or_lost_address)
{
    rp_endpoint_key_t key = {.host = "localhost", .port = rig.port};
    rp_endpoint_t *ep = NULL;
    rp_addrset_t *set = NULL;
    rp_conn_t *conn = NULL, *again = NULL;
    apr_sockaddr_t *sa = NULL;
    apr_status_t rv;
    int peer;

    rig.w->params.addressttl_s = 10;
    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, 1, &ep), APR_SUCCESS);
    ck_assert_int_eq(rp_address_resolve(&ep->address, 1 * SEC, &set), APR_SUCCESS);
    rp_addrset_unref(set);
    ck_assert_int_eq(rp_pool_take(ep, rig.w, NULL, 0, 1 * SEC, &conn), APR_SUCCESS);
    ck_assert_int_eq(
        apr_sockaddr_info_get(&sa, "127.0.0.1", APR_INET, (apr_port_t)rig.port, 0, pool),
        APR_SUCCESS);
    rv = rp_conn_connect_start(conn, sa, 1 * SEC);
    ck_assert(rv == APR_SUCCESS || APR_STATUS_IS_EINPROGRESS(rv));
    ck_assert_int_eq(wait_fd(conn->fd, POLLOUT), 1);
    if (conn->state == RP_CONN_CONNECTING) {
        ck_assert_int_eq(rp_conn_connect_finish(conn), APR_SUCCESS);
    }
    peer = accept_one(rig.listener);
    (void)put_ok(conn, 2 * SEC);
    ck_assert_int_eq(rp_pool_take(ep, rig.w, NULL, 0, 10 * SEC, &again), APR_SUCCESS);
    ck_assert_ptr_eq(again, conn); /* known, young, a member */
    (void)put_ok(conn, 10 * SEC);
    ck_assert_int_eq(rp_pool_take(ep, rig.w, NULL, 0, 11 * SEC, &again), APR_SUCCESS);
    ck_assert_int_eq(again->state, RP_CONN_NEW); /* the answer is 10 s old: ask again */
    ck_assert_uint_eq(refused(RP_REFUSE_ADDRESS), 1);
    close(peer);
    ck_assert_int_eq(
        apr_sockaddr_info_get(&sa, "127.0.0.88", APR_INET, (apr_port_t)rig.port, 0, pool),
        APR_SUCCESS);
    ck_assert_int_eq(rp_address_resolve(&ep->address, 11 * SEC, &set), APR_SUCCESS);
    rp_addrset_unref(set);
    again->addr = sa; /* as if it had been connected there */
    again->state = RP_CONN_READY;
    again->fd = -1;
    (void)put_ok(again, 12 * SEC);
    ck_assert_int_eq(rp_pool_take(ep, rig.w, NULL, 0, 12 * SEC, &again), APR_SUCCESS);
    ck_assert_uint_eq(refused(RP_REFUSE_ADDRESS), 2);
    (void)rp_pool_put(again, RP_REFUSE_ERROR, 12 * SEC);
    rp_endpoint_release(ep);
}
END_TEST

/* ---- pinned ---- */

START_TEST(pool_pinned_belongs_to_its_client)
{
    int me = 0, you = 0, p1, p2;
    rp_conn_t *mine = take_connected(&rig, rig.ep, rig.w, &me, 1, &p1);
    rp_conn_t *free_one = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p2), *got = NULL;

    mine->pinned_to = &me;
    (void)put_ok(mine, 2);
    got = take(3);
    ck_assert_int_eq(got->state, RP_CONN_NEW); /* nobody's request does not get it */
    drop(got);
    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, &you, 0, 3, &got), APR_SUCCESS);
    ck_assert_int_eq(got->state, RP_CONN_NEW); /* nor another client's */
    drop(got);
    (void)put_ok(free_one, 4);
    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, &me, 0, 5, &got), APR_SUCCESS);
    ck_assert_ptr_eq(got, mine); /* its own first, though the other one is more recent */
    ck_assert_int_eq(rp_pool_take(rig.ep, rig.w, &me, 0, 5, &got), APR_SUCCESS);
    ck_assert_ptr_eq(got, free_one); /* then one that is nobody's */
    drop(mine);
    drop(free_one);
    close(p1);
    close(p2);
}
END_TEST

START_TEST(pool_unpin_closes_only_its_own)
{
    int me = 0, you = 0, p[3], i;
    rp_conn_t *c[3];

    for (i = 0; i < 3; i++) {
        c[i] = take_connected(&rig, rig.ep, rig.w, NULL, 1, &p[i]);
    }
    c[0]->pinned_to = &me;
    c[1]->pinned_to = &you;
    for (i = 0; i < 3; i++) {
        (void)put_ok(c[i], 2);
    }
    rp_pool_unpin(rig.eps, NULL);
    ck_assert_int_eq(rig.ep->shared.nidle, 3);
    rp_pool_unpin(rig.eps, &me);
    ck_assert(closed(p[0]));
    ck_assert(open_still(p[1]) && open_still(p[2]));
    ck_assert_uint_eq(refused(RP_REFUSE_PINNED), 1);
    rp_pool_unpin(rig.eps, &you);
    ck_assert(closed(p[1]));
    rp_pool_unpin(rig.eps, &you); /* nothing left: no search */
    ck_assert_uint_eq(rig.w->stat->permits, 1);
    for (i = 0; i < 3; i++) {
        close(p[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pool");
    TCase *tc = tcase_create("pool");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, pool_put_and_take_again_same_connection);
    tcase_add_test(tc, pool_most_recently_used_first);
    tcase_add_test(tc, pool_fresh_asked_idle_left_alone);
    tcase_add_test(tc, pool_closed_by_backend_not_used);
    tcase_add_test(tc, pool_unasked_bytes_not_used);
    tcase_add_loop_test(tc, pool_put_with_a_reason_closes, RP_REFUSE_NONE + 1, RP_REFUSE_COUNT);
    tcase_add_test(tc, pool_put_not_ready_is_an_error);
    tcase_add_test(tc, pool_reuse_switched_off);
    tcase_add_test(tc, pool_addressttl_zero_is_no_reuse);
    tcase_add_test(tc, pool_ttl_to_the_microsecond);
    tcase_add_loop_test(tc, pool_keep_alive_hint_less_a_margin, 0, ROWS(hints));
    tcase_add_test(tc, pool_keep_alive_hint_zero_is_a_close);
    tcase_add_test(tc, pool_learns_from_a_close);
    tcase_add_test(tc, pool_learns_nothing_from_a_quick_close);
    tcase_add_test(tc, pool_max_is_hard);
    tcase_add_test(tc, pool_idle_elsewhere_gives_its_place);
    tcase_add_test(tc, pool_fresh_at_max_closes_an_idle_one);
    tcase_add_test(tc, pool_connection_changes_worker);
    tcase_add_test(tc, pool_granted_permit_is_used_and_returned);
    tcase_add_test(tc, pool_max_takes_the_place_of_an_idle_one_of_another_owner);
    tcase_add_test(tc, pool_owner_closes_by_its_own_thread_what_was_taken_from_it);
    tcase_add_test(tc, pool_smax_without_ttl_at_once);
    tcase_add_test(tc, pool_smax_zero_keeps_none_min_keeps_some);
    tcase_add_test(tc, pool_maintain_closes_expired_but_min);
    tcase_add_test(tc, pool_maintain_once_a_second);
    tcase_add_test(tc, pool_maintain_collects_what_backends_closed);
    tcase_add_test(tc, pool_maintain_many);
    tcase_add_test(tc, pool_maintain_learns_from_what_backends_closed);
    tcase_add_test(tc, pool_addressttl_stale_or_lost_address);
    tcase_add_test(tc, pool_pinned_belongs_to_its_client);
    tcase_add_test(tc, pool_unpin_closes_only_its_own);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
