/* SPDX-License-Identifier: Apache-2.0 */
/* The response head and interim responses. */
#include "world.h"

START_TEST(head_request_has_no_body)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}};
    c.head_request = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
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

START_TEST(head_op_that_refuses_is_the_backends_fault)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nConnection: a b\r\nContent-Length: 0\r\n\r\n"}};
    script_t i = {.responses = {"HTTP/1.1 103 X\r\nConnection: a b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    script_t t = {.responses = {"HTTP/1.1 101 X\r\nConnection: a b\r\nUpgrade: x\r\n\r\n"}};
    rp_exchange_conf_t c = base_conf;
    c.want_upgrade = 1;
    c.upgrade = "x";
    W.fault_rv = APR_EINVAL;
    memset(W.fault_at, 0, sizeof(W.fault_at));
    W.fault_at[F_HEAD] = 1;
    expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_BAD_HEAD);
    W.fault_rv = APR_EINVAL;
    memset(W.fault_at, 0, sizeof(W.fault_at));
    W.fault_at[F_INTERIM] = 1;
    expect_gulp(&i, &base_conf, RP_STEP_FAILED, RP_FAIL_BAD_HEAD);
    W.fault_rv = APR_EINVAL;
    memset(W.fault_at, 0, sizeof(W.fault_at));
    W.fault_at[F_TUNNEL_START] = 1;
    expect_gulp(&t, &c, RP_STEP_FAILED, RP_FAIL_BAD_HEAD);
    memset(&W, 0, sizeof(W));
}
END_TEST

START_TEST(no_tunnel_before_the_request_is_out)
{
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n"}, .body = body, .body_stops = 30000, .tunnel_in = ""};
    memset(body, 'b', 60000);
    c.has_body = 1;
    c.body_length = 60000;
    c.want_upgrade = 1;
    c.upgrade = "x";
    s.gate[0] = "b";
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_BAD_UPGRADE);
    ck_assert_int_eq(W.tunnel_opened, 0);
    c.expect_100 = 1;
    s.gate[0] = "HEAD";
    s.body_gate_interim = 1;
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_BAD_UPGRADE);
}
END_TEST

START_TEST(interim_behind_the_answer_spoils_the_connection)
{
    script_t s = {.responses = {"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 103 X\r\n\r\n"}};
    script_t h = {.responses = {"HTTP/1.1 304 No\r\n\r\nx"}};
    expect_gulp(&s, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_EXTRA_BYTES);
    ck_assert_int_eq(W.interims, 0);
    expect_gulp(&h, &base_conf, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_EXTRA_BYTES);
}
END_TEST

START_TEST(body_of_a_head_answer_spoils_the_connection)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}};
    c.head_request = 1;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(W.nclient, 0);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_EXTRA_BYTES);
}
END_TEST

START_TEST(end_after_an_interim_is_no_whole_answer)
{
    script_t s = {.responses = {"HTTP/1.1 100 C\r\n\r\n", ""}, .end = {END_EOF}};
    script_t part = {.responses = {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 2", ""}, .end = {END_EOF}};
    expect_failure(&s, &base_conf, RP_FAIL_CLOSED_BEFORE_HEAD, 1);
    expect_failure(&part, &base_conf, RP_FAIL_BAD_HEAD, 1);
}
END_TEST

START_TEST(head_that_never_ends_is_bounded)
{
    rp_exchange_conf_t c = base_conf;
    char *many = apr_palloc(root, 400001);
    script_t s = {.responses = {many}};
    int i;
    memcpy(many, "HTTP/1.1 200 OK\r\n", 17);
    for (i = 17; i + 8 < 400000; i += 8) {
        memcpy(many + i, "A: bbb\r\n", 8);
    }
    many[i] = '\0';
    c.limits.max_fields = 1000000;
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_BAD_HEAD);
    ck_assert_uint_lt(W.rpos, 300000);
}
END_TEST

START_TEST(start_body_line_at_the_end_is_body)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nA: b\r\nhello without colon"}, .end = {END_EOF}};
    c.limits.badline = RP_H1_BADLINE_STARTBODY;
    expect_answer(&s, &c, 200, "hello without colon", RP_REFUSE_CLOSE_ASKED);
    c.limits.badline = RP_H1_BADLINE_ERROR;
    expect_failure(&s, &c, RP_FAIL_BAD_HEAD, 1);
}
END_TEST

START_TEST(decrypted_bytes_are_read_though_the_socket_is_silent)
{
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    script_t s = {.responses = {text}, .in_buffer = 1000};
    rp_exchange_t *ex = world_begin(&W, &s, &base_conf, 0);
    s.in_buffer = 20; /* the first bytes wake us, the rest is in the buffer */
    (void)ex;
    ck_assert_int_ge(world_run(&W, -1), RP_STEP_DONE);
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("receive");

    tcase_add_test(tc, head_request_has_no_body);
    tcase_add_test(tc, interim_responses_are_passed_and_bounded);
    tcase_add_test(tc, hostile_heads_are_refused);
    tcase_add_test(tc, upgrade_nobody_asked_for_is_refused);
    tcase_add_test(tc, head_op_that_refuses_is_the_backends_fault);
    tcase_add_test(tc, no_tunnel_before_the_request_is_out);
    tcase_add_test(tc, interim_behind_the_answer_spoils_the_connection);
    tcase_add_test(tc, body_of_a_head_answer_spoils_the_connection);
    tcase_add_test(tc, end_after_an_interim_is_no_whole_answer);
    tcase_add_test(tc, head_that_never_ends_is_bounded);
    tcase_add_test(tc, start_body_line_at_the_end_is_body);
    tcase_add_test(tc, decrypted_bytes_are_read_though_the_socket_is_silent);
    return world_main(tc);
}
