/* SPDX-License-Identifier: Apache-2.0 */
/** @file lbmethods.h The methods that come with the module. Pure. */
#ifndef RP_BALANCER_LBMETHODS_H
#define RP_BALANCER_LBMETHODS_H

#include "rproxy_lbmethod.h"

extern const rproxy_lbmethod_t rp_lb_byrequests; /**< weighted: each candidate earns its weight, the richest pays the sum */
extern const rproxy_lbmethod_t rp_lb_bytraffic;  /**< fewest bytes in relation to the weight */
extern const rproxy_lbmethod_t rp_lb_bybusyness; /**< fewest requests under way; the credit of byrequests breaks ties */

#endif
