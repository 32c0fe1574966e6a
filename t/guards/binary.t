#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules that can be seen in the objects: what a module exports, what it leaves open, what the layers that must not wait call.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;
use Test::More;

my $build = builddir();

sub nm {
    my (@args) = @_;
    open my $out, '-|', 'nm', @args or die "nm: $!\n";
    my @names = map { (split)[-1] } grep { /\S/ && !/:$/ } <$out>;
    close $out or die "nm @args failed\n";
    return map { s/@.*//r } @names;
}

# Added by sanitizers and coverage builds.
my $instrumentation = qr/^(?:__asan|__odr_asan|__ubsan|__tsan|__gcov|__llvm|__sanitizer|__sancov|__start___|__stop___|mangle_path$)/;

for my $module (qw(rproxy rproxy_balancer rproxy_reverse)) {
    my $so = "$build/.libs/mod_$module.so";
    is_deeply([grep { !/$instrumentation/ } nm('-D', '--defined-only', $so)], ["${module}_module"],
        "mod_$module.so exports its module record alone");
    none_wrong("mod_$module.so needs nothing of ours from elsewhere", grep { /^rp_|^rproxy_/ } nm('-D', '--undefined-only', $so));
}

my $waits = qr/^(?:poll|ppoll|select|pselect|epoll_\w+|getaddrinfo|gethostby\w+|u?sleep|nanosleep|clock_nanosleep|clock_gettime
    |gettimeofday|time|apr_poll\w*|apr_sleep|apr_time_now|apr_sockaddr_info_get|apr_socket_timeout_set|apr_socket_opt_set
    |apr_wait_for_io_or_timeout|apr_thread_cond_\w+|apr_file_pipe_timeout_set|res_\w+|rp_clock_\w+)$/x;
for my $layer (qw(wire exchange)) {
    my @sources = grep { !m{/driver_\w+\.c$} } files(qr{^src/$layer/\w+\.c$});
    cmp_ok(scalar @sources, '>', 3, "the sources of src/$layer were found");
    my $forbidden = $layer eq 'wire' ? qr/$waits|^ap_/ : $waits;
    for my $source (@sources) {
        my $object = "$build/" . $source =~ s{/(\w+)\.c$}{/.libs/$1.o}r;
        if (!-e $object) {
            fail("$source: its object is not in $object");
            next;
        }
        none_wrong("$source waits for nothing and asks no clock", grep { /$forbidden/ } nm('--undefined-only', $object));
    }
}
done_testing();
