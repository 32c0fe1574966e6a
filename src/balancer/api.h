/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api.h
 * The JSON API: `SetHandler rproxy-api`.
 */
#ifndef RP_BALANCER_API_H
#define RP_BALANCER_API_H

#include <httpd.h>

/** Content handler. DECLINED when the handler is another one. */
int rp_api_handler(request_rec *r);

/** The body of a request, from r->pool; ends with a NUL that n does not count. OK, HTTP_REQUEST_ENTITY_TOO_LARGE when
 * it has more than max bytes, or what reading it failed with. */
int rp_api_body(request_rec *r, apr_size_t max, char **body, apr_size_t *n);

/** Header fields of a page that shows state of the moment and secrets: not to be stored, framed or sniffed. */
void rp_api_headers(request_rec *r);

/** 1: text is the type of Content-Type, with or without parameters. */
int rp_api_is_type(const request_rec *r, const char *type);

#endif
