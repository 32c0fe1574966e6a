/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chunked.c
 * The chunked transfer coding: a machine that eats one byte of framing or one run of data per step.
 */
#include "wire/chunked.h"

#include <string.h>

#include "wire/chars_int.h"

#define SIZE_DIGITS_MAX 16 /* leading zeros included */

const char *rp_chunk_err_str(rp_chunk_err_e err)
{
    switch (err) {
    case RP_CHUNK_OK: return "ok";
    case RP_CHUNK_BAD_SIZE: return "bad-chunk-size";
    case RP_CHUNK_BAD_EXT: return "bad-chunk-extension";
    case RP_CHUNK_BAD_END: return "bad-line-end";
    case RP_CHUNK_LINE_TOO_LONG: return "chunk-line-too-long";
    case RP_CHUNK_TRAILER_TOO_LARGE: return "trailer-too-large";
    case RP_CHUNK_BAD_TRAILER: return "bad-trailer";
    case RP_CHUNK_EXT_EXCESS: return "too-many-chunk-extensions";
    default: return "unknown";
    }
}

/** The byte cannot be: remember why for ever. */
static void chunk_fail(rp_chunk_dec_t *d, rp_chunk_err_e err)
{
    d->state = RP_CHUNK_FAILED;
    d->err = err;
}

/** Behind at least one digit: what may follow the number on its line (RFC 9112 7.1.1). */
static void size_end_byte(rp_chunk_dec_t *d, char c)
{
    if (c == '\r') {
        d->state = RP_CHUNK_SIZE_LF;
    }
    else if (c == ';') {
        d->state = RP_CHUNK_EXT;
        d->line_started = 1;
    }
    else if (rp_ch_is(c, RP_CH_BLANK)) {
        d->state = RP_CHUNK_EXT; /* blanks, then ';' or the end: old servers pad their sizes */
    }
    else {
        chunk_fail(d, c == '\n' ? RP_CHUNK_BAD_END : RP_CHUNK_BAD_SIZE);
    }
}

static void size_byte(rp_chunk_dec_t *d, char c)
{
    int v = rp_ch_hex(c);

    if (v < 0 && d->digits > 0) {
        size_end_byte(d, c);
        return;
    }
    if (v < 0 || d->digits == SIZE_DIGITS_MAX || d->left > (apr_uint64_t)APR_INT64_MAX >> 4) {
        chunk_fail(d, RP_CHUNK_BAD_SIZE);
        return;
    }
    d->digits++;
    d->left = d->left << 4 | (apr_uint64_t)v;
}

static void ext_byte(rp_chunk_dec_t *d, char c)
{
    if (!d->line_started) {
        size_end_byte(d, c);
    }
    else if (c == '\r') {
        d->state = RP_CHUNK_SIZE_LF;
    }
    else if (rp_ch_is(c, RP_CH_CTL)) {
        chunk_fail(d, c == '\n' ? RP_CHUNK_BAD_END : RP_CHUNK_BAD_EXT);
    }
}

/**
 * What the line held besides its number. Data pays for extensions, byte by byte, so that signed chunks of an upload of any
 * size are fine, and a body of tiny chunks with long extensions is not. @return 0 when there is too much of it
 */
static int ext_count(rp_chunk_dec_t *d)
{
    d->excess += d->line_len - (apr_size_t)d->digits - 2; /* without CRLF */
    if (d->excess > RP_CHUNK_EXT_EXCESS_MAX) {
        chunk_fail(d, RP_CHUNK_EXT_EXCESS);
        return 0;
    }
    d->excess -= d->left < d->excess ? (apr_size_t)d->left : d->excess;
    return 1;
}

/** The chunk-size line is over. */
static void size_line_end(rp_chunk_dec_t *d)
{
    if (!ext_count(d)) {
        return;
    }
    d->state = d->left > 0 ? RP_CHUNK_DATA : RP_CHUNK_TRAILER;
    d->line_len = 0;
    d->digits = 0;
    d->line_started = 0;
    d->line_colon = 0;
}

/** One byte of a trailer line: token, colon, text (RFC 9112 7.1.2). */
static void trailer_byte(rp_chunk_dec_t *d, char c)
{
    if (c == '\r') {
        if (d->line_started && !d->line_colon) {
            chunk_fail(d, RP_CHUNK_BAD_TRAILER);
            return;
        }
        d->state = RP_CHUNK_TRAILER_LF;
    }
    else if (c == '\n') {
        chunk_fail(d, RP_CHUNK_BAD_END);
    }
    else if (d->line_colon ? rp_ch_is(c, RP_CH_CTL)
                           : !rp_ch_is(c, RP_CH_TCHAR) && !(c == ':' && d->line_started)) {
        chunk_fail(d, RP_CHUNK_BAD_TRAILER);
    }
    else {
        d->line_started = 1;
        d->line_colon |= c == ':';
    }
}

/** The LF behind a CR in the trailer section: the end of a line, or of the message. */
static void trailer_line_end(rp_chunk_dec_t *d)
{
    d->state = d->line_started ? RP_CHUNK_TRAILER : RP_CHUNK_DONE;
    d->line_started = 0;
    d->line_colon = 0;
}

/** Count a byte of a line or of the trailer section. @return 0 when there are too many */
static int count_ok(rp_chunk_dec_t *d)
{
    d->line_len++;
    if (d->state <= RP_CHUNK_SIZE_LF && d->line_len > RP_CHUNK_LINE_MAX) {
        chunk_fail(d, RP_CHUNK_LINE_TOO_LONG);
        return 0;
    }
    if (d->state >= RP_CHUNK_TRAILER && d->line_len > RP_CHUNK_TRAILER_MAX) {
        chunk_fail(d, RP_CHUNK_TRAILER_TOO_LARGE);
        return 0;
    }
    return 1;
}

/** One byte in any state but DATA, DONE and FAILED. */
static void framing_byte(rp_chunk_dec_t *d, char c)
{
    if (!count_ok(d)) {
        return;
    }
    switch (d->state) {
    case RP_CHUNK_SIZE: size_byte(d, c); return;
    case RP_CHUNK_EXT: ext_byte(d, c); return;
    case RP_CHUNK_TRAILER: trailer_byte(d, c); return;
    case RP_CHUNK_DATA_CR:
        if (c == '\r') {
            d->state = RP_CHUNK_DATA_LF;
            return;
        }
        break;
    case RP_CHUNK_SIZE_LF:
        if (c == '\n') {
            size_line_end(d);
            return;
        }
        break;
    case RP_CHUNK_DATA_LF:
        if (c == '\n') {
            d->state = RP_CHUNK_SIZE;
            d->line_len = 0;
            return;
        }
        break;
    case RP_CHUNK_TRAILER_LF:
        if (c == '\n') {
            trailer_line_end(d);
            return;
        }
        break;
    default: break;
    }
    chunk_fail(d, RP_CHUNK_BAD_END);
}

apr_status_t rp_chunk_decode(rp_chunk_dec_t *d, const char *in, apr_size_t len,
                             apr_size_t *consumed, rp_slice_t *data)
{
    apr_size_t i = 0;

    data->p = NULL;
    data->n = 0;
    d->trailer.p = NULL;
    d->trailer.n = 0;
    while (i < len && d->state < RP_CHUNK_DONE) {
        int in_trailer = d->state >= RP_CHUNK_TRAILER;

        if (d->state == RP_CHUNK_DATA) {
            apr_size_t n = len - i < d->left ? len - i : (apr_size_t)d->left;

            data->p = in + i;
            data->n = n;
            d->left -= n;
            if (d->left == 0) {
                d->state = RP_CHUNK_DATA_CR;
            }
            *consumed = i + n;
            return APR_SUCCESS;
        }
        framing_byte(d, in[i]);
        if (d->state == RP_CHUNK_FAILED) {
            break;
        }
        if (in_trailer && d->trailer.n++ == 0) {
            d->trailer.p = in + i;
        }
        i++;
    }
    *consumed = i;
    if (d->state == RP_CHUNK_FAILED) {
        return APR_EINVAL;
    }
    return d->state == RP_CHUNK_DONE ? APR_SUCCESS : APR_EAGAIN;
}

apr_size_t rp_chunk_head(char out[RP_CHUNK_HEAD_MAX], apr_uint64_t size)
{
    static const char hex[] = "0123456789abcdef";
    apr_size_t n = 1;
    apr_size_t i;

    while (n < 16 && size >> (4 * n) != 0) {
        n++;
    }
    for (i = n; i > 0; i--) {
        out[i - 1] = hex[size & 15];
        size >>= 4;
    }
    out[n] = '\r';
    out[n + 1] = '\n';
    return n + 2;
}
