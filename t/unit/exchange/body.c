/* SPDX-License-Identifier: Apache-2.0 */
/* The response body: framing off, passed on, cut. */
#include "world.h"

#define HEAD_60000 "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"
#define HEAD_100000 "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
#define HEAD_200000 strlen("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")

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

START_TEST(extra_bytes_are_not_passed_and_connection_is_closed)
{
    rp_exchange_t *ex;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"}};
    ck_assert_int_eq(drive(&W, &s, &base_conf, 0, &ex), RP_STEP_DONE);
    ck_assert_uint_eq(W.nclient, 2);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_EXTRA_BYTES);
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
    script_t s = {.responses = {"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello"}, .discard = 1};
    expect_answer(&s, &base_conf, 500, "", RP_REFUSE_NONE);
}
END_TEST

START_TEST(client_that_takes_nothing_stops_the_reading)
{
    static char text[300001];
    script_t s = {.responses = {text}, .client_stuck = 1};
    memset(text, 'b', 300000);
    memcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 290000\r\n\r\n", strlen("HTTP/1.1 200 OK\r\nContent-Length: 290000\r\n\r\n"));
    expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_CLIENT_GONE);
    ck_assert_uint_lt(W.rpos, 100000);
}
END_TEST

START_TEST(large_body_costs_few_reads_and_writes)
{
    static char text[100100];
    script_t s = {.responses = {text}};
    memset(text, 'b', sizeof(text) - 1);
    memcpy(text, HEAD_100000, strlen(HEAD_100000));
    text[strlen(HEAD_100000) + 100000] = '\0';
    expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(W.nclient, 100000);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_NONE);
    ck_assert_int_eq(W.calls[F_RECV], 3); /* the head's buffer, a large one, the rest */
    ck_assert_int_eq(W.writes, 1); /* the rest goes with the end */
}
END_TEST

START_TEST(body_behind_a_head_that_came_alone_is_read_at_once)
{
    static char text[60100];
    rp_exchange_t *ex;
    script_t s = {.responses = {HEAD_60000}};
    ex = world_begin(&W, &s, &base_conf, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_int_eq(W.calls[F_RECV], 1);
    memset(text, 'b', sizeof(text) - 1);
    memcpy(text, HEAD_60000, strlen(HEAD_60000));
    text[strlen(HEAD_60000) + 60000] = '\0';
    s.responses[0] = text;
    ck_assert_int_eq(rp_exchange_step(ex, W.now, RP_WAIT_BACKEND_READ), RP_STEP_DONE);
    ck_assert_uint_eq(W.nclient, 60000);
    ck_assert_int_eq(W.calls[F_RECV], 2);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_NONE);
}
END_TEST

START_TEST(bytes_with_a_head_that_fills_its_buffer_are_not_held_back)
{
    static char text[8193];
    rp_exchange_t *ex;
    script_t s = {.responses = {text}};
    memset(text, 'b', 8192);
    memcpy(text, HEAD_100000, strlen(HEAD_100000));
    ex = world_begin(&W, &s, &base_conf, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_uint_eq(W.nclient, 8192 - strlen(HEAD_100000));
    ck_assert_int_gt(W.flushes, 0);
    rp_exchange_abort(ex, W.now);
}
END_TEST

START_TEST(bytes_behind_a_large_body_are_seen)
{
    static char text[100200];
    script_t s = {.responses = {text}};
    memset(text, 'b', sizeof(text) - 1);
    memcpy(text, HEAD_100000, strlen(HEAD_100000));
    text[strlen(HEAD_100000) + 100001] = '\0';
    expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(W.nclient, 100000);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_EXTRA_BYTES);
}
END_TEST

START_TEST(answer_that_flows_keeps_an_idle_upload_alive)
{
    static char body[40001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"}, .body = body, .body_stops = 20000};
    rp_exchange_t *ex;
    memset(body, 'b', 40000);
    c.has_body = 1;
    c.body_length = 40000;
    s.gate[0] = "bbb";
    ex = world_begin(&W, &s, &c, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    /* the upload sleeps, the answer goes on: neither time-out may fire */
    W.now = ex->client_wait_us + c.client_us - 10;
    s.responses[0] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n";
    ck_assert_int_eq(rp_exchange_step(ex, W.now, RP_WAIT_BACKEND_READ), RP_STEP_WAIT);
    ck_assert_int_eq(rp_exchange_step(ex, W.now + 20, RP_WAIT_CLIENT_WRITE), RP_STEP_WAIT);
    ck_assert_mem_eq(W.client_saw, "ab", 2);
    ck_assert_int_eq(rp_exchange_step(ex, W.now + c.client_us + 30, 0), RP_STEP_FAILED);
    rp_exchange_abort(ex, W.now);
}
END_TEST

START_TEST(discarding_is_bounded)
{
    static char text[900001];
    script_t s = {.responses = {text}, .discard = 1};
    memset(text, 'b', 900000);
    memcpy(text, "HTTP/1.1 500 No\r\n\r\n", strlen("HTTP/1.1 500 No\r\n\r\n"));
    expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_lt(W.rpos, 400000);
    ck_assert_int_ne(W.refused[0], RP_REFUSE_NONE);
}
END_TEST

START_TEST(cut_body_that_was_to_be_discarded_does_not_matter)
{
    static const char *const texts[] = {
        "HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    };
    size_t i;
    for (i = 0; i < 3; i++) {
        script_t s = {.responses = {texts[i]}, .discard = 1, .end = {END_EOF}};
        script_t silent = {.responses = {texts[i]}, .discard = 1};
        expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
        ck_assert_int_ne(W.refused[0], RP_REFUSE_NONE);
        expect_gulp(&silent, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
        ck_assert_int_ne(W.refused[0], RP_REFUSE_NONE);
    }
}
END_TEST

START_TEST(head_alone_is_passed_on_at_once)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}};
    (void)world_begin(&W, &s, &base_conf, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_int_eq(W.flushes, 1);
    rp_exchange_abort(W.ex, W.now);
}
END_TEST

START_TEST(small_reads_do_not_hold_large_buffers)
{
    static char text[20001];
    script_t s = {.responses = {text}};
    memset(text, 'b', 20000);
    memcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n", strlen("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"));
    (void)world_begin(&W, &s, &base_conf, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_uint_eq(W.nclient, 20000 - HEAD_200000);
    ck_assert_uint_eq(W.ex->read_size, 0); /* it was large after the first full read */
    rp_exchange_abort(W.ex, W.now);
}
END_TEST

START_TEST(tiny_chunks_do_not_become_a_bucket_each)
{
    static char text[60001];
    script_t s = {.responses = {text}};
    int i;
    strcpy(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (i = (int)strlen(text); i + 7 < 60000; i += 6) {
        memcpy(text + i, "1\r\na\r\n", 7);
    }
    memcpy(text + i, "0\r\n\r\n", 6);
    expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_lt(W.most_buckets, 300);
}
END_TEST

START_TEST(bad_chunks_are_named)
{
    static const char *const bad[] = {"x\r\n", "-1\r\na", "1 1\r\n", "0x1\r\na\r\n", "fffffffffffffffff\r\n", "1\na\n", "1\r\nab\r\n", "\r\n"};
    size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        script_t s = {.responses = {apr_pstrcat(root, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bad[i], NULL)}};
        expect_failure(&s, &base_conf, RP_FAIL_BODY_BAD_CHUNK, 1);
        ck_assert_int_eq(W.finish_reason, RP_FAIL_BODY_BAD_CHUNK);
        ck_assert_ptr_nonnull(rp_exchange_detail(W.ex));
    }
}
END_TEST

START_TEST(early_answer_ends_the_upload)
{
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nauth"}, .body = body, .body_stops = 30000};
    memset(body, 'b', 60000);
    c.has_body = 1;
    c.body_length = 60000;
    s.gate[0] = "bbb";
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.head_status, 401);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_SHORT_BODY);
    ck_assert_int_eq(rp_exchange_body_read(W.ex), 0);
    ck_assert_int_lt(W.now, 100000);
}
END_TEST

START_TEST(echo_moves_both_ways_without_a_write_that_waits)
{
    static char body[200001], text[200101];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {text}, .body = body, .body_stops = 60000};
    memset(body, 'b', 200000);
    memset(text, 'e', 200000);
    memcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", strlen("HTTP/1.1 200 OK\r\nContent-Length: 190000\r\n\r\n"));
    c.has_body = 1;
    c.body_length = 60100;
    s.gate[0] = "bbb";
    (void)world_begin(&W, &s, &c, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_int_eq(W.waiting_writes, 0);
    ck_assert_uint_eq(W.nclient, 200000 - HEAD_200000); /* all of it, while the upload still runs */
    ck_assert_uint_eq(W.bpos, 60000);
    rp_exchange_abort(W.ex, W.now);
}
END_TEST

START_TEST(trailers_are_handed_over_once_whole)
{
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    script_t s = {.responses = {CHUNKED "A: 1\r\nB: 2\r\n\r\n"}};
    script_t none = {.responses = {CHUNKED "\r\n"}};
    script_t cut = {.responses = {CHUNKED "A: 1\r\nB: 2\r\n"}, .end = {END_EOF}};
    char *many = apr_pstrdup(root, CHUNKED);
    script_t large = {.responses = {NULL}};
    int i;
    expect_answer(&s, &base_conf, 200, "ok", RP_REFUSE_NONE);
    ck_assert_int_eq(W.trailers, 2);
    expect_answer(&none, &base_conf, 200, "ok", RP_REFUSE_NONE);
    ck_assert_int_eq(W.trailers, 0);
    expect_failure(&cut, &base_conf, RP_FAIL_BODY_SHORT, 1);
    ck_assert_int_eq(W.trailers, 0);
    for (i = 0; i < 90; i++) {
        many = apr_pstrcat(root, many, "X-Trailer: 0123456789012345678901234567890123456789\r\n", NULL);
    }
    large.responses[0] = apr_pstrcat(root, many, "\r\n", NULL);
    expect_answer(&large, &base_conf, 200, "ok", RP_REFUSE_NONE);
    ck_assert_int_eq(W.trailers, 90);
    s.discard = 1;
    expect_answer(&s, &base_conf, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.trailers, 0);
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("body");

    tcase_add_test(tc, length_response_is_passed_and_connection_kept);
    tcase_add_test(tc, chunked_response_is_unframed);
    tcase_add_test(tc, close_framed_response_ends_at_eof);
    tcase_add_test(tc, extra_bytes_are_not_passed_and_connection_is_closed);
    tcase_add_test(tc, bodies_cut_short_are_reported_as_cut);
    tcase_add_test(tc, discarded_body_is_read_but_not_passed);
    tcase_add_test(tc, client_that_takes_nothing_stops_the_reading);
    tcase_add_test(tc, large_body_costs_few_reads_and_writes);
    tcase_add_test(tc, body_behind_a_head_that_came_alone_is_read_at_once);
    tcase_add_test(tc, bytes_with_a_head_that_fills_its_buffer_are_not_held_back);
    tcase_add_test(tc, bytes_behind_a_large_body_are_seen);
    tcase_add_test(tc, answer_that_flows_keeps_an_idle_upload_alive);
    tcase_add_test(tc, discarding_is_bounded);
    tcase_add_test(tc, cut_body_that_was_to_be_discarded_does_not_matter);
    tcase_add_test(tc, head_alone_is_passed_on_at_once);
    tcase_add_test(tc, small_reads_do_not_hold_large_buffers);
    tcase_add_test(tc, tiny_chunks_do_not_become_a_bucket_each);
    tcase_add_test(tc, bad_chunks_are_named);
    tcase_add_test(tc, early_answer_ends_the_upload);
    tcase_add_test(tc, echo_moves_both_ways_without_a_write_that_waits);
    tcase_add_test(tc, trailers_are_handed_over_once_whole);
    return world_main(tc);
}
