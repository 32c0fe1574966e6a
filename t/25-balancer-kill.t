# SPDX-License-Identifier: Apache-2.0
# Members are killed and started again at seeded moments, and stopped, while clients ask: every GET is answered, no POST
# arrives twice. The backends here are of this file: what they saw is in a file that outlives them.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Fcntl qw(O_WRONLY O_APPEND O_CREAT);
use IO::Socket::INET ();
use POSIX            ();
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds temp_dir wait_until);
use RProxy::Port qw(free_port);
use RProxy::Server;

plan tests => 29, need {needs(qw(rproxy rproxy_balancer slotmem_shm))};

my $long    = $ENV{RPROXY_LONG};
my $seconds = $long ? 60 : 8;
my $seed    = $ENV{RPROXY_SEED} // 4711;
my $clients = 8;
my $dir     = temp_dir('kill');
my @ports   = map { free_port() } 1 .. 3;
my %pid;

# --- a backend: a process for each connection, all of one group; writes every request down before it answers ---
sub serve {
    my ($port) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 100, ReuseAddr => 1)
        or POSIX::_exit(3);
    sysopen my $log, "$dir/arrived", O_WRONLY | O_APPEND | O_CREAT or POSIX::_exit(4);
    $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $c = $listen->accept or next;
        my $child = fork // next;
        if (!$child) { answer_all($c, $log); POSIX::_exit(0) }
        close $c;
    }
    return;
}

sub answer_all {
    my ($c, $log) = @_;
    my $in = '';
    while (1) {
        while ($in !~ /\r\n\r\n/) { sysread($c, $in, 65536, length $in) or return }
        $in =~ s/^(.*?\r\n\r\n)//s;
        my $head = $1;
        my ($method, $id) = $head =~ m{^(\w+) /(\w+) } or return;
        my ($n) = $head =~ /^Content-Length: (\d+)/mi;
        syswrite $c, "HTTP/1.1 100 Continue\r\n\r\n" if $head =~ /^Expect: 100-continue\r$/mi;
        while (length $in < ($n // 0)) { sysread($c, $in, 65536, length $in) or return }
        substr $in, 0, $n // 0, '';
        syswrite $log, "$method $id\n";
        select undef, undef, undef, 0.004;    # work
        my $body = "id=$id;";
        syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    }
    return;
}

sub listening { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[0], Timeout => 1) }

sub begin {
    my ($port) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) { setpgrp; RProxy::Server::_die_with_parent(); serve($port) }
    $pid{$port} = $pid;
    wait_until(10, sub { listening($port) }) or die "backend does not listen\n";
    return;
}

# The process and its children: a group of our own making.
sub signal_group { my ($signal, $port) = @_; return kill $signal, -$pid{$port} }

sub end {
    my ($port) = @_;
    signal_group('KILL', $port);
    waitpid delete $pid{$port}, 0;
    return;
}

my $owner = $$;
END { if (defined $owner && $$ == $owner) { my $status = $?; end($_) for keys %pid; $? = $status } }

# --- a client: asks until told otherwise, and writes what it got: METHOD ID STATUS OWN SECONDS ---
sub one_request {
    my ($server, $method, $id, $out) = @_;
    my $begin = now();
    my @body  = $method eq 'POST' ? (body => 'x' x 100) : ();
    my $r     = eval { RProxy::Client->one($server, $method, "/$id", timeout => 20, @body) };
    my $took  = now() - $begin;
    my $body  = $r ? $r->body // '' : '';
    my $own   = $body eq "id=$id;" ? 'own' : $r && $r->status == 200 && $r->{error} ? 'cut' : 'none';
    syswrite $out, sprintf "%s %s %s %s %.2f\n", $method, $id, $r ? $r->status : 0, $own, $took;
    return;
}

sub client {
    my ($server, $name, $out, $every) = @_;
    my $n = 0;
    while (!-e "$dir/enough") {
        $n++;
        one_request($server, $every && $n % $every == 0 ? 'POST' : 'GET', "c${name}n$n", $out);
    }
    return;
}

sub start_clients {
    my ($server, $every) = @_;    # how many requests there are to a POST; 0: none
    unlink "$dir/enough";
    my @pids;
    for my $name (1 .. $clients) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            $SIG{TERM} = 'DEFAULT';
            sysopen my $out, "$dir/got", O_WRONLY | O_APPEND | O_CREAT or POSIX::_exit(4);
            client($server, $name . 'r' . $every, $out, $every);
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    return @pids;
}

sub slurp { open my $in, '<', "$dir/$_[0]" or return ''; local $/; return scalar(<$in>) // '' }

sub finish_clients {
    my @pids = @_;
    open my $flag, '>', "$dir/enough" or die "$dir/enough: $!\n";
    close $flag;
    my $good = wait_until(60, sub { @pids = grep { waitpid($_, POSIX::WNOHANG()) == 0 } @pids; !@pids });
    my @got  = map { [split] } split /\n/, slurp('got');
    unlink "$dir/got";
    return ($good, @got);
}

# Time passes; the clients are at work.
sub pause { my $end = now() + $_[0]; select undef, undef, undef, 0.01 while now() < $end; return }

# --- SIGKILL ---
srand $seed;
begin($_) for @ports;
my $members = join '', map { "    BalancerMember http://127.0.0.1:$_ retry=1 timeout=10\n" } @ports;
my $s = RProxy::Server->new(modules => ['slotmem_shm'], threads => 25, config => <<"CONF");
<Proxy balancer://c>
$members</Proxy>
ProxyPass / balancer://c/
CONF
my @pids  = start_clients($s, 4);
my $end   = now() + $seconds;
my $kills = 0;
while (now() < $end) {
    pause(0.2 + rand 0.5);
    my $port = $ports[rand @ports];
    end($port);
    pause(rand 0.2);
    begin($port);
    $kills++;
}
my ($all, @got) = finish_clients(@pids);
my @gets = grep { $_->[0] eq 'GET' } @got;
ok $all, 'all clients came to their end';
cmp_ok $kills, '>=', $long ? 20 : 5, "$kills kills (seed $seed)";
cmp_ok scalar(@gets), '>', 200, scalar(@gets) . ' GETs';
my @lost = grep { $_->[3] eq 'none' } @gets;
is "@{[map { qq($_->[1]:$_->[2]) } @lost]}", '', 'each is answered 200 with its own id, or was under way to its client';
cmp_ok scalar(grep { $_->[3] eq 'cut' } @gets), '<=', $kills, 'few were';
my (%posts, %arrived);
$arrived{$_}++ for split /\n/, slurp('arrived');
$posts{$_->[1]} = $_ for grep { $_->[0] eq 'POST' } @got;
my @twice = grep { /^POST/ && $arrived{$_} > 1 } sort keys %arrived;
is "@twice", '', 'no POST arrived twice';
my @missing = grep { $posts{$_}[3] eq 'own' && !$arrived{"POST $_"} } sort keys %posts;
is "@missing", '', 'each POST that was answered did arrive';
my $rescued = () = $s->error_log =~ /RP0241: .* after /g;
cmp_ok $rescued, '>=', $long ? 50 : 3, "$rescued requests were answered by another member";
my @errors = grep { $_->[2] !~ /^(?:200|502)$/ } values %posts;
is "@{[map { qq($_->[1]:$_->[2]) } @errors]}", '', 'a POST that could not be answered is a 502';
$s->stop;

# --- SIGSTOP: the kernel goes on accepting, nobody answers ---
# Among clients that send requests a member stops; members have these parameters in place of their time-out, the balancer these lines more.
sub member_stops {
    my ($port, $params, $more, $posts) = @_;
    my $own = $members =~ s/timeout=10/$params/gr =~ s/retry=1/retry=600/gr;
    $s = RProxy::Server->new(modules => ['slotmem_shm'], threads => 25, config => <<"CONF");
<Proxy balancer://c>
$own$more</Proxy>
ProxyPass / balancer://c/
CONF
    @pids = start_clients($s, $posts);
    pause(0.5);
    signal_group('STOP', $port);
    return;
}

member_stops($ports[1], 'timeout=1', "    ProxySet failontimeout=On\n", 0);
ok $s->wait_log(qr/RP0704: .*:$ports[1] is in error/), 'a member that stands still is in error';
pause(1);
my $mark = get($s, '/mark');
is $mark->body, 'id=mark;', 'others answer';
($all, @got) = finish_clients(@pids);
signal_group('CONT', $ports[1]);
ok $all, 'all clients came to their end';
my @late = grep { $_->[4] > seconds(1) + 2 } @got;
is "@{[map { qq($_->[1]:$_->[4]) } @late]}", '', 'each is answered within the time-out';
my @bad = grep { $_->[3] ne 'own' } @got;
is scalar(grep { $_->[2] != 504 } @bad), 0, 'by its own id or by 504';
cmp_ok scalar(@bad), '<=', 2 * $clients, 'only those that were on their way to it: ' . @bad . ' of ' . @got;
$s->stop;

# --- SIGSTOP, and members are asked by ping= before they get a body: nobody notices ---
truncate "$dir/arrived", 0;
member_stops($ports[2], 'timeout=10 ping=300ms', '', 1);
ok $s->wait_log(qr/RP0241: .* after ping-timeout at .*:$ports[2]/), 'a member that stands still does not answer the ping';
pause(0.5);
($all, @got) = finish_clients(@pids);
signal_group('CONT', $ports[2]);
ok $all, 'all clients came to their end';
cmp_ok scalar(@got), '>', 50, scalar(@got) . ' POSTs';
is "@{[map { qq($_->[1]:$_->[2]) } grep { $_->[3] ne 'own' && $_->[2] != 504 } @got]}", '', 'each is answered, by its own id';
@bad = grep { $_->[2] == 504 } @got;
cmp_ok scalar(@bad), '<=', $clients, 'but for those whose body it had: ' . @bad;
@late = grep { $_->[4] > seconds(1) + 2 } grep { $_->[2] != 504 } @got;
is "@{[map { qq($_->[1]:$_->[4]) } @late]}", '', 'within the time of the ping';
my $direct = listening($ports[2]);
print {$direct} "GET /after HTTP/1.1\r\nHost: x\r\n\r\n";
$direct->flush;
ok wait_until(10, sub { slurp('arrived') =~ /^GET after$/m }), 'the member goes on';
pause(0.3);    # so do the connections that it had
%arrived = ();
$arrived{$_}++ for split /\n/, slurp('arrived');
is "@{[grep { $arrived{$_} > 1 } sort keys %arrived]}", '', 'and no POST arrived twice';
$s->stop;

# --- SIGSTOP, and GETs that are not answered in time go to another member: nobody notices ---
member_stops($ports[0], 'timeout=10 failoverafter=300ms', "    ProxySet failontimeout=On\n", 0);
ok $s->wait_log(qr/RP0241: .* after head-timeout at .*:$ports[0]/), 'a member that stands still loses its requests to others';
like $s->error_log, qr/RP0704: .*:$ports[0] is in error/, 'and is in error';
pause(1);
($all, @got) = finish_clients(@pids);
signal_group('CONT', $ports[0]);
ok $all, 'all clients came to their end';
cmp_ok scalar(@got), '>', 50, scalar(@got) . ' GETs';
is "@{[map { qq($_->[1]:$_->[2]) } grep { $_->[3] ne 'own' } @got]}", '', 'each is answered by its own id';
@late = grep { $_->[4] > seconds(1) + 2 } @got;
is "@{[map { qq($_->[1]:$_->[4]) } @late]}", '', 'within the time';
$s->stop;
