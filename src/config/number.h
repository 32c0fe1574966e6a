/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file number.h
 * Whole numbers as directives write them. Pure.
 */
#ifndef RP_CONFIG_NUMBER_H
#define RP_CONFIG_NUMBER_H

#include <apr.h>

/**
 * Read a whole number (digits, or '-' and digits; nothing in front) at the start of text.
 * @param rest what follows it
 * @return 1 when there is one and it is within min and max
 */
int rp_number_prefix(const char *text, apr_int64_t min, apr_int64_t max, apr_int64_t *out,
                     const char **rest);

/** The same with nothing behind the number. */
int rp_number_parse(const char *text, apr_int64_t min, apr_int64_t max, apr_int64_t *out);

#endif
