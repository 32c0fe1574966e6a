/* SPDX-License-Identifier: Apache-2.0 */
/* The table of metrics: names, units and help follow the rules that readers of OpenMetrics expect. */
#include "../pool_case.h"

#include <string.h>

#include "metrics/table.h"

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);

    return n >= k && strcmp(s + n - k, end) == 0;
}

START_TEST(every_row_is_whole)
{
    int n;
    const rp_metric_t *rows = rp_metric_rows(&n);

    ck_assert_int_gt(n, 15);
    for (int i = 0; i < n; i++) {
        const rp_metric_t *m = &rows[i];

        ck_assert_int_eq(strncmp(m->name, "rproxy_", 7), 0);
        ck_assert_msg(strspn(m->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(m->name), "%s", m->name);
        ck_assert_msg(!ends_with(m->name, "_total") && !ends_with(m->name, "_info"), "%s: the type adds that", m->name);
        ck_assert_msg(ends_with(m->help, "."), "%s: the help is a sentence", m->name);
        ck_assert_msg(!*m->unit || ends_with(m->name, m->unit), "%s does not end in its unit", m->name);
        ck_assert_msg((m->how == RP_READ_ARRAY || m->how == RP_READ_BITS) == (m->values != NULL), "%s", m->name);
        ck_assert_msg((m->values != NULL || m->how == RP_READ_TEXT) == (*m->label != '\0'), "%s: label", m->name);
        ck_assert_msg((m->how == RP_READ_HISTOGRAM) == (m->type == RP_METRIC_HISTOGRAM), "%s: histogram", m->name);
        ck_assert_msg((m->how == RP_READ_TEXT) == (m->type == RP_METRIC_INFO), "%s: info", m->name);
        for (int k = 0; k < i; k++) {
            ck_assert_str_ne(m->name, rows[k].name);
        }
    }
}
END_TEST

START_TEST(every_place_of_an_array_has_a_name)
{
    int n;
    const rp_metric_t *rows = rp_metric_rows(&n);

    for (int i = 0; i < n; i++) {
        const rp_metric_values_t *v = rows[i].values;

        for (int k = 0; v != NULL && k < v->n; k++) {
            const char *name = v->name(k);

            ck_assert(name != NULL || rows[i].how == RP_READ_BITS);
            for (int j = 0; name != NULL && j < k; j++) {
                ck_assert(v->name(j) == NULL || strcmp(name, v->name(j)) != 0);
            }
        }
    }
}
END_TEST

START_TEST(types_in_words)
{
    ck_assert_str_eq(rp_metric_type_str(RP_METRIC_COUNTER), "counter");
    ck_assert_str_eq(rp_metric_type_str(RP_METRIC_GAUGE), "gauge");
    ck_assert_str_eq(rp_metric_type_str(RP_METRIC_HISTOGRAM), "histogram");
    ck_assert_str_eq(rp_metric_type_str(RP_METRIC_INFO), "info");
    ck_assert_str_eq(rp_metric_suffix(RP_METRIC_COUNTER), "_total");
    ck_assert_str_eq(rp_metric_suffix(RP_METRIC_INFO), "_info");
    ck_assert_str_eq(rp_metric_suffix(RP_METRIC_GAUGE), "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("table");
    TCase *tc = case_new(s, "table");

    tcase_add_test(tc, every_row_is_whole);
    tcase_add_test(tc, every_place_of_an_array_has_a_name);
    tcase_add_test(tc, types_in_words);
    return suite_main(s);
}
