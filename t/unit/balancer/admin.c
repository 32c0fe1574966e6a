/* SPDX-License-Identifier: Apache-2.0 */
/* Changes at run time: what is judged, what is published, members that come and go; under many threads at once. */
#include "balancer_unit.h"

#include "balancer/admin.h"

static rp_balancer_t *c, *d;
static rp_admin_t by;
static const char *message;

static const char *const lines_c[] = {"stickysession=SID", "http://a:81", "route=ra", "http://b:82", "status=+D", NULL};
static const char *const lines_d[] = {"http://a:81", NULL};

static void setup(void)
{
    pool_setup();
    generation_begin();
    c = balancer_add("balancer://c", 2, lines_c);
    d = balancer_add("balancer://d", 0, lines_d);
    generation_run();
    child_begin();
    memset(&by, 0, sizeof(by));
    by.pool = pool;
    by.server = &world_server;
    by.actor = "test";
}

static rp_member_settings_t settings_of(rp_balancer_t *b, int place)
{
    rp_member_settings_t s;

    ck_assert_int_eq(rp_shm_member_read(b->members[place].shm, &s), APR_SUCCESS);
    return s;
}

static void set_ok(const char *member, const char *key, const char *value, const char *says)
{
    ck_assert_int_eq(rp_admin_member_set(&by, c, member, key, value, &message), APR_SUCCESS);
    if (says == NULL) {
        ck_assert_ptr_null(message);
    }
    else {
        ck_assert_str_eq(message, says);
    }
}

START_TEST(member_setting_is_seen_and_said_to_be_of_run_time)
{
    rp_live_t *live;
    const rp_live_member_t *m;

    c->members[0].shm->lbstatus = 500;
    by.why = "too slow";
    set_ok("http://a:81", "loadfactor", "2.5", "loadfactor 1.00 -> 2.50");
    ck_assert_int_eq(c->members[0].shm->lbstatus, 0);
    set_ok("http://a:81", "LBSet", "7", "lbset 0 -> 7");
    set_ok("http://a:81", "route", "", "route ra -> none");
    set_ok("http://a:81", "redirect", "rb", "redirect none -> rb");
    set_ok("http://a:81", "redirect", "rb", NULL);
    set_ok("http://a:81", "hcinterval", "500ms", "hcinterval 30 -> 500ms");
    set_ok("http://a:81", "hcexpr", "known", "hcexpr none -> known");
    set_ok("http://a:81", "hcexpr", "", "hcexpr known -> none");
    set_ok("http://a:81", "hctimeout", "1500ms", "hctimeout by hcinterval -> 1500ms");
    set_ok("http://a:81", "hctimeout", "2", "hctimeout 1500ms -> 2");
    set_ok("http://a:81", "hchost", "www.example.com:8443", "hchost none -> www.example.com:8443");
    live = rp_live_acquire(c);
    m = rp_live_find(live, "http://a:81");
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(m->settings.weight_x100, 250);
    ck_assert_int_eq(live->views[0].lb.weight_x100, 250);
    ck_assert_int_eq(live->views[0].lbset, 7);
    ck_assert_ptr_null(live->views[0].route);
    ck_assert_str_eq(live->views[0].redirect, "rb");
    ck_assert_str_eq(m->settings.changed_why, "test: too slow");
    ck_assert(m->settings.changed_at > 0);
    ck_assert_int_eq(rp_admin_member_origin(m, "loadfactor"), RP_ORIGIN_RUNTIME);
    ck_assert_int_eq(rp_admin_member_origin(m, "hcfails"), RP_ORIGIN_CONFIGURATION);
    ck_assert_int_eq(rp_admin_member_origin(m, "hctimeout"), RP_ORIGIN_RUNTIME);
    ck_assert_int_eq(rp_admin_member_origin(m, "hchost"), RP_ORIGIN_RUNTIME);
    ck_assert_int_eq(m->settings.hctimeout_us, apr_time_from_sec(2));
    ck_assert_str_eq(m->settings.hchost, "www.example.com:8443");
    m = rp_live_find(live, "http://b:82");
    ck_assert_int_eq(rp_admin_member_origin(m, "loadfactor"), RP_ORIGIN_CONFIGURATION);
    rp_live_release(live);
    ck_assert_int_eq(settings_of(d, 0).weight_x100, 100); /* the other balancer's member of that URL is its own */
    ck_assert(strstr(logged, "RP0719: balancer://c: http://a:81: loadfactor 1.00 -> 2.50 (test: too slow)\n") != NULL);
}
END_TEST

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char long_host[] = A64 A64 A64 A64; /* 256 bytes */

START_TEST(check_settings_can_be_taken_back_and_are_as_long_as_in_the_configuration)
{
    set_ok("http://a:81", "hctimeout", "2", "hctimeout by hcinterval -> 2");
    set_ok("http://a:81", "hctimeout", "0", "hctimeout 2 -> by hcinterval");
    set_ok("http://a:81", "hctimeout", "2", "hctimeout by hcinterval -> 2");
    set_ok("http://a:81", "hctimeout", "", "hctimeout 2 -> by hcinterval");
    ck_assert_int_eq(settings_of(c, 0).hctimeout_us, 0);
    ck_assert_int_eq(rp_admin_member_set(&by, c, "http://a:81", "hchost", long_host + 1, &message), APR_SUCCESS);
    ck_assert_str_eq(settings_of(c, 0).hchost, long_host + 1);
    ck_assert_int_eq(rp_admin_member_set(&by, c, "http://a:81", "hchost", "", &message), APR_SUCCESS);
    ck_assert_str_eq(settings_of(c, 0).hchost, "");
}
END_TEST

START_TEST(bad_values_name_field_value_and_range)
{
    static const char *const bad[][3] = {
        {"loadfactor", "0.5", "from 1 to 100"}, {"loadfactor", "x", "\"x\""},      {"lbset", "100", "0 to 99"},
        {"lbset", "-1", "\"-1\""},               {"route", "a\nb", "route"},        {"status", "+X", "status"},
        {"hcpasses", "many", "hcpasses"},        {"max", "5", "loadfactor, lbset"}, {"", "5", "loadfactor"},
        {"status", "+D-D+O", "I N U D S"},       {"hcexpr", "gone", "no ProxyHCExpr \"gone\""}, {"hcuri", "/a b", "hcuri=/a b can not stand in a request"},
        {"hchost", "a b", "hchost=a b can not stand in a request"}, {"hchost", "x/y", "write for example hchost=www.example.com"},
        {"hchost", long_host, "of 1 to 255"},    {"hctimeout", "500us", "hctimeout"},        {"hctimeout", "-1", "at least 1 ms"}};
    rp_member_settings_t before = settings_of(c, 0), after;
    int i;

    for (i = 0; i < ROWS(bad); i++) {
        ck_assert_msg(rp_admin_member_set(&by, c, "http://a:81", bad[i][0], bad[i][1], &message) == APR_EINVAL, "%s=%s", bad[i][0], bad[i][1]);
        ck_assert_msg(strstr(message, bad[i][2]) != NULL, "%s=%s: %s", bad[i][0], bad[i][1], message);
    }
    after = settings_of(c, 0);
    ck_assert(memcmp(&before, &after, sizeof(before)) == 0);
    ck_assert_int_eq(rp_admin_member_set(&by, c, "http://z", "lbset", "1", &message), APR_NOTFOUND);
    ck_assert_str_eq(message, "balancer://c has no member http://z");
    ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(dry_run_says_and_does_nothing)
{
    const char *name;
    apr_uint64_t changes = c->shm->changes;

    by.dry_run = 1;
    set_ok("http://a:81", "lbset", "3", "lbset 0 -> 3");
    set_ok("http://a:81", "status", "+N", "status=+N");
    ck_assert_int_eq(rp_admin_balancer_set(&by, c, "lbmethod", "bytraffic", &message), APR_SUCCESS);
    ck_assert_str_eq(message, "lbmethod byrequests -> bytraffic");
    ck_assert_int_eq(rp_admin_member_add(&by, c, "http://n:1", 0, NULL, &name, &message), APR_SUCCESS);
    ck_assert_uint_eq(c->shm->changes, changes);
    ck_assert_str_eq(members_now(c), "http://a:81|http://b:82");
    ck_assert_int_eq(settings_of(c, 0).lbset, 0);
    ck_assert_uint_eq(c->members[0].shm->status, RP_ST_INITIALIZED);
    ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(flags_are_switched_each_with_its_origin)
{
    rp_shm_member_t *b = c->members[1].shm;
    rp_live_t *live;

    set_ok("http://b:82", "status", "-D+N", "status=+N-D");
    ck_assert_uint_eq(b->status, RP_ST_INITIALIZED | RP_ST_DRAIN);
    ck_assert_uint_eq(b->status_runtime, RP_ST_DRAIN | RP_ST_DISABLED);
    set_ok("http://b:82", "status", "-D+N", NULL);
    b->lbstatus = 7;
    set_ok("http://b:82", "status", "+E", "status=+E");
    ck_assert(b->status & RP_ST_IN_ERROR && b->error_us > 0);
    b->lbstatus = 7;
    set_ok("http://b:82", "status", "-E", "status=-E");
    ck_assert_int_eq(b->lbstatus, 0); /* it begins anew */
    ck_assert(b->usable_since_us > 0);
    ck_assert_uint_eq(b->status_runtime, RP_ST_DRAIN | RP_ST_DISABLED); /* E is learned */
    live = rp_live_acquire(c);
    ck_assert_int_eq(rp_admin_member_origin(&live->members[1], "status=D"), RP_ORIGIN_RUNTIME);
    ck_assert_int_eq(rp_admin_member_origin(&live->members[1], "status=H"), RP_ORIGIN_CONFIGURATION);
    rp_live_release(live);
    ck_assert_int_eq(rp_admin_member_flags(&by, c, "http://b:82", RP_ST_FREE, 0, &message), APR_EINVAL);
    ck_assert_int_eq(rp_admin_member_flags(&by, c, "http://b:82", RP_ST_DISABLED, RP_ST_DISABLED, &message), APR_EINVAL);
}
END_TEST

START_TEST(reset_goes_back_to_the_configuration)
{
    set_ok("http://b:82", "status", "-D+H", "status=-D+H");
    set_ok("http://b:82", "lbset", "4", "lbset 0 -> 4");
    ck_assert_int_eq(rp_admin_member_reset(&by, c, "http://b:82", &message), APR_SUCCESS);
    ck_assert_str_eq(message, "as configured");
    ck_assert_uint_eq(c->members[1].shm->status, RP_ST_INITIALIZED | RP_ST_DISABLED);
    ck_assert_uint_eq(c->members[1].shm->status_runtime, 0);
    ck_assert_int_eq(settings_of(c, 1).lbset, 0);
    ck_assert_uint_eq(settings_of(c, 1).runtime, 0);
    ck_assert_int_eq(rp_admin_member_reset(&by, c, "http://b:82", &message), APR_SUCCESS);
    ck_assert_ptr_null(message);
}
END_TEST

START_TEST(balancer_settings)
{
    static const char *const good[][3] = {
        {"lbmethod", "bytraffic", "lbmethod byrequests -> bytraffic"},
        {"stickysession", "X|y", "stickysession SID -> X|y"},
        {"stickysession", "-", "stickysession X|y -> none"},
        {"stickysessionsep", "Off", "stickysessionsep . -> Off"},
        {"nofailover", "on", "nofailover Off -> On"},
        {"timeout", "2", "timeout 0 -> 2"},
        {"timeout", "0", "timeout 2 -> 0"},
        {"maxattempts", "0", "maxattempts members less one -> 0"},
        {"failonstatus", "500,503", "failonstatus none -> 500,503"},
        {"failonstatus", "", "failonstatus 500,503 -> none"},
        {"forcerecovery", "Off", "forcerecovery On -> Off"}};
    static const char *const bad[][3] = {{"lbmethod", "best", "byrequests, bytraffic"}, {"maxattempts", "-1", "0 to"},
                                         {"failonstatus", "99", "100 to 599"},          {"nofailover", "2", "On or Off"},
                                         {"growth", "5", "can not be changed"},         {"timeout", "-1", "timeout"},
                                         {"nonce", "x", "can not be changed"}};
    rp_live_t *live;
    int i;

    for (i = 0; i < ROWS(good); i++) {
        ck_assert_int_eq(rp_admin_balancer_set(&by, c, good[i][0], good[i][1], &message), APR_SUCCESS);
        ck_assert_str_eq(message, good[i][2]);
    }
    for (i = 0; i < ROWS(bad); i++) {
        ck_assert_int_eq(rp_admin_balancer_set(&by, c, bad[i][0], bad[i][1], &message), APR_EINVAL);
        ck_assert_msg(strstr(message, bad[i][2]) != NULL, "%s: %s", bad[i][0], message);
    }
    live = rp_live_acquire(c);
    ck_assert_ptr_eq(live->method, &rp_lb_bytraffic);
    ck_assert_int_eq(live->method_wants_counts, 1);
    ck_assert_ptr_null(live->stickysession);
    ck_assert_int_eq(rp_admin_balancer_origin(live, "lbmethod"), RP_ORIGIN_RUNTIME);
    ck_assert_int_eq(rp_admin_balancer_origin(live, "failontimeout"), RP_ORIGIN_CONFIGURATION);
    rp_live_release(live);
    ck_assert_ptr_eq((live = rp_live_acquire(d))->method, &rp_lb_byrequests);
    rp_live_release(live);
}
END_TEST

/* ---- members come and go ---- */

static apr_status_t add(const char *url)
{
    const char *name;

    return rp_admin_member_add(&by, c, url, RP_ST_DISABLED, NULL, &name, &message);
}

START_TEST(a_member_is_added_and_removed)
{
    static const char *const params[] = {"loadfactor", "3", "route", "rn", "status", "-D", NULL};
    const char *name;
    rp_live_t *live;

    ck_assert_int_eq(rp_admin_places_free(c), 2);
    ck_assert_int_eq(rp_admin_member_add(&by, c, "HTTP://N:80/", RP_ST_DISABLED, params, &name, &message), APR_SUCCESS);
    ck_assert_str_eq(name, "http://n/");
    ck_assert_str_eq(members_now(c), "http://a:81|http://b:82|http://n/");
    live = rp_live_acquire(c);
    ck_assert_int_eq(live->views[2].lb.weight_x100, 300);
    ck_assert_str_eq(live->views[2].route, "rn");
    ck_assert_uint_eq(live->members[2].slot->shm->status, RP_ST_INITIALIZED);
    ck_assert_int_eq(rp_admin_member_origin(&live->members[2], "lbset"), RP_ORIGIN_RUNTIME);
    rp_live_release(live);
    ck_assert_int_eq(rp_admin_places_free(c), 1);
    ck_assert_int_eq(rp_admin_member_remove(&by, c, "http://n/", &message), APR_SUCCESS);
    ck_assert_str_eq(members_now(c), "http://a:81|http://b:82");
    ck_assert_int_eq(rp_admin_member_remove(&by, c, "http://n/", &message), APR_NOTFOUND);
    ck_assert_int_eq(rp_admin_member_remove(&by, c, "http://a:81", &message), APR_EACCES);
    ck_assert(strstr(message, "test.conf:1") != NULL);
    ck_assert(strstr(logged, "http://n/: added (test)\n") != NULL && strstr(logged, "http://n/: removed (test)\n") != NULL);
}
END_TEST

START_TEST(what_can_not_be_added)
{
    static const char *const bad[] = {"n", "http://", "http://h:99999", "unix:/s|http://h", "http://a b/", ""};
    static const char *const params[] = {"loadfactor", "0", NULL};
    const char *name;
    int i;

    for (i = 0; i < ROWS(bad); i++) {
        ck_assert_msg(add(bad[i]) == APR_EINVAL && strncmp(message, "url: ", 5) == 0, "%s", bad[i]);
    }
    ck_assert_int_eq(rp_admin_member_add(&by, c, "http://n:1", 0, params, &name, &message), APR_EINVAL);
    ck_assert(strstr(message, "loadfactor") != NULL);
    ck_assert_int_eq(add("http://A:81"), APR_EEXIST);
    ck_assert_int_eq(add("http://n:1"), APR_SUCCESS);
    ck_assert_int_eq(add("http://n:1"), APR_EEXIST);
    ck_assert_int_eq(add("http://n:2"), APR_SUCCESS);
    ck_assert_int_eq(add("http://n:3"), APR_ENOSPC);
    ck_assert(strstr(message, "growth=2") != NULL);
    by.allow_unix = 1;
    ck_assert_int_eq(add("unix:/s|http://h"), APR_ENOSPC);
}
END_TEST

START_TEST(a_place_is_free_when_nobody_uses_it_any_more)
{
    rp_member_t *m = &c->members[2];
    rp_live_t *old;

    ck_assert_int_eq(add("http://n:1"), APR_SUCCESS);
    ck_assert_int_eq(add("http://n:2"), APR_SUCCESS);
    m->shm->elected = 9;
    old = rp_live_acquire(c);
    rp_shared_busy(m, 1); /* a request is under way to it */
    ck_assert_int_eq(rp_admin_member_remove(&by, c, "http://n:1", &message), APR_SUCCESS);
    ck_assert_uint_ne(m->shm->lease, old->members[2].incarnation); /* who still has the old view sees that it left */
    ck_assert_int_eq(add("http://n:3"), APR_ENOSPC);
    rp_shared_busy(m, -1);
    ck_assert_int_eq(add("http://n:3"), APR_SUCCESS);
    ck_assert_uint_ne(m->shm->lease, old->members[2].incarnation);
    ck_assert_uint_eq(m->shm->elected, 0);
    ck_assert_str_eq(old->members[2].worker->name, "http://n:1"); /* and keeps its worker */
    rp_live_release(old);
    ck_assert_str_eq(members_now(c), "http://a:81|http://b:82|http://n:3|http://n:2");
}
END_TEST

START_TEST(a_member_that_comes_back_finds_its_worker)
{
    rp_worker_t *first;
    rp_live_t *live;

    ck_assert_int_eq(add("http://n:1"), APR_SUCCESS);
    live = rp_live_acquire(c);
    first = live->members[2].worker;
    rp_live_release(live);
    ck_assert_int_eq(rp_admin_member_remove(&by, c, "http://n:1", &message), APR_SUCCESS);
    ck_assert_int_eq(add("http://n:1"), APR_SUCCESS);
    live = rp_live_acquire(c);
    ck_assert_ptr_eq(live->members[2].worker, first);
    rp_live_release(live);
}
END_TEST

START_TEST(versions_are_used_again)
{
    rp_live_t *held = rp_live_acquire(c), *live;
    char set[16];
    int i, n = 0;

    for (i = 1; i <= 60; i++) {
        snprintf(set, sizeof(set), "%d", i);
        set_ok("http://a:81", "lbset", set, apr_psprintf(pool, "lbset %d -> %d", i - 1, i));
        live = rp_live_acquire(c);
        ck_assert_int_eq(live->views[0].lbset, i);
        rp_live_release(live);
    }
    ck_assert_int_eq(held->views[0].lbset, 0);
    rp_live_release(held);
    for (live = c->lives; live != NULL; live = live->next) {
        n++;
    }
    ck_assert_int_le(n, 3);
}
END_TEST

/* ---- many threads ---- */

#define READERS 6
#define CHANGES 3000
static int stop, torn, rounds;

/* As a request: takes what holds, claims a member if it is still that one, and leaves it. */
static void *requests(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        rp_live_t *live = rp_live_acquire(c);
        int i;

        for (i = 0; i < live->n; i++) {
            const rp_live_member_t *m = &live->members[i];

            if (strcmp(m->worker->name, m->settings.url) != 0 || (i == 0 && live->views[0].lbset != m->settings.weight_x100 / 100 - 1)) {
                __atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
            }
            rp_shared_busy(m->slot, 1);
            if (__atomic_load_n(&m->slot->shm->lease, __ATOMIC_SEQ_CST) == m->incarnation) {
                __atomic_fetch_add(&m->slot->shm->elected, 1, __ATOMIC_RELAXED);
            }
            rp_shared_busy(m->slot, -1);
        }
        rp_live_release(live);
        __atomic_fetch_add(&rounds, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

START_TEST(requests_and_changes_at_once)
{
    pthread_t t[READERS];
    rp_member_settings_t s;
    int i;

    set_ok("http://a:81", "loadfactor", "1", NULL);
    for (i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_create(&t[i], NULL, requests, NULL), 0);
    }
    for (i = 0; i < CHANGES; i++) {
        apr_pool_t *p;

        ck_assert_int_eq(apr_pool_create(&p, pool), APR_SUCCESS);
        by.pool = p;
        /* two values that belong together: one write */
        ck_assert_int_eq(rp_shared_lock(), APR_SUCCESS);
        ck_assert_int_eq(rp_shm_member_read(c->members[0].shm, &s), APR_SUCCESS);
        s.lbset = i % 90;
        s.weight_x100 = (s.lbset + 1) * 100;
        rp_shm_member_write(c->members[0].shm, &s);
        rp_shared_changed(c);
        rp_shared_unlock();
        if (i % 2 == 0) {
            (void)add(i % 4 ? "http://n:1" : "http://n:2");
        }
        else {
            (void)rp_admin_member_remove(&by, c, i % 4 == 1 ? "http://n:2" : "http://n:1", &message);
        }
        apr_pool_destroy(p);
    }
    while (__atomic_load_n(&rounds, __ATOMIC_RELAXED) < 1000) {
        (void)sched_yield();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    }
    ck_assert_int_eq(torn, 0);
    for (i = 0; i < c->nslots; i++) {
        ck_assert_uint_eq(rp_shared_busy_of(&c->members[i]), 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("admin");
    TCase *tc = tcase_create("admin");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, member_setting_is_seen_and_said_to_be_of_run_time);
    tcase_add_test(tc, check_settings_can_be_taken_back_and_are_as_long_as_in_the_configuration);
    tcase_add_test(tc, bad_values_name_field_value_and_range);
    tcase_add_test(tc, dry_run_says_and_does_nothing);
    tcase_add_test(tc, flags_are_switched_each_with_its_origin);
    tcase_add_test(tc, reset_goes_back_to_the_configuration);
    tcase_add_test(tc, balancer_settings);
    tcase_add_test(tc, a_member_is_added_and_removed);
    tcase_add_test(tc, what_can_not_be_added);
    tcase_add_test(tc, a_place_is_free_when_nobody_uses_it_any_more);
    tcase_add_test(tc, a_member_that_comes_back_finds_its_worker);
    tcase_add_test(tc, versions_are_used_again);
    tcase_add_test(tc, requests_and_changes_at_once);
    return suite_main(s);
}
