# SPDX-License-Identifier: Apache-2.0
# RequestReadTimeout header= on event loops, where nobody reads while a head is awaited: of the server, of a virtual host, inherited, off.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client;
use RProxy::Env qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 16, need { needs(qw(rproxy mpm_event reqtimeout)) };

my $backend = RProxy::Backend->new;
my ($two, $five, $six) = map { seconds($_) } 2, 5, 6;
my $rate = 20 / seconds(1); # 20 bytes buy a second
my $s    = RProxy::Server->new(threads => 8, timeout => $five, modules => ['reqtimeout'], config => <<"CONF");
AcceptFilter http none
KeepAliveTimeout 60
<IfModule reqtimeout_module>
    RequestReadTimeout header=50
    RequestReadTimeout header=$two body=0
</IfModule>
ProxyPass / @{[$backend->url]}/
Listen 127.0.0.1:__PORT_heir__
Listen 127.0.0.1:__PORT_rate__
Listen 127.0.0.1:__PORT_off__
<VirtualHost 127.0.0.1:__PORT_heir__>
    ProxyPass / @{[$backend->url]}/
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_rate__>
    RequestReadTimeout header=$two-$six,MinRate=@{[int($rate) || 1]}
    ProxyPass / @{[$backend->url]}/
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_off__>
    RequestReadTimeout header=0
    ProxyPass / @{[$backend->url]}/
</VirtualHost>
CONF

sub client { my ($port) = @_; return RProxy::Client->new($s, timeout => 30, $port ? (port => $port) : ()) }

# Seconds until each of them is answered with 408, or closed without a word; all were sent to at the same time.
sub ends {
    my ($began, $what, $c, $wanted, $from, $to) = @_;
    my $r    = eval { $c->response };
    my $took = now() - $began;
    is $r && $r->status ? $r->status : 'closed', $wanted, "$what: $wanted";
    ok $took >= $from - 0.2 && $took < $to, "$what: after $from s" or diag "$took s";
    return;
}

my $half  = "GET / HTTP/1.1\r\nX: ";
my $began = now();
my %c     = map { $_ => client($_) } '', qw(heir rate off);
my $mute  = client();
my $quiet = client('off');
$_->send($half) for values %c;

# the one without a limit for heads goes on and on
my $drip = client('off');
my $used = client();
$used->request('GET', '/id/1');
is $used->response->status, 200, 'a first request';
$used->send($half);
my $pid = fork // die "fork: $!";
if (!$pid) {
    for (1 .. 4) { $drip->send("GET / HTTP/1.1\r\n" x ($_ == 1) . "X: y\r\n"); wait_until(1.2, sub { 0 }) }
    $drip->send("Host: h\r\n\r\n");
    POSIX::_exit(0);
}
ends($began, 'of the server',        $c{''},   408,      $two,   $two + seconds(1.5));
ends($began, 'behind a request',     $used,    408,      $two,   $two + seconds(1.5));
ends($began, 'inherited',            $c{heir}, 408,      $two,   $two + seconds(1.5));
ends($began, 'nothing at all',       $mute,    'closed', $two,   $two + seconds(1.5));
ends($began, 'bytes buy time',       $c{rate}, 408,      $two + 0.8 * seconds(1) * ($rate < 1 ? 0 : 1), $six);
ends($began, 'off: Timeout is left', $c{off},  408,      $five, $five + seconds(2));
ok $quiet->at_end, 'off, and nothing at all: that, too';
is $drip->response->status, 200, 'off: bytes that come within Timeout are enough, in ' . (now() - $began) . ' s';
waitpid $pid, 0;
is $s->error_log =~ /RP0300/ ? 1 : 0, 0, 'nothing waited on the loop';
