/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file persist_writer.h
 * A thread of the main process that writes the state file as soon as something was changed at run time, and tells the child that waits for it.
 */
#ifndef RP_BALANCER_PERSIST_WRITER_H
#define RP_BALANCER_PERSIST_WRITER_H

#include <apr_pools.h>
#include <apr_time.h>

#include "wire/slice.h"

/** Write what there is to write. pool is nobody else's, and cleared afterwards. @return which changes are in the file now, as
 * rp_persist_writer_wait counts them; *failed = 1: they are not. */
typedef apr_uint64_t rp_persist_write_fn_t(apr_pool_t *pool, int *failed);

/** Parent, post_config, when the children's memory is there: start it; it calls write when asked to, and every `every` anyway. It ends, joined,
 * before pconf goes: before cleanups that were registered earlier. An error: there is none, and nothing waits for it. */
apr_status_t rp_persist_writer_start(apr_pool_t *pconf, rp_persist_write_fn_t *write, apr_interval_time_t every) RP_WARN_UNUSED;

/** 1: it runs in this process. */
int rp_persist_writer_runs(void);

/** Any process, after a change: wait until the changes up to this number are in the file, limit at most.
 * @return APR_SUCCESS: they are; APR_TIMEUP, APR_EGENERAL: the write failed; APR_ENOTIMPL: nobody writes */
apr_status_t rp_persist_writer_wait(apr_uint64_t changes, apr_interval_time_t limit);

#endif
