/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rules.h
 * Thousands of ProxyPass lines, and few of them can match a path: which ones, in the order of the file. The first that matches
 * decides, as ever; who asks still has to look at each candidate. Pure but for the types of the configuration.
 */
#ifndef RP_MAPPING_RULES_H
#define RP_MAPPING_RULES_H

#include "config/conf.h"
#include "wire/prefixes.h"

#define RP_RULE_CHAINS_MAX 32 /**< prefixes of one path that are prefixes of rules too; beyond that every rule is a candidate */

/** The rules of one server, by path; const once made. */
typedef struct rp_rule_index_t rp_rule_index_t;

/** A search. */
typedef struct rp_rule_search_t {
    const rp_rule_index_t *index;
    int phase;
    int all;                                         /**< every rule is a candidate */
    int nchains;
    const rp_prefix_t *chains[RP_RULE_CHAINS_MAX];   /**< not yet given out, ids ascending in each */
    int other;                                       /**< next of the rules that have no prefix to look up */
    int last;                                        /**< number of the rule given out last */
} rp_rule_search_t;

/**
 * Index an array of rp_rule_t *, which must not change any more.
 * @param pool pays; the configuration's
 */
rp_rule_index_t *rp_rule_index_make(apr_pool_t *pool, const apr_array_header_t *rules);

/** Whether there are rules for paths of this kind (encoded: as the client sent them) at all. */
int rp_rule_index_has(const rp_rule_index_t *index, int encoded);

/**
 * Begin a search.
 * @param index of the server
 * @param path the request's, decoded or (encoded: 1) not
 */
void rp_rule_search(rp_rule_search_t *search, const rp_rule_index_t *index, const char *path, int encoded);

/** The next rule that may match, in the order of the array; each at most once. NULL: no more. All that do match are among them. */
const rp_rule_t *rp_rule_search_next(rp_rule_search_t *search);

#endif
