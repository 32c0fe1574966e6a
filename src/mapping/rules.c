/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prefix rule matches a path whose runs of '/' are one '/' each when its own text, made the same way and without the '/' at its
 * end, is the path's up to a '/' or its end (rp_prefix_match, which has the last word). So a path is looked up once for each of its
 * segments. Regular expressions and rules whose path varies have no such text: they are candidates for every path.
 */
#include "mapping/rules.h"

#include <limits.h>

enum { DECODED = 0, ENCODED = 1, PHASES = 2 };

struct rp_rule_index_t {
    const apr_array_header_t *rules;
    rp_prefixes_t *prefixes[PHASES];
    apr_array_header_t *others[PHASES]; /* of int: numbers of rules without a fixed prefix */
    int counts[PHASES];                 /* all rules */
};

static int phase_of(const rp_rule_t *rule)
{
    return rule->mapping == RP_MAP_DECODED ? DECODED : ENCODED;
}

static int has_fixed_prefix(const rp_rule_t *rule)
{
    return rule->regex == NULL && !rule->interpolate && rule->mapping != RP_MAP_SERVLET;
}

/* Walk over the run of '/' at p, if it leads to something. @return what follows it */
static const char *walk_slashes(rp_prefix_walk_t *walk, const char *p)
{
    while (*p == '/') {
        p++;
    }
    if (*p) {
        rp_prefix_walk_byte(walk, '/');
    }
    return p;
}

static void index_rule(rp_rule_index_t *ix, const rp_rule_t *rule, int number)
{
    rp_prefix_walk_t walk;
    const char *p = rule->path;

    ix->counts[phase_of(rule)]++;
    if (!has_fixed_prefix(rule)) {
        APR_ARRAY_PUSH(ix->others[phase_of(rule)], int) = number;
        return;
    }
    rp_prefix_walk_begin(&walk);
    while (*p) {
        if (*p == '/') {
            p = walk_slashes(&walk, p);
        }
        else {
            rp_prefix_walk_byte(&walk, *p++);
        }
    }
    rp_prefixes_add(ix->prefixes[phase_of(rule)], &walk, number);
}

rp_rule_index_t *rp_rule_index_make(apr_pool_t *pool, const apr_array_header_t *rules)
{
    rp_rule_index_t *ix = apr_palloc(pool, sizeof(*ix));
    int i;

    ix->rules = rules;
    for (i = 0; i < PHASES; i++) {
        ix->prefixes[i] = rp_prefixes_make(pool);
        ix->others[i] = apr_array_make(pool, 2, sizeof(int));
        ix->counts[i] = 0;
    }
    for (i = 0; i < rules->nelts; i++) {
        index_rule(ix, APR_ARRAY_IDX(rules, i, const rp_rule_t *), i);
    }
    return ix;
}

int rp_rule_index_has(const rp_rule_index_t *index, int encoded)
{
    return index->counts[encoded ? ENCODED : DECODED] > 0;
}

/* The rules whose prefix is what was walked over. */
static void add_chain(rp_rule_search_t *s, const rp_prefix_walk_t *walk)
{
    const rp_prefix_t *p = rp_prefixes_at(s->index->prefixes[s->phase], walk);

    if (p == NULL) {
        return;
    }
    if (s->nchains == RP_RULE_CHAINS_MAX) {
        s->all = 1;
        return;
    }
    s->chains[s->nchains++] = p;
}

void rp_rule_search(rp_rule_search_t *s, const rp_rule_index_t *index, const char *path, int encoded)
{
    apr_uint32_t longest;
    rp_prefix_walk_t walk;

    s->index = index;
    s->phase = encoded ? ENCODED : DECODED;
    s->all = 0;
    s->nchains = 0;
    s->other = 0;
    s->last = -1;
    longest = rp_prefixes_longest(index->prefixes[s->phase]);
    rp_prefix_walk_begin(&walk);
    while (walk.len <= longest) {
        if (*path == '/' || *path == '\0') {
            add_chain(s, &walk);
        }
        if (*path == '\0') {
            return;
        }
        if (*path != '/') {
            rp_prefix_walk_byte(&walk, *path++);
            continue;
        }
        path = walk_slashes(&walk, path);
        if (*path == '\0') {
            return; /* "/foo/" has the prefixes of "/foo" */
        }
    }
}

static const rp_rule_t *rule_at(rp_rule_search_t *s, int number)
{
    s->last = number;
    return APR_ARRAY_IDX(s->index->rules, number, const rp_rule_t *);
}

/* Every rule of the phase. */
static const rp_rule_t *next_of_all(rp_rule_search_t *s)
{
    int i;

    for (i = s->last + 1; i < s->index->rules->nelts; i++) {
        if (phase_of(APR_ARRAY_IDX(s->index->rules, i, const rp_rule_t *)) == s->phase) {
            return rule_at(s, i);
        }
    }
    s->last = i;
    return NULL;
}

const rp_rule_t *rp_rule_search_next(rp_rule_search_t *s)
{
    const apr_array_header_t *others = s->index->others[s->phase];
    int least = s->other < others->nelts ? APR_ARRAY_IDX(others, s->other, int) : INT_MAX;
    int from = -1;
    int i;

    if (s->all) {
        return next_of_all(s);
    }
    for (i = 0; i < s->nchains; i++) {
        if (s->chains[i] != NULL && s->chains[i]->id < least) {
            least = s->chains[i]->id;
            from = i;
        }
    }
    if (least == INT_MAX) {
        return NULL;
    }
    if (from < 0) {
        s->other++;
    }
    else {
        s->chains[from] = rp_prefixes_next(s->chains[from]);
    }
    return rule_at(s, least);
}
