/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key=value parameters. Input: one byte (bit 0: those of a balancer), then lines key=value. Held: a
 * refused value leaves no trace and is told in one line of printable characters that names a next
 * step; an accepted one lies within the range of its row, and merges into an empty set as it is;
 * a time is the same in another unit.
 */
#include "fuzz_wire.h"

#include <apr_strings.h>

#include "upstream/params_int.h"

typedef union params_t {
    rp_worker_params_t worker;
    rp_balancer_params_t balancer;
} params_t;

static void init(params_t *p, int is_balancer)
{
    memset(p, 0, sizeof(*p));
    if (is_balancer) {
        rp_balancer_params_init(&p->balancer);
    }
    else {
        rp_worker_params_init(&p->worker);
    }
}

static void check_sentence(const char *s)
{
    size_t n = strlen(s);

    FUZZ_ASSERT(n > 20 && n < 1000);
    for (; *s; s++) {
        FUZZ_ASSERT(*s >= 0x20 && *s < 0x7f);
    }
}

static void check_string(const rp_param_row_t *row, const char *s)
{
    size_t n = s == NULL ? 0 : strlen(s);

    FUZZ_ASSERT(s != NULL);
    if (row->kind == RP_PARAM_STRING || row->kind == RP_PARAM_STICKY) {
        FUZZ_ASSERT((apr_int64_t)n >= row->min && (apr_int64_t)n <= row->max);
    }
    for (; row->kind != RP_PARAM_CODES && *s; s++) {
        FUZZ_ASSERT((unsigned char)*s >= 0x20 && *s != 0x7f);
    }
}

/* The member that an accepted value went to. */
static void check_member(const rp_param_row_t *row, const void *params)
{
    const char *m = (const char *)params + row->offset;
    apr_int64_t v;

    switch (row->kind) {
    case RP_PARAM_INT:
    case RP_PARAM_DECIMAL_X100:
    case RP_PARAM_SECONDS:
        v = *(const int *)m;
        FUZZ_ASSERT(v >= row->min && v <= row->max);
        break;
    case RP_PARAM_TIME:
        v = *(const apr_interval_time_t *)m;
        FUZZ_ASSERT(v >= row->min && v <= row->max && v % 1000 == 0);
        break;
    case RP_PARAM_SIZE:
        v = *(const apr_int64_t *)m;
        FUZZ_ASSERT(v == row->zero_means || (v >= row->min && v <= row->max));
        break;
    case RP_PARAM_SWITCH:
    case RP_PARAM_SWITCH_INVERTED:
        v = *(const rp_switch_e *)m;
        FUZZ_ASSERT(v == RP_ON || v == RP_OFF);
        break;
    case RP_PARAM_CHAR_OR_OFF:
        v = *(const int *)m;
        FUZZ_ASSERT(v == 0 || (v >= 0x20 && v <= 255 && v != 0x7f));
        break;
    case RP_PARAM_STATUS:
        FUZZ_ASSERT((((const unsigned *)m)[0] & ((const unsigned *)m)[1]) == 0);
        FUZZ_ASSERT((((const unsigned *)m)[0] | ((const unsigned *)m)[1]) != 0);
        break;
    case RP_PARAM_ENUM:
        v = *(const int *)m;
        FUZZ_ASSERT(v >= 0 && v < 8 && row->words[v] != NULL);
        break;
    default:
        check_string(row, *(const char *const *)m);
        break;
    }
}

static const char *set(apr_pool_t *pool, params_t *p, int is_balancer, const char *k, const char *v)
{
    return is_balancer ? rp_balancer_param_set(pool, &p->balancer, k, v)
                       : rp_worker_param_set(pool, &p->worker, k, v);
}

static void merge(params_t *base, const params_t *add, int is_balancer)
{
    if (is_balancer) {
        rp_balancer_params_merge(&base->balancer, &add->balancer);
    }
    else {
        rp_worker_params_merge(&base->worker, &add->worker);
    }
}

/* One line alone in an empty set, and in the set of all. */
static void try_line(apr_pool_t *pool, params_t *all, int is_balancer, const char *k, const char *v)
{
    const rp_param_row_t *row = rp_param_find(is_balancer ? &rp_balancer_param_table : &rp_worker_param_table, k);
    params_t before, alone, copy;
    const char *err;

    before = *all;
    err = set(pool, all, is_balancer, k, v);
    if (err != NULL) {
        check_sentence(err);
        FUZZ_ASSERT(memcmp(&before, all, sizeof(before)) == 0);
        return;
    }
    FUZZ_ASSERT(row != NULL);
    init(&alone, is_balancer);
    FUZZ_ASSERT(set(pool, &alone, is_balancer, k, v) == NULL);
    check_member(row, &alone);
    init(&copy, is_balancer);
    merge(&copy, &alone, is_balancer);
    FUZZ_ASSERT(memcmp(&copy, &alone, sizeof(copy)) == 0);
}

static void try_time(const char *v)
{
    apr_int64_t us, ms;

    if (rp_param_time_parse(v, RP_SEC_US, &us) != APR_SUCCESS) {
        return;
    }
    FUZZ_ASSERT(us >= 0 && us % 1000 == 0);
    FUZZ_ASSERT(rp_param_time_parse(v, RP_MSEC_US, &ms) == APR_SUCCESS);
    FUZZ_ASSERT(ms == us || ms * 1000 == us); /* with a suffix, without */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    params_t all;
    char *text, *line, *next;

    if (size == 0) {
        return 0;
    }
    init(&all, data[0] & 1);
    text = fuzz_string(data + 1, size - 1);
    for (line = text; line != NULL; line = next) {
        char *eq;

        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        eq = strchr(line, '=');
        if (eq != NULL) {
            *eq = '\0';
        }
        try_line(pool, &all, data[0] & 1, line, eq != NULL ? eq + 1 : "");
        try_time(eq != NULL ? eq + 1 : line);
    }
    if (data[0] & 1) {
        rp_balancer_params_defaults(&all.balancer);
    }
    else {
        rp_worker_params_defaults(&all.worker);
    }
    free(text);
    return 0;
}
