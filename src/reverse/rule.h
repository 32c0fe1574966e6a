/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rule.h
 * One ProxyPassReverse line, taken apart: what the backend calls itself (the real side) and what
 * the client shall see instead (the public side). Pure.
 */
#ifndef RP_REVERSE_RULE_H
#define RP_REVERSE_RULE_H

#include "reverse/reverse.h"
#include "wire/url.h"

/** What the real side of a rule is compared with. */
typedef enum rp_reverse_form_e {
    RP_REVERSE_NOTHING = 0, /**< never matches: empty, or not understood */
    RP_REVERSE_URL,         /**< `scheme://host[:port][/path]` */
    RP_REVERSE_PATH,        /**< `/path`: the path of a URL, whatever its host */
    RP_REVERSE_BALANCER     /**< `balancer://name[/path]`: one URL for each member */
} rp_reverse_form_e;

const char *rp_reverse_form_str(rp_reverse_form_e form);

/** A URL to compare with. */
typedef struct rp_reverse_real_t {
    rp_url_t url;        /**< path: what the value's path must begin with */
    apr_size_t path_len; /**< of url.path */
    apr_size_t folded;   /**< how many bytes of url.path are compared without regard to case */
} rp_reverse_real_t;

typedef struct rp_reverse_rule_t {
    rp_reverse_form_e form;
    const char *public_url; /**< path or absolute URL that the client shall see */
    apr_array_header_t
        *reals;           /**< of rp_reverse_real_t; PATH: one, of which only the path counts */
    const char *balancer; /**< BALANCER: "balancer://name" in lower case */
    const char *part;     /**< BALANCER: what is behind the name, "" or starts with '/' */
} rp_reverse_rule_t;

/** A URL reference found in a field. */
typedef struct rp_reverse_ref_t {
    int has_authority;
    int has_scheme;   /**< 0 with an authority: `//host/path` */
    rp_url_t head;    /**< scheme, host and port when there is an authority */
    const char *path; /**< path, query, fragment; not NUL-terminated */
    apr_size_t path_len;
} rp_reverse_ref_t;

/**
 * Take a line apart. A `unix:/socket|` in front of the real side is dropped: backends do not know
 * their socket. A balancer's rule matches nothing before rp_reverse_rule_members.
 * @param pool pays for copies; public_url is borrowed as long as the rule is used
 * @return APR_SUCCESS; APR_EINVAL with *err, and a rule that matches nothing. Any thread.
 */
apr_status_t rp_reverse_rule_parse(apr_pool_t *pool, const char *public_url, const char *real,
                                   rp_reverse_rule_t *rule, rp_reverse_err_e *err) RP_WARN_UNUSED;

/**
 * Give a balancer's rule its members; other forms stay as they are.
 * @param urls of const char *: member URLs, `unix:` allowed; one that is no URL is left out. NULL:
 * no members
 */
void rp_reverse_rule_members(apr_pool_t *pool, rp_reverse_rule_t *rule,
                             const apr_array_header_t *urls);

/**
 * Take a URL reference apart (RFC 3986 4.1) as far as rules need it.
 * @param pool pays for the host and scheme; text is borrowed
 * @return APR_SUCCESS; APR_NOTFOUND when no rule can apply: a relative path, another scheme's URL,
 * user information, a malformed or over-long authority
 */
apr_status_t rp_reverse_ref_parse(apr_pool_t *pool, const char *text, apr_size_t n,
                                  rp_reverse_ref_t *ref) RP_WARN_UNUSED;

/**
 * Compare a reference with a rule. Scheme, host and path without regard to case (behind a
 * balancer's name: with), a scheme's default port is the same as none, and a match ends where a
 * path segment, the path or the query ends.
 * @param rest offset into ref->path of what is behind the matched part
 * @param slash the matched part ends with '/' in the configuration
 * @return 1 for a match
 */
int rp_reverse_rule_match(const rp_reverse_rule_t *rule, const rp_reverse_ref_t *ref,
                          apr_size_t *rest, int *slash);

#endif
