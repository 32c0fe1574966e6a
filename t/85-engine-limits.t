# SPDX-License-Identifier: Apache-2.0
# Limits made visible: what startup says of them; and a child that has all the connections it may have closes idle ones for new clients.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 14, need { needs(qw(rproxy mpm_event)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;

# --- what startup says ---
{
    my $s = RProxy::Server->new(loglevel => 'info rproxy:debug', config => <<"CONF");
ServerLimit 16
ThreadLimit 64
ThreadsPerChild 25
StartServers 6
MaxRequestWorkers 400
MinSpareThreads 25
MaxSpareThreads 100
AsyncRequestWorkerFactor 10
ProxyPass /a $url/a
ProxyPass /b $url/b max=7
CONF
    ok wait_until(15, sub { $s->error_log =~ /resuming normal/ }), 'it has said all it says at its start';
    my $log = $s->error_log;
    like $log, qr/RP0341: 1100 client connections at once: 275 in each of 4 child processes, bound by AsyncRequestWorkerFactor\. /, 'connections, processes, what binds';
    like $log, qr/StartServers 6, MinSpareThreads 25 and MaxSpareThreads 100 bind the number of processes: .* For all 16 processes write "StartServers 16" and "MaxSpareThreads 400"/,
        'and what to write';
    like $log, qr/RP0343: 1 workers have no max=: each takes up to 275 connections a child; with a thread for each request it would be 25\./, 'old and new ceiling';
    like $log, qr{RP0344: worker \Q$url\E/a: at most 275 connections a child; with a thread for each request it would be 25$}m, 'of each worker';
    like $log, qr{RP0344: worker \Q$url\E/b: at most 7 connections a child; with a thread for each request it would be 7$}m, 'with max, too';
}
{
    my $s = RProxy::Server->new(threads => 5, processes => 2, config => "ProxyPass /b $url\n");
    ok wait_until(15, sub { $s->error_log =~ /resuming normal/ }), 'and without limits of its own';
    like $s->error_log, qr/RP0341: \d{3,} client connections at once: \d{3,} in each of 2 child processes, bound by the limit of open files .*For more processes raise MaxRequestWorkers/,
        'by themselves the descriptors bind';
    $s = RProxy::Server->new(threads => 5, config => "RProxyEventLoop off\nProxyPass /b $url\n");
    unlike $s->error_log, qr/RP034[134]/, 'nothing of it without loops';
}

# --- a full child ---
{
    my $s = RProxy::Server->new(threads => 4, loglevel => 'info rproxy:debug', config => <<"CONF");
AsyncRequestWorkerFactor 1
KeepAliveTimeout 60
ProxyPass /b $url
CONF
    my @busy = map { RProxy::Client->new($s) } 1 .. 2;
    $_->request('GET', '/b/id/1?wait=go', id => 'busy') for @busy;
    $backend->await('busy', '>=', 2) or die 'not busy';
    my ($good, $slowest, @kept) = (0, 0);  # the MPM counts a closed one until its client has gone, too
    for my $n (1 .. 30) {
        my $began = now();
        my $c     = RProxy::Client->new($s, timeout => 12);
        $c->request('GET', "/b/id/$n", id => "c$n");
        $good++ if eval { $c->response->body eq "id $n c$n\n" };
        push @kept, $c;
        my $took = now() - $began;
        $slowest = $took if $took > $slowest;
        last if $took > 11;
    }
    is $good, 30, '30 clients that stay connected, where 8 connections are allowed: each is answered';
    cmp_ok $slowest, '<', seconds(8), "soon ($slowest s)";
    like $s->error_log, qr/RP0342: the MPM takes no more connections in this child: [1-9]\d* idle ones are closed/, 'idle connections made room';
    $backend->signal('go', '*');
    is scalar(grep { $_->response->body eq "id 1 busy\n" } @busy), 2, 'nothing happened to requests under way';
    ok $s->stop, 'it stops';
}
