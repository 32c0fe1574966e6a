/* SPDX-License-Identifier: Apache-2.0 */
/* Probes on real sockets: a thread plays the backend. */
#include "../upstream/upstream_unit.h"

#include <pthread.h>

#include "exchange/probe.h"
#include "upstream/clock.h"

#define MS ((apr_interval_time_t)1000)
#define ANSWER_MAX 65536

typedef enum after_e { CLOSE = 0, HOLD, DRIP, FLOOD } after_e;

/** What the backend does on one connection. */
typedef struct backend_t {
    const char *answer;      /* NULL: does not even read */
    apr_size_t answer_len;   /* 0: strlen */
    after_e after;
    char asked[4096];        /* what it read */
    int connections;
    rp_probe_cancel_t *cancel; /* called off as soon as the request is there */
    int stop;
} backend_t;

static rig_t rig;
static backend_t backend;
static pthread_t backend_thread;
static rp_probe_ask_t ask;
static rp_req_head_t head;
static rp_probe_conf_t conf;
static rp_probe_result_t result;

static void read_head(int fd)
{
    size_t n = 0;
    ssize_t got;

    while (n < sizeof(backend.asked) - 1 && strstr(backend.asked, "\r\n\r\n") == NULL
           && (got = read(fd, backend.asked + n, sizeof(backend.asked) - 1 - n)) > 0) {
        n += (size_t)got;
    }
}

static void keep_sending(int fd, const char *bytes, size_t n, int pause_ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLRDHUP};

    while (!__atomic_load_n(&backend.stop, __ATOMIC_ACQUIRE) && send(fd, bytes, n, MSG_NOSIGNAL) > 0 && poll(&pfd, 1, pause_ms) == 0) {
    }
}

static void serve(int fd)
{
    static char flood[16384];
    char c;

    if (backend.answer != NULL) {
        read_head(fd);
        (void)send(fd, backend.answer, backend.answer_len ? backend.answer_len : strlen(backend.answer), MSG_NOSIGNAL);
    }
    if (backend.cancel != NULL) {
        rp_probe_cancel(backend.cancel);
    }
    if (backend.after == DRIP) {
        keep_sending(fd, "x", 1, 20);
    }
    else if (backend.after == FLOOD) {
        memset(flood, 'x', sizeof(flood));
        keep_sending(fd, flood, sizeof(flood), 0);
    }
    else if (backend.after == HOLD) {
        while (read(fd, &c, 1) > 0) {
        }
    }
    else if (backend.answer != NULL) {
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, &c, 1) > 0) {
        }
    }
    close(fd);
}

static void *backend_main(void *unused)
{
    (void)unused;
    for (;;) {
        struct pollfd pfd = {.fd = rig.listener, .events = POLLIN};
        int stop = __atomic_load_n(&backend.stop, __ATOMIC_ACQUIRE);
        int fd = poll(&pfd, 1, stop ? 0 : 20) == 1 ? accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd >= 0) {
            backend.connections++;
            serve(fd);
        }
        else if (stop) { /* who came before the end is served all the same */
            return NULL;
        }
    }
}

static void setup(void)
{
    pool_setup();
    rig_setup(&rig);
    memset(&backend, 0, sizeof(backend));
    memset(&ask, 0, sizeof(ask));
    memset(&head, 0, sizeof(head));
    memset(&conf, 0, sizeof(conf));
    ask.worker = rig.w;
    ask.method = head.method = "GET";
    ask.target = head.target = "/health";
    head.host = "member:80";
    head.http10 = 1;
    head.conn = RP_REQ_CONN_NONE;
    ask.timeout_us = 5 * SEC;
    ask.body_max = 1000;
    conf.worker = rig.w;
    conf.endpoint = rig.ep;
    conf.limits = (rp_h1_limits_t){1024, 4096, 20, RP_H1_BADLINE_ERROR};
    conf.dns_max_age_us = -1;
    conf.head = &head;
    conf.ask = &ask;
}

static void teardown(void)
{
    rig_teardown(&rig);
    pool_teardown();
}

static void probe(const char *answer, after_e after)
{
    backend.answer = answer;
    backend.after = after;
    ck_assert_int_eq(pthread_create(&backend_thread, NULL, backend_main, NULL), 0);
    rp_probe_run(&conf, pool, &result);
    __atomic_store_n(&backend.stop, 1, __ATOMIC_RELEASE);
    (void)pthread_join(backend_thread, NULL);
    ck_assert_uint_eq(rig.w->stat->permits, 0); /* the connection is closed in any case */
    ck_assert_int_eq(rig.ep->shared.nidle, 0);
    ck_assert_ptr_nonnull(result.body);
    ck_assert_ptr_nonnull(result.headers);
    ck_assert(result.ok || result.reason != NULL);
}

static void expect_bad(const char *answer, after_e after, const char *reason)
{
    probe(answer, after);
    ck_assert(!result.ok && !result.cancelled && !result.ours);
    ck_assert_msg(strstr(result.reason, reason) != NULL, "reason: %s", result.reason);
}

START_TEST(answer_is_gathered)
{
    probe("HTTP/1.1 404 No\r\nX-A: 1\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhello", CLOSE);
    ck_assert(result.ok);
    ck_assert_int_eq(result.status, 404);
    ck_assert_str_eq(apr_table_get(result.headers, "x-a"), "1");
    ck_assert_str_eq(apr_table_get(result.headers, "Content-Type"), "text/x");
    ck_assert_str_eq(result.body, "hello");
    ck_assert_uint_eq(result.body_len, 5);
    ck_assert(!result.body_cut);
    ck_assert_ptr_nonnull(strstr(result.addr, "127.0.0.1:"));
    ck_assert_str_eq(backend.asked, "GET /health HTTP/1.0\r\nHost: member:80\r\n\r\n");
    ck_assert_int_eq(backend.connections, 1);
}
END_TEST

START_TEST(answer_is_whole_without_the_close)
{
    apr_time_t begin = rp_clock_now_us();

    probe("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", HOLD);
    ck_assert(result.ok);
    ck_assert_str_eq(result.body, "abc");
    ck_assert(rp_clock_now_us() - begin < 4 * SEC);
}
END_TEST

START_TEST(answer_that_ends_with_the_connection)
{
    probe("HTTP/1.0 200 OK\r\n\r\nabc", CLOSE);
    ck_assert(result.ok);
    ck_assert_str_eq(result.body, "abc");
}
END_TEST

START_TEST(head_has_no_body)
{
    ask.method = head.method = "HEAD";
    probe("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", HOLD);
    ck_assert(result.ok);
    ck_assert_uint_eq(result.body_len, 0);
}
END_TEST

START_TEST(interim_answers_are_passed_over)
{
    probe("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HOLD);
    ck_assert(result.ok);
    ck_assert_int_eq(result.status, 200);
    ck_assert_ptr_null(apr_table_get(result.headers, "Link"));
}
END_TEST

START_TEST(nul_bytes_do_not_end_the_body)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na\0b\0c";

    backend.answer_len = sizeof(answer) - 1;
    probe(answer, CLOSE);
    ck_assert(result.ok);
    ck_assert_str_eq(result.body, "a b c");
}
END_TEST

START_TEST(connecting_alone_sends_nothing)
{
    ask.method = NULL;
    conf.head = NULL;
    probe("", CLOSE);
    ck_assert(result.ok);
    ck_assert_int_eq(result.status, 0);
    ck_assert_str_eq(backend.asked, "");
    ck_assert_int_eq(backend.connections, 1);
}
END_TEST

START_TEST(connecting_that_is_refused)
{
    close(rig.listener);
    ask.method = NULL;
    conf.head = NULL;
    rp_probe_run(&conf, pool, &result);
    ck_assert(!result.ok && !result.ours);
    ck_assert_ptr_nonnull(strstr(result.reason, "refused the connection"));
    rig.listener = tcp_listen(&rig.port, 1);
}
END_TEST

START_TEST(body_of_the_right_length_is_not_cut)
{
    ask.body_max = 5;
    probe("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", HOLD);
    ck_assert(result.ok && !result.body_cut);
    ck_assert_str_eq(result.body, "hello");
}
END_TEST

START_TEST(body_without_end_is_cut)
{
    probe("HTTP/1.1 200 OK\r\n\r\n", FLOOD);
    ck_assert(result.ok && result.body_cut);
    ck_assert_int_eq(result.status, 200);
    ck_assert_uint_eq(result.body_len, 1000);
    ck_assert(result.took_us < 3 * SEC);
    ck_assert_uint_eq(strlen(result.body), 1000);
}
END_TEST

START_TEST(body_that_drips_ends_in_time)
{
    ask.timeout_us = 300 * MS;
    expect_bad("HTTP/1.1 200 OK\r\n\r\n", DRIP, "the answer did not end within 300 ms");
    ck_assert(result.took_us >= 300 * MS && result.took_us < 3 * SEC);
    ck_assert_int_eq(result.status, 200);
}
END_TEST

START_TEST(head_that_drips_ends_in_time)
{
    ask.timeout_us = 300 * MS;
    expect_bad("HTTP/1.1 200 OK\r\nX: ", DRIP, "no answer within 300 ms");
}
END_TEST

START_TEST(silence_ends_in_time)
{
    ask.timeout_us = 200 * MS;
    expect_bad("", HOLD, "no answer within 200 ms");
    ck_assert(result.took_us < 3 * SEC);
}
END_TEST

START_TEST(close_without_an_answer_is_tried_once)
{
    expect_bad("", CLOSE, "closed the connection without an answer");
    ck_assert_int_eq(backend.connections, 1);
}
END_TEST

START_TEST(answer_that_is_cut_short)
{
    expect_bad("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", CLOSE, "cut its response short");
}
END_TEST

START_TEST(answer_that_is_no_http)
{
    expect_bad("SSH-2.0-x\r\n", HOLD, "invalid response head");
}
END_TEST

START_TEST(head_without_end_is_refused)
{
    expect_bad("HTTP/1.1 200 OK\r\nX: ", FLOOD, "invalid response head");
}
END_TEST

START_TEST(head_that_can_not_be_written_is_our_fault)
{
    head.target = "/a b";
    probe("", HOLD);
    ck_assert(!result.ok && result.ours);
    ck_assert_str_eq(backend.asked, "");
}
END_TEST

START_TEST(probe_can_be_called_off)
{
    rp_probe_cancel_t cancel;

    rp_probe_cancel_init(&cancel);
    ck_assert(!rp_probe_cancelled(&cancel));
    ask.cancel = backend.cancel = &cancel;
    ask.timeout_us = 60 * SEC;
    probe("", HOLD);
    ck_assert(rp_probe_cancelled(&cancel));
    ck_assert(!result.ok && result.cancelled && !result.ours);
    ck_assert(result.took_us < 10 * SEC);
    rp_probe_cancel_destroy(&cancel);
}
END_TEST

START_TEST(handshake_that_waits_is_woken)
{
    rp_probe_cancel_t cancel;
    int pair[2];
    char c;

    ck_assert(!rp_probe_cancelled(NULL));
    rp_probe_cancel_expose(NULL, 1);
    rp_probe_cancel_init(&cancel);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    rp_probe_cancel_expose(&cancel, pair[0]);
    rp_probe_cancel_expose(&cancel, -1);
    rp_probe_cancel(&cancel);
    ck_assert_int_eq(send(pair[0], "x", 1, MSG_NOSIGNAL), 1); /* no longer exposed: left alone */
    rp_probe_cancel_expose(&cancel, pair[0]);                 /* too late: it does not begin to wait */
    ck_assert_int_eq(read(pair[0], &c, 1), 0);
    rp_probe_cancel_destroy(&cancel);
    rp_probe_cancel_init(&cancel);
    close(pair[0]);
    close(pair[1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    rp_probe_cancel_expose(&cancel, pair[0]);
    rp_probe_cancel(&cancel);
    ck_assert_int_eq(read(pair[0], &c, 1), 0);
    close(pair[0]);
    close(pair[1]);
    rp_probe_cancel_destroy(&cancel);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exchange/driver_probe");
    TCase *tc = tcase_create("probe");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, answer_is_gathered);
    tcase_add_test(tc, answer_is_whole_without_the_close);
    tcase_add_test(tc, answer_that_ends_with_the_connection);
    tcase_add_test(tc, head_has_no_body);
    tcase_add_test(tc, interim_answers_are_passed_over);
    tcase_add_test(tc, nul_bytes_do_not_end_the_body);
    tcase_add_test(tc, connecting_alone_sends_nothing);
    tcase_add_test(tc, connecting_that_is_refused);
    tcase_add_test(tc, body_of_the_right_length_is_not_cut);
    tcase_add_test(tc, body_without_end_is_cut);
    tcase_add_test(tc, body_that_drips_ends_in_time);
    tcase_add_test(tc, head_that_drips_ends_in_time);
    tcase_add_test(tc, silence_ends_in_time);
    tcase_add_test(tc, close_without_an_answer_is_tried_once);
    tcase_add_test(tc, answer_that_is_cut_short);
    tcase_add_test(tc, answer_that_is_no_http);
    tcase_add_test(tc, head_without_end_is_refused);
    tcase_add_test(tc, head_that_can_not_be_written_is_our_fault);
    tcase_add_test(tc, probe_can_be_called_off);
    tcase_add_test(tc, handshake_that_waits_is_woken);
    return suite_main(s);
}
