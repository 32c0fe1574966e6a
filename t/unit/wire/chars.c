/* SPDX-License-Identifier: Apache-2.0 */
/* Character classes, compared byte by byte with the lists of the RFCs. */
#include "wire_unit.h"

#include "wire/chars_int.h"

static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** Each class as the characters its definition lists besides letters and digits; NULL: without
 * these. */
static const struct {
    unsigned int cls;
    int with_alnum;
    const char *others;
} classes[] = {
    { RP_CH_TCHAR, 1, "!#$%&'*+-.^_`|~" }, /* RFC 9110 5.6.2 */
    { RP_CH_BLANK, 0, " \t" },             /* RFC 9110 5.6.3 */
    { RP_CH_PATH, 1, "~$-_.+!*'(),;:@&=/" },
    { RP_CH_HOST, 1, "-._~" },  /* RFC 3986 2.3 */
    { RP_CH_SCHEME, 1, "+-." }, /* RFC 3986 3.1 */
    { RP_CH_DIGIT, 0, "0123456789" },
    { RP_CH_ALPHA, 0, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" },
};

START_TEST(class_matches_definition)
{
    int c;

    for (c = 0; c < 256; c++) {
        int want =
            c != 0
            && (strchr(classes[_i].others, c) || (classes[_i].with_alnum && strchr(alnum, c)));

        ck_assert_msg(rp_ch_is((char)c, classes[_i].cls) == want, "class 0x%x byte 0x%02x",
                      classes[_i].cls, (unsigned int)c);
    }
}
END_TEST

START_TEST(ctl_is_all_but_tab)
{
    int c;

    for (c = 0; c < 256; c++) {
        ck_assert_int_eq(rp_ch_is((char)c, RP_CH_CTL), (c < 32 && c != 9) || c == 127);
    }
}
END_TEST

START_TEST(ctl_find_every_byte_every_position)
{
    int c;
    size_t n;
    size_t at;

    for (c = 0; c < 256; c++) {
        int hit = (c < 32 && c != 9) || c == 127;

        for (n = 1; n <= 26; n++) {
            for (at = 0; at < n; at++) {
                char *s = exact_copy("abcdefghijklmnop\t\xff\x80qrstuvw", n);

                s[at] = (char)c;
                ck_assert_uint_eq(rp_ctl_find(s, n), hit ? at : n);
                free(s);
            }
        }
    }
    ck_assert_uint_eq(rp_ctl_find("", 0), 0);
}
END_TEST

START_TEST(ctl_find_first_of_two)
{
    ck_assert_uint_eq(rp_ctl_find("\t\x01"
                                  "aaaaaa\x7f",
                                  9),
                      1);
    ck_assert_uint_eq(rp_ctl_find("aaaaaaaaaaaa\x7f\0aa", 16), 12);
}
END_TEST

START_TEST(visible_every_byte_every_position)
{
    int c;
    size_t n;
    size_t at;

    for (c = 0; c < 256; c++) {
        for (n = 1; n <= 26; n++) {
            for (at = 0; at < n; at++) {
                char *s = exact_copy("abcdefghijklmnop!\xff\x80qrstuvw", n);

                s[at] = (char)c;
                ck_assert_int_eq(rp_ch_visible(s, n), c > 32 && c != 127);
                free(s);
            }
        }
    }
    ck_assert_int_eq(rp_ch_visible("", 0), 1);
}
END_TEST

START_TEST(equal_every_pair_of_bytes_every_position)
{
    int a;
    int b;
    size_t at;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            char one[9] = "@[`{Az-\xc1~";
            char two[9] = "@[`{aZ-\xc1~";

            at = (size_t)(a + b) % sizeof(one);
            one[at] = (char)a;
            two[at] = (char)b;
            ck_assert_int_eq(rp_ch_equal(one, two, sizeof(one)),
                             rp_ch_lower((char)a) == rp_ch_lower((char)b));
        }
    }
}
END_TEST

START_TEST(equal_every_length_sees_every_position)
{
    size_t n;
    size_t at;

    for (n = 1; n <= 26; n++) {
        for (at = 0; at < n; at++) {
            char *one = exact_copy("abcdefghijklmnopqrstuvwxyz", n);
            char *two = exact_copy("ABCDEFGHIJKLMNOPQRSTUVWXYZ", n);

            ck_assert_int_eq(rp_ch_equal(one, two, n), 1);
            two[at] = '_';
            ck_assert_int_eq(rp_ch_equal(one, two, n), 0);
            free(one);
            free(two);
        }
    }
}
END_TEST

START_TEST(hex_values)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    int c;

    for (c = 0; c < 256; c++) {
        const char *at = c ? strchr(digits, c) : NULL;
        int want = -1;

        if (at) {
            want = (int)(at - digits);
            want -= want > 15 ? 6 : 0;
        }
        ck_assert_int_eq(rp_ch_hex((char)c), want);
    }
}
END_TEST

START_TEST(equal_ignores_case_of_ascii_letters_only)
{
    ck_assert_int_eq(rp_ch_equal("Content-Length", "cONTENT-lENGTH", 14), 1);
    ck_assert_int_eq(rp_ch_equal("abc", "abd", 3), 0);
    ck_assert_int_eq(rp_ch_equal("[", "{", 1), 0);       /* 0x5b and 0x7b */
    ck_assert_int_eq(rp_ch_equal("@", "`", 1), 0);       /* 0x40 and 0x60 */
    ck_assert_int_eq(rp_ch_equal("\xc4", "\xe4", 1), 0); /* letters in Latin-1 */
    ck_assert_int_eq(rp_ch_equal("-", "\r", 1), 0);
    ck_assert_int_eq(rp_ch_equal("x", "y", 0), 1);
    ck_assert_int_eq(rp_ch_lower('A'), 'a');
    ck_assert_int_eq(rp_ch_lower('Z'), 'z');
    ck_assert_int_eq(rp_ch_lower('@'), '@');
    ck_assert_int_eq(rp_ch_lower('['), '[');
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/chars");
    TCase *tc = case_new(s, "chars");

    tcase_add_loop_test(tc, class_matches_definition, 0, ROWS(classes));
    tcase_add_test(tc, ctl_is_all_but_tab);
    tcase_add_test(tc, ctl_find_every_byte_every_position);
    tcase_add_test(tc, ctl_find_first_of_two);
    tcase_add_test(tc, visible_every_byte_every_position);
    tcase_add_test(tc, equal_every_pair_of_bytes_every_position);
    tcase_add_test(tc, equal_every_length_sees_every_position);
    tcase_add_test(tc, hex_values);
    tcase_add_test(tc, equal_ignores_case_of_ascii_letters_only);
    return suite_main(s);
}
