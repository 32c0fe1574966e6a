/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the rows of the parameter tables as the manual shows them: params_table worker|balancer. */
#include "upstream/params.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|') {
            putchar('\\');
        }
        putchar(*text);
    }
}

int main(int argc, char **argv)
{
    int n = 0;
    const rp_param_row_t *rows;
    apr_pool_t *pool = NULL;

    if (argc != 2 || apr_initialize() != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    rows = strcmp(argv[1], "worker") == 0 ? rp_worker_param_rows(&n) : rp_balancer_param_rows(&n);
    puts("| key | value | default | meaning |\n|---|---|---|---|");
    for (int i = 0; i < n; i++) {
        printf("| `%s` | ", rows[i].key);
        put_cell(rp_param_range(pool, &rows[i]));
        fputs(" | ", stdout);
        put_cell(rows[i].dflt);
        fputs(" | ", stdout);
        put_cell(rows[i].help);
        puts(rows[i].later ? " *No effect yet; a notice at startup says so.* |" : " |");
    }
    apr_terminate();
    return EXIT_SUCCESS;
}
