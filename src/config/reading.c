/* SPDX-License-Identifier: Apache-2.0 */
/* What is gathered while a configuration is read: messages, notices, workers. */
#include "config/conf_int.h"

#include <http_core.h>
#include <apr_strings.h>
#include <stdarg.h>

APLOG_USE_MODULE(rproxy);

#define READING_KEY "rproxy_reading"

rp_reading_t *rp_reading(apr_pool_t *pconf)
{
    rp_reading_t *reading = NULL;
    void *found = NULL;

    apr_pool_userdata_get(&found, READING_KEY, pconf);
    if (found) {
        return found;
    }
    reading = apr_pcalloc(pconf, sizeof(*reading));
    reading->pool = pconf;
    reading->messages = apr_array_make(pconf, 8, sizeof(rp_message_t));
    for (int i = 0; i < RP_NOTICE_COUNT; i++) {
        reading->noticed[i] = apr_array_make(pconf, 8, sizeof(const char *));
    }
    reading->balancer_needs = apr_array_make(pconf, 4, sizeof(rp_need_t));
    reading->workers = apr_array_make(pconf, 8, sizeof(rp_worker_t *));
    reading->confs = apr_array_make(pconf, 4, sizeof(rp_server_conf_t *));
    apr_pool_userdata_setn(reading, READING_KEY, NULL, pconf);
    return reading;
}

const char *rp_at(const cmd_parms *cmd)
{
    return apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
}

void rp_message_add(cmd_parms *cmd, int level, const char *fmt, ...)
{
    rp_message_t *message = apr_array_push(rp_reading(cmd->pool)->messages);
    va_list args;

    va_start(args, fmt);
    message->level = level;
    message->text = apr_pvsprintf(cmd->pool, fmt, args);
    va_end(args);
}

void rp_notice_name(apr_pool_t *pconf, rp_notice_e kind, const char *name)
{
    apr_array_header_t *names = rp_reading(pconf)->noticed[kind];

    for (int i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(names, const char *) = name;
}

void rp_notice_add(cmd_parms *cmd, rp_notice_e kind, const char *name)
{
    rp_notice_name(cmd->pool, kind, name);
}
