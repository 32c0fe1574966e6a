/* SPDX-License-Identifier: Apache-2.0 */
#include "config/target.h"

#include "config_unit.h"

#define COUNT(rows) (int)(sizeof(rows) / sizeof(rows[0]))

typedef struct kind_row_t {
    const char *url;
    rp_target_e kind;
    const char *scheme;
} kind_row_t;

static const kind_row_t kinds[] = {
    {"http://h/", RP_TARGET_DIRECT, "http"},
    {"HTTPS://h/", RP_TARGET_DIRECT, "https"},
    {"ws://h/", RP_TARGET_DIRECT, "ws"},
    {"wss://h/", RP_TARGET_DIRECT, "wss"},
    {"balancer://c/", RP_TARGET_BALANCER, "balancer"},
    {"BALANCER://c/", RP_TARGET_BALANCER, "balancer"},
    {"fcgi://h:9000/", RP_TARGET_UNSPOKEN, "fcgi"},
    {"unix:/run/php.sock|fcgi://localhost/", RP_TARGET_UNSPOKEN, "fcgi"},
    {"unix:/run/php.sock|fcgi:", RP_TARGET_UNSPOKEN, "fcgi"},
    {"unix:/run/app.sock|http://localhost/", RP_TARGET_DIRECT, "http"},
    {"unix:/run/app.sock|http:", RP_TARGET_DIRECT, "http"},
    {"UNIX:/run/app.sock|HTTP:", RP_TARGET_DIRECT, "http"},
    {"unix:/run/app.sock", RP_TARGET_UNKNOWN, ""},
    {"ajp://h", RP_TARGET_UNSPOKEN, "ajp"},
    {"h2c://h", RP_TARGET_UNSPOKEN, "h2c"},
    {"htp://h", RP_TARGET_UNKNOWN, "htp"},
    {"h/path", RP_TARGET_UNKNOWN, ""},
    {"/path", RP_TARGET_UNKNOWN, ""},
    {"", RP_TARGET_UNKNOWN, ""},
    {"$1://h/", RP_TARGET_UNKNOWN, ""},
    {"averyveryverylongscheme://h/", RP_TARGET_UNKNOWN, ""},
};

START_TEST(target_kind_rows)
{
    const char *scheme = NULL;

    ck_assert_int_eq(rp_target_kind(pool, kinds[_i].url, &scheme), kinds[_i].kind);
    ck_assert_str_eq(scheme, kinds[_i].scheme);
    ck_assert_int_eq(rp_target_kind(pool, kinds[_i].url, NULL), kinds[_i].kind);
}
END_TEST

typedef struct varies_row_t {
    const char *url;
    int groups, variables;
    rp_varies_e varies;
    int fixed;
} varies_row_t;

static const varies_row_t varying[] = {
    {"http://h/x", 1, 1, RP_VARIES_NOTHING, 10},
    {"http://h/$1", 1, 0, RP_VARIES_PATH, 9},
    {"http://h/a/$1", 1, 0, RP_VARIES_PATH, 11},
    {"http://h/$1", 0, 1, RP_VARIES_NOTHING, 11},
    {"http://$1/", 1, 0, RP_VARIES_AUTHORITY, 7},
    {"http://$1", 1, 0, RP_VARIES_AUTHORITY, 7},
    {"http://h:81$1", 1, 0, RP_VARIES_AUTHORITY, 11},
    {"http://h$1", 1, 0, RP_VARIES_AUTHORITY, 8},
    {"http://h.$1.example/", 1, 0, RP_VARIES_AUTHORITY, 9},
    {"http://h?$1", 1, 0, RP_VARIES_PATH, 9},
    {"$1://h/", 1, 0, RP_VARIES_AUTHORITY, 0},
    {"unix:/run/$1|http://h/", 1, 0, RP_VARIES_AUTHORITY, 10},
    {"unix:/run/a|http://h/$1", 1, 0, RP_VARIES_PATH, 21},
    {"balancer://$1/", 1, 0, RP_VARIES_AUTHORITY, 11},
    {"balancer://c/$1", 1, 0, RP_VARIES_PATH, 13},
    {"http://h/\\$1", 1, 0, RP_VARIES_NOTHING, 12},
    {"http://h/$x", 1, 0, RP_VARIES_NOTHING, 11},
    {"http://h/$", 1, 1, RP_VARIES_NOTHING, 10},
    {"http://${H}/", 0, 1, RP_VARIES_AUTHORITY, 7},
    {"http://h/${P}", 0, 1, RP_VARIES_PATH, 9},
    {"http://h/${P}", 1, 0, RP_VARIES_NOTHING, 13},
    {"", 1, 1, RP_VARIES_NOTHING, 0},
};

START_TEST(target_varies_rows)
{
    const varies_row_t *row = &varying[_i];
    apr_size_t fixed = 999;

    ck_assert_int_eq(rp_target_varies(row->url, row->groups, row->variables, &fixed), row->varies);
    ck_assert_int_eq((int)fixed, row->fixed);
}
END_TEST

typedef struct balancer_row_t {
    const char *url, *name, *rest, *bad;
} balancer_row_t;

static const balancer_row_t balancers[] = {
    {"balancer://c", "balancer://c", "", NULL},
    {"balancer://My-Set/Path", "balancer://my-set", "/Path", NULL},
    {"Balancer://c?x", "balancer://c", "?x", NULL},
    {"balancer://", NULL, NULL, "has no name"},
    {"balancer:///p", NULL, NULL, "has no name"},
    {"balancer:c", NULL, NULL, "does not start with balancer://"},
    {"http://c/", NULL, NULL, "does not start with balancer://"},
    {"balancer://a b", NULL, NULL, "has a space, a control character, '|' or '\"' in its name"},
    {"balancer://a|b", NULL, NULL, "has a space, a control character, '|' or '\"' in its name"},
};

START_TEST(target_balancer_rows)
{
    const balancer_row_t *row = &balancers[_i];
    const char *name = NULL;
    const char *rest = NULL;
    const char *bad = rp_target_balancer(pool, row->url, &name, &rest);

    if (row->bad) {
        ck_assert_ptr_nonnull(bad);
        ck_assert_str_eq(bad, row->bad);
        return;
    }
    ck_assert_ptr_null(bad);
    ck_assert_str_eq(name, row->name);
    ck_assert_str_eq(rest, row->rest);
}
END_TEST

START_TEST(target_balancer_length_95_accepted_96_refused)
{
    char url[128] = "balancer://";
    const char *name;
    const char *rest;

    memset(url + 11, 'x', RP_BALANCER_NAME_MAX - 11);
    ck_assert_ptr_null(rp_target_balancer(pool, url, &name, &rest));
    url[RP_BALANCER_NAME_MAX] = 'x';
    ck_assert_ptr_nonnull(rp_target_balancer(pool, url, &name, &rest));
}
END_TEST

typedef struct wild_row_t {
    const char *url;
    int wild;
    const char *pattern;
} wild_row_t;

static const wild_row_t wilds[] = {
    {"*", 1, "*"},
    {"http://h/", 0, "http://h/"},
    {"http://h/*", 1, "http://h/*"},
    {"http://h/a?c", 1, "http://h/a?c"},
    {"http://h/[ab]", 1, "http://h/[ab]"},
    {"http://[::1]:80/", 0, "http://\\[::1]:80/"},
    {"http://[::1]:80/*", 1, "http://\\[::1]:80/*"},
    {"balancer://c", 0, "balancer://c"},
};

START_TEST(target_wild_rows)
{
    const char *pattern = NULL;

    ck_assert_int_eq(rp_target_wild(pool, wilds[_i].url, &pattern), wilds[_i].wild);
    ck_assert_str_eq(pattern, wilds[_i].pattern);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, target_kind_rows, 0, COUNT(kinds));
    tcase_add_loop_test(tc, target_varies_rows, 0, COUNT(varying));
    tcase_add_loop_test(tc, target_balancer_rows, 0, COUNT(balancers));
    tcase_add_test(tc, target_balancer_length_95_accepted_96_refused);
    tcase_add_loop_test(tc, target_wild_rows, 0, COUNT(wilds));
}

int main(void) { return run("target", add); }
