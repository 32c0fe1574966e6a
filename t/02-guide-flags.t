# SPDX-License-Identifier: Apache-2.0
# The Reverse Proxy Guide, section 9: each status flag, set with status=+X and cleared with status=-X, does what is said of it.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

my @names = qw(one two three);
my %b     = map { $_ => RProxy::Backend->new(name => $_) } @names;

# A balancer: members one, two, three, each with what is written behind it; by default one has the flag
sub section {
    my ($name, %with) = @_;
    my $lines = join '', map { "    BalancerMember @{[$b{$_}->url]} route=$_ retry=600 $with{$_}\n" } grep { defined $with{$_} } @names;
    my $set = $with{set} // '';
    return "<Proxy balancer://$name>\n$lines    ProxySet stickysession=SID $set\n</Proxy>\nProxyPass /$name balancer://$name\n";
}

my $conf = "ProxyStatus On\n<Location /server-status>\n    SetHandler server-status\n</Location>\n";
$conf .= section('none', map { $_ => '' } @names);
$conf .= section("flag$_", one => "status=+$_", two => '', three => '') for qw(D S N C);
$conf .= section('R', one => '', two => '', three => 'status=+R');
$conf .= section('Rlost', one => '', two => 'status=+D', three => 'status=+R');
$conf .= section('H', one => '', two => '', three => 'status=+H');
$conf .= section('Hlost', one => 'status=+D', two => 'status=+S', three => 'status=+H');
$conf .= section('E', one => 'status=+E', two => '', three => '');
$conf .= section('I', one => 'status=+I', two => 'status=+H', set => 'forcerecovery=Off');
$conf .= section('noI', one => '', two => 'status=+H', set => 'forcerecovery=Off');
$conf .= section('lower', one => 'status=+d', two => '', three => '');
$conf .= section('both', one => 'status=+DN', two => '', three => '');
$conf .= section('cleared', one => 'status=+D-D', two => 'status=-D', three => '');

plan tests => 46, need {needs(qw(rproxy rproxy_balancer slotmem_shm status))};
my $s = RProxy::Server->new(modules => [qw(status)], config => $conf);

# Who answers six requests, sorted names with counts: "one:2 two:2 three:2"
sub shares {
    my ($name) = @_;
    my %n;
    for (1 .. 6) {
        my $r = get($s, "/$name/id/1");
        $n{$r->header('X-Backend') // $r->status}++;
    }
    return join ' ', map { "$_:$n{$_}" } grep { $n{$_} } @names, '503';
}
sub session { my ($name, $route) = @_; my $r = get($s, "/$name/id/1", headers => [Cookie => "SID=x.$route"]); return $r->header('X-Backend') // $r->status }

# The words of a balancer's first member on the status page
sub words {
    my ($name) = @_;
    my $text = get($s, '/server-status?auto')->body;
    my ($i) = $text =~ /^ProxyBalancer\[(\d+)\]Name: balancer:\/\/\Q$name\E$/mi or return '';
    my ($words) = $text =~ /^ProxyBalancer\[$i\]Worker\[0\]Status: (.*)$/m;
    return $words;
}

is shares('none'), 'one:2 two:2 three:2', 'no flag: all work';
is words('none'), 'Init Ok ', 'and are well';
my %word = (D => 'Dis', S => 'Stop', N => 'Drn', C => 'HcFl');
for my $flag (sort keys %word) {
    is shares("flag$flag"), 'two:3 three:3', "$flag: gets no requests";
    like words("flag$flag"), qr/\b$word{$flag} /, "$flag: shown";
    my $own = session("flag$flag", 'one');
    if   ($flag eq 'N') { is $own, 'one', 'N: but those of its sessions' }
    else                { like $own, qr/^(?:two|three)$/, "$flag: nor those of its sessions" }
    is session("flag$flag", 'three'), 'three', "$flag: other sessions stay";
}
is shares('R'),     'one:3 two:3',   'R: a spare waits while nobody is missing';
is shares('Rlost'), 'one:3 three:3', 'R: and stands in for one that is';
is session('R', 'three'), 'three', 'R: sessions of a spare are served';
is shares('H'),     'one:3 two:3', 'H: a standby waits while anybody works';
is shares('Hlost'), 'three:6',     'H: and works when nobody does';

# E by the configuration: the first look tries it
like words('E'), qr/\bErr /, 'E: shown';
is shares('E'), 'one:2 two:2 three:2', 'E: an error of the configuration is over at the first look';
unlike words('E'), qr/\bErr /, 'E: and gone';

# E by failure, with and without I
$b{one}->refuse;
$b{one}->drop;
is shares('noI'), 'two:6', 'without I: a member that can not be reached is left alone';
like words('noI'), qr/\bErr /, 'it is in error';
is shares('I'), 'two:6', 'I: its requests move on too';
unlike words('I'), qr/\bErr /, 'but it is not in error';
$b{one}->listen;
is shares('noI'), 'two:6', 'without I: it stays in error for its retry';
is shares('I'),   'one:6', 'I: is used again at once';

# spelling
is shares('lower'),   'two:3 three:3',       'letters of either case';
is shares('both'),    'two:3 three:3',       'several letters';
like words('both'), qr/\bDrn .*Dis /, 'all of them are set';
is session('both', 'one') eq 'one' ? 1 : 0, 0, 'disabled wins over draining';
is shares('cleared'), 'one:2 two:2 three:2', 'set and cleared again';

# ignore errors is shown; so is what two flags make
like words('I'), qr/\bIgn .*Ok /, 'I: shown, and well';
like words('H'), qr/^Init Ok $/,  'the first member of H has none';

# flags outlive a graceful restart as configured; what is configured anew holds
ok $s->graceful, 'a graceful restart';
is shares('flagD'), 'two:3 three:3', 'D is still configured';
is shares('noI'), 'two:6', 'E lasts on';
ok $s->graceful($conf =~ s/(flagD>\n.*) status=\+D\n/$1\n/r), 'D is taken out of the configuration';
is shares('flagD'), 'one:2 two:2 three:2', 'and holds no more';
is get($s, '/none/id/1')->status, 200, 'well';
$s->stop;
is(($s->{status} // 0) & 127, 0, 'the main process ends well');
