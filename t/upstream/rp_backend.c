/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted backend as a program. It prints one line,
 *     port=N control=N [port6=N] [tls=N] [unix=PATH]
 * and serves until standard input ends (with -g), SIGTERM or SIGINT comes, or the command `quit`.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "be_int.h"

static int usage(void)
{
    fputs("usage: rp_backend [-g] [-6] [-n NAME] [-u SOCKET] [-c CERT -k KEY [-a CA]]\n"
          "  -g  end when standard input ends\n"
          "  -6  also listen on [::1]\n"
          "  -n  name in X-Backend of every answer\n"
          "  -u  also listen on a unix socket\n"
          "  -c  certificate, -k key: also listen with TLS; -a: demand a client certificate signed "
          "by CA\n",
          stderr);
    return 2;
}

static void wait_for_end(rp_backend_t *be, int guard, int sigfd)
{
    for (;;) {
        struct pollfd pf[2] = {{sigfd, POLLIN, 0}, {guard ? STDIN_FILENO : -1, POLLIN, 0}};
        int quit;
        char buf[256];
        (void)poll(pf, 2, 100);
        be_lock(be);
        quit = be->shared.quit;
        pthread_mutex_unlock(&be->lock);
        if (quit || pf[0].revents || (pf[1].revents && read(STDIN_FILENO, buf, sizeof(buf)) <= 0)) {
            return;
        }
    }
}

static void tell(const rp_backend_t *be, const rp_backend_opts_t *opts)
{
    printf("port=%d control=%d", rp_backend_port(be, RP_BACKEND_PLAIN),
           rp_backend_port(be, RP_BACKEND_CONTROL));
    if (opts->ipv6) {
        printf(" port6=%d", rp_backend_port(be, RP_BACKEND_IPV6));
    }
    if (opts->tls_cert) {
        printf(" tls=%d", rp_backend_port(be, RP_BACKEND_TLS));
    }
    if (opts->unix_path) {
        printf(" unix=%s", opts->unix_path);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    rp_backend_opts_t opts;
    rp_backend_t *be;
    sigset_t set;
    int opt, rc, guard = 0;
    memset(&opts, 0, sizeof(opts));
    while ((opt = getopt(argc, argv, "g6n:u:c:k:a:")) != -1) {
        switch (opt) {
        case 'g':
            guard = 1;
            break;
        case '6':
            opts.ipv6 = 1;
            break;
        case 'n':
            opts.name = optarg;
            break;
        case 'u':
            opts.unix_path = optarg;
            break;
        case 'c':
            opts.tls_cert = optarg;
            break;
        case 'k':
            opts.tls_key = optarg;
            break;
        case 'a':
            opts.tls_ca = optarg;
            break;
        default:
            return usage();
        }
    }
    if (optind != argc || !opts.tls_cert != !opts.tls_key) {
        return usage();
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    rc = rp_backend_start(&be, &opts);
    if (rc != 0) {
        fprintf(stderr, "rp_backend: can not start: %s\n", strerror(rc));
        return 1;
    }
    tell(be, &opts);
    wait_for_end(be, guard, signalfd(-1, &set, SFD_CLOEXEC));
    rp_backend_stop(be);
    return 0;
}
