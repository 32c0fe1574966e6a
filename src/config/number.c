/* SPDX-License-Identifier: Apache-2.0 */
#include "config/number.h"

#include <apr_lib.h>

/* Largest magnitude read; everything beyond is out of any directive's range. */
#define NUMBER_LIMIT APR_INT64_C(1000000000000000)

int rp_number_prefix(const char *text, apr_int64_t min, apr_int64_t max, apr_int64_t *out,
                     const char **rest)
{
    const char *p = text;
    int negative = *p == '-';
    apr_int64_t n = 0;

    p += negative;
    if (!apr_isdigit(*p)) {
        return 0;
    }
    for (; apr_isdigit(*p); p++) {
        if (n < NUMBER_LIMIT) {
            n = n * 10 + (*p - '0');
        }
    }
    n = negative ? -n : n;
    *rest = p;
    if (n < min || n > max) {
        return 0;
    }
    *out = n;
    return 1;
}

int rp_number_parse(const char *text, apr_int64_t min, apr_int64_t max, apr_int64_t *out)
{
    const char *rest;
    apr_int64_t n;

    if (!rp_number_prefix(text, min, max, &n, &rest) || *rest) {
        return 0;
    }
    *out = n;
    return 1;
}
