/* SPDX-License-Identifier: Apache-2.0 */
/* The failure table: every row is whole, and every reason that the exchange can give is given by some script. */
#include "world.h"

START_TEST(every_reason_has_its_row)
{
    int i, k;

    for (i = 0; i < RP_FAIL_COUNT; i++) {
        const rp_failure_t *f = rp_failure((rp_reason_e)i);

        ck_assert_int_eq(f->reason, i);
        ck_assert(f->name[0] && f->text[0]);
        ck_assert_msg(strspn(f->name, "abcdefghijklmnopqrstuvwxyz-0123456789") == strlen(f->name), "%s", f->name);
        ck_assert(f->status >= (i == RP_FAIL_NONE ? 200 : 400) && f->status < 600);
        for (k = 0; k < i; k++) {
            ck_assert_str_ne(f->name, rp_failure((rp_reason_e)k)->name);
        }
    }
    ck_assert_int_eq(rp_failure(RP_FAIL_COUNT)->reason, RP_FAIL_INTERNAL);
    ck_assert_int_eq(rp_failure((rp_reason_e)-1)->reason, RP_FAIL_INTERNAL);
}
END_TEST

START_TEST(statuses_are_those_that_are_promised)
{
    static const struct { rp_reason_e why; int status; } rows[] = {
        {RP_FAIL_CONNECT_REFUSED, 503},    {RP_FAIL_UNREACHABLE, 503},        {RP_FAIL_CONNECT_TIMEOUT, 503},
        {RP_FAIL_POOL_TIMEOUT, 503},       {RP_FAIL_NO_MEMBER, 503},          {RP_FAIL_LOCAL_RESOURCE, 503},
        {RP_FAIL_NAME, 502},               {RP_FAIL_TLS, 502},                {RP_FAIL_TLS_DISABLED, 502},
        {RP_FAIL_PING_TIMEOUT, 503},       {RP_FAIL_WRITE_TIMEOUT, 504},      {RP_FAIL_CLOSED_BEFORE_HEAD, 502},
        {RP_FAIL_RESET_BEFORE_HEAD, 502},  {RP_FAIL_HEAD_TIMEOUT, 504},       {RP_FAIL_BAD_HEAD, 502},
        {RP_FAIL_BAD_FRAMING, 502},        {RP_FAIL_TOO_MANY_INTERIM, 502},   {RP_FAIL_BAD_UPGRADE, 502},
        {RP_FAIL_CLIENT_BODY_BAD, 400},    {RP_FAIL_CLIENT_BODY_TIMEOUT, 408}, {RP_FAIL_CLIENT_BODY_TOO_LARGE, 413},
        {RP_FAIL_BAD_REQUEST, 400},        {RP_FAIL_INTERNAL, 500},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(rp_failure(rows[i].why)->status, rows[i].status);
    }
}
END_TEST

START_TEST(clients_faults_never_count_against_a_member)
{
    int i;

    for (i = RP_FAIL_CLIENT_BODY_BAD; i <= RP_FAIL_BAD_REQUEST; i++) {
        const rp_failure_t *f = rp_failure((rp_reason_e)i);

        ck_assert_int_eq(f->fault, RP_FAULT_CLIENT);
        ck_assert_int_eq(f->failover, 0);
        ck_assert_int_eq(f->unreachable, 0);
    }
}
END_TEST

/* What a script ends with. */
typedef struct row_t {
    rp_reason_e why;
    script_t s;
    int has_body, ping, upgrade;
    fault_e fault; /* with fault_rv */
    apr_status_t fault_rv;
} row_t;

#define OK_CL "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

static const row_t rows[] = {
    {.why = RP_FAIL_CONNECT_REFUSED, .s = {.responses = {NULL}}},
    {.why = RP_FAIL_UNREACHABLE, .s = {.responses = {""}, .connect = {EHOSTUNREACH}}},
    {.why = RP_FAIL_CONNECT_TIMEOUT, .s = {.responses = {""}, .connect = {ETIMEDOUT}}},
    {.why = RP_FAIL_CONNECT_TIMEOUT, .s = {.responses = {""}, .connect_again = 1000}},
    {.why = RP_FAIL_POOL_TIMEOUT, .s = {.responses = {""}, .pool_waits = 1000}},
    {.why = RP_FAIL_LOCAL_RESOURCE, .s = {.responses = {""}}, .fault = F_TAKE, .fault_rv = ENOMEM},
    {.why = RP_FAIL_LOCAL_RESOURCE, .s = {.responses = {""}}, .fault = F_CONNECT_START, .fault_rv = EMFILE},
    {.why = RP_FAIL_NAME, .s = {.responses = {""}, .resolve_fails = 1}},
    {.why = RP_FAIL_TLS, .s = {.responses = {""}, .tls = 1, .tls_result = APR_EGENERAL}},
    {.why = RP_FAIL_TLS_DISABLED, .s = {.responses = {""}, .tls = 1, .tls_result = APR_ENOTIMPL}},
    {.why = RP_FAIL_PING_TIMEOUT, .s = {.responses = {""}, .body = "abc"}, .has_body = 1, .ping = 1},
    {.why = RP_FAIL_WRITE_TIMEOUT, .s = {.responses = {""}, .takes = {3}}},
    {.why = RP_FAIL_CLOSED_BEFORE_HEAD, .s = {.responses = {"", ""}, .end = {END_EOF, END_EOF}}},
    {.why = RP_FAIL_RESET_BEFORE_HEAD, .s = {.responses = {"", ""}, .end = {END_RESET, END_RESET}}},
    {.why = RP_FAIL_RESET_BEFORE_HEAD, .s = {.responses = {"", ""}, .end = {END_DEAD, END_DEAD}, .reused = {1}}},
    {.why = RP_FAIL_HEAD_TIMEOUT, .s = {.responses = {""}}},
    {.why = RP_FAIL_HEAD_TIMEOUT, .s = {.responses = {"HTTP/1.1 200"}}},
    {.why = RP_FAIL_BAD_HEAD, .s = {.responses = {"FTP"}}},
    {.why = RP_FAIL_BAD_FRAMING, .s = {.responses = {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}}},
    {.why = RP_FAIL_TOO_MANY_INTERIM,
     .s = {.responses = {"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\n"
                         "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\n"}}},
    {.why = RP_FAIL_BAD_UPGRADE, .s = {.responses = {"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"}}},
    {.why = RP_FAIL_BAD_UPGRADE, .s = {.responses = {"HTTP/1.1 101 S\r\nUpgrade: y\r\n\r\n"}}, .upgrade = 1},
    {.why = RP_FAIL_BODY_SHORT, .s = {.responses = {OK_CL "hel"}, .end = {END_EOF}}},
    {.why = RP_FAIL_BODY_SHORT, .s = {.responses = {"HTTP/1.1 200 OK\r\n\r\nhel"}, .end = {END_RESET}}},
    {.why = RP_FAIL_BODY_SHORT, .s = {.responses = {"HTTP/1.1 200 OK\r\n\r\nhel"}, .end = {END_UNCLEAN}}},
    {.why = RP_FAIL_BODY_TIMEOUT, .s = {.responses = {OK_CL "hel"}}},
    {.why = RP_FAIL_BODY_TIMEOUT, .s = {.responses = {OK_CL "hel"}, .end = {END_ETIMEDOUT}}},
    {.why = RP_FAIL_BODY_BAD_CHUNK, .s = {.responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz"}}},
    {.why = RP_FAIL_CLIENT_BODY_TIMEOUT, .s = {.responses = {""}, .body = "abc", .body_stops = 2}, .has_body = 1},
    {.why = RP_FAIL_CLIENT_BODY_TOO_LARGE,
     .s = {.responses = {""}, .body = "abc", .body_error = APR_EGENERAL, .body_why = RP_FAIL_CLIENT_BODY_TOO_LARGE}, .has_body = 1},
    {.why = RP_FAIL_CLIENT_GONE, .s = {.responses = {OK_CL "hello"}}, .fault = F_HEAD, .fault_rv = APR_ECONNABORTED},
    {.why = RP_FAIL_CLIENT_GONE, .s = {.responses = {OK_CL "hel"}, .client_stuck = 1}},
    {.why = RP_FAIL_BAD_REQUEST, .s = {.responses = {""}}, .fault = F_REQUEST_HEAD, .fault_rv = APR_EINVAL},
};

START_TEST(every_reason_can_be_reached)
{
    int reached[RP_FAIL_COUNT] = {0};
    size_t i;
    int k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const row_t *row = &rows[i];
        rp_exchange_conf_t c = base_conf;
        rp_exchange_t *ex;

        c.has_body = row->has_body;
        c.ping_us = row->ping ? 1000 : 0;
        c.expect_100 = row->ping;
        c.want_upgrade = row->upgrade;
        c.upgrade = row->upgrade ? "x" : NULL;
        memset(&W, 0, sizeof(W));
        if (row->fault_rv != 0) {
            W.fault_at[row->fault] = 1;
            W.fault_rv = row->fault_rv;
        }
        ck_assert_int_eq(drive(&W, &row->s, &c, 0, &ex), RP_STEP_FAILED);
        ck_assert_str_eq(rp_failure(rp_exchange_reason(ex))->name, rp_failure(row->why)->name);
        reached[row->why] = 1;
    }
    memset(&W, 0, sizeof(W));
    reached[RP_FAIL_CLIENT_BODY_BAD] = 1; /* send: body_shorter_than_announced_is_the_clients_fault */
    reached[RP_FAIL_TUNNEL_TIMEOUT] = 1;  /* tunnel: idle_tunnel_ends_in_silence */
    reached[RP_FAIL_TUNNEL_SHUTDOWN] = 1; /* tunnel: tunnel_can_be_ended_from_outside */
    reached[RP_FAIL_NONE] = reached[RP_FAIL_NO_MEMBER] = reached[RP_FAIL_INTERNAL] = 1; /* not the exchange's */
    for (k = 0; k < RP_FAIL_COUNT; k++) {
        ck_assert_msg(reached[k], "%s", rp_failure((rp_reason_e)k)->name);
    }
}
END_TEST

int main(void)
{
    TCase *tc = world_tcase("failure");

    tcase_add_test(tc, every_reason_has_its_row);
    tcase_add_test(tc, statuses_are_those_that_are_promised);
    tcase_add_test(tc, clients_faults_never_count_against_a_member);
    tcase_add_test(tc, every_reason_can_be_reached);
    return world_main(tc);
}
