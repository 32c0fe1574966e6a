/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chars_int.h
 * Character classes of HTTP and URLs, one table look-up each. Private to src/wire.
 */
#ifndef RP_WIRE_CHARS_INT_H
#define RP_WIRE_CHARS_INT_H

#include <apr.h>

#define RP_CH_TCHAR 0x01  /**< part of a token (RFC 9110 5.6.2) */
#define RP_CH_CTL 0x02    /**< control character other than HTAB: 0-31 and 127 */
#define RP_CH_BLANK 0x04  /**< SP or HTAB: what OWS is made of (RFC 9110 5.6.3) */
#define RP_CH_PATH 0x08   /**< stays as it is in an encoded path, see rp_path_encode */
#define RP_CH_HOST 0x10   /**< may be part of a host name: unreserved of RFC 3986 2.3 */
#define RP_CH_SCHEME 0x20 /**< may follow the first letter of a scheme (RFC 3986 3.1) */
#define RP_CH_DIGIT 0x40
#define RP_CH_ALPHA 0x80

extern const unsigned char rp_chars[256];

/** Non-zero when c is in one of the classes. */
static inline int rp_ch_is(char c, unsigned int classes)
{
    return (rp_chars[(unsigned char)c] & classes) != 0;
}

/** Lower case of an ASCII letter, any other byte as it is; knows no locale. */
static inline char rp_ch_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/** Value of a hex digit, or -1. */
static inline int rp_ch_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = rp_ch_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** Offset of the first RP_CH_CTL byte of s[0..n), or n. Looks at eight bytes at a time. */
apr_size_t rp_ctl_find(const char *s, apr_size_t n);

/** 1 when s[0..n) holds no RP_CH_CTL and no RP_CH_BLANK byte. */
int rp_ch_visible(const char *s, apr_size_t n);

/** 1 when a[0..n) and b[0..n) are the same but for the case of ASCII letters. */
int rp_ch_equal(const char *a, const char *b, apr_size_t n);

#endif
