/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file manager_text.h
 * Text that grows, and the only way by which text of others gets into a page. Pure: libc and APR.
 */
#ifndef RP_BALANCER_MANAGER_TEXT_H
#define RP_BALANCER_MANAGER_TEXT_H

#include <apr_pools.h>
#include <stdarg.h>

typedef struct rp_text_t {
    apr_pool_t *pool;
    char *bytes;          /**< ends with NUL */
    apr_size_t n, room;
} rp_text_t;

rp_text_t *rp_text_make(apr_pool_t *pool);

/** Markup of our own, as it is. */
void rp_text_add(rp_text_t *t, const char *markup);
/** The same with values that need no escaping: numbers, our own words. */
void rp_text_addf(rp_text_t *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Text of others, safe between tags and in quoted attributes of HTML and XML, whatever the encoding of the page: all
 * but visible ASCII is written as a reference, control characters as \xNN. NULL is nothing. */
void rp_text_esc(rp_text_t *t, const char *text);
/** Text of others as a value of a query, in an attribute: %XX for all but letters, digits, - . _ ~ */
void rp_text_query(rp_text_t *t, const char *text);

#endif
