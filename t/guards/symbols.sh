#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each .so exports its module record alone, and the pure layers reach nothing that waits.
# Usage: symbols.sh SRCDIR BUILDDIR
build=$2
check() { if [ "$2" = "$3" ]; then echo "ok - $1"; else echo "not ok - $1: found '$2', expected '$3'"; fi; }

for m in rproxy rproxy_balancer rproxy_reverse; do
    got=$(nm -D --defined-only "$build/.libs/mod_$m.so" | awk '$2 != "w" && $2 != "A" {print $3}' | grep -v -E '^(_init|_fini|__bss_start|_edata|_end|__gcov.*|__asan.*|__odr_asan.*|mangle_path|__llvm.*)$' | sort | tr '\n' ' ')
    check "mod_$m.so exports its record alone" "$got" "${m}_module "
done

waits='^(poll|ppoll|select|pselect|epoll_.*|getaddrinfo|gethostby.*|sleep|usleep|nanosleep|clock_nanosleep|clock_gettime|gettimeofday|time|apr_poll.*|apr_sleep|apr_time_now|apr_sockaddr_info_get|apr_socket_timeout_set|apr_socket_opt_set|apr_thread_cond_.*)$'
for o in "$build"/src/exchange/.libs/*.o; do
    case $o in */driver_*) continue ;; esac
    got=$(nm --undefined-only "$o" | awk '{print $2}' | grep -E "$waits" | tr '\n' ' ')
    check "$(basename "$o") of src/exchange waits for nothing" "$got" ""
done
for o in "$build"/src/wire/.libs/*.o; do
    got=$(nm --undefined-only "$o" | awk '{print $2}' | grep -E "$waits|^ap_" | tr '\n' ' ')
    check "$(basename "$o") of src/wire is pure" "$got" ""
done
