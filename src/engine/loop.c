/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn: wait, read the clock, descriptors (backends' first), what was deferred, messages, timers; see RP_LOOP_SHARE_US. Watches live in a table of the loop and are named by
 * place and generation, so that an event taken before its watch went is recognised as stale.
 */
#include "engine/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "upstream/clock.h"

#define WAKE_TOKEN 0
#define BACKEND_BIT 0x80000000u /* of a token's lower half; the rest is the place in the table, from 1 */
#define SLICE 8                 /* messages or timers between two looks at the clock */
#define WATCHES_FIRST 256

struct rp_watch_t {
    rp_watch_fn fn;        /* NULL: free */
    void *baton;
    apr_uint32_t generation;
    apr_uint32_t place;    /* in the table */
    rp_watch_t *next_free;
};

typedef struct queue_t {
    rp_post_t *first, **end;
} queue_t;

struct rp_loop_t {
    apr_pool_t *pool;
    int index;
    int epfd, wakefd;
    rp_watch_t **watches;  /* table; each entry stays where it is until the loop goes */
    apr_uint32_t nwatches, room;
    rp_watch_t *free;
    rp_timers_t timers;
    apr_time_t now_us;
    queue_t deferred;
    queue_t inbox;         /* messages that were taken from posts */
    pthread_t thread;
    int running;
    struct {
        rp_post_t *posts;  /* newest first */
        int asleep;        /* in epoll_wait, or about to be */
        int stop;
    } shared;
    rp_child_stat_t *stat; /* of all loops of the child, or NULL */
};

/* ---- life ---- */

apr_status_t rp_loop_create(rp_loop_t **out, apr_pool_t *pool, int index)
{
    rp_loop_t *loop = apr_pcalloc(pool, sizeof(*loop));
    apr_status_t rv = rp_epoll_open(&loop->epfd);

    loop->pool = pool;
    loop->index = index;
    loop->wakefd = -1;
    loop->deferred.end = &loop->deferred.first;
    loop->inbox.end = &loop->inbox.first;
    loop->now_us = rp_clock_now_us();
    if (rv == APR_SUCCESS) {
        loop->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        rv = loop->wakefd < 0 ? APR_FROM_OS_ERROR(errno) : rp_epoll_add(loop->epfd, loop->wakefd, WAKE_TOKEN);
    }
    if (rv != APR_SUCCESS) {
        rp_loop_destroy(loop);
        return rv;
    }
    *out = loop;
    return APR_SUCCESS;
}

void rp_loop_destroy(rp_loop_t *loop)
{
    apr_uint32_t i;

    if (loop->epfd >= 0) {
        (void)close(loop->epfd);
    }
    if (loop->wakefd >= 0) {
        (void)close(loop->wakefd);
    }
    for (i = 0; i < loop->nwatches; i++) {
        free(loop->watches[i]);
    }
    free(loop->watches);
    rp_timers_free(&loop->timers);
}

static void wake(rp_loop_t *loop)
{
    apr_uint64_t one = 1;
    ssize_t unused = write(loop->wakefd, &one, sizeof(one)); /* full means that it will wake up anyway */

    (void)unused;
}

void rp_loop_stop(rp_loop_t *loop)
{
    __atomic_store_n(&loop->shared.stop, 1, __ATOMIC_SEQ_CST);
    wake(loop);
}

int rp_loop_is_current(const rp_loop_t *loop)
{
    return loop->running && pthread_equal(loop->thread, pthread_self());
}

int rp_loop_index(const rp_loop_t *loop) { return loop->index; }
apr_time_t rp_loop_now_us(const rp_loop_t *loop) { return loop->now_us; }

apr_time_t rp_loop_clock(rp_loop_t *loop)
{
    loop->now_us = rp_clock_now_us();
    return loop->now_us;
}

/* ---- messages ---- */

/*
 * A loop that is awake looks for messages before it sleeps, so it needs no wake-up. None is lost: the loop says that it sleeps before it looks,
 * the sender posts before it looks whether the loop sleeps; with sequentially consistent operations one of the two sees the other.
 */
void rp_loop_post(rp_loop_t *loop, rp_post_t *post)
{
    rp_post_t *head = __atomic_load_n(&loop->shared.posts, __ATOMIC_RELAXED);

    do {
        post->next = head;
    } while (!__atomic_compare_exchange_n(&loop->shared.posts, &head, post, 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (head == NULL && __atomic_load_n(&loop->shared.asleep, __ATOMIC_SEQ_CST)) { /* else whoever was first has woken it */
        wake(loop);
    }
}

void rp_loop_defer(rp_loop_t *loop, rp_post_t *post)
{
    post->next = NULL;
    *loop->deferred.end = post;
    loop->deferred.end = &post->next;
}

/* The first of a queue, NULL when it is empty. */
static rp_post_t *take(queue_t *q)
{
    rp_post_t *first = q->first;

    if (first != NULL) {
        q->first = first->next;
        if (q->first == NULL) {
            q->end = &q->first;
        }
    }
    return first;
}

/* Messages into the inbox, oldest first. */
static void take_posts(rp_loop_t *loop)
{
    rp_post_t *newest = __atomic_exchange_n(&loop->shared.posts, NULL, __ATOMIC_ACQUIRE);
    rp_post_t *last = newest, *oldest = NULL;

    while (newest != NULL) {
        rp_post_t *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    if (last != NULL) {
        *loop->inbox.end = oldest;
        loop->inbox.end = &last->next;
    }
}

static int share_is_used_up(rp_loop_t *loop, apr_time_t began)
{
    return rp_loop_clock(loop) - began >= RP_LOOP_SHARE_US;
}

static void run_posts(rp_loop_t *loop)
{
    apr_time_t began = loop->now_us;
    rp_post_t *post;
    int n = 0;

    take_posts(loop);
    while ((post = take(&loop->inbox)) != NULL) {
        post->fn(post);
        if (++n % SLICE == 0 && share_is_used_up(loop, began)) {
            return;
        }
    }
}

static void run_timers(rp_loop_t *loop)
{
    apr_time_t began = loop->now_us;

    while (rp_timers_run(&loop->timers, loop->now_us, SLICE) == SLICE && !share_is_used_up(loop, began)) {
    }
}

/* What is there when it begins: what these calls defer waits for the next turn. */
static void run_deferred(rp_loop_t *loop)
{
    rp_post_t *post = loop->deferred.first;

    loop->deferred.first = NULL;
    loop->deferred.end = &loop->deferred.first;
    while (post != NULL) {
        rp_post_t *next = post->next;

        post->fn(post);
        post = next;
    }
}

void rp_loop_drain(rp_loop_t *loop)
{
    while (loop->deferred.first != NULL || loop->inbox.first != NULL || __atomic_load_n(&loop->shared.posts, __ATOMIC_ACQUIRE) != NULL) {
        run_deferred(loop);
        run_posts(loop);
    }
}

/* ---- descriptors ---- */

static rp_watch_t *watch_new(rp_loop_t *loop)
{
    rp_watch_t *w = loop->free;

    if (w != NULL) {
        loop->free = w->next_free;
        return w;
    }
    if (loop->nwatches == loop->room) {
        apr_uint32_t room = loop->room ? loop->room * 2 : WATCHES_FIRST;
        rp_watch_t **bigger = realloc(loop->watches, room * sizeof(void *));

        if (bigger == NULL) {
            return NULL;
        }
        loop->watches = bigger;
        loop->room = room;
    }
    w = calloc(1, sizeof(*w));
    if (w != NULL) {
        w->place = loop->nwatches;
        loop->watches[loop->nwatches++] = w;
    }
    return w;
}

static void watch_free(rp_loop_t *loop, rp_watch_t *w)
{
    w->fn = NULL;
    w->generation++;
    w->next_free = loop->free;
    loop->free = w;
}

rp_watch_t *rp_loop_watch(rp_loop_t *loop, rp_watch_side_e side, int fd, rp_watch_fn fn, void *baton, apr_status_t *rv)
{
    rp_watch_t *w = watch_new(loop);

    *rv = APR_ENOMEM;
    if (w == NULL) {
        return NULL;
    }
    w->fn = fn;
    w->baton = baton;
    *rv = rp_epoll_add(loop->epfd, fd, ((apr_uint64_t)w->generation << 32) | (side == RP_WATCH_BACKEND ? BACKEND_BIT : 0) | (w->place + 1));
    if (*rv != APR_SUCCESS) {
        watch_free(loop, w);
        return NULL;
    }
    return w;
}

void rp_loop_unwatch(rp_loop_t *loop, rp_watch_t *watch)
{
    if (watch != NULL) {
        watch_free(loop, watch);
    }
}

static void dispatch(const rp_loop_t *loop, const rp_epoll_event_t *ev)
{
    const rp_watch_t *w = loop->watches[((apr_uint32_t)ev->token & ~BACKEND_BIT) - 1];

    if (w->fn != NULL && w->generation == (apr_uint32_t)(ev->token >> 32)) {
        w->fn(w->baton, ev->events);
    }
}

static void dispatch_all(const rp_loop_t *loop, const rp_epoll_event_t *events, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if (events[i].token & BACKEND_BIT) {
            dispatch(loop, &events[i]);
        }
    }
    for (i = 0; i < n; i++) {
        if (!(events[i].token & BACKEND_BIT) && events[i].token != WAKE_TOKEN) { /* each write is an edge, so there is no need to read */
            dispatch(loop, &events[i]);
        }
    }
}

/* ---- timers ---- */

apr_status_t rp_loop_timer(rp_loop_t *loop, rp_timer_t *timer, apr_time_t due_us)
{
    return rp_timer_set(&loop->timers, timer, due_us);
}

void rp_loop_timer_cancel(rp_loop_t *loop, rp_timer_t *timer)
{
    rp_timer_cancel(&loop->timers, timer);
}

/* ---- run ---- */

static void count_turn(const rp_loop_t *loop, apr_interval_time_t us)
{
    if (loop->stat != NULL) {
        rp_histogram_add(&loop->stat->turn, us);
        if (us > RP_LOOP_SLOW_US) {
            rp_stat_add(&loop->stat->slow_turns, 1);
        }
    }
}

void rp_loop_count_in(rp_loop_t *loop, rp_child_stat_t *stat)
{
    loop->stat = stat;
}

static apr_interval_time_t may_wait(const rp_loop_t *loop)
{
    apr_time_t next = rp_timers_next(&loop->timers);

    if (loop->deferred.first != NULL || loop->inbox.first != NULL || next <= loop->now_us) {
        return 0;
    }
    return next == RP_TIMER_NEVER ? RP_TIMER_NEVER : next - loop->now_us;
}

/* Until something happens. */
static apr_status_t wait_for_events(rp_loop_t *loop, rp_epoll_event_t *events, int *n)
{
    apr_interval_time_t wait_us = may_wait(loop);
    apr_status_t rv;

    if (wait_us != 0) {
        __atomic_store_n(&loop->shared.asleep, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&loop->shared.posts, __ATOMIC_SEQ_CST) != NULL) {
            wait_us = 0;
        }
    }
    rv = rp_epoll_wait(loop->epfd, wait_us, events, n);
    __atomic_store_n(&loop->shared.asleep, 0, __ATOMIC_RELAXED);
    return rv;
}

static apr_status_t turn(rp_loop_t *loop)
{
    rp_epoll_event_t events[RP_EPOLL_BATCH];
    apr_time_t began;
    int n;
    apr_status_t rv = wait_for_events(loop, events, &n);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    began = rp_loop_clock(loop);
    dispatch_all(loop, events, n);
    run_deferred(loop);
    run_posts(loop);
    run_timers(loop);
    count_turn(loop, rp_loop_clock(loop) - began);
    return APR_SUCCESS;
}

void rp_loop_run(rp_loop_t *loop)
{
    loop->thread = pthread_self();
    loop->running = 1;
    while (!__atomic_load_n(&loop->shared.stop, __ATOMIC_SEQ_CST)) {
        if (turn(loop) != APR_SUCCESS) {
            break; /* only a broken descriptor table comes here */
        }
    }
    loop->running = 0;
}
