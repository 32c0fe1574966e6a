/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rp_chaos SEED SECONDS CLIENTS: prints "port N" (of its backend), reads the proxy's ports ("PLAIN TLS\n"), lets clients and
 * backend misbehave for that long, and prints what they counted. t/chaos/chaos.pl runs a proxy around it and judges.
 */
#include "chaos.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CLIENTS_MAX 64
#define TOLD_MAX 40 /* wrong answers that are printed */

const char *const chaos_fault_names[CHAOS_FAULTS] = {
    "none",           "backend-reset",      "backend-reset-mid",  "backend-close-mid", "backend-silence",  "backend-garbage",
    "backend-drip",   "backend-unasked",    "backend-idle-close", "client-half-head",  "client-half-body", "client-vanish",
    "client-abort-mid", "client-half-close", "client-mute",       "client-records",    "client-pipeline",  "client-slow-read"};
uint64_t chaos_fired[CHAOS_FAULTS];
chaos_sums_t chaos_sums;

void chaos_add(uint64_t *counter, uint64_t n) { (void)__atomic_add_fetch(counter, n, __ATOMIC_RELAXED); }
void chaos_fire(chaos_fault_e f) { chaos_add(&chaos_fired[f], 1); }

void chaos_wrong(uint64_t id, const char *what, const char *detail)
{
    if (__atomic_add_fetch(&chaos_sums.failed, 1, __ATOMIC_RELAXED) <= TOLD_MAX) {
        (void)printf("wrong %lu (client %lu): %s: %.200s\n", id, id >> 32, what, detail);
        (void)fflush(stdout);
    }
}

uint64_t chaos_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

unsigned chaos_below(uint64_t *state, unsigned n) { return (unsigned)(chaos_next(state) % n); }

void chaos_body(uint64_t id, size_t at, char *p, size_t n)
{
    uint64_t key = id * 0x9e3779b97f4a7c15ULL;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t k = at + i;

        p[i] = (char)((key >> (k % 8 * 8)) + k / 8);
    }
}

uint64_t chaos_sum(uint64_t sum, const char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        sum = (sum ^ (unsigned char)p[i]) * 1099511628211ULL;
    }
    return sum;
}

double chaos_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void chaos_nap(unsigned ms) { (void)poll(NULL, 0, (int)ms); }

static void report(void)
{
    int i;

    for (i = 1; i < CHAOS_FAULTS; i++) {
        (void)printf("fault %s %lu\n", chaos_fault_names[i], chaos_fired[i]);
    }
    (void)printf("requests %lu\nretried %lu\ncut-short %lu\nfailed %lu\npost-502 %lu\n", chaos_sums.requests, chaos_sums.retried, chaos_sums.cut_short,
                 chaos_sums.failed, chaos_sums.post_502);
}

static int read_ports(unsigned *plain, unsigned *tls)
{
    char line[64], *end;

    if (fgets(line, sizeof(line), stdin) == NULL) {
        return 0;
    }
    *plain = (unsigned)strtoul(line, &end, 10);
    *tls = (unsigned)strtoul(end, &end, 10);
    return *plain > 0 && *tls > 0 && *end == '\n';
}

int main(int argc, char **argv)
{
    static chaos_client_t clients[CLIENTS_MAX];
    pthread_t threads[CLIENTS_MAX];
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 10;
    unsigned n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 12, plain, tls, i;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)printf("port %u\n", chaos_backend_start());
    (void)fflush(stdout);
    if (n < 1 || n > CLIENTS_MAX || !read_ports(&plain, &tls)) {
        (void)fprintf(stderr, "rp_chaos SEED SECONDS CLIENTS (1 to %d), and two ports on standard input\n", CLIENTS_MAX);
        return 2;
    }
    for (i = 0; i < n; i++) {
        clients[i] = (chaos_client_t){.seed = seed + i * 7919, .number = i + 1, .plain = plain, .tls = tls, .until = chaos_now() + seconds};
        if (pthread_create(&threads[i], NULL, chaos_client, &clients[i]) != 0) {
            perror("a client can not start");
            return 2;
        }
    }
    for (i = 0; i < n; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    report();
    return 0;
}
