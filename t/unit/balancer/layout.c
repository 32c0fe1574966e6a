/* SPDX-License-Identifier: Apache-2.0 */
/* The shared segment: what is refused, settings without torn reads, events, gauges, buckets; with many threads at once. */
#include "../pool_case.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "balancer/layout.h"

#define NBAL 2u
#define NMEM 5u
#define NROWS 4u

static rp_shm_map_t map;
static void *mem;
static apr_size_t size;

static void segment(void)
{
    size = rp_shm_size(NBAL, NMEM, NROWS);
    mem = apr_palloc(pool, size);
    memset(mem, 0xa5, size); /* whatever was there */
    rp_shm_format(mem, size, NBAL, NMEM, NROWS, 7, 1234, &map);
    map.balancers[0].nslots = 3;
    map.balancers[1].first = 3;
    map.balancers[1].nslots = 2;
}

static rp_shm_err_e judge(void)
{
    rp_shm_map_t out;

    return rp_shm_check(mem, size, &out);
}

START_TEST(check_accepts_what_format_made)
{
    rp_shm_map_t out;

    segment();
    ck_assert_int_eq(rp_shm_check(mem, size, &out), RP_SHM_OK);
    ck_assert_ptr_eq(out.header, map.header);
    ck_assert_ptr_eq(out.members, map.members);
    ck_assert_ptr_eq(out.rows, map.rows);
    ck_assert_uint_eq(out.header->generation, 7);
    ck_assert_ptr_eq((char *)rp_shm_row(&out, NROWS - 1) + out.header->row_size, (char *)mem + size);
}
END_TEST

START_TEST(check_refuses_each_changed_byte_of_the_header)
{
    apr_size_t i, n = offsetof(rp_shm_header_t, check) + sizeof(apr_uint32_t);

    segment();
    for (i = 0; i < n; i++) {
        ((unsigned char *)mem)[i] ^= 0x10;
        ck_assert_msg(judge() != RP_SHM_OK, "byte %d", (int)i);
        ((unsigned char *)mem)[i] ^= 0x10;
    }
    ck_assert_int_eq(judge(), RP_SHM_OK);
}
END_TEST

START_TEST(check_names_what_is_wrong)
{
    segment();
    ck_assert_int_eq(rp_shm_check(mem, sizeof(rp_shm_header_t) - 1, &map), RP_SHM_SHORT);
    ck_assert_int_eq(rp_shm_check(mem, size - 64, &map), RP_SHM_OTHER_SIZES);
    map.header->layout++;
    ck_assert_int_eq(judge(), RP_SHM_OTHER_LAYOUT);
    map.header->magic++;
    ck_assert_int_eq(judge(), RP_SHM_FOREIGN);
    memset(mem, 0, size);
    ck_assert_int_eq(judge(), RP_SHM_FOREIGN);
    ck_assert_str_eq(rp_shm_err_str(RP_SHM_FOREIGN), "belongs to something else");
    ck_assert_str_eq(rp_shm_err_str(RP_SHM_TORN), "is torn: its checksum is wrong");
}
END_TEST

START_TEST(check_refuses_slots_outside_of_the_segment)
{
    segment();
    map.balancers[1].nslots = 3;
    ck_assert_int_eq(judge(), RP_SHM_TORN);
    segment();
    map.balancers[1].first = 2;
    ck_assert_int_eq(judge(), RP_SHM_TORN);
    segment();
    map.balancers[0].nslots = 0xffffffffu;
    ck_assert_int_eq(judge(), RP_SHM_TORN);
    segment();
    map.balancers[0].nconfigured = 4;
    ck_assert_int_eq(judge(), RP_SHM_TORN);
    segment();
    memset(map.balancers[0].name, 'x', sizeof(map.balancers[0].name));
    ck_assert_int_eq(judge(), RP_SHM_TORN);
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_are_what_was_written_last)
{
    rp_member_settings_t in, out;
    rp_balancer_settings_t b, c;
    rp_health_settings_t h, k;
    int i;

    segment();
    memset(&in, 0, sizeof(in));
    memset(&b, 0, sizeof(b));
    memset(&h, 0, sizeof(h));
    for (i = 1; i < 5; i++) {
        in.weight_x100 = b.maxattempts = i;
        h.passes = (apr_uint32_t)i;
        rp_shm_member_write(&map.members[1], &in);
        rp_shm_balancer_write(&map.balancers[1], &b);
        rp_shm_health_write(&map.members[1], &h);
        ck_assert_int_eq(rp_shm_member_read(&map.members[1], &out), APR_SUCCESS);
        ck_assert_int_eq(rp_shm_balancer_read(&map.balancers[1], &c), APR_SUCCESS);
        ck_assert_int_eq(rp_shm_health_read(&map.members[1], &k), APR_SUCCESS);
        ck_assert(memcmp(&in, &out, sizeof(in)) == 0 && memcmp(&b, &c, sizeof(b)) == 0 && memcmp(&h, &k, sizeof(h)) == 0);
    }
    ck_assert_int_eq(rp_shm_member_read(&map.members[0], &out), APR_SUCCESS);
    ck_assert_int_eq(out.weight_x100, 0);
    ck_assert_int_eq(rp_shm_member_read(&map.members[2], &out), APR_SUCCESS);
    ck_assert_int_eq(out.weight_x100, 0);
    ck_assert_int_eq(judge(), RP_SHM_OK);
}
END_TEST

/* A writer that died on the way: half of the other copy is new, the version is not. */
START_TEST(settings_outlive_a_writer_that_dies)
{
    rp_member_settings_t in, out;

    segment();
    memset(&in, 0, sizeof(in));
    in.lbset = 1;
    rp_shm_member_write(&map.members[0], &in);
    memset(&map.members[0].settings[(map.members[0].version + 1) & 1], 0x55, sizeof(in) / 2);
    ck_assert_int_eq(rp_shm_member_read(&map.members[0], &out), APR_SUCCESS);
    ck_assert(memcmp(&in, &out, sizeof(in)) == 0);
    in.lbset = 2;
    rp_shm_member_write(&map.members[0], &in);
    ck_assert_int_eq(rp_shm_member_read(&map.members[0], &out), APR_SUCCESS);
    ck_assert(memcmp(&in, &out, sizeof(in)) == 0);
}
END_TEST

/* ---- many threads ---- */

#define READERS 6
#define WRITES 20000

static int stop;
static int torn, reads;

static void *reader(void *unused)
{
    rp_member_settings_t s;

    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        int i, n;

        if (rp_shm_member_read(&map.members[0], &s) != APR_SUCCESS) {
            continue;
        }
        n = s.weight_x100;
        __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
        for (i = 0; i < RP_SHM_WORD_SIZE; i++) {
            if (s.route[i] != (char)n || s.redirect[i] != (char)n || s.lbset != n || s.room[8] != (apr_uint64_t)n) {
                __atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
            }
        }
    }
    return NULL;
}

START_TEST(settings_are_never_torn)
{
    pthread_t t[READERS];
    rp_member_settings_t s;
    int i;

    segment();
    memset(&s, 0, sizeof(s));
    for (i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_create(&t[i], NULL, reader, NULL), 0);
    }
    for (i = 1; i <= WRITES; i++) {
        s.weight_x100 = s.lbset = i;
        memset(s.route, i, sizeof(s.route));
        memset(s.redirect, i, sizeof(s.redirect));
        s.room[8] = (apr_uint64_t)i;
        rp_shm_member_write(&map.members[0], &s);
    }
    while (__atomic_load_n(&reads, __ATOMIC_RELAXED) < READERS * 10) {
        (void)sched_yield();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    }
    ck_assert_int_eq(torn, 0);
}
END_TEST

#define ADDERS 4
#define ADDS 5000

static void *adder(void *arg)
{
    rp_shm_row_t *row = rp_shm_row_claim(&map, (apr_uint32_t)(apr_uintptr_t)arg);
    int i;

    row = row != NULL ? row : rp_shm_row_spare(&map);
    for (i = 0; i < ADDS; i++) {
        rp_shm_event_add(&map, i, (apr_uint32_t)(apr_uintptr_t)arg, i, "an event");
        rp_shm_observe(&map.members[0].times[0], i);
        __atomic_fetch_add(&row->busy[i % NMEM], 1, __ATOMIC_SEQ_CST);
        (void)rp_shm_busy(&map, 0);
    }
    return NULL;
}

START_TEST(counts_of_many_threads_add_up)
{
    pthread_t t[ADDERS];
    rp_shm_event_t e;
    apr_uint64_t n = 0, i, whole = 0;

    segment();
    for (i = 0; i < ADDERS; i++) {
        ck_assert_int_eq(pthread_create(&t[i], NULL, adder, (void *)(apr_uintptr_t)(i + 100)), 0);
    }
    for (i = 0; i < ADDERS; i++) {
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    }
    for (i = 0; i < RP_SHM_BUCKETS; i++) {
        n += map.members[0].times[0].count[i];
    }
    ck_assert_uint_eq(n, ADDERS * ADDS);
    ck_assert_uint_eq(map.members[0].times[0].sum_us, (apr_uint64_t)ADDERS * ADDS * (ADDS - 1) / 2);
    ck_assert_uint_eq(map.header->events, ADDERS * ADDS);
    for (i = 0, n = 0; i < NMEM; i++) {
        n += rp_shm_busy(&map, (apr_uint32_t)i);
    }
    ck_assert_uint_eq(n, ADDERS * ADDS);
    for (i = ADDERS * ADDS - RP_SHM_EVENTS + 1; i <= ADDERS * ADDS; i++) {
        whole += (apr_uint64_t)rp_shm_event_read(&map, i, &e);
    }
    ck_assert_uint_ge(whole, RP_SHM_EVENTS - ADDERS); /* two threads may meet in a slot: then it is skipped */
}
END_TEST

/* ---- events ---- */

START_TEST(events_are_read_by_number_while_they_last)
{
    rp_shm_event_t e;
    char text[600];
    int i;

    segment();
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(rp_shm_event_read(&map, 0, &e), 0);
    ck_assert_int_eq(rp_shm_event_read(&map, 1, &e), 0);
    rp_shm_event_add(&map, 99, 1, -1, "first");
    rp_shm_event_add(&map, 100, 0, 3, text);
    ck_assert_int_eq(rp_shm_event_read(&map, 1, &e), 1);
    ck_assert_str_eq(e.text, "first");
    ck_assert_int_eq(e.at, 99);
    ck_assert_int_eq(e.member, -1);
    ck_assert_int_eq(rp_shm_event_read(&map, 2, &e), 1);
    ck_assert_uint_eq(strlen(e.text), RP_SHM_EVENT_SIZE - 1);
    for (i = 0; i < RP_SHM_EVENTS; i++) {
        rp_shm_event_add(&map, i, 0, 0, "more");
    }
    ck_assert_int_eq(rp_shm_event_read(&map, 1, &e), 0);
    ck_assert_int_eq(rp_shm_event_read(&map, 3, &e), 1);
    map.events[2].text[0] ^= 1; /* number 3: half written by somebody who died */
    ck_assert_int_eq(rp_shm_event_read(&map, 3, &e), 0);
}
END_TEST

/* ---- gauges ---- */

START_TEST(the_row_of_a_dead_process_counts_no_more)
{
    rp_shm_row_t *a, *b, *c;

    segment();
    ck_assert_uint_eq(rp_shm_busy(&map, 2), 0);
    a = rp_shm_row_claim(&map, 11);
    b = rp_shm_row_claim(&map, 12);
    c = rp_shm_row_claim(&map, 13);
    ck_assert(a != NULL && b != NULL && c != NULL && a != b && b != c);
    ck_assert_ptr_null(rp_shm_row_claim(&map, 14)); /* the last one is nobody's own */
    ck_assert_ptr_eq(rp_shm_row_spare(&map), rp_shm_row(&map, NROWS - 1));
    a->busy[2] = 3;
    b->busy[2] = 4;
    b->busy[NMEM - 1] = 1;
    rp_shm_row_spare(&map)->busy[2] = 10;
    ck_assert_uint_eq(rp_shm_busy(&map, 2), 17);
    ck_assert_int_eq(rp_shm_row_release(&map, 99), 0);
    ck_assert_int_eq(rp_shm_row_release(&map, 12), 1);
    ck_assert_uint_eq(rp_shm_busy(&map, 2), 13);
    ck_assert_uint_eq(rp_shm_busy(&map, NMEM - 1), 0);
    ck_assert_ptr_eq(rp_shm_row_claim(&map, 15), b);
    ck_assert_uint_eq(b->busy[2], 0);
}
END_TEST

/* ---- codes, buckets ---- */

START_TEST(codes_of_a_list)
{
    unsigned char bits[RP_SHM_CODES_SIZE];

    rp_shm_codes_set(bits, "500,503 599,100");
    ck_assert(rp_shm_codes_has(bits, 500) && rp_shm_codes_has(bits, 503) && rp_shm_codes_has(bits, 599) && rp_shm_codes_has(bits, 100));
    ck_assert(!rp_shm_codes_has(bits, 501) && !rp_shm_codes_has(bits, 0) && !rp_shm_codes_has(bits, -5) && !rp_shm_codes_has(bits, 600));
    rp_shm_codes_set(bits, "5000,50,1502,99,600,000000502x,504");
    ck_assert(!rp_shm_codes_has(bits, 500) && !rp_shm_codes_has(bits, 502) && rp_shm_codes_has(bits, 504));
    rp_shm_codes_set(bits, NULL);
    ck_assert(!rp_shm_codes_has(bits, 504));
}
END_TEST

START_TEST(buckets_end_where_they_say)
{
    rp_shm_histogram_t h;
    int i;

    memset(&h, 0, sizeof(h));
    for (i = 0; i < RP_SHM_BUCKETS - 1; i++) {
        ck_assert(i == 0 || rp_shm_bucket_us(i) > rp_shm_bucket_us(i - 1));
        rp_shm_observe(&h, rp_shm_bucket_us(i));
        rp_shm_observe(&h, rp_shm_bucket_us(i) + 1);
    }
    ck_assert_uint_eq(h.count[0], 1);
    for (i = 1; i < RP_SHM_BUCKETS - 1; i++) {
        ck_assert_uint_eq(h.count[i], 2);
    }
    ck_assert_uint_eq(h.count[RP_SHM_BUCKETS - 1], 1);
    rp_shm_observe(&h, -5);
    ck_assert_uint_eq(h.count[0], 2);
}
END_TEST

/* The sums of all at once are those of each alone, wherever the first one is. */
START_TEST(sums_of_gauges_at_once)
{
    static char place[1 << 20] __attribute__((aligned(64)));
    apr_uint32_t out[16] __attribute__((aligned(8)));
    rp_shm_map_t m;
    rp_shm_row_t *rows[2];

    ck_assert_uint_le(rp_shm_size(1, 16, 3), sizeof(place));
    rp_shm_format(place, rp_shm_size(1, 16, 3), 1, 16, 3, 1, 1, &m);
    rows[0] = rp_shm_row_claim(&m, 11);
    rows[1] = rp_shm_row_claim(&m, 12);
    for (apr_uint32_t i = 0; i < 16; i++) {
        rows[0]->busy[i] = i;
        rows[1]->busy[i] = 100 * i;
    }
    for (apr_uint32_t first = 0; first < 4; first++) {
        for (apr_uint32_t n = 0; n <= 16 - first; n++) {
            rp_shm_busy_all(&m, first, n, out);
            for (apr_uint32_t i = 0; i < n; i++) {
                ck_assert_uint_eq(out[i], rp_shm_busy(&m, first + i));
                ck_assert_uint_eq(out[i], 101 * (first + i));
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("layout");
    TCase *tc = case_new(s, "check");

    tcase_add_test(tc, sums_of_gauges_at_once);
    tcase_add_test(tc, check_accepts_what_format_made);
    tcase_add_test(tc, check_refuses_each_changed_byte_of_the_header);
    tcase_add_test(tc, check_names_what_is_wrong);
    tcase_add_test(tc, check_refuses_slots_outside_of_the_segment);
    tc = case_new(s, "settings");
    tcase_add_test(tc, settings_are_what_was_written_last);
    tcase_add_test(tc, settings_outlive_a_writer_that_dies);
    tc = case_new(s, "threads");
    tcase_add_test(tc, settings_are_never_torn);
    tcase_add_test(tc, counts_of_many_threads_add_up);
    tc = case_new(s, "others");
    tcase_add_test(tc, events_are_read_by_number_while_they_last);
    tcase_add_test(tc, the_row_of_a_dead_process_counts_no_more);
    tcase_add_test(tc, codes_of_a_list);
    tcase_add_test(tc, buckets_end_where_they_say);
    return suite_main(s);
}
