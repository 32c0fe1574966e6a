/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/trace.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/* n lower-case hexadecimal digits at s; *all_zero says whether they are '0'. Stops at NUL. */
static int is_hex(const char *s, int n, int *all_zero)
{
    *all_zero = 1;
    for (int i = 0; i < n; i++) {
        if (s[i] == '\0' || strchr(hex_digits, s[i]) == NULL) {
            return 0;
        }
        *all_zero &= s[i] == '0';
    }
    return 1;
}

static char *put_hex(char *out, const unsigned char *bytes, int n)
{
    for (int i = 0; i < n; i++) {
        *out++ = hex_digits[bytes[i] >> 4];
        *out++ = hex_digits[bytes[i] & 15];
    }
    return out;
}

int rp_request_id_ok(const char *id)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=:@";
    size_t n = strspn(id, good);

    return n > 0 && n <= RP_REQUEST_ID_MAX && id[n] == '\0';
}

void rp_request_id_make(char *out, const unsigned char *random)
{
    static const unsigned char groups[] = {4, 2, 2, 2, 6};
    unsigned char bytes[RP_REQUEST_ID_RANDOM];
    const unsigned char *next = bytes;

    memcpy(bytes, random, sizeof(bytes));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(groups); i++) {
        if (i > 0) {
            *out++ = '-';
        }
        out = put_hex(out, next, groups[i]);
        next += groups[i];
    }
    *out = '\0';
}

/* version "-" trace-id "-" parent-id "-" flags */
int rp_traceparent_ok(const char *value)
{
    int zero, later;

    if (!is_hex(value, 2, &zero) || !strncmp(value, "ff", 2) || value[2] != '-') {
        return 0;
    }
    later = !zero;
    if (!is_hex(value + 3, 32, &zero) || zero || value[35] != '-') {
        return 0;
    }
    if (!is_hex(value + 36, 16, &zero) || zero || value[52] != '-') {
        return 0;
    }
    return is_hex(value + 53, 2, &zero) && (value[55] == '\0' || (later && value[55] == '-'));
}

/* All zeros are no id: the last byte of each is made odd. */
void rp_traceparent_make(char *out, const unsigned char *random, int sampled)
{
    unsigned char bytes[RP_TRACE_RANDOM];

    memcpy(bytes, random, sizeof(bytes));
    bytes[15] |= 1;
    bytes[23] |= 1;
    memcpy(out, "00-", 3);
    out = put_hex(out + 3, bytes, 16);
    *out++ = '-';
    out = put_hex(out, bytes + 16, 8);
    memcpy(out, sampled ? "-01" : "-00", 4);
}
