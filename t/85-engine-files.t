# SPDX-License-Identifier: Apache-2.0
# No descriptor is left, on event loops: at connect, at accept. Who can not be served is told so, nothing spins, all others are
# served, and it passes.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 22, need { needs(qw(rproxy mpm_event)) };

my $backend = RProxy::Backend->new;
my $other   = RProxy::Backend->new(name => 'other');
my @common  = (threads => 8, files => 160, config => <<"CONF");
AsyncRequestWorkerFactor 100
RequestReadTimeout header=0 body=0
KeepAliveTimeout 60
ProxyPass /b @{[$backend->url]}
ProxyPass /o @{[$other->url]}
CONF
my $s = RProxy::Server->new(@common, modules => ['reqtimeout']);

sub clients { my ($n) = @_; return map { RProxy::Client->new($s) } 1 .. $n }
sub tally { my %n; $n{eval { $_->response->status } // "none: $@"}++ for @_; return \%n }

# CPU time of the children, seconds.
sub cpu {
    my $sum = 0;
    for my $pid ($s->children) {
        open my $in, '<', "/proc/$pid/stat" or next;
        my @f = split ' ', (<$in> // '') =~ s/^.*\) //r;
        $sum += $f[11] + $f[12];
    }
    return $sum / 100;
}

sub no_spin {
    my ($what) = @_;
    my ($began, $cpu) = (now(), cpu());
    wait_until(1, sub { 0 });
    my $used = cpu() - $cpu;
    ok $used < 0.3 * seconds(1), "$what: nothing spins" or diag "$used s of CPU in ", now() - $began, ' s';
    return;
}

# --- at connect ---
{
    # idle connections to another backend, which are worth less than a request
    my @o = clients(20);
    $_->request('GET', '/o/id/1?wait=warm') for @o;
    ok $other->await('busy', '>=', 20), '20 connections to another backend';
    $other->signal('warm', 20);
    is tally(@o)->{200}, 20, 'which stay idle';

    my @c = clients(60);
    $_->request('GET', '/index.html') for @c, @o;
    is tally(@c, @o)->{200}, 80, '80 clients';
    $_->request('GET', '/b/id/1?wait=go') for @c;
    ok wait_until(10, sub { $s->error_log =~ /RP0200: local-resource/ }), 'the log says that there are no descriptors left';
    my ($line) = $s->error_log =~ /(RP0200: local-resource[^\n]*)/;
    like $line // '', qr/[Tt]oo many open files/, 'and of which kind' or diag $line;
    my $refused = sub { my $n = () = $s->error_log =~ /RP0200: local-resource/g; $n };
    ok wait_until(10, sub { $backend->count('busy') + $refused->() >= 60 }), 'each is there or was refused';
    my $at_backend = $backend->count('busy');
    cmp_ok $at_backend, '>=', 30, "the others are at the backend ($at_backend), some in the place of idle connections";
    no_spin('at connect');
    my $began = now();
    $_->request('GET', '/index.html') for @o[0 .. 9];
    is tally(@o[0 .. 9])->{200}, 10, 'clients that are connected get files';
    cmp_ok now() - $began, '<', seconds(1.5), 'at once';
    $backend->signal('go', '*');
    my $n = tally(@c);
    is $n->{200}, $at_backend, 'who was at the backend gets the answer';
    is $n->{503}, 60 - $at_backend, 'who was not is told so with 503';
    $_->abort for splice(@c, 0, 50), @o;
    my $r = get($s, '/b/id/7', id => 'later');
    is $r->body, "id 7 later\n", 'and then it is over';
}

# --- at accept ---
{
    ok wait_until(10, sub { $backend->count('busy') == 0 }), 'nobody is there';
    my @busy = clients(10);
    $_->request('GET', '/b/id/3?wait=end') for @busy;
    ok $backend->await('busy', '>=', 10), '10 requests wait for their backend';
    my @c = clients(200);
    $_->request('GET', '/index.html') for @c;
    ok $s->wait_log(qr/AH000\d\d: [^\n]*accept|Too many open files: [^\n]*accept|accept[^\n]*Too many open files/i, 10), 'accept failed, and httpd says so'
        or diag $s->error_log;
    no_spin('at accept');
    my $began = now();
    my $r     = eval { get($s, '/b/id/8', id => 'new', timeout => 8) };
    is $r ? $r->body : $@, "id 8 new\n", 'a new client is served';
    cmp_ok now() - $began, '<', seconds(4), 'soon';
    $backend->signal('end', '*');
    is tally(@busy)->{200}, 10, 'requests that were under way end well';
    my $n = tally(@c);
    # 403 is httpd's word for a file that it has no descriptor for
    cmp_ok $n->{200} + ($n->{403} // 0), '>=', 190, 'and so do those of clients that had to wait for their accept'
        or diag join ' ', map {"$_=$n->{$_}"} keys %$n;
}
unlike $s->error_log, qr/RP0300|RP0302|RP0303/, 'no connection was lost';
