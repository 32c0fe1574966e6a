/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file manager.h
 * The balancer manager: `SetHandler balancer-manager`.
 */
#ifndef RP_BALANCER_MANAGER_H
#define RP_BALANCER_MANAGER_H

#include <httpd.h>

/** Content handler. DECLINED when the handler is another one. */
int rp_manager_handler(request_rec *r);

#endif
