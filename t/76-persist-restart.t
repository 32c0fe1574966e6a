# SPDX-License-Identifier: Apache-2.0
# BalancerPersist: what outlives a graceful restart, a stop and start, a kill of the main process; the configuration wins where it changed;
# a damaged file is refused as a whole.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(api get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 61, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u = map { $_ => $b{$_}->url } keys %b;

sub conf {
    my ($persist, $a, $vhost) = @_;
    my $line = $persist ? "BalancerPersist $persist" : '';
    return <<"CONF";
$line
<Proxy balancer://one>
    BalancerMember $u{a} @{[$a // '']}
    BalancerMember $u{b} route=b
    ProxySet growth=2
</Proxy>
ProxyPass /one balancer://one
__API__
__MANAGER__
CONF
}

my $s;

sub call { return api($s, @_) }

sub member { my ($name) = @_; return call(GET => "/balancers/one/members/-?url=$u{$name}") }
sub set    { my ($name, $body) = @_; return call(PATCH => "/balancers/one/members/-?url=$u{$name}", $body) }
sub who    { my ($n) = @_; return join ' ', sort keys %{{map { ((get($s, '/one/x')->header('X-Backend') // '-') => 1) } 1 .. $n}} }

# What an administrator did: drained a, disabled b, added c with a route, another method, a load factor.
sub administer {
    who(4);
    set(a => {status => {draining => JSON::PP::true}, loadfactor => 4, reason => 'kernel update'});
    set(b => {status => {disabled => JSON::PP::true}});
    call(POST => '/balancers/one/members', {url => $u{c}, route => 'see', status => {disabled => JSON::PP::false}});
    call(PATCH => '/balancers/one', {lbmethod => 'bytraffic'});
    return;
}

sub all_there {
    my ($name) = @_;
    my $a = member('a');
    is_deeply [@$a{qw(state loadfactor)}], ['draining', 4], "$name: drained, with its load factor";
    is_deeply $a->{origin}, {draining => 'run time', loadfactor => 'run time'}, "$name: and where that comes from";
    like $a->{changed}{why}, qr/kernel update/, "$name: and why";
    is $a->{traffic}{elected}, 2, "$name: counted";
    is member('b')->{state}, 'disabled', "$name: disabled";
    is_deeply [@{member('c')}{qw(state route added_at_run_time)}], ['usable', 'see', JSON::PP::true], "$name: added";
    is call(GET => '/balancers/one')->{lbmethod}, 'bytraffic', "$name: method";
    is who(4), 'c', "$name: traffic";
    return;
}

# What the API said yes to is on the disk: the server is killed behind each answer.
sub killed_at_once {
    my ($n) = @_;
    my $r = set(a => {lbset => $n});
    is $r->{saved}, JSON::PP::true, 'the answer comes when it is saved';
    kill 'KILL', -$s->{group};
    waitpid delete $s->{pid}, 0;
    ok $s->start, 'killed behind the answer, and started';
    is member('a')->{lbset}, $n, 'the change is there';
    return;
}

# --- On ---
$s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], config => conf('On'), processes => 2);
my $file = $s->root . '/run/rproxy-state';
like get($s, '/balancer-manager')->body, qr/Balancer changes will be persisted on restart\./, 'the page says so';
administer();
ok wait_until(40, sub { -s $file && do { open my $in, '<', $file; local $/; <$in> =~ /lbmethod \d+ bytraffic/ } }), 'written while the server runs';
is((stat $file)[2] & 07777, 0600, 'for nobody else');
$s->graceful;
all_there('graceful');
is(() = substr($s->error_log, $s->{seen}) =~ /RP0716: /g, 0, 'no further notices');
ok $s->stop, 'stop';
ok $s->start, 'start';
all_there('stop and start');
like $s->error_log, qr/RP0716: balancer:\/\/one: member \Q$u{a}\E: loadfactor=4\.00, set at run time \(.*kernel update\), is kept/, 'one notice for each';
set(a => {lbset => 7});
my $before = $s->error_log;
ok wait_until(40, sub { open my $in, '<', $file or return; local $/; <$in> =~ / lbset \d+ 7\n/ }), 'a later change is written';
kill 'KILL', -$s->{group};
waitpid delete $s->{pid}, 0;
ok $s->start, 'started after all of it was killed';
is member('a')->{lbset}, 7, 'the change is there';
killed_at_once($_) for 8, 9;
set(a => {lbset => 0});

# --- a file that can not be written ---
{
    my $wrong = $s->root . '/run/rproxy-state.new';
    mkdir $wrong or die "$wrong: $!";
    my $r = set(a => {lbset => 1});
    is $r->{lbset}, 1, 'a change holds although it can not be saved';
    is $r->{saved}, JSON::PP::false, 'which the answer says';
    ok $s->wait_log(qr/RP0787: the state of balancers could not be written/), 'and the log';
    my @referer = (Referer => 'http://localhost/balancer-manager');
    my ($form) = get($s, '/balancer-manager', headers => [@referer])->body =~ /nonce=([0-9a-f-]{32,36})/;
    my $told = RProxy::Client->one($s, POST => '/balancer-manager', body => "b=one&w=@{[$u{b} =~ s{([:/])}{sprintf '%%%02X', ord $1}ger]}&w_lf=2&nonce=$form",
        headers => ['Content-Type' => 'application/x-www-form-urlencoded', @referer])->body;
    like $told, qr/is not in the state file yet/, 'so does the manager';
    rmdir $wrong;
    is set(a => {lbset => 0})->{saved}, JSON::PP::true, 'the next one is saved';
}

# --- the configuration wins where it changed ---
$s->stop;
$s->mark_log;
ok $s->start(conf('On', 'loadfactor=2')), 'another load factor in the configuration';
is member('a')->{loadfactor}, 2, 'wins';
is member('a')->{state}, 'draining', 'the rest is as it was';
like substr($s->error_log, $s->{seen}), qr/RP0717: .*loadfactor=4\.00.* gives way to .*httpd\.conf:\d+/, 'one line says so';

# --- a damaged file ---
$s->stop;
{
    open my $io, '+<', $file or die "$file: $!";
    seek $io, 300, 0;
    read $io, my $byte, 1;
    seek $io, 300, 0;
    print {$io} chr(ord($byte) ^ 1);
}
ok $s->start, 'starts with a damaged file';
is member('a')->{state}, 'usable', 'nothing of it counts';
is scalar @{call(GET => '/balancers/one')->{members}}, 2, 'no member of it';
like $s->error_log, qr/RP0786: \Q$file\E is refused: .*; it is now \Q$file\E\.refused/, 'said, and put aside';
ok -e "$file.refused", 'it is there';

# --- somebody else's file ---
$s->stop;
chmod 0666, $file;
ok $s->start, 'starts with a file that others may write';
get($s, '/'); # the port is open before all of the server is there
like $s->error_log, qr/RP0785: .*nobody else may write/, 'which is not read';
chmod 0600, $file;

# --- not written: graceful restarts alone; Off: nothing ---
$s->stop;
ok $s->start(conf('')), 'without BalancerPersist';
get($s, '/');
ok !-e $file, 'the file is gone';
administer();
$s->graceful;
all_there('unset, graceful');
$s->stop;
$s->start;
is member('a')->{state}, 'usable', 'unset: forgotten by stop and start';
$s->stop;
$s->start(conf('Off'));
set(a => {status => {draining => JSON::PP::true}});
$s->graceful;
ok wait_until(10, sub { member('a')->{state} eq 'usable' }), 'Off: forgotten by a graceful restart';
is call(GET => '/balancers')->{persist}, 'off', 'the API says so';
