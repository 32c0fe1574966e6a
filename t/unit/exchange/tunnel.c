/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels. */
#include "world.h"

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

static rp_exchange_conf_t upgrade_conf(void)
{
    rp_exchange_conf_t c = base_conf;

    c.want_upgrade = 1;
    c.upgrade = "x";
    return c;
}

#define HEAD_101 "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

START_TEST(quiet_tunnel_has_no_buffer)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101 "early"}, .end = {END_OPEN}, .tunnel_in = "hello", .tunnel_open = 1};

    (void)world_begin(&W, &s, &c, 0);
    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_mem_eq(W.client_saw, "early", 5);
    ck_assert_ptr_null(W.ex->to_backend.buf);
    ck_assert_ptr_null(W.ex->to_client.buf);
    ck_assert_ptr_null(W.ex->head_buf);
    rp_exchange_abort(W.ex, W.now);
}
END_TEST

START_TEST(reset_of_the_backend_ends_the_tunnel_at_once)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101 "bye"}, .end = {END_RESET}, .tunnel_in = "", .tunnel_open = 1};
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_mem_eq(W.client_saw, "bye", 3);
    ck_assert_int_lt(W.now, 100000);
}
END_TEST

START_TEST(end_of_the_backend_leaves_the_other_way_open)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101}, .end = {END_EOF}, .tunnel_in = "", .tunnel_open = 1};
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.shut_client, 1);
    ck_assert_int_gt(W.now, c.tunnel_us); /* until it was idle for too long */
    c.no_halfclose = 1;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_lt(W.now, 100000);
}
END_TEST

START_TEST(side_that_cannot_half_close_ends_the_tunnel)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101 "bye"}, .end = {END_EOF}, .tunnel_in = "", .tunnel_open = 1};
    memset(&W, 0, sizeof(W));
    W.fault_at[F_TUNNEL_SHUTDOWN] = 1;
    W.fault_rv = APR_ENOTIMPL;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_mem_eq(W.client_saw, "bye", 3);
    ck_assert_int_lt(W.now, 100000);
    memset(&W, 0, sizeof(W));
}
END_TEST

START_TEST(idle_tunnel_ends_in_silence)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101 "hi"}, .tunnel_in = "", .tunnel_open = 1};
    const rp_attempt_t *at;
    int n;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    at = rp_exchange_attempts(W.ex, &n);
    ck_assert_int_eq(at[n - 1].reason, RP_FAIL_TUNNEL_TIMEOUT);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_TUNNEL);
}
END_TEST

START_TEST(tunnel_can_be_ended_from_outside)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101 "hi"}, .tunnel_in = "", .tunnel_open = 1};
    const rp_attempt_t *at;
    int n;
    rp_exchange_t *ex = world_begin(&W, &s, &c, 0);

    W.stop_idle = 1;
    ck_assert_int_eq(world_run(&W, -1), RP_STEP_WAIT);
    ck_assert_int_eq(rp_exchange_tunnel(ex), 1);
    rp_exchange_tunnel_end(ex, W.now);
    ck_assert_int_eq(rp_exchange_step(ex, W.now, 0), RP_STEP_DONE);
    world_settle(&W);
    ck_assert_int_eq(rp_exchange_reason(ex), RP_FAIL_NONE);
    at = rp_exchange_attempts(ex, &n);
    ck_assert_int_eq(at[n - 1].reason, RP_FAIL_TUNNEL_SHUTDOWN);
    ck_assert_int_eq(W.refused[0], RP_REFUSE_TUNNEL);
    rp_exchange_tunnel_end(ex, W.now); /* again */
    ck_assert_int_eq(rp_exchange_step(ex, W.now, 0), RP_STEP_DONE);
}
END_TEST

START_TEST(bytes_behind_the_101_arrive_however_many)
{
    static char text[8100];
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {text}, .end = {END_EOF}, .tunnel_in = "up"};
    memset(text, 't', 8050);
    memcpy(text, HEAD_101, strlen(HEAD_101));
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_eq(W.nclient, 8050 - strlen(HEAD_101));
}
END_TEST

START_TEST(encrypted_bytes_of_a_tunnel_are_waited_for)
{
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {HEAD_101}, .tunnel_in = "up", .tunnel_flush_again = 3};
    c.no_halfclose = 1;
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_int_eq(W.flush_left, 0);
    ck_assert_int_lt(W.now, 100000);
}
END_TEST

START_TEST(client_that_takes_nothing_stops_the_tunnels_reading)
{
    static char text[60000];
    rp_exchange_conf_t c = upgrade_conf();
    script_t s = {.responses = {text}, .tunnel_in = "", .tunnel_open = 1, .client_stuck = 1};
    memset(text, 't', 59999);
    memcpy(text, HEAD_101, strlen(HEAD_101));
    expect_gulp(&s, &c, RP_STEP_DONE, RP_FAIL_NONE);
    ck_assert_uint_lt(W.rpos, 40000);
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("tunnel");

    tcase_add_test(tc, tunnel_moves_bytes_both_ways_and_half_closes);
    tcase_add_test(tc, quiet_tunnel_has_no_buffer);
    tcase_add_test(tc, reset_of_the_backend_ends_the_tunnel_at_once);
    tcase_add_test(tc, end_of_the_backend_leaves_the_other_way_open);
    tcase_add_test(tc, side_that_cannot_half_close_ends_the_tunnel);
    tcase_add_test(tc, idle_tunnel_ends_in_silence);
    tcase_add_test(tc, tunnel_can_be_ended_from_outside);
    tcase_add_test(tc, bytes_behind_the_101_arrive_however_many);
    tcase_add_test(tc, encrypted_bytes_of_a_tunnel_are_waited_for);
    tcase_add_test(tc, client_that_takes_nothing_stops_the_tunnels_reading);
    return world_main(tc);
}
