/* SPDX-License-Identifier: Apache-2.0 */
/* The request on its way. */
#include "world.h"

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
    script_t early = {.responses = {"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}, .body = "abc", .body_gate_interim = 1};
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

START_TEST(body_of_no_bytes_is_announced_and_not_waited_for)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = ""};
    c.has_body = 1;
    c.body_length = 0;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 0\n");
}
END_TEST

START_TEST(encrypted_bytes_that_wait_are_waited_for)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .flush_again = 3};
    script_t post = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .flush_again = 3, .body = "abc"};
    s.gate[0] = "HEAD";
    expect_answer(&s, &base_conf, 200, "", RP_REFUSE_NONE);
    ck_assert_int_lt(W.now, 100000);
    c.has_body = 1;
    expect_answer(&post, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_int_lt(W.now, 100000);
}
END_TEST

START_TEST(encrypted_bytes_of_a_streamed_body_are_waited_for)
{
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .flush_again = 4, .body = body};
    rp_exchange_t *ex;
    memset(body, 'b', 60000);
    c.has_body = 1;
    c.body_length = 60000;
    s.gate[0] = "b";
    ck_assert_int_eq(drive(&W, &s, &c, 0, &ex), RP_STEP_DONE);
}
END_TEST

START_TEST(body_is_chunked_and_ends_with_the_last_chunk)
{
    static char body[20001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"0\r\n\r\n"}, .body = body};
    memset(body, 'b', 20000);
    c.has_body = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0] + W.nbackend[0] - 7, "\r\n0\r\n\r\n");
    c.extra_crlf = 1;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_str_eq(W.backend_saw[0] + W.nbackend[0] - 9, "\r\n0\r\n\r\n\r\n");
}
END_TEST

START_TEST(policies_choose_the_framing)
{
    static char body[20001];
    static const struct { apr_int64_t length; int may_change; rp_body_policy_e policy; const char *head; } rows[] = {
        {-1, 0, RP_BODY_AUTO, "HEAD chunked\n"},      {-1, 0, RP_BODY_SENDCL, "HEAD 20000\n"},
        {-1, 1, RP_BODY_SENDCHUNKED, "HEAD chunked\n"}, {-1, 1, RP_BODY_SENDCL, "HEAD 20000\n"},
        {20000, 0, RP_BODY_AUTO, "HEAD 20000\n"},     {20000, 0, RP_BODY_SENDCHUNKED, "HEAD 20000\n"},
        {20000, 0, RP_BODY_SENDCL, "HEAD 20000\n"},   {30000, 1, RP_BODY_AUTO, "HEAD 20000\n"},
        {30000, 1, RP_BODY_SENDCL, "HEAD 20000\n"},   {30000, 1, RP_BODY_SENDCHUNKED, "HEAD chunked\n"},
    };
    size_t i;
    memset(body, 'b', 20000);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rp_exchange_conf_t c = base_conf;
        script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = body};
        c.has_body = 1;
        c.body_length = rows[i].length;
        c.body_may_change = rows[i].may_change;
        c.body_policy = rows[i].policy;
        s.gate[0] = "bbbb";
        if (rows[i].head[5] != 'c') {
            c.io_us = 100000000;
        }
        (void)expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
        ck_assert(!strncmp(W.backend_saw[0], rows[i].head, strlen(rows[i].head)));
    }
}
END_TEST

START_TEST(nothing_is_sent_before_the_prefetch_is_full)
{
    static char body[20001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .body = body, .body_stops = 16000};
    memset(body, 'b', 20000);
    c.has_body = 1;
    c.body_length = 20000;
    expect_failure(&s, &c, RP_FAIL_CLIENT_BODY_TIMEOUT, 0);
    ck_assert_int_eq(rp_failure(RP_FAIL_CLIENT_BODY_TIMEOUT)->status, 408);
    c.prefetch_nonblocking = 1;
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_CLIENT_BODY_TIMEOUT);
    ck_assert_int_eq(W.nconn, 1);
    ck_assert_uint_eq(W.nbackend[0], strlen("HEAD 20000\n") + 16000);
}
END_TEST

START_TEST(errors_of_the_clients_body_keep_their_reason)
{
    static char body[20001];
    static const rp_reason_e why[] = {RP_FAIL_CLIENT_BODY_BAD, RP_FAIL_CLIENT_BODY_TOO_LARGE, RP_FAIL_CLIENT_GONE,
                                      RP_FAIL_CLIENT_BODY_TIMEOUT};
    size_t i;
    memset(body, 'b', 20000);
    for (i = 0; i < 4; i++) {
        rp_exchange_conf_t c = base_conf;
        script_t early = {.responses = {""}, .body = "abc", .body_error = APR_EGENERAL, .body_why = why[i]};
        script_t late = {.responses = {""}, .body = body, .body_error = APR_EGENERAL, .body_why = why[i]};
        c.has_body = 1;
        expect_failure(&early, &c, why[i], 0);
        expect_failure(&late, &c, why[i], 1);
        ck_assert_int_eq(W.refused[0], RP_REFUSE_ERROR);
    }
}
END_TEST

START_TEST(spooling_does_not_wait_for_a_100_of_the_backend)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = "abc"};
    c.has_body = 1;
    c.body_policy = RP_BODY_SENDCL;
    ck_assert(rp_exchange_spools(&c));
    c.body_length = 3;
    ck_assert(!rp_exchange_spools(&c));
    c.body_may_change = 1;
    ck_assert(rp_exchange_spools(&c));
    c.body_policy = RP_BODY_SENDCHUNKED;
    ck_assert(!rp_exchange_spools(&c));
    c.has_body = 0;
    c.body_policy = RP_BODY_SENDCL;
    ck_assert(!rp_exchange_spools(&c));
    (void)s;
}
END_TEST

START_TEST(client_that_does_not_wait_for_100_is_not_held_back)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"abc"}, .body = "abc"};
    script_t late = {.responses = {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .gate = {"abc"}, .body = "abc"};
    c.has_body = 1;
    c.body_length = 3;
    c.expect_100 = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE); /* a backend that does not know Expect */
    expect_answer(&late, &c, 200, "", RP_REFUSE_NONE);
}
END_TEST

START_TEST(client_that_waits_for_100_gets_it_first)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = "abc",
                  .gate = {"abc"}, .gate_from = {18}, .body_gate_interim = 1};
    script_t never = {.responses = {""}, .body = "abc", .body_gate_interim = 1};
    c.has_body = 1;
    c.body_length = 3;
    c.expect_100 = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\nabc");
    expect_failure(&never, &c, RP_FAIL_HEAD_TIMEOUT, 1);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\n");
}
END_TEST

START_TEST(ping_holds_the_body_however_eager_the_client)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .body = "abc"};
    script_t good = {.responses = {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = "abc",
                     .gate = {"abc"}, .gate_from = {18}};
    c.has_body = 1;
    c.body_length = 3;
    c.expect_100 = 1;
    c.ping_us = 1000;
    expect_failure(&s, &c, RP_FAIL_PING_TIMEOUT, 1);
    ck_assert_int_eq(rp_failure(RP_FAIL_PING_TIMEOUT)->status, 503);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\n");
    ck_assert_int_lt(W.now, 200000);
    expect_answer(&good, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_str_eq(W.backend_saw[0], "HEAD 3\nabc");
}
END_TEST

START_TEST(backend_that_stops_taking_is_a_write_timeout)
{
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .body = body, .takes = {20000}};
    memset(body, 'b', 60000);
    c.has_body = 1;
    c.body_length = 60000;
    expect_failure(&s, &c, RP_FAIL_WRITE_TIMEOUT, 1);
    ck_assert_int_eq(rp_failure(RP_FAIL_WRITE_TIMEOUT)->status, 504);
}
END_TEST

START_TEST(answer_of_a_backend_that_takes_no_more_is_read)
{
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno"}, .body = body, .takes = {20000},
                  .takes_then_breaks = 1, .end = {END_EOF}};
    memset(body, 'b', 60000);
    c.has_body = 1;
    c.body_length = 60000;
    s.gate[0] = "bbbbbbbbbbbbbbbbbb";
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.head_status, 413);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_SHORT_BODY);
    s.responses[0] = "";
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_CLOSED_BEFORE_HEAD);
}
END_TEST

START_TEST(small_pieces_of_a_body_are_kept_together)
{
    static char body[16001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .body = body};
    rp_exchange_t *ex;
    apr_bucket *b;
    int n = 0;
    memset(body, 'b', 16000);
    c.has_body = 1;
    ck_assert_int_eq(drive(&W, &s, &c, 1, &ex), RP_STEP_DONE); /* one byte a read */
    for (b = APR_BRIGADE_FIRST(ex->kept); b != APR_BRIGADE_SENTINEL(ex->kept); b = APR_BUCKET_NEXT(b)) {
        n++;
    }
    ck_assert_int_le(n, 4);
}
END_TEST

START_TEST(body_longer_than_announced_is_the_clients_fault)
{
    static char body[40001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .body = body};
    memset(body, 'b', 40000);
    c.has_body = 1;
    c.body_length = 30000;
    expect_failure(&s, &c, RP_FAIL_CLIENT_BODY_BAD, 1);
    s.body_stops = 35000; /* its end is not seen yet */
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_CLIENT_BODY_BAD);
    ck_assert_uint_le(W.nbackend[0], strlen("HEAD 30000\n") + 30000);
}
END_TEST

START_TEST(early_answer_is_seen_although_the_upload_never_pauses)
{
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"}, .gate = {"bbb"}, .body = body, .body_piece = 2000};
    memset(body, 'b', 60000);
    c.has_body = 1;
    c.body_length = 60000;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.head_status, 401);
    ck_assert_uint_lt(W.bpos, 55000);
}
END_TEST

/* The refusal came before the request's end, the end of the refusal behind it: the backend may take the rest of the body for a request. */
START_TEST(refused_upload_closes_although_it_was_sent_whole)
{
    static const char *const heads[] = {"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 302 F\r\nContent-Length: 2\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"};
    static char body[60001];
    rp_exchange_conf_t c = base_conf;
    int i;

    memset(body, 'b', 60000);
    memcpy(body + 60000 - 3, "END", 3);
    c.has_body = 1;
    c.body_length = 60000;
    for (i = 0; i < 3; i++) {
        script_t s = {.responses = {apr_pstrcat(root, heads[i], "no", NULL)}, .gate = {"END"}, .gate_from = {strlen(heads[i])}, .body = body,
                      .body_piece = 2000};
        expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
        ck_assert_uint_eq(W.bpos, 60000);
        ck_assert_int_eq(W.refused[0], i == 2 ? RP_REFUSE_NONE : RP_REFUSE_SHORT_BODY);
    }
    {   /* a success that ends before its request does */
        script_t s = {.responses = {apr_pstrcat(root, heads[2], "ok", NULL)}, .gate = {"bbb"}, .body = body, .body_piece = 2000};
        expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
        ck_assert_uint_lt(W.bpos, 60000);
        ck_assert_int_eq(W.refused[0], RP_REFUSE_SHORT_BODY);
    }
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("send");

    tcase_add_test(tc, small_body_goes_with_content_length);
    tcase_add_test(tc, large_body_of_unknown_length_goes_chunked);
    tcase_add_test(tc, known_length_is_kept_for_large_bodies);
    tcase_add_test(tc, body_shorter_than_announced_is_the_clients_fault);
    tcase_add_test(tc, expect_holds_the_body_until_100);
    tcase_add_test(tc, body_of_no_bytes_is_announced_and_not_waited_for);
    tcase_add_test(tc, encrypted_bytes_that_wait_are_waited_for);
    tcase_add_test(tc, encrypted_bytes_of_a_streamed_body_are_waited_for);
    tcase_add_test(tc, body_is_chunked_and_ends_with_the_last_chunk);
    tcase_add_test(tc, policies_choose_the_framing);
    tcase_add_test(tc, nothing_is_sent_before_the_prefetch_is_full);
    tcase_add_test(tc, errors_of_the_clients_body_keep_their_reason);
    tcase_add_test(tc, spooling_does_not_wait_for_a_100_of_the_backend);
    tcase_add_test(tc, client_that_does_not_wait_for_100_is_not_held_back);
    tcase_add_test(tc, client_that_waits_for_100_gets_it_first);
    tcase_add_test(tc, ping_holds_the_body_however_eager_the_client);
    tcase_add_test(tc, backend_that_stops_taking_is_a_write_timeout);
    tcase_add_test(tc, answer_of_a_backend_that_takes_no_more_is_read);
    tcase_add_test(tc, small_pieces_of_a_body_are_kept_together);
    tcase_add_test(tc, body_longer_than_announced_is_the_clients_fault);
    tcase_add_test(tc, early_answer_is_seen_although_the_upload_never_pauses);
    tcase_add_test(tc, refused_upload_closes_although_it_was_sent_whole);
    return world_main(tc);
}
