/* SPDX-License-Identifier: Apache-2.0 */
/** @file status.h The balancers on the page of mod_status (ProxyStatus), as HTML and as the text of ?auto. */
#ifndef RP_BALANCER_STATUS_H
#define RP_BALANCER_STATUS_H

#include "balancer/shared.h"
#include "rproxy.h"

/** Add the section to mod_status' page, if that module is there. */
void rp_balancer_status_register(apr_pool_t *p);

#endif
