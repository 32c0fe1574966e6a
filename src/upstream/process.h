/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file process.h
 * Threads of our own beside those of the MPM, and whether another process is there.
 */
#ifndef RP_UPSTREAM_PROCESS_H
#define RP_UPSTREAM_PROCESS_H

#include <pthread.h>
#include <sys/types.h>

/** pthread_create, but the new thread takes no signals: those of the process are for the MPM's threads. 0, or the error. */
int rp_thread_start(pthread_t *thread, void *(*fn)(void *data), void *data);

/** 1: there is such a process. A child may be gone without anybody having told: killed by a restart. 0 is none. Any thread. */
int rp_process_alive(pid_t pid);

#endif
