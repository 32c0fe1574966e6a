/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "be_int.h"

void *be_alloc(size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL) {
        fputs("rp_backend: out of memory\n", stderr);
        abort();
    }
    return p;
}

char *be_dup(const char *p, size_t len)
{
    char *copy = be_alloc(len + 1);
    memcpy(copy, p, len);
    return copy;
}

void be_str_add(be_str_t *s, const void *data, size_t len)
{
    if (s->len + len + 1 > s->cap) {
        size_t cap = s->cap ? s->cap : 256;
        char *p;
        while (cap < s->len + len + 1) {
            cap *= 2;
        }
        p = realloc(s->p, cap);
        if (p == NULL) {
            fputs("rp_backend: out of memory\n", stderr);
            abort();
        }
        s->p = p;
        s->cap = cap;
    }
    if (len) {
        memcpy(s->p + s->len, data, len);
    }
    s->len += len;
    s->p[s->len] = '\0';
}

void be_str_addf(be_str_t *s, const char *fmt, ...)
{
    char buf[2048];
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    if (n > 0) {
        be_str_add(s, buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
    }
}

void be_str_free(be_str_t *s)
{
    free(s->p);
    memset(s, 0, sizeof(*s));
}

int be_num(const char *p, const char *end, uint64_t *out)
{
    uint64_t n = 0;
    if (p == end) {
        return -1;
    }
    for (; p < end; p++) {
        if (*p < '0' || *p > '9' || n > (UINT64_MAX - 9) / 10) {
            return -1;
        }
        n = n * 10 + (uint64_t)(*p - '0');
    }
    *out = n;
    return 0;
}

static int lower(int ch)
{
    return ch >= 'A' && ch <= 'Z' ? ch + 32 : ch;
}

int be_ieq(const char *a, size_t alen, const char *b)
{
    size_t i;
    for (i = 0; i < alen; i++) {
        if (b[i] == '\0' || lower((unsigned char)a[i]) != lower((unsigned char)b[i])) {
            return 0;
        }
    }
    return b[alen] == '\0';
}
