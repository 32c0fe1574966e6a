/* SPDX-License-Identifier: Apache-2.0 */
/* Refresh: a number of seconds and a URL, in the many ways browsers understand it. */
#include "reverse/location.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>

static const char *skip_space(const char *p)
{
    while (apr_isspace(*p)) {
        p++;
    }
    return p;
}

/* Behind the time and its separator, or NULL when there is nothing to go to. */
static const char *behind_time(const char *p)
{
    const char *start = p = skip_space(p);

    while (apr_isdigit(*p) || *p == '.') {
        p++;
    }
    if (p == start || (*p != ';' && *p != ',' && !apr_isspace(*p))) {
        return NULL;
    }
    p = skip_space(p);
    if (*p == ';' || *p == ',') {
        p++;
    }
    return skip_space(p);
}

/* Behind "url=" where that is written, else p. */
static const char *behind_word(const char *p)
{
    const char *q;

    if (strncasecmp(p, "url", 3) != 0) {
        return p;
    }
    q = skip_space(p + 3);
    return *q == '=' ? skip_space(q + 1) : p;
}

apr_status_t rp_refresh_map(apr_pool_t *pool, const rp_reverse_map_t *map, const char *value,
                            const char **out, rp_reverse_err_e *err)
{
    const char *url = behind_time(value);
    const char *mapped;
    const char *end = NULL;
    char quote = '\0';
    rp_pieces_t pieces;
    apr_status_t rv;

    *out = NULL;
    *err = RP_REVERSE_OK;
    if (!url) {
        return APR_NOTFOUND;
    }
    url = behind_word(url);
    if (*url == '"' || *url == '\'') {
        quote = *url++;
        end = strchr(url, quote);
    }
    if (!end) {
        end = url + strlen(url);
    }
    rv = rp_location_map(pool, map, url, (apr_size_t)(end - url), &mapped, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (quote && strchr(mapped, quote)) {
        *err = RP_REVERSE_BAD_PUBLIC; /* would end the URL in its middle */
        return APR_EINVAL;
    }
    rp_pieces_init(&pieces, pool);
    rp_pieces_add(&pieces, value, (apr_size_t)(url - value));
    rp_pieces_add(&pieces, mapped, strlen(mapped));
    rp_pieces_add(&pieces, end, strlen(end));
    return rp_pieces_join(&pieces, out, err);
}
