/* SPDX-License-Identifier: Apache-2.0 */
/* What results of health checks mean, when checks are due, and what they ask. */
#include <string.h>

#include "../pool_case.h"
#include "balancer/health.h"

#define C RP_ST_HC_FAIL
#define E RP_ST_IN_ERROR
#define D RP_ST_DISABLED

/* One member's life: each letter is a check, '+' good, '-' bad; 'e' a request puts it in error, 'r' its retry time is over. Behind each
 * check a letter of `want`: '.' nothing changed, 'O' out, 'B' back. */
typedef struct life_t {
    int passes, fails;
    rp_health_init_e init;
    unsigned status;
    const char *events, *want;
    unsigned end;
} life_t;

static const life_t lives[] = {
    {1, 1, RP_HEALTH_INIT_UP, 0, "++++", "....", 0},
    {1, 1, RP_HEALTH_INIT_UP, 0, "-+-+", "OBOB", 0},
    {1, 1, RP_HEALTH_INIT_UP, 0, "-", "O", C},
    {0, 0, RP_HEALTH_INIT_UP, 0, "-+", "OB", 0},
    {-1, -1, RP_HEALTH_INIT_UP, 0, "-+", "OB", 0},
    {2, 3, RP_HEALTH_INIT_UP, 0, "---++", "..O.B", 0},
    {2, 3, RP_HEALTH_INIT_UP, 0, "-----", "..O..", C},
    /* a result of the other kind begins anew */
    {2, 3, RP_HEALTH_INIT_UP, 0, "--+--+--+", ".........", 0},
    {2, 3, RP_HEALTH_INIT_UP, 0, "---+-+-++", "..O.....B", 0},
    {1, 2, RP_HEALTH_INIT_UP, 0, "--+--", ".OB.O", C},
    /* in error by requests: good checks in a row since then bring it back */
    {1, 1, RP_HEALTH_INIT_UP, E, "+", "B", 0},
    {2, 3, RP_HEALTH_INIT_UP, 0, "++++e++", ".....B", 0},
    {3, 3, RP_HEALTH_INIT_UP, 0, "++e+-+++", "......B", 0},
    /* bad ones keep it out beyond its retry time */
    {2, 2, RP_HEALTH_INIT_UP, E, "--", ".O", C | E},
    {2, 2, RP_HEALTH_INIT_UP, E, "--r++", ".O.B", 0},
    {2, 2, RP_HEALTH_INIT_UP, E | C, "++", ".B", 0},
    /* counts of before the error do not bring it back */
    {3, 3, RP_HEALTH_INIT_UP, 0, "+++er+e++", "......", E},
    {3, 3, RP_HEALTH_INIT_UP, 0, "+++er+e+++", "......B", 0},
    {3, 3, RP_HEALTH_INIT_UP, 0, "e+r+e++", "....", E},
    /* hcinit */
    {2, 2, RP_HEALTH_INIT_DOWN, C, "++", ".B", 0},
    {2, 2, RP_HEALTH_INIT_DOWN, C, "-+-++", "O...B", 0},
    {3, 3, RP_HEALTH_INIT_CHECK, C, "+--", "B..", 0},
    {3, 3, RP_HEALTH_INIT_CHECK, C, "-+++", "O..B", 0},
    {3, 3, RP_HEALTH_INIT_CHECK, C, "-----", "O....", C},
    {3, 3, RP_HEALTH_INIT_CHECK, 0, "-", "O", C},
    {1, 3, RP_HEALTH_INIT_CHECK, C, "+---", "B..O", C},
    /* other flags stay */
    {1, 1, RP_HEALTH_INIT_UP, D, "-", "O", D | C},
    {1, 1, RP_HEALTH_INIT_UP, D | C | E, "+", "B", D},
};

START_TEST(results_change_state)
{
    const life_t *l = &lives[_i];
    rp_health_rules_t rules = {l->passes, l->fails, l->init};
    rp_health_counts_t counts = {0};
    unsigned status = l->status;
    const char *want = l->want;
    const char *event;

    for (event = l->events; *event != '\0'; event++) {
        unsigned set = 99, clear = 99;
        rp_health_change_e change;

        if (*event == 'e' || *event == 'r') {
            status = *event == 'e' ? status | E : status & ~(unsigned)E;
            continue;
        }
        change = rp_health_step(&rules, status, *event == '+', &counts, &set, &clear);
        ck_assert_msg(*want == ".OB"[change], "life %d, %s: %c instead of %c", _i, event, ".OB"[change], *want);
        want++;
        ck_assert(change != RP_HEALTH_SAME || (set == 0 && clear == 0));
        ck_assert(change != RP_HEALTH_BACK || set == 0);
        ck_assert(change != RP_HEALTH_OUT || clear == 0);
        status = (status | set) & ~clear;
        ck_assert(counts.passes == 0 || counts.fails == 0);
        ck_assert_int_eq(counts.checked, 1);
    }
    ck_assert_int_eq(*want, '\0');
    ck_assert_uint_eq(status, l->end);
}
END_TEST

START_TEST(counts_are_shown_as_they_are)
{
    rp_health_rules_t rules = {2, 2, RP_HEALTH_INIT_UP};
    rp_health_counts_t counts = {0};
    unsigned set, clear;

    (void)rp_health_step(&rules, 0, 1, &counts, &set, &clear);
    (void)rp_health_step(&rules, 0, 1, &counts, &set, &clear);
    ck_assert_uint_eq(counts.passes, 2);
    (void)rp_health_step(&rules, 0, 0, &counts, &set, &clear);
    ck_assert_uint_eq(counts.passes, 0);
    ck_assert_uint_eq(counts.fails, 1);
    counts.fails = APR_UINT32_MAX;
    (void)rp_health_step(&rules, C, 0, &counts, &set, &clear);
    ck_assert_uint_eq(counts.fails, APR_UINT32_MAX);
}
END_TEST

START_TEST(stopped_members_are_left_alone)
{
    ck_assert(rp_health_checked(RP_HEALTH_GET, RP_ST_INITIALIZED));
    ck_assert(rp_health_checked(RP_HEALTH_TCP, RP_ST_DISABLED));
    ck_assert(rp_health_checked(RP_HEALTH_TCP, RP_ST_DRAIN | C | E));
    ck_assert(!rp_health_checked(RP_HEALTH_NONE, RP_ST_INITIALIZED));
    ck_assert(!rp_health_checked(RP_HEALTH_GET, RP_ST_STOPPED));
    ck_assert(!rp_health_checked(RP_HEALTH_GET, RP_ST_FREE));
}
END_TEST

START_TEST(timeout_has_a_default)
{
    const apr_interval_time_t s = APR_USEC_PER_SEC;

    ck_assert_int_eq(rp_health_timeout(2 * s, 30 * s, s), 2 * s);
    ck_assert_int_eq(rp_health_timeout(90 * s, 30 * s, 60 * s), 90 * s);
    ck_assert_int_eq(rp_health_timeout(-1, 30 * s, 60 * s), 30 * s);
    ck_assert_int_eq(rp_health_timeout(0, 30 * s, 60 * s), 30 * s);
    ck_assert_int_eq(rp_health_timeout(-1, 90 * s, 60 * s), 60 * s);
    ck_assert_int_eq(rp_health_timeout(-1, s, 60 * s), 5 * s);
    ck_assert_int_eq(rp_health_timeout(-1, s, 2 * s), 2 * s);
    ck_assert_int_eq(rp_health_timeout(-1, s, -1), 5 * s);
}
END_TEST

START_TEST(first_checks_are_spread)
{
    const apr_interval_time_t s = APR_USEC_PER_SEC;
    int i;

    for (i = 0; i < 10; i++) {
        ck_assert_int_eq(rp_health_first(10 * s, i, 10, RP_HEALTH_INIT_UP, -1), i * s + s / 2);
    }
    ck_assert_int_eq(rp_health_first(10 * s, 0, 1, RP_HEALTH_INIT_UP, -1), 5 * s);
    ck_assert_int_eq(rp_health_first(10 * s, 12, 10, RP_HEALTH_INIT_UP, -1), 2 * s + s / 2); /* one more than there were */
    ck_assert_int_eq(rp_health_first(10 * s, 0, 0, RP_HEALTH_INIT_UP, -1), 10 * s);
    ck_assert_int_eq(rp_health_first(10 * s, 7, 10, RP_HEALTH_INIT_DOWN, -1), 0);
    ck_assert_int_eq(rp_health_first(10 * s, 7, 10, RP_HEALTH_INIT_CHECK, -1), 0);
    for (i = 0; i < 3; i++) { /* checked before: the rhythm goes on, whatever hcinit says */
        ck_assert_int_eq(rp_health_first(10 * s, 7, 10, (rp_health_init_e)i, 3 * s), 7 * s);
        ck_assert_int_eq(rp_health_first(10 * s, 7, 10, (rp_health_init_e)i, 0), 10 * s);
        ck_assert_int_eq(rp_health_first(10 * s, 7, 10, (rp_health_init_e)i, 10 * s), 0);
        ck_assert_int_eq(rp_health_first(10 * s, 7, 10, (rp_health_init_e)i, 99 * s), 0);
    }
}
END_TEST

static const struct {
    const char *method, *path, *uri, *want;
} targets[] = {
    {"GET", "", NULL, "/"},
    {"GET", NULL, "", "/"},
    {"GET", "", "/status.php", "/status.php"},
    {"GET", "", "status.php", "/status.php"},
    {"GET", "/", "/status.php", "/status.php"},
    {"GET", "/app", "/status.php", "/app/status.php"},
    {"GET", "/app", "status.php", "/app/status.php"},
    {"GET", "/app/", "/status.php", "/app/status.php"},
    {"HEAD11", "/app/", "status.php", "/app/status.php"},
    {"GET", "/app", NULL, "/app"},
    {"GET", "/app/", NULL, "/app/"},
    {"GET", "/app", "?ping", "/app?ping"},
    {"GET", "/app/", "?ping", "/app/?ping"},
    {"GET", "", "?ping", "/?ping"},
    {"OPTIONS", "/app", "/status.php", "*"},
    {"OPTIONS11", "", NULL, "*"},
};

START_TEST(target_has_one_slash)
{
    ck_assert_str_eq(rp_health_target(pool, rp_health_method(targets[_i].method), targets[_i].path, targets[_i].uri), targets[_i].want);
}
END_TEST

START_TEST(words_are_known)
{
    static const char *const words[] = {"NONE", "TCP", "OPTIONS", "HEAD", "GET", "OPTIONS11", "HEAD11", "GET11"};
    static const char *const verbs[] = {NULL, NULL, "OPTIONS", "HEAD", "GET", "OPTIONS", "HEAD", "GET"};
    int i;

    for (i = 0; i < ROWS(words); i++) {
        rp_health_method_e m = rp_health_method(words[i]);

        ck_assert_int_eq(m, i);
        ck_assert_str_eq(rp_health_method_str(m), words[i]);
        ck_assert_pstr_eq(rp_health_verb(m), verbs[i]);
        ck_assert_int_eq(rp_health_http10(m), i >= 2 && i <= 4);
    }
    ck_assert_int_eq(rp_health_method("get11"), RP_HEALTH_GET11);
    ck_assert_int_eq(rp_health_method("PUT"), RP_HEALTH_NONE);
    ck_assert_int_eq(rp_health_method(NULL), RP_HEALTH_NONE);
    ck_assert_str_eq(rp_health_method_str((rp_health_method_e)99), "NONE");
    ck_assert_int_eq(rp_health_init("up"), RP_HEALTH_INIT_UP);
    ck_assert_int_eq(rp_health_init("Down"), RP_HEALTH_INIT_DOWN);
    ck_assert_int_eq(rp_health_init("check"), RP_HEALTH_INIT_CHECK);
    ck_assert_int_eq(rp_health_init(NULL), RP_HEALTH_INIT_UP);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/health");
    TCase *tc = case_new(s, "health");

    tcase_add_loop_test(tc, results_change_state, 0, ROWS(lives));
    tcase_add_test(tc, counts_are_shown_as_they_are);
    tcase_add_test(tc, stopped_members_are_left_alone);
    tcase_add_test(tc, timeout_has_a_default);
    tcase_add_test(tc, first_checks_are_spread);
    tcase_add_loop_test(tc, target_has_one_slash, 0, ROWS(targets));
    tcase_add_test(tc, words_are_known);
    return suite_main(s);
}
