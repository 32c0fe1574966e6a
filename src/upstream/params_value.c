/* SPDX-License-Identifier: Apache-2.0 */
/* Values of parameters: text to member, one function a kind. Nothing is guessed: what is not wholly
 * understood is refused. */
#include <limits.h>
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "upstream/params_int.h"

/* Digits only, from min to max. */
static apr_status_t number_parse(const char *s, apr_size_t n, apr_int64_t min, apr_int64_t max,
                                 apr_int64_t *out)
{
    apr_int64_t v = 0;
    apr_size_t i;

    if (n == 0 || n > 18) {
        return APR_EINVAL;
    }
    for (i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return APR_EINVAL;
        }
        v = v * 10 + (s[i] - '0');
    }
    if (v < min || v > max) {
        return APR_EINVAL;
    }
    *out = v;
    return APR_SUCCESS;
}

apr_status_t rp_param_time_parse(const char *s, apr_int64_t unit_us, apr_int64_t *out_us)
{
    static const struct {
        const char *suffix;
        apr_int64_t us;
    } units[] = {{"ms", RP_MSEC_US}, {"s", RP_SEC_US}, {"mi", (apr_int64_t)60 * RP_SEC_US},
                 {"min", (apr_int64_t)60 * RP_SEC_US}, {"h", (apr_int64_t)3600 * RP_SEC_US}};
    apr_size_t digits = strspn(s, "0123456789");
    apr_int64_t v = 0;
    apr_size_t i;

    if (number_parse(s, digits, 0, APR_INT64_MAX, &v) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    if (s[digits] != '\0') {
        unit_us = 0;
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (apr_cstr_casecmp(s + digits, units[i].suffix) == 0) {
                unit_us = units[i].us;
            }
        }
    }
    if (unit_us == 0 || v > APR_INT64_MAX / unit_us) {
        return APR_EINVAL;
    }
    *out_us = v * unit_us;
    return APR_SUCCESS;
}

static apr_status_t set_int(const rp_param_row_t *row, const char *value, int *member)
{
    apr_int64_t v;
    apr_status_t rv = number_parse(value, strlen(value), row->min, row->max, &v);

    if (rv == APR_SUCCESS) {
        *member = (int)v;
    }
    return rv;
}

/* "1", "1.5", "1.257" (125: further digits are cut off). */
static apr_status_t set_decimal(const rp_param_row_t *row, const char *value, int *member)
{
    apr_size_t whole = strspn(value, "0123456789");
    const char *frac = value[whole] == '.' ? value + whole + 1 : value + whole;
    apr_size_t nfrac = strspn(frac, "0123456789");
    apr_int64_t v = 0;

    if (frac[nfrac] != '\0' || (value[whole] == '.' && nfrac == 0)
        || number_parse(value, whole, 0, INT_MAX / 100, &v) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    v = v * 100 + (nfrac > 0 ? (frac[0] - '0') * 10 : 0) + (nfrac > 1 ? frac[1] - '0' : 0);
    if (v < row->min || v > row->max || (v == row->max && strspn(frac, "0") != nfrac)) {
        return APR_EINVAL;
    }
    *member = (int)v;
    return APR_SUCCESS;
}

static apr_status_t set_time(const rp_param_row_t *row, const char *value,
                             apr_interval_time_t *member)
{
    apr_int64_t us;

    if (rp_param_time_parse(value, row->unit, &us) != APR_SUCCESS || us < row->min
        || us > row->max) {
        return APR_EINVAL;
    }
    *member = us;
    return APR_SUCCESS;
}

static apr_status_t set_seconds(const rp_param_row_t *row, const char *value, int *member)
{
    apr_int64_t us;

    if (row->min < 0 && strcmp(value, "-1") == 0) {
        *member = -1;
        return APR_SUCCESS;
    }
    if (rp_param_time_parse(value, RP_SEC_US, &us) != APR_SUCCESS || us % RP_SEC_US != 0
        || us / RP_SEC_US < row->min || us / RP_SEC_US > row->max) {
        return APR_EINVAL;
    }
    *member = (int)(us / RP_SEC_US);
    return APR_SUCCESS;
}

static apr_status_t set_switch(const char *value, int inverted, rp_switch_e *member)
{
    int on = apr_cstr_casecmp(value, "on") == 0;

    if (!on && apr_cstr_casecmp(value, "off") != 0) {
        return APR_EINVAL;
    }
    *member = (on != inverted) ? RP_ON : RP_OFF;
    return APR_SUCCESS;
}

static int has_control(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t set_string(apr_pool_t *pool, const rp_param_row_t *row, const char *value,
                               const char **member)
{
    apr_size_t n = strlen(value);

    if ((apr_int64_t)n < row->min || (apr_int64_t)n > row->max || has_control(value)) {
        return APR_EINVAL;
    }
    *member = apr_pstrdup(pool, value);
    return APR_SUCCESS;
}

/* Index into words, or -1. */
static int word_index(const rp_param_row_t *row, const char *value)
{
    int i;

    for (i = 0; row->words[i] != NULL; i++) {
        if (apr_cstr_casecmp(row->words[i], value) == 0) {
            return i;
        }
    }
    return -1;
}

static unsigned status_bit(char letter)
{
    static const struct {
        char letter;
        unsigned bit;
    } flags[] = {{'O', RP_ST_INITIALIZED}, {'I', RP_ST_IGNORE_ERRORS}, {'N', RP_ST_DRAIN},
                 {'G', RP_ST_GENERIC},     {'U', RP_ST_IN_SHUTDOWN},   {'D', RP_ST_DISABLED},
                 {'S', RP_ST_STOPPED},     {'E', RP_ST_IN_ERROR},      {'H', RP_ST_HOT_STANDBY},
                 {'F', RP_ST_FREE},        {'C', RP_ST_HC_FAIL},       {'R', RP_ST_HOT_SPARE}};
    apr_size_t i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if ((letter & ~0x20) == flags[i].letter) {
            return flags[i].bit;
        }
    }
    return 0;
}

/* A sign holds until the next one; without any, + is meant. */
static apr_status_t set_status(const char *value, unsigned *member)
{
    unsigned set = 0, clear = 0, bit;
    int plus = 1, letters = 0;

    for (; *value != '\0'; value++) {
        if (*value == '+' || *value == '-') {
            plus = *value == '+';
            continue;
        }
        bit = status_bit(*value);
        if (bit == 0) {
            return APR_EINVAL;
        }
        letters++;
        set = plus ? set | bit : set & ~bit;
        clear = plus ? clear & ~bit : clear | bit;
    }
    if (letters == 0) {
        return APR_EINVAL;
    }
    member[0] = (member[0] & ~clear) | set;
    member[1] = (member[1] & ~set) | clear;
    return APR_SUCCESS;
}

static apr_status_t set_char(const char *value, int *member)
{
    if (apr_cstr_casecmp(value, "off") == 0) {
        *member = 0;
        return APR_SUCCESS;
    }
    if (value[0] == '\0' || value[1] != '\0' || has_control(value)) {
        return APR_EINVAL;
    }
    *member = (unsigned char)value[0];
    return APR_SUCCESS;
}

static apr_status_t set_codes(apr_pool_t *pool, const rp_param_row_t *row, const char *value,
                              const char **member)
{
    const char *p = value + strspn(value, ", ");
    apr_int64_t code;

    if (*p == '\0') {
        return APR_EINVAL;
    }
    while (*p != '\0') {
        apr_size_t n = strcspn(p, ", ");

        if (number_parse(p, n, row->min, row->max, &code) != APR_SUCCESS) {
            return APR_EINVAL;
        }
        p += n;
        p += strspn(p, ", ");
    }
    *member = apr_pstrdup(pool, value);
    return APR_SUCCESS;
}

static apr_status_t set_size(const rp_param_row_t *row, const char *value, apr_int64_t *member)
{
    apr_int64_t v;

    if (number_parse(value, strlen(value), 0, row->max, &v) != APR_SUCCESS
        || (v != 0 && v < row->min)) {
        return APR_EINVAL;
    }
    *member = v == 0 ? row->zero_means : v;
    return APR_SUCCESS;
}

/* A protocol name: characters of a token, and the slash before a version (RFC 9110 7.8). */
static int protocol_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~/", c) != NULL);
}

static int protocols_ok(const char *s)
{
    int in_name = 0;

    for (; *s != '\0'; s++) {
        if (*s == ',') {
            if (!in_name) {
                return 0;
            }
            in_name = 0;
        }
        else if (protocol_char(*s)) {
            in_name = 1;
        }
        else if (*s != ' ' || in_name) {
            return 0;
        }
    }
    return in_name;
}

static apr_status_t set_protocols(apr_pool_t *pool, const rp_param_row_t *row, const char *value,
                                  const char **member)
{
    if (apr_cstr_casecmp(value, "any") == 0 || strcmp(value, "*") == 0) {
        *member = "*";
        return APR_SUCCESS;
    }
    if (apr_cstr_casecmp(value, "none") == 0) {
        *member = "";
        return APR_SUCCESS;
    }
    if ((apr_int64_t)strlen(value) > row->max || !protocols_ok(value)) {
        return APR_EINVAL;
    }
    *member = apr_pstrdup(pool, value);
    return APR_SUCCESS;
}

/* NAME or COOKIE|PARAM, neither empty: a name cut short would quietly send sessions astray. */
static apr_status_t set_sticky(apr_pool_t *pool, const rp_param_row_t *row, const char *value,
                               const char **member)
{
    const char *bar = strchr(value, '|');

    if (bar != NULL && (bar == value || bar[1] == '\0' || strchr(bar + 1, '|') != NULL)) {
        return APR_EINVAL;
    }
    if (strpbrk(value, " ;,=") != NULL) {
        return APR_EINVAL;
    }
    return set_string(pool, row, value, member);
}

apr_status_t rp_param_value_parse(apr_pool_t *pool, const rp_param_row_t *row, const char *value,
                                  void *member)
{
    int i;

    switch (row->kind) {
    case RP_PARAM_INT:
        return set_int(row, value, member);
    case RP_PARAM_DECIMAL_X100:
        return set_decimal(row, value, member);
    case RP_PARAM_TIME:
        return set_time(row, value, member);
    case RP_PARAM_SECONDS:
        return set_seconds(row, value, member);
    case RP_PARAM_SWITCH:
    case RP_PARAM_SWITCH_INVERTED:
        return set_switch(value, row->kind == RP_PARAM_SWITCH_INVERTED, member);
    case RP_PARAM_STRING:
        return set_string(pool, row, value, member);
    case RP_PARAM_ENUM:
    case RP_PARAM_WORD:
        i = word_index(row, value);
        if (i >= 0 && row->kind == RP_PARAM_ENUM) {
            *(int *)member = i;
        }
        else if (i >= 0) {
            *(const char **)member = row->words[i];
        }
        return i >= 0 ? APR_SUCCESS : APR_EINVAL;
    case RP_PARAM_STATUS:
        return set_status(value, member);
    case RP_PARAM_CHAR_OR_OFF:
        return set_char(value, member);
    case RP_PARAM_CODES:
        return set_codes(pool, row, value, member);
    case RP_PARAM_SIZE:
        return set_size(row, value, member);
    case RP_PARAM_PROTOCOLS:
        return set_protocols(pool, row, value, member);
    case RP_PARAM_STICKY:
        return set_sticky(pool, row, value, member);
    }
    return APR_EINVAL;
}
