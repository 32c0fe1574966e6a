/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: names, own copies, which one a URL belongs to. */
#include "upstream_unit.h"

static apr_array_header_t *workers;
static rp_worker_index_t *indexed;

static void setup(void)
{
    pool_setup();
    workers = apr_array_make(pool, 4, sizeof(rp_worker_t *));
    indexed = rp_worker_index_make(pool);
}

static rp_worker_t *add(const char *text)
{
    rp_url_t url;
    rp_url_err_e err;
    rp_worker_t *w;

    ck_assert_int_eq(rp_url_parse(pool, text, 1, &url, &err), APR_SUCCESS);
    w = rp_worker_create(pool, &url, NULL);
    APR_ARRAY_PUSH(workers, rp_worker_t *) = w;
    rp_worker_index_add(indexed, w);
    return w;
}

START_TEST(worker_name_normal_form_and_socket)
{
    ck_assert_str_eq(add("HTTP://Example.COM:80/A")->name, "http://example.com/A");
    ck_assert_str_eq(add("https://h:444/")->name, "https://h:444/");
    ck_assert_str_eq(add("http://[::1]:81/")->name, "http://[::1]:81/");
    ck_assert_str_eq(add("unix:/run/a.sock|http://h/x")->name, "unix:/run/a.sock|http://h/x");
}
END_TEST

START_TEST(worker_create_fills_and_copies)
{
    char host[] = "example.com";
    rp_url_t url = {.scheme = "https", .host = host, .port = 443, .port_default = 1, .path = "/p"};
    rp_worker_t *w = rp_worker_create(pool, &url, "shown");

    host[0] = 'X';
    ck_assert_str_eq(w->url.host, "example.com");
    ck_assert_str_eq(w->name, "shown");
    ck_assert_str_eq(w->match, "https://example.com/p");
    ck_assert_int_eq(w->is_tls, 1);
    ck_assert_int_eq(w->params.ttl_s, -1);
    ck_assert_int_eq(w->params.reuse, RP_UNSET);
    ck_assert_int_eq(add("http://h/")->is_tls, 0);
    ck_assert_int_eq(add("wss://h/")->is_tls, 1);
    ck_assert_int_eq(add("ws://h/")->is_tls, 0);
}
END_TEST

START_TEST(worker_child_init_twice)
{
    rp_worker_t *w = add("http://h/");

    ck_assert_int_eq(rp_worker_child_init(w, pool), APR_SUCCESS);
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(rp_worker_child_init(w, pool),
                     APR_SUCCESS); /* inherited by several virtual hosts */
    ck_assert_uint_eq(w->stat->in_flight, 1);
    rp_permit_release(w);
}
END_TEST

START_TEST(worker_init_again_in_a_new_child_pool)
{
    rp_worker_t *w = add("http://h/");
    apr_pool_t *child;

    ck_assert_int_eq(apr_pool_create(&child, pool), APR_SUCCESS);
    ck_assert_int_eq(rp_worker_child_init(w, child), APR_SUCCESS);
    w->stat->opened = 5;
    apr_pool_destroy(child);
    ck_assert_int_eq(rp_worker_child_init(w, pool), APR_SUCCESS);
    ck_assert_uint_eq(w->stat->opened, 0);
}
END_TEST

/* Workers in the order of the table; url; which one, -1: none */
static const struct {
    const char *url, *uds;
    int want;
} finds[] = {
    {"http://h/", NULL, 0},
    {"http://h/x", NULL, 0},
    {"http://h", NULL, -1},              /* shorter than the worker */
    {"http://h/app", NULL, 1},
    {"http://h/app/x", NULL, 1},
    {"http://h/apple", NULL, 1},         /* no path boundary */
    {"http://h/ap", NULL, 0},
    {"http://h/App", NULL, 0},           /* paths have case */
    {"http://h:81/", NULL, -1},
    {"http://hh/", NULL, -1},
    {"https://h/", NULL, -1},
    {"http://g", NULL, 2},
    {"http://g/", NULL, 2},
    {"http://g/any", NULL, 2},
    {"http://gg/", NULL, -1},            /* covers not all of the host */
    {"http://g:80800/", NULL, -1},
    {"http://g.evil/", NULL, -1},
    {"http://h/app", "/s", 3},
    {"http://h/", "/s", 3},
    {"http://h/", "/t", -1},             /* two sockets with one name are two workers */
    {"http://g/", "/s", -1},
    {"http://[::1]:8080/x", NULL, 4},
    {"", NULL, -1},
    {"nonsense", NULL, -1},
};

START_TEST(worker_find_longest_prefix_same_socket)
{
    rp_worker_t *w;

    (void)add("http://h/");
    (void)add("http://h/app");
    (void)add("http://g");
    (void)add("unix:/s|http://h/");
    (void)add("http://[::1]:8080/");
    w = rp_worker_index_find(indexed, finds[_i].url, finds[_i].uds);
    if (finds[_i].want < 0) {
        ck_assert_msg(w == NULL, "%s found %s", finds[_i].url, w ? w->name : "");
    }
    else {
        ck_assert_msg(w == APR_ARRAY_IDX(workers, finds[_i].want, rp_worker_t *), "%s found %s",
                      finds[_i].url, w ? w->name : "nothing");
    }
}
END_TEST

/* The same answer as a look at each of them, for many that share beginnings. */
START_TEST(worker_find_among_thousands)
{
    static const char *const words[] = {"a", "b", "ab", "abc", "/", "/a", "/b/", "app", "/app/x", "1"};
    unsigned seed = 7;
    int i, k;

    for (i = 0; i < 3000; i++) {
        const char *url = "http://h";

        for (k = 0; k < 1 + i % 5; k++) {
            url = apr_pstrcat(pool, url, k ? "" : "/", words[rand_r(&seed) % ROWS(words)], NULL);
        }
        (void)add(url);
    }
    for (i = 0; i < 3000; i++) {
        const char *url = "http://h/";
        rp_worker_t *want = NULL, *got;

        for (k = 0; k < i % 8; k++) {
            url = apr_pstrcat(pool, url, words[rand_r(&seed) % ROWS(words)], NULL);
        }
        for (k = 0; k < workers->nelts; k++) {
            rp_worker_t *w = APR_ARRAY_IDX(workers, k, rp_worker_t *);

            if (strncmp(w->match, url, strlen(w->match)) == 0
                && (want == NULL || strlen(w->match) > strlen(want->match))) {
                want = w;
            }
        }
        got = rp_worker_index_find(indexed, url, NULL);
        ck_assert_msg(got == want, "%s: %s instead of %s", url, got ? got->name : "nothing", want ? want->name : "nothing");
    }
}
END_TEST

START_TEST(worker_rivals_are_marked)
{
    rp_worker_t *root = add("http://h/"), *app = add("http://h/app"), *apps = add("http://h/apps");
    rp_worker_t *twin[] = {add("http://g/"), add("http://g/")};
    rp_worker_t *alone = add("http://i/app"), *port = add("http://h:81/");

    rp_worker_index_mark(indexed);
    ck_assert(root->rivalled && app->rivalled && twin[0]->rivalled && twin[1]->rivalled);
    ck_assert(!apps->rivalled && !alone->rivalled && !port->rivalled);
}
END_TEST

START_TEST(worker_find_in_nothing)
{
    ck_assert_ptr_null(rp_worker_index_find(indexed, "http://h/", NULL));
    ck_assert_ptr_null(rp_worker_index_find(indexed, "", NULL));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("worker");
    TCase *tc = tcase_create("worker");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    tcase_add_test(tc, worker_name_normal_form_and_socket);
    tcase_add_test(tc, worker_create_fills_and_copies);
    tcase_add_test(tc, worker_child_init_twice);
    tcase_add_test(tc, worker_init_again_in_a_new_child_pool);
    tcase_add_loop_test(tc, worker_find_longest_prefix_same_socket, 0, ROWS(finds));
    tcase_add_test(tc, worker_find_among_thousands);
    tcase_add_test(tc, worker_rivals_are_marked);
    tcase_add_test(tc, worker_find_in_nothing);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
