/* SPDX-License-Identifier: Apache-2.0 */
/* One pool under sixteen threads: max holds, no permit and no wake-up is lost. */
#include "upstream_unit.h"

#include <sched.h>

#include <apr_thread_proc.h>

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

#define MAX 4
static apr_uint32_t most_permits, failures;

static void note_permits(void)
{
    apr_uint32_t n = __atomic_load_n(&rig.w->stat->permits, __ATOMIC_SEQ_CST);
    apr_uint32_t most = __atomic_load_n(&most_permits, __ATOMIC_SEQ_CST);

    while (n > most
           && !__atomic_compare_exchange_n(&most_permits, &most, n, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST)) {
    }
}

/* Make a new connection look connected, to one end of a socket pair. The test is about the pool,
 * not about TCP. */
static void fake_connect(rp_conn_t *conn, int *other)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    conn->fd = pair[0];
    *other = pair[1];
    conn->state = RP_CONN_READY;
}

static void fake_close(rp_conn_t *conn)
{
    if (conn->fd >= 0) {
        close(conn->fd);
        close(conn->local_port); /* the other end is kept there */
        conn->fd = -1;
    }
    conn->state = RP_CONN_CLOSED;
}

static rp_conn_ops_t fake_ops;

static void one_exchange(rp_endpoint_t *ep, unsigned *seed)
{
    apr_time_t now_us = rp_clock_now_us();
    rp_conn_t *conn = NULL;
    int fresh = rand_r(seed) % 8 == 0 ? RP_TAKE_FRESH : 0;
    apr_status_t rv = rp_pool_take(ep, rig.w, NULL, fresh, now_us, &conn);

    while (APR_STATUS_IS_EAGAIN(rv)) {
        if (rp_permit_acquire(rig.w, now_us + 30 * SEC, NULL) != APR_SUCCESS) {
            __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
            return;
        }
        rv = rp_pool_take(ep, rig.w, NULL, fresh | RP_TAKE_GRANTED, now_us, &conn);
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    note_permits();
    if (conn->state == RP_CONN_NEW) {
        conn->ops = &fake_ops;
        fake_connect(conn, &conn->local_port);
    }
    ck_assert_int_eq(conn->state, RP_CONN_READY);
    if (rand_r(seed) % 3 == 0) {
        sched_yield();
    }
    if (rand_r(seed) % 16 == 0) { /* the backend closes while it is idle */
        (void)shutdown(conn->local_port, SHUT_RDWR);
    }
    conn->requests++;
    (void)rp_pool_put(conn, rand_r(seed) % 8 == 0 ? RP_REFUSE_ERROR : RP_REFUSE_NONE, now_us);
}

static rp_endpoint_t *eps[3];

static void *APR_THREAD_FUNC hammer(apr_thread_t *t, void *data)
{
    unsigned seed = (unsigned)(apr_uintptr_t)data;
    int i;

    (void)t;
    for (i = 0; i < 1000; i++) {
        one_exchange(eps[rand_r(&seed) % 3], &seed);
        if (i % 100 == 0) {
            rp_pool_maintain(rig.eps, rp_clock_now_us() + i * SEC);
        }
    }
    return NULL;
}

START_TEST(pool_hammered_max_holds_nothing_lost)
{
    apr_thread_t *t[16];
    apr_status_t rv;
    int i;

    fake_ops = rp_conn_plain_ops;
    fake_ops.close = fake_close;
    rig.w->params.max = MAX;
    most_permits = failures = 0;
    for (i = 0; i < 3; i++) {
        rp_endpoint_key_t key = {.host = "127.0.0.1", .port = 10 + i};
        ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, 1, &eps[i]), APR_SUCCESS);
    }
    for (i = 0; i < 16; i++) {
        ck_assert_int_eq(
            apr_thread_create(&t[i], NULL, hammer, (void *)(apr_uintptr_t)(i + 1), pool),
            APR_SUCCESS);
    }
    for (i = 0; i < 16; i++) {
        apr_thread_join(&rv, t[i]);
    }
    ck_assert_uint_eq(failures, 0);
    ck_assert_uint_le(most_permits, MAX);
    ck_assert_uint_gt(rig.w->stat->reused, 0);
    ck_assert_uint_eq(rig.w->stat->in_flight, 0);
    ck_assert_uint_eq(rig.w->stat->waiters, 0);
    ck_assert_uint_eq(
        rig.w->stat->permits,
        (apr_uint32_t)(eps[0]->shared.nidle + eps[1]->shared.nidle + eps[2]->shared.nidle));
    for (i = 0; i < 3; i++) {
        rp_endpoint_release(eps[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pool_threads");
    TCase *tc = tcase_create("pool_threads");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, pool_hammered_max_holds_nothing_lost);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
