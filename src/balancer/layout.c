/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/layout.h"

#include <stddef.h>
#include <string.h>

#define READ_RETRIES 16 /* each is one more change that was made while we copied */

/* ---- the segment as a whole ---- */

const char *rp_shm_err_str(rp_shm_err_e err)
{
    static const char *const text[] = {"is as it should be", "is too short for its header", "belongs to something else",
                                       "has another layout", "has other sizes than it says", "is torn: its checksum is wrong"};

    return text[err];
}

apr_uint32_t rp_shm_hash(const void *bytes, apr_size_t n)
{
    const unsigned char *p = bytes;
    apr_uint32_t h = 2166136261u;

    while (n-- > 0) {
        h = (h ^ *p++) * 16777619u;
    }
    return h;
}

static apr_uint32_t header_check(const rp_shm_header_t *h)
{
    return rp_shm_hash(h, offsetof(rp_shm_header_t, check));
}

static apr_uint64_t row_size(apr_uint32_t nmembers)
{
    return APR_ALIGN(sizeof(rp_shm_row_t) + (apr_uint64_t)nmembers * sizeof(apr_uint32_t), 64);
}

apr_size_t rp_shm_size(apr_uint32_t nbalancers, apr_uint32_t nmembers, apr_uint32_t nrows)
{
    return sizeof(rp_shm_header_t) + (apr_size_t)nbalancers * sizeof(rp_shm_balancer_t)
           + (apr_size_t)nmembers * sizeof(rp_shm_member_t) + (apr_size_t)RP_SHM_EVENTS * sizeof(rp_shm_event_t)
           + (apr_size_t)nrows * row_size(nmembers);
}

static void map_make(void *mem, rp_shm_map_t *out)
{
    out->header = mem;
    out->balancers = (rp_shm_balancer_t *)((char *)mem + sizeof(rp_shm_header_t));
    out->members = (rp_shm_member_t *)(out->balancers + out->header->nbalancers);
    out->events = (rp_shm_event_t *)(out->members + out->header->nmembers);
    out->rows = (char *)(out->events + RP_SHM_EVENTS);
}

void rp_shm_format(void *mem, apr_size_t size, apr_uint32_t nbalancers, apr_uint32_t nmembers, apr_uint32_t nrows,
                   apr_uint64_t generation, apr_time_t now, rp_shm_map_t *out)
{
    rp_shm_header_t *h = mem;

    memset(mem, 0, size);
    h->magic = RP_SHM_MAGIC;
    h->layout = RP_SHM_LAYOUT;
    h->header_size = sizeof(rp_shm_header_t);
    h->balancer_size = sizeof(rp_shm_balancer_t);
    h->member_size = sizeof(rp_shm_member_t);
    h->event_size = sizeof(rp_shm_event_t);
    h->nbalancers = nbalancers;
    h->nmembers = nmembers;
    h->nevents = RP_SHM_EVENTS;
    h->nrows = nrows;
    h->row_size = row_size(nmembers);
    h->total_size = size;
    h->generation = generation;
    h->created_at = now;
    h->check = header_check(h);
    map_make(mem, out);
}

static int sizes_fit(const rp_shm_header_t *h, apr_size_t size)
{
    return h->header_size == sizeof(rp_shm_header_t) && h->balancer_size == sizeof(rp_shm_balancer_t)
           && h->member_size == sizeof(rp_shm_member_t) && h->event_size == sizeof(rp_shm_event_t) && h->nevents == RP_SHM_EVENTS
           && h->row_size == row_size(h->nmembers) && h->total_size == size
           && rp_shm_size(h->nbalancers, h->nmembers, h->nrows) == size;
}

/* The slots of a balancer are in the segment, and begin where those of the one before end. */
static int slots_fit(const rp_shm_map_t *map)
{
    apr_uint32_t i, next = 0;

    for (i = 0; i < map->header->nbalancers; i++) {
        const rp_shm_balancer_t *b = &map->balancers[i];

        if (b->first != next || b->nslots > map->header->nmembers - next || b->nconfigured > b->nslots
            || memchr(b->name, '\0', sizeof(b->name)) == NULL) {
            return 0;
        }
        next += b->nslots;
    }
    return next == map->header->nmembers;
}

rp_shm_err_e rp_shm_check(void *mem, apr_size_t size, rp_shm_map_t *out)
{
    const rp_shm_header_t *h = mem;

    if (size < sizeof(*h)) {
        return RP_SHM_SHORT;
    }
    if (h->magic != RP_SHM_MAGIC) {
        return RP_SHM_FOREIGN;
    }
    if (h->layout != RP_SHM_LAYOUT) {
        return RP_SHM_OTHER_LAYOUT;
    }
    if (h->check != header_check(h)) {
        return RP_SHM_TORN;
    }
    if (!sizes_fit(h, size)) {
        return RP_SHM_OTHER_SIZES;
    }
    map_make(mem, out);
    return slots_fit(out) ? RP_SHM_OK : RP_SHM_TORN;
}

/* ---- settings ---- */

/*
 * Word by word, so that what another process changes at the same moment is old or new, never undefined. Acquire and release for each:
 * who reads one word of a change sees the version that was published before that change began.
 */
static void words_copy(void *to, const void *from, apr_size_t n)
{
    apr_uint64_t *out = to;
    const apr_uint64_t *in = from;
    apr_size_t i;

    for (i = 0; i < n / sizeof(*in); i++) {
        __atomic_store_n(&out[i], __atomic_load_n(&in[i], __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
    }
}

/* Both copies stand one behind the other at `both`; version % 2 says which one holds. */
static apr_status_t copy_read(const apr_uint32_t *version, const void *both, apr_size_t n, void *out)
{
    int i;

    for (i = 0; i < READ_RETRIES; i++) {
        apr_uint32_t before = __atomic_load_n(version, __ATOMIC_ACQUIRE);

        words_copy(out, (const char *)both + (before & 1) * n, n);
        if (__atomic_load_n(version, __ATOMIC_RELAXED) == before) {
            return APR_SUCCESS;
        }
    }
    return APR_EAGAIN;
}

static void copy_write(apr_uint32_t *version, void *both, apr_size_t n, const void *in)
{
    apr_uint32_t now = __atomic_load_n(version, __ATOMIC_RELAXED);

    words_copy((char *)both + ((now + 1) & 1) * n, in, n);
    __atomic_store_n(version, now + 1, __ATOMIC_RELEASE);
}

apr_status_t rp_shm_member_read(const rp_shm_member_t *m, rp_member_settings_t *out)
{
    return copy_read(&m->version, m->settings, sizeof(*out), out);
}

apr_status_t rp_shm_balancer_read(const rp_shm_balancer_t *b, rp_balancer_settings_t *out)
{
    return copy_read(&b->version, b->settings, sizeof(*out), out);
}

apr_status_t rp_shm_health_read(const rp_shm_member_t *m, rp_health_settings_t *out)
{
    return copy_read(&m->health_version, m->health, sizeof(*out), out);
}

void rp_shm_member_write(rp_shm_member_t *m, const rp_member_settings_t *settings)
{
    copy_write(&m->version, m->settings, sizeof(*settings), settings);
}

void rp_shm_balancer_write(rp_shm_balancer_t *b, const rp_balancer_settings_t *settings)
{
    copy_write(&b->version, b->settings, sizeof(*settings), settings);
}

void rp_shm_health_write(rp_shm_member_t *m, const rp_health_settings_t *health)
{
    copy_write(&m->health_version, m->health, sizeof(*health), health);
}

/* ---- credits of methods ---- */

static apr_uint32_t earned(const rp_shm_balancer_t *b, apr_int32_t weight_x100)
{
    return __atomic_load_n(&b->rounds, __ATOMIC_RELAXED) * (apr_uint32_t)weight_x100;
}

apr_int32_t rp_shm_credit(const rp_shm_balancer_t *b, const rp_shm_member_t *m, apr_int32_t weight_x100)
{
    return (apr_int32_t)((apr_uint32_t)__atomic_load_n(&m->lbstatus, __ATOMIC_RELAXED) + earned(b, weight_x100));
}

void rp_shm_credit_clear(const rp_shm_balancer_t *b, rp_shm_member_t *m, apr_int32_t weight_x100)
{
    __atomic_store_n(&m->lbstatus, (apr_int32_t)(0u - earned(b, weight_x100)), __ATOMIC_RELAXED);
}

/* ---- status codes ---- */

void rp_shm_codes_set(unsigned char *bits, const char *list)
{
    const char *p = list;

    memset(bits, 0, RP_SHM_CODES_SIZE);
    while (p != NULL && *p != '\0') {
        unsigned code = 0;
        int digits = 0;

        while (*p >= '0' && *p <= '9') {
            code = digits++ < 4 ? code * 10 + (unsigned)(*p - '0') : 0;
            p++;
        }
        if (digits == 3 && code >= 100 && code <= 599) {
            bits[(code - 100) / 8] |= (unsigned char)(1u << (code - 100) % 8);
        }
        p += digits == 0;
    }
}

int rp_shm_codes_has(const unsigned char *bits, int code)
{
    return code >= 100 && code <= 599 && (bits[(code - 100) / 8] >> (code - 100) % 8 & 1);
}

/* ---- times ---- */

apr_interval_time_t rp_shm_bucket_us(int i)
{
    static const apr_interval_time_t ends[RP_SHM_BUCKETS - 1] = {
        500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000};

    return ends[i];
}

void rp_shm_observe(rp_shm_histogram_t *h, apr_interval_time_t us)
{
    int i = 0;

    us = us > 0 ? us : 0;
    while (i < RP_SHM_BUCKETS - 1 && us > rp_shm_bucket_us(i)) {
        i++;
    }
    __atomic_fetch_add(&h->count[i], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&h->sum_us, (apr_uint64_t)us, __ATOMIC_RELAXED);
}

/* ---- events ---- */

#define EVENT_BODY (sizeof(rp_shm_event_t) - offsetof(rp_shm_event_t, at))

static apr_uint64_t event_check(const rp_shm_event_t *e)
{
    rp_shm_event_t copy = *e;

    copy.check = 0;
    return rp_shm_hash(&copy, sizeof(copy));
}

void rp_shm_event_add(const rp_shm_map_t *map, apr_time_t now, apr_uint32_t balancer, apr_int32_t member, const char *text)
{
    rp_shm_event_t event;
    rp_shm_event_t *slot;
    apr_size_t n = strlen(text);

    memset(&event, 0, sizeof(event));
    event.number = __atomic_add_fetch(&map->header->events, 1, __ATOMIC_ACQ_REL);
    event.at = now;
    event.balancer = balancer;
    event.member = member;
    memcpy(event.text, text, n < sizeof(event.text) ? n : sizeof(event.text) - 1);
    event.check = event_check(&event);
    slot = &map->events[(event.number - 1) % RP_SHM_EVENTS];
    __atomic_store_n(&slot->number, 0, __ATOMIC_RELAXED);
    words_copy(&slot->at, &event.at, EVENT_BODY);
    __atomic_store_n(&slot->number, event.number, __ATOMIC_RELEASE);
}

int rp_shm_event_read(const rp_shm_map_t *map, apr_uint64_t number, rp_shm_event_t *out)
{
    const rp_shm_event_t *slot;

    if (number == 0) {
        return 0;
    }
    slot = &map->events[(number - 1) % RP_SHM_EVENTS];
    out->number = __atomic_load_n(&slot->number, __ATOMIC_ACQUIRE);
    words_copy(&out->at, &slot->at, EVENT_BODY);
    return out->number == number && out->check == event_check(out) && out->text[RP_SHM_EVENT_SIZE - 1] == '\0';
}

/* ---- gauges ---- */

rp_shm_row_t *rp_shm_row(const rp_shm_map_t *map, apr_uint32_t i)
{
    return (rp_shm_row_t *)(map->rows + (apr_size_t)i * map->header->row_size);
}

static void rows_used_raise(rp_shm_header_t *h, apr_uint32_t n)
{
    apr_uint32_t used = __atomic_load_n(&h->rows_used, __ATOMIC_RELAXED);

    while (used < n && !__atomic_compare_exchange_n(&h->rows_used, &used, n, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
}

rp_shm_row_t *rp_shm_row_claim(const rp_shm_map_t *map, apr_uint32_t pid)
{
    apr_uint32_t i;

    for (i = 0; i + 1 < map->header->nrows; i++) {
        rp_shm_row_t *row = rp_shm_row(map, i);
        apr_uint32_t expected = 0;

        if (__atomic_compare_exchange_n(&row->pid, &expected, pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            rows_used_raise(map->header, i + 1);
            return row;
        }
    }
    return NULL;
}

rp_shm_row_t *rp_shm_row_spare(const rp_shm_map_t *map)
{
    rows_used_raise(map->header, map->header->nrows);
    return rp_shm_row(map, map->header->nrows - 1);
}

int rp_shm_row_release(const rp_shm_map_t *map, apr_uint32_t pid)
{
    apr_uint32_t i, k;

    for (i = 0; i + 1 < map->header->nrows; i++) {
        rp_shm_row_t *row = rp_shm_row(map, i);

        if (__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE) != pid) {
            continue;
        }
        for (k = 0; k < map->header->nmembers; k++) {
            __atomic_store_n(&row->busy[k], 0, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&row->pid, 0, __ATOMIC_RELEASE);
        return 1;
    }
    return 0;
}

apr_uint32_t rp_shm_busy(const rp_shm_map_t *map, apr_uint32_t member)
{
    apr_uint32_t i, n = __atomic_load_n(&map->header->rows_used, __ATOMIC_SEQ_CST), sum = 0;

    for (i = 0; i < n; i++) {
        sum += __atomic_load_n(&rp_shm_row(map, i)->busy[member], __ATOMIC_SEQ_CST);
    }
    return sum;
}

/* Two gauges at once: a sum of gauges is far from the upper half of its word. */
typedef apr_uint64_t __attribute__((may_alias)) two_t;

static apr_uint32_t add_pairs(const apr_uint32_t *busy, apr_uint32_t n, apr_uint32_t *out)
{
    apr_uint32_t k;

#pragma GCC unroll 4
    for (k = 0; k < n / 2; k++) {
        ((two_t *)(void *)out)[k] += __atomic_load_n(&((const two_t *)(const void *)busy)[k], __ATOMIC_RELAXED);
    }
    return n / 2 * 2;
}

void rp_shm_busy_all(const rp_shm_map_t *map, apr_uint32_t first, apr_uint32_t n, apr_uint32_t *out)
{
    apr_uint32_t rows = __atomic_load_n(&map->header->rows_used, __ATOMIC_SEQ_CST), i, k;

    memset(out, 0, n * sizeof(*out));
    for (i = 0; i < rows; i++) {
        const apr_uint32_t *busy = &rp_shm_row(map, i)->busy[first];

        for (k = (apr_uintptr_t)busy % sizeof(two_t) == 0 ? add_pairs(busy, n, out) : 0; k < n; k++) {
            out[k] += __atomic_load_n(&busy[k], __ATOMIC_RELAXED);
        }
    }
}
