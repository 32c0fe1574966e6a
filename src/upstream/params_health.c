/* SPDX-License-Identifier: Apache-2.0 */
/* What of the health check parameters a table row can not judge. */
#include "upstream/params.h"

#include <apr_escape.h>
#include <apr_strings.h>

#include "wire/h1_req.h"

const char *rp_health_request_wrong(apr_pool_t *pool, const char *hcuri, const char *hchost)
{
    rp_req_head_t head = {0};
    rp_req_err_e err = RP_REQ_OK;
    const char *text;
    apr_size_t len;
    int bad, of_host;

    head.method = "GET";
    head.target = apr_pstrcat(pool, "/", hcuri, NULL);
    head.host = hchost && *hchost ? hchost : "h";
    if (rp_req_write(&head, pool, &text, &len, &err, &bad) == APR_SUCCESS) {
        return NULL;
    }
    of_host = err == RP_REQ_BAD_HOST;
    return apr_psprintf(pool, "%s=%s can not stand in a request (%s): write for example %s", of_host ? "hchost" : "hcuri",
                        apr_pescape_echo(pool, of_host ? hchost : hcuri, 0), rp_req_err_str(err),
                        of_host ? "hchost=www.example.com" : "hcuri=/health");
}
