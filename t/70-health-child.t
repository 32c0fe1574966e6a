# SPDX-License-Identifier: Apache-2.0
# One checker for all children: it survives the death of its child, restarts neither double nor forget anything, and it never keeps a child
# from ending.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Certs qw(certs);
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 41, need {needs(qw(rproxy rproxy_balancer slotmem_shm ssl socache_shmcb))};

my $b = RProxy::Backend->new(name => 'b');
my $u = $b->url;

sub health { my ($status) = @_; return $b->script('/hc', "recv body\nsend \"HTTP/1.1 $status X\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n") }

# a standby answers, so that no request goes to the backend that is checked
my $other = RProxy::Backend->new(name => 'other');

sub balancer {
    my ($how, $more) = @_;
    return "<Proxy balancer://c>\nBalancerMember $u $how\nBalancerMember @{[$other->url]} status=+H\n@{[$more // '']}</Proxy>\nProxyPass /c balancer://c\n";
}

# the child that checks, by its log line
sub checker {
    my ($s) = @_;
    my $line = $s->wait_log(qr/\[pid (\d+)[^\n]*RP0750: [^\n]*/) or return;
    return $line =~ /\[pid (\d+)/ ? $1 : undef;
}
sub checks { return $b->count('path:/hc') }

# Who answers. A child that was just told to leave may close a connection that it has accepted: asked again then.
sub who {
    my ($s) = @_;
    my $r = wait_until(5, sub { my $got = get($s, '/c/id/1'); $got->status ? $got : undef }) or return 'nobody';
    return $r->header('X-Backend') // $r->status;
}

# --- the child dies in the middle of a check ---
{
    my $s = RProxy::Server->new(modules => ['slotmem_shm'], threads => 4, processes => 3, expect_crash => 1, loglevel => 'info rproxy_balancer:debug',
        config => balancer('hcmethod=GET hcuri=/hc hcinterval=2 hctimeout=60'));
    my $pid = checker($s);
    ok $pid, 'one child checks' or diag $s->error_log;
    is scalar(() = $s->error_log =~ /RP0750/g), 1, 'and no other one';
    for my $round (1 .. 4) {
        my $n = checks();
        $b->script('/hc', "recv body\nsignal started\nhold\n");
        ok $b->wait_signal('started', 10), "round $round: a check is under way";
        $n = checks();
        health(200);
        kill 'KILL', $pid;
        my $begin = now();
        ok $b->await('path:/hc', '>=', $n + 1, 20), 'its child is killed: checks go on';
        my $took = now() - $begin;
        ok $took < seconds(4), 'within two intervals' or diag $took;
        my $next = checker($s);
        ok $next && $next != $pid, 'in another child';
        $pid = $next;
    }
    is $b->count('max_open'), 1, 'the backend never saw two checkers';
    is scalar(() = $s->error_log =~ /RP074[23]/g), 0, 'that a check was lost says nothing about the member';
    my $n = checks();
    ok $b->await('path:/hc', '>=', $n + 2), 'all goes on';
    $s->stop;
}

# --- restarts ---
{
    $b->reset;
    health(503);
    my $how  = 'hcmethod=GET hcuri=/hc hcinterval=3 hctimeout=60 hcinit=check hcpasses=2';
    my $s    = RProxy::Server->new(modules => ['slotmem_shm'], threads => 4, processes => 2, loglevel => 'info rproxy_balancer:debug', config => balancer($how));
    ok $s->wait_log(qr/RP0742: /), 'out';
    my ($n, $begin) = (checks(), now());
    for (1 .. 4) {
        $s->graceful;
        is who($s), 'other', "restart $_: it is out still";
    }
    my $most = 1 + (now() - $begin) / 3;
    cmp_ok checks() - $n, '<=', $most, 'restarts do not check more often';
    is $b->count('max_open'), 1, 'the backend never saw two checkers';
    is scalar(() = $s->error_log =~ /RP0742/g), 1, 'nor is its state logged again';
    $n = checks();
    ok $b->await('path:/hc', '>=', $n + 1), 'checks go on';
    health(200);
    ok $s->wait_log(qr/RP0743: /, 20), 'it comes back as it would have without them';
    is who($s), 'b', 'and is used';
    $s->graceful;
    is who($s), 'b', 'also after a restart: hcinit is for members that nobody knows';
    health(503);
    ok $s->wait_log(qr/RP0742: /), 'out again';
    $s->graceful(balancer(''));
    is who($s), 'b', 'without checks in the configuration it is not out for ever';
    ($n, $begin) = (checks(), now());
    $s->stop;
}

# --- a check that hangs keeps nobody ---
{
    $b->reset;
    $b->script('/hc', "recv body\nhold\n");
    my $silent = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "listen: $!\n";
    my $tls    = 'https://127.0.0.1:' . $silent->sockport;
    my $how    = 'hcmethod=GET hcuri=/hc hcinterval=1 hctimeout=600 hcinit=check';
    my $s      = RProxy::Server->new(modules => [qw(slotmem_shm ssl socache_shmcb)], threads => 4, loglevel => 'info rproxy_balancer:debug',
        config => balancer($how, "BalancerMember $tls $how\nSSLProxyEngine On\nSSLProxyCACertificateFile @{[certs()]}/ca.crt\n"));
    my $pid = checker($s);
    ok $b->await('path:/hc', '>=', 1), 'a check hangs';
    my $conn = $silent->accept;
    ok sysread($conn, my $hello, 1), 'another one hangs in its handshake';
    my ($old) = $s->children;
    $s->graceful;
    my $gone = sub { !kill 0, $pid };
    ok wait_until(15, $gone), 'the child that checked ends all the same';
    ok $b->await('path:/hc', '>=', 2), 'the next one goes on';
    my $begin = now();
    ok $s->stop('TERM'), 'the server ends';
    ok now() - $begin < 8, 'at once';
}
