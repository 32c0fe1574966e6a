# SPDX-License-Identifier: Apache-2.0
# Counters under load from 16 children and their threads are those of the backends, to the last byte; so are they when members
# fail and requests move on.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use POSIX ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

my @who = qw(a b c);
plan tests => 7 * @who + 23, need {needs(qw(rproxy rproxy_balancer slotmem_shm status))};

my %b    = map { $_ => RProxy::Backend->new(name => $_) } @who;
my $down = RProxy::Backend->new(name => 'down');
my $conf = "ProxyStatus On\n<Location /server-status>\n    SetHandler server-status\n</Location>\n<Proxy balancer://c>\n"
    . join('', map { "    BalancerMember @{[$b{$_}->url]}\n" } @who) . "</Proxy>\nProxyPass /c balancer://c\n"
    . "<Proxy balancer://d>\n    BalancerMember @{[$down->url]} retry=0\n    BalancerMember @{[$b{a}->url]}/\n</Proxy>\nProxyPass /d balancer://d\n";
my $s = RProxy::Server->new(modules => [qw(status)], threads => 26, processes => 16, config => $conf);

sub members {
    my ($name) = @_;
    my ($i, @members);
    for (split /\n/, get($s, '/server-status?auto')->body) {
        if (/^ProxyBalancer\[(\d+)\]Name: balancer:\/\/(\w+)$/ && $2 eq $name) { $i = $1 }
        if (defined $i && /^ProxyBalancer\[$i\]Worker\[(\d+)\](\w+): (.*)$/) { $members[$1]{$2} = $3 }
    }
    return @members;
}
sub busy { my $n = 0; $n += $_->{Busy} for members($_[0]); return $n }

ok wait_until(20, sub { $s->children >= 16 }), '16 children';

# 24 clients, each request over a connection of its own now and then, so that all children have their share
my ($clients, $each) = (24, 40); # no child can be full: one that is closes connections that are idle
sub hammer {
    my ($path) = @_;
    my @pids = map {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            my $bad = 0;
            for my $turn (1 .. $each / 5) {
                my $c = RProxy::Client->new($s);
                for my $n (1 .. 5) {
                    my ($method, $target, @more) = $n == 1 ? ('POST', 'echo/1', body => 'x' x (37 * $turn))
                        : $n == 2 ? ('GET', 'id/1?status=404') : $n == 3 ? ('GET', 'bytes/3000?te=chunked&chunk=700')
                        : $n == 4 ? ('HEAD', 'id/1') : ('GET', 'id/1?status=503');
                    $c->request($method, "$path/$target", @more);
                    my $r = $c->response(head => $method eq 'HEAD');
                    my $good = $r->status == ($n == 2 ? 404 : $n == 5 ? 503 : 200);
                    print STDERR "# $method $target: ", $r->status, ' ', $r->{error} // '', "\n" if !$good;
                    $bad++ if !$good;
                }
            }
            POSIX::_exit($bad ? 1 : 0);
        }
        $pid;
    } 1 .. $clients;
    return scalar grep { waitpid $_, 0; $? != 0 } @pids;
}

$_->reset for values %b;
is hammer('/c'), 0, 'all requests are answered';
ok wait_until(10, sub { busy('c') == 0 }), 'nothing is under way afterwards';
my @m = members('c');
my $total = 0;
for my $i (0 .. $#who) {
    my $back = $b{$who[$i]};
    my @seen = $back->requests;
    my %status = (2 => 0, 4 => 0, 5 => 0);
    $status{$_->{target} =~ /status=(\d)/ ? $1 : 2}++ for @seen;
    is $m[$i]{Elected},      scalar(@seen),             "$who[$i]: elected as often as it was asked";
    is $m[$i]{SentBytes},    $back->count('bytes_in'),  "$who[$i]: bytes sent are bytes that arrived";
    is $m[$i]{RcvdBytes},    $back->count('bytes_out'), "$who[$i]: bytes received are bytes that left";
    is $m[$i]{Responses2xx}, $status{2},                "$who[$i]: responses 2xx";
    is $m[$i]{Responses4xx}, $status{4},                "$who[$i]: responses 4xx";
    is $m[$i]{Responses5xx}, $status{5},                "$who[$i]: responses 5xx";
    is $m[$i]{Unreachable},  0,                         "$who[$i]: always reached";
    $total += @seen;
}
is $total, $clients * $each, 'none more, none less';
my $even = grep { abs($_->{Elected} - $total / 3) <= $total / 10 } @m;
is $even, 3, 'by their weights';

# one member is down: it is chosen, can not be reached, and the other one has each request once
$down->refuse;
$_->reset for values %b;
is hammer('/d'), 0, 'with a member that is down all requests are answered';
ok wait_until(10, sub { busy('d') == 0 }), 'nothing is under way afterwards';
@m = members('d');
is $m[1]{Elected},   $clients * $each,          'the other one gets each, once';
is $m[1]{SentBytes}, $b{a}->count('bytes_in'),  'with its bytes';
is $m[1]{RcvdBytes}, $b{a}->count('bytes_out'), 'and theirs';
is $m[0]{Elected},   $m[0]{Unreachable},        'the one that is down was tried ' . $m[0]{Elected} . ' times';
is "$m[0]{SentBytes} $m[0]{RcvdBytes}", '0 0',  'and got nothing';
$s->stop;

# --- whoever chooses, the sequence is that of all children together; an error and its end do not disturb it ---
$_->listen, $_->reset for values %b;
$s = RProxy::Server->new(modules => [qw(status)], threads => 2, processes => 4, config => <<"CONF");
ProxyStatus On
<Location /server-status>
    SetHandler server-status
</Location>
<Proxy balancer://w>
    BalancerMember @{[$b{a}->url]} route=ra
    BalancerMember @{[$b{b}->url]} route=rb loadfactor=4
    BalancerMember @{[$b{c}->url]} route=rc retry=600
    ProxySet stickysession=SID
</Proxy>
ProxyPass /w balancer://w
<Proxy balancer://one>
    BalancerMember @{[$b{a}->url]}
</Proxy>
ProxyPass /one balancer://one
<Proxy balancer://e>
    BalancerMember @{[$b{a}->url]}
    BalancerMember @{[$b{b}->url]} retry=0
    BalancerMember @{[$b{c}->url]}
</Proxy>
ProxyPass /e balancer://e
CONF
sub who { my ($path, $n, @more) = @_; return join '', map { get($s, "$path/id/1", @more)->header('X-Backend') // '-' } 1 .. $n }
is who('/w', 12), 'babbcbbabbcb', '1:4:1';
is who('/w', 3, headers => [Cookie => 'SID=x.ra']), 'aaa', 'three requests of a session at one of them';
unlike who('/w', 9), qr/a/, 'are made up for by the others';
is who('/e', 6), 'abcabc', 'equal weights take turns';
$b{b}->refuse;
$b{b}->drop;
unlike who('/e', 6), qr/b|-/, 'one is down: the others work';
$b{b}->listen;
my $back = who('/e', 12);
is scalar(() = $back =~ /b/g), 4, "it is back and has its third, no more: $back";
like who('/e', 6), qr/^(?:(?:abc|bca|cab|acb|bac|cba)){2}$/, 'and they take turns again';
who('/w', 30);
$b{c}->refuse;
$b{c}->drop;
my $without = who('/w', 20);
unlike $without, qr/c|-/, 'one of 1:4:1 is down';
cmp_ok scalar(() = $without =~ /b/g), '>=', 14, "the others keep their shares: $without";
$b{c}->listen;

# --- what is made in place of an answer is no answer of the member ---
$b{a}->script('/x', "recv body\nclose\n");
is(RProxy::Client->one($s, 'POST', '/one/x', body => 'x')->status, 502, 'no answer');
get($s, '/one/id/1?status=503');
is +(members('one'))[0]{Responses5xx}, 1, 'is not counted as one';
$s->stop;
