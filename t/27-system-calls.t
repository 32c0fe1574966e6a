# SPDX-License-Identifier: Apache-2.0
# System calls for one proxied request on a kept connection, counted by strace over 2000 requests: what a server that was asked
# 2200 times made more than one that was asked 200 times.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Env qw(needs temp_dir wait_until);
use RProxy::Server;

my ($few, $many) = (200, 2200);

# For one request, without those of threads that wake each other: the MPM's, and never the same.
my @network = qw(recvfrom recvmsg read readv sendto sendmsg write writev sendfile poll ppoll select pselect6 epoll_ctl setsockopt
    getsockopt fcntl ioctl connect accept4 socket shutdown close getsockname getpeername);
@network = grep { !/^(?:read|write)$/ } @network if $ENV{RPROXY_WRAP}; # valgrind's own threads pass a byte around

plan tests => 12, need {needs(qw(rproxy alias))};

my $backend = RProxy::Backend->new;
my $dir     = temp_dir('strace');

# {name => calls} of a whole life of a server that answers so many requests.
sub count {
    my ($path, $requests) = @_;
    my $file = "$dir/calls";
    unlink $file;
    local $ENV{RPROXY_WRAP} = "strace -DD -f -c -o $file " . ($ENV{RPROXY_WRAP} // '');
    my $s = RProxy::Server->new(
        modules => ['alias'],
        threads => 8,
        config  => "<IfDirective RProxyEventLoop>\nRProxyEventLoop off\n</IfDirective>\nMaxKeepAliveRequests 0\n"
            . "Redirect 204 /r204\nProxyPass /p/ " . $backend->url . "/\n"
    );
    my $said = `h2load --h1 -n $requests -c 4 ${\$s->url($path)} 2>&1`;
    like($said, qr/ $requests succeeded, 0 failed/, "$requests requests for $path") or diag($said);
    $s->stop;
    wait_until(20, sub { -s $file }) or die "strace wrote nothing; may processes be traced here (kernel.yama.ptrace_scope)?\n";
    open my $in, '<', $file or die "$file: $!\n";
    my %calls;
    while (my $line = <$in>) {
        my @field = split ' ', $line;
        $calls{$field[-1]} = $field[3] if @field >= 5 && $field[0] =~ /^[\d.]+$/;
    }
    return \%calls;
}

sub each_request {
    my ($path) = @_;
    my ($less, $more) = map { count($path, $_) } $few, $many;
    return {map { $_ => (($more->{$_} // 0) - ($less->{$_} // 0)) / ($many - $few) } @network};
}

my $plain = each_request('/r204');
my $proxy = each_request('/p/bytes/1000');
my %own   = map { $_ => $proxy->{$_} - $plain->{$_} } @network;
my $sum   = 0;
$sum += $_ for values %own;
diag(join ', ', map { sprintf '%s %.2f', $_, $own{$_} } grep { abs $own{$_} > 0.01 } @network) if abs($sum - 3) > 0.1;

cmp_ok($plain->{writev}, '>', 0.9, 'strace sees what httpd itself does');
cmp_ok(abs($own{poll} - 1), '<', 0.1, 'a look whether the connection is good');
cmp_ok(abs($own{recvfrom} - 1), '<', 0.1, 'one read: it waits, so that nothing else has to');
cmp_ok(abs($own{sendto} - 1), '<', 0.1, 'one write');
cmp_ok(abs(($own{read} // 0) + $own{writev} + ($own{write} // 0)), '<', 0.1, 'nothing more on the side of the client, and none by another name');
cmp_ok(abs($own{fcntl} + $own{setsockopt} + $own{epoll_ctl}), '<', 0.1, 'a connection is set up once, not for each request');
cmp_ok(abs($own{connect} + $own{socket} + $own{close}), '<', 0.1, 'and used again');
cmp_ok($sum, '<', 3.2, 'three in all');
