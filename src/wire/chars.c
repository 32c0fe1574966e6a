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

#define WORD sizeof(uint64_t)
#define ALL(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t word_at(const char *s)
{
    uint64_t x;

    memcpy(&x, s, WORD);
    return x;
}

/** Non-zero exactly when a byte of x is below limit (at most 128). */
static inline uint64_t word_below(uint64_t x, unsigned int limit)
{
    return (x - ALL(limit)) & ~x & ALL(0x80);
}

/** Non-zero exactly when a byte of x is DEL. */
static inline uint64_t word_del(uint64_t x)
{
    return word_below(x ^ ALL(0x7f), 1);
}

/** The top bit of each byte of x that is an ASCII letter. No sum leaves its byte. */
static inline uint64_t word_letters(uint64_t x)
{
    uint64_t low7 = (x | ALL(0x20)) & ALL(0x7f);
    uint64_t from_a = low7 + ALL(0x80 - 'a');      /* top bit: not below 'a' */
    uint64_t above_z = low7 + ALL(0x80 - 'z' - 1); /* top bit: above 'z' */

    return from_a & ~above_z & ~x & ALL(0x80);
}

/*
 * The functions below take a word at a time. The last word is the last eight bytes, so it overlaps
 * the one before; only text that is shorter than a word is read byte by byte.
 */

/** Offset of the first RP_CH_CTL byte of s[from..to), or to. */
static apr_size_t ctl_between(const char *s, apr_size_t from, apr_size_t to)
{
    while (from < to && !rp_ch_is(s[from], RP_CH_CTL)) {
        from++;
    }
    return from;
}

apr_size_t rp_ctl_find(const char *s, apr_size_t n)
{
    apr_size_t i = 0;

    if (n < WORD) {
        return ctl_between(s, 0, n);
    }
    for (;;) {
        uint64_t x = word_at(s + i);

        if (word_below(x, 0x20) | word_del(x)) { /* or a HTAB */
            apr_size_t at = ctl_between(s, i, i + WORD);

            if (at < i + WORD) {
                return at;
            }
        }
        if (i == n - WORD) {
            return n;
        }
        i = i + WORD < n - WORD ? i + WORD : n - WORD;
    }
}

int rp_ch_visible(const char *s, apr_size_t n)
{
    apr_size_t i;

    if (n < WORD) {
        for (i = 0; i < n; i++) {
            if (rp_ch_is(s[i], RP_CH_CTL | RP_CH_BLANK)) {
                return 0;
            }
        }
        return 1;
    }
    for (i = 0; i < n - WORD; i += WORD) {
        if (word_below(word_at(s + i), 0x21) | word_del(word_at(s + i))) {
            return 0;
        }
    }
    s += n - WORD;
    return !(word_below(word_at(s), 0x21) | word_del(word_at(s)));
}

/** Letters may differ in the bit that makes them capitals, all other bytes in none. */
static inline int words_equal(const char *a, const char *b)
{
    uint64_t x = word_at(a);
    uint64_t differ = x ^ word_at(b);

    return !differ || (!(differ & ~ALL(0x20)) && !(differ << 2 & ~word_letters(x)));
}

int rp_ch_equal(const char *a, const char *b, apr_size_t n)
{
    apr_size_t i;

    if (n < WORD) {
        for (i = 0; i < n; i++) {
            if (rp_ch_lower(a[i]) != rp_ch_lower(b[i])) {
                return 0;
            }
        }
        return 1;
    }
    for (i = 0; i < n - WORD; i += WORD) {
        if (!words_equal(a + i, b + i)) {
            return 0;
        }
    }
    return words_equal(a + n - WORD, b + n - WORD);
}
