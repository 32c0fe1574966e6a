# SPDX-License-Identifier: Apache-2.0
# RequestReadTimeout handshake= while a TLS handshake waits for its client and holds no thread: of the server, of virtual hosts, inherited, off; and
# how long a client is idle behind its handshake is another matter.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client;
use RProxy::Env qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 17, need { needs(qw(rproxy mpm_event reqtimeout ssl socache_shmcb)) };

my $backend = RProxy::Backend->new;
my ($two, $five, $six, $nine) = map { int seconds($_) } 2, 5, 6, 9;
my $vhost = sub {
    my ($name, $lines) = @_;
    return "Listen 127.0.0.1:__PORT_${name}__\n<VirtualHost 127.0.0.1:__PORT_${name}__>\n    ServerName localhost\n    __TLS__\n"
        . "    $lines\n    ProxyPass / @{[$backend->url]}/\n</VirtualHost>\n";
};
my $rate = int 20 / seconds(2) || 1; # the 20 bytes that come buy two seconds
my $s    = RProxy::Server->new(threads => 4, timeout => $six, modules => [qw(reqtimeout socache_shmcb ssl)], config => <<"CONF");
AcceptFilter http none
AcceptFilter https none
<IfModule reqtimeout_module>
    RequestReadTimeout handshake=$two header=$nine
</IfModule>
ProxyPass / @{[$backend->url]}/
@{[join '', $vhost->('heir', ''), $vhost->('rate', "RequestReadTimeout handshake=$two-$five,MinRate=$rate"), $vhost->('off', 'RequestReadTimeout handshake=0')]}
CONF

# A record header and a part of a ClientHello: more is announced than comes.
my $hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'r' x 9;
my $began = now();
my %c     = map { $_ => RProxy::Client->new($s, port => $_, timeout => 30) } qw(heir rate off);
my $mute  = RProxy::Client->new($s, port => 'heir', timeout => 30);
my $drip  = RProxy::Client->new($s, port => 'heir', timeout => 30);
my $most  = RProxy::Client->new($s, port => 'rate', timeout => 30);
my $whole = RProxy::Client->new($s, port => 'heir', timeout => 30, tls => 1);
my $plain = RProxy::Client->new($s, timeout => 30);
my $shaken = now();
$_->send($hello) for values %c, $drip;
$most->send($hello . 'r' x 400);

# One byte now and then begins a time-out between reads anew, but not the time for all of it.
my $pid = fork // die "fork: $!";
if (!$pid) {
    for (1 .. 12) { wait_until(0.5, sub { 0 }); $drip->send('r') or last }
    POSIX::_exit(0);
}

sub ends {
    my ($what, $c, $from, $to) = @_;
    my $gone = eval { $c->at_end };
    my $took = now() - $began;
    ok $gone, "$what: closed";
    ok $took >= $from - 0.2 && $took < $to, "$what: after $from s" or diag "$took s";
    return;
}
ends('inherited',       $c{heir}, $two,  $two + seconds(1.9));
ends('nothing at all',  $mute,    $two,  $two + seconds(1.9));
ends('drop by drop',    $drip,    $two,  $two + seconds(1.9));
ends('bytes buy time',  $c{rate}, $two + 20 / $rate, $two + 20 / $rate + seconds(1.9));
ends('up to the most',  $most,    $five, $five + seconds(1.9));
waitpid $pid, 0;

# Between the handshake and the first request header= counts.
wait_until(0.1, sub { now() - $shaken > $two + seconds(2) });
for my $case (['behind a handshake', $whole], ['without TLS', $plain]) {
    my ($what, $c) = @$case;
    $c->request('GET', '/id/1', id => 'late');
    my $r = eval { $c->response };
    is $r && $r->body, "id 1 late\n", "$what: idle for longer than a handshake may take";
}
ends('off: Timeout is left', $c{off}, $six, $six + seconds(2.5));
my $log = $s->error_log;
is scalar(() = $log =~ /RP0361: the TLS handshake of client 127\.0\.0\.1 took longer than RequestReadTimeout handshake= allows: it is closed/g), 5, 'each is said';
unlike $log, qr/RP0300|AH01382/, 'nothing waited on the loop, and mod_reqtimeout has ended nothing';
ok $s->stop, 'it stops';
