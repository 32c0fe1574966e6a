/* SPDX-License-Identifier: Apache-2.0 */
#include "config/hosts.h"

#include "config_unit.h"

static apr_array_header_t *list(const char *words)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(const char *));
    char *copy = apr_pstrdup(pool, words);
    char *last = NULL;
    char *word;

    for (word = apr_strtok(copy, " ", &last); word != NULL; word = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(names, const char *) = word;
    }
    return names;
}

static const struct {
    const char *text;
    int looks, good;
} nets[] = {
    {"192.0.2.1", 1, 1},     {"192.168", 1, 1},       {"10", 1, 1},          {"192.168.112/21", 1, 1}, {"10/8", 1, 1},
    {"192.0.2.0/24", 1, 1},  {"0.0.0.0/0", 1, 0},     {"2001:db8::/32", 1, 1}, {"::1", 1, 1},
    {"192.0.2.0/33", 1, 0},  {"192.0.2.256", 1, 0},   {"192.0.2.0/", 1, 0},  {"/8", 1, 0},             {"10/8/8", 1, 0},
    {"2001:db8::/129", 1, 0}, {"10.", 1, 0},          {"1.2.3.4.5", 1, 0},   {":", 1, 0},              {"10.0.0.0/x", 0, 0},
    {"host", 0, 0},          {".example.com", 0, 0},  {"10.example", 0, 0},  {"", 0, 0},
};

START_TEST(net_rows)
{
    apr_ipsubnet_t *net = NULL;

    ck_assert_int_eq(rp_net_looks(nets[_i].text), nets[_i].looks);
    if (nets[_i].looks) {
        ck_assert_msg((rp_net_parse(pool, nets[_i].text, &net) == APR_SUCCESS) == nets[_i].good, "%s", nets[_i].text);
    }
}
END_TEST

static const struct {
    const char *names, *host;
    int exempt;
} exempts[] = {
    {"host", "HOST", 1},
    {"host", "hosts", 0},
    {".example.com", "a.Example.com", 1},
    {".example.com", "example.com", 0},
    {".example.com", "badexample.com", 0},
    {"example.com", "a.example.com", 0},
    {"192.0.2.1", "192.0.2.1", 1},
    {"192.0.2.1", "192.0.2.10", 0},
    {"192.0.2.1/32", "192.0.2.1", 1},
    {"10", "10.200.3.4", 1},
    {"10", "11.0.0.1", 0},
    {"192.168", "192.168.7.7", 1},
    {"192.168.112/21", "192.168.119.255", 1},
    {"192.168.112/21", "192.168.120.0", 0},
    {"2001:db8::/32", "2001:db8:1::7", 1},
    {"2001:db8::/32", "2001:db9::7", 0},
    {"2001:db8::/32", "192.0.2.1", 0},
    {"127/8 ::1", "localhost", 1}, /* a name: by its addresses */
    {"10/8", "localhost", 0},
    {"10/8 fd00::/8", "no.such.host.invalid", 0},
    {"a b 192.0.2.0/24 c", "192.0.2.77", 1},
    {"", "h", 0},
};

START_TEST(exempt_rows)
{
    ck_assert_int_eq(rp_host_exempt(pool, list(exempts[_i].names), exempts[_i].host), exempts[_i].exempt);
}
END_TEST

START_TEST(blocked_by_word)
{
    const apr_array_header_t *names = list("intern 192.0.2");

    ck_assert_str_eq(rp_host_blocked(names, "www.INTERNAL.example"), "intern");
    ck_assert_str_eq(rp_host_blocked(names, "192.0.2.9"), "192.0.2");
    ck_assert_ptr_null(rp_host_blocked(names, "www.example"));
    ck_assert_str_eq(rp_host_blocked(list("q *"), "www.example"), "*");
    ck_assert_ptr_null(rp_host_blocked(list(""), "www.example"));
}
END_TEST

START_TEST(blocked_by_address)
{
    const apr_array_header_t *blocked = rp_blocked_addrs(pool, list("* .local no.such.host.invalid localhost 192.0.2.9"));
    apr_sockaddr_t *a = NULL;

    ck_assert_int_eq(apr_sockaddr_info_get(&a, "127.0.0.1", APR_INET, 8080, 0, pool), APR_SUCCESS);
    ck_assert_str_eq(rp_addr_blocked(blocked, a), "localhost"); /* any port */
    ck_assert_int_eq(apr_sockaddr_info_get(&a, "192.0.2.9", APR_INET, 0, 0, pool), APR_SUCCESS);
    ck_assert_str_eq(rp_addr_blocked(blocked, a), "192.0.2.9");
    ck_assert_int_eq(apr_sockaddr_info_get(&a, "192.0.2.8", APR_INET, 0, 0, pool), APR_SUCCESS);
    ck_assert_ptr_null(rp_addr_blocked(blocked, a));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, net_rows, 0, (int)(sizeof(nets) / sizeof(nets[0])));
    tcase_add_loop_test(tc, exempt_rows, 0, (int)(sizeof(exempts) / sizeof(exempts[0])));
    tcase_add_test(tc, blocked_by_word);
    tcase_add_test(tc, blocked_by_address);
}

int main(void) { return run("config/hosts", add); }
