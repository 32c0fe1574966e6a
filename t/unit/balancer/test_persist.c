/* SPDX-License-Identifier: Apache-2.0 */
/* The state file: what is written is read; what was damaged is refused as a whole, wherever the damage is; a writer
 * that dies leaves the old text or the new one. */
#include <apr_strings.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../pool_case.h"
#include "balancer/persist.h"

static const rp_persist_row_t sample[] = {
    {"front.test:8080", "balancer://a", NULL, "lbmethod", "byrequests", "bytraffic"},
    {"front.test:8080", "balancer://a", "http://127.0.0.1:1", "route", "", "node 1%"},
    {"front.test:8080", "balancer://a", "http://127.0.0.1:1", "loadfactor", NULL, "250"},
    {"", "balancer://b", "unix:/run/x|http://h", "redirect", "-", "\xc3\xa4\n\t\"<&>"},
};

static apr_array_header_t *rows_of(const rp_persist_row_t *rows, int n)
{
    apr_array_header_t *all = apr_array_make(pool, 4, sizeof(rp_persist_row_t));
    int i;

    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(all, rp_persist_row_t) = rows[i];
    }
    return all;
}

static void same_text(const char *a, const char *b)
{
    ck_assert((a == NULL) == (b == NULL));
    if (a != NULL) {
        ck_assert_str_eq(a, b);
    }
}

static void same_rows(const apr_array_header_t *got, const rp_persist_row_t *want, int n)
{
    int i;

    ck_assert_int_eq(got->nelts, n);
    for (i = 0; i < n; i++) {
        const rp_persist_row_t *row = &APR_ARRAY_IDX(got, i, rp_persist_row_t);
        same_text(row->scope, want[i].scope);
        same_text(row->balancer, want[i].balancer);
        same_text(row->member, want[i].member);
        same_text(row->key, want[i].key);
        same_text(row->configured, want[i].configured);
        same_text(row->value, want[i].value);
    }
}

static const char *sample_text(apr_size_t *len)
{
    const char *text;

    ck_assert_int_eq(rp_persist_encode(pool, rows_of(sample, ROWS(sample)), &text, len), APR_SUCCESS);
    return text;
}

START_TEST(rows_come_back_as_they_were)
{
    apr_array_header_t *rows;
    const char *why;
    apr_size_t len;
    const char *text = sample_text(&len);

    ck_assert_int_eq(rp_persist_decode(pool, text, len, &rows, &why), APR_SUCCESS);
    same_rows(rows, sample, ROWS(sample));
    ck_assert_int_eq(rp_persist_encode(pool, rows_of(sample, 0), &text, &len), APR_SUCCESS);
    ck_assert_int_eq(rp_persist_decode(pool, text, len, &rows, &why), APR_SUCCESS);
    ck_assert_int_eq(rows->nelts, 0);
}
END_TEST

START_TEST(file_cut_at_any_length_is_refused)
{
    apr_array_header_t *rows;
    apr_size_t len, n;
    const char *text = sample_text(&len), *why;

    for (n = 0; n < len; n++) {
        char *cut = apr_pmemdup(pool, text, n + 1); /* nothing readable behind it but one byte */
        ck_assert_int_eq(rp_persist_decode(pool, cut, n, &rows, &why), APR_EINVAL);
        ck_assert_ptr_nonnull(why);
    }
}
END_TEST

START_TEST(file_with_any_byte_changed_is_refused)
{
    static const unsigned char by[] = {0x01, 0x20, 0x80, 0xff, 0x0a, 0x10};
    apr_array_header_t *rows;
    apr_size_t len, i, k;
    const char *text = sample_text(&len), *why;
    char *bad = apr_pmemdup(pool, text, len);

    for (i = 0; i < len; i++) {
        for (k = 0; k < sizeof(by); k++) {
            bad[i] = (char)((unsigned char)text[i] ^ by[k]);
            ck_assert_int_eq(rp_persist_decode(pool, bad, len, &rows, &why), APR_EINVAL);
        }
        bad[i] = text[i];
    }
}
END_TEST

START_TEST(file_with_more_behind_it_is_refused)
{
    apr_array_header_t *rows;
    apr_size_t len;
    const char *text = sample_text(&len), *why, *longer = apr_pstrcat(pool, text, "\n", NULL);
    const char *twice = apr_pstrcat(pool, text, text, NULL);

    ck_assert_int_eq(rp_persist_decode(pool, longer, len + 1, &rows, &why), APR_EINVAL);
    ck_assert_int_eq(rp_persist_decode(pool, twice, 2 * len, &rows, &why), APR_EINVAL);
}
END_TEST

START_TEST(limits_are_kept)
{
    char *field = apr_pcalloc(pool, RP_PERSIST_FIELD_MAX + 2);
    rp_persist_row_t row = {"s", "balancer://b", NULL, "route", NULL, field};
    apr_array_header_t *rows;
    const char *text, *why;
    apr_size_t len;

    memset(field, '\n', RP_PERSIST_FIELD_MAX);
    ck_assert_int_eq(rp_persist_encode(pool, rows_of(&row, 1), &text, &len), APR_SUCCESS);
    ck_assert_int_eq(rp_persist_decode(pool, text, len, &rows, &why), APR_SUCCESS);
    field[RP_PERSIST_FIELD_MAX] = 'x';
    ck_assert_int_eq(rp_persist_encode(pool, rows_of(&row, 1), &text, &len), APR_ENOSPC);
}
END_TEST

START_TEST(file_is_read_as_it_was_written)
{
    char folder[] = "/tmp/persistXXXXXX";
    const char *path, *text, *got;
    apr_size_t len, n;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = apr_pstrcat(pool, folder, "/state", NULL);
    text = sample_text(&len);
    ck_assert_int_eq(rp_persist_read(pool, path, &got, &n), APR_ENOENT);
    ck_assert_int_eq(rp_persist_write(pool, path, text, len), APR_SUCCESS);
    ck_assert_int_eq(rp_persist_read(pool, path, &got, &n), APR_SUCCESS);
    ck_assert_int_eq(n, len);
    ck_assert_mem_eq(got, text, len);
    ck_assert_int_eq(chmod(path, 0620), 0);
    ck_assert_int_eq(rp_persist_read(pool, path, &got, &n), APR_EACCES);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(rp_persist_read(pool, path, &got, &n), APR_EACCES);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(rp_persist_read(pool, path, &got, &n), APR_EACCES);
    ck_assert_int_eq(rp_persist_write(pool, path, text, len), APR_SUCCESS); /* the link, not what it names */
    ck_assert_int_eq(rp_persist_read(pool, path, &got, &n), APR_SUCCESS);
    unlink(path);
    rmdir(folder);
    ck_assert_int_ne(rp_persist_write(pool, path, text, len), APR_SUCCESS);
}
END_TEST

/* Version k of the state, of a size that differs from that of its neighbours. */
static const char *version(int k, apr_size_t *len)
{
    apr_array_header_t *rows = apr_array_make(pool, 64, sizeof(rp_persist_row_t));
    const char *text;
    int i;

    for (i = 0; i < 40 + 200 * (k % 3); i++) {
        rp_persist_row_t row = { "s",          "balancer://b", apr_psprintf(pool, "http://h:%d", i),
                                 "loadfactor", NULL,           apr_itoa(pool, k) };
        APR_ARRAY_PUSH(rows, rp_persist_row_t) = row;
    }
    ck_assert_int_eq(rp_persist_encode(pool, rows, &text, len), APR_SUCCESS);
    return text;
}

#define WRITES 200

/* The child writes version after version, and says each number once it is done. */
static void writer(const char *path, int said)
{
    int k;

    for (k = 1; k <= WRITES; k++) {
        apr_size_t len;
        const char *text = version(k, &len);
        char byte = (char)k;
        if (rp_persist_write(pool, path, text, len) != APR_SUCCESS || write(said, &byte, 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

/* Kill a writer after it said `after` numbers and `spin` looks at the folder; the last number it said. */
static int killed_writer(const char *path, int after, int spin)
{
    int ends[2], done = 0, status;
    unsigned char byte;
    struct stat st;
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(ends[0]);
        writer(path, ends[1]);
    }
    close(ends[1]);
    while (done < after && read(ends[0], &byte, 1) == 1) {
        done = byte;
    }
    while (spin-- > 0) {
        (void)stat(path, &st);
    }
    kill(pid, SIGKILL);
    while (read(ends[0], &byte, 1) == 1) {
        done = byte;
    }
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return done;
}

START_TEST(killed_writer_leaves_the_old_text_or_the_new)
{
    char folder[] = "/tmp/persistXXXXXX";
    const char *path, *text, *why;
    apr_array_header_t *rows;
    unsigned seed = 4711;
    apr_size_t len;
    int round;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = apr_pstrcat(pool, folder, "/state", NULL);
    for (round = 0; round < 25; round++) {
        int done, got;

        seed = seed * 1103515245u + 12345u;
        done = killed_writer(path, 1 + (int)(seed >> 16) % 40, (int)(seed >> 8) % 3000);
        ck_assert_int_eq(rp_persist_read(pool, path, &text, &len), APR_SUCCESS);
        ck_assert_int_eq(rp_persist_decode(pool, text, len, &rows, &why), APR_SUCCESS);
        got = (int)apr_atoi64(APR_ARRAY_IDX(rows, 0, rp_persist_row_t).value);
        ck_assert_msg(got == done || got == done + 1, "written %d, found %d", done, got);
        ck_assert_int_eq(rows->nelts, 40 + 200 * (got % 3));
    }
    unlink(path);
    unlink(apr_pstrcat(pool, path, ".new", NULL));
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("balancer/persist");
    TCase *tc = case_new(s, "persist");

    tcase_add_test(tc, rows_come_back_as_they_were);
    tcase_add_test(tc, file_cut_at_any_length_is_refused);
    tcase_add_test(tc, file_with_any_byte_changed_is_refused);
    tcase_add_test(tc, file_with_more_behind_it_is_refused);
    tcase_add_test(tc, limits_are_kept);
    tcase_add_test(tc, file_is_read_as_it_was_written);
    tcase_add_test(tc, killed_writer_leaves_the_old_text_or_the_new);
    return suite_main(s);
}
