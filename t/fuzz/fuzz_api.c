/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of the balancer's API send: bodies, paths, queries. Input: one byte that says which, then the text. Held: a refused body
 * is told in a sentence and leaves no wish; each wish is one that its row takes; a path names what its kind needs; values of a
 * query are shorter than what they were read from.
 */
#include "fuzz_wire.h"

#include <apr_strings.h>

#include "balancer/api_json.h"
#include "balancer/api_path.h"

static void try_body(apr_pool_t *pool, rp_api_body_e kind, const char *body, size_t n)
{
    rp_api_wish_t wish;
    rp_field_error_t error = { NULL, NULL, NULL };

    memset(&wish, 0, sizeof(wish));
    if (!rp_json_wish(pool, kind, body, n, &wish, &error)) {
        FUZZ_ASSERT(error.message && error.message[0]);
        FUZZ_ASSERT(rp_json_text(pool, rp_json_error(422, "refused", &error)));
        return;
    }
    FUZZ_ASSERT(n <= RP_API_BODY_MAX && wish.changes);
    FUZZ_ASSERT(wish.deadline_s >= -1 && wish.deadline_s <= RP_API_DRAIN_MAX);
    FUZZ_ASSERT(kind != RP_BODY_NEW_MEMBER || wish.url);
    for (int i = 0; i < wish.changes->nelts; i++) {
        rp_change_t *change = &APR_ARRAY_IDX(wish.changes, i, rp_change_t);

        FUZZ_ASSERT(change->row && change->row->of_balancer == (kind == RP_BODY_BALANCER));
        FUZZ_ASSERT(rp_field_check(pool, change->row, "x", &change->value, "x", &error));
    }
}

static void try_path(apr_pool_t *pool, const char *uri)
{
    rp_api_path_t path = rp_api_path_parse(pool, uri);
    int of_member = path.resource == RP_API_MEMBER || path.resource == RP_API_DRAIN;
    int of_balancer = of_member || path.resource == RP_API_BALANCER || path.resource == RP_API_MEMBERS;

    FUZZ_ASSERT((path.balancer != NULL) == of_balancer && (path.member != NULL) == of_member);
    FUZZ_ASSERT(!path.balancer || (path.balancer[0] && strlen(path.balancer) <= RP_API_NAME_MAX));
    FUZZ_ASSERT(path.resource == RP_API_NONE || rp_api_resource_methods(path.resource)[0]);
    (void)rp_api_member_url_refused(uri);
    FUZZ_ASSERT(strlen(rp_api_member_id(pool, uri)) == RP_API_ID_LEN);
}

static void try_query(apr_pool_t *pool, const char *text)
{
    const apr_table_t *query = rp_api_query_parse(pool, text, 64);
    const apr_array_header_t *all = query ? apr_table_elts(query) : NULL;

    FUZZ_ASSERT(!all || all->nelts <= 64);
    for (int i = 0; all && i < all->nelts; i++) {
        const apr_table_entry_t *e = &APR_ARRAY_IDX(all, i, apr_table_entry_t);

        FUZZ_ASSERT(strlen(e->key) + strlen(e->val) <= strlen(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text;

    if (size == 0) {
        return 0;
    }
    if (data[0] % 6 < 4) {
        text = fuzz_copy(data + 1, size - 1);
        try_body(pool, (rp_api_body_e)(data[0] % 6), text, size - 1);
    }
    else {
        text = fuzz_string(data + 1, size - 1);
        if (data[0] % 6 == 4) {
            try_path(pool, text);
        }
        else {
            try_query(pool, text);
        }
    }
    free(text);
    return 0;
}
