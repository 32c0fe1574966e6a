/* SPDX-License-Identifier: Apache-2.0 */
/* Selection: sequences of the methods, the walk over sets, spares, standbys, sessions. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/lbmethods.h"
#include "balancer/select.h"

#define OK_ST RP_ST_INITIALIZED

static rp_member_view_t members[8];
static rp_balancer_view_t view;
static rproxy_lbcontext_t context;

static void setup(void)
{
    int i;

    memset(members, 0, sizeof(members));
    for (i = 0; i < 8; i++) {
        members[i].status = OK_ST;
        members[i].lb.index = i;
        members[i].lb.weight_x100 = 100;
        members[i].retry_us = 60 * APR_USEC_PER_SEC;
    }
    view.members = members;
    view.n = 3;
    view.now_us = 1000 * APR_USEC_PER_SEC;
}

static void apply(const rp_choice_t *c)
{
    int i;

    for (i = 0; i < c->ncandidates; i++) {
        members[c->candidates[i]].lb.lbstatus += c->lbstatus_delta[i];
    }
}

/* n choices as letters. */
static const char *sequence(const rproxy_lbmethod_t *m, int n)
{
    static char out[64];
    int i;

    memset(out, 0, sizeof(out));
    for (i = 0; i < n; i++) {
        rp_choice_t c;
        rp_select(&view, m, &context, &c);
        out[i] = c.member < 0 ? '-' : (char)('A' + c.member);
        apply(&c);
    }
    return out;
}

START_TEST(byrequests_equal_weights_take_turns)
{
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 9), "ABCABCABC");
}
END_TEST

START_TEST(byrequests_one_four_one)
{
    members[1].lb.weight_x100 = 400;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 12), "BABBCBBABBCB");
}
END_TEST

START_TEST(byrequests_fraction_of_weight)
{
    view.n = 2;
    members[0].lb.weight_x100 = 250;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 7), "ABAAABA");
}
END_TEST

START_TEST(bybusyness_takes_the_least_busy_then_the_richest)
{
    members[0].lb.busy = 2;
    members[1].lb.busy = 1;
    members[2].lb.busy = 1;
    ck_assert_str_eq(sequence(&rp_lb_bybusyness, 4), "BCBC");
    members[0].lb.busy = 0;
    ck_assert_str_eq(sequence(&rp_lb_bybusyness, 2), "AA");
}
END_TEST

START_TEST(bytraffic_counts_bytes_by_weight)
{
    members[0].lb.sent = 1000;
    members[1].lb.received = 3000;
    members[1].lb.weight_x100 = 400;
    members[2].lb.sent = 1000;
    ck_assert_str_eq(sequence(&rp_lb_bytraffic, 1), "B");
    members[1].lb.received = 5000;
    ck_assert_str_eq(sequence(&rp_lb_bytraffic, 1), "A");
}
END_TEST

START_TEST(unusable_members_are_left_out)
{
    static const unsigned flags[] = {RP_ST_DISABLED, RP_ST_STOPPED, RP_ST_HC_FAIL, RP_ST_IN_SHUTDOWN, RP_ST_DRAIN};
    size_t i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        setup();
        members[1].status |= flags[i];
        ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "ACAC");
    }
    setup();
    members[1].status = 0; /* not initialised */
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "ACAC");
    setup();
    members[1].tried = 1;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "ACAC");
}
END_TEST

START_TEST(error_lasts_for_retry_and_is_ignored_with_I)
{
    members[1].status |= RP_ST_IN_ERROR;
    members[1].error_us = view.now_us - 59 * APR_USEC_PER_SEC;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 2), "AC");
    setup();
    members[1].status |= RP_ST_IN_ERROR;
    members[1].error_us = view.now_us - 61 * APR_USEC_PER_SEC;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 3), "ABC");
    setup();
    members[1].status |= RP_ST_IN_ERROR | RP_ST_IGNORE_ERRORS;
    members[1].error_us = view.now_us;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 3), "ABC");
    setup();
    members[1].status |= RP_ST_IN_ERROR;
    members[1].error_us = view.now_us - 1;
    members[1].retry_us = 0;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 3), "ABC");
    setup();
    members[1].status |= RP_ST_IN_ERROR; /* by the configuration; the clock may have begun a moment ago */
    view.now_us = APR_USEC_PER_SEC;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 3), "ABC");
}
END_TEST

START_TEST(a_spare_joins_for_each_unusable_member)
{
    view.n = 4;
    members[1].status |= RP_ST_DISABLED;
    members[2].status |= RP_ST_HOT_SPARE;
    members[3].status |= RP_ST_HOT_STANDBY;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "ACAC");
    setup();
    view.n = 4;
    members[2].status |= RP_ST_HOT_SPARE;
    members[3].status |= RP_ST_HOT_SPARE;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "ABAB");
    members[0].status |= RP_ST_IN_ERROR;
    members[0].error_us = view.now_us;
    members[0].lb.lbstatus = members[1].lb.lbstatus = 0;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "BCBC");
}
END_TEST

START_TEST(standbys_come_only_when_nobody_else_can)
{
    members[1].status |= RP_ST_HOT_STANDBY;
    members[2].status |= RP_ST_HOT_STANDBY;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 2), "AA");
    members[0].status |= RP_ST_STOPPED;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "BCBC");
}
END_TEST

START_TEST(sets_are_tried_in_ascending_order)
{
    view.n = 4;
    members[0].lbset = 7;
    members[1].lbset = 2;
    members[2].lbset = 2;
    members[3].lbset = 0;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 2), "DD");
    members[3].status |= RP_ST_DISABLED;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 4), "BCBC");
    members[1].status |= RP_ST_DISABLED;
    members[2].status |= RP_ST_DISABLED;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 2), "AA");
    members[0].status |= RP_ST_DISABLED;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 1), "-");
}
END_TEST

START_TEST(no_members_no_choice)
{
    view.n = 0;
    ck_assert_str_eq(sequence(&rp_lb_byrequests, 1), "-");
    ck_assert(!rp_all_in_error(&view));
}
END_TEST

START_TEST(route_finds_its_member_and_charges_it)
{
    rp_choice_t c;
    int redirected;

    members[1].route = "b";
    members[1].status |= RP_ST_DRAIN; /* sessions go on */
    ck_assert_int_eq(rp_select_route(&view, "b", &c, &redirected), RP_ROUTE_FOUND);
    ck_assert_int_eq(c.member, 1);
    ck_assert_int_eq(redirected, 0);
    apply(&c);
    ck_assert_int_eq(members[0].lb.lbstatus, 100);
    ck_assert_int_eq(members[1].lb.lbstatus, -200);
    ck_assert_int_eq(rp_select_route(&view, "x", &c, &redirected), RP_ROUTE_NONE);
    ck_assert_int_eq(rp_select_route(&view, "", &c, &redirected), RP_ROUTE_NONE);
}
END_TEST

START_TEST(route_follows_redirects_but_not_for_ever)
{
    rp_choice_t c;
    int redirected;

    members[0].route = "a";
    members[1].route = "b";
    members[0].status |= RP_ST_DISABLED;
    ck_assert_int_eq(rp_select_route(&view, "a", &c, &redirected), RP_ROUTE_UNUSABLE);
    members[0].redirect = "b";
    ck_assert_int_eq(rp_select_route(&view, "a", &c, &redirected), RP_ROUTE_FOUND);
    ck_assert_int_eq(c.member, 1);
    ck_assert_int_eq(redirected, 1);
    members[1].status |= RP_ST_DISABLED;
    members[1].redirect = "a";
    ck_assert_int_eq(rp_select_route(&view, "a", &c, &redirected), RP_ROUTE_UNUSABLE);
}
END_TEST

START_TEST(standby_with_the_route_comes_second)
{
    rp_choice_t c;
    int redirected;

    members[0].route = members[1].route = "r";
    members[0].status |= RP_ST_HOT_STANDBY;
    ck_assert_int_eq(rp_select_route(&view, "r", &c, &redirected), RP_ROUTE_FOUND);
    ck_assert_int_eq(c.member, 1);
    members[1].status |= RP_ST_STOPPED;
    ck_assert_int_eq(rp_select_route(&view, "r", &c, &redirected), RP_ROUTE_FOUND);
    ck_assert_int_eq(c.member, 0);
}
END_TEST

START_TEST(all_in_error_asks_for_recovery)
{
    int i;

    for (i = 0; i < 3; i++) {
        members[i].status |= RP_ST_IN_ERROR;
        members[i].error_us = view.now_us;
    }
    ck_assert(rp_all_in_error(&view));
    members[0].status = OK_ST; /* it closed the connection of this request */
    ck_assert(!rp_all_in_error(&view));
    members[0].tried = 1;
    ck_assert(rp_all_in_error(&view));
    members[1].status = OK_ST | RP_ST_DISABLED; /* not in error: it is somebody's will */
    ck_assert(!rp_all_in_error(&view));
}
END_TEST

START_TEST(states_in_words)
{
    char text[RP_STATUS_TEXT_MAX];

    rp_status_text(OK_ST, text, sizeof(text));
    ck_assert_str_eq(text, "Init Ok ");
    rp_status_text(OK_ST | RP_ST_DRAIN | RP_ST_HOT_SPARE | RP_ST_HOT_STANDBY, text, sizeof(text));
    ck_assert_str_eq(text, "Init Drn Stby Spar Ok ");
    rp_status_text(OK_ST | RP_ST_IN_ERROR | RP_ST_IGNORE_ERRORS, text, sizeof(text));
    ck_assert_str_eq(text, "Init Ign Err ");
    rp_status_text(0xfff, text, sizeof(text));
    ck_assert_str_eq(text, "Init Ign Drn Gen Shut Dis Stop Err Stby Spar Free HcFl ");
    rp_status_text(0, text, sizeof(text));
    ck_assert_str_eq(text, "??? ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("select");
    TCase *tc = tcase_create("select");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, byrequests_equal_weights_take_turns);
    tcase_add_test(tc, byrequests_one_four_one);
    tcase_add_test(tc, byrequests_fraction_of_weight);
    tcase_add_test(tc, bybusyness_takes_the_least_busy_then_the_richest);
    tcase_add_test(tc, bytraffic_counts_bytes_by_weight);
    tcase_add_test(tc, unusable_members_are_left_out);
    tcase_add_test(tc, error_lasts_for_retry_and_is_ignored_with_I);
    tcase_add_test(tc, a_spare_joins_for_each_unusable_member);
    tcase_add_test(tc, standbys_come_only_when_nobody_else_can);
    tcase_add_test(tc, sets_are_tried_in_ascending_order);
    tcase_add_test(tc, no_members_no_choice);
    tcase_add_test(tc, route_finds_its_member_and_charges_it);
    tcase_add_test(tc, route_follows_redirects_but_not_for_ever);
    tcase_add_test(tc, standby_with_the_route_comes_second);
    tcase_add_test(tc, all_in_error_asks_for_recovery);
    tcase_add_test(tc, states_in_words);
    suite_add_tcase(suite, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
