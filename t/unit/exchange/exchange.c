/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, resends, waits. */
#include "world.h"

START_TEST(reused_connection_that_closes_is_resent_once)
{
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .end = {1, 0}, .reused = {1, 0}};
    script_t twice = {.responses = {"", ""}, .end = {1, 1}, .reused = {1, 0}};
    expect_answer(&s, &base_conf, 200, "ok", RP_REFUSE_NONE);
    ck_assert_int_eq(W.nconn, 2);
    expect_failure(&twice, &base_conf, RP_FAIL_CLOSED_BEFORE_HEAD, 2);
}
END_TEST

START_TEST(with_other_members_a_fresh_connection_that_closes_is_left)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .end = {1, 0}, .reused = {0, 0}};
    script_t race = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .end = {1, 0}, .reused = {1, 0}};
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE); /* alone: once more */
    c.others_first = 1;
    expect_failure(&s, &c, RP_FAIL_CLOSED_BEFORE_HEAD, 1);
    expect_answer(&race, &c, 200, "", RP_REFUSE_NONE);
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

START_TEST(literal_address_is_tried_once)
{
    script_t s = {.responses = {""}, .cached = 1, .literal = 1, .connect = {APR_ECONNREFUSED, APR_ECONNREFUSED}};
    expect_failure(&s, &base_conf, RP_FAIL_CONNECT_REFUSED, 1);
    ck_assert_int_eq(W.nconnects, 1);
}
END_TEST

START_TEST(cached_addresses_that_all_fail_are_looked_up_once_more)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .cached = 1, .naddr = 2,
                  .connect = {APR_ECONNREFUSED, APR_EHOSTUNREACH, APR_SUCCESS}};
    script_t dead = {.responses = {""}, .cached = 1, .naddr = 2,
                     .connect = {APR_ECONNREFUSED, APR_ECONNREFUSED, APR_ECONNREFUSED, APR_EHOSTUNREACH}};
    expect_answer(&s, &base_conf, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.nconnects, 3);
    ck_assert_int_eq(W.nresolves, 1);
    expect_failure(&dead, &base_conf, RP_FAIL_UNREACHABLE, 1);
    ck_assert_int_eq(W.nconnects, 4);
    ck_assert_int_eq(W.nresolves, 1);
}
END_TEST

START_TEST(connect_that_is_still_under_way_is_waited_for)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .connect_again = 2};
    expect_answer(&s, &base_conf, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.nconnects, 1);
}
END_TEST

START_TEST(pool_wait_ends_by_a_permit_or_in_time)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .pool_waits = 1};
    script_t never = {.responses = {""}, .pool_waits = 1000};
    rp_exchange_t *ex;
    expect_answer(&s, &base_conf, 200, "", RP_REFUSE_NONE);
    ex = expect_gulp(&never, &base_conf, RP_STEP_FAILED, RP_FAIL_POOL_TIMEOUT);
    ck_assert(rp_exchange_may_failover(ex));
    ck_assert_int_eq(W.nconn, 0);
    ck_assert_int_ge(W.now, 1000 + base_conf.acquire_us);
}
END_TEST

START_TEST(permit_that_comes_too_late_is_given_back)
{
    script_t s = {.responses = {""}, .pool_waits = 1000};
    rp_exchange_t *ex = expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_POOL_TIMEOUT);
    W.grants++;
    rp_exchange_permit_granted(ex);
    ck_assert_int_eq(W.grants, 0);
    ck_assert_int_eq(W.released, 1);
}
END_TEST

START_TEST(permit_in_hand_is_given_back_by_an_abort)
{
    script_t s = {.responses = {""}, .pool_waits = 1000};
    rp_exchange_t *ex = world_begin(&W, &s, &base_conf, 0);
    ck_assert_int_eq(world_run(&W, 1), RP_STEP_WAIT);
    W.grants++;
    rp_exchange_permit_granted(ex);
    rp_exchange_abort(ex, W.now);
    rp_exchange_abort(ex, W.now);
    world_settle(&W);
    ck_assert_int_eq(W.released, 1);
}
END_TEST

static int buckets_freed;

static void count_free(void *data)
{
    (void)data;
    buckets_freed++;
}

/* Memory of buckets belongs to no pool: a request that is dropped half-way must not keep it. */
START_TEST(pool_that_goes_frees_the_buckets_of_its_exchange)
{
    static char bytes[] = "x";
    static const rp_client_ops_t none;
    apr_pool_t *parent = NULL, *pool = NULL;
    apr_bucket_alloc_t *ba;
    rp_exchange_t *ex;
    int i;

    ck_assert_int_eq(apr_pool_create(&parent, NULL), APR_SUCCESS);
    ck_assert_int_eq(apr_pool_create(&pool, parent), APR_SUCCESS);
    ba = apr_bucket_alloc_create(parent);
    ex = rp_exchange_create(pool, ba, &base_conf, &none, NULL);
    buckets_freed = 0;
    for (i = 0; i < 4; i++) {
        apr_bucket_brigade *const all[] = {ex->kept, ex->out, ex->in, ex->bb};

        APR_BRIGADE_INSERT_TAIL(all[i], apr_bucket_heap_create(bytes, 1, count_free, ba));
        ck_assert_ptr_eq(all[i]->bucket_alloc, ba);
    }
    apr_pool_destroy(pool);
    ck_assert_int_eq(buckets_freed, 4);
    apr_pool_destroy(parent);
}
END_TEST

START_TEST(name_that_cannot_be_resolved_is_502)
{
    script_t s = {.responses = {""}, .resolve_fails = 1};
    rp_exchange_t *ex = expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_NAME);
    ck_assert_int_eq(rp_failure(RP_FAIL_NAME)->status, 502);
    ck_assert(rp_exchange_may_failover(ex));
}
END_TEST

START_TEST(handshake_that_fails_is_502_and_names_why)
{
    script_t s = {.responses = {""}, .tls = 1, .tls_result = APR_EGENERAL};
    script_t off = {.responses = {""}, .tls = 1, .tls_result = APR_ENOTIMPL};
    script_t good = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .tls = 1};
    rp_exchange_t *ex = expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_TLS);
    ck_assert_str_eq(rp_exchange_detail(ex), "no certificate");
    ck_assert_int_eq(rp_failure(RP_FAIL_TLS)->status, 502);
    expect_gulp(&off, &base_conf, RP_STEP_FAILED, RP_FAIL_TLS_DISABLED);
    expect_answer(&good, &base_conf, 200, "", RP_REFUSE_NONE);
}
END_TEST

START_TEST(connect_errors_have_their_reasons)
{
    static const struct { apr_status_t rv; rp_reason_e why; } rows[] = {
        {APR_ECONNREFUSED, RP_FAIL_CONNECT_REFUSED}, {APR_ENOENT, RP_FAIL_CONNECT_REFUSED}, {APR_EHOSTUNREACH, RP_FAIL_UNREACHABLE},
        {APR_ENETUNREACH, RP_FAIL_UNREACHABLE},      {APR_TIMEUP, RP_FAIL_CONNECT_TIMEOUT}, {ETIMEDOUT, RP_FAIL_CONNECT_TIMEOUT},
        {APR_EMFILE, RP_FAIL_LOCAL_RESOURCE},        {ENOBUFS, RP_FAIL_LOCAL_RESOURCE},     {EADDRNOTAVAIL, RP_FAIL_LOCAL_RESOURCE},
        {EACCES, RP_FAIL_UNREACHABLE},
    };
    size_t i;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_t s = {.responses = {""}, .connect = {rows[i].rv}};
        expect_failure(&s, &base_conf, rows[i].why, 1);
        ck_assert_int_eq(W.nconnects, 1);
    }
}
END_TEST

START_TEST(no_resend_when_the_system_gave_the_connection_up)
{
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\n\r\n"}, .end = {END_ETIMEDOUT, 0}, .reused = {1, 0}};
    expect_failure(&s, &base_conf, RP_FAIL_HEAD_TIMEOUT, 1);
}
END_TEST

START_TEST(answer_before_the_request_is_not_believed)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"}, .reused = {1}, .takes = {1}};
    rp_exchange_t *ex = world_begin(&W, &s, &base_conf, 0);
    W.nbackend[0] = 1; /* the socket is full before the first byte */
    (void)world_run(&W, -1);
    ck_assert_int_eq(W.head_status, 0);
    ck_assert_str_eq(rp_failure(rp_exchange_reason(ex))->name, "write-timeout");
}
END_TEST

START_TEST(resend_happens_on_a_reset_too_and_only_on_a_fresh_connection)
{
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .end = {END_RESET, 0}, .reused = {1, 0}};
    expect_answer(&s, &base_conf, 200, "ok", RP_REFUSE_NONE);
    ck_assert_int_eq(W.nconn, 2);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_ERROR);
}
END_TEST

START_TEST(body_that_was_streamed_is_never_sent_again)
{
    static char body[40001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\n\r\n"}, .end = {END_EOF, 0}, .gate = {"bbbbbbbbbbbbb"}, .reused = {1, 0},
                  .body = body};
    memset(body, 'b', 40000);
    c.has_body = 1;
    c.body_length = 40000;
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_CLOSED_BEFORE_HEAD);
    ck_assert_int_eq(W.nconn, 1);
}
END_TEST

START_TEST(failover_follows_the_resend_rule)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {""}, .end = {END_EOF}};
    script_t interim = {.responses = {"HTTP/1.1 102 X\r\n\r\n"}, .end = {END_EOF}};
    rp_exchange_t *ex;
    c.idempotent = 0;
    ex = expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_CLOSED_BEFORE_HEAD);
    ck_assert(!rp_exchange_may_failover(ex));
    ex = expect_gulp(&interim, &base_conf, RP_STEP_FAILED, RP_FAIL_CLOSED_BEFORE_HEAD);
    ck_assert(!rp_exchange_may_failover(ex));
}
END_TEST

START_TEST(another_member_gets_the_whole_request)
{
    rp_exchange_conf_t c = base_conf;
    rp_worker_t other = worker;
    script_t s = {.responses = {NULL, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, .body = "abc"};
    rp_exchange_t *ex;
    c.has_body = 1;
    c.idempotent = 0;
    ex = world_begin(&W, &s, &c, 0);
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_FAILED);
    ck_assert(rp_exchange_may_failover(ex));
    c.worker = &other;
    rp_exchange_retarget(ex, &c);
    W.ended = 0;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_DONE);
    world_settle(&W);
    ck_assert_str_eq(W.backend_saw[1], "HEAD 3\nabc");
    ck_assert_ptr_eq(rp_exchange_worker(ex), &other);
}
END_TEST

START_TEST(attempt_table_never_overflows)
{
    script_t s = {.responses = {NULL}};
    rp_exchange_t *ex = world_begin(&W, &s, &base_conf, 0);
    int i, n;
    for (i = 0; i < RP_ATTEMPTS_MAX + 5; i++) {
        W.nconn = 0;
        ck_assert_int_eq(world_run(&W, -1), RP_STEP_FAILED);
        W.ended = 0;
        rp_exchange_retarget(ex, &base_conf);
    }
    (void)rp_exchange_attempts(ex, &n);
    ck_assert_int_eq(n, RP_ATTEMPTS_MAX);
}
END_TEST

START_TEST(slow_answer_moves_the_backends_clock)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}};
    expect_gulp(&s, &base_conf, RP_STEP_FAILED, RP_FAIL_BODY_TIMEOUT);
    ck_assert_int_eq(rp_failure(RP_FAIL_BODY_TIMEOUT)->status, 504);
}
END_TEST

START_TEST(body_that_was_streamed_to_its_end_is_never_sent_again)
{
    static char body[40001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\n\r\n"}, .end = {END_EOF, 0}, .gate = {"END"}, .reused = {1, 0}, .body = body};
    memset(body, 'b', 40000);
    memcpy(body + 39997, "END", 3);
    c.has_body = 1;
    c.body_length = 40000;
    expect_gulp(&s, &c, RP_STEP_FAILED, RP_FAIL_CLOSED_BEFORE_HEAD);
    ck_assert_int_eq(W.nconn, 1);
    ck_assert_int_eq(rp_exchange_body_read(W.ex), 1);
}
END_TEST

START_TEST(spooled_body_goes_again_whole)
{
    static char body[40001];
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, .end = {END_EOF, 0}, .gate = {"END", "END"}, .reused = {1, 0},
                  .body = body};
    memset(body, 'b', 40000);
    memcpy(body + 39997, "END", 3);
    c.has_body = 1;
    c.body_policy = RP_BODY_SENDCL;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(W.nbackend[0], strlen("HEAD 40000\n") + 40000);
    ck_assert_uint_eq(W.nbackend[1], W.nbackend[0]);
    ck_assert_mem_eq(W.backend_saw[0], W.backend_saw[1], W.nbackend[0]);
    ck_assert(W.take_flags & RP_TAKE_FRESH);
}
END_TEST

START_TEST(first_attempt_takes_what_the_settings_allow)
{
    rp_exchange_conf_t c = base_conf;
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.take_flags, RP_TAKE_WATCHED); /* GET goes again when the connection was dead after all */
    c.no_resend = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.take_flags, 0);
    c.no_resend = 0;
    c.idempotent = 0;
    expect_answer(&s, &c, 200, "", RP_REFUSE_NONE);
    ck_assert_int_eq(W.take_flags, 0);
    c.fresh = 1;
    c.no_reuse = 1;
    expect_answer(&s, &c, 200, "", RP_REFUSE_DISABLED);
    ck_assert_int_eq(W.take_flags, RP_TAKE_FRESH);
}
END_TEST

START_TEST(answer_that_asks_to_close_is_heard)
{
    script_t s = {.responses = {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}};
    script_t old = {.responses = {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    expect_answer(&s, &base_conf, 200, "", RP_REFUSE_CLOSE_ASKED);
    expect_answer(&old, &base_conf, 200, "", RP_REFUSE_CLOSE_ASKED);
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("exchange");

    tcase_add_test(tc, reused_connection_that_closes_is_resent_once);
    tcase_add_test(tc, with_other_members_a_fresh_connection_that_closes_is_left);
    tcase_add_test(tc, non_idempotent_request_is_never_sent_twice);
    tcase_add_test(tc, non_idempotent_request_goes_again_when_nothing_was_sent);
    tcase_add_test(tc, resend_is_off_when_told);
    tcase_add_test(tc, no_resend_after_a_response_byte);
    tcase_add_test(tc, no_resend_after_a_timeout);
    tcase_add_test(tc, resend_repeats_the_body_kept_in_memory);
    tcase_add_test(tc, refused_connection_is_503_and_may_fail_over);
    tcase_add_test(tc, attempt_record_tells_what_happened);
    tcase_add_test(tc, literal_address_is_tried_once);
    tcase_add_test(tc, cached_addresses_that_all_fail_are_looked_up_once_more);
    tcase_add_test(tc, connect_that_is_still_under_way_is_waited_for);
    tcase_add_test(tc, pool_wait_ends_by_a_permit_or_in_time);
    tcase_add_test(tc, permit_that_comes_too_late_is_given_back);
    tcase_add_test(tc, permit_in_hand_is_given_back_by_an_abort);
    tcase_add_test(tc, name_that_cannot_be_resolved_is_502);
    tcase_add_test(tc, handshake_that_fails_is_502_and_names_why);
    tcase_add_test(tc, connect_errors_have_their_reasons);
    tcase_add_test(tc, no_resend_when_the_system_gave_the_connection_up);
    tcase_add_test(tc, answer_before_the_request_is_not_believed);
    tcase_add_test(tc, resend_happens_on_a_reset_too_and_only_on_a_fresh_connection);
    tcase_add_test(tc, body_that_was_streamed_is_never_sent_again);
    tcase_add_test(tc, failover_follows_the_resend_rule);
    tcase_add_test(tc, another_member_gets_the_whole_request);
    tcase_add_test(tc, attempt_table_never_overflows);
    tcase_add_test(tc, slow_answer_moves_the_backends_clock);
    tcase_add_test(tc, body_that_was_streamed_to_its_end_is_never_sent_again);
    tcase_add_test(tc, spooled_body_goes_again_whole);
    tcase_add_test(tc, first_attempt_takes_what_the_settings_allow);
    tcase_add_test(tc, answer_that_asks_to_close_is_heard);
    tcase_add_test(tc, pool_that_goes_frees_the_buckets_of_its_exchange);
    return world_main(tc);
}
