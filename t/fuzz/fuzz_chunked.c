/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked coding. Input: one byte with the size of the pieces, then the coded message.
 * Held: the result does not depend on the pieces; no byte is eaten twice or left out; what is
 * decoded, coded again, decodes to the same; trailers that the decoder lets pass are field lines to
 * the parser of heads.
 */
#include "fuzz_wire.h"

#include "wire/chunked.h"
#include "wire/h1_resp.h"

typedef struct decoded_t {
    char *data;
    char *trailer;
    size_t data_len;
    size_t trailer_len;
    size_t consumed;
    rp_chunk_state_e state;
    rp_chunk_err_e err;
} decoded_t;

static void decode(apr_pool_t *pool, decoded_t *r, const char *in, size_t n, size_t piece)
{
    rp_chunk_dec_t d;
    apr_status_t rv = APR_EAGAIN;
    size_t have = 0;

    memset(&d, 0, sizeof(d));
    memset(r, 0, sizeof(*r));
    r->data = apr_palloc(pool, n + 1);
    r->trailer = apr_palloc(pool, n + 1);
    while (rv != APR_EINVAL && d.state != RP_CHUNK_DONE && (have < n || rv == APR_SUCCESS)) {
        apr_size_t used;
        rp_slice_t data;
        char *part;
        size_t left;

        if (rv == APR_EAGAIN) {
            have = n - have < piece ? n : have + piece;
        }
        left = have - r->consumed;
        part = fuzz_copy(in + r->consumed, left);
        rv = rp_chunk_decode(&d, part, left, &used, &data);
        FUZZ_ASSERT(used <= left && data.n <= used && d.trailer.n <= used);
        FUZZ_ASSERT(data.n == 0 || (rv == APR_SUCCESS && data.p + data.n == part + used));
        FUZZ_ASSERT(rv != APR_EAGAIN || used == left);
        FUZZ_ASSERT(rv != APR_SUCCESS || data.n > 0 || d.state == RP_CHUNK_DONE);
        if (data.n) {
            memcpy(r->data + r->data_len, data.p, data.n);
        }
        if (d.trailer.n) {
            memcpy(r->trailer + r->trailer_len, d.trailer.p, d.trailer.n);
        }
        r->data_len += data.n;
        r->trailer_len += d.trailer.n;
        r->consumed += used;
        free(part);
    }
    FUZZ_ASSERT((rv == APR_EINVAL) == (d.state == RP_CHUNK_FAILED));
    FUZZ_ASSERT((rv == APR_EINVAL) == (d.err != RP_CHUNK_OK));
    FUZZ_ASSERT(rp_chunk_err_str(d.err)[0]);
    FUZZ_ASSERT(r->trailer_len <= RP_CHUNK_TRAILER_MAX);
    r->state = d.state;
    r->err = d.err;
}

/** Code data in chunks of up to max bytes, with an end. @return length */
static size_t encode(char *out, const char *data, size_t n, size_t max)
{
    size_t len = 0;
    size_t at = 0;

    while (at < n) {
        size_t size = n - at < max ? n - at : max;

        len += rp_chunk_head(out + len, size);
        memcpy(out + len, data + at, size);
        memcpy(out + len + size, "\r\n", 2);
        len += size + 2;
        at += size;
    }
    memcpy(out + len, "0\r\n\r\n", 5);
    return len + 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rp_h1_limits_t lim = { 1 << 20, 1 << 20, 1 << 20, RP_H1_BADLINE_ERROR };
    apr_pool_t *pool = fuzz_pool();
    decoded_t whole;
    decoded_t pieces;
    char *coded;
    size_t n;

    if (size == 0) {
        return 0;
    }
    decode(pool, &whole, (const char *)data + 1, size - 1, size);
    decode(pool, &pieces, (const char *)data + 1, size - 1, 1 + data[0]);
    FUZZ_ASSERT(whole.state == pieces.state && whole.err == pieces.err);
    FUZZ_ASSERT(whole.consumed == pieces.consumed);
    FUZZ_ASSERT(whole.data_len == pieces.data_len && whole.trailer_len == pieces.trailer_len);
    FUZZ_ASSERT(memcmp(whole.data, pieces.data, whole.data_len) == 0);
    FUZZ_ASSERT(memcmp(whole.trailer, pieces.trailer, whole.trailer_len) == 0);
    if (whole.state == RP_CHUNK_DONE) {
        rp_h1_resp_t r;
        char *fields = fuzz_copy(whole.trailer, whole.trailer_len);

        FUZZ_ASSERT(rp_h1_fields_parse(&r, pool, &lim, fields, whole.trailer_len) == APR_SUCCESS);
        free(fields);
    }
    coded = apr_palloc(pool, whole.data_len * 24 + 8);
    n = encode(coded, whole.data, whole.data_len, 1 + data[0] % 7);
    decode(pool, &pieces, coded, n, 1 + data[0] / 7);
    FUZZ_ASSERT(pieces.state == RP_CHUNK_DONE && pieces.consumed == n);
    FUZZ_ASSERT(pieces.data_len == whole.data_len);
    FUZZ_ASSERT(memcmp(pieces.data, whole.data, whole.data_len) == 0);
    return 0;
}
