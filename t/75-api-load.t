# SPDX-License-Identifier: Apache-2.0
# 1000 changes by the API while 8 clients send requests: each is read back as it was made, from whichever child answers, and seen in the traffic; no request
# fails, nothing that is read is torn. A page of 100 members while they change.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use POSIX ();
use RProxy::Server;

plan tests => 9, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host))};

my @names = qw(a b c d);
my %b     = map { $_ => RProxy::Backend->new(name => $_) } @names;
my $many  = join '', map { "BalancerMember " . $b{a}->url("/$_") . " route=r$_\n" } 1 .. 100;
my $s     = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], processes => 3, threads => 25, loglevel => 'warn', config => <<"CONF");
KeepAlive On
MaxKeepAliveRequests 0
<Proxy balancer://one>
@{[join "\n", map { 'BalancerMember ' . $b{$_}->url . " route=$_" } @names]}
</Proxy>
<Proxy balancer://many>
$many
</Proxy>
ProxyPass /one balancer://one
ProxyPass /many balancer://many
__API__
__MANAGER__
CONF

# Requests until the pipe is closed; how many there were and how many did not go well.
sub load {
    my ($stop) = @_;
    my ($n, $bad) = (0, 0);
    my $client = RProxy::Client->new($s);
    while (1) {
        vec(my $ended = '', fileno $stop, 1) = 1;
        last if select $ended, undef, undef, 0;
        $n++;
        my $r = eval { $client->request(GET => "/one/id/$n", id => $n); $client->response };
        if (!$r || $r->status != 200 || $r->error) {
            $bad++;
            $client = RProxy::Client->new($s);
        }
    }
    return "$n $bad";
}

pipe my $stop, my $running or die "pipe: $!\n";
my @results;
for (1 .. 8) {
    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $running;
        print {$to} load($stop);
        close $to;
        POSIX::_exit(0);
    }
    push @results, [$pid, $from];
}
close $stop;

my %url = map { $_ => '/rproxy/v1/balancers/one/members/-?url=' . $b{$_}->url } @names;
my %client;

sub call {
    my ($method, $path, $body) = @_;
    my $r = RProxy::Client->one($s, $method, $path, (defined $body ? (body => $body) : ()),
        headers => ['Content-Type' => 'application/json', 'X-RProxy-API' => 1]);
    return $r->status == 200 ? JSON::PP->new->decode($r->body) : {status => {}, state => 'error ' . $r->status};
}

my ($refused, $misread, $mistaken, $done) = (0, 0, 0, 0);
for my $i (1 .. 500) {
    my $name  = $names[$i % 4];
    my $route = "route$i" . 'x' x ($i % 40);
    my $r     = call(PATCH => $url{$name}, qq({"status": {"draining": true}, "route": "$route", "reason": "change $i"}));
    $refused++ if ($r->{state} // '') ne 'draining';
    for (1 .. 2) {
        my $seen = call(GET => $url{$name});
        $misread++ if $seen->{state} ne 'draining' || $seen->{route} ne $route || $seen->{changed}{why} !~ /: change $i$/;
    }
    $mistaken++ if grep { (get($s, '/one/x')->header('X-Backend') // $name) eq $name } 1 .. 2;
    $r = call(PATCH => $url{$name}, '{"status": {"draining": false}}');
    $refused++ if ($r->{state} // '') ne 'usable';
    $misread++ if call(GET => $url{$name})->{state} ne 'usable';
    $done += 2;
}
close $running;
my ($sent, $failed) = (0, 0);
for (@results) {
    my ($n, $bad) = split ' ', do { my $in = $_->[1]; local $/; <$in> };
    waitpid $_->[0], 0;
    $sent   += $n;
    $failed += $bad;
}
is $done,     1000, 'changes';
is $refused,  0,    'each was a transition';
is $misread,  0,    'each was read back as it was made';
is $mistaken, 0,    'a drained member got no new session';
is $failed,   0,    'no request of the load failed';
cmp_ok $sent, '>', 1000, "there was a load ($sent requests)";
is scalar(() = $s->error_log =~ /RP0719/g), 1500, 'one line for each setting that changed';

my $page = get($s, '/balancer-manager');
is scalar(() = $page->body =~ /<svg /g), 104, 'a page of 104 members';
is scalar(() = get($s, '/balancer-manager?xml=1', headers => [Referer => 'http://localhost/'])->body =~ m{</httpd:worker>}g), 104, 'as XML';
