/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: literals and sockets at once, names by the resolver, sets that live as long as their
 * references. */
#include "upstream_unit.h"

#include <apr_thread_proc.h>

#include "upstream/address.h"

static rp_address_t addr;

static void init(const char *host, int port, const char *uds)
{
    ck_assert_int_eq(rp_address_init(&addr, host, port, uds, pool), APR_SUCCESS);
}

START_TEST(address_literal_known_at_once)
{
    rp_addrset_t *set = NULL;
    char ip[64];

    init("127.0.0.1", 8080, NULL);
    ck_assert_int_eq(rp_address_cached(&addr, 5 * SEC, 0, &set),
                     APR_SUCCESS); /* literals do not age */
    ck_assert_int_eq(rp_addrset_count(set), 1);
    ck_assert_int_eq(rp_addrset_at(set, 0)->port, 8080);
    ck_assert_int_eq(apr_sockaddr_ip_getbuf(ip, sizeof(ip), rp_addrset_at(set, 0)), APR_SUCCESS);
    ck_assert_str_eq(ip, "127.0.0.1");
    ck_assert_ptr_null(rp_addrset_at(set, 1));
    ck_assert_ptr_null(rp_addrset_at(set, -1));
    ck_assert_uint_eq(addr.shared.lookups, 0);
    rp_addrset_unref(set);
    rp_address_destroy(&addr);
}
END_TEST

START_TEST(address_ipv6_literal)
{
    rp_addrset_t *set = NULL;

    init("::1", 81, NULL);
    ck_assert_int_eq(rp_address_resolve(&addr, 1, &set), APR_SUCCESS);
    ck_assert_int_eq(rp_addrset_at(set, 0)->family, APR_INET6);
    ck_assert_int_eq(rp_addrset_at(set, 0)->port, 81);
    rp_addrset_unref(set);
    rp_address_destroy(&addr);
}
END_TEST

START_TEST(address_unix_socket)
{
    rp_addrset_t *set = NULL;

    init(NULL, 0, "/run/x.sock");
    ck_assert_int_eq(rp_address_cached(&addr, 1, -1, &set), APR_SUCCESS);
    ck_assert_int_eq(rp_addrset_at(set, 0)->family, APR_UNIX);
    ck_assert_str_eq(rp_addrset_at(set, 0)->hostname, "/run/x.sock");
    rp_addrset_unref(set);
    rp_address_destroy(&addr);
}
END_TEST

START_TEST(address_unix_socket_path_too_long)
{
    char path[200];

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(rp_address_init(&addr, NULL, 0, path, pool), APR_ENAMETOOLONG);
}
END_TEST

START_TEST(address_name_resolved_cached_aged)
{
    rp_addrset_t *set = NULL, *again = NULL;

    init("localhost", 80, NULL);
    ck_assert_int_eq(rp_address_cached(&addr, 10 * SEC, -1, &set), APR_EAGAIN);
    ck_assert_ptr_null(set);
    ck_assert_int_eq(rp_address_resolve(&addr, 10 * SEC, &set), APR_SUCCESS);
    ck_assert_int_ge(rp_addrset_count(set), 1);
    ck_assert_int_eq(rp_address_cached(&addr, 19 * SEC, 10 * SEC, &again), APR_SUCCESS);
    ck_assert_ptr_eq(again, set);
    rp_addrset_unref(again);
    ck_assert_int_eq(rp_address_cached(&addr, 20 * SEC, 10 * SEC, &again), APR_EAGAIN);
    ck_assert_int_eq(rp_address_cached(&addr, 10 * SEC, 0, &again),
                     APR_EAGAIN); /* 0: never believed */
    ck_assert_int_eq(rp_address_cached(&addr, 9999999 * SEC, -1, &again), APR_SUCCESS);
    rp_addrset_unref(again);
    rp_addrset_unref(set);
    rp_address_destroy(&addr);
}
END_TEST

START_TEST(address_new_answer_leaves_old_set_alive)
{
    rp_addrset_t *old = NULL, *fresh = NULL;

    init("localhost", 80, NULL);
    ck_assert_int_eq(rp_address_resolve(&addr, 1 * SEC, &old), APR_SUCCESS);
    ck_assert_int_eq(rp_address_resolve(&addr, 2 * SEC, &fresh), APR_SUCCESS);
    ck_assert_ptr_ne(old, fresh);
    ck_assert_uint_eq(addr.shared.lookups, 2);
    ck_assert_int_eq(rp_addrset_at(old, 0)->port, 80); /* valgrind and ASan look here */
    rp_addrset_unref(old);
    rp_addrset_unref(fresh);
    rp_address_destroy(&addr);
}
END_TEST

START_TEST(address_failed_lookup_keeps_cache)
{
    rp_addrset_t *set = NULL;

    init("no-such-name.invalid", 80, NULL);
    ck_assert_int_ne(rp_address_resolve(&addr, 1, &set), APR_SUCCESS);
    ck_assert_ptr_null(set);
    ck_assert_int_eq(rp_address_cached(&addr, 1, -1, &set), APR_EAGAIN);
    rp_address_destroy(&addr);
}
END_TEST

START_TEST(address_has_member_stranger_and_age)
{
    rp_addrset_t *set = NULL;
    rp_address_t other;
    rp_addrset_t *stranger = NULL;

    init("localhost", 80, NULL);
    ck_assert_int_eq(rp_address_init(&other, "127.9.9.9", 80, NULL, pool), APR_SUCCESS);
    ck_assert_int_eq(rp_address_cached(&other, 0, -1, &stranger), APR_SUCCESS);
    ck_assert_int_eq(rp_address_has(&addr, rp_addrset_at(stranger, 0), 1, -1), APR_EAGAIN);
    ck_assert_int_eq(rp_address_resolve(&addr, 10 * SEC, &set), APR_SUCCESS);
    ck_assert_int_eq(rp_address_has(&addr, rp_addrset_at(set, 0), 11 * SEC, 5 * SEC), APR_SUCCESS);
    ck_assert_int_eq(rp_address_has(&addr, rp_addrset_at(set, 0), 15 * SEC, 5 * SEC), APR_EAGAIN);
    ck_assert_int_eq(rp_address_has(&addr, rp_addrset_at(stranger, 0), 11 * SEC, 5 * SEC),
                     APR_NOTFOUND);
    ck_assert_int_eq(rp_address_has(&other, rp_addrset_at(set, 0), 1, 0),
                     APR_SUCCESS); /* literals do not change */
    rp_addrset_unref(set);
    rp_addrset_unref(stranger);
    rp_address_destroy(&addr);
    rp_address_destroy(&other);
}
END_TEST

static void *APR_THREAD_FUNC resolve_many(apr_thread_t *t, void *data)
{
    int i;

    (void)t;
    for (i = 0; i < 50; i++) {
        rp_addrset_t *set = NULL;
        ck_assert_int_eq(rp_address_resolve(data, i, &set), APR_SUCCESS);
        ck_assert_int_ge(rp_addrset_count(set), 1);
        rp_addrset_unref(set);
    }
    return NULL;
}

START_TEST(address_threads_share_without_leak)
{
    apr_thread_t *t[4];
    apr_status_t rv;
    int i;

    init("localhost", 80, NULL);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(apr_thread_create(&t[i], NULL, resolve_many, &addr, pool), APR_SUCCESS);
    }
    for (i = 0; i < 4; i++) {
        apr_thread_join(&rv, t[i]);
    }
    ck_assert_uint_le(addr.shared.lookups, 200);
    rp_address_destroy(&addr);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("address");
    TCase *tc = tcase_create("address");

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, address_literal_known_at_once);
    tcase_add_test(tc, address_ipv6_literal);
    tcase_add_test(tc, address_unix_socket);
    tcase_add_test(tc, address_unix_socket_path_too_long);
    tcase_add_test(tc, address_name_resolved_cached_aged);
    tcase_add_test(tc, address_new_answer_leaves_old_set_alive);
    tcase_add_test(tc, address_failed_lookup_keeps_cache);
    tcase_add_test(tc, address_has_member_stranger_and_age);
    tcase_add_test(tc, address_threads_share_without_leak);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
