/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_view.h"

#include <apr_strings.h>
#include <string.h>

static apr_uint64_t mix(apr_uint64_t h, const char *text)
{
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * APR_UINT64_C(1099511628211);
    }
    return (h ^ 0x1f) * APR_UINT64_C(1099511628211); /* the end of a text counts, too */
}

static apr_uint64_t mix_fields(apr_pool_t *pool, apr_uint64_t h, const rp_show_value_t *fields)
{
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        if (fields[i].known) {
            const rp_field_row_t *row = rp_field_row((rp_field_e)i);
            h = mix(mix(h, row->json), rp_field_str(pool, row, &fields[i].value));
        }
    }
    return h;
}

static void write_etag(char *etag, apr_uint64_t h)
{
    apr_snprintf(etag, RP_SHOW_ETAG_SIZE, "\"%08x%08x\"", (unsigned)(h >> 32), (unsigned)(h & 0xffffffffu));
}

void rp_show_etags(apr_pool_t *pool, rp_show_balancer_t *b)
{
    apr_uint64_t h = mix_fields(pool, mix(APR_UINT64_C(14695981039346656037), b->full_name), b->fields);
    int i;

    for (i = 0; i < b->nmembers; i++) {
        rp_show_member_t *m = &b->members[i];
        apr_uint64_t own = mix_fields(pool, mix(APR_UINT64_C(14695981039346656037), m->url), m->fields);

        own = mix(own, m->drain_left_us >= 0 ? "drain" : "");
        write_etag(m->etag, own);
        h = mix(h, m->etag);
    }
    write_etag(b->etag, h);
}

const char *rp_show_origin_str(rp_show_origin_e origin)
{
    return origin == RP_SHOW_RUNTIME ? "run time" : "configuration";
}

int rp_show_overridden(const rp_show_value_t *fields)
{
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        if (fields[i].known && fields[i].origin != RP_SHOW_CONFIGURATION) {
            return 1;
        }
    }
    return 0;
}
