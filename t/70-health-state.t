# SPDX-License-Identifier: Apache-2.0
# What checks do to members: out after so many bad ones in a row, back after good ones, what a member is before its first check, and that
# one check never waits for another.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds wait_until build_dir);
use RProxy::Server;

plan tests => 62, need {needs(qw(rproxy rproxy_balancer slotmem_shm status))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u = map { $_ => $b{$_}->url } keys %b;

sub health {
    my ($name, $status) = @_;
    return $b{$name}->script('/hc', "recv body\nsend \"HTTP/1.1 $status X\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n");
}

sub server {
    my ($conf, %more) = @_;
    return RProxy::Server->new(modules => [qw(slotmem_shm status)], threads => 4, loglevel => 'info rproxy_balancer:debug', config => $conf, %more);
}

# balancer(name, settings, member => parameters ...)
sub balancer {
    my ($name, $params, @members) = @_;
    my $text = "<Proxy balancer://$name>\n";
    while (@members) {
        my ($member, $more) = splice @members, 0, 2;
        $text .= 'BalancerMember ' . ($u{$member} // $member) . " $more\n";
    }
    return $text . ($params ? "ProxySet $params\n" : '') . "</Proxy>\nProxyPass /$name balancer://$name\n";
}

sub who {
    my ($s, $path, $n) = @_;
    return join ' ', map { my $r = get($s, "/$path/id/1"); $r->header('X-Backend') // $r->status } 1 .. $n;
}
sub checks { my ($name) = @_; return $b{$name}->count('path:/hc') }
sub fresh { $_->listen, $_->clear, $_->reset for values %b; return }

# Count how often the log matches from the mark on.
sub times_logged { my ($s, $what) = @_; return scalar(() = substr($s->error_log, $s->{seen}) =~ /$what/g) }

# --- in a row ---
{
    health($_, 200) for qw(a b);
    my $how = 'hcmethod=GET hcuri=/hc hcinterval=300ms hcfails=3 hcpasses=2';
    my $s = server("ProxyStatus On\n<Location /status>\nSetHandler server-status\n</Location>\n" . balancer('r', '', a => $how, b => ''));
    is who($s, 'r', 4), 'a b a b', 'up before its first check';
    ok $b{a}->await('path:/hc', '>=', 2), 'it is checked';
    # bad, bad, good, bad, bad, good: never three in a row
    my $n = checks('a');
    my $answer = sub { my ($nth, $status) = @_; $b{a}->script('/hc', nth => $nth, "recv body\nsend \"HTTP/1.1 $status X\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n") };
    $answer->($n + 2 + $_, (503, 503, 200)[$_ % 3]) for 0 .. 5;
    ok $b{a}->await('path:/hc', '>=', $n + 8), 'six checks later';
    is times_logged($s, 'RP0742'), 0, 'a good check between bad ones begins the count anew';
    is who($s, 'r', 2), 'a b', 'it is used';
    $s->mark_log;
    health('a', 500);
    ok $s->wait_log(qr/RP0742: balancer:\/\/r: member $u{a} is out of service: health check GET failed 3 times in a row: status 500; 2 good checks will bring it back/), 'three in a row';
    is who($s, 'r', 4), 'b b b b', 'out';
    my $page = get($s, '/status?auto')->body;
    like $page, qr/^ProxyBalancer\[0\]Worker\[0\]Status: Init HcFl $/m, 'the status page says so';
    like $page, qr/^ProxyBalancer\[0\]Worker\[0\]HealthChanges: 1\nProxyBalancer\[0\]Worker\[0\]HealthLast: status 500$/m, 'and how often that was, and why';
    unlike $page, qr/Worker\[1\]Health/, 'nothing of the sort of a member that is not checked';
    $n = checks('a');
    $answer->($n + 2 + $_, (200, 500)[$_ % 2]) for 0 .. 3;
    ok $b{a}->await('path:/hc', '>=', $n + 6), 'good ones with bad ones between';
    is times_logged($s, 'RP0743'), 0, 'do not bring it back';
    is times_logged($s, 'RP0742'), 0, 'what goes on is not logged again';
    $s->mark_log;
    health('a', 200);
    ok $s->wait_log(qr/RP0743: balancer:\/\/r: member $u{a} is back in service: health check GET passed: status 200/), 'two good ones in a row';
    is who($s, 'r', 4) =~ tr/a//, 2, 'it is used again';
    $page = get($s, '/status?auto')->body;
    my ($all)    = $page =~ /HealthChecks: (\d+)/;
    my ($failed) = $page =~ /HealthChecksFailed: (\d+)/;
    ok $all >= checks('a') - 1 && $all <= checks('a') && $failed >= 9 && $failed < $all && $page =~ /HealthChanges: 2$/m, 'checks and changes are counted'
        or diag "$all of ", checks('a'), ", $failed failed";
    is times_logged($s, 'RP074[23]'), 0, 'one line for each change';
    $s->stop;
}

# --- before the first check ---
{
    fresh();
    health($_, 200) for qw(a b c);
    my $how = 'hcmethod=GET hcuri=/hc hcinterval=60 hcpasses=2';
    my $s = server(balancer('up', '', a => "$how hcinit=up") . balancer('check', '', b => "$how hcinit=check")
            . balancer('never', '', 'http://127.0.0.1:1' => "$how hcinit=check") . balancer('said', '', c => "$how hcinit=down status=-C"));
    is who($s, 'up', 1), 'a', 'hcinit=up';
    ok $s->wait_log(qr/RP0743: balancer:\/\/check: member $u{b} is back in service/), 'hcinit=check: the first check comes at once and decides alone';
    is who($s, 'check', 1), 'b', 'it is used';
    $s->{seen} = 0;
    ok $s->wait_log(qr/RP0742: balancer:\/\/never: member http:\/\/127\.0\.0\.1:1 is out of service: health check GET failed 1 time in a row: the backend server refused/), 'a first check that fails is logged';
    is who($s, 'never', 1), '503', 'it is not used';
    is who($s, 'said', 1), 'c', 'status=-C wins over hcinit';
    is times_logged($s, 'balancer:\/\/up: '), 0, 'the first one is not checked yet: its interval is 60 seconds';
    $s->stop;
    fresh();
    $b{a}->script('/hc', "recv body\nwait go\nsend \"HTTP/1.1 200 X\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n");
    $s = server(balancer('down', '', a => 'hcmethod=GET hcuri=/hc hcinterval=300ms hcpasses=2 hcinit=down'));
    ok $b{a}->await('path:/hc', '>=', 1), 'hcinit=down: checked at once';
    is who($s, 'down', 1), '503', 'not used before';
    $b{a}->signal('go', 1);
    ok $b{a}->await('path:/hc', '>=', 2), 'the next one';
    is who($s, 'down', 1), '503', 'nor after one good check: hcpasses=2';
    $b{a}->signal('go', '*');
    ok $s->wait_log(qr/RP0743: balancer:\/\/down/), 'back after two';
    is who($s, 'down', 1), 'a', 'used';
    $s->stop;
}

# --- with other flags ---
{
    fresh();
    health($_, 200) for qw(a b c);
    my $how = 'hcmethod=GET hcuri=/hc hcinterval=200ms';
    my $s = server(balancer('e', '', a => "$how retry=600", b => 'status=+H') . balancer('s', '', c => "$how status=+S") . balancer('d', '', b => "$how status=+D"));
    ok $b{b}->await('path:/hc', '>=', 2), 'a disabled member is checked';
    is who($s, 'd', 1), '503', 'and stays disabled';
    $b{a}->refuse;
    $b{a}->drop;
    is who($s, 'e', 1), 'b', 'a request puts a member in error';
    like $s->error_log, qr/RP0704: balancer:\/\/e: member $u{a} is in error/, 'by its log line';
    ok $s->wait_log(qr/RP0742: balancer:\/\/e: member $u{a} is out of service/), 'its checks fail too';
    $b{a}->listen;
    ok $s->wait_log(qr/RP0743: balancer:\/\/e: member $u{a} is back in service/), 'a good check takes away both flags';
    is who($s, 'e', 1), 'a', 'long before retry is over';
    is checks('c'), 0, 'a stopped member is not checked';
    $s->stop;
}

# --- templates and defaults ---
{
    fresh();
    my $s = server("ProxyHCTemplate slow hcmethod=GET hcinterval=60 hcuri=/tpl hcexpr=ok hcinit=check\nProxyHCExpr ok {%{REQUEST_STATUS} == 200}\nProxyHCTemplate plain hcinterval=200ms\n"
            . balancer('t', '', a => 'hcinterval=200ms hctemplate=slow') . balancer('u', '', b => 'hctemplate=slow hcuri=/own') . balancer('p', '', c => 'hctemplate=plain'));
    ok $b{a}->await('path:/tpl', '>=', 2), 'a template; what the member says wins, wherever it stands';
    ok $b{b}->await('path:/own', '>=', 1), 'also behind it';
    is $b{b}->count('path:/tpl'), 0, 'instead of that of the template';
    ok $b{c}->await('accepted', '>=', 1), 'a template without a method checks by TCP';
    is $b{c}->count('requests'), 0, 'sending nothing';
    $s->stop;
    $s = RProxy::Server->new(start => 0, modules => ['slotmem_shm']);
    my ($good, $said) = $s->configtest("ProxyPass /x $u{a} hcmethod=GET\n");
    ok $good && $said =~ /RP0749: .*: $u{a}: hcmethod=GET has no effect: only members of a balancer are checked/, 'not a member: no check, and a line' or diag $said;
    ($good, $said) = $s->configtest(balancer('c', '', a => 'hcmethod=TCP'));
    ok $good && $said !~ /RP07|RP0031/, 'a member: no line' or diag $said;
    $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_nowatchdog.so';
    ($good, $said) = $s->configtest(balancer('c', '', a => 'hcmethod=TCP'));
    ok !$good && $said =~ /RP0741: .*: $u{a}: health checks need mod_watchdog, which is not loaded: add the line "LoadModule watchdog_module modules\/mod_watchdog\.so"/, 'without mod_watchdog' or diag $said;
    ($good) = $s->configtest("ProxyHCTemplate t hcmethod=TCP\n" . balancer('c', '', a => 'hctemplate=t'));
    ok !$good, 'nor by a template';
    ($good) = $s->configtest(balancer('c', '', a => ''));
    ok $good, 'without checks nobody needs it';
    ok $s->start(balancer('c', '', a => '')), 'and the server runs';
    is who($s, 'c', 1), 'a', 'as ever';
    $s->stop;
    delete $ENV{LD_PRELOAD};
    fresh();
    $s = server(balancer('c', '', a => '') . balancer('d', '', b => 'hcmethod=TCP hcinterval=200ms status=+S'));
    ok !$b{b}->await('accepted', '>=', 1, 1), 'nothing is to be checked';
    unlike $s->error_log, qr/RP0750/, 'there are no threads for it';
    $s->stop;
}

# --- one does not wait for the other ---
{
    fresh();
    health('b', 200);
    $b{a}->script($_, "recv body\nhold\n") for '/hang*';
    my $how   = 'hcmethod=GET hcinterval=200ms hctimeout=90';
    my @hangs = map { ("$u{a}/hang$_" => "$how hcuri=/x") } 1 .. 3;
    my $s     = server("ProxyHCTPsize 4\n" . balancer('h', '', @hangs, b => "$how hcuri=/hc"));
    ok $b{a}->await('requests', '>=', 3), 'three checks hang';
    my $n = checks('b');
    ok $b{b}->await('path:/hc', '>=', $n + 5, 5), 'another member is checked all the same';
    is $b{a}->count('requests'), 3, 'a check that hangs is not begun again';
    my $begin = now();
    ok $s->stop, 'the server ends';
    ok now() - $begin < 10, 'and does not wait for checks';
    fresh();
    health('b', 200);
    $b{a}->script('/hang*', "recv body\nhold\n");
    $s = server("ProxyHCTPsize 0\n" . balancer('h', '', "$u{a}/hang1" => "$how hcuri=/x hcinit=check", b => "hcmethod=GET hcuri=/hc hcinterval=2"));
    ok $b{a}->await('requests', '>=', 1), 'one after the other: one hangs';
    ok !$b{b}->await('path:/hc', '>=', 1, 4), 'and the other one waits';
    $b{a}->drop;
    ok $b{b}->await('path:/hc', '>=', 1), 'until it is over';
    $s->stop;
}

# --- spread over the interval ---
{
    fresh();
    my (%at, @order);
    my $s = server(balancer('w', '', map { ("$u{a}/m$_" => 'hcmethod=GET hcuri=/hc hcinterval=4') } 1 .. 4));
    my $begin = now();
    for my $i (1 .. 4) {
        $b{a}->await("path:/m$i/hc", '>=', 1);
        $at{$i} = now() - $begin;
    }
    ok $at{4} - $at{1} > 2, 'four first checks are spread over four seconds' or diag join ' ', map { sprintf '%.2f', $_ } @at{1 .. 4};
    @order = map { $_->{target} =~ /m(\d)/ ? $1 : '?' } $b{a}->requests;
    is "@order[0 .. 3]", '1 2 3 4', 'one after the other';
    $s->stop;
}
