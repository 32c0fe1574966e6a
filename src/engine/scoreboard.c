/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Honest totals. Owned connections have no scoreboard handle (it would cost a system call for each request), so mod_status would
 * not count their requests. A slot beyond those of the MPM's threads takes them: mod_status adds up all slots up to ThreadLimit,
 * while the MPM looks at its own only.
 */
#include "engine/owned_int.h"

#include <ap_mpm.h>
#include <http_core.h>
#include <mod_core.h>
#include <pthread.h>
#include <scoreboard.h>
#include <unistd.h>

/* The first slot of a child beyond those of the MPM's threads, -1: there is none. *limit: slots of a child. */
static int spare_slot(int *limit)
{
    int per_child = 0;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &per_child) != APR_SUCCESS || ap_mpm_query(AP_MPMQ_HARD_LIMIT_THREADS, limit) != APR_SUCCESS) {
        return -1;
    }
    return per_child < *limit ? per_child : -1;
}

int rp_scoreboard_has_room(void)
{
    int limit = 0;

    return spare_slot(&limit) >= 0;
}

/* Where the MPM keeps what it says of this process. NULL: not found. */
static const process_score *own_process(void)
{
    static int place = -1; /* a process keeps its place; every loop finds the same one */
    int known = __atomic_load_n(&place, __ATOMIC_RELAXED), n = 0, i;
    pid_t me = getpid();

    if (ap_scoreboard_image == NULL) {
        return NULL;
    }
    if (known >= 0 && ap_scoreboard_image->parent[known].pid == me) {
        return &ap_scoreboard_image->parent[known];
    }
    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &n) != APR_SUCCESS) {
        return NULL;
    }
    for (i = 0; i < n; i++) {
        if (ap_scoreboard_image->parent[i].pid == me) {
            __atomic_store_n(&place, i, __ATOMIC_RELAXED);
            return &ap_scoreboard_image->parent[i];
        }
    }
    return NULL;
}

int rp_scoreboard_child_is_full(void)
{
    const process_score *ps = own_process();

    return ps != NULL && ps->not_accepting && !ps->quiescing;
}

/* The slot of this child: the MPM numbers connections by child and thread. */
static worker_score *find(const conn_rec *c)
{
    int limit = 0;
    int slot = spare_slot(&limit);

    return slot < 0 ? NULL : ap_get_scoreboard_worker_from_indexes((int)(c->id / limit), slot);
}

void rp_scoreboard_open(rp_engine_loop_t *el, const conn_rec *c)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* loops of a child share the slot, and the first one clears it */
    worker_score *ws;

    if (el->score_known) {
        return;
    }
    ws = find(c);
    (void)pthread_mutex_lock(&mutex);
    if (ws != NULL && ws->pid != getpid()) { /* what the last child in this place had counted goes with it, as the MPM's slots do */
        ws->my_access_count = 0;
        ws->my_bytes_served = 0;
        ws->pid = getpid();
        ws->status = SERVER_DEAD; /* no thread of the MPM */
    }
    (void)pthread_mutex_unlock(&mutex);
    el->score_known = 1;
    __atomic_store_n(&el->score, ws, __ATOMIC_RELEASE);
}

void rp_engine_count(const request_rec *r)
{
    const rp_owned_t *o = rp_owned_of(r->connection);
    worker_score *ws = o != NULL && o->el != NULL ? __atomic_load_n(&o->el->score, __ATOMIC_ACQUIRE) : NULL;
    apr_off_t bytes = r->bytes_sent;

    if (ws == NULL || !ap_extended_status) {
        return;
    }
    (void)__atomic_add_fetch(&ws->access_count, 1, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&ws->my_access_count, 1, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&ws->bytes_served, bytes, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&ws->my_bytes_served, bytes, __ATOMIC_RELAXED);
}
