/* SPDX-License-Identifier: Apache-2.0 */
/* How long a request head or a handshake may take: what lines of mod_reqtimeout mean. */
#include "../pool_case.h"

#include "engine/head_time.h"

#define SEC 1000000

START_TEST(lines)
{
    static const struct {
        const char *args;
        const char *key;
        int found, first, most;
        apr_interval_time_t byte_us;
    } rows[] = {
        {"header=10", "header=", 1, 10, 0, 0},
        {"header=0", "header=", 1, 0, 0, 0},
        {"header=20-40,MinRate=500", "header=", 1, 20, 40, 2000},
        {"HEADER=5-7,minrate=1", "header=", 1, 5, 7, SEC},
        {"header=5,MinRate=1000", "header=", 1, 5, 0, 1000},
        {"body=9 header=8 handshake=7", "header=", 1, 8, 0, 0},
        {"\"header=8\"", "header=", 1, 8, 0, 0},
        {"header=8 header=9-10,MinRate=2", "header=", 1, 9, 10, SEC / 2},
        {"header=99999999999999", "header=", 1, 1000000, 0, 0},
        {"body=20,MinRate=500", "header=", 0, 0, 0, 0},
        {"handshake=5", "handshake=", 1, 5, 0, 0},
        {"header=20 HandShake=5-9,MinRate=100 body=3", "handshake=", 1, 5, 9, 10000},
        {"header=20-40,MinRate=500", "handshake=", 0, 0, 0, 0},
        {"", "header=", 0, 0, 0, 0},
    };
    int i;

    for (i = 0; i < ROWS(rows); i++) {
        rp_head_time_t ht = {0};

        ck_assert_msg(rp_head_time_parse(rows[i].args, rows[i].key, &ht) == rows[i].found, "%s", rows[i].args);
        ck_assert_msg(ht.first_us == (apr_interval_time_t)rows[i].first * SEC, "%s", rows[i].args);
        ck_assert_msg(ht.most_us == (apr_interval_time_t)rows[i].most * SEC, "%s", rows[i].args);
        ck_assert_msg(ht.byte_us == rows[i].byte_us, "%s", rows[i].args);
    }
}
END_TEST

START_TEST(bytes_buy_time)
{
    rp_head_time_t ht = {.first_us = 20 * SEC, .most_us = 40 * SEC, .byte_us = 2000};

    ck_assert_int_eq(rp_head_time_for(&ht, 0), 20 * SEC);
    ck_assert_int_eq(rp_head_time_for(&ht, 500), 21 * SEC);
    ck_assert_int_eq(rp_head_time_for(&ht, 1000000), 40 * SEC);
    ht.most_us = 0;
    ck_assert_int_eq(rp_head_time_for(&ht, 50000), 120 * SEC);
    ht.byte_us = 0;
    ck_assert_int_eq(rp_head_time_for(&ht, 50000), 20 * SEC);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("head_time");
    TCase *tc = case_new(s, "head_time");

    tcase_add_test(tc, lines);
    tcase_add_test(tc, bytes_buy_time);
    return suite_main(s);
}
