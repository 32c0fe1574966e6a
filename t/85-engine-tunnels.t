# SPDX-License-Identifier: Apache-2.0
# Tunnels over graceful restarts: they live on, for as long as RProxyTunnelShutdownTimeout says, and never so that their old
# processes take the places that new ones need.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 29, need { needs(qw(rproxy mpm_event http2)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;

sub tunnel {
    my ($s) = @_;
    my $c = RProxy::Client->new($s);
    $c->request('GET', '/ws/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    return $c->response_head->status == 101 ? $c : die 'no tunnel';
}

sub echoes {
    my ($c, $text) = @_;
    return eval {
        $c->send(chr(0x82) . chr(0x80 | length $text) . "\0\0\0\0" . $text);
        $c->read_exact(2 + length $text) eq chr(0x82) . chr(length $text) . $text;
    };
}

# --- 30 reloads with 50 idle tunnels, and all limits as httpd has them by itself ---
{
    my $s = RProxy::Server->new(config => <<"CONF");
ServerLimit 16
ThreadLimit 64
ThreadsPerChild 25
StartServers 3
MaxRequestWorkers 400
MinSpareThreads 75
MaxSpareThreads 250
ProxyPass /ws $url/ws upgrade=websocket
ProxyPass /b  $url
CONF
    my @tunnels;
    my $good    = 0;
    my $slowest = 0;
    for my $n (1 .. 30) {
        push @tunnels, tunnel($s) while @tunnels < 50 && @tunnels < $n * 2;
        $s->graceful or last;
        my $began = now();
        eval { get($s, '/b/id/3', timeout => 20)->status == 200 } or last;
        $good++;
        my $took = now() - $began;
        $slowest = $took if $took > $slowest;
    }
    is $good, 30, '30 reloads with 50 tunnels: a new request is answered after each';
    # one restart chases the other here; the MPM looks once a second whether an old process has ended and a new one is missing
    cmp_ok $slowest, '<', seconds(8), "and soon ($slowest s)";
    my @lines = grep {/RP0338/} split /^/, $s->error_log;
    cmp_ok scalar(@lines), '>', 0, 'old processes made room';
    like $lines[0], qr/only [0-3] of 16 process slots \(ServerLimit\) are free: this old process of generation 0 ends its [1-9]\d* tunnels, oldest first/,
        'the oldest first, with numbers';
    my %pids;
    $pids{/\[pid (\d+)/ ? $1 : ''}++ for @lines;
    is scalar(grep { $_ > 1 } values %pids), 0, 'said once by each';
    my $alive = grep { echoes($_, 'still here') } @tunnels;
    cmp_ok $alive, '>=', 10,  "others live on ($alive of 50)";
    cmp_ok $alive, '<',  50, 'and some had to end';
    ok !echoes($tunnels[0], 'x'), 'the oldest one';
    ok echoes($tunnels[-1], 'x'), 'not the newest one';
    $_->close for @tunnels;
}

# --- the time limit ---
for my $case (['on a loop', ''], ['on a thread', 'RProxyEventLoop off']) {
    my ($what, $line) = @$case;
    my $s = RProxy::Server->new(threads => 8, config => <<"CONF");
$line
RProxyTunnelShutdownTimeout 2
ProxyPass /ws $url/ws upgrade=websocket
ProxyPass /b  $url
CONF
    for my $how ('graceful restart', 'graceful stop') {
        my @tunnels = map { tunnel($s) } 1 .. 4;
        my $began = now();
        $how eq 'graceful restart' ? ok $s->graceful, "$what, $how" : ok kill('WINCH', $s->{pid}), "$what, $how";
        is scalar(grep { echoes($_, 'still here') } @tunnels), 4, 'tunnels live on';
        is scalar(grep { $_->at_end } @tunnels), 4, 'until they end';
        my $took = now() - $began;
        ok $took > 1.8 && $took < 2 + seconds(3), "by RProxyTunnelShutdownTimeout ($took s)";
    }
    like $s->error_log, qr/RP0339: RProxyTunnelShutdownTimeout is over: this ending process closes its 4 tunnels/, 'which is said';
    ok wait_until(10, sub { !$s->alive }), 'and the server ends';
}
