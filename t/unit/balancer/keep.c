/* SPDX-License-Identifier: Apache-2.0 */
/* What goes from one generation to the next: overrides while the configuration says the same, counters and errors always. */
#include "balancer_unit.h"

#include "balancer/admin.h"

static rp_balancer_t *b;
static apr_pool_t *process;
static rp_admin_t by;
static const char *message;

static const char *const lines[] = {"lbmethod=byrequests", "http://a:81", "loadfactor=2", "route=ra", "http://b:82", "hcmethod=GET", NULL};

static void begin(const char *const *config, int growth)
{
    generation_begin();
    b = balancer_add("balancer://c", growth, config);
    generation_run();
}

static void setup(void)
{
    pool_setup();
    process = pool;
    world_persist = -1;
    begin(lines, 2);
    child_begin();
    memset(&by, 0, sizeof(by));
    by.pool = pool;
    by.server = &world_server;
    by.actor = "test";
}

/* The next generation has this configuration. */
static void restart(const char *const *config, int growth)
{
    rp_keep_store(process, world, 1);
    begin(config, growth);
    ck_assert_ptr_nonnull(rp_keep_get(process));
    rp_keep_apply(pool, &world_server, &world_core, rp_keep_get(process), &world_map, world);
    child_begin();
}

static rp_member_settings_t settings_of(int place)
{
    rp_member_settings_t s;

    ck_assert_int_eq(rp_shm_member_read(b->members[place].shm, &s), APR_SUCCESS);
    return s;
}

static void set(const char *member, const char *key, const char *value)
{
    ck_assert_int_eq(rp_admin_member_set(&by, b, member, key, value, &message), APR_SUCCESS);
}

START_TEST(counters_and_learned_state_go_on)
{
    rp_shm_member_t *m = b->members[0].shm;

    m->elected = 1;
    m->sent = 2;
    m->received = 3;
    m->failed = 4;
    m->responses[4] = 5;
    m->times[2].count[3] = 6;
    m->lbstatus = -7;
    m->status |= RP_ST_IN_ERROR;
    m->error_us = 12345;
    m->retries = 2;
    m->error_why = RP_WHY_TIMEOUT;
    b->shm->forced_recoveries = 8;
    rp_shared_event(b, &b->members[0], "an event");
    restart(lines, 2);
    m = b->members[0].shm;
    ck_assert(m->elected == 1 && m->sent == 2 && m->received == 3 && m->failed == 4 && m->responses[4] == 5 && m->times[2].count[3] == 6);
    ck_assert_int_eq(m->lbstatus, -7);
    ck_assert_uint_eq(m->status, RP_ST_INITIALIZED | RP_ST_IN_ERROR);
    ck_assert(m->error_us == 12345 && m->retries == 2 && m->error_why == RP_WHY_TIMEOUT);
    ck_assert_uint_eq(b->shm->forced_recoveries, 8);
    ck_assert_uint_eq(world_map.header->events, 1);
    ck_assert_str_eq(world_map.events[0].text, "an event");
    ck_assert_uint_eq(b->members[1].shm->elected, 0);
    ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(overrides_stay_while_the_configuration_says_the_same)
{
    set("http://a:81", "loadfactor", "5");
    set("http://a:81", "status", "+N");
    ck_assert_int_eq(rp_admin_balancer_set(&by, b, "lbmethod", "bytraffic", &message), APR_SUCCESS);
    restart(lines, 2);
    ck_assert_int_eq(settings_of(0).weight_x100, 500);
    ck_assert_str_eq(settings_of(0).route, "ra");
    ck_assert_uint_eq(settings_of(0).runtime, 1u << RP_MF_WEIGHT);
    ck_assert_uint_eq(b->members[0].shm->status, RP_ST_INITIALIZED | RP_ST_DRAIN);
    ck_assert_uint_eq(b->members[0].shm->status_runtime, RP_ST_DRAIN);
    ck_assert_str_eq(settings_of(0).changed_why, "test");
    ck_assert_str_eq(logged, "RP0716: balancer://c: lbmethod=bytraffic, set at run time (test), is kept\n"
                             "RP0716: balancer://c: member http://a:81: loadfactor=5.00, set at run time (test), is kept\n"
                             "RP0716: balancer://c: member http://a:81: status=+N, set at run time (test), is kept\n");
    restart(lines, 2); /* and once more */
    ck_assert_int_eq(settings_of(0).weight_x100, 500);
    ck_assert_uint_eq(b->members[0].shm->status, RP_ST_INITIALIZED | RP_ST_DRAIN);
}
END_TEST

START_TEST(a_changed_configuration_wins)
{
    static const char *const changed[] = {"lbmethod=bybusyness", "http://a:81", "loadfactor=3", "route=ra", "status=+N", "http://b:82", NULL};

    set("http://a:81", "loadfactor", "5");
    set("http://a:81", "lbset", "9");
    set("http://a:81", "status", "+N+D");
    set("http://a:81", "status", "-N");
    ck_assert_int_eq(rp_admin_balancer_set(&by, b, "lbmethod", "bytraffic", &message), APR_SUCCESS);
    restart(changed, 2);
    ck_assert_int_eq(settings_of(0).weight_x100, 300);
    ck_assert_int_eq(settings_of(0).lbset, 9); /* of that it says nothing new */
    ck_assert_uint_eq(b->members[0].shm->status, RP_ST_INITIALIZED | RP_ST_DRAIN | RP_ST_DISABLED);
    ck_assert_uint_eq(b->members[0].shm->status_runtime, RP_ST_DISABLED);
    ck_assert(strstr(logged, "RP0717: balancer://c: lbmethod=bytraffic, set at run time, gives way to test.conf:1, where it was changed\n"));
    ck_assert(strstr(logged, "RP0717: balancer://c: member http://a:81: loadfactor=5.00, set at run time, gives way to test.conf:1"));
    ck_assert(strstr(logged, "RP0717: balancer://c: member http://a:81: status=-N, set at run time, gives way to test.conf:1"));
    ck_assert(strstr(logged, "RP0716: balancer://c: member http://a:81: lbset=9"));
}
END_TEST

START_TEST(a_failed_check_is_kept_only_where_checks_go_on)
{
    static const char *const unchecked[] = {"http://a:81", "http://b:82", NULL};

    b->members[1].shm->status |= RP_ST_HC_FAIL;
    restart(lines, 2);
    ck_assert_uint_eq(b->members[1].shm->status, RP_ST_INITIALIZED | RP_ST_HC_FAIL);
    restart(unchecked, 2);
    ck_assert_uint_eq(b->members[1].shm->status, RP_ST_INITIALIZED);
}
END_TEST

START_TEST(added_members_come_along_while_there_is_room)
{
    static const char *const now_configured[] = {"http://n:2", "http://a:81", NULL};
    const char *name;

    ck_assert_int_eq(rp_admin_member_add(&by, b, "http://n:1", 0, NULL, &name, &message), APR_SUCCESS);
    ck_assert_int_eq(rp_admin_member_add(&by, b, "http://n:2", RP_ST_DISABLED, NULL, &name, &message), APR_SUCCESS);
    ck_assert_int_eq(rp_admin_member_remove(&by, b, "http://n:1", &message), APR_SUCCESS);
    b->members[3].shm->elected = 44;
    restart(lines, 1);
    ck_assert_str_eq(members_now(b), "http://a:81|http://b:82|http://n:2");
    ck_assert_uint_eq(b->members[2].shm->elected, 44);
    ck_assert_uint_eq(b->members[2].shm->status, RP_ST_INITIALIZED | RP_ST_DISABLED);
    ck_assert(strstr(logged, "RP0716: balancer://c: member http://n:2, set at run time (test), is kept\n"));
    restart(now_configured, 0);
    ck_assert_str_eq(members_now(b), "http://n:2|http://a:81");
    ck_assert_uint_eq(b->members[0].shm->elected, 44);
    ck_assert_uint_eq(b->members[0].shm->status, RP_ST_INITIALIZED);
    ck_assert_uint_eq(settings_of(0).added, 0);
    ck_assert_str_eq(logged, "RP0717: balancer://c: member http://n:2, set at run time, gives way to test.conf:1, where it was changed\n");
}
END_TEST

START_TEST(added_members_without_room_are_named)
{
    const char *name;

    ck_assert_int_eq(rp_admin_member_add(&by, b, "http://n:1", 0, NULL, &name, &message), APR_SUCCESS);
    restart(lines, 0);
    ck_assert_str_eq(members_now(b), "http://a:81|http://b:82");
    ck_assert(strstr(logged, "RP0718: balancer://c: the member http://n:1 that was added at run time is gone"));
}
END_TEST

START_TEST(persist_off_forgets_everything)
{
    b->members[0].shm->elected = 3;
    set("http://a:81", "loadfactor", "5");
    world_persist = 0;
    restart(lines, 2);
    ck_assert_int_eq(settings_of(0).weight_x100, 200);
    ck_assert_uint_eq(b->members[0].shm->elected, 0);
    ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(two_definitions_of_one_name_never_share)
{
    static const char *const one[] = {"http://a:81", NULL};
    rp_balancer_t *other;

    generation_begin();
    b = balancer_add("balancer://c", 0, one);
    other = balancer_add("balancer://c", 0, one); /* of a virtual host with the same name and port */
    generation_run();
    ck_assert_str_ne(b->key, other->key);
    b->members[0].shm->elected = 1;
    other->members[0].shm->elected = 2;
    rp_keep_store(process, world, 1);
    generation_begin();
    b = balancer_add("balancer://c", 0, one);
    other = balancer_add("balancer://c", 0, one);
    generation_run();
    rp_keep_apply(pool, &world_server, &world_core, rp_keep_get(process), &world_map, world);
    ck_assert_uint_eq(b->members[0].shm->elected, 1);
    ck_assert_uint_eq(other->members[0].shm->elected, 2);
}
END_TEST

START_TEST(what_is_dropped_is_gone)
{
    rp_keep_store(process, world, 1);
    rp_keep_drop(process);
    ck_assert_ptr_null(rp_keep_get(process));
    rp_keep_drop(process);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keep");
    TCase *tc = tcase_create("keep");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, counters_and_learned_state_go_on);
    tcase_add_test(tc, overrides_stay_while_the_configuration_says_the_same);
    tcase_add_test(tc, a_changed_configuration_wins);
    tcase_add_test(tc, a_failed_check_is_kept_only_where_checks_go_on);
    tcase_add_test(tc, added_members_come_along_while_there_is_room);
    tcase_add_test(tc, added_members_without_room_are_named);
    tcase_add_test(tc, persist_off_forgets_everything);
    tcase_add_test(tc, two_definitions_of_one_name_never_share);
    tcase_add_test(tc, what_is_dropped_is_gone);
    return suite_main(s);
}
