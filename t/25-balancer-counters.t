# SPDX-License-Identifier: Apache-2.0
# Counters of members: exact under load from many threads and children, none left behind by a child that was killed; and the
# page of mod_status that shows them.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use POSIX ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 39, need {needs(qw(rproxy rproxy_balancer slotmem_shm status))};

my %b    = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my @who  = sort keys %b;
my $odd  = 'balancer://odd';
my $conf = <<"CONF";
ProxyStatus On
<Location /server-status>
    SetHandler server-status
</Location>
<Proxy balancer://c>
    BalancerMember @{[$b{a}->url]}
    BalancerMember @{[$b{b}->url]} loadfactor=3
    BalancerMember @{[$b{c}->url]}
</Proxy>
ProxyPass /c balancer://c
<Proxy balancer://odd>
    BalancerMember "@{[$b{a}->url]}/<b>&x/" route=<i>r</i> redirect=R2 status=+DH lbset=4
    ProxySet stickysession=<S>|p lbmethod=bybusyness
</Proxy>
ProxyPass /odd balancer://odd
<VirtualHost 127.0.0.1:__PORT_quiet__>
    ProxyStatus Off
    <Location /server-status>
        SetHandler server-status
    </Location>
    ProxyPass /c balancer://c
</VirtualHost>
Listen 127.0.0.1:__PORT_quiet__
CONF
my %how = (modules => [qw(slotmem_shm status)], threads => 24, processes => 3);
my $s   = RProxy::Server->new(%how, config => $conf);

# ?auto as a hash: status("c") => [{Name => ..., Busy => ...}, ...]
sub status {
    my ($name) = @_;
    my ($balancer, @members);
    my $text = get($s, '/server-status?auto')->body;
    for (split /\n/, $text) {
        if (/^ProxyBalancer\[(\d+)\]Name: balancer:\/\/(\w+)$/ && $2 eq $name) { $balancer = $1 }
        if (defined $balancer && /^ProxyBalancer\[$balancer\]Worker\[(\d+)\](\w+): (.*)$/) { $members[$1]{$2} = $3 }
    }
    return @members;
}

sub column { my ($name, $key) = @_; return join ' ', map { $_->{$key} } status($name) }

# --- 16 clients, 60 requests each over connections that stay ---
my $each = 60;
my @pids = map {
    my $n   = $_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $bad = 0;
        for my $turn (1 .. 4) {
            my $c = RProxy::Client->new($s);
            for (1 .. $each / 4) {
                my @body = $_ % 3 ? () : (body => 'x' x (50 * $_));
                $c->request(@body ? 'POST' : 'GET', '/c/' . (@body ? 'echo' : 'id') . "/$_", @body);
                $bad++ if $c->response->status != 200;
            }
        }
        POSIX::_exit($bad ? 1 : 0);
    }
    $pid;
} 1 .. 16;
my $failed = grep { waitpid $_, 0; $? != 0 } @pids;
is $failed, 0, 'all requests are answered';
ok wait_until(10, sub { my $n = 0; $n += $_->{Busy} for status('c'); $n == 0 }), 'nothing is under way afterwards';
my @m = status('c');
is scalar(@m), 3, 'three members';
my $total = 0;
for my $i (0 .. 2) {
    my $back  = $b{$who[$i]};
    my @seen  = $back->requests;
    my $bytes = 0;
    $bytes += length($back->head($_->{n})) + $_->{bytes} for @seen;
    is $m[$i]{Name},    $back->url,                    "$who[$i]: its name";
    is $m[$i]{Elected}, scalar(@seen),                 "$who[$i]: elected as often as it was asked";
    is $m[$i]{Sent},    int($bytes / 1024) . 'K',      "$who[$i]: every byte that arrived was counted, once";
    is $m[$i]{Status},  'Init Ok ',                    "$who[$i]: its state";
    like $m[$i]{Rcvd},  qr/^[1-9]\d*K$/,               "$who[$i]: bytes came back";
    $total += @seen;
}
is $total, 16 * $each, 'none more';
cmp_ok abs($m[1]{Elected} - 3 * $m[0]{Elected}), '<', $total / 4, 'by their weights, more or less';

# --- the page ---
my $page = get($s, '/server-status')->body;
like $page,   qr{<h1>Proxy LoadBalancer Status for <i>balancer://c</i></h1>}, 'a section';
like $page,   qr{<tr><td>http</td><td>127\.0\.0\.1</td><td>Init Ok </td><td></td><td></td><td>3\.00</td><td>0</td><td>$m[1]{Elected}</td><td>0</td>},
    'a line of it';
like $page,   qr{<td>&lt;S&gt;\|p</td><td>0</td><td>bybusyness</td>}, 'session, time-out, method';
like $page,   qr{<td>Init Dis Stby </td><td>&lt;i&gt;r&lt;/i&gt;</td><td>R2</td><td>1\.00</td><td>4</td><td>0</td><td>0</td>}, 'what was written, escaped';
unlike $page, qr{<i>r</i>|<S>}, 'nothing gets through';
like $page,   qr{<tr><th>SSes</th>.*<tr><th>Redir</th>}s, 'what the columns mean';
like column('odd', 'Status'), qr/^Init Dis Stby $/, '?auto tells the same';
unlike get($s, '/server-status', port => 'quiet')->body, qr/LoadBalancer|balancer:/, 'ProxyStatus Off: nothing';
unlike get($s, '/server-status?auto', port => 'quiet')->body, qr/ProxyBalancer/, 'nor in ?auto';

# --- a graceful restart ---
my $elected = column('c', 'Elected');
ok $s->graceful, 'a graceful restart';
is column('c', 'Elected'), $elected, 'counters go on';

# --- requests under way, and a child that is killed ---
sub hold {
    my ($n) = @_;
    return map { my $c = RProxy::Client->new($s); $c->request('GET', '/c/id/1?wait=go', close => 1); $c } 1 .. $n;
}
sub busy { my $n = 0; $n += $_ for split / /, column('c', 'Busy'); return $n }

my @held = hold(6);
ok wait_until(10, sub { busy() == 6 }), 'six requests under way';
$s->{expect_crash} = 1;
my @children = $s->children;
kill 'KILL', $_ for @children;
ok wait_until(20, sub { my %old = map { $_ => 1 } @children; my @now = $s->children; @now && !grep { $old{$_} } @now }), 'all children are killed';
ok wait_until(10, sub { (eval { busy() } // -1) == 0 }), 'and leave nothing behind';
$b{$_}->signal('go', '*') for @who;
$_->close for @held;
my @asked = map { get($s, '/c/id/1')->status } 1 .. 5;
is "@asked", '200 200 200 200 200', 'requests go on';
is busy(), 0, 'and leave nothing either';

# one of two: the share of the other stays
$_->reset for values %b;
@held = hold(8);
ok wait_until(10, sub { busy() == 8 }), 'eight requests under way';
@children = $s->children;
kill 'KILL', $children[0];
my $lost = wait_until(20, sub { my $gone = grep { $_->readable(0) } @held; my $n = eval { busy() } // -1; $n >= 0 && $n == 8 - $gone && !grep { $_ == $children[0] } $s->children });
ok $lost, 'a child is killed: what it had under way goes, the rest stays';
$b{$_}->signal('go', '*') for @who;
ok wait_until(10, sub { busy() == 0 }), 'and ends with its requests';
$s->stop;
