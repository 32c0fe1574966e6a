/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/persist_keep.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "balancer/settings.h"

/** A number of a member that goes on: 4 or 8 bytes of the slot. */
typedef struct number_t {
    const char *key;
    apr_size_t offset, size;
} number_t;

#define N(member) {#member, offsetof(rp_shm_member_t, member), sizeof(((rp_shm_member_t *)0)->member)}
#define R(i) {"responses_" #i "xx", offsetof(rp_shm_member_t, responses[i - 1]), sizeof(apr_uint64_t)}
static const number_t numbers[] = { N(status_runtime),
                                    N(elected),
                                    N(sent),
                                    N(received),
                                    N(failed),
                                    R(1),
                                    R(2),
                                    R(3),
                                    R(4),
                                    R(5),
                                    N(connect_errors),
                                    N(timeouts),
                                    N(closes),
                                    N(errors_set),
                                    N(checks),
                                    N(checks_failed),
                                    N(checks_changed),
                                    N(retries),
                                    N(error_why),
                                    N(error_status),
                                    N(latency_us) };
#define NNUMBERS ((int)(sizeof(numbers) / sizeof(numbers[0])))

static const char *const times_keys[RP_TIMES_COUNT] = {"times_connect", "times_first_byte", "times_total"};

/* ---- writing ---- */

/** Where rows go. */
typedef struct out_t {
    apr_pool_t *pool;
    apr_array_header_t *rows;
    const char *scope, *balancer, *member;
} out_t;

static void row(const out_t *o, const char *key, const char *configured, const char *value)
{
    rp_persist_row_t *r = apr_array_push(o->rows);

    r->scope = o->scope;
    r->balancer = o->balancer;
    r->member = o->member;
    r->key = key;
    r->configured = configured;
    r->value = value;
}

static const char *u64(apr_pool_t *pool, apr_uint64_t n) { return apr_psprintf(pool, "%" APR_UINT64_T_FMT, n); }

static apr_uint64_t number_get(const number_t *n, const rp_shm_member_t *m)
{
    apr_uint32_t small;
    apr_uint64_t big;

    if (n->size == sizeof(small)) {
        memcpy(&small, (const char *)m + n->offset, sizeof(small));
        return small;
    }
    memcpy(&big, (const char *)m + n->offset, sizeof(big));
    return big;
}

static const char *setting_write(apr_pool_t *pool, const rp_setting_t *s, const void *settings)
{
    const char *at = (const char *)settings + s->offset;
    apr_int32_t number;
    apr_int64_t us;

    if (s->kind == RP_SETTING_TEXT) {
        return apr_pstrndup(pool, at, s->size);
    }
    if (s->kind == RP_SETTING_CODES) {
        return apr_pescape_hex(pool, at, s->size, 0);
    }
    if (s->kind == RP_SETTING_TIME) {
        memcpy(&us, at, sizeof(us));
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, us);
    }
    memcpy(&number, at, sizeof(number));
    return apr_itoa(pool, number);
}

static void settings_write(const out_t *o, const rp_setting_t *rows, int n, apr_uint32_t runtime,
                           const apr_uint32_t *configured, const void *settings)
{
    int i;

    for (i = 0; i < n; i++) {
        if (runtime & 1u << rows[i].field) {
            row(o, rows[i].key, u64(o->pool, configured[rows[i].field]), setting_write(o->pool, &rows[i], settings));
        }
    }
}

static void changed_write(const out_t *o, apr_time_t at, const char *why)
{
    if (at > 0) {
        row(o, "changed_at", NULL, u64(o->pool, (apr_uint64_t)at));
        row(o, "changed_why", NULL, apr_pstrndup(o->pool, why, RP_SHM_REASON_SIZE));
    }
}

static const char *times_write(apr_pool_t *pool, const rp_shm_histogram_t *h)
{
    const char *text = u64(pool, h->sum_us);
    int i;

    for (i = 0; i < RP_SHM_BUCKETS; i++) {
        text = apr_psprintf(pool, "%s,%" APR_UINT64_T_FMT, text, h->count[i]);
    }
    return text;
}

static void member_write(out_t *o, const rp_shm_member_t *m, rp_persist_now_t now)
{
    rp_member_settings_t s;
    int i, n;
    const rp_setting_t *rows = rp_member_setting_rows(&n);

    if (rp_shm_member_read(m, &s) != APR_SUCCESS) {
        return;
    }
    o->member = apr_pstrdup(o->pool, s.url);
    row(o, "status", u64(o->pool, m->configured_status), u64(o->pool, m->status));
    row(o, "added", NULL, s.added ? "1" : "0");
    settings_write(o, rows, n, s.runtime, m->configured, &s);
    changed_write(o, s.changed_at, s.changed_why);
    if (s.drain_until != 0) {
        row(o, "drain_until", NULL, u64(o->pool, (apr_uint64_t)s.drain_until));
        row(o, "drain_then", NULL, u64(o->pool, s.drain_then));
    }
    for (i = 0; i < NNUMBERS; i++) {
        apr_uint64_t value = number_get(&numbers[i], m);
        if (value != 0) {
            row(o, numbers[i].key, NULL, u64(o->pool, value));
        }
    }
    if ((m->status & RP_ST_IN_ERROR) && m->error_us > 0) {
        row(o, "error_at", NULL, u64(o->pool, (apr_uint64_t)(now.wall - (now.mono_us - m->error_us))));
    }
    for (i = 0; i < RP_TIMES_COUNT; i++) {
        row(o, times_keys[i], NULL, times_write(o->pool, &m->times[i]));
    }
}

void rp_persist_rows(apr_pool_t *pool, const rp_kept_t *kept, const char *name, rp_persist_now_t now,
                     apr_array_header_t *rows)
{
    out_t o = {pool, rows, kept->key, name, NULL};
    rp_balancer_settings_t s;
    int i, n;
    const rp_setting_t *table = rp_balancer_setting_rows(&n);

    if (rp_shm_balancer_read(&kept->balancer, &s) == APR_SUCCESS) {
        settings_write(&o, table, n, s.runtime, kept->balancer.configured, &s);
        changed_write(&o, s.changed_at, s.changed_why);
    }
    row(&o, "unanswered", NULL, u64(pool, kept->balancer.unanswered));
    row(&o, "forced_recoveries", NULL, u64(pool, kept->balancer.forced_recoveries));
    for (i = 0; i < kept->nmembers; i++) {
        member_write(&o, &kept->members[i], now);
    }
}

/* ---- reading ---- */

/** A balancer that is being read. */
typedef struct in_balancer_t {
    rp_kept_t kept;
    rp_balancer_settings_t settings;
    apr_array_header_t *members; /**< of in_member_t * */
} in_balancer_t;

typedef struct in_member_t {
    rp_shm_member_t shm;
    rp_member_settings_t settings;
} in_member_t;

/* A whole number of [0-9]; 0: it is none, or more than max. */
static int number_read(const char *text, apr_uint64_t max, apr_uint64_t *out)
{
    apr_uint64_t n = 0;

    if (*text == '\0') {
        return 0;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        apr_uint64_t digit = (apr_uint64_t)(*text - '0');
        if (n > (APR_UINT64_MAX - digit) / 10) {
            return 0;
        }
        n = n * 10 + digit;
    }
    *out = n;
    return *text == '\0' && n <= max;
}

static int text_read(const char *text, char *to, apr_size_t size)
{
    if (strlen(text) >= size) {
        return 0;
    }
    rp_setting_text(to, size, text);
    return 1;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static int codes_read(const char *text, unsigned char *to, apr_size_t size)
{
    apr_size_t i;

    for (i = 0; i < size; i++) {
        int high = text[2 * i] ? hex_digit(text[2 * i]) : -1, low = high >= 0 ? hex_digit(text[2 * i + 1]) : -1;
        if (low < 0) {
            return 0;
        }
        to[i] = (unsigned char)(high << 4 | low);
    }
    return text[2 * size] == '\0';
}

/* Limits of the numbers of settings, as the configuration has them. */
static apr_int64_t lowest(const rp_setting_t *s)
{
    return s->kind == RP_SETTING_X100 ? 100 : strcmp(s->key, "maxattempts") == 0 ? -1 : 0;
}

static apr_int64_t highest(const rp_setting_t *s)
{
    switch (s->kind) {
    case RP_SETTING_X100:
        return 10000;
    case RP_SETTING_SWITCH:
        return 1;
    case RP_SETTING_CHAR:
        return 255;
    case RP_SETTING_TIME:
        return apr_time_from_sec((apr_int64_t)INT_MAX);
    default:
        return strcmp(s->key, "lbset") == 0 ? RP_LBSET_MAX : INT_MAX;
    }
}

static int setting_read(const rp_setting_t *s, const char *text, void *settings)
{
    char *at = (char *)settings + s->offset;
    int minus = *text == '-';
    apr_uint64_t n = 0;
    apr_int64_t value;
    apr_int32_t small;

    if (s->kind == RP_SETTING_TEXT) {
        return text_read(text, at, s->size);
    }
    if (s->kind == RP_SETTING_CODES) {
        return codes_read(text, (unsigned char *)at, s->size);
    }
    if (!number_read(text + minus, INT64_MAX, &n)) {
        return 0;
    }
    value = minus ? -(apr_int64_t)n : (apr_int64_t)n;
    if (value < lowest(s) || value > highest(s)) {
        return 0;
    }
    small = (apr_int32_t)value;
    memcpy(at, s->size == sizeof(small) ? (const void *)&small : (const void *)&value, s->size);
    return 1;
}

/* 1 read, 0 wrong, -1 none of these keys. */
static int one_setting(const rp_persist_row_t *r, const rp_setting_t *s, void *settings, apr_uint32_t *runtime,
                       apr_uint32_t *configured)
{
    apr_uint64_t hash;

    if (s == NULL) {
        return -1;
    }
    if (r->configured == NULL || !number_read(r->configured, UINT_MAX, &hash) || !setting_read(s, r->value, settings)) {
        return 0;
    }
    *runtime |= 1u << s->field;
    configured[s->field] = (apr_uint32_t)hash;
    return 1;
}

static int changed_read(const rp_persist_row_t *r, apr_int64_t *at, char *why)
{
    apr_uint64_t n;

    if (strcmp(r->key, "changed_at") == 0) {
        int good = number_read(r->value, INT64_MAX, &n);
        *at = good ? (apr_int64_t)n : 0;
        return good;
    }
    return strcmp(r->key, "changed_why") == 0 ? text_read(r->value, why, RP_SHM_REASON_SIZE) : -1;
}

static int balancer_row(const rp_persist_row_t *r, in_balancer_t *b)
{
    int good =
        one_setting(r, rp_balancer_setting(r->key), &b->settings, &b->settings.runtime, b->kept.balancer.configured);

    if (good < 0) {
        good = changed_read(r, &b->settings.changed_at, b->settings.changed_why);
    }
    if (strcmp(r->key, "unanswered") == 0) {
        return number_read(r->value, APR_UINT64_MAX, &b->kept.balancer.unanswered);
    }
    if (strcmp(r->key, "forced_recoveries") == 0) {
        return number_read(r->value, APR_UINT64_MAX, &b->kept.balancer.forced_recoveries);
    }
    return good;
}

static int times_read(const char *text, rp_shm_histogram_t *h)
{
    apr_uint64_t *to[RP_SHM_BUCKETS + 1];
    char piece[24];
    int i;

    to[0] = &h->sum_us;
    for (i = 0; i < RP_SHM_BUCKETS; i++) {
        to[i + 1] = &h->count[i];
    }
    for (i = 0; i <= RP_SHM_BUCKETS; i++) {
        apr_size_t n = strcspn(text, ",");
        if (n >= sizeof(piece) || (text[n] == '\0') != (i == RP_SHM_BUCKETS)) {
            return 0;
        }
        apr_cpystrn(piece, text, n + 1);
        if (!number_read(piece, APR_UINT64_MAX, to[i])) {
            return 0;
        }
        text += n + 1;
    }
    return 1;
}

static int member_number(const rp_persist_row_t *r, in_member_t *m)
{
    apr_uint64_t n;
    apr_uint32_t small;
    int i;

    for (i = 0; i < NNUMBERS; i++) {
        if (strcmp(r->key, numbers[i].key) == 0) {
            int is_small = numbers[i].size == sizeof(small);
            if (!number_read(r->value, is_small ? UINT_MAX : APR_UINT64_MAX, &n)) {
                return 0;
            }
            small = (apr_uint32_t)n;
            memcpy((char *)&m->shm + numbers[i].offset, is_small ? (const void *)&small : (const void *)&n,
                   numbers[i].size);
            return 1;
        }
    }
    for (i = 0; i < RP_TIMES_COUNT; i++) {
        if (strcmp(r->key, times_keys[i]) == 0) {
            return times_read(r->value, &m->shm.times[i]);
        }
    }
    return -1;
}

static int member_status(const rp_persist_row_t *r, in_member_t *m)
{
    apr_uint64_t status, configured;

    if (r->configured == NULL || !number_read(r->value, UINT_MAX, &status)
        || !number_read(r->configured, UINT_MAX, &configured)) {
        return 0;
    }
    m->shm.status = (apr_uint32_t)status;
    m->shm.configured_status = (apr_uint32_t)configured;
    return 1;
}

static int member_row(const rp_persist_row_t *r, in_member_t *m, rp_persist_now_t now)
{
    apr_uint64_t n = 0;
    int good;

    if (strcmp(r->key, "status") == 0) {
        return member_status(r, m);
    }
    if (strcmp(r->key, "added") == 0 || strcmp(r->key, "drain_then") == 0) {
        good = number_read(r->value, r->key[0] == 'a' ? 1 : RP_DRAIN_REMOVED, &n);
        *(r->key[0] == 'a' ? &m->settings.added : &m->settings.drain_then) = (apr_uint32_t)n;
        return good;
    }
    if (strcmp(r->key, "drain_until") == 0 || strcmp(r->key, "error_at") == 0) {
        good = number_read(r->value, INT64_MAX, &n);
        if (r->key[0] == 'd') {
            m->settings.drain_until = (apr_int64_t)n;
        } else if ((apr_time_t)n <= now.wall
                   && now.wall - (apr_time_t)n < now.mono_us) { /* else the machine was started since */
            m->shm.error_us = now.mono_us - (now.wall - (apr_time_t)n);
        }
        return good;
    }
    good = one_setting(r, rp_member_setting(r->key), &m->settings, &m->settings.runtime, m->shm.configured);
    good = good < 0 ? changed_read(r, &m->settings.changed_at, m->settings.changed_why) : good;
    return good < 0 ? member_number(r, m) : good;
}

/* ---- the whole ---- */

static in_balancer_t *balancer_for(apr_pool_t *pool, apr_array_header_t *all, const rp_persist_row_t *r)
{
    in_balancer_t *b;
    int i;

    for (i = all->nelts - 1; i >= 0; i--) {
        b = APR_ARRAY_IDX(all, i, in_balancer_t *);
        if (strcmp(b->kept.key, r->scope) == 0) {
            return b;
        }
    }
    b = apr_pcalloc(pool, sizeof(*b));
    b->kept.key = r->scope;
    b->members = apr_array_make(pool, 8, sizeof(in_member_t *));
    APR_ARRAY_PUSH(all, in_balancer_t *) = b;
    return b;
}

/* NULL: its name is too long. */
static in_member_t *member_for(apr_pool_t *pool, in_balancer_t *b, const char *url)
{
    in_member_t *m;
    int i;

    for (i = b->members->nelts - 1; i >= 0; i--) {
        m = APR_ARRAY_IDX(b->members, i, in_member_t *);
        if (strcmp(m->settings.url, url) == 0) {
            return m;
        }
    }
    m = apr_pcalloc(pool, sizeof(*m));
    m->shm.status = RP_ST_INITIALIZED;
    m->settings.state = RP_SLOT_USED;
    APR_ARRAY_PUSH(b->members, in_member_t *) = m;
    return text_read(url, m->settings.url, sizeof(m->settings.url)) ? m : NULL;
}

static rp_kept_t *balancer_done(apr_pool_t *pool, in_balancer_t *b)
{
    int i;

    rp_shm_balancer_write(&b->kept.balancer, &b->settings);
    b->kept.nmembers = b->members->nelts;
    b->kept.members = apr_pcalloc(pool, sizeof(rp_shm_member_t) * (apr_size_t)(b->kept.nmembers + 1));
    for (i = 0; i < b->kept.nmembers; i++) {
        in_member_t *m = APR_ARRAY_IDX(b->members, i, in_member_t *);
        rp_shm_member_write(&m->shm, &m->settings);
        b->kept.members[i] = m->shm;
    }
    return &b->kept;
}

rp_keep_t *rp_persist_keep(apr_pool_t *pool, const apr_array_header_t *rows, rp_persist_now_t now, const char **why)
{
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(in_balancer_t *));
    rp_keep_t *keep = apr_pcalloc(pool, sizeof(*keep));
    int i;

    *why = NULL;
    for (i = 0; i < rows->nelts; i++) {
        const rp_persist_row_t *r = &APR_ARRAY_IDX(rows, i, rp_persist_row_t);
        in_balancer_t *b = balancer_for(pool, all, r);
        in_member_t *m = r->member != NULL ? member_for(pool, b, r->member) : NULL;

        if ((r->member != NULL && m == NULL) || (m != NULL ? member_row(r, m, now) : balancer_row(r, b)) == 0) {
            *why = apr_psprintf(pool, "%s of %s%s%s is \"%.60s\", which can not be", r->key, r->balancer,
                                r->member ? " " : "", r->member ? r->member : "", r->value);
            return NULL;
        }
    }
    keep->pool = pool;
    keep->balancers = apr_array_make(pool, all->nelts, sizeof(rp_kept_t *));
    keep->events = apr_array_make(pool, 1, sizeof(rp_shm_event_t));
    for (i = 0; i < all->nelts; i++) {
        APR_ARRAY_PUSH(keep->balancers, rp_kept_t *) = balancer_done(pool, APR_ARRAY_IDX(all, i, in_balancer_t *));
    }
    return keep;
}
