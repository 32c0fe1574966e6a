/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: what makes two of them one, how many unconfigured ones live, who may not be evicted.
 */
#include "upstream_unit.h"

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

static rp_endpoint_t *get(const rp_endpoint_key_t *key)
{
    rp_endpoint_t *ep = NULL;

    ck_assert_int_eq(rp_endpoint_get(rig.eps, key, 1, 1, &ep), APR_SUCCESS);
    rp_endpoint_release(ep); /* configured: it stays */
    return ep;
}

START_TEST(endpoint_same_key_same_endpoint_own_copies)
{
    char host[] = "host.example", sni[] = "host.example", source[] = "127.0.0.1";
    rp_endpoint_key_t key = {.is_tls = 1, .host = host, .port = 443, .sni = sni, .source = source};
    rp_endpoint_t *a = get(&key);

    ck_assert_ptr_eq(get(&key), a);
    host[0] = sni[0] = 'X';
    ck_assert_str_eq(a->key.host, "host.example");
    ck_assert_str_eq(a->key.sni, "host.example");
    ck_assert_ptr_nonnull(a->source_addr);
    ck_assert_int_eq(rp_endpoints_count(rig.eps, NULL), 2);
}
END_TEST

/* Every part of the key keeps endpoints apart. */
START_TEST(endpoint_each_part_of_the_key_counts)
{
    static const int conf_a = 0, conf_b = 0;
    const rp_endpoint_key_t base = {.is_tls = 1,
                                    .host = "127.0.0.1",
                                    .port = 443,
                                    .sni = "127.0.0.1",
                                    .ssl_conf = &conf_a,
                                    .ssl_server = &conf_a,
                                    .source = "127.0.0.1"};
    rp_endpoint_key_t key = base;
    rp_endpoint_t *first = get(&base), *other[9];
    int n = 0, i, j;

    key.is_tls = 0;
    other[n++] = get(&key);
    key = base;
    key.host = "127.0.0.2";
    other[n++] = get(&key);
    key = base;
    key.port = 444;
    other[n++] = get(&key);
    key = base;
    key.uds = "/run/a";
    other[n++] = get(&key);
    key.uds = "/run/b";
    other[n++] = get(&key);
    key = base;
    key.sni = NULL;
    other[n++] = get(&key);
    key = base;
    key.ssl_conf = &conf_b;
    other[n++] = get(&key);
    key = base;
    key.ssl_server = &conf_b;
    other[n++] = get(&key);
    key = base;
    key.source = NULL;
    other[n++] = get(&key);
    for (i = 0; i < n; i++) {
        ck_assert_ptr_ne(other[i], first);
        for (j = 0; j < i; j++) {
            ck_assert_ptr_ne(other[i], other[j]);
        }
    }
}
END_TEST

/* Parts can not flow into each other. */
START_TEST(endpoint_keys_are_unambiguous)
{
    const rp_endpoint_key_t a = {.host = "ab", .uds = "/c/d", .port = 1},
                            b = {.host = "ab/c", .uds = "/d", .port = 1};

    ck_assert_ptr_ne(get(&a), get(&b));
}
END_TEST

START_TEST(endpoint_plain_ignores_tls_parts)
{
    static const int conf = 0;
    const rp_endpoint_key_t a = {.host = "127.0.0.1", .port = 1},
                            b = {.host = "127.0.0.1", .port = 1, .ssl_conf = &conf};

    ck_assert_ptr_eq(get(&a), get(&b));
}
END_TEST

START_TEST(endpoint_key_too_long)
{
    char host[3000];
    rp_endpoint_key_t key = {.host = host, .port = 1};
    rp_endpoint_t *ep = rig.ep;

    memset(host, 'h', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, 1, &ep), APR_ENAMETOOLONG);
    ck_assert_ptr_null(ep);
}
END_TEST

START_TEST(endpoint_bad_source_or_socket_is_an_error)
{
    char path[200];
    rp_endpoint_key_t key = {.host = "127.0.0.1", .port = 1, .source = "no such address"};
    rp_endpoint_t *ep = NULL;

    ck_assert_int_ne(rp_endpoint_get(rig.eps, &key, 1, 1, &ep), APR_SUCCESS);
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    key.source = NULL;
    key.uds = path;
    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, 1, &ep), APR_ENAMETOOLONG);
    ck_assert_int_eq(rp_endpoints_count(rig.eps, NULL), 1);
}
END_TEST

static rp_endpoint_t *unconfigured(int port, apr_time_t now_us)
{
    rp_endpoint_key_t key = {.host = "127.0.0.1", .port = port};
    rp_endpoint_t *ep = NULL;

    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 0, now_us, &ep), APR_SUCCESS);
    return ep;
}

static int is_there(int port)
{
    int before = rp_endpoints_count(rig.eps, NULL);
    rp_endpoint_key_t key = {.host = "127.0.0.1", .port = port};
    rp_endpoint_t *ep = NULL;
    int found;

    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, 1, &ep), APR_SUCCESS);
    found = rp_endpoints_count(rig.eps, NULL) == before;
    rp_endpoint_release(ep);
    return found;
}

START_TEST(endpoint_least_recently_used_one_goes)
{
    int i, n;

    for (i = 1; i <= 4; i++) { /* the owner keeps 4 */
        rp_endpoint_release(unconfigured(i, i));
    }
    rp_endpoint_release(unconfigured(1, 5)); /* 2 is the oldest now */
    rp_endpoint_release(unconfigured(9, 6));
    ck_assert_int_eq(rp_endpoints_count(rig.eps, &n), 5);
    ck_assert_int_eq(n, 4);
    ck_assert_int_eq(is_there(1), 1);
    ck_assert_int_eq(is_there(2), 0);
    ck_assert_int_eq(is_there(3), 1);
    ck_assert_int_eq(is_there(9), 1);
}
END_TEST

START_TEST(endpoint_held_ones_stay_until_released)
{
    rp_endpoint_t *held[6];
    int i, n;

    for (i = 0; i < 6; i++) {
        held[i] = unconfigured(i + 1, i + 1);
    }
    (void)rp_endpoints_count(rig.eps, &n);
    ck_assert_int_eq(n, 6); /* too many, but all in use */
    for (i = 0; i < 6; i++) {
        rp_endpoint_release(held[i]);
    }
    (void)rp_endpoints_count(rig.eps, &n);
    ck_assert_int_eq(n, 4);
}
END_TEST

START_TEST(endpoint_configured_never_goes)
{
    int i;

    for (i = 1000; i < 1020; i++) {
        rp_endpoint_release(unconfigured(i, i));
    }
    ck_assert_int_eq(is_there(rig.port), 1);
}
END_TEST

START_TEST(endpoint_promoted_when_configured_after_all)
{
    rp_endpoint_t *ep = unconfigured(77, 1), *same;
    int n;

    same = make_endpoint(rig.eps, 77, 1);
    ck_assert_ptr_eq(ep, same);
    (void)rp_endpoints_count(rig.eps, &n);
    ck_assert_int_eq(n, 0);
    rp_endpoint_release(same);
    rp_endpoint_release(ep);
}
END_TEST

/* Names that a client may have chosen must not grow without bound. */
START_TEST(endpoint_foreign_sni_counts_as_unconfigured)
{
    int i, n;

    for (i = 0; i < 50; i++) {
        rp_endpoint_key_t key = {.is_tls = 1,
                                 .host = "127.0.0.1",
                                 .port = 443,
                                 .sni = apr_psprintf(pool, "n%d.example", i)};
        rp_endpoint_t *ep = NULL;
        ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 1, i, &ep), APR_SUCCESS);
        rp_endpoint_release(ep);
    }
    (void)rp_endpoints_count(rig.eps, &n);
    ck_assert_int_eq(n, 4);
}
END_TEST

START_TEST(endpoint_evicted_closes_its_idle_connections)
{
    rp_endpoint_t *ep = NULL;
    rp_worker_t *w = make_worker(pool, rig.port, "/");
    rp_conn_t *conn = NULL;
    char c;
    int i, peer;
    rp_endpoint_key_t key = {.host = "127.0.0.1", .port = rig.port, .source = "127.0.0.1"};

    ck_assert_int_eq(rp_endpoint_get(rig.eps, &key, 0, 2, &ep), APR_SUCCESS);
    ck_assert_int_eq(rp_pool_take(ep, w, NULL, 0, 2, &conn), APR_SUCCESS);
    connect_conn(conn, rig.listener, 2, &peer);
    rp_endpoint_release(ep);
    for (i = 1; i < 10; i++) { /* busy: the connection holds it */
        rp_endpoint_release(unconfigured(i, 2 + i));
    }
    ck_assert_uint_eq(w->stat->closed, 0);
    ck_assert_int_eq(put_ok(conn, 20), RP_REFUSE_NONE);
    rp_endpoint_release(
        unconfigured(99, 30)); /* one too many, and the oldest has no user any more */
    ck_assert_int_eq(wait_fd(peer, POLLIN), 1);
    ck_assert_int_eq((int)read(peer, &c, 1), 0);
    ck_assert_uint_eq(w->stat->refused[RP_REFUSE_EVICTED], 1);
    ck_assert_uint_eq(w->stat->permits, 0);
    close(peer);
}
END_TEST

START_TEST(endpoint_shutdown_closes_idle_and_keeps_no_more)
{
    int peer, peer2;
    char c;
    rp_conn_t *idle = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer);
    rp_conn_t *busy = take_connected(&rig, rig.ep, rig.w, NULL, 1, &peer2);

    ck_assert_int_eq(put_ok(idle, 2), RP_REFUSE_NONE);
    rp_endpoints_shutdown(rig.eps);
    ck_assert_int_eq((int)read(peer, &c, 1), 0);
    ck_assert_uint_eq(rig.w->stat->refused[RP_REFUSE_SHUTDOWN], 1);
    ck_assert_int_eq(put_ok(busy, 3), RP_REFUSE_SHUTDOWN);
    ck_assert_int_eq((int)read(peer2, &c, 1), 0);
    ck_assert_uint_eq(rig.w->stat->permits, 0);
    close(peer);
    close(peer2);
}
END_TEST

START_TEST(endpoint_refuse_names_are_distinct)
{
    int i, j;

    for (i = 0; i < RP_REFUSE_COUNT; i++) {
        ck_assert_ptr_nonnull(rp_refuse_str((rp_refuse_e)i));
        for (j = 0; j < i; j++) {
            ck_assert_str_ne(rp_refuse_str((rp_refuse_e)i), rp_refuse_str((rp_refuse_e)j));
        }
    }
    ck_assert_str_eq(rp_refuse_str((rp_refuse_e)99), "unknown");
    ck_assert_int_le(RP_REFUSE_COUNT,
                     (int)(sizeof(rig.w->stat->refused) / sizeof(rig.w->stat->refused[0])));
    rp_endpoint_release(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("endpoint");
    TCase *tc = tcase_create("endpoint");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, endpoint_same_key_same_endpoint_own_copies);
    tcase_add_test(tc, endpoint_each_part_of_the_key_counts);
    tcase_add_test(tc, endpoint_keys_are_unambiguous);
    tcase_add_test(tc, endpoint_plain_ignores_tls_parts);
    tcase_add_test(tc, endpoint_key_too_long);
    tcase_add_test(tc, endpoint_bad_source_or_socket_is_an_error);
    tcase_add_test(tc, endpoint_least_recently_used_one_goes);
    tcase_add_test(tc, endpoint_held_ones_stay_until_released);
    tcase_add_test(tc, endpoint_configured_never_goes);
    tcase_add_test(tc, endpoint_promoted_when_configured_after_all);
    tcase_add_test(tc, endpoint_foreign_sni_counts_as_unconfigured);
    tcase_add_test(tc, endpoint_evicted_closes_its_idle_connections);
    tcase_add_test(tc, endpoint_shutdown_closes_idle_and_keeps_no_more);
    tcase_add_test(tc, endpoint_refuse_names_are_distinct);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
