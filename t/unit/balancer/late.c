/* SPDX-License-Identifier: Apache-2.0 */
/* What children of an earlier generation count: it goes on in the running one, once, and what they show themselves never goes down. */
#include "balancer_unit.h"

#include <unistd.h>

#include "balancer/late.h"

#define THREADS 4
#define EACH 20000

static const char *const lines[] = {"http://a:81", "http://b:82", NULL};
static rp_balancer_t *b;

static void begin(void)
{
    generation_begin();
    b = balancer_add("balancer://c", 0, lines);
    generation_run();
    world_row->pid = (apr_uint32_t)getpid(); /* a child that runs */
}

static void setup(void)
{
    pool_setup();
    begin();
}

static int nobody_forgets(const rp_balancer_t *balancer)
{
    (void)balancer;
    return 0;
}

/* The parent at a restart, in the order of shared.c. @return the member of before */
static rp_shm_member_t *restart(void)
{
    rp_shm_member_t *old = b->members[0].shm;

    rp_keep_store(pool, world, 1);
    rp_late_keep(pool, world_map.header, rp_shm_size(1, 2, 4), &world_map, world);
    begin();
    rp_keep_apply(pool, &world_server, &world_core, rp_keep_get(pool), &world_map, world);
    rp_late_aim(pool, world, nobody_forgets);
    return old;
}

START_TEST(old_child_goes_on_from_what_it_had)
{
    rp_shm_member_t *old = b->members[0].shm, *now;

    old->elected = 5;
    old->times[RP_TIMES_TOTAL].sum_us = 70;
    ck_assert_ptr_eq(restart(), old);
    now = b->members[0].shm;
    ck_assert_uint_eq(old->elected, 5); /* what an old child shows */
    ck_assert_uint_eq(old->times[RP_TIMES_TOTAL].sum_us, 70);
    ck_assert_uint_eq(now->elected, 5);
    old->elected += 2;
    old->times[RP_TIMES_TOTAL].sum_us += 7;
    rp_late_collect();
    rp_late_collect();
    ck_assert_uint_eq(now->elected, 7);
    ck_assert_uint_eq(now->times[RP_TIMES_TOTAL].sum_us, 77);
    ck_assert_uint_eq(old->elected, 7);
    ck_assert_uint_eq(b->members[1].shm->elected, 0);
}
END_TEST

START_TEST(what_comes_before_the_next_is_aimed_at_counts)
{
    rp_shm_member_t *old = b->members[0].shm;

    old->elected = 5;
    rp_keep_store(pool, world, 1);
    old->elected = 6; /* between what is kept and what is late */
    rp_late_keep(pool, world_map.header, rp_shm_size(1, 2, 4), &world_map, world);
    old->elected = 7;
    begin();
    rp_keep_apply(pool, &world_server, &world_core, rp_keep_get(pool), &world_map, world);
    rp_late_aim(pool, world, nobody_forgets);
    ck_assert_uint_eq(b->members[0].shm->elected, 7);
}
END_TEST

START_TEST(generations_in_a_row)
{
    rp_shm_member_t *first, *second;

    b->members[0].shm->elected = 1;
    first = restart();
    first->elected++;
    second = restart();
    first->elected++;
    second->elected++;
    rp_late_collect();
    ck_assert_uint_eq(b->members[0].shm->elected, 4);
    rp_late_collect();
    ck_assert_uint_eq(b->members[0].shm->elected, 4);
    ck_assert_uint_eq(first->elected, 3);
}
END_TEST

static void *count_fn(void *data)
{
    rp_shm_member_t *old = data;
    int i;

    for (i = 0; i < EACH; i++) {
        __atomic_fetch_add(&old->elected, 1, __ATOMIC_RELAXED);
        if (i % 8 == 0) {
            rp_late_collect();
        }
    }
    return NULL;
}

START_TEST(several_collect_at_once)
{
    pthread_t id[THREADS];
    rp_shm_member_t *old;
    int i;

    b->members[0].shm->elected = 3;
    old = restart();
    for (i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&id[i], NULL, count_fn, old), 0);
    }
    for (i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(id[i], NULL), 0);
    }
    rp_late_collect();
    ck_assert_uint_eq(b->members[0].shm->elected, 3 + THREADS * EACH);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/late");
    TCase *tc = tcase_create("late");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, old_child_goes_on_from_what_it_had);
    tcase_add_test(tc, what_comes_before_the_next_is_aimed_at_counts);
    tcase_add_test(tc, generations_in_a_row);
    tcase_add_test(tc, several_collect_at_once);
    return suite_main(s);
}
