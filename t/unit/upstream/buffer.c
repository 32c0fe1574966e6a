/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: room as promised, kept by the thread that frees them up to its limit, gone with it, freed on any thread. */
#include "upstream_unit.h"

#include <pthread.h>
#include <string.h>

#include "upstream/buffer.h"

START_TEST(room_is_what_was_asked_for_or_more)
{
    static const apr_size_t sizes[] = {1, 100, RP_BUFFER_RECORD, RP_BUFFER_RECORD + 1, RP_BUFFER_SMALL, RP_BUFFER_SMALL + 1, RP_BUFFER_LARGE, RP_BUFFER_LARGE + 1, 1 << 20};
    int i;

    for (i = 0; i < ROWS(sizes); i++) {
        char *buf = rp_buffer_get(sizes[i]);

        ck_assert_uint_ge(rp_buffer_room(sizes[i]), sizes[i]);
        memset(buf, 'x', rp_buffer_room(sizes[i]));
        rp_buffer_free(buf);
    }
    ck_assert_uint_eq(rp_buffer_room(1), RP_BUFFER_RECORD);
    ck_assert_uint_eq(rp_buffer_room(RP_BUFFER_RECORD + 1), RP_BUFFER_SMALL);
    ck_assert_uint_eq(rp_buffer_room(RP_BUFFER_SMALL + 1), RP_BUFFER_LARGE);
    ck_assert_uint_eq(rp_buffer_room(RP_BUFFER_LARGE + 1), RP_BUFFER_LARGE + 1);
    rp_buffer_free(NULL);
}
END_TEST

START_TEST(freed_buffer_is_the_next_one_of_its_kind)
{
    char *small = rp_buffer_get(RP_BUFFER_RECORD + 1), *large = rp_buffer_get(RP_BUFFER_LARGE);

    rp_buffer_free(small);
    rp_buffer_free(large);
    ck_assert_ptr_eq(rp_buffer_get(RP_BUFFER_LARGE - 1), large);
    ck_assert_ptr_eq(rp_buffer_get(RP_BUFFER_SMALL), small);
    rp_buffer_free(small);
    rp_buffer_free(large);
}
END_TEST

/* Free n of a size at once. @return how many of that kind this thread keeps then */
static int kept_of(int n, apr_size_t size)
{
    char *mine[RP_BUFFER_KEEP_MAX + 8];
    int i;

    for (i = 0; i < n; i++) {
        mine[i] = rp_buffer_get(size);
    }
    ck_assert_int_eq(rp_buffer_kept(size), 0);
    for (i = 0; i < n; i++) {
        rp_buffer_free(mine[i]);
    }
    return rp_buffer_kept(size);
}

START_TEST(thread_keeps_as_many_as_it_said)
{
    ck_assert_int_eq(kept_of(3, RP_BUFFER_RECORD), 2);
    ck_assert_int_eq(kept_of(3, RP_BUFFER_SMALL), 1);
    ck_assert_int_eq(kept_of(3, RP_BUFFER_LARGE), 1);
    rp_buffer_keep(3, 4, 2);
    ck_assert_int_eq(kept_of(8, 1), 3);
    ck_assert_int_eq(kept_of(8, RP_BUFFER_SMALL), 4);
    ck_assert_int_eq(kept_of(8, RP_BUFFER_LARGE), 2);
    rp_buffer_keep(0, 1 << 20, 0);
    ck_assert_int_eq(kept_of(RP_BUFFER_KEEP_MAX + 8, RP_BUFFER_SMALL), RP_BUFFER_KEEP_MAX);
    ck_assert_int_eq(kept_of(8, RP_BUFFER_LARGE), 0);
    ck_assert_int_eq(kept_of(3, RP_BUFFER_LARGE + 1), 0);
}
END_TEST

static void *other_thread(void *buf)
{
    char *own = rp_buffer_get(RP_BUFFER_LARGE);

    rp_buffer_keep(2, 2, 2);
    rp_buffer_free(buf);
    rp_buffer_free(own);
    ck_assert_int_eq(rp_buffer_kept(RP_BUFFER_SMALL), 1);
    ck_assert_int_eq(rp_buffer_kept(RP_BUFFER_LARGE), 1);
    return NULL; /* a leak checker says whether they are freed */
}

START_TEST(buffer_goes_to_the_thread_that_frees_it)
{
    pthread_t thread;
    char *buf = rp_buffer_get(RP_BUFFER_SMALL);
    int kept = rp_buffer_kept(RP_BUFFER_SMALL); /* other tests may have left some */

    ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, buf), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(rp_buffer_kept(RP_BUFFER_SMALL), kept);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("buffer");
    TCase *tc = case_new(s, "buffer");

    tcase_add_test(tc, room_is_what_was_asked_for_or_more);
    tcase_add_test(tc, freed_buffer_is_the_next_one_of_its_kind);
    tcase_add_test(tc, thread_keeps_as_many_as_it_said);
    tcase_add_test(tc, buffer_goes_to_the_thread_that_frees_it);
    return suite_main(s);
}
