/* SPDX-License-Identifier: Apache-2.0 */
/* ${NAME} in the text of a directive. */
#include "reverse_unit.h"

#include "reverse/interpolate.h"

static const char *variable(void *baton, const char *name)
{
    (void)baton;
    if (strcmp(name, "HOST") == 0) {
        return "back.example";
    }
    if (strcmp(name, "NEST") == 0) {
        return "${HOST}";
    }
    if (strcmp(name, "SEMI") == 0) {
        return "a;b";
    }
    if (strcmp(name, "CRLF") == 0) {
        return "a\r\nX: y";
    }
    return strcmp(name, "HUGE") == 0 ? repeated('x', RP_REVERSE_VALUE_MAX) : NULL;
}

static const struct {
    const char *tmpl;
    const char *forbidden;
    const char *want; /* NULL: fails with err */
    rp_reverse_err_e err;
} rows[] = {
    { "http://${HOST}/x", "", "http://back.example/x", RP_REVERSE_OK },
    { "${HOST}${HOST}", "", "back.exampleback.example", RP_REVERSE_OK },
    { "/a${NONE}b", "", "/ab", RP_REVERSE_OK },
    { "${NONE}", "", "", RP_REVERSE_OK },
    { "${}", "", "", RP_REVERSE_OK },
    { "/a${NEST}", "", "/a${HOST}", RP_REVERSE_OK },
    { "/a${HOST", "", "/a${HOST", RP_REVERSE_OK },
    { "/${HOST}/${HOST", "", "/back.example/${HOST", RP_REVERSE_OK },
    { "/a$HOST$", "", "/a$HOST$", RP_REVERSE_OK },
    { "", "", "", RP_REVERSE_OK },
    { "/${SEMI}", "", "/a;b", RP_REVERSE_OK },
    { "/${SEMI}", ";", NULL, RP_REVERSE_BAD_PUBLIC },
    { "/x;${HOST}", ";", "/x;back.example", RP_REVERSE_OK },
    { "/${CRLF}", "", NULL, RP_REVERSE_BAD_PUBLIC },
    { "/${CRLF}", NULL, "/a\r\nX: y", RP_REVERSE_OK },
    { "${HUGE}", "", "xx", RP_REVERSE_OK },
    { "/${HUGE}", "", NULL, RP_REVERSE_TOO_LONG },
};

START_TEST(interpolate_table)
{
    rp_reverse_err_e err;
    const char *out;
    apr_status_t rv =
        rp_interpolate(pool, rows[_i].tmpl, variable, NULL, rows[_i].forbidden, &out, &err);

    ck_assert_int_eq(err, rows[_i].err);
    ck_assert_int_eq(rv, rows[_i].want ? APR_SUCCESS : APR_EINVAL);
    if (rows[_i].want && strcmp(rows[_i].want, "xx") == 0) {
        ck_assert_uint_eq(strlen(out), RP_REVERSE_VALUE_MAX);
        return;
    }
    ck_assert_pstr_eq(out, rows[_i].want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/interpolate");
    TCase *tc = case_new(s, "all");

    tcase_add_loop_test(tc, interpolate_table, 0, ROWS(rows));
    return suite_main(s);
}
