# SPDX-License-Identifier: Apache-2.0
# Backends that can not be reached soon, on event loops: 200 of them accept and never say a word of TLS, the names of others are not found
# for 10 s. They hold a thread each at most, and nobody else waits.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(build_dir needs now seconds wait_until);
use RProxy::Server;

plan tests => 43, need { needs(qw(rproxy mpm_event ssl socache_shmcb)) };

my ($silent, $names, $threads) = (200, 20, 8);
$ENV{RP_NAMES_MS} = 1000 * seconds(10);

my $plain = RProxy::Backend->new(name => 'plain');
my $tls   = RProxy::Backend->new(name => 'tls', tls => 'local');
my $late  = RProxy::Backend->new(name => 'late', tls => 'local');
$ENV{LD_PRELOAD}  = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_names.so'; # for httpd alone
my @deaf  = map { IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!" } 0 .. $silent;
my $soon  = pop @deaf;
my $limit = seconds(3);
my $s     = RProxy::Server->new(threads => $threads, timeout => 60, modules => [qw(ssl socache_shmcb)], config => <<"CONF");
SSLProxyEngine on
ProxyPass /plain @{[$plain->url]}
ProxyPass /tls   @{[$tls->tls_url]}
ProxyPass /hand  @{[$plain->url]}
<Location /hand>
    RProxyLane handoff
</Location>
ProxyPass /late  @{[$late->tls_url]}
ProxyPass /named http://localhost:@{[$plain->port]}
ProxyPass /slow  http://a.slow.test:@{[$plain->port]}
ProxyPass /patient https://127.0.0.1:@{[$soon->sockport]} timeout=60 retry=0
ProxyPass /soon  https://127.0.0.1:@{[$soon->sockport]} timeout=$limit retry=0
@{[map { "ProxyPass /deaf$_ https://127.0.0.1:" . $deaf[$_]->sockport . "\n" } 0 .. $#deaf]}
@{[map { "ProxyPass /name$_ http://n$_.never.test:81\n" } 1 .. $names]}
CONF

my $child;
sub clients { my ($n) = @_; return map { RProxy::Client->new($s) } 1 .. $n }
sub threads { opendir my $dir, "/proc/$child/task" or return 0; return scalar grep {/^\d/} readdir $dir }

sub served {
    my ($what, @paths) = @_;
    for my $path (@paths) {
        my $began = now();
        my $r     = eval { get($s, $path, timeout => 8) };
        my $took  = now() - $began;
        ok $r && $r->status == 200 && $took < seconds(1.5), "$what: $path is served at once" or diag $r ? $r->status : $@, " after $took s";
    }
    return;
}
my @all = qw(/index.html /plain/id/1 /tls/id/1 /named/id/1 /hand/id/1);
served('before', @all);
($child) = $s->children;

# --- silence in the handshake ---
my $base = threads();
my @waiting;
for my $round (1, 2) {
    my @c = clients($silent);
    $c[$_]->request('GET', "/deaf$_/x") for 0 .. $silent - 1;
    push @waiting, @c;
    ok wait_until(10, sub { threads() >= $base + $silent - 10 }), "round $round: $silent handshakes are under way";
    served("$silent silent TLS backends, round $round", @all);
}
cmp_ok threads(), '<=', $base + $silent + 40, 'each holds one thread, however many requests wait for it';
# nothing is known of this one, and what is kept is for those that are known
served('silence', '/late/id/1');
served('silence', '/late/id/2');

# in line behind somebody who is more patient
my ($patient) = clients(1);
$patient->request('GET', '/patient/x');
ok wait_until(5, sub { IO::Select->new($soon)->can_read(0) }), 'one waits for as long as it may';
my @c     = clients(8);
my $began = now();
$_->request('GET', '/soon/x') for @c;
is join(' ', map { eval { $_->response->status } // $@ } @c), join(' ', (502) x 8), 'requests that wait in line for a silent one end too'
    or diag $s->error_log =~ /(RP0200[^\n]*soon[^\n]*)/;
my $took = now() - $began;
ok $took > $limit - 0.5 && $took < $limit + seconds(2), "all of them after timeout=$limit" or diag "$took s";
$_->abort for @waiting;
served('their clients are gone', @all);

# --- names ---
@c     = clients(8);
$began = now();
$_->request('GET', '/slow/id/1') for @c;
is join(' ', map { eval { $_->response->status } // $@ } @c), join(' ', (200) x 8), 'a name that takes long';
cmp_ok now() - $began, '<', 1.7 * seconds(2.5), 'who waits for the same name takes what the first one was told';
@waiting = clients(5 * $names);
sub ask_name { my ($n) = @_; $waiting[$n]->request('GET', '/name' . (1 + $n % $names) . '/x'); return }
for my $c (@waiting[0 .. $names - 1]) { # so that the loop has them, and nobody who asks later is before them
    $c->request('GET', '/plain/id/1');
    $c->response;
}
ask_name($_) for 0 .. $names - 1;
ok wait_until(5, sub { threads() >= $base + $names - 4 }), "$names names are looked up";
ask_name($_) for $names .. $#waiting;
served("$names names that are not found for 10 s", @all, '/late/id/3');
my %got;
$got{eval { $_->response->status } // $@}++ for @waiting[0 .. $names - 1];
is join(' ', map {"$_=$got{$_}"} sort keys %got), "502=$names", 'and they end when the resolver does';
$_->abort for @waiting;
served('names', @all);
