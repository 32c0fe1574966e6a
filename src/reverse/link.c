/* SPDX-License-Identifier: Apache-2.0 */
/* Link (RFC 8288): a list of <targets> with parameters. */
#include "reverse/location.h"

#include <string.h>

/* The end of this link's parameters: a comma outside quotes, or the end of the field. */
static const char *params_end(const char *p)
{
    int quoted = 0;

    for (; *p && (quoted || *p != ','); p++) {
        if (*p == '"') {
            quoted = !quoted;
        }
        else if (quoted && *p == '\\' && p[1]) {
            p++;
        }
    }
    return p;
}

/* Add what is before `<URL>` and the URL, mapped or as it is; *p moves behind the parameters, *done
 * to the '>'. */
static apr_status_t one_link(rp_pieces_t *pieces, const rp_reverse_map_t *map, const char **p,
                             const char **done, int *changed, rp_reverse_err_e *err)
{
    const char *url = *p + 1;
    const char *close = strchr(url, '>');
    const char *mapped;
    apr_status_t rv =
        rp_location_map(pieces->pool, map, url, (apr_size_t)(close - url), &mapped, err);

    *p = params_end(close + 1);
    if (rv != APR_SUCCESS) {
        return rv == APR_NOTFOUND ? APR_SUCCESS : rv;
    }
    if (strchr(mapped, '>')) {
        *err = RP_REVERSE_BAD_PUBLIC;
        return APR_EINVAL;
    }
    rp_pieces_add(pieces, *done, (apr_size_t)(url - *done));
    rp_pieces_add(pieces, mapped, strlen(mapped));
    *done = close;
    *changed = 1;
    if (pieces->len > RP_REVERSE_VALUE_MAX) { /* stop before more is made of it */
        *err = RP_REVERSE_TOO_LONG;
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

apr_status_t rp_link_map(apr_pool_t *pool, const rp_reverse_map_t *map, const char *value,
                         const char **out, rp_reverse_err_e *err)
{
    const char *p = value + strspn(value, " \t,");
    const char *done = value;
    int changed = 0;
    rp_pieces_t pieces;

    *out = NULL;
    *err = RP_REVERSE_OK;
    rp_pieces_init(&pieces, pool);
    while (*p == '<' && strchr(p, '>')) {
        apr_status_t rv = one_link(&pieces, map, &p, &done, &changed, err);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        p += strspn(p, " \t,");
    }
    if (!changed) {
        return APR_NOTFOUND;
    }
    rp_pieces_add(&pieces, done, strlen(done));
    return rp_pieces_join(&pieces, out, err);
}
