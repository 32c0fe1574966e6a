/* SPDX-License-Identifier: Apache-2.0 */
/* Values: what each kind takes and refuses, to the last suffix. Nothing is guessed. */
#include "upstream_unit.h"

#include <limits.h>

#include "upstream/params_int.h"

START_TEST(time_suffixes_and_nonsense)
{
    static const struct {
        const char *in;
        apr_int64_t unit, want; /* -1: refused */
    } rows[] = {
        {"0", 1000000, 0},
        {"7", 1000000, 7000000},
        {"7", 1000, 7000},
        {"500ms", 1000000, 500000},
        {"500MS", 1000000, 500000},
        {"2s", 1000, 2000000},
        {"2S", 1000, 2000000},
        {"3mi", 1000, 180000000},
        {"3min", 1000, 180000000},
        {"1h", 1000, 3600000000},
        {"1m", 1000, -1},
        {"5us", 1000, -1},
        {"5d", 1000, -1},
        {"", 1000, -1},
        {"ms", 1000, -1},
        {"-1", 1000, -1},
        {"+1", 1000, -1},
        {" 1", 1000, -1},
        {"1 ", 1000, -1},
        {"1 s", 1000, -1},
        {"1.5s", 1000, -1},
        {"0x10", 1000, -1},
        {"1e3", 1000, -1},
        {"5sx", 1000, -1},
        {"999999999999999999", 1, 999999999999999999},
        {"9999999999999999999", 1, -1},
        {"999999999999999999", 1000000, -1},
        {"9223372036855", 1000000, -1},
        {"9223372036854", 1000000, 9223372036854000000},
    };
    apr_int64_t us = -1;
    apr_status_t rv = rp_param_time_parse(rows[_i].in, rows[_i].unit, &us);

    if (rows[_i].want < 0) {
        ck_assert_msg(rv != APR_SUCCESS, "%s was taken as %" APR_INT64_T_FMT, rows[_i].in, us);
    }
    else {
        ck_assert_msg(rv == APR_SUCCESS && us == rows[_i].want, "%s: %" APR_INT64_T_FMT,
                      rows[_i].in, us);
    }
}
END_TEST
#define TIME_ROWS 29

/* key, value, and the member as text; NULL: refused */
typedef struct worker_row_t {
    const char *key, *value, *want;
} worker_row_t;

static const worker_row_t worker_rows[] = {
    {"loadfactor", "1", "100"},
    {"loadfactor", "1.5", "150"},
    {"loadfactor", "1.05", "105"},
    {"loadfactor", "1.259", "125"},
    {"loadfactor", "100", "10000"},
    {"loadfactor", "100.00", "10000"},
    {"loadfactor", "100.001", NULL},
    {"loadfactor", "0.99", NULL},
    {"loadfactor", "101", NULL},
    {"loadfactor", "1.", NULL},
    {"loadfactor", ".5", NULL},
    {"loadfactor", "1,5", NULL},
    {"loadfactor", "-1", NULL},
    {"loadfactor", "1.5x", NULL},
    {"loadfactor", "", NULL},
    {"loadfactor", "99999999999999999999", NULL},
    {"retry", "0", "0"},
    {"retry", "60", "60"},
    {"retry", "-1", NULL},
    {"retry", "1h", "3600"},
    {"retry", "500ms", NULL},
    {"retry", "2000ms", "2"},
    {"ttl", "1", "1"},
    {"ttl", "0", NULL},
    {"ttl", "2147483647", "2147483647"},
    {"ttl", "2147483648", NULL},
    {"ttl", "500ms", NULL},
    {"ttl", "60s", "60"},
    {"ttl", "1mi", "60"},
    {"ttl", "abc", NULL},
    {"timeout", "60", "60000000"},
    {"timeout", "0", NULL},
    {"timeout", "500ms", "500000"},
    {"timeout", "1ms", "1000"},
    {"timeout", "0ms", NULL},
    {"timeout", "1h", "3600000000"},
    {"timeout", "-5", NULL},
    {"timeout", "2147483648", NULL},
    {"connectiontimeout", "250ms", "250000"},
    {"connectiontimeout", "3", "3000000"},
    {"connectiontimeout", "0", NULL},
    {"ping", "5", "5000000"},
    {"ping", "100ms", "100000"},
    {"ping", "0", NULL},
    {"acquire", "3000", "3000000"},
    {"acquire", "2s", "2000000"},
    {"acquire", "0", NULL},
    {"acquire", "1", "1000"},
    {"min", "0", "0"},
    {"min", "-1", NULL},
    {"min", "5s", NULL},
    {"smax", "3", "3"},
    {"max", "0", "0"},
    {"max", "10", "10"},
    {"max", "-1", NULL},
    {"max", "2147483648", NULL},
    {"max", "1k", NULL},
    {"keepalive", "On", "1"},
    {"keepalive", "off", "0"},
    {"keepalive", "yes", NULL},
    {"keepalive", "", NULL},
    {"disablereuse", "on", "0"},
    {"disablereuse", "off", "1"},
    {"enablereuse", "on", "1"},
    {"enablereuse", "Off", "0"},
    {"enablereuse", "1", NULL},
    {"addressttl", "-1", "-1"},
    {"addressttl", "0", "0"},
    {"addressttl", "300", "300"},
    {"addressttl", "5mi", "300"},
    {"addressttl", "1500ms", NULL},
    {"addressttl", "3000ms", "3"},
    {"addressttl", "-2", NULL},
    {"addressttl", "2147483648", NULL},
    {"flushpackets", "auto", "2"},
    {"flushpackets", "On", "1"},
    {"flushpackets", "off", "0"},
    {"flushpackets", "x", NULL},
    {"flushwait", "1000", "1000"},
    {"flushwait", "1001", NULL},
    {"flushwait", "0", "0"},
    {"iobuffersize", "0", "8192"},
    {"iobuffersize", "512", "512"},
    {"iobuffersize", "511", NULL},
    {"receivebuffersize", "0", "0"},
    {"receivebuffersize", "512", "512"},
    {"receivebuffersize", "1", NULL},
    {"responsefieldsize", "0", "8192"},
    {"responsefieldsize", "1", "1"},
    {"responsefieldsize", "16384", "16384"},
    {"responsefieldsize", "8k", NULL},
    {"route", "node1", "node1"},
    {"route", "", ""},
    {"route", "a\001b", NULL},
    {"route", "123456789012345678901234567890123456789012345678901234567890123",
     "123456789012345678901234567890123456789012345678901234567890123"},
    {"route", "1234567890123456789012345678901234567890123456789012345678901234", NULL},
    {"redirect", "node2", "node2"},
    {"status", "+H", "set 100 clear 0"},
    {"status", "D", "set 20 clear 0"},
    {"status", "-e", "set 0 clear 80"},
    {"status", "+d-s", "set 20 clear 40"},
    {"status", "+DS", "set 60 clear 0"},
    {"status", "D-D", "set 0 clear 20"},
    {"status", "oingudsehfcr", "set fff clear 0"},
    {"status", "X", NULL},
    {"status", "+", NULL},
    {"status", "", NULL},
    {"status", "+H ", NULL},
    {"status", "1", NULL},
    {"lbset", "0", "0"},
    {"lbset", "99", "99"},
    {"lbset", "100", NULL},
    {"upgrade", "websocket", "websocket"},
    {"upgrade", "ANY", "*"},
    {"upgrade", "any", "*"},
    {"upgrade", "*", "*"},
    {"upgrade", "NONE", ""},
    {"upgrade", "websocket,foo/2", "websocket,foo/2"},
    {"upgrade", "a, b", "a, b"},
    {"upgrade", "", NULL},
    {"upgrade", ",", NULL},
    {"upgrade", "a,", NULL},
    {"upgrade", "a,,b", NULL},
    {"upgrade", "a b", NULL},
    {"upgrade", "a\r\nb", NULL},
    {"upgrade", "a:b", NULL},
    {"flusher", "flush", "flush"},
    {"flusher", "1234567890123456", NULL},
    {"secret", "x", "x"},
    {"hcmethod", "get11", "GET11"},
    {"hcmethod", "OPTIONS", "OPTIONS"},
    {"hcmethod", "CPING", NULL},
    {"hcinterval", "100ms", "100000"},
    {"hcinterval", "99ms", NULL},
    {"hcinterval", "30", "30000000"},
    {"hcpasses", "2", "2"},
    {"hcfails", "-1", NULL},
    {"hcuri", "/up", "/up"},
    {"hctemplate", "t", "t"},
    {"hctemplate", "", NULL},
    {"hcexpr", "e", "e"},
    {"hcexpr", "1234567890123456", NULL},
};

/* The member of a row as text. */
static const char *member_text(const rp_param_row_t *row, const void *params)
{
    const char *m = (const char *)params + row->offset;

    switch (row->kind) {
    case RP_PARAM_TIME:
    case RP_PARAM_SIZE:
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, *(const apr_int64_t *)m);
    case RP_PARAM_STRING:
    case RP_PARAM_WORD:
    case RP_PARAM_CODES:
    case RP_PARAM_PROTOCOLS:
    case RP_PARAM_STICKY:
        return *(const char *const *)m;
    case RP_PARAM_STATUS:
        return apr_psprintf(pool, "set %x clear %x", ((const unsigned *)m)[0],
                            ((const unsigned *)m)[1]);
    default:
        return apr_psprintf(pool, "%d", *(const int *)m);
    }
}

START_TEST(worker_values)
{
    const worker_row_t *row = &worker_rows[_i];
    rp_worker_params_t p;
    const char *err;

    rp_worker_params_init(&p);
    err = rp_worker_param_set(pool, &p, row->key, row->value);
    if (row->want == NULL) {
        rp_worker_params_t untouched;
        rp_worker_params_init(&untouched);
        ck_assert_msg(err != NULL, "%s=%s was taken", row->key, row->value);
        ck_assert_int_eq(memcmp(&p, &untouched, sizeof(p)),
                         0); /* a refused value leaves no trace */
    }
    else {
        ck_assert_msg(err == NULL, "%s=%s: %s", row->key, row->value, err);
        ck_assert_str_eq(member_text(rp_param_find(&rp_worker_param_table, row->key), &p), row->want);
        ck_assert(p.written != 0);
    }
}
END_TEST

static const worker_row_t balancer_rows[] = {
    {"lbmethod", "byrequests", "byrequests"},
    {"lbmethod", "", NULL},
    {"lbmethod", "1234567890123456", NULL},
    {"stickysession", "JSESSIONID", "JSESSIONID"},
    {"stickysession", "A|b", "A|b"},
    {"stickysession", "|b", NULL},
    {"stickysession", "a|", NULL},
    {"stickysession", "a|b|c", NULL},
    {"stickysession", "", NULL},
    {"stickysession", "a b", NULL},
    {"stickysession", "a;b", NULL},
    {"stickysession", "123456789012345678901234567890123456789012345678901234567890123",
     "123456789012345678901234567890123456789012345678901234567890123"},
    {"stickysession", "1234567890123456789012345678901234567890123456789012345678901234", NULL},
    {"stickysessionsep", ".", "46"},
    {"stickysessionsep", "Off", "0"},
    {"stickysessionsep", "ab", NULL},
    {"stickysessionsep", "", NULL},
    {"stickysessionsep", "\t", NULL},
    {"scolonpathdelim", "On", "1"},
    {"nofailover", "Off", "0"},
    {"nofailover", "maybe", NULL},
    {"timeout", "1", "1000000"},
    {"timeout", "0", NULL},
    {"timeout", "250ms", "250000"},
    {"maxattempts", "0", "0"},
    {"maxattempts", "-1", NULL},
    {"maxattempts", "3", "3"},
    {"failonstatus", "500", "500"},
    {"failonstatus", "500,503 504", "500,503 504"},
    {"failonstatus", "99", NULL},
    {"failonstatus", "600", NULL},
    {"failonstatus", "abc", NULL},
    {"failonstatus", "500;503", NULL},
    {"failonstatus", "", NULL},
    {"failonstatus", ",", NULL},
    {"failonstatus", "5000", NULL},
    {"failonstatus", "100,599", "100,599"},
    {"failontimeout", "on", "1"},
    {"forcerecovery", "off", "0"},
    {"nonce", "None", "None"},
    {"nonce", "123456789012345678901234567890123456", "123456789012345678901234567890123456"},
    {"nonce", "1234567890123456789012345678901234567", NULL},
    {"nonce", "", NULL},
    {"growth", "0", NULL},
    {"growth", "1", "1"},
    {"growth", "100", "100"},
    {"growth", "101", NULL},
};

START_TEST(balancer_values)
{
    const worker_row_t *row = &balancer_rows[_i];
    rp_balancer_params_t p;
    const char *err;

    rp_balancer_params_init(&p);
    err = rp_balancer_param_set(pool, &p, row->key, row->value);
    if (row->want == NULL) {
        ck_assert_msg(err != NULL, "%s=%s was taken", row->key, row->value);
        ck_assert_uint_eq(p.written, 0);
    }
    else {
        ck_assert_msg(err == NULL, "%s=%s: %s", row->key, row->value, err);
        ck_assert_str_eq(member_text(rp_param_find(&rp_balancer_param_table, row->key), &p), row->want);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("params_value");
    TCase *tc = tcase_create("values");

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_add_loop_test(tc, time_suffixes_and_nonsense, 0, TIME_ROWS);
    tcase_add_loop_test(tc, worker_values, 0, ROWS(worker_rows));
    tcase_add_loop_test(tc, balancer_values, 0, ROWS(balancer_rows));
    suite_add_tcase(s, tc);
    return suite_main(s);
}
