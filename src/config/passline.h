/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file passline.h
 * The words of a ProxyPass or ProxyPassMatch line, sorted out. Pure: libc + APR only.
 */
#ifndef RP_CONFIG_PASSLINE_H
#define RP_CONFIG_PASSLINE_H

#include <apr_pools.h>
#include <apr_tables.h>

/** Where a rule looks at the path. */
typedef enum rp_mapping_e {
    RP_MAP_DECODED = 0, /**< translate_name, on the decoded path */
    RP_MAP_ENCODED,     /**< pre_translate_name, on the still encoded path */
    RP_MAP_SERVLET      /**< the same, path parameters ignored */
} rp_mapping_e;

/** A parameter as written. */
typedef struct rp_keyvalue_t {
    const char *key;
    const char *value;
} rp_keyvalue_t;

typedef struct rp_passline_t {
    const char *path;            /**< NULL inside a Location */
    const char *url;             /**< "!" for an exemption */
    int regex;                   /**< ProxyPassMatch, or "~" in front of the path */
    int exempt;                  /**< the target is "!" */
    int nocanon, noquery, interpolate;
    rp_mapping_e mapping;
    apr_array_header_t *params;  /**< of rp_keyvalue_t, in order; without mapping= */
} rp_passline_t;

/**
 * Sort out the words of a line. Strings are borrowed from argv, or allocated from pool.
 * @param name         of the directive, for the sentence
 * @param in_location  the line is inside a Location, which gives the path
 * @param is_match     the directive is ProxyPassMatch
 * @return NULL, or a sentence allocated from pool; out is then not to be used
 */
const char *rp_passline_parse(apr_pool_t *pool, const char *name, int in_location, int is_match,
                              int argc, const char *const *argv, rp_passline_t *out);

/**
 * Split "key=value" at its first '='. The key must not be empty, the value may be.
 * @return 1, or 0 when word is none
 */
int rp_keyvalue_split(apr_pool_t *pool, const char *word, rp_keyvalue_t *out);

#endif
