/* SPDX-License-Identifier: Apache-2.0 */
/* Which old process gives its place back. */
#include "../pool_case.h"

#include "engine/slots.h"

static int must_go(const rp_slot_t *slots, int n, int mine)
{
    int nfree = -1;
    int go = rp_slots_must_go(slots, n, mine, &nfree);
    int want = 0, i;

    for (i = 0; i < n; i++) {
        want += !slots[i].used;
    }
    ck_assert_int_eq(nfree, want);
    return go;
}

START_TEST(nobody_goes_while_two_places_are_free)
{
    const rp_slot_t slots[] = {{1, 0, 1}, {1, 1, 0}, {0, 0, 0}, {0, 5, 1}};

    ck_assert_int_eq(must_go(slots, 4, 0), 0);
    ck_assert_int_eq(must_go(slots, 4, 1), 0);
}
END_TEST

START_TEST(the_oldest_generation_goes_first)
{
    const rp_slot_t slots[] = {{1, 3, 0}, {1, 2, 1}, {1, 1, 1}, {0, 0, 0}};

    ck_assert_int_eq(must_go(slots, 4, 0), 0);
    ck_assert_int_eq(must_go(slots, 4, 1), 0);
    ck_assert_int_eq(must_go(slots, 4, 2), 1);
}
END_TEST

START_TEST(no_more_go_than_needed)
{
    const rp_slot_t slots[] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 2, 0}};

    ck_assert_int_eq(must_go(slots, 4, 0), 1);
    ck_assert_int_eq(must_go(slots, 4, 1), 1);
    ck_assert_int_eq(must_go(slots, 4, 2), 0);
    ck_assert_int_eq(must_go(slots, 4, 3), 0);
}
END_TEST

START_TEST(as_many_stay_free_as_a_restart_starts)
{
    rp_slot_t slots[16] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
    int i;

    for (i = 3; i < 6; i++) {
        slots[i].used = 1;
        slots[i].generation = 2;
    }
    for (i = 6; i < 14; i++) { /* older ones, so that two places are free: one is missing */
        slots[i].used = 1;
    }
    ck_assert_int_eq(must_go(slots, 16, 6), 1);
    ck_assert_int_eq(must_go(slots, 16, 7), 0);
    for (i = 0; i < 3; i++) { /* twice as many serve: a quarter of all places is the most */
        slots[i].generation = 2;
        slots[i].quiescing = 0;
    }
    ck_assert_int_eq(must_go(slots, 16, 7), 1);
    ck_assert_int_eq(must_go(slots, 16, 8), 0);
}
END_TEST

START_TEST(a_process_of_the_newest_generation_that_serves_never_goes)
{
    const rp_slot_t slots[] = {{1, 4, 0}, {1, 4, 1}, {1, 4, 0}};

    ck_assert_int_eq(must_go(slots, 3, 0), 0);
    ck_assert_int_eq(must_go(slots, 3, 1), 1); /* it takes no more connections: a spare one, or at its MaxConnectionsPerChild */
    ck_assert_int_eq(must_go(slots, 3, 2), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slots");
    TCase *tc = case_new(s, "slots");

    tcase_add_test(tc, nobody_goes_while_two_places_are_free);
    tcase_add_test(tc, the_oldest_generation_goes_first);
    tcase_add_test(tc, no_more_go_than_needed);
    tcase_add_test(tc, as_many_stay_free_as_a_restart_starts);
    tcase_add_test(tc, a_process_of_the_newest_generation_that_serves_never_goes);
    return suite_main(s);
}
