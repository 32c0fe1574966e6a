# SPDX-License-Identifier: Apache-2.0
# Four large pseudo-random bodies at once, each way: SHA-256 equal at both ends, bounded memory. Downloads go to clients that
# take their time (every pipe is full all the while), uploads to a backend that digests as it reads.
# RPROXY_LARGE is the size of one body in MB; check-long runs it with 1024.
use strict;
use warnings;
use POSIX ();
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs temp_dir kilobytes);
use RProxy::Server;

my $mb    = $ENV{RPROXY_LARGE} || 64;
my $size  = $mb * 1024 * 1024;
my $count = 4;
my $room  = kilobytes(2048); # kilobytes more for one body
plan tests => 4 * $count + 5, need {needs('rproxy')};

my $backend = RProxy::Backend->new;
my $s       = RProxy::Server->new(config => 'ProxyPass / ' . $backend->url . "/\nTimeout 120\n");
my $dir     = temp_dir('large');
get($s, '/id/1');

# Resident kilobytes of all children.
sub rss {
    my $sum = 0;
    for my $pid ($s->children) {
        open my $in, '<', "/proc/$pid/status" or next;
        while (<$in>) { $sum += $1 if /^VmRSS:\s+(\d+)/ }
    }
    return $sum;
}

# Run commands at once; the most memory seen meanwhile.
sub run_all {
    my @commands = @_;
    my (%running, $peak);
    for my $command (@commands) {
        my $pid = fork // die "fork: $!";
        if (!$pid) { exec 'bash', '-o', 'pipefail', '-c', $command or exit 127; }
        $running{$pid} = 1;
    }
    my @status;
    while (%running) {
        my $now = rss();
        $peak = $now if !defined $peak || $now > $peak;
        for my $pid (keys %running) {
            next unless waitpid $pid, POSIX::WNOHANG();
            push @status, $?;
            delete $running{$pid};
        }
        select undef, undef, undef, 0.05;
    }
    return ($peak, @status);
}

sub slurp { my ($file) = @_; open my $in, '<', $file or return ''; local $/; return scalar(<$in>) // ''; }

my $url    = $s->url;
my $before = rss();
my $rate   = int($size / 4);    # four seconds at least
my ($peak, @status) = run_all(map { "curl -sS --limit-rate $rate --max-time 300 '$url/bytes/$size?seed=$_' | sha256sum > $dir/down.$_" } 1 .. $count);
is $_, 0, 'download ended well' for @status;
for my $i (1 .. $count) {
    my ($got) = slurp("$dir/down.$i") =~ /^(\w+)/;
    my ($want) = $backend->digest($size, $i) =~ /(\w{64})/;
    is $got, $want, "download $i is what the backend sent";
}
cmp_ok $peak - $before, '<', $room * $count, 'under 2 MB more for each download';

# the same bytes up: they come from the backend again, through a pipe, with no length
$before = rss();
($peak, @status) = run_all(
    map {
        "curl -sS --max-time 300 '" . $backend->url("/bytes/$size?seed=$_") . "' | curl -sS --max-time 300 -H 'X-Test-Id: up$_' -H Expect: -T - -X POST '$url/id/$_' > $dir/up.$_"
    } 1 .. $count
);
is $_, 0, 'upload ended well' for @status;
my %seen = map { $_->{id} => $_ } $backend->requests;
for my $i (1 .. $count) {
    my ($want) = $backend->digest($size, $i) =~ /(\w{64})/;
    is $seen{"up$i"}{sha256}, $want, "upload $i is what arrived";
}
cmp_ok $peak - $before, '<', $room * $count, 'under 2 MB more for each upload';
is $seen{up1}{bytes}, $size, 'and all of it';
is $backend->violations, '', 'in clean requests';
like get($s, '/id/7')->body, qr/^id 7/, 'the server goes on';
