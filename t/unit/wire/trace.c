/* SPDX-License-Identifier: Apache-2.0 */
/* Request ids and traceparent: which ones stay, what new ones look like. */
#include "wire_unit.h"

#include <string.h>

#include "wire/trace.h"

#define T "4bf92f3577b34da6a3ce929d0e0e4736"
#define P "00f067aa0ba902b7"

START_TEST(request_ids)
{
    char longest[RP_REQUEST_ID_MAX + 2];

    ck_assert(rp_request_id_ok("a"));
    ck_assert(rp_request_id_ok("f058ebd6-02f7-4d3f-942e-904344e8cde5"));
    ck_assert(rp_request_id_ok("Root=1-67891233-abcdef012345678912345678"));
    ck_assert(!rp_request_id_ok(""));
    ck_assert(!rp_request_id_ok("a b"));
    ck_assert(!rp_request_id_ok("a, b"));
    ck_assert(!rp_request_id_ok("a\""));
    ck_assert(!rp_request_id_ok("a\r"));
    ck_assert(!rp_request_id_ok("${jndi:x}"));
    ck_assert(!rp_request_id_ok("\xc3\xbc"));
    memset(longest, 'x', sizeof(longest));
    longest[RP_REQUEST_ID_MAX + 1] = '\0';
    ck_assert(!rp_request_id_ok(longest));
    longest[RP_REQUEST_ID_MAX] = '\0';
    ck_assert(rp_request_id_ok(longest));
}
END_TEST

START_TEST(a_new_request_id_is_a_uuid)
{
    unsigned char random[RP_REQUEST_ID_RANDOM];
    char id[RP_REQUEST_ID_SIZE];

    memset(random, 0xff, sizeof(random));
    rp_request_id_make(id, random);
    ck_assert_str_eq(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    memset(random, 0, sizeof(random));
    rp_request_id_make(id, random);
    ck_assert_str_eq(id, "00000000-0000-4000-8000-000000000000");
    for (int i = 0; i < RP_REQUEST_ID_RANDOM; i++) {
        random[i] = (unsigned char)(0x10 + i);
    }
    rp_request_id_make(id, random);
    ck_assert_str_eq(id, "10111213-1415-4617-9819-1a1b1c1d1e1f");
    ck_assert(rp_request_id_ok(id));
}
END_TEST

START_TEST(traceparents)
{
    static const char *const good[] = {"00-" T "-" P "-01", "00-" T "-" P "-00", "00-" T "-" P "-ff", "01-" T "-" P "-01",
                                       "cc-" T "-" P "-01-what-the-future-will-be-like"};
    static const char *const bad[] = {
        "", "00", "00-", "00-" T, "00-" T "-" P, "00-" T "-" P "-", "00-" T "-" P "-0", "00-" T "-" P "-01 ", "00-" T "-" P "-01-x",
        "00-" T "-" P "-01, 00-" T "-" P "-01", "ff-" T "-" P "-01", "01-" T "-" P "-01x", "00_" T "-" P "-01",
        "00-00000000000000000000000000000000-" P "-01", "00-" T "-0000000000000000-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" P "-01",
        "00-" T "-00F067AA0BA902B7-01", "00-" T "-" P "-0g", "0x-" T "-" P "-01", "00-4bf92f3577b34da6a3ce929d0e0e473-" P "-011",
        "00-" T "_" P "-01", "00-" T "-" P "_01", " 00-" T "-" P "-01"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(rp_traceparent_ok(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!rp_traceparent_ok(bad[i]), "%s", bad[i]);
    }
}
END_TEST

START_TEST(a_new_traceparent_is_good_whatever_the_random_bytes)
{
    unsigned char random[RP_TRACE_RANDOM] = {0};
    char value[RP_TRACE_SIZE];

    rp_traceparent_make(value, random, 0);
    ck_assert_str_eq(value, "00-00000000000000000000000000000001-0000000000000001-00");
    ck_assert(rp_traceparent_ok(value));
    memset(random, 0xab, sizeof(random));
    rp_traceparent_make(value, random, 1);
    ck_assert_str_eq(value, "00-abababababababababababababababab-abababababababab-01");
    ck_assert(rp_traceparent_ok(value));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trace");
    TCase *tc = case_new(s, "trace");

    tcase_add_test(tc, request_ids);
    tcase_add_test(tc, a_new_request_id_is_a_uuid);
    tcase_add_test(tc, traceparents);
    tcase_add_test(tc, a_new_traceparent_is_good_whatever_the_random_bytes);
    return suite_main(s);
}
