/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file of BalancerPersist. Input: one byte (bit 0: the text is whole as it is; else head and a last line that fits are put
 * around it), then the text. Held: what is refused has a reason; what is accepted has rows with all that a row needs, within the
 * limits, and is the same after writing and reading it again.
 */
#include "fuzz_wire.h"

#include <apr_sha1.h>
#include <apr_strings.h>

#include "balancer/persist.h"

static int same(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

/* The text with the head and the last line that it needs, on the heap. */
static char *complete(apr_pool_t *pool, const uint8_t *data, size_t size, size_t *len)
{
    static const char head[] = "rproxy-state 1\n";
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha;
    char *text = apr_palloc(pool, sizeof(head) + size + 100);
    size_t n = sizeof(head) - 1;
    int rows = 0;

    memcpy(text, head, n);
    memcpy(text + n, data, size);
    n += size;
    if (size > 0 && text[n - 1] != '\n') {
        text[n++] = '\n';
    }
    for (size_t i = sizeof(head) - 1; i < n; i++) {
        rows += text[i] == '\n';
    }
    apr_sha1_init(&sha);
    apr_sha1_update_binary(&sha, (unsigned char *)text, (unsigned)n);
    apr_sha1_final(digest, &sha);
    n += (size_t)apr_snprintf(text + n, 30, "end %d ", rows);
    for (int i = 0; i < APR_SHA1_DIGESTSIZE; i++) {
        n += (size_t)apr_snprintf(text + n, 3, "%02x", digest[i]);
    }
    text[n++] = '\n';
    *len = n;
    return fuzz_copy(text, n);
}

static void check_row(const rp_persist_row_t *row)
{
    const char *fields[] = { row->scope, row->balancer, row->member, row->key, row->configured, row->value };

    FUZZ_ASSERT(row->scope && row->balancer && row->key && row->value);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        FUZZ_ASSERT(!fields[i] || strlen(fields[i]) <= RP_PERSIST_FIELD_MAX);
    }
}

static void write_and_read(apr_pool_t *pool, const apr_array_header_t *rows)
{
    apr_array_header_t *again = NULL;
    const char *text = NULL;
    const char *why = NULL;
    apr_size_t len = 0;

    FUZZ_ASSERT(rp_persist_encode(pool, rows, &text, &len) == APR_SUCCESS);
    FUZZ_ASSERT(rp_persist_decode(pool, text, len, &again, &why) == APR_SUCCESS);
    FUZZ_ASSERT(again->nelts == rows->nelts);
    for (int i = 0; i < rows->nelts; i++) {
        const rp_persist_row_t *a = &APR_ARRAY_IDX(rows, i, rp_persist_row_t);
        const rp_persist_row_t *b = &APR_ARRAY_IDX(again, i, rp_persist_row_t);

        check_row(a);
        FUZZ_ASSERT(same(a->scope, b->scope) && same(a->balancer, b->balancer) && same(a->member, b->member));
        FUZZ_ASSERT(same(a->key, b->key) && same(a->configured, b->configured) && same(a->value, b->value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    apr_array_header_t *rows = NULL;
    const char *why = NULL;
    size_t len = size - 1;
    char *text;

    if (size == 0) {
        return 0;
    }
    text = data[0] & 1 ? fuzz_copy(data + 1, len) : complete(pool, data + 1, size - 1, &len);
    if (rp_persist_decode(pool, text, len, &rows, &why) == APR_SUCCESS) {
        FUZZ_ASSERT(!why);
        write_and_read(pool, rows);
    }
    else {
        FUZZ_ASSERT(why && why[0]);
    }
    free(text);
    return 0;
}
