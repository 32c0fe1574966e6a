/* SPDX-License-Identifier: Apache-2.0 */
#include "reverse/pieces.h"

#include <string.h>

const char *rp_reverse_err_str(rp_reverse_err_e err)
{
    switch (err) {
    case RP_REVERSE_OK: return "is fine";
    case RP_REVERSE_TOO_LONG: return "would be longer than 65536 bytes";
    case RP_REVERSE_BAD_PUBLIC: return "would get bytes that break the header field";
    case RP_REVERSE_NO_MATCHER:
        return "is neither a URL with a host, nor a path that starts with '/', nor balancer://name";
    }
    return "is in an unknown state";
}

void rp_pieces_init(rp_pieces_t *pieces, apr_pool_t *pool)
{
    pieces->pool = pool;
    pieces->slices = apr_array_make(pool, 8, sizeof(rp_slice_t));
    pieces->len = 0;
}

void rp_pieces_add(rp_pieces_t *pieces, const char *p, apr_size_t n)
{
    if (n > 0) {
        rp_slice_t *slice = apr_array_push(pieces->slices);

        slice->p = p;
        slice->n = n;
        pieces->len += n;
    }
}

apr_status_t rp_pieces_join(const rp_pieces_t *pieces, const char **out, rp_reverse_err_e *err)
{
    char *text;
    char *p;

    *out = NULL;
    *err = RP_REVERSE_OK;
    if (pieces->len > RP_REVERSE_VALUE_MAX) {
        *err = RP_REVERSE_TOO_LONG;
        return APR_EINVAL;
    }
    text = p = apr_palloc(pieces->pool, pieces->len + 1);
    for (int i = 0; i < pieces->slices->nelts; i++) {
        const rp_slice_t *slice = &APR_ARRAY_IDX(pieces->slices, i, rp_slice_t);

        memcpy(p, slice->p, slice->n);
        p += slice->n;
    }
    *p = '\0';
    *out = text;
    return APR_SUCCESS;
}
