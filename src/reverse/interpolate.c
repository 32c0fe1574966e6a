/* SPDX-License-Identifier: Apache-2.0 */
#include "reverse/interpolate.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "reverse/pieces.h"

static int fit(const char *value, const char *forbidden)
{
    for (; *value; value++) {
        if (apr_iscntrl(*value) || strchr(forbidden, *value)) {
            return 0;
        }
    }
    return 1;
}

apr_status_t rp_interpolate(apr_pool_t *pool, const char *tmpl, rp_variable_fn *variable,
                            void *baton, const char *forbidden, const char **out,
                            rp_reverse_err_e *err)
{
    const char *done = tmpl;
    const char *open = strstr(tmpl, "${");
    rp_pieces_t pieces;

    *out = NULL;
    *err = RP_REVERSE_OK;
    rp_pieces_init(&pieces, pool);
    while (open) {
        const char *close = strchr(open, '}');
        const char *value;

        if (!close) {
            break;
        }
        value = variable(baton, apr_pstrmemdup(pool, open + 2, (apr_size_t)(close - open) - 2));
        if (value && forbidden && !fit(value, forbidden)) {
            *err = RP_REVERSE_BAD_PUBLIC;
            return APR_EINVAL;
        }
        rp_pieces_add(&pieces, done, (apr_size_t)(open - done));
        rp_pieces_add(&pieces, value, value ? strlen(value) : 0);
        done = close + 1;
        open = strstr(done, "${");
    }
    if (done == tmpl) {
        *out = tmpl;
        return APR_SUCCESS;
    }
    rp_pieces_add(&pieces, done, strlen(done));
    return rp_pieces_join(&pieces, out, err);
}
