/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/manager_text.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

rp_text_t *rp_text_make(apr_pool_t *pool)
{
    rp_text_t *t = apr_palloc(pool, sizeof(*t));

    t->pool = pool;
    t->room = 16384;
    t->bytes = apr_palloc(pool, t->room);
    t->bytes[0] = '\0';
    t->n = 0;
    return t;
}

static void add(rp_text_t *t, const char *bytes, apr_size_t n)
{
    if (t->n + n + 1 > t->room) {
        char *grown;

        t->room = (t->n + n + 1) * 2;
        grown = apr_palloc(t->pool, t->room);
        memcpy(grown, t->bytes, t->n);
        t->bytes = grown;
    }
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = '\0';
}

void rp_text_add(rp_text_t *t, const char *markup) { add(t, markup, strlen(markup)); }

void rp_text_addf(rp_text_t *t, const char *format, ...)
{
    char buf[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = apr_vsnprintf(buf, sizeof(buf), format, args);
    va_end(args);
    add(t, buf, n > 0 ? (apr_size_t)n : 0);
}

void rp_text_esc(rp_text_t *t, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20 || c == 0x7f) {
            rp_text_addf(t, "\\x%02x", c);
        }
        else if (c >= 0x80 || strchr("&<>\"'`=", c) != NULL) {
            rp_text_addf(t, "&#%d;", c);
        }
        else {
            add(t, text, 1);
        }
    }
}

void rp_text_query(rp_text_t *t, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x80 && (apr_isalnum(c) || strchr("-._~", c) != NULL)) {
            add(t, text, 1);
        }
        else {
            rp_text_addf(t, "%%%02X", c);
        }
    }
}
