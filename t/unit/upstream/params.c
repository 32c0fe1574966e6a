/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences of refusal, and what wins when two sets of parameters meet. */
#include "upstream_unit.h"

#include "upstream/params_int.h"

static rp_worker_params_t p;

static void setup(void)
{
    pool_setup();
    rp_worker_params_init(&p);
}

static void ok(rp_worker_params_t *to, const char *key, const char *value)
{
    const char *err = rp_worker_param_set(pool, to, key, value);

    ck_assert_msg(err == NULL, "%s=%s: %s", key, value, err);
}

static const struct {
    const char *key, *value, *sentence;
} sentences[] = {
    {"ttl", "0",
     "ttl: \"0\" is not a whole number of seconds from 1 to 2147483647; write for example ttl=60"},
    {"TTL", "500ms",
     "ttl: \"500ms\" is not a whole number of seconds from 1 to 2147483647; write for example "
     "ttl=60"},
    {"timeout", "0",
     "timeout: \"0\" is not a time of at least 1 ms (a number of seconds, or with suffix ms, s, mi "
     "or h); "
     "write for example timeout=60"},
    {"acquire", "x",
     "acquire: \"x\" is not a time of at least 1 ms (a number of milliseconds, or with suffix ms, "
     "s, mi or "
     "h); write for example acquire=500ms"},
    {"loadfactor", "0",
     "loadfactor: \"0\" is not a number from 1 to 100, with at most a decimal point; write for "
     "example "
     "loadfactor=1.5"},
    {"keepalive", "yes", "keepalive: \"yes\" is not On or Off; write for example keepalive=On"},
    {"flushpackets", "1",
     "flushpackets: \"1\" is not one of off, on, auto; write for example flushpackets=auto"},
    {"iobuffersize", "1",
     "iobuffersize: \"1\" is not 0 (for 8192) or a whole number of bytes from 512 to 2147483647; "
     "write for "
     "example iobuffersize=8192"},
    {"receivebuffersize", "1",
     "receivebuffersize: \"1\" is not 0 or a whole number of bytes from 512 to 2147483647; write "
     "for "
     "example receivebuffersize=65536"},
    {"max", "-1",
     "max: \"-1\" is not a whole number from 0 to 2147483647; write for example max=100"},
    {"status", "Q",
     "status: \"Q\" is not letters from DSIHRENCOGUF with + or - before them; write for example "
     "status=+H"},
    {"route", "a\nb\"",
     "route: \"a\\x0ab\\x22\" is not a text of at most 63 characters without control characters; "
     "write for "
     "example route=node1"},
    {"maxx", "1", "unknown worker parameter \"maxx\"; did you mean max?"},
    {"keep-alive", "On", "unknown worker parameter \"keep-alive\"; did you mean keepalive?"},
    {"xyzzy\001", "1",
     "unknown worker parameter \"xyzzy\\x01\"; the manual's page on parameters lists them all"},
    {"maxattempts", "1",
     "maxattempts is a parameter of a balancer, not of a worker; write it on the ProxyPass line or "
     "in a "
     "ProxySet of the balancer:// URL"},
};

START_TEST(sentence_names_key_value_range_and_next_step)
{
    const char *err = rp_worker_param_set(pool, &p, sentences[_i].key, sentences[_i].value);

    ck_assert_ptr_nonnull(err);
    ck_assert_str_eq(err, sentences[_i].sentence);
}
END_TEST

START_TEST(sentence_of_a_worker_key_on_a_balancer)
{
    rp_balancer_params_t b;

    rp_balancer_params_init(&b);
    ck_assert_str_eq(rp_balancer_param_set(pool, &b, "ttl", "1"),
                     "ttl is a parameter of a worker, not of a balancer; write it on the "
                     "BalancerMember or on the ProxyPass line "
                     "of the backend's own URL");
    ck_assert_str_eq(rp_balancer_param_set(pool, &b, "failonstatus", "x"),
                     "failonstatus: \"x\" is not a list of status codes from 100 to 599 with "
                     "commas between them; write for "
                     "example failonstatus=500,503");
}
END_TEST

/* The key timeout is in both tables and means what the table says. */
START_TEST(timeout_of_worker_and_of_balancer)
{
    rp_balancer_params_t b;

    rp_balancer_params_init(&b);
    ck_assert_ptr_null(rp_balancer_param_set(pool, &b, "timeout", "3"));
    ck_assert_int_eq(b.timeout_us, 3 * SEC);
    ok(&p, "timeout", "4");
    ck_assert_int_eq(p.timeout_us, 4 * SEC);
}
END_TEST

START_TEST(quote_long_value_is_cut)
{
    char value[200];

    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    ck_assert_uint_eq(strlen(rp_param_quote(pool, value)), 64 + 5);
    memset(value, '\377', sizeof(value) - 1);
    ck_assert_uint_eq(strlen(rp_param_quote(pool, value)), 64 * 4 + 5);
}
END_TEST

START_TEST(merge_written_wins_unwritten_stays)
{
    rp_worker_params_t add;

    rp_worker_params_init(&add);
    ok(&p, "ttl", "10");
    ok(&p, "route", "a");
    ok(&p, "timeout", "5");
    ok(&p, "iobuffersize", "1024");
    ok(&add, "ttl", "20");
    ok(&add, "max", "7");
    ok(&add, "timeout", "6");
    ok(&add, "iobuffersize", "2048");
    rp_worker_params_merge(&p, &add);
    ck_assert_int_eq(p.ttl_s, 20);
    ck_assert_int_eq(p.max, 7);
    ck_assert_str_eq(p.route, "a");
    ck_assert_int_eq(p.timeout_us, 6 * SEC);
    ck_assert_int_eq(p.iobuffersize, 2048);
    ck_assert_int_eq(p.smax, -1);
    ck_assert_int_eq(__builtin_popcountll(p.written), 5);
}
END_TEST

/* Written values that look like the sentinel are written all the same. */
START_TEST(merge_written_sentinel_wins)
{
    rp_worker_params_t add;

    rp_worker_params_init(&add);
    ok(&p, "addressttl", "60");
    ok(&add, "addressttl", "-1");
    rp_worker_params_merge(&p, &add);
    ck_assert_int_eq(p.addressttl_s, -1);
}
END_TEST

START_TEST(merge_reuse_last_one_wins)
{
    rp_worker_params_t add;

    rp_worker_params_init(&add);
    ok(&p, "enablereuse", "on");
    ok(&p, "disablereuse", "on");
    ck_assert_int_eq(p.reuse, RP_OFF);
    ok(&add, "enablereuse", "on");
    rp_worker_params_merge(&p, &add);
    ck_assert_int_eq(p.reuse, RP_ON);
}
END_TEST

START_TEST(merge_status_bit_by_bit)
{
    rp_worker_params_t add;

    rp_worker_params_init(&add);
    ok(&p, "status", "+DH-S");
    ok(&add, "status", "-D+S");
    rp_worker_params_merge(&p, &add);
    ck_assert_uint_eq(p.status_set, RP_ST_HOT_STANDBY | RP_ST_STOPPED);
    ck_assert_uint_eq(p.status_clear, RP_ST_DISABLED);
}
END_TEST

START_TEST(status_written_twice_adds_up)
{
    ok(&p, "status", "+D");
    ok(&p, "status", "-D+H");
    ck_assert_uint_eq(p.status_set, RP_ST_HOT_STANDBY);
    ck_assert_uint_eq(p.status_clear, RP_ST_DISABLED);
}
END_TEST

START_TEST(merge_balancer)
{
    rp_balancer_params_t base, add;

    rp_balancer_params_init(&base);
    rp_balancer_params_init(&add);
    ck_assert_ptr_null(rp_balancer_param_set(pool, &base, "stickysession", "A"));
    ck_assert_ptr_null(rp_balancer_param_set(pool, &base, "nofailover", "on"));
    ck_assert_ptr_null(rp_balancer_param_set(pool, &add, "nofailover", "off"));
    ck_assert_ptr_null(rp_balancer_param_set(pool, &add, "stickysessionsep", "off"));
    rp_balancer_params_merge(&base, &add);
    ck_assert_str_eq(base.stickysession, "A");
    ck_assert_int_eq(base.nofailover, RP_OFF);
    ck_assert_int_eq(base.stickysep, 0);
    ck_assert_int_eq(base.forcerecovery, RP_UNSET);
}
END_TEST

/* Strings are copied: the value may be gone. */
START_TEST(strings_are_copied)
{
    char value[] = "node1";

    ok(&p, "route", value);
    memset(value, 'x', 5);
    ck_assert_str_eq(p.route, "node1");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("params");
    TCase *tc = tcase_create("params");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    tcase_add_loop_test(tc, sentence_names_key_value_range_and_next_step, 0, ROWS(sentences));
    tcase_add_test(tc, sentence_of_a_worker_key_on_a_balancer);
    tcase_add_test(tc, timeout_of_worker_and_of_balancer);
    tcase_add_test(tc, quote_long_value_is_cut);
    tcase_add_test(tc, merge_written_wins_unwritten_stays);
    tcase_add_test(tc, merge_written_sentinel_wins);
    tcase_add_test(tc, merge_reuse_last_one_wins);
    tcase_add_test(tc, merge_status_bit_by_bit);
    tcase_add_test(tc, status_written_twice_adds_up);
    tcase_add_test(tc, merge_balancer);
    tcase_add_test(tc, strings_are_copied);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
