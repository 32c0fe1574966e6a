/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/process.h"

#include <errno.h>
#include <signal.h>

/* A thread inherits the mask of the one that makes it. */
int rp_thread_start(pthread_t *thread, void *(*fn)(void *data), void *data)
{
    sigset_t all, old;
    int err;

    (void)sigfillset(&all);
    err = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (err == 0) {
        err = pthread_create(thread, NULL, fn, data);
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    return err;
}

int rp_process_alive(pid_t pid)
{
    return pid != 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}
