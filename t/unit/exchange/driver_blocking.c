/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking driver: exchanges to their end on real sockets, against the scripted backend in this process. */
#include "../upstream/upstream_unit.h"

#include <unistd.h>

#include <apr_buckets.h>

#include "../../upstream/backend.h"
#include "exchange/exchange.h"
#include "upstream/clock.h"

#define MS 1000

/** A client in memory, its request and what it got. */
typedef struct client_t {
    const char *request; /* head */
    const char *body;
    apr_size_t body_len, body_at;
    char *got;           /* body of the answer */
    apr_size_t ngot;
    int status;
    int ends;            /* calls of finish */
    rp_reason_e end;
    int fd;              /* tunnels: our end of a socket pair */
} client_t;

static rp_backend_t *be;
static rp_endpoints_t *eps;
static rp_worker_t *worker;
static rp_endpoint_t *endpoint;
static rp_exchange_conf_t conf;
static apr_bucket_alloc_t *ba;

static apr_status_t read_body(void *ctx, apr_bucket_brigade *bb, apr_off_t max, int *eos, rp_reason_e *why)
{
    client_t *c = ctx;
    apr_size_t n = c->body_len - c->body_at;

    (void)why;
    n = n > (apr_size_t)max ? (apr_size_t)max : n;
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(c->body + c->body_at, n, ba));
    c->body_at += n;
    *eos = c->body_at == c->body_len;
    return APR_SUCCESS;
}

static apr_status_t request_head(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head, apr_size_t *len)
{
    client_t *c = ctx;

    *head = framing == RP_REQ_NO_BODY
                ? apr_psprintf(pool, "%s\r\n", c->request)
                : apr_psprintf(pool, "%sContent-Length: %" APR_INT64_T_FMT "\r\n\r\n", c->request, length);
    *len = strlen(*head);
    return APR_SUCCESS;
}

static apr_status_t interim(void *ctx, const rp_h1_resp_t *resp)
{
    (void)ctx, (void)resp;
    return APR_SUCCESS;
}

static apr_status_t head(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard)
{
    client_t *c = ctx;

    (void)framing, (void)discard;
    c->status = resp->status;
    return APR_SUCCESS;
}

static apr_status_t take_body(void *ctx, apr_bucket_brigade *bb, int flush, int may_wait)
{
    client_t *c = ctx;
    apr_size_t n;
    char *data;

    (void)flush, (void)may_wait;
    ck_assert_int_eq(apr_brigade_pflatten(bb, &data, &n, pool), APR_SUCCESS);
    if (n > 0) {
        char *all = apr_palloc(pool, c->ngot + n + 1);
        if (c->ngot > 0) {
            memcpy(all, c->got, c->ngot);
        }
        memcpy(all + c->ngot, data, n);
        c->got = all;
        c->ngot += n;
        all[c->ngot] = '\0';
    }
    apr_brigade_cleanup(bb);
    return APR_SUCCESS;
}

static int backlog(void *ctx)
{
    (void)ctx;
    return 0;
}

static apr_status_t finish(void *ctx, apr_bucket_brigade *bb, rp_reason_e reason)
{
    client_t *c = ctx;

    c->ends++;
    c->end = reason;
    return take_body(ctx, bb, 1, 1);
}

static apr_status_t tunnel_start(void *ctx, const rp_h1_resp_t *resp)
{
    ((client_t *)ctx)->status = resp->status;
    return APR_SUCCESS;
}

static apr_status_t tunnel_read(void *ctx, char *buf, apr_size_t *len)
{
    ssize_t n = recv(((client_t *)ctx)->fd, buf, *len, MSG_DONTWAIT);

    *len = n > 0 ? (apr_size_t)n : 0;
    return n > 0 ? APR_SUCCESS : n == 0 ? APR_EOF : errno;
}

static apr_status_t tunnel_write(void *ctx, const char *buf, apr_size_t *len)
{
    ssize_t n = send(((client_t *)ctx)->fd, buf, *len, MSG_DONTWAIT | MSG_NOSIGNAL);

    *len = n > 0 ? (apr_size_t)n : 0;
    return n > 0 ? APR_SUCCESS : errno;
}

static apr_status_t tunnel_shutdown(void *ctx)
{
    return shutdown(((client_t *)ctx)->fd, SHUT_WR) < 0 ? errno : APR_SUCCESS;
}

static const rp_client_ops_t ops = {
    .read_body = read_body, .request_head = request_head, .interim = interim, .head = head, .write = take_body,
    .backlog = backlog, .finish = finish, .tunnel_start = tunnel_start, .tunnel_read = tunnel_read,
    .tunnel_write = tunnel_write, .tunnel_shutdown = tunnel_shutdown,
};

static void setup(void)
{
    rp_backend_opts_t opts = {.name = "unit"};
    int port;

    pool_setup();
    ck_assert_int_eq(rp_backend_start(&be, &opts), 0);
    port = rp_backend_port(be, RP_BACKEND_PLAIN);
    ck_assert_int_eq(rp_endpoints_create(&eps, pool, 4), APR_SUCCESS);
    worker = make_worker(pool, port, "/");
    endpoint = make_endpoint(eps, port, 1);
    ba = apr_bucket_alloc_create(pool);
    memset(&conf, 0, sizeof(conf));
    conf.worker = worker;
    conf.endpoint = endpoint;
    conf.connect_us = conf.io_us = conf.acquire_us = conf.client_us = conf.tunnel_us = 20 * SEC;
    conf.limits.max_line = 8192;
    conf.limits.max_head = 131072;
    conf.limits.max_fields = 100;
    conf.idempotent = 1;
    conf.dns_max_age_us = -1;
}

static void teardown(void)
{
    rp_endpoint_release(endpoint);
    rp_endpoints_shutdown(eps);
    rp_backend_stop(be);
    apr_bucket_alloc_destroy(ba);
    pool_teardown();
}

/* A command to the backend; its answer. */
static const char *tell(const char *command)
{
    char *reply = NULL;
    const char *copy;

    ck_assert_msg(rp_backend_command(be, command, strlen(command), &reply, NULL) == 0, "%s: %s", command, reply);
    copy = apr_pstrdup(pool, reply);
    free(reply);
    return copy;
}

/* Run one exchange for the path; its reason. */
static rp_reason_e run(client_t *c, const char *path, int fd)
{
    rp_blocking_client_t side = {.fd = fd};
    rp_exchange_t *ex;
    rp_step_e step;

    c->request = apr_psprintf(pool, "%s %s HTTP/1.1\r\nHost: unit\r\n%s", c->body ? "POST" : "GET", path,
                              conf.want_upgrade ? "Connection: Upgrade\r\nUpgrade: x\r\n" : "");
    conf.has_body = c->body != NULL;
    conf.body_length = c->body ? (apr_int64_t)c->body_len : -1;
    ex = rp_exchange_create(pool, ba, &conf, &ops, c);
    step = rp_exchange_run(ex, &side, c);
    ck_assert_int_eq(step, rp_exchange_reason(ex) == RP_FAIL_NONE ? RP_STEP_DONE : RP_STEP_FAILED);
    return rp_exchange_reason(ex);
}

START_TEST(run_get_answer_over_one_connection)
{
    for (int i = 0; i < 5; i++) {
        client_t c = {.fd = -1};
        ck_assert_int_eq(run(&c, "/id/7", -1), RP_FAIL_NONE);
        ck_assert_int_eq(c.status, 200);
        ck_assert_str_eq(c.got, "id 7 -\n");
        ck_assert_int_eq(c.ends, 1);
    }
    ck_assert_str_eq(tell("count requests"), "5");
    ck_assert_str_eq(tell("count accepted"), "1");
}
END_TEST

START_TEST(run_large_bodies_every_byte)
{
    enum { SIZE = 3000000 };
    char *body = apr_palloc(pool, SIZE);
    client_t up = {.body = body, .body_len = SIZE, .fd = -1};
    client_t down = {.fd = -1};
    client_t both = {.body = body, .body_len = SIZE, .fd = -1};

    for (int i = 0; i < SIZE; i++) {
        body[i] = (char)((i * 7 + i / 256) & 0xff);
    }
    ck_assert_int_eq(run(&up, "/sink", -1), RP_FAIL_NONE);
    ck_assert_msg(strncmp(up.got, "bytes 3000000 sha256 ", 21) == 0, "%s", up.got);
    ck_assert_int_eq(run(&down, "/bytes/3000000", -1), RP_FAIL_NONE);
    ck_assert_uint_eq(down.ngot, SIZE);
    ck_assert_int_eq(run(&both, "/stream", -1), RP_FAIL_NONE);
    ck_assert_uint_eq(both.ngot, SIZE);
    ck_assert_mem_eq(both.got, body, SIZE);
}
END_TEST

START_TEST(run_refused_closed_and_garbage_are_told_apart)
{
    client_t c = {.fd = -1};

    ck_assert_int_eq(run(&c, "/drop", -1), RP_FAIL_CLOSED_BEFORE_HEAD);
    ck_assert_int_eq(run(&c, "/reset", -1), RP_FAIL_RESET_BEFORE_HEAD);
    (void)tell("script path /garbage\nsend \"garbage\\r\\n\\r\\n\"");
    ck_assert_int_eq(run(&c, "/garbage", -1), RP_FAIL_BAD_HEAD);
    (void)tell("script path /short\nsend \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nab\"\nclose");
    ck_assert_int_eq(c.status, 0);
    ck_assert_int_eq(run(&c, "/short", -1), RP_FAIL_BODY_SHORT);
    ck_assert_int_eq(c.end, RP_FAIL_BODY_SHORT);
    (void)tell("refuse");
    ck_assert_int_eq(run(&c, "/id/1", -1), RP_FAIL_CONNECT_REFUSED);
}
END_TEST

START_TEST(run_silent_backend_fails_at_its_time_out)
{
    client_t c = {.fd = -1};
    apr_time_t start = rp_clock_now_us();
    apr_time_t took;

    conf.io_us = 200 * MS;
    ck_assert_int_eq(run(&c, "/hold", -1), RP_FAIL_HEAD_TIMEOUT);
    took = rp_clock_now_us() - start;
    ck_assert_int_ge(took, 200 * MS);
    ck_assert_int_lt(took, 10 * SEC);
    ck_assert_str_eq(tell("count requests"), "1"); /* never again after a time-out */
}
END_TEST

START_TEST(run_no_permit_fails_at_acquire)
{
    client_t c = {.fd = -1};
    rp_conn_t *held = NULL;

    worker->params.max = 1;
    ck_assert_int_eq(rp_pool_take(endpoint, worker, NULL, 0, rp_clock_now_us(), &held), APR_SUCCESS);
    conf.acquire_us = 100 * MS;
    ck_assert_int_eq(run(&c, "/id/1", -1), RP_FAIL_POOL_TIMEOUT);
    (void)rp_pool_put(held, RP_REFUSE_ERROR, rp_clock_now_us());
    ck_assert_int_eq(run(&c, "/id/1", -1), RP_FAIL_NONE);
    ck_assert_str_eq(tell("count requests"), "1");
}
END_TEST

START_TEST(run_client_that_resets_ends_the_wait)
{
    client_t c = {.fd = -1};
    struct linger hard = {.l_onoff = 1};
    apr_time_t start = rp_clock_now_us();
    int port, listener = tcp_listen(&port, 1);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((apr_uint16_t)port)};
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(far, (struct sockaddr *)&to, sizeof(to)), 0);
    c.fd = accept_one(listener);
    ck_assert_int_eq(setsockopt(far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(far);
    ck_assert_int_eq(run(&c, "/hold", c.fd), RP_FAIL_CLIENT_GONE);
    ck_assert_int_lt(rp_clock_now_us() - start, 10 * SEC);
    (void)tell("await busy == 0 5000");
    close(c.fd);
    close(listener);
}
END_TEST

START_TEST(run_tunnel_moves_bytes_until_both_ends_are_shut)
{
    client_t c = {.fd = -1};
    int pair[2];
    char got[64];
    apr_size_t n = 0;
    ssize_t r;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], "hello", 5), 5);
    ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
    conf.want_upgrade = 1;
    conf.upgrade = "x";
    c.fd = pair[0];
    ck_assert_int_eq(run(&c, "/upgrade/x", pair[0]), RP_FAIL_NONE);
    ck_assert_int_eq(c.status, 101);
    while (n < sizeof(got) && (r = read(pair[1], got + n, sizeof(got) - n)) > 0) {
        n += (apr_size_t)r;
    }
    ck_assert_uint_eq(n, 9);
    ck_assert_mem_eq(got, "hellobye\n", 9);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("driver_blocking");
    TCase *tc = tcase_create("driver_blocking");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, run_get_answer_over_one_connection);
    tcase_add_test(tc, run_large_bodies_every_byte);
    tcase_add_test(tc, run_refused_closed_and_garbage_are_told_apart);
    tcase_add_test(tc, run_silent_backend_fails_at_its_time_out);
    tcase_add_test(tc, run_no_permit_fails_at_acquire);
    tcase_add_test(tc, run_client_that_resets_ends_the_wait);
    tcase_add_test(tc, run_tunnel_moves_bytes_until_both_ends_are_shut);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
