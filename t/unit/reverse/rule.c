/* SPDX-License-Identifier: Apache-2.0 */
/* Taking ProxyPassReverse lines apart. */
#include "reverse_unit.h"

static const struct {
    const char *real;
    rp_reverse_form_e form;
    const char *balancer;
    const char *part;
} rows[] = {
    { "http://h", RP_REVERSE_URL, NULL, NULL },
    { "https://h:1/x", RP_REVERSE_URL, NULL, NULL },
    { "/x", RP_REVERSE_PATH, NULL, NULL },
    { "/", RP_REVERSE_PATH, NULL, NULL },
    { "balancer://c", RP_REVERSE_BALANCER, "balancer://c", "" },
    { "balancer://c/", RP_REVERSE_BALANCER, "balancer://c", "/" },
    { "Balancer://My_C/X/y", RP_REVERSE_BALANCER, "balancer://my_c", "/X/y" },
    { "unix:/s|http://h", RP_REVERSE_URL, NULL, NULL },
    { "", RP_REVERSE_NOTHING, NULL, NULL },
    { "h", RP_REVERSE_NOTHING, NULL, NULL },
    { "http://", RP_REVERSE_NOTHING, NULL, NULL },
    { "unix:/s", RP_REVERSE_NOTHING, NULL, NULL },
    { "http://h h/", RP_REVERSE_NOTHING, NULL, NULL },
};

START_TEST(rule_forms)
{
    rp_reverse_rule_t rule;
    rp_reverse_err_e err;
    apr_status_t rv = rp_reverse_rule_parse(pool, "/p", rows[_i].real, &rule, &err);

    ck_assert_int_eq(rule.form, rows[_i].form);
    ck_assert_int_eq(rv, rule.form == RP_REVERSE_NOTHING ? APR_EINVAL : APR_SUCCESS);
    ck_assert_int_eq(err, rule.form == RP_REVERSE_NOTHING ? RP_REVERSE_NO_MATCHER : RP_REVERSE_OK);
    ck_assert_pstr_eq(rule.form == RP_REVERSE_BALANCER ? rule.balancer : NULL, rows[_i].balancer);
    ck_assert_pstr_eq(rule.form == RP_REVERSE_BALANCER ? rule.part : NULL, rows[_i].part);
    ck_assert_int_eq(rule.reals->nelts,
                     rule.form == RP_REVERSE_URL || rule.form == RP_REVERSE_PATH);
}
END_TEST

START_TEST(rule_public_side_with_control_character_is_refused)
{
    rp_reverse_rule_t rule;
    rp_reverse_err_e err;

    ck_assert_int_eq(rp_reverse_rule_parse(pool, "/p\r\nX: y", "http://h", &rule, &err),
                     APR_EINVAL);
    ck_assert_int_eq(err, RP_REVERSE_BAD_PUBLIC);
    ck_assert_int_eq(rule.form, RP_REVERSE_NOTHING);
    ck_assert_int_eq(rule.reals->nelts, 0);
}
END_TEST

START_TEST(rule_members_only_of_balancers)
{
    rp_reverse_rule_t rule;
    rp_reverse_err_e err;

    ck_assert_int_eq(rp_reverse_rule_parse(pool, "/p", "http://h", &rule, &err), APR_SUCCESS);
    rp_reverse_rule_members(pool, &rule, words("http://m1 http://m2"));
    ck_assert_int_eq(rule.reals->nelts, 1);
    ck_assert_int_eq(rp_reverse_rule_parse(pool, "/p", "balancer://c", &rule, &err), APR_SUCCESS);
    rp_reverse_rule_members(pool, &rule, words("http://m1 nonsense http://m2"));
    ck_assert_int_eq(rule.reals->nelts, 2);
    rp_reverse_rule_members(pool, &rule, NULL);
    ck_assert_int_eq(rule.reals->nelts, 0);
}
END_TEST

START_TEST(rule_words_for_each_value)
{
    ck_assert_str_eq(rp_reverse_form_str(RP_REVERSE_NOTHING), "nothing");
    ck_assert_str_eq(rp_reverse_form_str(RP_REVERSE_URL), "URL");
    ck_assert_str_eq(rp_reverse_form_str(RP_REVERSE_PATH), "path");
    ck_assert_str_eq(rp_reverse_form_str(RP_REVERSE_BALANCER), "balancer");
    ck_assert_str_eq(rp_reverse_form_str((rp_reverse_form_e)9), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/rule");
    TCase *tc = case_new(s, "all");

    tcase_add_loop_test(tc, rule_forms, 0, ROWS(rows));
    tcase_add_test(tc, rule_public_side_with_control_character_is_refused);
    tcase_add_test(tc, rule_members_only_of_balancers);
    tcase_add_test(tc, rule_words_for_each_value);
    return suite_main(s);
}
