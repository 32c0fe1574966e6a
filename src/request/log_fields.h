/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log_fields.h
 * Notes for access logs about the tries of a proxied request.
 */
#ifndef RP_REQUEST_LOG_FIELDS_H
#define RP_REQUEST_LOG_FIELDS_H

#include "request/request.h"

void rp_log_fields_register_hooks(apr_pool_t *p);

#endif
