/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the table of metrics as the manual shows it. */
#include "metrics/table.h"

#include <stdio.h>
#include <stdlib.h>

/* Labels of the record, before that of the row itself. */
static const char *record_labels(rp_metric_scope_e scope)
{
    return scope == RP_METRIC_PROCESS ? "" : scope >= RP_METRIC_MEMBER ? "`server` `balancer` `worker`" : "`server` [`balancer`] `worker`";
}

int main(void)
{
    int n;
    const rp_metric_t *rows = rp_metric_rows(&n);

    puts("| metric | type | labels | meaning |\n|---|---|---|---|");
    for (int i = 0; i < n; i++) {
        const rp_metric_t *m = &rows[i];
        const char *record = record_labels(m->scope);

        printf("| `%s%s` | %s | %s", m->name, rp_metric_suffix(m->type), rp_metric_type_str(m->type), record);
        if (*m->label) {
            printf("%s`%s`", *record ? " " : "", m->label);
        }
        printf(" | %s |\n", m->help);
    }
    return EXIT_SUCCESS;
}
