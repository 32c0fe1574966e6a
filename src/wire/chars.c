/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chars.c
 * The table of character classes, spelled as predicates so that it can be compared with the RFCs.
 */
#include "wire/chars_int.h"

#include <stdint.h>
#include <string.h>

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_ALNUM(c) (IS_DIGIT(c) || IS_ALPHA(c))
#define IS_CTL(c) (((c) < 32 && (c) != '\t') || (c) == 127)
#define IS_BLANK(c) ((c) == ' ' || (c) == '\t')
#define IS_TCHAR(c)                                                                       \
    (IS_ALNUM(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&'    \
     || (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' \
     || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_PATH(c)                                                                        \
    (IS_ALNUM(c) || (c) == '~' || (c) == '$' || (c) == '-' || (c) == '_' || (c) == '.'    \
     || (c) == '+' || (c) == '!' || (c) == '*' || (c) == '\'' || (c) == '(' || (c) == ')' \
     || (c) == ',' || (c) == ';' || (c) == ':' || (c) == '@' || (c) == '&' || (c) == '='  \
     || (c) == '/')
#define IS_HOST(c) (IS_ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_SCHEME(c) (IS_ALNUM(c) || (c) == '+' || (c) == '-' || (c) == '.')

#define CLASS(c)                                                                        \
    (unsigned char)((IS_TCHAR(c) ? RP_CH_TCHAR : 0) | (IS_CTL(c) ? RP_CH_CTL : 0)       \
                    | (IS_BLANK(c) ? RP_CH_BLANK : 0) | (IS_PATH(c) ? RP_CH_PATH : 0)   \
                    | (IS_HOST(c) ? RP_CH_HOST : 0) | (IS_SCHEME(c) ? RP_CH_SCHEME : 0) \
                    | (IS_DIGIT(c) ? RP_CH_DIGIT : 0) | (IS_ALPHA(c) ? RP_CH_ALPHA : 0))
#define CLASS4(c) CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS16(c) CLASS4(c), CLASS4((c) + 4), CLASS4((c) + 8), CLASS4((c) + 12)
#define CLASS64(c) CLASS16(c), CLASS16((c) + 16), CLASS16((c) + 32), CLASS16((c) + 48)

const unsigned char rp_chars[256] = { CLASS64(0), CLASS64(64), CLASS64(128), CLASS64(192) };

#define ALL(byte) (UINT64_C(0x0101010101010101) * (byte))

/** Non-zero when one of the eight bytes of x is below 32 or 127. May not miss one; HTAB counts too.
 */
static uint64_t word_suspect(uint64_t x)
{
    uint64_t below32 = (x - ALL(0x20)) & ~x;
    uint64_t del = x ^ ALL(0x7f);

    return (below32 | ((del - ALL(1)) & ~del)) & ALL(0x80);
}

apr_size_t rp_ctl_find(const char *s, apr_size_t n)
{
    apr_size_t i = 0;

    while (i < n) {
        apr_size_t stop = n;

        if (n - i >= 8) {
            uint64_t x;

            memcpy(&x, s + i, 8);
            stop = i + 8;
            if (!word_suspect(x)) {
                i = stop;
                continue;
            }
        }
        for (; i < stop; i++) {
            if (rp_ch_is(s[i], RP_CH_CTL)) {
                return i;
            }
        }
    }
    return n;
}

int rp_ch_equal(const char *a, const char *b, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        if (a[i] != b[i] && rp_ch_lower(a[i]) != rp_ch_lower(b[i])) {
            return 0;
        }
    }
    return 1;
}
