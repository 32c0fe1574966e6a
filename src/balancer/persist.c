/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/persist.h"

#include <apr_escape.h>
#include <apr_sha1.h>
#include <apr_strings.h>
#include <string.h>

#define HEAD "rproxy-state 1\n"
#define HEAD_LEN (sizeof(HEAD) - 1)
#define FIELDS 6
#define HEX_LEN (2 * APR_SHA1_DIGESTSIZE)
#define END_MAX (4 + 10 + 1 + HEX_LEN + 1) /* "end ", a number, blank, digest, newline */

/* ---- writing ---- */

typedef struct writer_t {
    char *buf;
    apr_size_t n, room;
    apr_pool_t *pool;
} writer_t;

static void put(writer_t *w, const char *bytes, apr_size_t n)
{
    if (w->n + n > w->room) {
        apr_size_t room = (w->n + n) * 2;
        char *grown = apr_palloc(w->pool, room);
        memcpy(grown, w->buf, w->n);
        w->buf = grown;
        w->room = room;
    }
    memcpy(w->buf + w->n, bytes, n);
    w->n += n;
}

static int is_plain(unsigned char c) { return c > 0x20 && c < 0x7f && c != '%'; }

static apr_status_t put_field(writer_t *w, const char *s)
{
    static const char hex[] = "0123456789abcdef";
    const char *start = s;

    if (s == NULL || *s == '\0') {
        put(w, s == NULL ? "-" : "%", 1);
        return APR_SUCCESS;
    }
    if (strcmp(s, "-") == 0) {
        put(w, "%2d", 3);
        return APR_SUCCESS;
    }
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (is_plain(c)) {
            put(w, s, 1);
        }
        else {
            put(w, escaped, 3);
        }
    }
    return s - start > RP_PERSIST_FIELD_MAX ? APR_ENOSPC : APR_SUCCESS;
}

static void digest_hex(const char *text, apr_size_t n, char hex[HEX_LEN + 1])
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t ctx;

    apr_sha1_init(&ctx);
    apr_sha1_update_binary(&ctx, (const unsigned char *)text, (unsigned int)n);
    apr_sha1_final(digest, &ctx);
    (void)apr_escape_hex(hex, digest, sizeof(digest), 0, NULL);
}

static apr_status_t put_row(writer_t *w, const rp_persist_row_t *row)
{
    const char *fields[FIELDS] = {row->scope, row->balancer, row->member, row->key, row->configured, row->value};
    int i;

    put(w, "r", 1);
    for (i = 0; i < FIELDS; i++) {
        put(w, " ", 1);
        if (put_field(w, fields[i]) != APR_SUCCESS) {
            return APR_ENOSPC;
        }
    }
    put(w, "\n", 1);
    return w->n > RP_PERSIST_BYTES_MAX - END_MAX ? APR_ENOSPC : APR_SUCCESS;
}

apr_status_t rp_persist_encode(apr_pool_t *pool, const apr_array_header_t *rows, const char **out, apr_size_t *len)
{
    writer_t w = {apr_palloc(pool, 4096), 0, 4096, pool};
    char hex[HEX_LEN + 1];
    const char *end;
    int i;

    *out = NULL;
    *len = 0;
    if (rows->nelts > RP_PERSIST_ROWS_MAX) {
        return APR_ENOSPC;
    }
    put(&w, HEAD, HEAD_LEN);
    for (i = 0; i < rows->nelts; i++) {
        if (put_row(&w, &APR_ARRAY_IDX(rows, i, rp_persist_row_t)) != APR_SUCCESS) {
            return APR_ENOSPC;
        }
    }
    digest_hex(w.buf, w.n, hex);
    end = apr_psprintf(pool, "end %d %s\n", rows->nelts, hex);
    put(&w, end, strlen(end));
    *out = w.buf;
    *len = w.n;
    return APR_SUCCESS;
}

/* ---- reading ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One field of n bytes. 0: it is not as put_field writes it. */
static int field_decode(apr_pool_t *pool, const char *s, apr_size_t n, const char **out)
{
    char *to = apr_palloc(pool, n + 1), *start = to;
    apr_size_t i;

    *out = NULL;
    if (n == 1 && (*s == '-' || *s == '%')) {
        *out = *s == '-' ? NULL : "";
        return 1;
    }
    for (i = 0; i < n; i++) {
        if (s[i] == '%') {
            int high = i + 2 < n ? hex_value(s[i + 1]) : -1, low = i + 2 < n ? hex_value(s[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                return 0;
            }
            *to++ = (char)(high << 4 | low);
            i += 2;
        }
        else if (is_plain((unsigned char)s[i])) {
            *to++ = s[i];
        }
        else {
            return 0;
        }
    }
    *to = '\0';
    *out = start;
    return n > 0 && to - start <= RP_PERSIST_FIELD_MAX;
}

/* A line "r ..." of n bytes without its newline. */
static int row_decode(apr_pool_t *pool, const char *line, apr_size_t n, rp_persist_row_t *row)
{
    const char **fields[FIELDS] = {&row->scope, &row->balancer, &row->member, &row->key, &row->configured, &row->value};
    const char *p = line + 2, *end = line + n;
    int i;

    if (n < 2 || memcmp(line, "r ", 2) != 0) {
        return 0;
    }
    for (i = 0; i < FIELDS; i++) {
        const char *stop = memchr(p, ' ', (apr_size_t)(end - p));

        if ((stop == NULL) != (i == FIELDS - 1)) {
            return 0;
        }
        stop = stop ? stop : end;
        if (!field_decode(pool, p, (apr_size_t)(stop - p), fields[i])) {
            return 0;
        }
        p = stop + 1;
    }
    return row->scope != NULL && row->balancer != NULL && row->key != NULL && row->value != NULL;
}

/* Where the last line begins, or NULL. */
static const char *last_line(const char *text, apr_size_t len)
{
    const char *p = text + len - 1;

    if (len < HEAD_LEN + 1 || *p != '\n') {
        return NULL;
    }
    while (p > text && p[-1] != '\n') {
        p--;
    }
    return p;
}

static apr_status_t refuse(const char **why, const char *sentence)
{
    *why = sentence;
    return APR_EINVAL;
}

apr_status_t rp_persist_decode(apr_pool_t *pool, const char *text, apr_size_t len, apr_array_header_t **rows,
                               const char **why)
{
    char hex[HEX_LEN + 1];
    const char *end, *p;

    *rows = apr_array_make(pool, 64, sizeof(rp_persist_row_t));
    *why = NULL;
    if (len < HEAD_LEN || memcmp(text, HEAD, HEAD_LEN) != 0) {
        return refuse(why, "it does not begin with \"rproxy-state 1\"");
    }
    end = len <= RP_PERSIST_BYTES_MAX ? last_line(text, len) : NULL;
    if (end == NULL) {
        return refuse(why, "its last line is not whole, or it is too large");
    }
    for (p = text + HEAD_LEN; p < end;) {
        const char *stop = memchr(p, '\n', (apr_size_t)(end - p));
        rp_persist_row_t *row = apr_array_push(*rows);

        if (!row_decode(pool, p, (apr_size_t)(stop - p), row) || (*rows)->nelts > RP_PERSIST_ROWS_MAX) {
            return refuse(why, "a line of it is not one of these files");
        }
        p = stop + 1;
    }
    digest_hex(text, (apr_size_t)(end - text), hex);
    p = apr_psprintf(pool, "end %d %s\n", (*rows)->nelts, hex);
    if (strlen(p) != (apr_size_t)(text + len - end) || memcmp(p, end, strlen(p)) != 0) {
        return refuse(why, "its checksum is wrong");
    }
    return APR_SUCCESS;
}
