/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into httpd by tests that run configurations as they are typed in the guide: names of the outside world and
 * well-known ports are led to backends on loopback. Nothing else of the process changes.
 *
 *   RP_NAMES="www.example.com:80=127.0.0.1:40001 www2.example.com:8080=127.0.0.1:40002"
 *
 * Each NAME:PORT gets a stand-in address 127.77.0.N of its own; connecting to it connects to the right-hand side.
 *
 *   RP_SLOW_NAME="slow.example=20"     looking up this name takes 20 seconds
 * Names that end in ".never.test" are not found, after RP_NAMES_MS milliseconds (10000): a resolver whose servers do not answer.
 * Those that end in ".slow.test" are 127.0.0.1, after a quarter of that.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NAMES_MAX 32
#define NEVER_MS 10000

typedef struct lead_t {
    char name[128];
    unsigned from_port;
    char to_ip[64];
    unsigned to_port;
} lead_t;

static lead_t leads[NAMES_MAX];
static int nleads = -1;

static void leads_read(void)
{
    const char *p = getenv("RP_NAMES");
    int n = 0, used = 0;

    while (p != NULL && n < NAMES_MAX
           && sscanf(p, " %127[^:]:%u=%63[^:]:%u%n", leads[n].name, &leads[n].from_port, leads[n].to_ip, &leads[n].to_port,
                     &used)
                  == 4) {
        p += used;
        n++;
    }
    nleads = n;
}

/* The first lead of a name is its number: all ports of a name share one stand-in address. */
static int lead_of_name(const char *name)
{
    int i;

    if (nleads < 0) {
        leads_read();
    }
    for (i = 0; i < nleads; i++) {
        if (strcmp(leads[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void delay(const char *node)
{
    const char *slow = getenv("RP_SLOW_NAME");
    char name[128];
    int seconds;

    if (slow != NULL && sscanf(slow, "%127[^=]=%d", name, &seconds) == 2 && strcmp(name, node) == 0) {
        (void)poll(NULL, 0, seconds * 1000);
    }
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **res);
__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *addr, socklen_t len);

static int ends_with(const char *node, const char *end)
{
    return node != NULL && strlen(node) > strlen(end) && strcmp(node + strlen(node) - strlen(end), end) == 0;
}

static int resolver_ms(void)
{
    const char *ms = getenv("RP_NAMES_MS");

    return ms != NULL ? (int)strtol(ms, NULL, 10) : NEVER_MS;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    char text[32];
    int i = node != NULL ? lead_of_name(node) : -1;

    if (ends_with(node, ".never.test")) {
        (void)poll(NULL, 0, resolver_ms());
        return EAI_AGAIN;
    }
    if (ends_with(node, ".slow.test")) {
        (void)poll(NULL, 0, resolver_ms() / 4);
        node = "127.0.0.1";
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL) {
        delay(node);
    }
    if (i >= 0) {
        (void)snprintf(text, sizeof(text), "127.77.0.%d", i + 1);
        node = text;
    }
    return real(node, service, hints, res);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t);
    const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
    struct sockaddr_in to;

    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    if (len >= sizeof(*in) && in->sin_family == AF_INET && (ntohl(in->sin_addr.s_addr) >> 8) == 0x7f4d00) {
        int first = (int)(ntohl(in->sin_addr.s_addr) & 0xff) - 1, i;

        if (nleads < 0) {
            leads_read();
        }
        for (i = 0; i < nleads; i++) {
            if (strcmp(leads[i].name, leads[first].name) == 0 && leads[i].from_port == ntohs(in->sin_port)) {
                to = *in;
                to.sin_port = htons((unsigned short)leads[i].to_port);
                (void)inet_pton(AF_INET, leads[i].to_ip, &to.sin_addr);
                return real(fd, (struct sockaddr *)&to, sizeof(to));
            }
        }
    }
    return real(fd, addr, len);
}
