/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange against a scripted backend connection and a recording client, both in memory. Every script is run in one gulp
 * and then one byte at a time with an EAGAIN before each byte, in both directions: what the client and the backend saw must be the same.
 * The upstream layer is replaced at link time by the fakes below.
 */
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/exchange.h"

/* ---- world ---- */

#define SEEN_MAX (1 << 20)

typedef struct script_t {
    const char *responses[4]; /* one per connection; NULL: refuse to connect */
    int end[4];               /* what follows the response: 0 keep open, 1 EOF, 2 reset, 3 reset at the first write */
    int reused[4];            /* the connection is an idle one */
    const char *body;         /* request body, NULL none */
    int chunked_body;         /* its length is unknown */
    const char *tunnel_in;    /* bytes of the client in a tunnel */
} script_t;

typedef struct world_t {
    apr_pool_t *pool;
    apr_bucket_alloc_t *ba;
    const script_t *script;
    int slow;                 /* one byte, one EAGAIN */
    unsigned again;           /* state of the pseudo-random blocking */
    int nconn;                /* connections handed out */
    apr_size_t rpos, bpos, tpos;
    char backend_saw[4][SEEN_MAX / 16];
    apr_size_t nbackend[4];
    char client_saw[SEEN_MAX];
    apr_size_t nclient;
    int head_status, finished, interims, tunnel_opened, shut_backend, shut_client;
    rp_reason_e finish_reason;
    rp_refuse_e refused[4];
} world_t;

static int discard_next; /* the client side asks to discard the body */

static world_t *world;

static int block_now(void)
{
    if (!world->slow) {
        return 0;
    }
    world->again = world->again * 1103515245u + 12345u; /* irregular, the same in every run */
    return (world->again >> 16) & 1;
}

static apr_status_t fake_recv(rp_conn_t *conn, char *buf, apr_size_t *len)
{
    int i = world->nconn - 1;
    const char *text = world->script->responses[i];
    apr_size_t left = strlen(text) - world->rpos;

    (void)conn;
    if (world->script->end[i] == 3) {
        return APR_ECONNRESET;
    }
    if (left == 0) {
        return world->script->end[i] == 1 ? APR_EOF : world->script->end[i] == 2 ? APR_ECONNRESET : APR_EAGAIN;
    }
    if (block_now()) {
        return APR_EAGAIN;
    }
    if (world->slow) {
        left = 1;
    }
    *len = *len < left ? *len : left;
    memcpy(buf, text + world->rpos, *len);
    world->rpos += *len;
    return APR_SUCCESS;
}

static apr_status_t fake_sendv(rp_conn_t *conn, const struct iovec *vec, int nvec, apr_size_t *sent)
{
    int i, k = world->nconn - 1;

    (void)conn;
    *sent = 0;
    if (world->script->end[k] == 3) {
        return APR_EPIPE;
    }
    if (block_now()) {
        return APR_EAGAIN;
    }
    for (i = 0; i < nvec; i++) {
        apr_size_t n = world->slow ? 1 : vec[i].iov_len;
        memcpy(world->backend_saw[k] + world->nbackend[k], vec[i].iov_base, n);
        world->nbackend[k] += n;
        *sent += n;
        if (world->slow) {
            break;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t fake_flush(rp_conn_t *conn) { (void)conn; return APR_SUCCESS; }
static apr_status_t fake_shutdown(rp_conn_t *conn) { (void)conn; world->shut_backend++; return APR_SUCCESS; }
static int fake_buffered(rp_conn_t *conn) { (void)conn; return 0; }
static void fake_close(rp_conn_t *conn) { (void)conn; }

static const rp_conn_ops_t fake_ops = {fake_recv, fake_sendv, fake_flush, fake_shutdown, fake_buffered, fake_close};

/* ---- upstream, faked ---- */

apr_status_t rp_pool_take(rp_endpoint_t *ep, rp_worker_t *w, void *pinned_to, int flags, apr_time_t now_us, rp_conn_t **out)
{
    rp_conn_t *conn = apr_pcalloc(world->pool, sizeof(*conn));

    (void)pinned_to, (void)now_us;
    conn->endpoint = ep;
    conn->worker = w;
    conn->ops = &fake_ops;
    conn->state = RP_CONN_NEW;
    if (world->script->reused[world->nconn]) {
        ck_assert(!(flags & RP_TAKE_FRESH));
        conn->state = RP_CONN_READY;
        conn->requests = 1;
    }
    world->nconn++;
    world->rpos = 0;
    *out = conn;
    return APR_SUCCESS;
}

rp_refuse_e rp_pool_put(rp_conn_t *conn, rp_refuse_e why, apr_time_t now_us)
{
    (void)conn, (void)now_us;
    world->refused[world->nconn - 1] = why;
    return why;
}

apr_status_t rp_address_cached(rp_address_t *a, apr_time_t now_us, apr_interval_time_t max_age_us, rp_addrset_t **out)
{
    (void)a, (void)now_us, (void)max_age_us, (void)out;
    return APR_EAGAIN;
}
int rp_addrset_count(const rp_addrset_t *set) { (void)set; return 1; }
apr_sockaddr_t *rp_addrset_at(const rp_addrset_t *set, int i) { (void)set, (void)i; return NULL; }
void rp_addrset_unref(rp_addrset_t *set) { (void)set; }

apr_status_t rp_conn_connect_start(rp_conn_t *conn, apr_sockaddr_t *addr, apr_time_t now_us)
{
    (void)addr, (void)now_us;
    conn->state = RP_CONN_CONNECTING;
    return APR_EINPROGRESS;
}
apr_status_t rp_conn_connect_finish(rp_conn_t *conn)
{
    if (world->script->responses[world->nconn - 1] == NULL) {
        return APR_ECONNREFUSED;
    }
    conn->state = RP_CONN_READY;
    return APR_SUCCESS;
}
void rp_permit_release(rp_worker_t *w) { (void)w; }
void rp_conn_reset(rp_conn_t *conn) { conn->state = RP_CONN_NEW; }

/* ---- client, faked ---- */

static apr_status_t cl_read_body(void *ctx, apr_bucket_brigade *bb, apr_off_t max, int *eos, rp_reason_e *why)
{
    apr_size_t left = strlen(world->script->body) - world->bpos;
    apr_size_t n = left < (apr_size_t)max ? left : (apr_size_t)max;

    (void)ctx, (void)why;
    *eos = 0;
    if (block_now()) {
        return APR_EAGAIN;
    }
    if (world->slow && n > 1) {
        n = 1;
    }
    if (n > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(world->script->body + world->bpos, n, world->ba));
        world->bpos += n;
    }
    *eos = world->bpos == strlen(world->script->body);
    return APR_SUCCESS;
}

static apr_status_t cl_spool(void *ctx, apr_bucket_brigade *bb, rp_reason_e *why)
{
    apr_bucket *b;
    (void)ctx, (void)why;
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        ck_assert_int_eq(apr_bucket_setaside(b, world->pool), APR_SUCCESS);
    }
    return APR_SUCCESS;
}

static apr_status_t cl_request_head(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head, apr_size_t *len)
{
    (void)ctx;
    *head = framing == RP_REQ_NO_BODY ? "HEAD none\n"
            : framing == RP_REQ_CHUNKED ? "HEAD chunked\n"
            : apr_psprintf(world->pool, "HEAD %d\n", (int)length);
    *len = strlen(*head);
    return APR_SUCCESS;
}

static void saw(const char *p, apr_size_t n)
{
    ck_assert(world->nclient + n < SEEN_MAX);
    memcpy(world->client_saw + world->nclient, p, n);
    world->nclient += n;
}

static apr_status_t cl_interim(void *ctx, const rp_h1_resp_t *resp) { (void)ctx; (void)resp; world->interims++; return APR_SUCCESS; }

static apr_status_t cl_head(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard)
{
    (void)ctx, (void)framing;
    world->head_status = resp->status;
    *discard = discard_next;
    return APR_SUCCESS;
}

static apr_status_t cl_write(void *ctx, apr_bucket_brigade *bb, int flush, int may_wait)
{
    apr_bucket *b;
    (void)ctx, (void)flush, (void)may_wait;
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        const char *p;
        apr_size_t n;
        ck_assert_int_eq(apr_bucket_read(b, &p, &n, APR_BLOCK_READ), APR_SUCCESS);
        saw(p, n);
    }
    apr_brigade_cleanup(bb);
    return APR_SUCCESS;
}
static int cl_backlog(void *ctx) { (void)ctx; return world->slow ? block_now() : 0; }
static apr_status_t cl_finish(void *ctx, rp_reason_e reason) { (void)ctx; world->finished++; world->finish_reason = reason; return APR_SUCCESS; }
static apr_status_t cl_tunnel_start(void *ctx, const rp_h1_resp_t *resp) { (void)ctx, (void)resp; world->tunnel_opened = 1; return APR_SUCCESS; }

static apr_status_t cl_tunnel_read(void *ctx, char *buf, apr_size_t *len)
{
    apr_size_t left = strlen(world->script->tunnel_in) - world->tpos;
    (void)ctx;
    if (left == 0) {
        return APR_EOF;
    }
    if (block_now()) {
        return APR_EAGAIN;
    }
    if (world->slow) {
        left = 1;
    }
    *len = *len < left ? *len : left;
    memcpy(buf, world->script->tunnel_in + world->tpos, *len);
    world->tpos += *len;
    return APR_SUCCESS;
}

static apr_status_t cl_tunnel_write(void *ctx, const char *buf, apr_size_t *len)
{
    (void)ctx;
    if (block_now()) {
        return APR_EAGAIN;
    }
    *len = world->slow ? 1 : *len;
    saw(buf, *len);
    return APR_SUCCESS;
}
static apr_status_t cl_tunnel_shutdown(void *ctx) { (void)ctx; world->shut_client++; return APR_SUCCESS; }

static const rp_client_ops_t client_ops = {cl_read_body, cl_spool, cl_request_head, cl_interim, cl_head, cl_write, cl_backlog,
                                           cl_finish, cl_tunnel_start, cl_tunnel_read, cl_tunnel_write, cl_tunnel_shutdown};

/* ---- running ---- */

static apr_pool_t *root;
static rp_worker_t worker;
static rp_endpoint_t endpoint;
static rp_exchange_conf_t base_conf;

static void setup(void)
{
    apr_initialize();
    apr_pool_create(&root, NULL);
    memset(&base_conf, 0, sizeof(base_conf));
    base_conf.worker = &worker;
    base_conf.endpoint = &endpoint;
    base_conf.connect_us = base_conf.io_us = base_conf.acquire_us = 1000000;
    base_conf.client_us = base_conf.tunnel_us = 1000000;
    base_conf.limits.max_line = 8192;
    base_conf.limits.max_head = 131072;
    base_conf.limits.max_fields = 100;
    base_conf.idempotent = 1;
    base_conf.body_length = -1;
    base_conf.dns_max_age_us = -1;
}

static void teardown(void) { apr_pool_destroy(root); }

/* Drive to the end. Time stands still unless nothing is ready for `patience` turns. */
static rp_step_e drive(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, int slow, rp_exchange_t **pex)
{
    apr_time_t now = 1000;
    rp_exchange_t *ex;
    rp_step_e step = RP_STEP_WAIT;
    unsigned ready = 0;
    int turns, idle = 0;
    apr_size_t before = 0;

    memset(w, 0, sizeof(*w));
    world = w;
    apr_pool_create(&w->pool, root);
    w->ba = apr_bucket_alloc_create(w->pool);
    w->script = script;
    w->slow = slow;
    ex = rp_exchange_create(w->pool, w->ba, conf, &client_ops, w);
    *pex = ex;
    for (turns = 0; turns < 200000; turns++) {
        const rp_wait_t *wait;
        apr_size_t sum;

        step = rp_exchange_step(ex, now, ready);
        if (step != RP_STEP_WAIT) {
            return step;
        }
        wait = rp_exchange_wait(ex);
        ck_assert_msg(wait->mask != 0, "waits for nothing");
        ready = wait->mask & 0x0f;
        if (wait->mask & RP_WAIT_RESOLVE) {
            rp_exchange_resolved(ex, APR_SUCCESS, (rp_addrset_t *)&endpoint);
        }
        sum = w->nclient + w->nbackend[0] + w->nbackend[1] + w->rpos + w->bpos + w->tpos;
        idle = sum == before ? idle + 1 : 0;
        before = sum;
        if (idle > 20) {
            now = wait->deadline_us;
            ready = 0;
        }
    }
    ck_abort_msg("no end after %d turns", turns);
    return step;
}

/* Both ways, same result. The world of the fast run is left for further checks. */
static rp_step_e both(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, rp_exchange_t **pex)
{
    static world_t slow;
    rp_exchange_t *ex;
    rp_step_e s = drive(&slow, script, conf, 1, &ex), f;
    rp_reason_e why = rp_exchange_reason(ex);
    int i;

    f = drive(w, script, conf, 0, pex);
    ck_assert_int_eq(s, f);
    ck_assert_str_eq(rp_failure(why)->name, rp_failure(rp_exchange_reason(*pex))->name);
    ck_assert_uint_eq(slow.nclient, w->nclient);
    ck_assert_mem_eq(slow.client_saw, w->client_saw, w->nclient);
    ck_assert_int_eq(slow.head_status, w->head_status);
    ck_assert_int_eq(slow.interims, w->interims);
    ck_assert_int_eq(slow.nconn, w->nconn);
    ck_assert_int_eq(slow.finished, w->finished);
    for (i = 0; i < w->nconn && i < 4; i++) {
        ck_assert_int_eq(slow.refused[i], w->refused[i]);
    }
    return f;
}

static world_t W;

static void expect_answer(const script_t *s, const rp_exchange_conf_t *c, int status, const char *body, rp_refuse_e refuse)
{
    rp_exchange_t *ex;

    ck_assert_int_eq(both(&W, s, c, &ex), RP_STEP_DONE);
    ck_assert_int_eq(W.head_status, status);
    ck_assert_uint_eq(W.nclient, strlen(body));
    ck_assert_mem_eq(W.client_saw, body, W.nclient);
    ck_assert_int_eq(W.finished, 1);
    ck_assert_int_eq(W.finish_reason, RP_FAIL_NONE);
    ck_assert_int_eq(W.refused[W.nconn - 1], refuse);
}

static void expect_failure(const script_t *s, const rp_exchange_conf_t *c, rp_reason_e reason, int connections)
{
    rp_exchange_t *ex;

    ck_assert_int_eq(both(&W, s, c, &ex), RP_STEP_FAILED);
    ck_assert_str_eq(rp_failure(rp_exchange_reason(ex))->name, rp_failure(reason)->name);
    ck_assert_int_eq(W.nconn, connections);
}

START_TEST(length_response_is_passed_and_connection_kept)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}};
    expect_answer(&s, &base_conf, 200, "hello", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0], "HEAD none\n");
}
END_TEST

START_TEST(chunked_response_is_unframed)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: v\r\n\r\n"}};
    expect_answer(&s, &base_conf, 200, "hello!", RP_REFUSE_NONE);
}
END_TEST

START_TEST(close_framed_response_ends_at_eof)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\n\r\nhello"}, .end = {1}};
    expect_answer(&s, &base_conf, 200, "hello", RP_REFUSE_CLOSE_ASKED);
}
END_TEST

START_TEST(head_request_has_no_body)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}};
    c.head_request = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
}
END_TEST

START_TEST(extra_bytes_are_not_passed_and_connection_is_closed)
{
    rp_exchange_t *ex;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"}};
    ck_assert_int_eq(drive(&W, &s, &base_conf, 0, &ex), RP_STEP_DONE);
    ck_assert_uint_eq(W.nclient, 2);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_EXTRA_BYTES);
}
END_TEST

START_TEST(interim_responses_are_passed_and_bounded)
{
    script_t s = {.responses = {"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"}};
    char *many = apr_pstrdup(root, "");
    script_t endless = {.responses = {NULL}};
    int i;
    expect_answer(&s, &base_conf, 204, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.interims, 2);
    for (i = 0; i < 20; i++) {
        many = apr_pstrcat(root, many, "HTTP/1.1 102 Processing\r\n\r\n", NULL);
    }
    endless.responses[0] = many;
    expect_failure(&endless, &base_conf, RP_FAIL_TOO_MANY_INTERIM, 1);
}
END_TEST

START_TEST(small_body_goes_with_content_length)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = "abc"};
    c.has_body = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\nabc");
}
END_TEST

START_TEST(large_body_of_unknown_length_goes_chunked)
{
    static char body[50001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = body};
    rp_exchange_t *ex;
    memset(body, 'b', 50000);
    c.has_body = 1;
    ck_assert_int_eq(drive(&W, &s, &c, 0, &ex), RP_STEP_DONE);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_NONE);
    ck_assert(!strncmp(W.backend_saw[0], "HEAD chunked\n4000\r\nbbbb", 23));
}
END_TEST

START_TEST(known_length_is_kept_for_large_bodies)
{
    static char body[30001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .body = body};
    rp_exchange_t *ex;
    memset(body, 'b', 30000);
    c.has_body = 1;
    c.body_length = 30000;
    ck_assert_int_eq(drive(&W, &s, &c, 0, &ex), RP_STEP_FAILED); /* no answer ever comes */
    ck_assert_int_eq(rp_exchange_reason(ex), RP_FAIL_HEAD_TIMEOUT);
    ck_assert_uint_eq(W.nbackend[0], strlen("HEAD 30000\n") + 30000);
}
END_TEST

START_TEST(body_shorter_than_announced_is_the_clients_fault)
{
    static char body[20001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .body = body};
    memset(body, 'b', 20000);
    c.has_body = 1;
    c.body_length = 30000;
    expect_failure(&s, &c, RP_FAIL_CLIENT_BODY_BAD, 1);
}
END_TEST

START_TEST(expect_holds_the_body_until_100)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = "abc"};
    script_t early = {.responses = {"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}, .body = "abc"};
    rp_exchange_t *ex;
    c.has_body = 1;
    c.body_length = 3;
    c.expect_100 = 1;
    ck_assert_int_ne(drive(&W, &s, &c, 0, &ex), RP_STEP_WAIT);
    ck_assert_int_eq(W.head_status, 200);
    expect_answer(&early, &c, 417, "", RP_REFUSE_SHORT_BODY);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\n");
}
END_TEST

START_TEST(reused_connection_that_closes_is_resent_once)
{
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .end = {1, 0}, .reused = {1, 0}};
    script_t twice = {.responses = {"", ""}, .end = {1, 1}, .reused = {1, 0}};
    expect_answer(&s, &base_conf, 200, "ok", RP_REFUSE_NONE);
    ck_assert_int_eq(W.nconn, 2);
    expect_failure(&twice, &base_conf, RP_FAIL_CLOSED_BEFORE_HEAD, 2);
}
END_TEST

START_TEST(non_idempotent_request_is_never_sent_twice)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\n\r\n"}, .end = {1, 0}, .reused = {1, 0}};
    c.idempotent = 0;
    expect_failure(&s, &c, RP_FAIL_CLOSED_BEFORE_HEAD, 1);
}
END_TEST

START_TEST(non_idempotent_request_goes_again_when_nothing_was_sent)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .end = {3, 0}, .reused = {1, 0}};
    c.idempotent = 0;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.nconn, 2);
}
END_TEST

START_TEST(resend_is_off_when_told)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\n\r\n"}, .end = {1, 0}, .reused = {1, 0}};
    c.no_resend = 1;
    expect_failure(&s, &c, RP_FAIL_CLOSED_BEFORE_HEAD, 1);
}
END_TEST

START_TEST(no_resend_after_a_response_byte)
{
    script_t s = {.responses = {"HTTP/1.1 2", "HTTP/1.1 200 OK\r\n\r\n"}, .end = {1, 0}, .reused = {1, 0}};
    expect_failure(&s, &base_conf, RP_FAIL_BAD_HEAD, 1);
}
END_TEST

START_TEST(no_resend_after_a_timeout)
{
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\n\r\n"}, .reused = {1, 0}};
    expect_failure(&s, &base_conf, RP_FAIL_HEAD_TIMEOUT, 1);
}
END_TEST

START_TEST(resend_repeats_the_body_kept_in_memory)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .end = {1, 0}, .reused = {1, 0}, .body = "xyz"};
    c.has_body = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\nxyz");
    ck_assert_str_eq(W.backend_saw[1], "HEAD 3\nxyz");
}
END_TEST

START_TEST(refused_connection_is_503_and_may_fail_over)
{
    script_t s = {.responses = {NULL}};
    rp_exchange_t *ex;
    ck_assert_int_eq(both(&W, &s, &base_conf, &ex), RP_STEP_FAILED);
    ck_assert_int_eq(rp_exchange_reason(ex), RP_FAIL_CONNECT_REFUSED);
    ck_assert_int_eq(rp_failure(rp_exchange_reason(ex))->status, 503);
    ck_assert(rp_exchange_may_failover(ex));
}
END_TEST

START_TEST(hostile_heads_are_refused)
{
    static const char *const bad[] = {
        "HTTP/0.9 hello\r\n\r\n", "<html>", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
    };
    static const char *const frames[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
    };
    size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        script_t s = {.responses = {bad[i]}};
        expect_failure(&s, &base_conf, RP_FAIL_BAD_HEAD, 1);
        ck_assert_int_eq(W.finished, 0);
    }
    for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        script_t s = {.responses = {frames[i]}};
        expect_failure(&s, &base_conf, RP_FAIL_BAD_FRAMING, 1);
    }
}
END_TEST

START_TEST(bodies_cut_short_are_reported_as_cut)
{
    static const struct { const char *text; rp_reason_e why; } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", RP_FAIL_BODY_SHORT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", RP_FAIL_BODY_SHORT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", RP_FAIL_BODY_BAD_CHUNK},
    };
    size_t i;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_t s = {.responses = {rows[i].text}, .end = {1}};
        expect_failure(&s, &base_conf, rows[i].why, 1);
        ck_assert_int_eq(W.finished, 1);
        ck_assert_int_eq(W.finish_reason, rows[i].why);
    }
}
END_TEST

START_TEST(discarded_body_is_read_but_not_passed)
{
    script_t s = {.responses = {"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello"}};
    discard_next = 1;
    expect_answer(&s, &base_conf, 500, "", RP_REFUSE_NONE);
    discard_next = 0;
}
END_TEST

START_TEST(tunnel_moves_bytes_both_ways_and_half_closes)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nfrom-backend"},
                  .end = {1}, .tunnel_in = "from-client"};
    rp_exchange_t *ex;
    c.want_upgrade = 1;
    c.upgrade = "websocket";
    ck_assert_int_eq(both(&W, &s, &c, &ex), RP_STEP_DONE);
    ck_assert(W.tunnel_opened);
    ck_assert_mem_eq(W.client_saw, "from-backend", 12);
    ck_assert_str_eq(W.backend_saw[0], "HEAD none\nfrom-client");
    ck_assert_int_eq(W.shut_backend, 1);
    ck_assert_int_eq(W.shut_client, 1);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_TUNNEL);
}
END_TEST

START_TEST(upgrade_nobody_asked_for_is_refused)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"}};
    expect_failure(&s, &base_conf, RP_FAIL_BAD_UPGRADE, 1);
    c.want_upgrade = 1;
    c.upgrade = "websocket";
    expect_failure(&s, &c, RP_FAIL_BAD_UPGRADE, 1);
}
END_TEST

START_TEST(attempt_record_tells_what_happened)
{
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .end = {1, 0}, .reused = {1, 0}};
    rp_exchange_t *ex;
    const rp_attempt_t *at;
    int n;
    ck_assert_int_eq(drive(&W, &s, &base_conf, 0, &ex), RP_STEP_DONE);
    at = rp_exchange_attempts(ex, &n);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(at[0].reused, 1);
    ck_assert_int_eq(at[0].reason, RP_FAIL_CLOSED_BEFORE_HEAD);
    ck_assert_int_eq(at[1].reused, 0);
    ck_assert_int_eq(at[1].status, 200);
    ck_assert_int_eq(at[1].sent, (int)strlen("HEAD none\n"));
    ck_assert(at[1].first_byte_us > 0 && at[1].connected_us > 0 && at[1].end_us > 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exchange");
    TCase *tc = tcase_create("exchange");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, length_response_is_passed_and_connection_kept);
    tcase_add_test(tc, chunked_response_is_unframed);
    tcase_add_test(tc, close_framed_response_ends_at_eof);
    tcase_add_test(tc, head_request_has_no_body);
    tcase_add_test(tc, extra_bytes_are_not_passed_and_connection_is_closed);
    tcase_add_test(tc, interim_responses_are_passed_and_bounded);
    tcase_add_test(tc, small_body_goes_with_content_length);
    tcase_add_test(tc, large_body_of_unknown_length_goes_chunked);
    tcase_add_test(tc, known_length_is_kept_for_large_bodies);
    tcase_add_test(tc, body_shorter_than_announced_is_the_clients_fault);
    tcase_add_test(tc, expect_holds_the_body_until_100);
    tcase_add_test(tc, reused_connection_that_closes_is_resent_once);
    tcase_add_test(tc, non_idempotent_request_is_never_sent_twice);
    tcase_add_test(tc, non_idempotent_request_goes_again_when_nothing_was_sent);
    tcase_add_test(tc, resend_is_off_when_told);
    tcase_add_test(tc, no_resend_after_a_response_byte);
    tcase_add_test(tc, no_resend_after_a_timeout);
    tcase_add_test(tc, resend_repeats_the_body_kept_in_memory);
    tcase_add_test(tc, refused_connection_is_503_and_may_fail_over);
    tcase_add_test(tc, hostile_heads_are_refused);
    tcase_add_test(tc, bodies_cut_short_are_reported_as_cut);
    tcase_add_test(tc, discarded_body_is_read_but_not_passed);
    tcase_add_test(tc, tunnel_moves_bytes_both_ways_and_half_closes);
    tcase_add_test(tc, upgrade_nobody_asked_for_is_refused);
    tcase_add_test(tc, attempt_record_tells_what_happened);
    suite_add_tcase(suite, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
