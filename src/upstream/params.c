/* SPDX-License-Identifier: Apache-2.0 */
/* Rows at work: find, set, merge, and the sentences. */
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "upstream/params_int.h"

#define QUOTE_MAX 64

const rp_param_row_t *rp_param_find(const rp_param_table_t *t, const char *key)
{
    int i;

    for (i = 0; i < t->nrows; i++) {
        if (apr_cstr_casecmp(t->rows[i].key, key) == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

const char *rp_param_quote(apr_pool_t *pool, const char *value)
{
    static const char hex[] = "0123456789abcdef";
    char *out = apr_palloc(pool, QUOTE_MAX * 4 + 6);
    char *p = out;
    int i;

    *p++ = '"';
    for (i = 0; i < QUOTE_MAX && value[i] != '\0'; i++) {
        unsigned char c = (unsigned char)value[i];

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            *p++ = (char)c;
        }
        else {
            *p++ = '\\';
            *p++ = 'x';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    if (value[i] != '\0') {
        memcpy(p, "...", 3);
        p += 3;
    }
    *p++ = '"';
    *p = '\0';
    return out;
}

/* ---- sentences ---- */

static const char *words_text(apr_pool_t *pool, const char *const *words)
{
    const char *out = apr_pstrcat(pool, "one of ", words[0], NULL);
    int i;

    for (i = 1; words[i] != NULL; i++) {
        out = apr_pstrcat(pool, out, ", ", words[i], NULL);
    }
    return out;
}

static const char *time_text(apr_pool_t *pool, const rp_param_row_t *row)
{
    return apr_psprintf(pool,
                        "a time of at least %" APR_INT64_T_FMT
                        " ms (a number of %s, or with suffix ms, s, mi or h)",
                        row->min / RP_MSEC_US, row->unit == RP_SEC_US ? "seconds" : "milliseconds");
}

static const char *size_text(apr_pool_t *pool, const rp_param_row_t *row)
{
    if (row->zero_means > 0) {
        return apr_psprintf(pool,
                            "0 (for %" APR_INT64_T_FMT
                            ") or a whole number of bytes from %" APR_INT64_T_FMT
                            " to %" APR_INT64_T_FMT,
                            row->zero_means, row->min, row->max);
    }
    return apr_psprintf(
        pool, "0 or a whole number of bytes from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
        row->min, row->max);
}

const char *rp_param_range(apr_pool_t *pool, const rp_param_row_t *row)
{
    switch (row->kind) {
    case RP_PARAM_INT:
        return apr_psprintf(pool, "a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
                            row->min, row->max);
    case RP_PARAM_DECIMAL_X100:
        return apr_psprintf(pool,
                            "a number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                            ", with at most a decimal point",
                            row->min / 100, row->max / 100);
    case RP_PARAM_TIME:
        return time_text(pool, row);
    case RP_PARAM_SECONDS:
        return apr_psprintf(
            pool, "a whole number of seconds from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
            row->min, row->max);
    case RP_PARAM_SWITCH:
    case RP_PARAM_SWITCH_INVERTED:
        return "On or Off";
    case RP_PARAM_STRING:
        return apr_psprintf(
            pool, "a text of %s%" APR_INT64_T_FMT " characters without control characters",
            row->min > 0 ? "1 to " : "at most ", row->max);
    case RP_PARAM_ENUM:
    case RP_PARAM_WORD:
        return words_text(pool, row->words);
    case RP_PARAM_STATUS:
        return "letters from DSIHRENCOGUF with + or - before them";
    case RP_PARAM_CHAR_OR_OFF:
        return "one character, or Off";
    case RP_PARAM_CODES:
        return apr_psprintf(pool,
                            "a list of status codes from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                            " with commas between them",
                            row->min, row->max);
    case RP_PARAM_SIZE:
        return size_text(pool, row);
    case RP_PARAM_PROTOCOLS:
        return apr_psprintf(pool,
                            "a list of protocol names with commas between them, ANY or NONE, at "
                            "most %" APR_INT64_T_FMT " characters",
                            row->max);
    case RP_PARAM_STICKY:
        return apr_psprintf(
            pool, "a name, or COOKIE|PARAMETER, of at most %" APR_INT64_T_FMT " characters",
            row->max);
    }
    return "legal";
}

/* Differences between two short words: insert, drop, replace. More than 3 is not worth counting. */
static int distance(const char *a, const char *b)
{
    int row[40], i, j;
    int la = (int)strlen(a), lb = (int)strlen(b);

    if (la > 30 || lb > 30) {
        return 99;
    }
    for (j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (i = 1; i <= la; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= lb; j++) {
            int same = diagonal + ((a[i - 1] | 0x20) != (b[j - 1] | 0x20));
            int best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            diagonal = row[j];
            row[j] = same < best ? same : best;
        }
    }
    return row[lb];
}

static const char *nearest(const rp_param_table_t *t, const char *key)
{
    const char *best = NULL;
    int best_distance = 3;
    int i;

    for (i = 0; i < t->nrows; i++) {
        int d = distance(key, t->rows[i].key);

        if (d < best_distance) {
            best_distance = d;
            best = t->rows[i].key;
        }
    }
    return best;
}

static const char *unknown_key(apr_pool_t *pool, const rp_param_table_t *t,
                               const rp_param_table_t *other, const char *key)
{
    const rp_param_row_t *misplaced = rp_param_find(other, key);
    const char *near;

    if (misplaced != NULL) {
        return apr_psprintf(
            pool, "%s is a parameter of a %s, not of a %s; write it %s", misplaced->key,
            other->thing, t->thing,
            strcmp(other->thing, "balancer") == 0
                ? "on the ProxyPass line or in a ProxySet of the balancer:// URL"
                : "on the BalancerMember or on the ProxyPass line of the backend's own URL");
    }
    near = nearest(t, key);
    return apr_psprintf(pool, "unknown %s parameter %s; %s%s%s", t->thing,
                        rp_param_quote(pool, key),
                        near ? "did you mean " : "the manual's page on parameters lists them all",
                        near ? near : "", near ? "?" : "");
}

/* ---- set and merge ---- */

static apr_uint64_t *written_of(const rp_param_table_t *t, void *params)
{
    return (apr_uint64_t *)((char *)params + t->written_offset);
}

const char *rp_param_set(apr_pool_t *pool, const rp_param_table_t *t, const rp_param_table_t *other,
                         void *params, const char *key, const char *value)
{
    const rp_param_row_t *row = rp_param_find(t, key);

    if (row == NULL) {
        return unknown_key(pool, t, other, key);
    }
    if (rp_param_value_parse(pool, row, value, (char *)params + row->offset) != APR_SUCCESS) {
        return apr_psprintf(pool, "%s: %s is not %s; write for example %s=%s", row->key,
                            rp_param_quote(pool, value), rp_param_range(pool, row), row->key,
                            row->example);
    }
    *written_of(t, params) |= (apr_uint64_t)1 << (row - t->rows);
    return NULL;
}

static apr_size_t member_size(const rp_param_row_t *row)
{
    switch (row->kind) {
    case RP_PARAM_TIME:
        return sizeof(apr_interval_time_t);
    case RP_PARAM_SIZE:
        return sizeof(apr_int64_t);
    case RP_PARAM_SWITCH:
    case RP_PARAM_SWITCH_INVERTED:
        return sizeof(rp_switch_e);
    case RP_PARAM_STRING:
    case RP_PARAM_WORD:
    case RP_PARAM_CODES:
    case RP_PARAM_PROTOCOLS:
    case RP_PARAM_STICKY:
        return sizeof(const char *);
    default:
        return sizeof(int);
    }
}

/* Flags add up: what add sets or clears overrides base bit by bit. */
static void merge_status(unsigned *base, const unsigned *add)
{
    base[0] = (base[0] & ~add[1]) | add[0];
    base[1] = (base[1] & ~add[0]) | add[1];
}

void rp_param_merge(const rp_param_table_t *t, void *base, const void *add)
{
    apr_uint64_t written = *(const apr_uint64_t *)((const char *)add + t->written_offset);
    int i;

    for (i = 0; i < t->nrows; i++) {
        const rp_param_row_t *row = &t->rows[i];
        char *to = (char *)base + row->offset;
        const char *from = (const char *)add + row->offset;

        if (!(written & ((apr_uint64_t)1 << i))) {
            continue;
        }
        if (row->kind == RP_PARAM_STATUS) {
            merge_status((unsigned *)to, (const unsigned *)from);
        }
        else {
            memcpy(to, from, member_size(row));
        }
    }
    *written_of(t, base) |= written;
}
