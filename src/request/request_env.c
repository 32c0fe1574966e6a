/* SPDX-License-Identifier: Apache-2.0 */
/* Environment variables that steer one request: presence is enough, except for proxy-interim-response. */
#include "request/request.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef struct env_row_t {
    const char *name;
    size_t offset;
} env_row_t;

static const env_row_t rows[] = {
    {"force-proxy-request-1.0", offsetof(rp_req_env_t, http10)},
    {"proxy-nokeepalive", offsetof(rp_req_env_t, nokeepalive)},
    {"proxy-sendcl", offsetof(rp_req_env_t, sendcl)},
    {"proxy-sendchunked", offsetof(rp_req_env_t, sendchunked)},
    {"proxy-sendchunks", offsetof(rp_req_env_t, sendchunked)},
    {"proxy-sendextracrlf", offsetof(rp_req_env_t, extra_crlf)},
    {"Proxy-Chain-Auth", offsetof(rp_req_env_t, chain_auth)},
    {"proxy-initial-not-pooled", offsetof(rp_req_env_t, not_pooled)},
    {"proxy-prefetch-nonblocking", offsetof(rp_req_env_t, prefetch_nonblock)},
    {"proxy-nohalfclose", offsetof(rp_req_env_t, no_halfclose)},
    {"rproxy-no-resend", offsetof(rp_req_env_t, no_resend)},
    {"rproxy-client-eof-aborts", offsetof(rp_req_env_t, eof_is_gone)},
    {"rproxy-tls-eof-ok", offsetof(rp_req_env_t, tls_eof_ok)},
};

void rp_req_env_read(rp_req_env_t *env, request_rec *r)
{
    const apr_array_header_t *arr = apr_table_elts(r->subprocess_env);
    const apr_table_entry_t *e = (const apr_table_entry_t *)arr->elts;
    int i;

    memset(env, 0, sizeof(*env));
    for (i = 0; i < arr->nelts; i++) {
        size_t k;
        int c = e[i].key[0] | 0x20;

        if (c != 'p' && c != 'f' && c != 'r') {
            continue; /* most variables (CGI names, SSL_*) are none of ours */
        }
        for (k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            if (!strcasecmp(e[i].key, rows[k].name)) {
                *(int *)((char *)env + rows[k].offset) = 1;
            }
        }
        if (!strcasecmp(e[i].key, "proxy-interim-response")) {
            env->interim = e[i].val;
        }
    }
}
