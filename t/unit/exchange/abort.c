/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of all kinds, given up after each number of steps, and with each call of each function failing in turn: whatever happens,
 * connections, permits and addresses are given back, the client's end comes once, and nothing is called after the end. */
#include "world.h"

#define MANY_1 "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n"

typedef struct case_t {
    const char *name;
    script_t s;
    int has_body, expect, ping, upgrade, sendcl, cl;
} case_t;

static char large[40001];

static const case_t cases[] = {
    {.name = "get", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}}},
    {.name = "cached addresses", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, .cached = 1, .naddr = 2,
                                       .connect = {ECONNREFUSED, 0}}},
    {.name = "pool", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, .pool_waits = 1}},
    {.name = "tls", .s = {.responses = {"HTTP/1.1 200 OK\r\n\r\nhello"}, .end = {END_EOF}, .tls = 1, .flush_again = 2}},
    {.name = "chunked", .s = {.responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" MANY_1 "0\r\nT: v\r\n\r\n"}}},
    {.name = "interim", .s = {.responses = {"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 204 N\r\n\r\n"}}},
    {.name = "resend", .s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .end = {END_EOF, 0}, .reused = {1, 0}, .body = "xyz"},
     .has_body = 1},
    {.name = "dead", .s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .end = {END_DEAD, 0}, .reused = {1, 0}}},
    {.name = "small body", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = "hello"}, .has_body = 1},
    {.name = "large body", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"0\r\n\r\n"}, .body = large}, .has_body = 1},
    {.name = "counted body", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"END"}, .body = large}, .has_body = 1, .cl = 40000},
    {.name = "spooled", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"END"}, .body = large}, .has_body = 1, .sendcl = 1},
    {.name = "early", .s = {.responses = {"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"}, .gate = {"bbb"}, .body = large, .body_stops = 30000}, .has_body = 1},
    {.name = "duplex", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, .gate = {"bbb"}, .body = large}, .has_body = 1},
    {.name = "expect", .s = {.responses = {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"abc"}, .gate_from = {18}, .body = "abc",
                             .body_gate_interim = 1}, .has_body = 1, .expect = 1, .cl = 3},
    {.name = "expect refused", .s = {.responses = {"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}, .body = "abc", .body_gate_interim = 1}, .has_body = 1, .expect = 1,
     .cl = 3},
    {.name = "impatient", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"abc"}, .body = "abc"}, .has_body = 1, .expect = 1, .cl = 3},
    {.name = "ping", .s = {.responses = {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"abc"}, .gate_from = {18}, .body = "abc"},
     .has_body = 1, .expect = 1, .ping = 1, .cl = 3},
    {.name = "cut", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"}, .end = {END_EOF}}},
    {.name = "discard", .s = {.responses = {"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nhello"}, .discard = 1}},
    {.name = "discard cut", .s = {.responses = {"HTTP/1.1 500 No\r\nContent-Length: 50\r\n\r\nhello"}, .end = {END_RESET}, .discard = 1}},
    {.name = "garbage", .s = {.responses = {"garbage"}}},
    {.name = "tunnel", .s = {.responses = {"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\nfrom-backend"}, .end = {END_EOF}, .tunnel_in = "from-client", .flush_again = 1}, .upgrade = 1},
    {.name = "open tunnel", .s = {.responses = {"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\nfrom-backend"}, .tunnel_in = "from-client", .tunnel_open = 1}, .upgrade = 1},
    {.name = "stuck client", .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}, .client_stuck = 1}},
};
#define NCASES ((int)(sizeof(cases) / sizeof(cases[0])))

static rp_exchange_conf_t conf_of(const case_t *k)
{
    rp_exchange_conf_t c = base_conf;

    memset(large, 'b', 40000);
    memcpy(large + 39997, "END", 3);
    c.has_body = k->has_body;
    c.body_length = k->cl ? k->cl : -1;
    c.expect_100 = k->expect;
    c.ping_us = k->ping ? 5000 : 0;
    c.want_upgrade = k->upgrade;
    c.upgrade = k->upgrade ? "x" : NULL;
    c.body_policy = k->sendcl ? RP_BODY_SENDCL : RP_BODY_AUTO;
    return c;
}

/* A given up exchange: everything is back, twice does no harm, and it says that it failed. */
static void give_up(world_t *w)
{
    rp_exchange_abort(w->ex, w->now);
    rp_exchange_abort(w->ex, w->now);
    w->ended = 1;
    world_settle(w);
    ck_assert_int_ne(rp_exchange_step(w->ex, w->now, 0x0f), RP_STEP_WAIT); /* ended is ended */
    ck_assert(!w->after_end);
}

START_TEST(abort_after_any_number_of_steps_leaves_nothing_behind)
{
    const case_t *k = &cases[_i];
    rp_exchange_conf_t c = conf_of(k);
    int slow, steps;

    for (slow = 0; slow < 2; slow++) {
        int max = 400; /* a body of 40000 single bytes is cut here */

        for (steps = 0; steps < max; steps++) {
            memset(W.fault_at, 0, sizeof(W.fault_at));
            (void)world_begin(&W, &k->s, &c, slow);
            if (world_run(&W, steps) != RP_STEP_WAIT) {
                world_settle(&W);
                steps = max;
            }
            give_up(&W);
            apr_pool_destroy(W.pool);
        }
    }
}
END_TEST

static const apr_status_t errors[] = {APR_ECONNABORTED, APR_EGENERAL, ENOMEM, APR_EOF, APR_EINVAL, APR_TIMEUP, ENOSPC};

static void one_fault(const case_t *k, const rp_exchange_conf_t *c, fault_e f, int nth, apr_status_t rv, int slow, int *reached)
{
    rp_step_e step;

    memset(W.fault_at, 0, sizeof(W.fault_at));
    W.fault_at[f] = nth;
    W.fault_rv = rv;
    (void)world_begin(&W, &k->s, c, slow);
    step = world_run(&W, -1);
    *reached = W.calls[f] >= nth;
    world_settle(&W);
    ck_assert_msg(step == RP_STEP_DONE || rp_exchange_reason(W.ex) != RP_FAIL_NONE, "%s: failed for no reason", k->name);
    if (W.head_status != 0 && !rp_exchange_tunnel(W.ex)) {
        ck_assert_msg(W.finished == 1, "%s: the answer has no end, fault %d at %d", k->name, f, nth);
    }
    ck_assert_msg(W.ntakes <= 3, "%s: %d connections, fault %d at %d", k->name, W.ntakes, f, nth);
    give_up(&W);
    apr_pool_destroy(W.pool);
}

START_TEST(any_call_may_fail)
{
    const case_t *k = &cases[_i];
    rp_exchange_conf_t c = conf_of(k);
    int f;
    size_t e;

    for (f = 0; f < F_COUNT; f++) {
        for (e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
            int nth, reached = 1;

            if (f == F_CONNECT_FINISH && errors[e] == APR_EINVAL) {
                continue;
            }
            for (nth = 1; nth < 12 && reached; nth++) {
                one_fault(k, &c, (fault_e)f, nth, errors[e], 0, &reached);
            }
        }
        if (!k->s.body || strlen(k->s.body) < 100) {
            int nth, reached = 1;
            for (nth = 1; nth < 60 && reached; nth++) {
                one_fault(k, &c, (fault_e)f, nth, APR_ECONNABORTED, 1, &reached);
            }
        }
    }
    memset(&W, 0, sizeof(W));
}
END_TEST

/* A non-idempotent request: whatever fails wherever, its bytes reach at most one connection. */
START_TEST(no_fault_makes_a_request_arrive_twice)
{
    const case_t *k = &cases[_i];
    rp_exchange_conf_t c = conf_of(k);
    int f, nth, reached;

    c.idempotent = 0;
    for (f = 0; f < F_COUNT; f++) {
        for (nth = 1, reached = 1; nth < 12 && reached; nth++) {
            int i, arrived = 0;

            memset(W.fault_at, 0, sizeof(W.fault_at));
            W.fault_at[f] = nth;
            W.fault_rv = APR_ECONNRESET;
            (void)world_begin(&W, &k->s, &c, 0);
            (void)world_run(&W, -1);
            reached = W.calls[f] >= nth;
            for (i = 0; i < WORLD_CONNS; i++) {
                arrived += W.nbackend[i] > 0;
            }
            ck_assert_msg(arrived <= 1, "%s: arrived %d times, fault %d at %d", k->name, arrived, f, nth);
            give_up(&W);
            apr_pool_destroy(W.pool);
        }
    }
    memset(&W, 0, sizeof(W));
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("abort");

    tcase_add_loop_test(tc, abort_after_any_number_of_steps_leaves_nothing_behind, 0, NCASES);
    tcase_add_loop_test(tc, any_call_may_fail, 0, NCASES);
    tcase_add_loop_test(tc, no_fault_makes_a_request_arrive_twice, 0, NCASES);
    return world_main(tc);
}
