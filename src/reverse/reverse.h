/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file reverse.h
 * What the pure part of src/reverse shares: reasons for giving up, and limits. Strings go in,
 * strings come out; nothing here knows a request. libc and APR only.
 */
#ifndef RP_REVERSE_REVERSE_H
#define RP_REVERSE_REVERSE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "wire/slice.h"

#define RP_REVERSE_VALUE_MAX 65536    /**< longest field value that mapping may make, bytes */
#define RP_REVERSE_HEAD_MAX 512       /**< longest `scheme://authority` that is looked at, bytes */
#define RP_REVERSE_HEADERS_MAX 32     /**< most names in RProxyReverseHeaders */
#define RP_REVERSE_HEADER_NAME_MAX 64 /**< longest of these names, bytes */

/** Why a mapping was not made. The field then stays as the backend sent it. */
typedef enum rp_reverse_err_e {
    RP_REVERSE_OK = 0,
    RP_REVERSE_TOO_LONG,   /**< the mapped value would be over RP_REVERSE_VALUE_MAX */
    RP_REVERSE_BAD_PUBLIC, /**< the public side holds bytes that would break the field */
    RP_REVERSE_NO_MATCHER  /**< the backend's side can never match anything */
} rp_reverse_err_e;

/** A sentence fragment: "would be longer than 65536 bytes" ... */
const char *rp_reverse_err_str(rp_reverse_err_e err);

#endif
