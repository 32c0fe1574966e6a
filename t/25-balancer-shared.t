# SPDX-License-Identifier: Apache-2.0
# The shared memory of the balancers over restarts: what is kept, by which key; torn or foreign memory is refused.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Fcntl qw(SEEK_SET O_RDWR);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 39, need {needs(qw(rproxy rproxy_balancer slotmem_shm status))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my $status = "ProxyStatus On\n<Location /server-status>\n    SetHandler server-status\n</Location>\n";

# Worker lines of ?auto by the name of their balancer, in order of the page: ([Name => .., Elected => ..], ...)
sub members {
    my ($s, %how) = @_;
    my (@list);
    for (split /\n/, get($s, '/server-status?auto', %how)->body) {
        if (/^ProxyBalancer\[(\d+)\]Worker\[(\d+)\](\w+): (.*)$/) { $list[$1][$2]{$3} = $4 }
    }
    return @list;
}

# --- state by server, balancer and URL: two virtual hosts of one name never share, those that inherit do ---
my $conf = <<"CONF";
$status
UseCanonicalName Off
<Proxy balancer://main>
    BalancerMember @{[$b{a}->url]}
</Proxy>
ProxyPass /main balancer://main
Listen 127.0.0.1:__PORT_one__
Listen 127.0.0.1:__PORT_two__
<VirtualHost 127.0.0.1:__PORT_one__>
    ServerName twin.example:80
    $status
    <Proxy balancer://own>
        BalancerMember @{[$b{b}->url]}
    </Proxy>
    ProxyPass /own balancer://own
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_two__>
    ServerName twin.example:80
    $status
    <Proxy balancer://own>
        BalancerMember @{[$b{b}->url]}
    </Proxy>
    ProxyPass /own balancer://own
</VirtualHost>
CONF
my $s = RProxy::Server->new(modules => [qw(status)], config => $conf);
get($s, '/main/id/1') for 1 .. 2;
get($s, '/main/id/1', port => 'one') for 1 .. 3;
get($s, '/own/id/1',  port => 'one') for 1 .. 4;
get($s, '/own/id/1',  port => 'two') for 1 .. 5;

# Elected of main and of own, as a port shows them
sub elected {
    my ($s) = @_;
    my @text;
    for my $port (qw(one two)) {
        push @text, map { $_->[0]{Elected} } members($s, port => $port);
    }
    return join ' ', sort { $a <=> $b } @text;
}
is elected($s), '4 5 5 5', 'what is inherited is shared, what has the same name is not';
is scalar($b{b}->requests), 9, 'as the backend saw it';
ok $s->graceful, 'a graceful restart';
is elected($s), '4 5 5 5', 'each has its own afterwards';
get($s, '/own/id/1', port => 'two');
is elected($s), '4 5 5 6', 'and goes on with it';

# the configuration changes around it: another virtual host before the others, another member
my $changed = $conf =~ s/(ProxyPass \/main balancer:\/\/main\n)/$1<Proxy balancer:\/\/early>\nBalancerMember @{[$b{c}->url]}\n<\/Proxy>\n/r
    =~ s/(<Proxy balancer:\/\/main>\n)/$1    BalancerMember @{[$b{c}->url]}\n/r;
ok $s->graceful($changed), 'another configuration';
my ($main) = grep { @$_ == 2 } members($s);
is join(' ', map { $_->{Elected} } @$main), '0 5', 'a member is known by its URL, wherever it stands';
is scalar(members($s)), 2, 'a new balancer';
$s->stop;

# --- an error lasts for the rest of its time ---
$s = RProxy::Server->new(modules => [qw(status)], config => <<"CONF");
$status
<Proxy balancer://c>
    BalancerMember @{[$b{a}->url]} retry=600
    BalancerMember @{[$b{b}->url]} retry=600
</Proxy>
ProxyPass /c balancer://c
CONF
$b{a}->refuse;
get($s, '/c/id/1') for 1 .. 4;
like +(members($s))[0][0]{Status}, qr/Err/, 'a member is in error';
ok $s->graceful, 'a graceful restart';
$b{a}->listen;
like +(members($s))[0][0]{Status}, qr/Err/, 'it still is';
$_->reset for values %b;
get($s, '/c/id/1') for 1 .. 4;
is scalar($b{a}->requests), 0, 'and gets no request';

# --- memory that is not what it should be ---
# The segment of the server: a file that its main process has mapped. Its header begins with magic and layout.
sub segment {
    my ($s) = @_;
    open my $maps, '<', '/proc/' . $s->{pid} . '/maps' or die "maps: $!\n";
    my %files = map { $_ => 1 } map { m{\s(/\S*ShM\S*|/\S*slotmem\S*)} ? $1 : () } <$maps>;
    for my $file (sort keys %files) {
        open my $h, '+<:raw', $file or next;
        local $/;
        my $all = <$h>;
        my $at = index $all, pack('L', 0x52505842);
        return ($h, $at) if $at >= 0;
    }
    return;
}

sub overwrite {
    my ($h, $at, $bytes) = @_;
    sysseek $h, $at, SEEK_SET;
    return syswrite $h, $bytes;
}

my %damage = (
    'torn'           => [8,  pack('L', 77),                     qr/is torn: its checksum is wrong/],
    'foreign'        => [0,  'somebody else wrote this here...', qr/belongs to something else/],
    'another layout' => [4,  pack('L', 99),                     qr/has another layout/],
);
for my $name (sort keys %damage) {
    my ($offset, $bytes, $says) = @{$damage{$name}};
    my ($h, $at) = segment($s);
    ok $h, "$name: the segment is there";
    get($s, '/c/id/1');
    my $before = length $s->error_log;
    is overwrite($h, $at + $offset, $bytes), length $bytes, "$name: written over";
    ok $s->graceful, "$name: a graceful restart";
    my @said = grep { /RP0714: / } split /\n/, substr $s->error_log, $before;
    is scalar(@said), 1, "$name: refused, with one line";
    like $said[0], qr/the shared memory of the balancers $says: it is not used, and made anew/, "$name: which says why";
    is get($s, '/c/id/1')->status, 200, "$name: requests go on";
    is join(' ', map { $_->{Elected} } @{(members($s))[0]}), '1 0', "$name: and are counted from nothing";
    like +(members($s))[0][0]{Status}, qr/^Init Ok $/, "$name: no state is believed";
}
ok $s->graceful, 'whole again';
is join(' ', map { $_->{Elected} } @{(members($s))[0]}), '1 0', 'and kept';
$s->stop;
is(($s->{status} // 0) & 127, 0, 'the main process ends well');
