/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owned connections between a loop and helpers, with real threads and sockets and a stub of httpd: who may touch what, and that no byte
 * is lost or given twice on the way. Worth most under the thread sanitizer (--enable-tsan).
 */
#include "../pool_case.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd_stub.h"

#define CLIENTS 12
#define REQUESTS 60
#define BODY_MAX 30000

static rp_engine_loop_t el;
static rp_child_stat_t stat;

static void *APR_THREAD_FUNC run_loop(apr_thread_t *thread, void *unused)
{
    (void)unused;
    el.thread = thread;
    rp_loop_run(el.loop);
    return NULL;
}

static void setup(void)
{
    pool_setup();
    memset(&el, 0, sizeof(el));
    APR_RING_INIT(&el.owned, rp_owned_t, link);
    el.stat = &stat;
    stub_httpd_init();
    stub_on_helper = NULL;
    ck_assert_int_eq(rp_loop_create(&el.loop, pool, 0), APR_SUCCESS);
    ck_assert_int_eq(rp_helpers_create(&el.helpers, pool, 4), APR_SUCCESS);
    ck_assert_int_eq(apr_thread_create(&el.thread, NULL, run_loop, NULL, pool), APR_SUCCESS);
}

static void teardown(void)
{
    apr_status_t rv;

    rp_loop_stop(el.loop);
    (void)apr_thread_join(&rv, el.thread);
    ck_assert_int_eq(rp_helpers_stop(el.helpers, RP_HELPERS_FOREVER), 0);
    while (!APR_RING_EMPTY(&el.owned, rp_owned_t, link)) {
        rp_owned_t *o = APR_RING_FIRST(&el.owned);

        o->later_set = 0;
        rp_owned_close(o);
    }
    rp_graves_clear(&el);
    rp_loop_destroy(el.loop);
    pool_teardown();
}

/* ---- clients ---- */

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        ck_assert_int_gt(sent, 0);
        p += sent;
        n -= (size_t)sent;
    }
}

/* A line, its LF cut off. */
static void receive_line(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n + 1 < size) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        ck_assert_int_eq(poll(&pfd, 1, 20000), 1);
        ck_assert_int_eq(recv(fd, line + n, 1, 0), 1);
        if (line[n] == '\n') {
            break;
        }
        n++;
    }
    line[n] = '\0';
}

/* One request in pieces, head and all; its answer is the body's length and sum. */
static void ask(int fd, unsigned *seed, const char *path)
{
    static __thread char text[BODY_MAX + 200];
    char line[200], wanted[200];
    size_t body = (size_t)rand_r(seed) % BODY_MAX, n, i, at = 0;
    unsigned sum = 0;

    n = (size_t)snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", path, body);
    for (i = 0; i < body; i++) {
        text[n + i] = (char)rand_r(seed);
        sum += (unsigned char)text[n + i];
    }
    n += body;
    while (at < n) {
        size_t piece = 1 + (size_t)rand_r(seed) % 9000;

        piece = piece < n - at ? piece : n - at;
        send_all(fd, text + at, piece);
        at += piece;
    }
    (void)snprintf(wanted, sizeof(wanted), "%s %zu %u", path, body, sum);
    receive_line(fd, line, sizeof(line));
    ck_assert_str_eq(line, wanted);
}

/* TCP, which unlike a socket pair announces an end once only. */
static int connect_client(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), ours;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &n), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, n), 0);
    ours = accept(listener, NULL, NULL);
    ck_assert_int_ge(ours, 0);
    (void)close(listener);
    stub_let_go(stub_connection(&el, ours));
    return fd;
}

static void *client(void *first_seed)
{
    unsigned seed = *(unsigned *)first_seed;
    int fd = connect_client(), i;

    for (i = 0; i < REQUESTS; i++) {
        char line[100];

        switch (rand_r(&seed) % 4) {
        case 0:
            send_all(fd, "GET /inline HTTP/1.1\r\n\r\nGET /inline HTTP/1.1\r\n\r\n", 48);
            receive_line(fd, line, sizeof(line));
            ck_assert_str_eq(line, "/inline 0 0");
            receive_line(fd, line, sizeof(line));
            ck_assert_str_eq(line, "/inline 0 0");
            break;
        case 1: ask(fd, &seed, "/file"); break;
        case 2: ask(fd, &seed, "/whole"); break;
        default: /* another connection */
            (void)close(fd);
            fd = connect_client();
        }
    }
    ask(fd, &seed, "/file");
    (void)close(fd);
    return NULL;
}

START_TEST(test_many_clients)
{
    pthread_t threads[CLIENTS];
    unsigned seeds[CLIENTS], i;

    for (i = 0; i < CLIENTS; i++) {
        seeds[i] = 1000 + i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, client, &seeds[i]), 0);
    }
    for (i = 0; i < CLIENTS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    ck_assert_int_gt(__atomic_load_n(&stub_counts.on_loop, __ATOMIC_RELAXED), CLIENTS);
    ck_assert_int_gt(__atomic_load_n(&stub_counts.on_helper, __ATOMIC_RELAXED), CLIENTS);
}
END_TEST

/* ---- a stop between the end of a request and its last byte ---- */

static void stop_while_draining(rp_post_t *post)
{
    rp_owned_t *o = APR_RING_FIRST(&el.owned);

    (void)post;
    o->state = RP_OWNED_DRAIN;
    el.stopping = 1;
    rp_owned_later(o);
}

START_TEST(test_drain_while_stopping_closes)
{
    rp_post_t post = {.fn = stop_while_draining};
    int fd = connect_client();
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char line[100];

    send_all(fd, "GET /inline HTTP/1.1\r\n\r\n", 24);
    receive_line(fd, line, sizeof(line));
    rp_loop_post(el.loop, &post);
    ck_assert_int_eq(poll(&pfd, 1, 5000), 1); /* keep-alive is 10 s */
    ck_assert_int_eq(recv(fd, line, 1, 0), 0);
    (void)close(fd);
}
END_TEST

/* ---- events while a helper has the connection ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int inside, may_go, changed;

/* Nothing that the helper may look at changes behind its back. */
static void hold(rp_owned_t *o)
{
    int readable, writable, peer_eof;

    o->readable = o->writable = 0;
    (void)pthread_mutex_lock(&mutex);
    readable = o->readable, writable = o->writable, peer_eof = o->peer_eof;
    inside = 1;
    (void)pthread_cond_broadcast(&cond);
    while (!may_go) {
        (void)pthread_cond_wait(&cond, &mutex);
    }
    changed = readable != o->readable || writable != o->writable || peer_eof != o->peer_eof;
    (void)pthread_mutex_unlock(&mutex);
}

static void on_ping(rp_post_t *post)
{
    (void)post;
    (void)pthread_mutex_lock(&mutex);
    may_go = 1;
    (void)pthread_cond_broadcast(&cond);
    (void)pthread_mutex_unlock(&mutex);
}

START_TEST(test_events_wait)
{
    rp_post_t ping = {.fn = on_ping};
    struct pollfd pfd = {.events = POLLIN};
    char line[100];
    int fd;

    stub_on_helper = hold;
    inside = may_go = changed = 0;
    fd = connect_client();
    send_all(fd, "GET /file HTTP/1.1\r\n\r\n", 22);
    (void)pthread_mutex_lock(&mutex);
    while (!inside) {
        (void)pthread_cond_wait(&cond, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
    send_all(fd, "GET /inline HTTP/1.1\r\n\r\n", 24); /* readable, and the end */
    (void)shutdown(fd, SHUT_WR);
    rp_loop_post(el.loop, &ping); /* handled in the turn of those events, or a later one */
    receive_line(fd, line, sizeof(line));
    ck_assert_str_eq(line, "/file 0 0");
    receive_line(fd, line, sizeof(line));
    ck_assert_str_eq(line, "/inline 0 0"); /* what came meanwhile is not forgotten */
    pfd.fd = fd;
    ck_assert_int_eq(poll(&pfd, 1, 5000), 1); /* nor is the end: keep-alive is 10 s */
    ck_assert_int_eq(recv(fd, line, 1, 0), 0);
    ck_assert_int_eq(changed, 0);
    (void)close(fd);
}
END_TEST

/* ---- the end of an idle connection ---- */

static int idle_fd;

/* In one turn: its client ends it, and the child stops. */
static void on_end(rp_post_t *post)
{
    rp_owned_t *idle = APR_RING_FIRST(&el.owned);
    struct pollfd pfd = {.fd = idle->fd, .events = POLLRDHUP};

    (void)close(idle_fd);
    ck_assert_int_eq(poll(&pfd, 1, 5000), 1);
    rp_owned_retire(idle);
    on_ping(post);
}

START_TEST(test_retire_what_has_ended)
{
    rp_post_t post = {.fn = on_end};
    char line[100];

    idle_fd = connect_client();
    send_all(idle_fd, "GET /inline HTTP/1.1\r\n\r\n", 24);
    receive_line(idle_fd, line, sizeof(line));
    (void)pthread_mutex_lock(&mutex);
    may_go = 0;
    rp_visit_begin(); /* its pool goes at once */
    rp_loop_post(el.loop, &post);
    while (!may_go) {
        (void)pthread_cond_wait(&cond, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}
END_TEST

/* ---- pools of closed connections ---- */

static int destroyed; /* atomic: bits */

static apr_status_t on_destroy(void *bit)
{
    (void)__atomic_or_fetch(&destroyed, (int)(intptr_t)bit, __ATOMIC_SEQ_CST);
    return APR_SUCCESS;
}

/* Runs fn on the loop and waits for it. */
static void on_loop(void (*fn)(rp_post_t *post))
{
    rp_post_t post = {.fn = fn}, ping = {.fn = on_ping};

    (void)pthread_mutex_lock(&mutex);
    may_go = 0;
    rp_loop_post(el.loop, &post);
    rp_loop_post(el.loop, &ping);
    while (!may_go) {
        (void)pthread_cond_wait(&cond, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static rp_owned_t *given[2];

static void close_first(rp_post_t *post)
{
    (void)post;
    rp_owned_close(given[0]);
}

static void close_second(rp_post_t *post)
{
    (void)post;
    rp_owned_close(given[1]);
}

/* As the timer does. */
static void look(rp_post_t *post)
{
    (void)post;
    el.grave_timer.fn(&el.grave_timer, 0);
}

/* A connection of this thread, in the hands of the loop. */
static rp_owned_t *give(int *client_fd)
{
    rp_owned_t *o;
    char line[100];

    *client_fd = connect_client();
    send_all(*client_fd, "GET /inline HTTP/1.1\r\n\r\n", 24);
    receive_line(*client_fd, line, sizeof(line));
    o = APR_RING_LAST(&el.owned);
    return o;
}

/* Closed while the thread that gave it away may still write to it: its pool is there until that thread has another one. */
START_TEST(test_rests_until_left)
{
    int fd[2];
    conn_rec *c;
    apr_pool_t *p;

    destroyed = 0;
    given[0] = give(&fd[0]);
    c = given[0]->c;
    p = c->pool;
    on_loop(close_first);
    ((volatile conn_rec *)c)->id = 1; /* as the MPM may: to memory that is there */
    apr_pool_cleanup_register(p, (void *)(intptr_t)1, on_destroy, apr_pool_cleanup_null);
    on_loop(look);
    ck_assert_int_eq(destroyed, 0);
    given[1] = give(&fd[1]); /* it was left */
    on_loop(look);
    ck_assert_int_eq(destroyed, 1); /* a look is enough */
    apr_pool_cleanup_register(given[1]->c->pool, (void *)(intptr_t)2, on_destroy, apr_pool_cleanup_null);
    rp_visit_begin();
    on_loop(close_second);
    on_loop(look);
    ck_assert_int_eq(destroyed, 3);
    (void)close(fd[0]);
    (void)close(fd[1]);
}
END_TEST

/* The later one is closed first: the thread may be with that, and has left the other one. */
START_TEST(test_rests_in_any_order)
{
    int fd[2];
    apr_pool_t *p;

    destroyed = 0;
    given[0] = give(&fd[0]);
    given[1] = give(&fd[1]);
    p = given[1]->c->pool;
    on_loop(close_second);
    apr_pool_cleanup_register(p, (void *)(intptr_t)2, on_destroy, apr_pool_cleanup_null);
    on_loop(close_first);
    on_loop(look);
    ck_assert_int_eq(destroyed, 0);
    (void)close(fd[0]);
    given[0] = give(&fd[0]);
    on_loop(close_first);
    on_loop(look);
    ck_assert_int_eq(destroyed, 2);
    (void)close(fd[0]);
    (void)close(fd[1]);
}
END_TEST

/* Blocks of closed connections serve the next ones: as many as there were, and no more than that. */
START_TEST(test_stock)
{
    int fd[2], i, lent;
    apr_allocator_t *a;

    ck_assert_int_eq(apr_allocator_create(&a), APR_SUCCESS);
    rp_stock_end(a);
    ck_assert_int_eq(rp_stock_lend(a), 0);
    given[0] = give(&fd[0]);
    rp_visit_begin();
    on_loop(close_first);
    ck_assert_int_eq(rp_stock_lend(a), RP_STOCK_LEND);
    ck_assert_int_eq(rp_stock_lend(a), 0);
    for (i = 0; i < 100; i++) {
        rp_stock_take(a, RP_STOCK_LEND);
    }
    for (lent = 0; (i = rp_stock_lend(a)) > 0; lent += i) {
        ck_assert_int_le(lent, 64 * RP_STOCK_LEND);
    }
    ck_assert_int_eq(lent, 64 * RP_STOCK_LEND);
    apr_allocator_destroy(a);
    (void)close(fd[0]);
}
END_TEST

/* ---- blocks of connections that wait ---- */

static int counts[3];

static void lend_and_trim(rp_post_t *post)
{
    (void)post;
    rp_trim_end(&el);
    rp_owned_lend(given[0]);
    counts[0] = given[0]->lent;
    rp_owned_trim(given[0]);
    counts[1] = given[0]->lent;
    counts[2] = el.nstash;
    rp_trim_end(&el);
}

/* Nothing was kept: what a connection takes to go on is known all the same, and goes back with its answer. */
START_TEST(test_lends_when_there_is_nothing)
{
    int fd;

    el.scratch.pool = pool;
    given[0] = give(&fd);
    on_loop(lend_and_trim);
    ck_assert_int_gt(counts[0], 0);
    ck_assert_int_eq(counts[1], 0);
    ck_assert_int_eq(counts[2], counts[0]);
    (void)close(fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("owned");
    TCase *tc = tcase_create("owned");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_many_clients);
    tcase_add_test(tc, test_drain_while_stopping_closes);
    tcase_add_test(tc, test_events_wait);
    tcase_add_test(tc, test_retire_what_has_ended);
    tcase_add_test(tc, test_rests_until_left);
    tcase_add_test(tc, test_rests_in_any_order);
    tcase_add_test(tc, test_stock);
    tcase_add_test(tc, test_lends_when_there_is_nothing);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
