/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into httpd by a test: mod_watchdog is not there, although this httpd may have it built in. Other modules find it by the
 * names of its optional functions, and these are not found.
 */
#include <apr_optional.h>
#include <dlfcn.h>
#include <string.h>

__attribute__((visibility("default"))) apr_opt_fn_t *apr_dynamic_fn_retrieve(const char *name)
{
    static apr_opt_fn_t *(*real)(const char *);

    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "apr_dynamic_fn_retrieve");

        memcpy(&real, &found, sizeof(real));
    }
    return strncmp(name, "ap_watchdog_", 12) == 0 ? NULL : real(name);
}
