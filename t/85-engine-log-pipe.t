# SPDX-License-Identifier: Apache-2.0
# Access logs that go to programs which do not read: nobody waits for them. Lines wait in memory and arrive whole and in order when the program reads on;
# what is more than may wait is lost, counted and told; and a child ends in bounded time.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Fcntl qw(O_WRONLY O_NONBLOCK);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(build_dir needs now seconds wait_until);
use RProxy::Metrics;
use RProxy::Server;

plan tests => 73, need { needs(qw(rproxy mpm_event)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;

my $refuses = RProxy::Backend->new(name => 'refuses');
$refuses->refuse;

# A log program: it reads while the file "go" is there. With "stubborn" a restart does not end it.
my $program = <<"PERL";
my (\$root, \$out) = \@ARGV;
\$SIG{TERM} = 'IGNORE' if -e "\$root/stubborn";
\$out .= 2 if -e "\$root/second"; # two at once would mix their lines
open my \$to, '>>', "\$root/\$out" or die "\$out: \$!";
while (1) {
    select undef, undef, undef, 0.01 until -e "\$root/go";
    sysread(STDIN, my \$text, 16384) or last;
    syswrite \$to, \$text;
}
PERL

sub server {
    my ($more, @opt) = @_;
    my $s = RProxy::Server->new(start => 0, any_lane => undef, threads => 4, @opt, config => <<"CONF");
LogFormat "%{X-Test-Id}i %{X-Pad}i end" padded
CustomLog "|$^X __ROOT__/program.pl __ROOT__ piped" padded
<Location /metrics>
    SetHandler rproxy-metrics
</Location>
ProxyPass /b $url
$more
CONF
    $s->write_file('program.pl', $program);
    $s->start or die 'httpd did not start: ', $s->stderr, $s->error_log;
    return $s;
}

sub program_reads { my ($s, $reads) = @_; return $reads ? $s->write_file('go', '') : unlink $s->root . '/go' }

# The child of httpd that serves: not the programs, which look like it for a moment.
sub child {
    my ($s) = @_;
    return wait_until(10, sub { (grep { my $n = () = glob "/proc/$_/task/*"; $n > 5 } $s->children)[0] });
}

# Is this descriptor the writing end of a pipe, of a kind that does not wait?
sub own_end {
    my ($pid, $fd) = @_;
    open my $in, '<', "/proc/$pid/fdinfo/$fd" or return 0;
    my ($flags) = map { /^flags:\s+(\d+)/ ? oct $1 : () } <$in>;
    return (readlink("/proc/$pid/fd/$fd") // '') =~ /^pipe/ && ($flags & 3) == O_WRONLY && $flags & O_NONBLOCK;
}

sub piped { my ($s) = @_; return map { split /\n/, $s->_read($_) } qw(piped piped2) }
sub counted { my ($s, $what) = @_; return RProxy::Metrics->new(get($s, '/metrics')->body)->value("rproxy_log_lines_${what}_total") }

# Requests on one connection, their ids a prefix and a number; how many were answered well. A log that is waited for makes a time-out here.
sub ask {
    my ($s, $prefix, $n, $pad) = @_;
    my $good = 0;
    my $c;
    for my $i (1 .. $n) {
        $c = RProxy::Client->new($s, timeout => 8) if $i % 50 == 1;
        $c->request('GET', "/b/id/$i", id => "$prefix$i", headers => ['X-Pad' => 'x' x $pad]);
        my $r = eval { $c->response } or last;
        $good++ if $r->status == 200;
    }
    return $good;
}

sub others_are_served {
    my ($s, $what) = @_;
    for my $target ('/index.html', '/b/id/0') {
        my $began = now();
        my $r     = eval { get($s, $target, timeout => 8) };
        my $took  = now() - $began;
        ok $r && $r->status == 200 && $took < seconds(1.5), "$what: $target is served at once" or diag $r ? $r->status : $@, " after $took s";
    }
    return;
}

# The lines with ids of this prefix: whole ones, in the order of their numbers.
sub numbers {
    my ($s, $prefix, $pad) = @_;
    return map { /^\Q$prefix\E(\d+) x{$pad} end$/ ? $1 : () } piped($s);
}
sub strange { my ($s) = @_; return grep { !/^\S+ (?:x+|-) end$/ } piped($s) }
sub ascending { my $last = 0; for my $n (@_) { return 0 if $n <= $last; $last = $n } return 1 }

my $s = server("RProxyLogBuffer 400000\nListen 127.0.0.1:__PORT_two__");

# --- the program does not read: 160 KB for a pipe of 64 ---
is ask($s, 'a', 40, 4000), 40, 'requests are answered though their log program does not read'
    or die "everything waits: the rest would take minutes\n";
others_are_served($s, 'a full log pipe');
my @clients = map { RProxy::Client->new($s, timeout => 8) } 1 .. 30;
$_->request('GET', '/b/id/1', id => 'many', headers => ['X-Pad' => 'x']) for @clients;
is scalar(grep { my $r = eval { $_->response }; $r && $r->status == 200 } @clients), 30, 'more clients than threads are answered';
is ask($s, 'long', 5, 7000), 5, 'lines that a pipe does not take in one piece';
is scalar(piped($s)), 0, 'the program has read nothing';
cmp_ok counted($s, 'waited'), '>=', 50, 'lines wait';
is counted($s, 'lost'), 0, 'none is lost';
ok $s->wait_log(qr{RP0371: log "\|\S+ \S+/program.pl \S+ piped": its program has read nothing for 5 seconds; \d+ of 400000 bytes wait}, 20),
    'the program is told of';

# --- it reads on ---
program_reads($s, 1);
ok wait_until(10, sub { numbers($s, 'long', 7000) == 5 }), 'the program reads on';
is scalar(grep { own_end(child($s), $_) } map {m{([0-9]+)$}} glob '/proc/' . child($s) . '/fd/*'), 1, 'by a pipe that was opened a second time';
is join(' ', numbers($s, 'a', 4000)), join(' ', 1 .. 40), 'all lines arrive, in order';
is join(' ', numbers($s, 'long', 7000)), '1 2 3 4 5', 'long ones too';
is scalar(grep {/^many x end$/} piped($s)), 30, 'and those of others';
is scalar(strange($s)), 0, 'each line is whole' or diag map { substr($_, 0, 60) . "\n" } strange($s);
my $waited = counted($s, 'waited');
is ask($s, 'b', 20, 10), 20, 'a program that reads';
ok wait_until(10, sub { numbers($s, 'b', 10) == 20 }), 'gets its lines at once';
is counted($s, 'waited'), $waited, 'none of them waited';
is ask($s, 'c', 30, 7000), 30, 'long lines while it reads';
ok wait_until(10, sub { numbers($s, 'c', 7000) == 30 }), 'arrive';

# --- more than may wait ---
program_reads($s, 0);
$s->mark_log;
is ask($s, 'd', 300, 4000), 300, 'requests whose lines are more than may wait are answered';
others_are_served($s, 'a full queue');
ok $s->wait_log(qr/RP0372: log "[^"]*": \d+ lines were lost, because 400000 bytes of them wait already.*look at the program, or raise RProxyLogBuffer/),
    'what is lost is told';
my $lost = counted($s, 'lost');
cmp_ok $lost, '>=', 150, 'and counted';
program_reads($s, 1);
ok wait_until(10, sub { numbers($s, 'd', 4000) >= 300 - $lost }), 'what was kept arrives';
ask($s, 'e', 1, 1);
ok wait_until(10, sub { numbers($s, 'e', 1) == 1 }), 'so do later lines';
my @got = numbers($s, 'd', 4000);
ok ascending(@got), 'in order';
cmp_ok scalar(@got), '>=', 100, 'no more are lost than must be';
is scalar(strange($s)), 0, 'each line is whole' or diag map { substr($_, 0, 60) . "\n" } strange($s);
is counted($s, 'lost'), $lost, 'nothing is lost any more';
my $logged = () = $s->access_log =~ /^(?:[a-d]|long)\d+ /mg;
my $there = grep {/^(?:[a-d]|long)\d+ /} piped($s);
is $there + $lost, $logged, 'what arrived and what was lost are all'; # others of that time waited in vain, too

# --- a program that ends: what waits goes to the one that httpd starts in its place ---
program_reads($s, 0);
my $serves = child($s);
my ($first) = grep { $_ != $serves } $s->children;
is ask($s, 'again', 40, 4000), 40, 'requests while a program does not read';
kill 'KILL', $first;
ok $s->wait_log(qr/piped log program '[^']*' failed unexpectedly/), 'that ends';
is ask($s, 'anew', 5, 10), 5, 'requests behind its end';
program_reads($s, 1);
ok wait_until(10, sub { numbers($s, 'anew', 10) == 5 }), 'the next program gets their lines';
cmp_ok scalar(numbers($s, 'again', 4000)), '>=', 35, 'and those that waited, but for what the first one had read'; # 16 KB
ok ascending(numbers($s, 'again', 4000)), 'in order';

# --- restarts and stops while lines wait ---
program_reads($s, 0);
ask($s, 'f', 40, 4000);
my $old = child($s);
my $began = now();
ok $s->graceful, 'a graceful restart while lines wait';
ok wait_until(10, sub { !kill 0, $old }), 'the old child ends, its program being gone';
cmp_ok now() - $began, '<', seconds(8), 'in bounded time';
like $s->error_log, qr/RP0373: log "[^"]*": \d+ lines that waited for its program were lost/, 'its lines are lost, which is told';
is ask($s, 'g', 40, 4000), 40, 'the new child does not wait either';
$began = now();
ok $s->stop('TERM'), 'a stop while lines wait';
cmp_ok now() - $began, '<', seconds(6), 'ends in bounded time';
like $s->error_log, qr/RP0374: log "[^"]*": \d+ lines were lost: they waited for its program when this child ended/, 'what waited is told';

# --- a program that a restart does not end; BufferedLogs ---
$s = server('BufferedLogs On');
$s->stop('TERM');
$s->write_file('stubborn', '');
ok $s->start, 'BufferedLogs On: it starts';
is ask($s, 'h', 60, 4000), 60, 'BufferedLogs On: requests are answered';
others_are_served($s, 'BufferedLogs On');
$old = child($s);
$s->write_file('second', '');
ok $s->graceful, 'a graceful restart while a stubborn program does not read';
ok wait_until(15, sub { !kill 0, $old }), 'the old child ends';
like $s->error_log, qr/RP0374: log "[^"]*": \d+ lines were lost/, 'what waited is told';
is ask($s, 'i', 60, 4000), 60, 'requests are answered after the restart';
program_reads($s, 1);
ok wait_until(10, sub { numbers($s, 'i', 4000) == 60 }), 'the lines of the new child arrive';
ok $s->stop('TERM'), 'it ends';

# --- error logs ---
$s = server(qq{RProxyLogBuffer 65536\nErrorLog "|$^X __ROOT__/program.pl __ROOT__ errors"\nProxyPass /no http://127.0.0.1:@{[$refuses->port]} retry=0});
my $bad = 0;
for (1 .. 400) {
    my $status = eval { get($s, '/no/' . 'x' x 150, timeout => 8)->status } or last;
    $bad++ if $status == 503;
}
is $bad, 400, 'requests with lines for an error log whose program does not read are answered';
others_are_served($s, 'a full error log pipe');
program_reads($s, 1);
my $errors = sub { return $s->_read('errors') };
ok wait_until(10, sub { $errors->() =~ /RP0200/ }), 'its program reads on';
ok wait_until(10, sub { get($s, '/no/x'); $errors->() =~ /RP0377: error log "\|[^"]+": its program did not read; up to (\d+) lines of this child in the last \d+ seconds were lost/ }),
    'what was lost is told';
my ($untold) = $errors->() =~ /RP0377:.*up to (\d+) lines/;
my $told = () = $errors->() =~ /RP0200.*xxxxx/g;
cmp_ok $told, '>=', 50, 'what fits into the pipe is kept';
cmp_ok $told + $untold, '>=', 400, 'no more are lost than is told' or diag "$told and $untold";
cmp_ok $told + $untold, '<=', 420, 'and hardly fewer';
is scalar(grep { !/^\[.*\] / } split /\n/, $errors->()), 0, 'each line is whole';
ok $s->stop('TERM'), 'it ends';

# --- a helper that can not be interrupted: the child ends in the middle ---
{
    local $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_names.so';
    local $ENV{RP_SLOW_NAME} = 'slow.test=20';
    $s = server("RProxyLane inline\nProxyPass /slow http://slow.test:81"); # on the blocking lane a thread of the MPM looks it up
    my $held = RProxy::Client->new($s);
    $held->request('GET', '/slow');
    is ask($s, 'j', 60, 4000), 60, 'lines wait and a name is looked up';
    $began = now();
    ok $s->stop('TERM'), 'it ends';
    cmp_ok now() - $began, '<', seconds(6), 'in bounded time';
    like $s->error_log, qr/RP0336/, 'without waiting for the look-up';
    like $s->error_log, qr/RP0374/, 'the lines that are lost are told of';
}

# --- 0: as httpd does ---
$s = server('RProxyLogBuffer 0');
my $child = child($s);
is scalar(grep { own_end($child, $_) } map {m{([0-9]+)$}} glob "/proc/$child/fd/*"), 0, 'RProxyLogBuffer 0: no pipe is opened a second time';
unlike $s->error_log, qr/RP037/, 'and nothing is said';
