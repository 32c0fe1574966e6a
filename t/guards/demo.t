#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The demo of the README: its pages come from the two backends, a redirect names the proxy, stop stops all of it.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;
use Test::More;

my $build = builddir();
my $src = srcdir();
$ENV{RPROXY_BUILD_DIR} = $build;
delete @ENV{qw(http_proxy https_proxy HTTP_PROXY ALL_PROXY all_proxy)};

sub curl {
    my (@args) = @_;
    open my $out, '-|', 'curl', '-s', '--max-time', '10', @args or die "curl: $!\n";
    local $/ = undef;
    my $text = <$out> // '';
    close $out;
    return $text;
}

my $said = `sh $src/scripts/demo.sh 2>&1`;
is($?, 0, 'the demo starts') or diag($said);
my ($proxy) = $said =~ m{(http://127\.0\.0\.1:\d+)/ };
my ($backend_two) = $said =~ m{backend two \((http://127\.0\.0\.1:\d+)/\)};
my $run = readlink "$build/demo-running";
ok(defined $proxy && defined $backend_two && defined $run, 'it says where it is') or diag($said);
my @pids = map { my $p = eval { slurp("$run/$_.pid") }; $p ? $p =~ /(\d+)/ : () } qw(proxy one two);
is(scalar @pids, 3, 'three servers run');

is(curl("$proxy/"), "This is backend one.\n", 'backend one through the proxy');
is(curl("$proxy/two/"), "This is backend two.\n", 'backend two through the proxy');
like(curl('-i', "$backend_two/old"), qr{^Location: \Q$backend_two\E/new\.html\r?$}mi, 'backend two redirects to itself');
like(curl('-i', "$proxy/two/old"), qr{^Location: \Q$proxy\E/two/new\.html\r?$}mi, 'through the proxy the redirect names the proxy');

my $stopped = `sh $src/scripts/demo.sh stop 2>&1`;
is($stopped, "stopped\n", 'stop says so');
none_wrong('no server is left', grep { readlink "/proc/$_/exe" } @pids); # a zombie has none
ok(!-e $run && !-l "$build/demo-running", 'no file is left');
is(`sh $src/scripts/demo.sh stop 2>&1`, "the demo is not running\n", 'a second stop says that there is nothing to stop');
done_testing();
